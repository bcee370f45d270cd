//! An installed PostgreSQL: where its programs are and what they can do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pgherd_core::backups::knows_changes;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};

use super::{Result, io_error};

/// Programs an instance needs beside `postgres`.
const COMPANIONS: [&str; 5] = ["initdb", "pg_basebackup", "pg_controldata", "pg_resetwal", "pg_verifybackup"];

/// Puts a backup and what changed since it together.
pub(super) const COMBINE: &str = "pg_combinebackup";

/// A server that answered `postgres --version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its version; the minor is always known for a released server.
    pub version: Version,
    /// What it says of itself, `PostgreSQL 15.18 (Debian 15.18-0+deb12u1)`.
    pub banner: String,
    /// Folder of its programs.
    pub bin: PathBuf,
    /// Set as `LD_LIBRARY_PATH` where it brings its own libpq.
    ///
    /// Without it a portable build's `postgres_fdw`, `dblink` and WAL receiver load the system's libpq, and those of 16-18
    /// fail against an older one (measured with libpq 15).
    pub lib: Option<PathBuf>,
    /// How it was found.
    pub origin: Origin,
    /// Whether it has ICU collations. Data made with ICU collations cannot be served by a build without.
    pub icu: bool,
    /// Programs it lacks. A server that lacks any cannot be used.
    pub missing: Vec<String>,
    /// Tells one build from another of the same version.
    pub build: String,
}

/// What the program of a server says, and holds: as long as it is the same file, the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    version: Version,
    banner: String,
    icu: bool,
}

impl Said {
    /// Runs and reads the program in `bin`.
    pub(super) fn by(bin: &Path) -> Result<Self> {
        let postgres = bin.join("postgres");
        let mut command = Command::new(&postgres);
        command.arg("--version").stdin(Stdio::null());
        if let Some(lib) = own_libraries(bin) {
            command.env("LD_LIBRARY_PATH", lib);
        }
        let output = command.output().map_err(|error| io_error("run", &postgres, &error))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let Some((version, banner)) = read_banner(&said).filter(|_| output.status.success()) else {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let message = format!("{} --version did not name a version: {}", postgres.display(), complaint.trim());
            return Err(ProviderError::new(ErrorKind::Invalid, message));
        };
        let program = std::fs::read(&postgres).map_err(|error| io_error("read", &postgres, &error))?;
        // The name of a library it is linked with stands in it behind a zero.
        let icu = memchr::memmem::find(&program, b"\0libicui18n.").is_some();
        Ok(Self { version, banner, icu })
    }
}

/// How a server was found. The order is the order of preference among equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// By `--postgres-dir`.
    Given,
    /// By a distribution's or PGDG's packages.
    Package,
    /// By `pg_config` on the search path.
    SearchPath,
    /// Downloaded by pgherd before.
    Cache,
}

impl Server {
    /// Whether it tells what changed since a backup, and puts the two together again.
    pub fn knows_changes(&self) -> bool {
        knows_changes(self.version) && self.program(COMBINE).is_file()
    }

    /// Asks the server in `bin` who it is. Blocking.
    pub fn inspect(bin: &Path, origin: Origin) -> Result<Self> {
        Self::of(bin, origin, Said::by(bin)?)
    }

    /// The server in `bin`, of which is known what its program says.
    pub(super) fn of(bin: &Path, origin: Origin, said: Said) -> Result<Self> {
        let postgres = bin.join("postgres");
        let metadata = std::fs::metadata(&postgres).map_err(|error| io_error("look at", &postgres, &error))?;
        let missing = COMPANIONS.iter().filter(|name| !bin.join(name).is_file()).map(|&name| name.to_owned()).collect();
        let build = build_id(&said.banner, &metadata);
        let Said { version, banner, icu } = said;
        Ok(Self { version, banner, bin: bin.to_owned(), lib: own_libraries(bin), origin, icu, missing, build })
    }

    /// This server as it is now: an upgrade of packages replaces it where it is. Blocking; quick when nothing changed.
    pub fn now(&self) -> Result<Self> {
        let postgres = self.program("postgres");
        let metadata = std::fs::metadata(&postgres).map_err(|error| io_error("look at", &postgres, &error))?;
        if build_id(&self.banner, &metadata) == self.build {
            return Ok(self.clone());
        }
        Self::inspect(&self.bin, self.origin)
    }

    /// One of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Its major version.
    pub fn major(&self) -> u32 {
        self.version.major
    }
}

/// `<prefix>/lib` where the build brings its own libpq, as portable builds do; packages rely on the system's.
fn own_libraries(bin: &Path) -> Option<PathBuf> {
    let lib = bin.parent()?.join("lib");
    lib.join("libpq.so.5").exists().then_some(lib)
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn read_banner(said: &str) -> Option<(Version, String)> {
    let rest = said.trim().strip_prefix("postgres (PostgreSQL) ")?;
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    // A development server says 19devel: a major without a minor.
    let version = Version::parse(&number)?;
    Some((version, format!("PostgreSQL {rest}")))
}

fn build_id(banner: &str, metadata: &std::fs::Metadata) -> String {
    use sha2::Digest as _;
    use std::os::unix::fs::MetadataExt as _;
    let text = format!("{banner}\n{}\n{}", metadata.len(), metadata.mtime());
    sha2::Sha256::digest(text).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Writes a script that may be run. Another process does it: what is open for writing in this one is inherited by whatever it
    /// starts meanwhile, and a program that somebody may write to is "busy".
    pub fn write_program(program: &Path, text: &str) {
        let write = r#"rm -f "$0"; printf %s "$1" > "$0" && chmod 755 "$0""#;
        let written = std::process::Command::new("sh").args(["-c", write]).arg(program).arg(text).status();
        assert!(written.expect("a shell").success());
    }

    #[test]
    fn a_server_that_was_upgraded_where_it_is_says_so() {
        let bin = tempfile::tempdir().expect("a folder");
        let install = |version: &str| {
            let program = bin.path().join("postgres");
            write_program(&program, &format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n"));
        };
        install("15.9");
        let server = Server::inspect(bin.path(), Origin::Package).expect("a server");
        assert_eq!(server.now().as_ref(), Ok(&server));
        install("15.18");
        assert_eq!(server.now().expect("a server").version.to_string(), "15.18");
        std::fs::remove_file(bin.path().join("postgres")).expect("removed");
        assert!(server.now().is_err());
    }

    #[track_caller]
    fn check(said: &str, expected: Option<&str>) {
        let found = read_banner(said).map(|(version, banner)| format!("{version}: {banner}"));
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn a_package_names_itself() {
        let said = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        check(said, Some("15.18: PostgreSQL 15.18 (Debian 15.18-0+deb12u1)"));
    }

    #[test]
    fn a_plain_build_says_only_its_version() {
        check("postgres (PostgreSQL) 18.6\n", Some("18.6: PostgreSQL 18.6"));
    }

    #[test]
    fn a_development_server_has_no_minor() {
        check("postgres (PostgreSQL) 19devel\n", Some("19: PostgreSQL 19devel"));
    }

    #[test]
    fn another_program_is_no_server() {
        check("psql (PostgreSQL) 15.18\n", None);
    }
}
