//! Base backups of a running instance: taken, verified, packed, listed.
//!
//! Invariant: what is listed is whole, verified and on disk.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::conf::SUPERUSER;
use super::packed::{self, sync_all, sync_folder};
use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error};
use crate::paths::Layout;

/// What is known of a backup; `backup.json` beside the packed data directory.
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

/// What to back up.
#[derive(Debug, Clone)]
pub struct Take<'a> {
    /// The server's programs.
    pub server: &'a Server,
    /// As whom it runs.
    pub run_as: &'a RunAs,
    /// The running instance.
    pub layout: &'a Layout,
    /// Its port.
    pub port: u16,
    /// What to call the backup: letters, digits, `-`, `_` and `.`.
    pub name: &'a str,
    /// Tags to keep with it.
    pub tags: &'a BTreeMap<String, String>,
    /// Now.
    pub now: Timestamp,
}

/// Takes a backup into `folder` (the instance's own, or one that outlives it), verifies every file against its checksum, and
/// lists it. Blocking, for as long as copying takes; needs room for the data and its packed copy. A cut short run leaves
/// nothing listed.
pub fn take(what: &Take<'_>, folder: &Path) -> Result<Backup> {
    let place = folder.join(checked(what.name)?);
    if place.exists() {
        let error = ProviderError::new(ErrorKind::Conflict, format!("there is a backup named {} already", what.name));
        return Err(error.help("write another final_snapshot_identifier, or delete that backup"));
    }
    what.run_as.make_dir(folder, 0o700)?;
    let work = folder.join(format!(".unfinished-{}", what.name));
    remove(&work)?;
    what.run_as.make_dir(&work, 0o700)?;
    let result = take_in(what, &work).and_then(|backup| {
        sync_all(&work)?;
        std::fs::rename(&work, &place).map_err(|error| io_error("rename", &work, &error))?;
        sync_folder(folder)?;
        Ok(backup)
    });
    remove(&work)?;
    result
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

fn take_in(what: &Take<'_>, work: &Path) -> Result<Backup> {
    let copy = work.join("data");
    let mut command = what.run_as.command(what.server, "pg_basebackup");
    command.arg("--host").arg(&what.layout.socket).arg("--port").arg(what.port.to_string());
    command.args(["--username", SUPERUSER, "--no-password", "--checkpoint", "fast", "--wal-method", "stream"]);
    command.args(["--manifest-checksums", "SHA256", "--no-sync", "--label", what.name]).arg("--pgdata").arg(&copy);
    run(&mut command)?;
    run(what.run_as.command(what.server, "pg_verifybackup").arg("--exit-on-error").arg(&copy))?;
    let manifest_path = copy.join("backup_manifest");
    let manifest = std::fs::read(&manifest_path).map_err(|error| io_error("read", &manifest_path, &error))?;
    let (start_lsn, end_lsn) = wal_range(&manifest).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, "the backup's manifest names no range of the log".to_owned())
    })?;
    let control = super::control::read(what.server, what.run_as, &copy)?;
    let packed_file = work.join("data.tar.zst");
    packed::pack_whole(&copy, &packed_file)?;
    remove(&copy)?;
    let bytes = packed_file.metadata().map_err(|error| io_error("look at", &packed_file, &error))?.len();
    let backup = Backup {
        name: what.name.to_owned(),
        taken_at: what.now,
        version: what.server.version.to_string(),
        system_identifier: control.system_identifier,
        start_lsn,
        end_lsn,
        bytes,
        tags: what.tags.clone(),
    };
    write(&work.join("backup_manifest"), &manifest)?;
    write(&work.join("backup.json"), &serde_json::to_vec_pretty(&backup).expect("plain data is JSON"))?;
    Ok(backup)
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

fn wal_range(manifest: &[u8]) -> Option<(String, String)> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).ok()?;
    let ranges = manifest.get("WAL-Ranges")?.as_array()?;
    let text = |range: &serde_json::Value, field: &str| Some(range.get(field)?.as_str()?.to_owned());
    Some((text(ranges.last()?, "Start-LSN")?, text(ranges.first()?, "End-LSN")?))
}

fn run(command: &mut std::process::Command) -> Result<()> {
    let program = PathBuf::from(command.get_program());
    let output = command.output().map_err(|error| io_error("run", &program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    Err(ProviderError::new(ErrorKind::Unavailable, format!("{name} failed: {said}")))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let refuse = |error: std::io::Error| io_error("write", path, &error);
    let mut file = std::fs::File::create(path).map_err(refuse)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(refuse)
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
