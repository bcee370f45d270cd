//! Data directories packed into one file, and unpacked again with PostgreSQL's owners and modes.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, fchown};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::FallocateFlags;

use super::runas::RunAs;
use super::{Result, io_error};

/// PostgreSQL's default segment size, which `initdb` is not told to change.
const WAL_SEGMENT_BYTES: u64 = 16 * 1024 * 1024;
/// How many threads make files while an archive is read.
const WRITERS: usize = 2;
/// How many files may be read and not written yet, by each of them.
const FILES_AHEAD: usize = 32;
/// The longest file that is read whole before it is written. Of a backup's files, of up to 1 GiB each, 64 would not fit into memory:
/// so at most 67 MiB are held, and all of a template but its WAL is handed on.
const WHOLE_BYTES: u64 = 1 << 20;

/// Packs a stopped data directory (or a copy of one) durably; what is called `packed` is whole. Blocking.
pub(crate) fn pack(data: &Path, packed: &Path) -> Result<()> {
    let unfinished = packed.with_extension("unfinished");
    let refuse = |error: std::io::Error| io_error("write", &unfinished, &error);
    let file = File::create(&unfinished).map_err(refuse)?;
    let mut archive = tar::Builder::new(zstd::Encoder::new(file, 1).map_err(refuse)?);
    append(&mut archive, data).map_err(refuse)?;
    let file = archive.into_inner().and_then(zstd::Encoder::finish).map_err(refuse)?;
    file.sync_all().map_err(refuse)?;
    std::fs::rename(&unfinished, packed).map_err(refuse)?;
    sync_folder(packed.parent().unwrap_or(Path::new("/")))
}

/// All folders, then all files, by name before folder: the catalogs of the databases of one cluster are much the same, and lie
/// side by side; and whoever unpacks makes files in several folders at a time. Without owners and times.
fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, root: &Path) -> std::io::Result<()> {
    let (folders, mut files) = contents(root)?;
    files.sort_by(|one, other| (one.file_name(), one).cmp(&(other.file_name(), other)));
    for path in folders {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o700);
        header.set_size(0);
        archive.append_data(&mut header, &path, std::io::empty())?;
    }
    for path in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        if is_wal_segment(&path) {
            let mut bytes = Vec::new();
            open(&root.join(&path))?.read_to_end(&mut bytes)?;
            let bytes = without_zeros(bytes);
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, &path, bytes.as_slice())?;
        } else {
            let file = open(&root.join(&path))?;
            header.set_size(file.metadata()?.len());
            archive.append_data(&mut header, &path, file)?;
        }
    }
    Ok(())
}

/// Every folder below `root`, those that hold others first, and every file.
fn contents(root: &Path) -> std::io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        for entry in std::fs::read_dir(root.join(&below))? {
            let path = below.join(entry?.file_name());
            if root.join(&path).symlink_metadata()?.is_dir() { open.push(path) } else { files.push(path) }
        }
        if below != Path::new("") {
            folders.push(below);
        }
    }
    folders.sort();
    Ok((folders, files))
}

/// Opens a file that is to be packed. Whose folder it is could have put a link there, to what only we may read.
fn open(path: &Path) -> std::io::Result<File> {
    if path.symlink_metadata()?.is_symlink() {
        return Err(std::io::Error::other(format!("{} is a link, and where it leads is not packed", path.display())));
    }
    let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// A WAL segment loses the zeros at its end, which unpacking puts back.
fn without_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(used);
    bytes
}

fn is_wal_segment(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    path.parent() == Some(Path::new("pg_wal")) && name.len() == 24 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Unpacks into `root`, which is made; not durable yet, see [`sync_all`]. Blocking.
///
/// Making a thousand files costs more than reading them from the archive, so that others make them meanwhile.
pub(crate) fn unpack(packed: &Path, run_as: &RunAs, root: &Path) -> Result<()> {
    let file = File::open(packed).map_err(|error| io_error("open", packed, &error))?;
    let tar = zstd::Decoder::new(file).map_err(|error| io_error("read", packed, &error))?;
    unpack_from(tar, &packed.display().to_string(), run_as, root)
}

/// The same from a tar file that is read from anywhere; `what` it is, for errors.
pub(crate) fn unpack_from(tar: impl std::io::Read, what: &str, run_as: &RunAs, root: &Path) -> Result<()> {
    run_as.make_dir(root, 0o700)?;
    std::thread::scope(|scope| {
        let (writers, senders): (Vec<_>, Vec<_>) = (0..WRITERS)
            .map(|_| {
                let (sender, files) = mpsc::sync_channel(FILES_AHEAD);
                (scope.spawn(move || write_files(&files, run_as, root)), sender)
            })
            .unzip();
        let read = read_archive(tar, what, run_as, root, &senders);
        // Nothing more comes: the writers end when they have written what was read.
        drop(senders);
        let written = writers.into_iter().map(|writer| match writer.join() {
            Ok(written) => written.map_err(|error| io_error(&format!("unpack {what} to"), root, &error)),
            Err(panic) => std::panic::resume_unwind(panic),
        });
        // What the writers were refused says more than that they had left.
        written.collect::<Result<()>>().and(read)
    })
}

/// A file of an archive: where it belongs, and what is in it.
type Unpacked = (PathBuf, Vec<u8>);

/// Makes the folders of an archive and hands on its files: those of one folder to one writer, since two would wait for each other
/// at every name they enter.
fn read_archive(
    tar: impl std::io::Read,
    what: &str,
    run_as: &RunAs,
    root: &Path,
    writers: &[SyncSender<Unpacked>],
) -> Result<()> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let refuse = |error: std::io::Error| io_error(&format!("unpack {what} to"), root, &error);
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(refuse)? {
        let mut entry = entry.map_err(refuse)?;
        let path = entry.path().map_err(refuse)?.into_owned();
        // Servers write `./pg_wal/archive_status`.
        let path = path.strip_prefix(".").map_or(path.clone(), Path::to_owned);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            let message = format!("{what} names a file outside of itself: {}", path.display());
            return Err(ProviderError::new(ErrorKind::Invalid, message));
        }
        if entry.header().entry_type().is_dir() {
            let target = root.join(&path);
            std::fs::DirBuilder::new().mode(0o700).create(&target).map_err(refuse)?;
            run_as.own(&target)?;
            continue;
        }
        if entry.size() > WHOLE_BYTES {
            let mut file = make_file(&path, run_as, root).map_err(refuse)?;
            std::io::copy(&mut entry, &mut file).map_err(refuse)?;
            continue;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(entry.size()).unwrap_or_default());
        entry.read_to_end(&mut bytes).map_err(refuse)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let number = folders.iter().position(|known| known == folder).unwrap_or_else(|| {
            folders.push(folder.to_owned());
            folders.len() - 1
        });
        writers[number % WRITERS].send((path, bytes)).expect("the receiver is kept until the archive is read");
    }
    // Whoever gives it may find only at its end that it is not what was stored.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map(drop).map_err(refuse)
}

/// Writes files until there are no more. After the first that cannot be written it only takes them off the reader's hands.
fn write_files(files: &Receiver<Unpacked>, run_as: &RunAs, root: &Path) -> std::io::Result<()> {
    let mut result = Ok(());
    while let Ok((path, bytes)) = files.recv() {
        result = result.and_then(|()| make_file(&path, run_as, root)?.write_all(&bytes));
    }
    result
}

/// An empty file with PostgreSQL's owner and mode; a WAL segment has its space.
fn make_file(path: &Path, run_as: &RunAs, root: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(root.join(path))?;
    if is_wal_segment(path) {
        reserve(&mut file, WAL_SEGMENT_BYTES)?;
    }
    if run_as.drops {
        fchown(&file, Some(run_as.uid), Some(run_as.gid))?;
    }
    Ok(file)
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

/// Puts a folder and everything in it on disk, with one commit of the file system's journal. File by file, a thousand fsyncs
/// became dozens of commits beside other work (measured: up to 3.8 s, where this took at most 0.4 s).
pub(crate) fn sync_all(folder: &Path) -> Result<()> {
    let handle = File::open(folder).map_err(|error| io_error("open", folder, &error))?;
    rustix::fs::syncfs(&handle).map_err(|error| io_error("sync", folder, &error.into()))
}

/// Makes renames in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    let handle = File::open(folder).map_err(|error| io_error("open", folder, &error))?;
    handle.sync_all().map_err(|error| io_error("sync", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths around the one from which a file is written as it is read, and a WAL segment beyond it.
    #[test]
    fn files_of_every_length_come_back_as_they_were() {
        let folder = tempfile::tempdir().expect("a folder");
        let (data, packed, root) =
            (folder.path().join("data"), folder.path().join("packed"), folder.path().join("unpacked"));
        std::fs::create_dir_all(data.join("pg_wal")).expect("folders");
        let whole = usize::try_from(WHOLE_BYTES).expect("it is small");
        let segment = usize::try_from(WAL_SEGMENT_BYTES).expect("it is small");
        let bytes =
            |length: usize| (0..length).map(|at| u8::try_from(at % 251).expect("below 256")).collect::<Vec<u8>>();
        let mut wal = bytes(whole + 7);
        wal.resize(segment, 0);
        let files = [
            ("empty", bytes(0)),
            ("whole", bytes(whole)),
            ("longer", bytes(whole * 3 + 1)),
            ("pg_wal/000000010000000000000001", wal),
        ];
        for (name, content) in &files {
            std::fs::write(data.join(name), content).expect("written");
        }
        pack(&data, &packed).expect("packed");
        let myself = rustix::process::geteuid().as_raw();
        let run_as = RunAs { name: String::new(), uid: myself, gid: rustix::process::getegid().as_raw(), drops: false };
        unpack(&packed, &run_as, &root).expect("unpacked");
        for (name, content) in &files {
            let found = std::fs::read(root.join(name)).expect("it is there");
            assert!(found == *content, "{name}: {} bytes of {}", found.len(), content.len());
        }
    }

    #[test]
    fn what_a_link_leads_to_is_not_packed() {
        for target in ["/etc/hostname", "/etc"] {
            let data = tempfile::tempdir().expect("a folder");
            std::os::unix::fs::symlink(target, data.path().join("leads")).expect("linked");
            let refused = append(&mut tar::Builder::new(Vec::new()), data.path()).expect_err("it is a link");
            assert!(refused.to_string().ends_with("leads is a link, and where it leads is not packed"), "{refused}");
        }
    }
}
