//! Limits of a running server: what is said to be enforced is.

use pgherd_core::spec::Size;
use pgherd_local::limits::{Limit, apply, forget};
use pgherd_local::postgres::processes;

use crate::world::{MAJORS, World, server};

#[tokio::test]
async fn what_is_said_to_be_enforced_is() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let running = world.start().await.expect("starts");
    let class = Size { name: "db.x".to_owned(), vcpu: 1.0, memory_mib: 1024, burstable: false };
    let name = format!("test-{}", world.config.port);
    let limits = apply(&name, &class, &processes::of(&world.layout.data));
    let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", running.pid())).expect("readable");
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid())).expect("readable");
    for limit in [&limits.cpu, &limits.memory] {
        match limit {
            Limit::Enforced { by } if by.starts_with("affinity") => {
                let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a line");
                assert!(!list.contains([',', '-']), "one processor: {list}");
            }
            Limit::Enforced { by } => assert!(groups.contains(&format!("pgherd-{name}")), "{by}: {groups}"),
            Limit::NotEnforced { because } => eprintln!("not enforced here: {because}"),
        }
    }
    world.session("postgres").await.run("SELECT 1").await.expect("it serves under its limits");
    assert_eq!(apply(&name, &class, &processes::of(&world.layout.data)), limits, "repeatable");
    processes::kill(&world.layout.data).await.expect("killed");
    forget(&name);
    let left = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup"];
    assert!(left.iter().all(|root| !std::path::Path::new(root).join(format!("pgherd-{name}")).exists()));
}
