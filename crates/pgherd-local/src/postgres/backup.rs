//! Copies of a running server, verified; and the backups that versions before the repository left in instances' own folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::conf::SUPERUSER;
use super::packed::{self, sync_all, sync_folder};
use super::processes;
use super::runas::RunAs;
use super::server::{COMBINE, Server};
use super::{Result, io_error};

/// What works at a copy. The kernel knows no more than 15 letters of a name.
const PROGRAMS: [&str; 3] = ["pg_basebackup", "pg_verifybackup", "pg_combinebacku"];
/// The first major version that takes the files it need not change from what it puts together.
const LINKS_SINCE: u32 = 18;
/// How nice a backup is to everything else on the machine.
const NICENESS: i32 = 10;

/// What is known of a backup in an instance's own folder; `backup.json` beside the packed data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Unique among the instance's backups.
    pub name: String,
    /// When it was begun.
    pub taken_at: Timestamp,
    /// The server's version.
    pub version: String,
    /// The cluster's identity.
    pub system_identifier: u64,
    /// Where in the log it begins.
    pub start_lsn: String,
    /// Up to where in the log it has to be recovered; that much log is in it.
    pub end_lsn: String,
    /// Size of the packed file, bytes.
    pub bytes: u64,
    /// The instance's tags.
    pub tags: BTreeMap<String, String>,
}

/// What to copy.
#[derive(Debug, Clone)]
pub struct Copying<'a> {
    /// The server's programs.
    pub server: &'a Server,
    /// As whom it runs.
    pub run_as: &'a RunAs,
    /// Folder of its socket.
    pub socket: &'a Path,
    /// Its port.
    pub port: u16,
    /// What the copy says it is: letters, digits, `-`, `_` and `.`.
    pub label: &'a str,
}

/// A copy of a running server's data, in `data` below the folder it was made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Where the copy is.
    pub data: PathBuf,
    /// Where in the log it begins.
    pub start_lsn: String,
    /// Up to where in the log it has to be recovered; that much log is in it.
    pub end_lsn: String,
    /// The timeline it was made on.
    pub timeline: u32,
    /// Size of a segment of the log.
    pub wal_segment_bytes: u64,
}

/// Copies a running server into `work`, which is emptied first, and verifies every file against its checksum. Dropped, it ends
/// what it began; what a killed agent began ends with the next call.
pub async fn copy(what: &Copying<'_>, work: &Path) -> Result<Copied> {
    checked(what.label)?;
    clear(work).await?;
    what.run_as.make_dir(work, 0o700)?;
    let data = work.join("data");
    let mut command = what.run_as.command(what.server, "pg_basebackup");
    command.arg("--host").arg(what.socket).arg("--port").arg(what.port.to_string());
    command.args(["--username", SUPERUSER, "--no-password", "--checkpoint", "fast", "--wal-method", "stream"]);
    command.args(["--manifest-checksums", "SHA256", "--no-sync", "--label", what.label]).arg("--pgdata").arg(&data);
    run(command, work).await?;
    let mut command = what.run_as.command(what.server, "pg_verifybackup");
    command.arg("--exit-on-error").arg(&data);
    run(command, work).await?;
    let path = data.join("backup_manifest");
    let manifest = std::fs::read(&path).map_err(|error| io_error("read", &path, &error))?;
    let (start_lsn, end_lsn, timeline) = wal_range(&manifest).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, "the backup's manifest names no range of the log".to_owned())
    })?;
    let wal_segment_bytes = super::replication::wal_segment_bytes(&data)?;
    Ok(Copied { data, start_lsn, end_lsn, timeline, wal_segment_bytes })
}

/// Puts a whole backup and what changed since it, both unpacked in `work`, together to `data`; nothing else is left of them. Dropped, it
/// ends what it began.
pub async fn combine(server: &Server, run_as: &RunAs, work: &Path, parts: [&Path; 2], data: &Path) -> Result<()> {
    let mut command = run_as.command(server, COMBINE);
    // What is restored is put on disk at the end, and is compared with nothing.
    command.args(["--no-sync", "--no-manifest"]);
    if server.major() >= LINKS_SINCE {
        command.arg("--link");
    }
    command.args(parts).arg("--output").arg(data);
    run(command, work).await?;
    let parts = parts.map(Path::to_owned);
    let removed = tokio::task::spawn_blocking(move || parts.iter().try_for_each(|part| remove(part))).await;
    removed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Removes what a copy left, and ends whatever still works at it.
pub async fn clear(work: &Path) -> Result<()> {
    let at_work = |process: &processes::Process| {
        !process.zombie && PROGRAMS.contains(&process.name.as_str()) && processes::works_in(process.pid, work)
    };
    let left = || processes::all().iter().filter(|process| at_work(process)).map(|process| process.pid).collect();
    processes::kill_all(work, left).await?;
    remove(work)
}

/// The whole backups in a folder, oldest first. Blocking.
pub fn list(folder: &Path) -> Vec<Backup> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let visible = entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."));
    let texts = visible.filter_map(|entry| std::fs::read(entry.path().join("backup.json")).ok());
    let mut backups: Vec<Backup> = texts.filter_map(|text| serde_json::from_slice(&text).ok()).collect();
    backups.sort_by_key(|backup| backup.taken_at);
    backups
}

/// Unpacks a backup to `data` (absent so far), durably; a server started there recovers to the backup's end. Blocking.
pub fn unpack(folder: &Path, name: &str, run_as: &RunAs, data: &Path) -> Result<()> {
    if data.exists() {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is there already", data.display())));
    }
    let unfinished = data.with_extension("unfinished");
    remove(&unfinished)?;
    packed::unpack(&folder.join(checked(name)?).join("data.tar.zst"), run_as, &unfinished)?;
    sync_all(&unfinished)?;
    std::fs::rename(&unfinished, data).map_err(|error| io_error("rename", &unfinished, &error))?;
    sync_folder(data.parent().unwrap_or(Path::new("/")))
}

/// A name becomes a folder: nothing in it may lead elsewhere.
fn checked(name: &str) -> Result<&str> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(plain) {
        let error = ProviderError::new(ErrorKind::Invalid, format!("{name:?} cannot name a backup"));
        return Err(error.help("use letters, digits, - and _"));
    }
    Ok(name)
}

fn wal_range(manifest: &[u8]) -> Option<(String, String, u32)> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).ok()?;
    let ranges = manifest.get("WAL-Ranges")?.as_array()?;
    let text = |range: &serde_json::Value, field: &str| Some(range.get(field)?.as_str()?.to_owned());
    let timeline = u32::try_from(ranges.last()?.get("Timeline")?.as_u64()?).ok()?;
    Some((text(ranges.last()?, "Start-LSN")?, text(ranges.first()?, "End-LSN")?, timeline))
}

/// Runs a program in a folder, by which it is found when nobody waits for it any more.
async fn run(mut command: std::process::Command, folder: &Path) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    command.current_dir(folder);
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = command.spawn().map_err(|error| io_error("run", &program, &error))?;
    if let Some(pid) = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?)) {
        // What is done for users goes first.
        let _ = rustix::process::setpriority_process(Some(pid), NICENESS);
    }
    let output = child.wait_with_output().await.map_err(|error| io_error("run", &program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(ProviderError::new(ErrorKind::Unavailable, format!("{name} failed: {said}")))
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io_error("remove", folder, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, good: bool) {
        assert_eq!(checked(name).is_ok(), good);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        check("dev-final-20261121T220000Z", true);
        check("../dev", false);
        check("..", false);
        check("a/b", false);
        check("", false);
    }
}
