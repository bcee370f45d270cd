//! New data directories from a packed template: `initdb` once per build of a server, an unpacking for every instance.
//!
//! Invariants: what is called `data` is whole, and on disk after [`put_on_disk`]; every cluster has a system identifier of its
//! own.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::FlockOperation;

use super::conf::SUPERUSER;
use super::packed::{self, sync_all};
use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error};
use super::{control, prepared};

/// Changed when the options or the packing change, so that old templates are not taken for new ones.
const FORMAT: u32 = 5;

/// The database of a new cluster that waits to become the initial one: renaming it takes milliseconds, and making one takes
/// hundreds. It belongs to [`SUPERUSER`], so that nobody else's database can be taken for it.
pub const SPARE_DATABASE: &str = "pgherd_spare";

/// What the spare database holds already; see [`super::session::Session::prepare_database`].
const PREPARE: &str = "CREATE EXTENSION pg_stat_statements;\n\n";

/// Up to 14 everybody may write to the schema `public`; 15 and later have it like this from the start.
pub(crate) const CLOSE_PUBLIC: &str =
    "ALTER SCHEMA public OWNER TO pg_database_owner;\n\nREVOKE CREATE ON SCHEMA public FROM PUBLIC;\n\n";

/// A standby may not have less than the cluster it begins as (`CheckRequiredParameterValues`), whatever its size.
const LEAST: [&str; 6] = [
    "wal_level=replica",
    "max_connections=5",
    "max_worker_processes=0",
    "max_wal_senders=0",
    "max_prepared_transactions=0",
    "max_locks_per_transaction=10",
];

/// Makes a data directory at `data` (absent so far) that a server can start in: checksums, UTF-8, the internal superuser and
/// a system identifier nobody else has, which is returned. Makes the template in `templates` first where there is none, and
/// takes a cluster from `prepared` where one waits. Blocking. Repeatable: a cut short run leaves nothing at `data`.
///
/// It survives whatever happens to processes at once, and the machine's end after [`put_on_disk`].
pub fn create(server: &Server, run_as: &RunAs, templates: &Path, prepared: &Path, data: &Path) -> Result<u64> {
    if data.exists() {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is there already", data.display())));
    }
    let unfinished = data.with_extension("unfinished");
    remove(&unfinished)?;
    let make = || {
        if !prepared::take(&file_name(server), run_as, prepared, &unfinished)? {
            packed::unpack(&pack(server, run_as, templates)?, run_as, &unfinished)?;
        }
        let identifier = new_identifier()?;
        identify(&unfinished, identifier, false)?;
        std::fs::rename(&unfinished, data).map_err(|error| io_error("rename", &unfinished, &error))?;
        Ok(identifier)
    };
    let made = make();
    if made.is_err() {
        remove(&unfinished)?;
    }
    made
}

/// Makes of an unpacked template a standby of the cluster with this identifier, one that was shut down. Blocking.
pub(super) fn become_standby(data: &Path, identifier: u64) -> Result<()> {
    identify(data, identifier, true)
}

/// Waits until data directories are on disk, whatever servers in them do meanwhile. Blocking.
pub fn put_on_disk(folders: &[PathBuf]) -> Result<()> {
    let mut devices = BTreeSet::new();
    for data in folders {
        let device = data.metadata().map_err(|error| io_error("look at", data, &error))?.dev();
        // Of each file system all is put on disk.
        if devices.insert(device) {
            sync_all(data)?;
        }
    }
    Ok(())
}

/// The template of a server, where there is one.
pub fn of(server: &Server, templates: &Path) -> Option<PathBuf> {
    Some(templates.join(file_name(server))).filter(|packed| packed.exists())
}

/// Makes the template of a server where there is none yet, and says where it is. Blocking. Safe to run side by side.
pub fn pack(server: &Server, run_as: &RunAs, templates: &Path) -> Result<PathBuf> {
    let packed = templates.join(file_name(server));
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
    let made = initdb(server, run_as, &work).and_then(|data| packed::pack(&data, &packed));
    remove(&work)?;
    made.map(|()| packed)
}

/// Unpacks a template: neither durable nor with an identity of its own. Blocking.
pub fn unpack(template: &Path, run_as: &RunAs, data: &Path) -> Result<()> {
    packed::unpack(template, run_as, data)
}

fn file_name(server: &Server) -> String {
    format!("{}-{}-{FORMAT}.tar.zst", server.version, server.build)
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
    single_user(server, run_as, &data, "postgres", &format!("CREATE DATABASE {SPARE_DATABASE};\n\n"))?;
    let close_public = if server.major() < 15 { CLOSE_PUBLIC } else { "" };
    single_user(server, run_as, &data, SPARE_DATABASE, &[close_public, PREPARE].concat())?;
    // A fresh log of one page instead of megabytes of bootstrap: smaller to pack, quicker to unpack.
    run(run_as.command(server, "pg_resetwal").arg("-f").arg("-D").arg(&data))?;
    // It leaves wal_level = minimal behind (`RewriteControlFile`), from which no standby may begin.
    single_user_with(server, run_as, &data, "postgres", "SELECT 1;\n\n", &LEAST)?;
    Ok(data)
}

/// Carries out statements in a stopped cluster, as `initdb` does. Each ends with a semicolon and an empty line (`-j`).
fn single_user(server: &Server, run_as: &RunAs, data: &Path, database: &str, statements: &str) -> Result<()> {
    single_user_with(server, run_as, data, database, statements, &[])
}

fn single_user_with(
    server: &Server,
    run_as: &RunAs,
    data: &Path,
    database: &str,
    statements: &str,
    settings: &[&str],
) -> Result<()> {
    let mut command = run_as.command(server, "postgres");
    command.args(["--single", "-F", "-j", "-c", "exit_on_error=true"]);
    command.args(settings.iter().flat_map(|setting| ["-c", setting])).arg("-D").arg(data).arg(database);
    let path = data.with_extension("sql");
    std::fs::write(&path, statements).map_err(|error| io_error("write", &path, &error))?;
    let input = File::open(&path).map_err(|error| io_error("open", &path, &error))?;
    run(command.stdin(input))
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

/// A system identifier that nobody else has.
fn new_identifier() -> Result<u64> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut chance = [0; 4];
    getrandom::fill(&mut chance)
        .map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("no random numbers: {error}")))?;
    Ok(control::new_identifier(seconds, u32::from_le_bytes(chance)))
}

/// Gives a cluster that was never started its system identifier, in the control file and in the first page of its log, which a
/// server compares; and has it be a standby's.
fn identify(data: &Path, identifier: u64, of_standby: bool) -> Result<()> {
    let path = data.join("global/pg_control");
    let old = std::fs::read(&path).map_err(|error| io_error("read", &path, &error))?;
    let changed = control::with_identifier(&old, identifier)
        .and_then(|changed| if of_standby { control::as_standby(&changed) } else { Some(changed) })
        .ok_or_else(|| ProviderError::new(ErrorKind::Invalid, format!("{} is damaged", path.display())))?;
    let mut file = OpenOptions::new().write(true).open(&path).map_err(|error| io_error("open", &path, &error))?;
    file.write_all(&changed).map_err(|error| io_error("write", &path, &error))?;
    identify_wal(&data.join("pg_wal"), identifier)
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
