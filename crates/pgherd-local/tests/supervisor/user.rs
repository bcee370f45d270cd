//! As an ordinary user: no root, no user of PostgreSQL's own. The agent of all other tests is root when they are.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use pgherd_engine::provider::Operation;
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::supervisor::AgentOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::world::{NAME, World, agent_program, kill};

#[tokio::test]
async fn an_ordinary_user_keeps_a_database_of_their_own() {
    let run_as = RunAs::settle(None).expect("a user");
    if !run_as.drops {
        eprintln!("SKIPPED: this is no root that could become somebody; all tests run as an ordinary user");
        return;
    }
    let world = World::new();
    let folder = world.paths.state.parent().expect("a folder").to_owned();
    // Everything theirs: not even the cache of the other tests is used.
    std::fs::remove_file(&world.paths.cache).expect("removed");
    chown(&folder, Some(run_as.uid), Some(run_as.gid)).expect("root may");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("root may");
    // Where the tests are built, they need not be let in.
    let program = folder.join("agent");
    // By another process: what is open for writing in this one is inherited by whatever it starts meanwhile, and is then "busy".
    let copied = Command::new("install").args(["-m", "755"]).args([&agent_program(), &program]).status();
    assert!(copied.expect("coreutils").success());
    start(&world, &program, &run_as).await;

    world.apply(&[]).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
    let secret = world.secret().await;
    let client = world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
    client.batch_execute("CREATE TABLE t (id int)").await.expect("the owner may");
    for path in [world.data(), world.status().await.endpoint.secret_file, world.paths.agent_socket()] {
        let found = std::fs::metadata(&path).expect("it is there");
        assert_eq!((found.uid(), found.mode() & 0o077), (run_as.uid, 0), "{}", path.display());
    }
    let postmaster = world.postmaster_pid();
    assert_eq!(std::fs::metadata(format!("/proc/{postmaster}")).expect("it runs").uid(), run_as.uid);

    world.kill_agent().await;
    kill(postmaster).await;
    start(&world, &program, &run_as).await;
    world.serves_without(postmaster).await;
    world.operate(Operation::Rotate { name: NAME.to_owned() }).await;
    world.delete(Some("last")).await.expect("deleted");
    assert_eq!(world.asked_for(crate::world::NAME).await.len(), 1);
}

/// Starts the agent as that user and returns when it answers.
async fn start(world: &World, program: &Path, run_as: &RunAs) {
    let mut command = Command::new(program);
    command.args(AgentOptions { announce: true, ..world.agent_options() }.to_args());
    command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdout(Stdio::piped()).stderr(Stdio::null());
    command.uid(run_as.uid).gid(run_as.gid);
    let mut agent = tokio::process::Command::from(command).spawn().expect("it starts");
    let mut ready = String::new();
    BufReader::new(agent.stdout.take().expect("piped")).read_line(&mut ready).await.expect("text");
    assert!(ready.starts_with("ready "), "{ready}");
    // Its end is the world's business.
    tokio::spawn(async move { agent.wait().await });
}
