//! Memory settings from the class's memory, by RDS's formulas. Pure.
//!
//! RDS computes from `DBInstanceClassMemory`, which leaves out what its operating system and agents take (one public
//! measurement: a db.t4g.small reaches 181 connections where the whole 2 GiB would give 225). Here the class's memory counts
//! whole: the operating system is not inside the instance.

use pgherd_core::spec::Size;

/// `max_connections` is never below this: a few sessions and the tools that watch them.
const CONNECTIONS_MIN: u64 = 25;
/// RDS's own ceiling.
const CONNECTIONS_MAX: u64 = 5000;
/// Memory that one connection is reckoned with, by RDS's default formula `LEAST({DBInstanceClassMemory/9531392},5000)`.
const BYTES_PER_CONNECTION: u64 = 9_531_392;
/// Nothing is sized for less memory than this.
const MEMORY_MIN_MIB: u64 = 256;

/// What the machine can give, besides what it already promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// All memory, or the limit of the container pgherd runs in, MiB.
    pub memory_mib: u64,
    /// Memory of the classes of the other instances that run here, MiB.
    pub promised_mib: u64,
}

/// Memory settings of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// Memory everything is computed from, MiB: the class's, or less where the machine has less.
    pub memory_mib: u64,
    /// `shared_buffers`, 8 kB pages.
    pub shared_buffers_pages: u64,
    /// `effective_cache_size`, 8 kB pages.
    pub effective_cache_size_pages: u64,
    /// `max_connections`.
    pub max_connections: u64,
    /// `work_mem`, kB.
    pub work_mem_kb: u64,
    /// `maintenance_work_mem`, kB.
    pub maintenance_work_mem_kb: u64,
    /// What was capped, in words.
    pub notes: Vec<String>,
}

impl Sizing {
    /// The settings with their units, as `postgresql.conf` takes them.
    pub fn settings(&self) -> [(&'static str, String); 5] {
        [
            ("shared_buffers", format!("{}kB", self.shared_buffers_pages * 8)),
            ("effective_cache_size", format!("{}kB", self.effective_cache_size_pages * 8)),
            ("max_connections", self.max_connections.to_string()),
            ("work_mem", format!("{}kB", self.work_mem_kb)),
            ("maintenance_work_mem", format!("{}kB", self.maintenance_work_mem_kb)),
        ]
    }
}

/// Sizes an instance of a class on a machine. It gets at most three quarters of what the machine has not promised to others,
/// so that a large class on a laptop leaves the laptop usable.
pub fn size(class: &Size, machine: Machine) -> Sizing {
    let free_mib = machine.memory_mib.saturating_sub(machine.promised_mib) * 3 / 4;
    let memory_mib = class.memory_mib.min(free_mib).max(MEMORY_MIN_MIB);
    let bytes = memory_mib * 1024 * 1024;
    let mut notes = Vec::new();
    if memory_mib < class.memory_mib {
        notes.push(format!(
            "{} has {} MiB of memory; sized for {memory_mib} MiB, three quarters of what this machine has left",
            class.name, class.memory_mib
        ));
    }
    Sizing {
        memory_mib,
        shared_buffers_pages: bytes / 32_768,
        effective_cache_size_pages: bytes / 16_384,
        max_connections: (bytes / BYTES_PER_CONNECTION).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX),
        // RDS leaves PostgreSQL's default: connections grow with memory, so there is no more for each in a larger class.
        work_mem_kb: 4096,
        // RDS: GREATEST({DBInstanceClassMemory*1024/63963136},65536).
        maintenance_work_mem_kb: (bytes * 1024 / 63_963_136).max(65_536),
        notes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(memory_mib: u64, machine_mib: u64, promised_mib: u64, expected: &str) {
        let class = Size { name: "db.x".to_owned(), vcpu: 2.0, memory_mib, burstable: false };
        let sizing = size(&class, Machine { memory_mib: machine_mib, promised_mib });
        let settings = sizing.settings().map(|(name, value)| format!("{name}={value}"));
        assert_eq!(settings.into_iter().chain(sizing.notes).collect::<Vec<_>>().join("\n"), expected);
    }

    #[test]
    fn a_small_class_is_sized_as_rds_does() {
        let expected = "shared_buffers=262144kB\neffective_cache_size=524288kB\nmax_connections=112\nwork_mem=4096kB\n\
                        maintenance_work_mem=65536kB";
        check(1024, 24_000, 0, expected);
    }

    #[test]
    fn a_large_class_gets_larger_maintenance() {
        let expected = "shared_buffers=16777216kB\neffective_cache_size=33554432kB\nmax_connections=5000\nwork_mem=4096kB\n\
                        maintenance_work_mem=1100145kB";
        check(65_536, 128_000, 0, expected);
    }

    #[test]
    fn the_machine_caps_the_class_and_it_is_said() {
        let expected = "shared_buffers=1572864kB\neffective_cache_size=3145728kB\nmax_connections=675\nwork_mem=4096kB\n\
                        maintenance_work_mem=103138kB\n\
                        db.x has 16384 MiB of memory; sized for 6144 MiB, three quarters of what this machine has left";
        check(16_384, 8192, 0, expected);
    }

    #[test]
    fn a_crowded_machine_still_gives_a_working_server() {
        let expected = "shared_buffers=65536kB\neffective_cache_size=131072kB\nmax_connections=28\nwork_mem=4096kB\n\
                        maintenance_work_mem=65536kB\n\
                        db.x has 1024 MiB of memory; sized for 256 MiB, three quarters of what this machine has left";
        check(1024, 8192, 8192, expected);
    }
}
