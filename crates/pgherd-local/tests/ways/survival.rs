//! What is left when one of the processes is killed.

use pgherd_local::postgres::runas::RunAs;

use crate::client::{Login, connect, psql};
use crate::world::{World, kill, port, set, start_forwarder};

/// Where the agent of the test below finds its folders.
const AGENT: &str = "PGHERD_TEST_AGENT_IN";

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn an_agent_that_dies() {
    let Some(folder) = std::env::var_os(AGENT).map(std::path::PathBuf::from) else { return };
    let paths = pgherd_local::paths::Paths {
        state: folder.join("state"),
        cache: folder.join("cache"),
        runtime: folder.join("run"),
    };
    let forwarder = start_forwarder(&paths, &RunAs::settle(None).expect("a user")).await;
    std::fs::write(folder.join("started"), forwarder.pid().to_string()).expect("written");
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).expect("its own end");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn connections_outlive_the_agent_and_the_next_one_finds_the_forwarder() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let folder = world.paths.runtime.parent().expect("it has a parent");
    let this = std::env::current_exe().expect("a test program");
    let mut agent = tokio::process::Command::new(this);
    agent.args(["--exact", "survival::an_agent_that_dies", "--nocapture"]).env(AGENT, folder);
    let status = agent.status().await.expect("it runs");
    assert!(!status.success(), "it was killed");
    let pid: i32 = std::fs::read_to_string(folder.join("started")).expect("started").parse().expect("a number");
    let first = world.forwarder().await;
    assert_eq!(first.pid(), pid, "found again");
    let front = port();
    let told = set(front, Some(database.port));
    first.set(&told).await.expect("told");
    let client = connect(&world, &Login::ann(front)).await.expect("a session");
    drop(first);
    let second = world.forwarder().await;
    assert_eq!(second.pid(), pid);
    let state = second.state().await.expect("answers");
    assert_eq!((state.set, state.write.connected), (Some(told), 1));
    client.batch_execute("SELECT 1").await.expect("it goes on");
}

#[tokio::test]
async fn a_killed_forwarder_is_noticed_and_another_takes_its_ports() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let front = port();
    let told = set(front, Some(database.port));
    let first = world.forwarder().await;
    first.set(&told).await.expect("told");
    let client = connect(&world, &Login::ann(front)).await.expect("a session");
    kill(first.pid()).await;
    first.ended().await;
    client.batch_execute("SELECT 1").await.expect_err("its connection is gone");
    let second = world.forwarder().await;
    assert_ne!(second.pid(), first.pid());
    let state = second.set(&told).await.expect("told");
    assert_eq!(state.write.unbound, []);
    assert_eq!(psql(&world, &Login::ann(front), "SELECT 1").await.as_deref(), Ok("1"));
    second.stop().await.expect("stopped");
    assert!(psql(&world, &Login::ann(front), "SELECT 1").await.is_err_and(|said| said.contains("refused")));
}

#[tokio::test]
async fn the_forwarder_is_an_unprivileged_process_of_its_own_session() {
    let Some(world) = World::new() else { return };
    let forwarder = world.forwarder().await;
    let pid = forwarder.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let uid = format!("Uid:\t{0}\t{0}\t{0}\t{0}", world.run_as.uid);
    assert!(status.contains(&uid), "{status}");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let session = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3)?.parse().ok());
    assert_eq!(session, Some(pid));
}
