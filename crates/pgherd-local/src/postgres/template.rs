//! New data directories from a packed template: `initdb` once per build of a server, an unpacking for every instance.
//!
//! Invariants: what is called `data` is whole and on disk; every cluster has a system identifier of its own.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, fchown};
use std::path::{Component, Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::{FallocateFlags, FlockOperation};

use super::conf::SUPERUSER;
use super::control;
use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error};

/// Changed when the options or the packing change, so that old templates are not taken for new ones.
const FORMAT: u32 = 1;

/// PostgreSQL's default segment size, which `initdb` is not told to change.
const WAL_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

/// Makes a data directory at `data` (absent so far) that a server can start in: checksums, UTF-8, the internal superuser and
/// a system identifier nobody else has, which is returned. Makes the template in `templates` first where there is none.
/// Blocking. Repeatable: a cut short run leaves nothing at `data`.
pub fn create(server: &Server, run_as: &RunAs, templates: &Path, data: &Path) -> Result<u64> {
    let packed = pack(server, run_as, templates)?;
    unpack(&packed, run_as, data)
}

/// Makes the template of a server where there is none yet, and says where it is. Blocking. Safe to run side by side.
pub fn pack(server: &Server, run_as: &RunAs, templates: &Path) -> Result<PathBuf> {
    let packed = templates.join(format!("{}-{}-{FORMAT}.tar.zst", server.version, server.build));
    std::fs::create_dir_all(templates).map_err(|error| io_error("make", templates, &error))?;
    if packed.exists() {
        return Ok(packed);
    }
    let _lock = lock(&packed.with_extension("lock"))?;
    if packed.exists() {
        return Ok(packed);
    }
    let work = packed.with_extension("work");
    remove(&work)?;
    run_as.make_dir(&work, 0o700)?;
    let made = initdb(server, run_as, &work).and_then(|data| pack_directory(&data, &packed));
    remove(&work)?;
    made.map(|()| packed)
}

/// Unpacks a template to `data`, durably, with an identity of its own, which is returned. Blocking.
pub fn unpack(packed: &Path, run_as: &RunAs, data: &Path) -> Result<u64> {
    if data.exists() {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is there already", data.display())));
    }
    let unfinished = data.with_extension("unfinished");
    remove(&unfinished)?;
    let result = unpack_files(packed, run_as, &unfinished).and_then(|()| {
        let identifier = identify(&unfinished)?;
        sync_all(&unfinished)?;
        std::fs::rename(&unfinished, data).map_err(|error| io_error("rename", &unfinished, &error))?;
        sync_folder(data.parent().unwrap_or(Path::new("/")))?;
        Ok(identifier)
    });
    if result.is_err() {
        remove(&unfinished)?;
    }
    result
}

/// Unpacks a template for a server that is thrown away at once: neither durable nor with an identity of its own. Blocking.
pub fn unpack_for_a_moment(packed: &Path, run_as: &RunAs, data: &Path) -> Result<()> {
    unpack_files(packed, run_as, data)
}

fn initdb(server: &Server, run_as: &RunAs, work: &Path) -> Result<PathBuf> {
    let data = work.join("data");
    let mut command = run_as.command(server, "initdb");
    command.arg("--pgdata").arg(&data).args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8"]);
    // From 17 on the server's own C.UTF-8, whose order no upgrade of the operating system's library can change.
    if server.major() >= 17 {
        command.args(["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]);
    }
    // Nobody gets in through the pg_hba.conf in the data directory; instances use one outside.
    command.args(["--data-checksums", "--no-sync", "--no-instructions", "--auth", "reject"]);
    run(&mut command)?;
    // A fresh log of one page instead of megabytes of bootstrap: smaller to pack, quicker to unpack.
    run(run_as.command(server, "pg_resetwal").arg("-f").arg("-D").arg(&data))?;
    Ok(data)
}

fn run(command: &mut std::process::Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(|error| io_error("run", &program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("{} failed: {}", program.display(), said.trim().replace('\n', "; "));
    Err(ProviderError::new(ErrorKind::Invalid, message))
}

fn pack_directory(data: &Path, packed: &Path) -> Result<()> {
    let unfinished = packed.with_extension("unfinished");
    let refuse = |error: std::io::Error| io_error("write", &unfinished, &error);
    let file = File::create(&unfinished).map_err(refuse)?;
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 1).map_err(refuse)?);
    append(&mut archive, data, Path::new("")).map_err(refuse)?;
    let file = archive.into_inner().and_then(zstd::Encoder::finish).map_err(refuse)?;
    file.sync_all().map_err(refuse)?;
    std::fs::rename(&unfinished, packed).map_err(refuse)?;
    sync_folder(packed.parent().unwrap_or(Path::new("/")))
}

/// Folders before what is in them, in a fixed order, without owners and times.
fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, root: &Path, below: &Path) -> std::io::Result<()> {
    let mut names = std::fs::read_dir(root.join(below))?
        .map(|entry| Ok(entry?.file_name()))
        .collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    for name in names {
        let path = below.join(name);
        let mut header = tar::Header::new_gnu();
        if root.join(&path).is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_size(0);
            archive.append_data(&mut header, &path, std::io::empty())?;
            append(archive, root, &path)?;
        } else {
            let bytes = contents(root, &path)?;
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, &path, bytes.as_slice())?;
        }
    }
    Ok(())
}

/// A WAL segment loses its zeros, which unpacking puts back.
fn contents(root: &Path, path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = std::fs::read(root.join(path))?;
    if is_wal_segment(path) {
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
    }
    Ok(bytes)
}

fn is_wal_segment(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.parent() == Some(Path::new("pg_wal")) && name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unpack_files(packed: &Path, run_as: &RunAs, root: &Path) -> Result<()> {
    let file = File::open(packed).map_err(|error| io_error("open", packed, &error))?;
    let refuse = |error: std::io::Error| io_error("unpack a template to", root, &error);
    run_as.make_dir(root, 0o700)?;
    let mut archive = tar::Archive::new(zstd::Decoder::new(file).map_err(refuse)?);
    for entry in archive.entries().map_err(refuse)? {
        let mut entry = entry.map_err(refuse)?;
        let path = entry.path().map_err(refuse)?.into_owned();
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            let message = format!("{} names a file outside of itself: {}", packed.display(), path.display());
            return Err(ProviderError::new(ErrorKind::Invalid, message));
        }
        let target = root.join(&path);
        if entry.header().entry_type().is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&target).map_err(refuse)?;
            run_as.own(&target)?;
            continue;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target).map_err(refuse)?;
        if is_wal_segment(&path) {
            reserve(&mut file, WAL_SEGMENT_BYTES).map_err(refuse)?;
        }
        std::io::copy(&mut entry, &mut file).map_err(refuse)?;
        if run_as.drops {
            fchown(&file, Some(run_as.uid), Some(run_as.gid)).map_err(refuse)?;
        }
    }
    Ok(())
}

/// Space for a whole segment, so that a full disk is noticed now and not in the middle of a commit.
fn reserve(file: &mut File, bytes: u64) -> std::io::Result<()> {
    if rustix::fs::fallocate(&*file, FallocateFlags::empty(), 0, bytes).is_ok() {
        return Ok(());
    }
    std::io::copy(&mut std::io::repeat(0).take(bytes), file)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(())
}

/// Gives the cluster a new system identifier: in the control file and in the first page of its log, which a server compares.
fn identify(data: &Path) -> Result<u64> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut chance = [0; 4];
    getrandom::fill(&mut chance)
        .map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("no random numbers: {error}")))?;
    let identifier = control::new_identifier(seconds, u32::from_le_bytes(chance));
    let path = data.join("global/pg_control");
    let old = std::fs::read(&path).map_err(|error| io_error("read", &path, &error))?;
    let changed = control::with_identifier(&old, identifier)
        .ok_or_else(|| ProviderError::new(ErrorKind::Invalid, format!("{} is damaged", path.display())))?;
    let mut file = OpenOptions::new().write(true).open(&path).map_err(|error| io_error("open", &path, &error))?;
    file.write_all(&changed).map_err(|error| io_error("write", &path, &error))?;
    identify_wal(&data.join("pg_wal"), identifier)?;
    Ok(identifier)
}

/// `XLogLongPageHeaderData`: the identifier stands behind the 24 bytes of the short header.
fn identify_wal(folder: &Path, identifier: u64) -> Result<()> {
    let refuse = |error: std::io::Error| io_error("write", folder, &error);
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path.is_file() {
            let file = OpenOptions::new().write(true).open(&path).map_err(refuse)?;
            file.write_all_at(&identifier.to_le_bytes(), 24).map_err(refuse)?;
        }
    }
    Ok(())
}

/// One call for a thousand new files.
fn sync_all(folder: &Path) -> Result<()> {
    let handle = File::open(folder).map_err(|error| io_error("open", folder, &error))?;
    rustix::fs::syncfs(&handle).map_err(|error| io_error("sync", folder, &error.into()))
}

fn sync_folder(folder: &Path) -> Result<()> {
    let handle = File::open(folder).map_err(|error| io_error("open", folder, &error))?;
    handle.sync_all().map_err(|error| io_error("sync", folder, &error))
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", folder, &error)),
    }
}

/// Held until the file is closed; dies with the process.
fn lock(path: &Path) -> Result<File> {
    let file = File::create(path).map_err(|error| io_error("make", path, &error))?;
    rustix::fs::flock(&file, FlockOperation::LockExclusive).map_err(|error| io_error("lock", path, &error.into()))?;
    Ok(file)
}
