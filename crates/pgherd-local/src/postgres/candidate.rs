//! A configuration that is not in force yet: written beside the one that is, checked by the server itself, exchanged in one
//! step, and taken back when the server does not start with it.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::{CWD, RenameFlags};

use super::complaint;
use super::conf::Files;
use super::process::{self, Start};
use super::processes;
use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error, template};
use crate::paths::{Layout, short_hash};

/// A rehearsal's server has nothing to recover.
const REHEARSAL_DEADLINE: Duration = Duration::from_secs(60);

/// Where a configuration waits.
pub fn next(layout: &Layout) -> PathBuf {
    layout.conf.with_extension("next")
}

/// Where the one before is kept.
pub fn previous(layout: &Layout) -> PathBuf {
    layout.conf.with_extension("previous")
}

/// Writes the three files to [`next`], durably. Blocking.
pub fn write(files: &Files, layout: &Layout, run_as: &RunAs) -> Result<()> {
    let folder = next(layout);
    run_as.make_dir(&folder, 0o700)?;
    let named = [("postgresql.conf", &files.postgresql), ("pg_hba.conf", &files.hba), ("pg_ident.conf", &files.ident)];
    for (name, text) in named {
        let path = folder.join(name);
        let refuse = |error: std::io::Error| io_error("write", &path, &error);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).map_err(refuse)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(refuse)?;
        run_as.own(&path)?;
    }
    sync(&folder)
}

/// Has the server read the waiting `postgresql.conf`: syntax, names, types, ranges, units. Takes about 10 ms, needs no running
/// server and disturbs none. Blocking.
///
/// It does not find out what only a start can: libraries that do not load, values of theirs, and too much memory. See
/// [`rehearse`].
pub fn check(server: &Server, run_as: &RunAs, layout: &Layout) -> Result<()> {
    let mut command = run_as.command(server, "postgres");
    command.arg("-D").arg(&layout.data).arg("-c");
    command.arg(format!("config_file={}", next(layout).join("postgresql.conf").display()));
    // Asking for any setting has the whole file read; a mistake anywhere in it is fatal.
    let output = command.args(["-C", "port"]).output();
    let output = output.map_err(|error| io_error("run", &server.program("postgres"), &error))?;
    let said = complaint::pick(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() && said.is_empty() {
        return Ok(());
    }
    Err(refusal(if said.is_empty() { "it said nothing" } else { &said }))
}

/// Starts a server with the waiting configuration in a scratch data directory without TCP, and ends it: what starts there
/// starts for real. Takes about half a second. For changes of settings whose context is `postmaster`.
pub async fn rehearse(server: &Server, run_as: &RunAs, templates: &Path, layout: &Layout) -> Result<()> {
    let scratch = layout.scratch.join("rehearsal");
    discard(&scratch).await?;
    let result = rehearse_in(&scratch, server, run_as, templates, layout).await;
    discard(&scratch).await?;
    result
}

/// Puts the waiting configuration in force (for the next reload or start) and keeps the one before. Blocking.
pub fn exchange(layout: &Layout) -> Result<()> {
    let (next, conf, previous) = (next(layout), &layout.conf, previous(layout));
    let refuse = |error: rustix::io::Errno| io_error("exchange", conf, &error.into());
    if conf.exists() {
        rustix::fs::renameat_with(CWD, &next, CWD, conf, RenameFlags::EXCHANGE).map_err(refuse)?;
        match std::fs::remove_dir_all(&previous) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove", &previous, &error));
            }
            _ => {}
        }
        std::fs::rename(&next, &previous).map_err(|error| io_error("rename", &next, &error))?;
    } else {
        std::fs::rename(&next, conf).map_err(|error| io_error("rename", &next, &error))?;
    }
    sync(layout.folder())
}

/// Puts the configuration before back in force. Blocking.
pub fn take_back(layout: &Layout) -> Result<()> {
    let (conf, previous) = (&layout.conf, previous(layout));
    if !previous.exists() {
        let message = format!("there is no earlier configuration of {}", layout.root.display());
        return Err(ProviderError::new(ErrorKind::NotFound, message));
    }
    rustix::fs::renameat_with(CWD, &previous, CWD, conf, RenameFlags::EXCHANGE)
        .map_err(|error| io_error("exchange", conf, &error.into()))?;
    sync(layout.folder())
}

async fn rehearse_in(scratch: &Path, server: &Server, run_as: &RunAs, templates: &Path, layout: &Layout) -> Result<()> {
    let (data, log) = (scratch.join("data"), scratch.join("log"));
    run_as.make_dir(&layout.scratch, 0o700)?;
    for folder in [scratch, &log] {
        run_as.make_dir(folder, 0o700)?;
    }
    let packed = template::pack(server, run_as, templates)?;
    template::unpack(&packed, run_as, &data)?;
    let waiting = next(layout);
    let path = |path: &Path| path.display().to_string();
    let overrides = [
        ("data_directory", path(&data)),
        ("hba_file", path(&waiting.join("pg_hba.conf"))),
        ("ident_file", path(&waiting.join("pg_ident.conf"))),
        ("listen_addresses", String::new()),
        ("unix_socket_directories", socket_without_file(scratch)),
        ("logging_collector", "off".to_owned()),
        ("archive_mode", "off".to_owned()),
        // Nothing of the machine's is taken from the server that runs.
        ("huge_pages", "off".to_owned()),
        ("fsync", "off".to_owned()),
        // The role of the real one is not played here.
        ("synchronous_standby_names", String::new()),
    ];
    let config = waiting.join("postgresql.conf");
    let start = Start {
        server,
        run_as,
        data: &data,
        config_file: Some(&config),
        log: &log,
        overrides: overrides.map(|(name, value)| (name.to_owned(), value)).into(),
    };
    let started = process::start(&start)?.ready(REHEARSAL_DEADLINE).await;
    started.map_err(|error| {
        let said = error.message.trim_start_matches("PostgreSQL did not start: ");
        ProviderError { message: refusal(said).message, ..error }
    })
}

/// A server needs some socket; one in the abstract namespace has neither a file nor a path that is too long.
fn socket_without_file(scratch: &Path) -> String {
    format!("@pgherd-rehearsal-{}", short_hash(scratch))
}

async fn discard(scratch: &Path) -> Result<()> {
    processes::kill(&scratch.join("data")).await?;
    match std::fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", scratch, &error)),
        _ => Ok(()),
    }
}

fn refusal(said: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Invalid, format!("PostgreSQL refuses the settings: {said}"))
        .help("correct the parameters of the block; the server keeps the settings it has")
}

fn sync(folder: &Path) -> Result<()> {
    let handle = std::fs::File::open(folder).map_err(|error| io_error("open", folder, &error))?;
    handle.sync_all().map_err(|error| io_error("sync", folder, &error))
}
