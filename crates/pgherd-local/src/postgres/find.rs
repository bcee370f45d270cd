//! Finding the PostgreSQL servers of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::Result;
use super::server::{Origin, Server};

/// What was found, and what looked like a server but is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Usable servers, newest first, each `bin` once.
    pub servers: Vec<Server>,
    /// Unusable ones, in words.
    pub rejected: Vec<String>,
}

/// Looks for servers: `given` folders, packages (Debian, PGDG, RHEL), `pg_config` on `search_path` (the value of `PATH`), and
/// `cache` (see [`crate::paths::Paths::servers`]). Blocking; takes about
/// 10 ms per server the first time.
pub fn servers(given: &[PathBuf], search_path: Option<&std::ffi::OsStr>, cache: &Path) -> Found {
    let mut candidates: Vec<(PathBuf, Origin)> = Vec::new();
    candidates.extend(given.iter().map(|folder| (bin_of(folder), Origin::Given)));
    // Debian and PGDG's apt packages; PGDG's yum packages; Gentoo; Arch and Fedora keep theirs on the search path.
    candidates.extend(versioned(Path::new("/usr/lib/postgresql"), "").map(|folder| (folder, Origin::Package)));
    candidates.extend(versioned(Path::new("/usr"), "pgsql-").map(|folder| (folder, Origin::Package)));
    candidates.extend(versioned(Path::new("/usr/lib64"), "postgresql-").map(|folder| (folder, Origin::Package)));
    candidates.extend(on_search_path(search_path).map(|folder| (folder, Origin::SearchPath)));
    candidates.extend(versioned(cache, "").map(|folder| (folder, Origin::Cache)));
    inspect(candidates)
}

/// `<folder>/bin`, or `folder` itself when that is the one with the programs.
pub fn bin_of(folder: &Path) -> PathBuf {
    if folder.join("postgres").is_file() { folder.to_owned() } else { folder.join("bin") }
}

fn inspect(candidates: Vec<(PathBuf, Origin)>) -> Found {
    let mut found = Found::default();
    let mut seen = Vec::new();
    for (bin, origin) in candidates {
        let real = bin.canonicalize().unwrap_or_else(|_| bin.clone());
        let absent = !bin.join("postgres").is_file();
        if seen.contains(&real) || (absent && origin != Origin::Given) {
            continue;
        }
        match inspect_once(&bin, origin) {
            Ok(server) if server.missing.is_empty() => found.servers.push(server),
            Ok(server) => found.rejected.push(format!(
                "{} in {} lacks {}",
                server.banner,
                bin.display(),
                server.missing.join(", ")
            )),
            Err(error) => found.rejected.push(error.message),
        }
        seen.push(real);
    }
    // A server the user pointed at comes before all others; then the newest.
    found.servers.sort_by(|a, b| b.version.cmp(&a.version).then(a.origin.cmp(&b.origin)));
    found
}

/// Asks a server again only when its program was replaced.
fn inspect_once(bin: &Path, origin: Origin) -> Result<Server> {
    static KNOWN: Mutex<BTreeMap<(PathBuf, Origin), (Stamp, Server)>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (bin.to_owned(), origin);
    let stamp = stamp(bin);
    if let Some((seen, server)) = known().get(&key)
        && stamp == Some(*seen)
    {
        return Ok(server.clone());
    }
    let server = Server::inspect(bin, origin)?;
    if let Some(stamp) = stamp {
        known().insert(key, (stamp, server.clone()));
    }
    Ok(server)
}

/// Inode, size, and time of the last change of the program.
type Stamp = (u64, u64, i64);

fn stamp(bin: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(bin.join("postgres")).ok()?;
    Some((found.ino(), found.len(), found.mtime()))
}

/// `bin` below each `<parent>/<prefix><version>`.
fn versioned(parent: &Path, prefix: &str) -> impl Iterator<Item = PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(prefix));
            name.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|path| path.join("bin"))
        .collect();
    folders.sort();
    folders.into_iter()
}

/// Where the `pg_config`s of the search path say that their server is. `pg_config` of a client-only package names the
/// folder of a server that may not be installed.
fn on_search_path(search_path: Option<&std::ffi::OsStr>) -> impl Iterator<Item = PathBuf> {
    let mut seen = BTreeSet::new();
    let folders: Vec<PathBuf> = search_path
        .map(|path| std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect())
        .unwrap_or_default();
    // /bin is /usr/bin by another name nearly everywhere, and asking pg_config takes longer than all the rest.
    let new = move |folder: &PathBuf| seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone()));
    folders.into_iter().filter(new).flat_map(|folder| {
        let asked = folder.join("pg_config");
        let told = asked.is_file().then(|| Command::new(&asked).arg("--bindir").stdin(Stdio::null()).output().ok());
        let bindir = told.flatten().map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
        [Some(folder), bindir].into_iter().flatten()
    })
}
