//! Holding an instance to the CPU and memory of its class, as far as this machine lets us. Never a reason to fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pgherd_core::spec::Size;
use rustix::process::Pid;
use rustix::thread::CpuSet;

/// How one resource is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// By the kernel: `cgroup v2 cpu.max`, `affinity to 2 processors`, …
    Enforced {
        /// By what.
        by: String,
    },
    /// By PostgreSQL's own settings at most.
    NotEnforced {
        /// Why not.
        because: String,
    },
}

/// Which limits hold an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// CPU time.
    pub cpu: Limit,
    /// Memory.
    pub memory: Limit,
}

/// Where this machine's control groups are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Groups {
    /// One hierarchy; our own group in it.
    V2(PathBuf),
    /// One hierarchy per controller; our own groups in those of CPU and memory.
    V1 { cpu: PathBuf, memory: PathBuf },
    /// None that can be used.
    None(String),
}

/// Puts the processes of a server under the limits of its class, named `name` among pgherd's groups. Repeatable: new numbers
/// replace old ones. Whatever is not allowed here is said in the result. Blocking.
///
/// A memory limit counts the page cache as well, which the kernel takes back before it ends anybody.
pub fn apply(name: &str, class: &Size, processes: &BTreeSet<i32>) -> Limits {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut limits = match find(Path::new("/sys/fs/cgroup"), &text) {
        Groups::V2(own) => in_v2(&own, name, class, processes),
        Groups::V1 { cpu, memory } => in_v1(&cpu, &memory, name, class, processes),
        Groups::None(because) => {
            let none = Limit::NotEnforced { because };
            Limits { cpu: none.clone(), memory: none }
        }
    };
    if let Limit::NotEnforced { because } = &limits.cpu {
        limits.cpu = by_affinity(class, processes, because);
    }
    limits
}

/// Removes the groups of an instance whose processes have ended. Blocking.
pub fn forget(name: &str) {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let groups = match find(Path::new("/sys/fs/cgroup"), &text) {
        Groups::V2(own) => vec![own],
        Groups::V1 { cpu, memory } => vec![cpu, memory],
        Groups::None(_) => vec![],
    };
    for group in groups {
        // What is not there, or not empty, stays as it is.
        drop(std::fs::remove_dir(group.join(folder_name(name))));
    }
}

/// Reads `/proc/self/cgroup`: `0::/path` in v2, `4:memory:/path` in v1.
fn find(root: &Path, own: &str) -> Groups {
    let path_of = |controller: &str| {
        own.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let named = controllers.split(',').any(|name| name == controller);
            named.then(|| (controllers.to_owned(), path.trim_start_matches('/').to_owned()))
        })
    };
    if root.join("cgroup.controllers").exists() {
        return match path_of("") {
            Some((_, path)) => Groups::V2(root.join(path)),
            None => Groups::None("this process is in no control group".to_owned()),
        };
    }
    let folder = |controller: &str| {
        let (controllers, path) = path_of(controller)?;
        let mounted = [controllers.as_str(), controller].map(|name| root.join(name));
        let mounted = mounted.into_iter().find(|folder| folder.exists())?;
        // Inside a container the path of the host may not be there.
        Some(mounted.join(&path)).filter(|folder| folder.exists()).or(Some(mounted))
    };
    match (folder("cpu"), folder("memory")) {
        (Some(cpu), Some(memory)) => Groups::V1 { cpu, memory },
        _ => Groups::None("no control groups are mounted".to_owned()),
    }
}

fn in_v2(own: &Path, name: &str, class: &Size, processes: &BTreeSet<i32>) -> Limits {
    let group = own.join(folder_name(name));
    let limit = |file: &str, value: String| {
        let set = || {
            std::fs::create_dir_all(&group)?;
            // Children get a controller only when the parent hands it on, which it may not while it has processes itself.
            let controller = file.split('.').next().unwrap_or_default();
            if !group.join(file).exists() {
                std::fs::write(own.join("cgroup.subtree_control"), format!("+{controller}"))?;
            }
            std::fs::write(group.join(file), value)?;
            enter(&group, "cgroup.procs", processes)
        };
        outcome(set(), &format!("cgroup v2 {file}"))
    };
    Limits {
        cpu: limit("cpu.max", format!("{} {PERIOD_US}", quota_us(class))),
        memory: limit("memory.max", memory_bytes(class).to_string()),
    }
}

fn in_v1(cpu: &Path, memory: &Path, name: &str, class: &Size, processes: &BTreeSet<i32>) -> Limits {
    let limit = |own: &Path, file: &str, value: String| {
        let group = own.join(folder_name(name));
        let set = || {
            std::fs::create_dir_all(&group)?;
            std::fs::write(group.join(file), value)?;
            enter(&group, "cgroup.procs", processes)
        };
        outcome(set(), &format!("cgroup v1 {file}"))
    };
    Limits {
        cpu: limit(cpu, "cpu.cfs_quota_us", quota_us(class).to_string()),
        memory: limit(memory, "memory.limit_in_bytes", memory_bytes(class).to_string()),
    }
}

/// The postmaster's later children follow it by themselves.
fn enter(group: &Path, file: &str, processes: &BTreeSet<i32>) -> std::io::Result<()> {
    for pid in processes {
        match std::fs::write(group.join(file), pid.to_string()) {
            // It ended meanwhile.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
            other => other?,
        }
    }
    Ok(())
}

fn outcome(set: std::io::Result<()>, by: &str) -> Limit {
    match set {
        Ok(()) => Limit::Enforced { by: by.to_owned() },
        Err(error) => Limit::NotEnforced { because: format!("{by}: {error}") },
    }
}

/// Without control groups: on as many processors as the class has. Needs no privilege.
fn by_affinity(class: &Size, processes: &BTreeSet<i32>, because: &str) -> Limit {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else {
        return Limit::NotEnforced { because: because.to_owned() };
    };
    let available = allowed.count();
    let wanted = whole_processors(class);
    if wanted >= available {
        let because = format!("this machine has {available} processors and the class has {}", class.vcpu);
        return Limit::NotEnforced { because };
    }
    let mut chosen = CpuSet::new();
    let usable = (0..CpuSet::MAX_CPU).filter(|number| allowed.is_set(*number));
    usable.take(wanted as usize).for_each(|number| chosen.set(number));
    let refused = processes.iter().filter_map(|pid| Pid::from_raw(*pid)).find_map(|pid| {
        rustix::thread::sched_setaffinity(Some(pid), &chosen).err().filter(|error| *error != rustix::io::Errno::SRCH)
    });
    match refused {
        None => Limit::Enforced { by: format!("affinity to {wanted} of {available} processors") },
        Some(error) => Limit::NotEnforced { because: format!("{because}; affinity: {error}") },
    }
}

/// The kernel's usual accounting period.
const PERIOD_US: u64 = 100_000;

fn quota_us(class: &Size) -> u64 {
    (class.vcpu.max(0.1) * 100_000.0) as u64
}

fn memory_bytes(class: &Size) -> u64 {
    class.memory_mib * 1024 * 1024
}

fn whole_processors(class: &Size) -> u32 {
    class.vcpu.ceil().max(1.0) as u32
}

fn folder_name(name: &str) -> String {
    format!("pgherd-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(folders: &[&str], own: &str, expected: &str) {
        let root = tempfile::tempdir().expect("a folder");
        for folder in folders {
            std::fs::create_dir_all(root.path().join(folder)).expect("made");
        }
        let found = format!("{:?}", find(root.path(), own)).replace(&root.path().display().to_string(), "");
        assert_eq!(found, expected);
    }

    #[test]
    fn the_one_hierarchy_is_ours_where_it_is() {
        // A file in truth; only its being there is looked at.
        check(&["cgroup.controllers", "user.slice"], "0::/user.slice/a\n", "V2(\"/user.slice/a\")");
    }

    #[test]
    fn old_hierarchies_are_found_by_controller() {
        let own = "5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n";
        check(&["memory/a", "cpu,cpuacct/a"], own, "V1 { cpu: \"/cpu,cpuacct/a\", memory: \"/memory/a\" }");
    }

    #[test]
    fn inside_a_container_the_hosts_path_is_not_there() {
        let own = "5:memory:/docker/x\n4:cpu:/docker/x\n";
        check(&["memory", "cpu"], own, "V1 { cpu: \"/cpu\", memory: \"/memory\" }");
    }

    #[test]
    fn nothing_mounted_is_said() {
        check(&[], "", "None(\"no control groups are mounted\")");
    }

    #[test]
    fn a_class_larger_than_the_machine_needs_no_affinity() {
        let class = Size { name: "db.x".to_owned(), vcpu: 4096.0, memory_mib: 1, burstable: false };
        let limit = by_affinity(&class, &BTreeSet::new(), "no control groups");
        assert!(
            matches!(&limit, Limit::NotEnforced { because } if because.ends_with("the class has 4096")),
            "{limit:?}"
        );
    }
}
