//! The PgBouncer of this machine, and what its version can do.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where packages put it. Debian's is in `/usr/sbin`, which is not on everybody's path.
const USUAL: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"];

/// What to do where there is none.
pub const INSTALL: &str =
    "pgherd doctor --fix installs it as root on Debian and Ubuntu; elsewhere install the package pgbouncer";

/// An installed PgBouncer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its version: major, minor, patch.
    pub version: (u32, u32, u32),
}

/// The PgBouncer on this search path, or where packages put it; `None`: there is none. Blocking.
pub fn find(search_path: Option<&OsStr>) -> Option<Program> {
    let on_path = search_path.into_iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute());
    on_path.chain(USUAL.map(PathBuf::from)).find_map(|folder| look_at(&folder.join("pgbouncer")))
}

impl Program {
    /// Whether prepared statements work where server connections are shared: from 1.21 on, by its NEWS.
    pub fn keeps_prepared_statements(&self) -> bool {
        self.version >= (1, 21, 0)
    }

    /// What a user of this pool mode has to know about this version.
    pub fn caveat(&self, pool_mode: &str) -> Option<String> {
        let (major, minor, _) = self.version;
        (pool_mode != "session" && !self.keeps_prepared_statements()).then(|| {
            format!(
                "PgBouncer {major}.{minor} has no prepared statements in pool_mode = \"{pool_mode}\" (1.21 and later have): \
                 turn them off in the driver, use pool_mode = \"session\", or connect past the pooler"
            )
        })
    }
}

fn look_at(path: &Path) -> Option<Program> {
    if !path.is_file() {
        return None;
    }
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
    let version = parse(&String::from_utf8_lossy(&output.stdout))?;
    Some(Program { path: path.to_owned(), version })
}

/// Reads `PgBouncer 1.18.0`; anything behind the digits (`1.25.0rc1`) is left out.
fn parse(text: &str) -> Option<(u32, u32, u32)> {
    let version = text.lines().next()?.strip_prefix("PgBouncer ")?;
    let mut numbers = version.trim().split('.').map(|part| {
        let digits = part.find(|letter: char| !letter.is_ascii_digit()).map_or(part, |end| &part[..end]);
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??, numbers.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u32, u32, u32)>) {
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn versions_are_read_as_they_are_printed() {
        check("PgBouncer 1.18.0\nlibevent 2.1.12-stable\n", Some((1, 18, 0)));
        check("PgBouncer 1.25.0rc1", Some((1, 25, 0)));
        check("PgBouncer 1.21", Some((1, 21, 0)));
        check("bash: pgbouncer: command not found", None);
    }

    #[track_caller]
    fn caveat(version: (u32, u32, u32), pool_mode: &str, expected: bool) {
        let program = Program { path: PathBuf::from("/usr/sbin/pgbouncer"), version };
        assert_eq!(program.caveat(pool_mode).is_some(), expected);
    }

    #[test]
    fn old_versions_have_no_prepared_statements_where_connections_are_shared() {
        caveat((1, 18, 0), "transaction", true);
        caveat((1, 20, 1), "statement", true);
        caveat((1, 18, 0), "session", false);
        caveat((1, 21, 0), "transaction", false);
    }
}
