//! Finding the PostgreSQL servers of this machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::known::Known;
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
/// `cache` (see [`crate::paths::Paths::servers`]). Blocking; takes about 20 ms per server the first time, and less than 1 ms
/// afterwards: what they said is kept beside `cache`.
pub fn servers(given: &[PathBuf], search_path: Option<&std::ffi::OsStr>, cache: &Path) -> Found {
    let mut known = Known::load(cache);
    let mut candidates: Vec<(PathBuf, Origin)> = Vec::new();
    candidates.extend(given.iter().map(|folder| (bin_of(folder), Origin::Given)));
    // Debian and PGDG's apt packages; PGDG's yum packages; Gentoo; Arch and Fedora keep theirs on the search path.
    candidates.extend(versioned(Path::new("/usr/lib/postgresql"), "").map(|folder| (folder, Origin::Package)));
    candidates.extend(versioned(Path::new("/usr"), "pgsql-").map(|folder| (folder, Origin::Package)));
    candidates.extend(versioned(Path::new("/usr/lib64"), "postgresql-").map(|folder| (folder, Origin::Package)));
    candidates.extend(on_search_path(search_path, &mut known).into_iter().map(|folder| (folder, Origin::SearchPath)));
    candidates.extend(versioned(cache, "").map(|folder| (folder, Origin::Cache)));
    let found = inspect(candidates, &mut known);
    known.save();
    found
}

/// `<folder>/bin`, or `folder` itself when that is the one with the programs.
pub fn bin_of(folder: &Path) -> PathBuf {
    if folder.join("postgres").is_file() { folder.to_owned() } else { folder.join("bin") }
}

fn inspect(candidates: Vec<(PathBuf, Origin)>, known: &mut Known) -> Found {
    let mut found = Found::default();
    let mut seen = Vec::new();
    for (bin, origin) in candidates {
        let real = bin.canonicalize().unwrap_or_else(|_| bin.clone());
        let absent = !bin.join("postgres").is_file();
        if seen.contains(&real) || (absent && origin != Origin::Given) {
            continue;
        }
        match known.said(&bin).and_then(|said| Server::of(&bin, origin, said)) {
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
fn on_search_path(search_path: Option<&std::ffi::OsStr>, known: &mut Known) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let folders = search_path.into_iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute());
    // /bin is /usr/bin by another name nearly everywhere.
    let new = folders.filter(|folder| seen.insert(folder.canonicalize().unwrap_or_else(|_| folder.clone())));
    new.flat_map(|folder| {
        let bindir = known.bindir(&folder.join("pg_config"));
        [Some(folder), bindir].into_iter().flatten()
    })
    .collect()
}
