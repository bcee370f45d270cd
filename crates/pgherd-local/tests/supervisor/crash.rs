//! The agent or the server is killed, at any moment.

use std::process::Stdio;

use pgherd_core::resource::Status;
use pgherd_engine::provider::{ApplyNow, Provider as _};
use pgherd_local::supervisor::AgentOptions;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::pair::{roles, whole};
use crate::world::{Arguments, DEADLINE, NAME, World, agent_program, events, kill};

#[tokio::test]
async fn the_next_agent_adopts_the_running_server() {
    let world = World::new();
    world.apply(&[]).await;
    let (postmaster, agent) = (world.postmaster_pid(), world.agent_pid());
    let session = world.session().await;
    world.kill_agent().await;
    let alive: i32 = session.one("SELECT 1", &[]).await.expect("it serves on").get(0);
    assert_eq!(alive, 1);
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_ne!(world.agent_pid(), agent);
    assert_eq!(world.postmaster_pid(), postmaster);
    let status = world.status().await;
    assert_eq!(status.nodes[0].pid.and_then(|pid| i32::try_from(pid).ok()), Some(postmaster));
    session.one("SELECT 1", &[]).await.expect("the connection was kept");
}

#[tokio::test]
async fn a_killed_server_is_started_again() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    kill(postmaster).await;
    world.serves_without(postmaster).await;
    let history = world.agent().await.events(NAME).await.expect("a history");
    assert!(history.iter().any(|event| {
        event.message.starts_with("n1 ended by itself and nobody else may take over: start n1 as primary")
    }));
}

#[tokio::test]
async fn a_server_that_an_earlier_agent_started_is_watched_too() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    world.kill_agent().await;
    world.agent().await;
    kill(postmaster).await;
    world.serves_without(postmaster).await;
}

#[tokio::test]
async fn after_both_died_the_next_agent_starts_the_server() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    world.kill_agent().await;
    kill(postmaster).await;
    world.serves_without(postmaster).await;
}

#[tokio::test]
async fn data_that_is_gone_is_never_made_anew() {
    let world = World::new();
    world.apply(&[]).await;
    world.kill_agent().await;
    pgherd_local::postgres::processes::kill(&world.data()).await.expect("ended");
    std::fs::rename(world.data(), world.data().with_extension("elsewhere")).expect("moved");
    let missing = |status: &Status| matches!(status, Status::Failed(reason) if reason.contains("data directory"));
    world.becomes(|report| missing(&report.status)).await;
    assert!(missing(&world.observed().await.status));
    assert!(!world.data().exists());
}

/// Ends the agent after each thing it writes down during a creation, one run after the other, and lets a new one go on.
#[tokio::test]
async fn a_creation_cut_short_anywhere_is_finished() {
    let mut steps = 1;
    loop {
        let world = World::new();
        let done = begin(&world, &[], "CUT_AFTER_STEPS", steps).await;
        world.apply(&[]).await;
        assert_eq!(world.differences(&[]).await, [""; 0], "cut after step {steps}");
        let secret = world.secret().await;
        world.log_in(secret["password"].as_str().expect("text")).await.expect("the password is in force");
        if done {
            break;
        }
        steps += 1;
    }
    assert!(steps > 8, "a creation writes down more than {steps} things");
}

#[tokio::test]
async fn the_creation_of_a_pair_cut_short_anywhere_is_finished() {
    let pair = [("multi_az", true.into())];
    let mut steps = 5;
    loop {
        let world = World::new();
        let done = begin(&world, &pair, "CUT_AFTER_STEPS", steps).await;
        world.apply(&pair).await;
        assert_eq!(world.differences(&pair).await, [""; 0], "cut after step {steps}");
        // Whoever asks again once it serves is not kept waiting for the standby.
        world.becomes(whole).await;
        // Whatever there was of it before is in nobody's way.
        assert_eq!(
            roles(&world.status().await),
            ["n1 primary running", "n2 standby running"],
            "cut after step {steps}"
        );
        assert_eq!(world.write("CREATE TABLE t ()").await, "CREATE TABLE");
        let left = || std::fs::read_dir(world.paths.instance(NAME).scratch).expect("a folder").count();
        let gone = async {
            while left() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, gone).await.is_ok();
        assert!(in_time, "cut after step {steps}: files of a standby are left");
        if done {
            break;
        }
        steps += 1;
    }
    assert!(steps > 14, "a creation writes down more than {steps} things");
}

/// As after a power cut: the names are on disk, and not all that belongs in the files.
#[tokio::test]
async fn what_was_not_on_disk_when_the_machine_ended_is_made_anew() {
    let world = World::new();
    assert!(!begin(&world, &[], "CUT_AFTER_STEPS", 5).await);
    assert!(world.data().join("PG_VERSION").exists());
    let control = world.data().join("global/pg_control");
    std::fs::write(&control, "").expect("emptied");
    world.apply(&[]).await;
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

#[tokio::test]
async fn a_panic_anywhere_in_a_creation_is_survived_and_shown() {
    let (mut steps, mut shown) = (1, false);
    loop {
        let world = World::new();
        if begin(&world, &[], "PANIC_AFTER_STEPS", steps).await {
            break;
        }
        // Nobody asks again.
        world.becomes(|status| status.status == Status::Available).await;
        let secret = world.secret().await;
        world.log_in(secret["password"].as_str().expect("text")).await.expect("the password is in force");
        let history = world.agent().await.events(NAME).await.expect("a history");
        let failed = |message: &str| message == "pgherd itself failed, and begins anew: a planted fault";
        assert!(history.iter().any(|event| failed(&event.message)), "panic after step {steps}");
        // Until something goes right; after the last step there is nothing left to do.
        shown |= world.status().await.warnings.iter().any(|warning| warning.starts_with("pgherd itself failed"));
        steps += 1;
    }
    assert!(steps > 8 && shown, "a creation writes down more than {steps} things");
}

/// Begins a creation with an agent that something happens to after so many steps; says whether the creation was done before.
async fn begin(world: &World, arguments: Arguments<'_>, fault: &str, steps: usize) -> bool {
    let mut agent = tokio::process::Command::new(agent_program())
        .args(AgentOptions { announce: true, ..world.agent_options() }.to_args())
        .env(fault, steps.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut ready = String::new();
    BufReader::new(agent.stdout.take().expect("piped")).read_line(&mut ready).await.expect("text");
    assert!(ready.starts_with("ready "), "{ready}");
    let resource = world.local.desired(&world.spec(arguments)).pop().expect("an instance");
    let created = world.local.create(&resource, ApplyNow(true), &events()).await;
    if created.is_err() && fault == "CUT_AFTER_STEPS" {
        tokio::time::timeout(DEADLINE, agent.wait()).await.expect("it aborts").expect("waited for");
    }
    // World ends the agent that still runs.
    created.is_ok()
}
