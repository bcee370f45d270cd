//! From nothing to a database, and back.

use pgherd_core::ha::NodeId;
use pgherd_core::resource::Status;
use pgherd_engine::provider::{ErrorKind, Operation, Provider as _};
use pgherd_local::client;

use crate::world::{NAME, World, agent_program, connect};

#[tokio::test]
async fn a_plan_on_an_untouched_machine_starts_nothing() {
    let world = World::new();
    assert_eq!(world.differences(&[]).await, ["create"]);
    assert!(!world.paths.state.exists());
}

#[tokio::test]
async fn what_was_created_is_what_was_asked_for() {
    let world = World::new();
    let arguments = [
        ("parameters", parameters(&[("work_mem", "8MB"), ("shared_preload_libraries", "auto_explain")])),
        ("allowed_cidr_blocks", pgherd_core::value::Value::List(vec!["10.0.0.0/16".into()])),
        ("tags", pgherd_core::value::Value::Map([("Owner".to_owned(), "ann".into())].into())),
        ("enable_logging", true.into()),
        ("storage_encrypted", false.into()),
    ];
    world.apply(&arguments).await;
    assert_eq!(world.differences(&arguments).await, [""; 0]);
    let status = world.status().await;
    assert_eq!(status.status, Status::Available);
    // How full the disk is that this runs on is its own.
    let warnings: Vec<_> = status.warnings.iter().filter(|one| !one.starts_with("the disk of ")).collect();
    assert_eq!(warnings, [""; 0]);
    assert_eq!(world.session().await.one("SHOW work_mem", &[]).await.expect("asked").get::<_, String>(0), "8MB");
    let secret = world.secret().await;
    let client = world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
    client.batch_execute("CREATE TABLE t (id int)").await.expect("the owner may");
}

#[tokio::test]
async fn stopped_on_purpose_stays_stopped() {
    let world = World::new();
    world.apply(&[]).await;
    world.operate(Operation::Stop { name: NAME.to_owned() }).await;
    assert_eq!(world.observed().await.status, Status::Stopped);
    world.kill_agent().await;
    assert_eq!(world.observed().await.status, Status::Stopped);
    assert_eq!(world.differences(&[]).await, [""; 0]);
    world.operate(Operation::Start { name: NAME.to_owned() }).await;
    assert_eq!(world.observed().await.status, Status::Available);
}

#[tokio::test]
async fn a_second_agent_names_the_first() {
    let world = World::new();
    world.agent().await;
    let options = world.agent_options();
    let output = std::process::Command::new(agent_program()).args(options.to_args()).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&format!("(pid {})", world.agent_pid())), "{said}");
}

#[tokio::test]
async fn two_starters_find_one_agent() {
    let world = World::new();
    let (program, options) = (agent_program(), world.agent_options());
    let starts = (0..4).map(|_| client::connect_or_start(&program, &options));
    for client in futures_util::future::join_all(starts).await {
        let health = client.expect("an agent").health().await.expect("healthy");
        assert_eq!(i32::try_from(health.pid).ok(), Some(world.agent_pid()));
    }
}

#[tokio::test]
async fn an_agent_that_does_not_start_is_quoted() {
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    // The folder of instances cannot be made where a file is.
    std::fs::write(world.paths.instances(), "").expect("written");
    let error = client::connect_or_start(&agent_program(), &world.agent_options()).await.expect_err("it cannot start");
    assert!(error.message.starts_with("the agent did not start\n"), "{error}");
    assert!(error.message.contains("cannot be used"), "{error}");
}

#[tokio::test]
async fn a_protected_instance_is_not_deleted() {
    let world = World::new();
    world.apply(&[("enable_deletion_protection", true.into())]).await;
    let error = world.delete(None).await.expect_err("protected");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Protected, "db is protected against deletion"));
    assert_eq!(world.observed().await.status, Status::Available);
    assert!(world.observed().await.protected);
}

#[tokio::test]
async fn a_deleted_instance_leaves_its_last_backup_and_its_history() {
    let world = World::new();
    world.apply(&[]).await;
    let layout = world.layout();
    world.delete(Some("db-final-1")).await.expect("deleted");
    assert!(!layout.data.exists());
    assert_eq!(world.asked_for(NAME).await.len(), 1);
    let desired = world.local.desired(&world.spec(&[]));
    assert!(world.local.observe(&desired).await.expect("observed").is_empty());
    // Repeatable: what is gone is success.
    world.delete(None).await.expect("gone already");
    let events = world.agent().await.events(NAME).await.expect("a history");
    assert_eq!(events.last().expect("an event").message, "deleted");
    // The name can be used again, and the backup is still listed.
    world.apply(&[]).await;
    assert_eq!(world.status().await.backups.len(), 1);
}

#[tokio::test]
async fn a_prepared_cluster_becomes_the_next_database() {
    use std::os::unix::fs::MetadataExt as _;
    let world = World::new();
    world.apply(&[]).await;
    let prepared = world.prepared().await;
    let inode = std::fs::metadata(prepared).expect("it waits").ino();
    let other = [("name", "other".into()), ("database_name", "other".into())];
    world.apply(&other).await;
    assert_eq!(std::fs::metadata(world.paths.instance("other").node(NodeId(1)).data).expect("made").ino(), inode);
    let agent = world.agent().await;
    let identifier = async |name: &str| agent.status(name).await.expect("a status").endpoint.system_identifier;
    assert_ne!(identifier("other").await, identifier(NAME).await);
}

#[tokio::test]
async fn the_port_of_a_stopped_database_is_not_given_away_by_another_agent() {
    let (world, other) = (World::new(), World::new());
    world.apply(&[]).await;
    let port = world.observed_port().await;
    world.operate(Operation::Stop { name: NAME.to_owned() }).await;
    other.apply(&[]).await;
    assert_ne!(other.observed_port().await, port);
    let error = other.try_apply(&[("port", i64::from(port).into())], true).await.expect_err("it is another's");
    assert_eq!(error.message, format!("port {port} belongs to a database of another agent of this machine"));
}

#[tokio::test]
async fn an_agent_ends_when_nothing_deleted_is_left() {
    let world = World::new();
    // Put away before an earlier agent was cut short.
    std::fs::create_dir_all(world.paths.removed().join("0/base")).expect("a folder");
    world.apply(&[]).await;
    world.delete(None).await.expect("deleted");
    let agent = pgherd_local::postgres::processes::Watch::open(world.agent_pid()).expect("watched").expect("it runs");
    agent.signal(rustix::process::Signal::TERM).expect("ours");
    agent.ended().await;
    assert_eq!(std::fs::read_dir(world.paths.removed()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn the_agent_ends_and_the_database_goes_on() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    let agent = pgherd_local::postgres::processes::Watch::open(world.agent_pid()).expect("watched").expect("it runs");
    agent.signal(rustix::process::Signal::TERM).expect("ours");
    agent.ended().await;
    assert!(connect(&world.paths).await.is_none());
    assert!(crate::world::adopted(&world.data()));
    assert_eq!(world.postmaster_pid(), postmaster);
}

pub fn parameters(parameters: &[(&str, &str)]) -> pgherd_core::value::Value {
    use pgherd_core::value::Value;
    let object = |(name, value): &(&str, &str)| {
        Value::Map([("name".to_owned(), (*name).into()), ("value".to_owned(), (*value).into())].into())
    };
    Value::List(parameters.iter().map(object).collect())
}
