//! Disks that fill up, told before anything on them fails: a PostgreSQL that cannot write its log ends, and takes its database along.

use std::path::Path;

use pgherd_core::text;

use super::agent::Agent;
use super::backups::store_folder;
use crate::storage::{self, Device};

/// On a large disk less than this is little.
const LITTLE_BYTES: u64 = 4 << 30;
/// On a small one this part of it, and never less than this.
const LITTLE_PART: u64 = 20;
const LITTLE_AT_LEAST_BYTES: u64 = 512 << 20;

/// What is to be said of the disks an instance and its backups are on. Blocking.
pub fn of(agent: &Agent, name: &str) -> Vec<String> {
    let paths = &agent.options.paths;
    let device = |path: &Path| storage::device(path);
    let repository = store_folder(paths);
    words(device(&paths.instance(name).root), repository.as_deref().and_then(device))
}

fn words(servers: Option<Device>, repository: Option<Device>) -> Vec<String> {
    let is_one = servers.zip(repository).is_some_and(|(one, other)| one.id == other.id);
    let of_servers = if is_one { "the disk of the database and its backups" } else { "the disk of the database" };
    let servers = servers
        .filter(is_short)
        .map(|device| format!("{of_servers} has {}: PostgreSQL ends when it cannot write its log", left(&device)));
    let apart = repository.filter(|_| !is_one).filter(is_short);
    let repository = apart.map(|device| {
        format!("the disk of the backups has {}: when it is full nothing more can be stored", left(&device))
    });
    servers.into_iter().chain(repository).collect()
}

fn is_short(device: &Device) -> bool {
    device.free_bytes < (device.bytes / LITTLE_PART).clamp(LITTLE_AT_LEAST_BYTES, LITTLE_BYTES)
}

fn left(device: &Device) -> String {
    format!("{} of {} left", text::bytes(device.free_bytes), text::bytes(device.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[track_caller]
    fn check(servers: (u64, u64), repository: (u64, u64, u64), expected: &[&str]) {
        let (bytes, free_bytes) = servers;
        let servers = Some(Device { id: 1, bytes, free_bytes });
        let (id, bytes, free_bytes) = repository;
        let repository = Some(Device { id, bytes, free_bytes });
        assert_eq!(words(servers, repository), expected);
    }

    #[test]
    fn a_disk_is_told_of_before_it_is_full() {
        // Much of a small one, a small part of a large one.
        check((20 * GIB, 2 * GIB), (1, 20 * GIB, 2 * GIB), &[]);
        check((4000 * GIB, 5 * GIB), (1, 4000 * GIB, 5 * GIB), &[]);
        let words = "the disk of the database and its backups has 3 GiB of 3.9 TiB left: PostgreSQL ends when it cannot write its log";
        check((4000 * GIB, 3 * GIB), (1, 4000 * GIB, 3 * GIB), &[words]);
        let servers =
            "the disk of the database has 512 MiB of 20 GiB left: PostgreSQL ends when it cannot write its log";
        let backups = "the disk of the backups has 256 MiB of 4 GiB left: when it is full nothing more can be stored";
        check((20 * GIB, GIB / 2), (2, 4 * GIB, GIB / 4), &[servers, backups]);
        check((20 * GIB, 2 * GIB), (2, 4 * GIB, GIB / 4), &[backups]);
    }

    #[test]
    fn what_is_not_there_is_not_short() {
        assert_eq!(words(None, None), Vec::<String>::new());
    }
}
