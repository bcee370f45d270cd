//! What the programs of servers said when they were last asked, so that no command runs them again only to find them.
//!
//! A file beside the cache's servers. Nothing depends on it: what it does not say, or says of a file that was replaced, is asked.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::server::Said;
use super::{Result, io_error};

/// Inode, size, and time of the last change of a program.
type Stamp = (u64, u64, i64);

/// What programs said.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    #[serde(skip)]
    file: PathBuf,
    /// Of `postgres` in these folders.
    servers: BTreeMap<PathBuf, (Stamp, Said)>,
    /// The `--bindir` of these `pg_config`s.
    bindirs: BTreeMap<PathBuf, (Stamp, PathBuf)>,
    #[serde(skip)]
    learnt: bool,
}

impl Known {
    /// What is known beside the folder of downloaded servers.
    pub(super) fn load(servers: &Path) -> Self {
        let file = servers.with_extension("json");
        let read = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok());
        Self { file, ..read.unwrap_or_default() }
    }

    /// What the `postgres` in this folder says.
    pub(super) fn said(&mut self, bin: &Path) -> Result<Said> {
        let postgres = bin.join("postgres");
        let metadata = std::fs::metadata(&postgres).map_err(|error| io_error("look at", &postgres, &error))?;
        let stamp = stamp(&metadata);
        if let Some((_, said)) = self.servers.get(bin).filter(|(seen, _)| *seen == stamp) {
            return Ok(said.clone());
        }
        let said = Said::by(bin)?;
        self.servers.insert(bin.to_owned(), (stamp, said.clone()));
        self.learnt = true;
        Ok(said)
    }

    /// Where this `pg_config` says that its server is. Debian's answers for the newest that is installed; all of those are
    /// found without it.
    pub(super) fn bindir(&mut self, pg_config: &Path) -> Option<PathBuf> {
        let stamp = stamp(&std::fs::metadata(pg_config).ok().filter(Metadata::is_file)?);
        if let Some((_, bindir)) = self.bindirs.get(pg_config).filter(|(seen, _)| *seen == stamp) {
            return Some(bindir.clone());
        }
        let output = Command::new(pg_config).arg("--bindir").stdin(Stdio::null()).output().ok()?;
        if !output.status.success() {
            return None;
        }
        let bindir = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        self.bindirs.insert(pg_config.to_owned(), (stamp, bindir.clone()));
        self.learnt = true;
        Some(bindir)
    }

    /// Writes down what was learnt, where there is a cache already.
    pub(super) fn save(&self) {
        let Some(folder) = self.file.parent().filter(|folder| self.learnt && folder.is_dir()) else { return };
        let next = folder.join(format!("servers.{}", std::process::id()));
        let Ok(bytes) = serde_json::to_vec(self) else { return };
        // Whoever cannot keep it asks again next time.
        let _ = std::fs::write(&next, bytes).and_then(|()| std::fs::rename(&next, &self.file));
    }
}

fn stamp(program: &Metadata) -> Stamp {
    (program.ino(), program.len(), program.mtime())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says this, and that it was asked.
    fn install(folder: &Path, name: &str, says: &str) {
        let program = folder.join(name);
        let text = format!("#!/bin/sh\necho asked >> {}\necho '{says}'\n", folder.join("asked").display());
        crate::postgres::server::tests::write_program(&program, &text);
    }

    fn asked(folder: &Path) -> usize {
        std::fs::read_to_string(folder.join("asked")).unwrap_or_default().lines().count()
    }

    #[test]
    fn a_program_is_asked_once_until_it_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bin, servers) = (folder.path(), folder.path().join("servers"));
        install(bin, "postgres", "postgres (PostgreSQL) 15.9");
        install(bin, "pg_config", "/usr/lib/postgresql/15/bin");
        let ask = || {
            let mut known = Known::load(&servers);
            let said = known.said(bin).expect("a server");
            let bindir = known.bindir(&bin.join("pg_config"));
            known.save();
            (said, bindir)
        };
        let first = ask();
        assert_eq!((asked(bin), ask() == first, asked(bin)), (2, true, 2));
        install(bin, "postgres", "postgres (PostgreSQL) 15.18");
        assert_ne!(ask().0, first.0);
        assert_eq!(asked(bin), 3);
        std::fs::write(folder.path().join("servers.json"), "{").expect("written");
        ask();
        assert_eq!(asked(bin), 5);
    }

    #[test]
    fn where_there_is_no_cache_nothing_is_written() {
        let folder = tempfile::tempdir().expect("a folder");
        install(folder.path(), "postgres", "postgres (PostgreSQL) 15.9");
        let mut known = Known::load(&folder.path().join("absent/servers"));
        known.said(folder.path()).expect("a server");
        known.save();
        assert!(!folder.path().join("absent").exists());
    }
}
