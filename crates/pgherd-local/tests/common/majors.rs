//! Servers for tests: what is installed, else downloaded once and kept between runs.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use pgherd_core::version::Version;
use pgherd_local::postgres::choose::{Choice, choose};
use pgherd_local::postgres::fetch::{Sources, fetch};
use pgherd_local::postgres::find;
use pgherd_local::postgres::server::Server;

/// The server of a major, downloaded on first use; `None` is said and skips.
pub fn server(major: u32) -> Option<Server> {
    static TURN: Mutex<BTreeMap<u32, Option<Server>>> = Mutex::new(BTreeMap::new());
    let mut known = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.entry(major).or_insert_with(|| get(major)).clone()
}

fn get(major: u32) -> Option<Server> {
    let asked = Version { major, minor: None };
    let cache = cache().join("servers");
    let found = find::servers(&[], std::env::var_os("PATH").as_deref(), &cache).servers;
    if let Choice::Use { server, .. } = choose(Some(asked), false, &found) {
        return Some(server);
    }
    match fetch(asked, false, &Sources::default(), &cache, &|phase| eprintln!("{phase}")) {
        Ok(server) => Some(server),
        Err(error) => {
            eprintln!("SKIPPED PostgreSQL {major}: {error}");
            None
        }
    }
}

/// Servers and templates are kept between runs. As root they must be where the server's user may read them.
pub fn cache() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let root = rustix::process::geteuid().is_root();
    let open = target.ancestors().all(|folder| folder.metadata().is_ok_and(|found| found.mode() & 0o001 != 0));
    if root && !open { PathBuf::from("/var/tmp/pgherd-test-cache") } else { target.join("pg-cache") }
}
