//! Looking at a backup as it is stored: what each file is, to be compared with the manifest, and the log it comes with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::process::Stdio;

use crc_fast::{CrcAlgorithm, Digest};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::fs::{Mode, OFlags};

use super::manifest::Manifest;
use crate::postgres::runas::RunAs;
use crate::postgres::server::Server;
use crate::postgres::{Result, io_error};

/// What was seen of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Looked {
    /// Every file: bytes and checksum (CRC-32C).
    files: BTreeMap<PathBuf, (u64, u32)>,
}

/// Reads an archive through and puts the log in it into `work`, which must be there and is given to PostgreSQL's user: its own tool reads it.
pub fn look(tar: &mut dyn Read, work: &Path, run_as: &RunAs) -> io::Result<Looked> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let work = rustix::fs::open(work, flags, Mode::empty())?;
    let mut looked = Looked::default();
    let mut archive = tar::Archive::new(tar);
    let mut buffer = vec![0; 256 << 10];
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = plain(&entry.path()?)?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if !entry.header().entry_type().is_file() {
            return Err(io::Error::other(format!("{} in the backup is neither a file nor a folder", path.display())));
        }
        let mut log = log_name(&path).map(|name| make(&work, name, run_as)).transpose()?;
        let (mut bytes, mut sum) = (0, Digest::new(CrcAlgorithm::Crc32Iscsi));
        loop {
            let count = entry.read(&mut buffer)?;
            if count == 0 {
                break;
            }
            bytes += count as u64;
            sum.update(&buffer[..count]);
            if let Some(log) = &mut log {
                log.write_all(&buffer[..count])?;
            }
        }
        if bytes != entry.size() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} in the backup is cut short", path.display()),
            ));
        }
        let sum = u32::try_from(sum.finalize()).map_err(io::Error::other)?;
        if looked.files.insert(path.clone(), (bytes, sum)).is_some() {
            return Err(io::Error::other(format!("{} is in the backup twice", path.display())));
        }
    }
    Ok(looked)
}

impl Looked {
    /// As `pg_verifybackup` has it: every file of the manifest is there, as long as it says and with its checksum, and nothing else but
    /// the log, which [`read_log`] reads.
    pub fn compare(&self, manifest: &Manifest) -> Result<()> {
        let wrong = |path: &Path, how: &str| {
            let message = format!("the backup is not what its manifest says: {} {how}", path.display());
            Err(ProviderError::new(ErrorKind::Unavailable, message).help("take it again"))
        };
        for (path, (bytes, sum)) in &manifest.files {
            match self.files.get(path) {
                None => return wrong(path, "is not in it"),
                Some((found, _)) if found != bytes => return wrong(path, &format!("has {found} bytes, not {bytes}")),
                Some((_, found)) if found != sum => return wrong(path, "has another checksum"),
                Some(_) => {}
            }
        }
        let is_extra = |path: &&PathBuf| !path.starts_with("pg_wal") && !manifest.files.contains_key(*path);
        match self.files.keys().find(is_extra) {
            Some(path) => wrong(path, "is not in the manifest"),
            None => Ok(()),
        }
    }
}

/// Has PostgreSQL's own `pg_waldump` read the log that a backup needs: every record of it is there and good. Blocking.
pub fn read_log(manifest: &Manifest, work: &Path, server: &Server, run_as: &RunAs) -> Result<()> {
    for span in &manifest.log {
        let mut command = run_as.command(server, "pg_waldump");
        command.arg("--quiet").arg("--path").arg(work).arg("--timeline").arg(span.timeline.to_string());
        command.args(["--start", &span.start, "--end", &span.end]);
        let program = PathBuf::from(command.get_program());
        let output = command.stdin(Stdio::null()).output().map_err(|error| io_error("run", &program, &error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
            let message = format!("the log in the backup cannot be read: {said}");
            return Err(ProviderError::new(ErrorKind::Unavailable, message).help("take the backup again"));
        }
    }
    Ok(())
}

/// A path below the archive's root.
fn plain(path: &Path) -> io::Result<PathBuf> {
    // The server writes `./pg_wal/archive_status`, and everything else without.
    let path = path.strip_prefix(".").unwrap_or(path);
    if path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path.to_owned());
    }
    Err(io::Error::other(format!("the backup names a file outside of itself: {}", path.display())))
}

/// Files of the log, of all sorts, lie in one folder.
fn log_name(path: &Path) -> Option<&Path> {
    (path.parent() == Some(Path::new("pg_wal"))).then(|| path.file_name().map(Path::new)).flatten()
}

fn make(folder: &OwnedFd, name: &Path, run_as: &RunAs) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?);
    if run_as.drops {
        std::os::unix::fs::fchown(&file, Some(run_as.uid), Some(run_as.gid))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> RunAs {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        RunAs { name: String::new(), uid, gid, drops: false }
    }

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, *content).expect("appended");
        }
        archive.into_inner().expect("whole")
    }

    fn check(files: &[(&str, &[u8])], expected: &str) {
        let work = tempfile::tempdir().expect("a folder");
        let good: [(&str, &[u8]); 2] = [("PG_VERSION", b"15\n"), ("base/1/1255", &[7; 8192])];
        let seen = |files| look(&mut archive(files).as_slice(), work.path(), &me()).expect("read");
        let manifest = Manifest { files: seen(&good).files, log: Vec::new() };
        let said = seen(files).compare(&manifest).err().map(|error| error.message).unwrap_or_default();
        assert_eq!(said.trim_start_matches("the backup is not what its manifest says: "), expected);
    }

    #[test]
    fn every_file_is_what_the_manifest_says_and_there_is_no_other() {
        let version: (&str, &[u8]) = ("PG_VERSION", b"15\n");
        let (table, other) = (vec![7; 8192], vec![8; 8192]);
        check(&[version, ("base/1/1255", &table)], "");
        check(&[version, ("base/1/1255", &table), ("pg_wal/000000010000000000000001", b"log")], "");
        check(&[version], "base/1/1255 is not in it");
        check(&[version, ("base/1/1255", &table[..8191])], "base/1/1255 has 8191 bytes, not 8192");
        check(&[version, ("base/1/1255", &other)], "base/1/1255 has another checksum");
        check(&[version, ("base/1/1255", &table), ("base/1/9", b"")], "base/1/9 is not in the manifest");
    }

    #[test]
    fn the_checksum_is_postgresqls() {
        let work = tempfile::tempdir().expect("a folder");
        let looked = look(&mut archive(&[("x", b"123456789")]).as_slice(), work.path(), &me()).expect("read");
        assert_eq!(looked.files[Path::new("x")], (9, 0xe306_9283));
    }

    #[test]
    fn log_is_kept_aside_and_what_is_cut_short_or_twice_there_is_refused() {
        let work = tempfile::tempdir().expect("a folder");
        let whole = archive(&[("pg_wal/000000010000000000000001", b"log"), ("pg_wal/archive_status/x.done", b"")]);
        look(&mut whole.as_slice(), work.path(), &me()).expect("read");
        assert_eq!(std::fs::read(work.path().join("000000010000000000000001")).expect("kept"), b"log");
        let long = archive(&[("base/1", &[1; 8192])]);
        look(&mut &long[..4096], work.path(), &me()).expect_err("cut short");
        let twice = archive(&[("base/1", b"1"), ("base/1", b"1")]);
        look(&mut twice.as_slice(), work.path(), &me()).expect_err("twice");
    }
}
