//! Changes of what runs.

use pgherd_core::value::Value;

use crate::life::parameters;
use crate::world::World;

#[tokio::test]
async fn a_reloaded_parameter_is_in_force_at_once() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    let arguments = [("parameters", parameters(&[("work_mem", "16MB")]))];
    assert_eq!(world.differences(&arguments).await, ["parameters.work_mem"]);
    world.try_apply(&arguments, false).await.expect("applied");
    assert_eq!(world.differences(&arguments).await, [""; 0]);
    assert_eq!(shown(&world, "work_mem").await, "16MB");
    assert_eq!(world.postmaster_pid(), postmaster);
    // Taken out of the block, it is what it was.
    world.try_apply(&[], false).await.expect("applied");
    assert_eq!(shown(&world, "work_mem").await, "4MB");
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

/// Also where pgherd's own sessions have another value, so that their statements reach no log.
#[tokio::test]
async fn what_is_logged_is_as_written() {
    let world = World::new();
    let written = [("log_min_duration_statement", "250"), ("log_statement", "ddl"), ("statement_timeout", "5000")];
    let arguments = [("parameters", parameters(&written))];
    world.apply(&arguments).await;
    assert_eq!(world.differences(&arguments).await, [""; 0]);
    let secret = world.secret().await;
    let client = world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
    let shown: String = client.query_one("SHOW log_min_duration_statement", &[]).await.expect("asked").get(0);
    assert_eq!(shown, "250ms");
    // And what somebody sets behind our back is seen.
    world.sql("ALTER SYSTEM SET log_min_duration_statement = '2s'").await;
    world.sql("SELECT pg_reload_conf()").await;
    assert_eq!(world.differences(&arguments).await, ["parameters.log_min_duration_statement"]);
}

#[tokio::test]
async fn a_parameter_that_needs_a_restart_waits_for_the_window_or_the_word() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    let arguments = [("parameters", parameters(&[("max_connections", "40")])), ("maintenance_window", elsewhen())];
    world.try_apply(&arguments, false).await.expect("accepted");
    assert_eq!(world.postmaster_pid(), postmaster);
    assert_eq!(world.differences(&arguments).await, [""; 0]);
    let status = world.status().await;
    assert_eq!(
        status.pending.iter().map(|pending| pending.field.as_str()).collect::<Vec<_>>(),
        ["parameters.max_connections"]
    );
    assert!(status.window_opens.is_some());
    // It survives the agent.
    world.kill_agent().await;
    assert_eq!(world.observed().await.pending.len(), 1);
    world.try_apply(&arguments, true).await.expect("applied");
    assert_ne!(world.postmaster_pid(), postmaster);
    assert_eq!(shown(&world, "max_connections").await, "40");
    assert!(world.status().await.pending.is_empty());
}

#[tokio::test]
async fn a_waiting_restart_happens_when_the_window_is_open() {
    let world = World::new();
    world.apply(&[("maintenance_window", elsewhen())]).await;
    let postmaster = world.postmaster_pid();
    let arguments = [("parameters", parameters(&[("max_connections", "40")])), ("maintenance_window", always())];
    world.try_apply(&arguments, false).await.expect("applied");
    assert_ne!(world.postmaster_pid(), postmaster);
}

#[tokio::test]
async fn a_bad_value_changes_nothing() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    let bad = [
        ("work_mem", "lots", "invalid value for parameter \"work_mem\""),
        ("shared_preload_libraries", "no_such_library", "no_such_library"),
        ("shared_buffers", "100TB", "shared_buffers"),
    ];
    for (name, value, why) in bad {
        let error = world.try_apply(&[("parameters", parameters(&[(name, value)]))], true).await.expect_err("refused");
        assert!(error.message.contains(why) || error.message.contains("memory"), "{name}: {error}");
        assert_eq!(world.postmaster_pid(), postmaster);
        assert_eq!(world.differences(&[]).await, [""; 0]);
    }
    world.operate(pgherd_engine::provider::Operation::Restart { name: crate::world::NAME.to_owned() }).await;
    assert_ne!(world.postmaster_pid(), postmaster);
}

#[tokio::test]
async fn what_was_changed_behind_our_back_is_seen_and_repaired() {
    let world = World::new();
    world.apply(&[]).await;
    let session = world.session().await;
    session.run("ALTER SYSTEM SET work_mem = '64MB'").await.expect("set");
    session.run("SELECT pg_reload_conf()").await.expect("reloaded");
    session.run("CREATE ROLE thief; ALTER DATABASE db OWNER TO thief").await.expect("given away");
    let hba = world.layout().hba_conf();
    let text = std::fs::read_to_string(&hba).expect("text") + "host all all 0.0.0.0/0 trust\n";
    std::fs::write(&hba, text).expect("written");
    let mut differences = world.differences(&[]).await;
    differences.sort();
    assert_eq!(differences, ["allowed_cidrs", "database_owner", "parameters.work_mem"]);
    world.try_apply(&[], false).await.expect("repaired");
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_eq!(shown(&world, "work_mem").await, "4MB");
}

#[tokio::test]
async fn size_networks_tags_and_port_change_in_place() {
    let world = World::new();
    world.apply(&[]).await;
    // Below what outgoing connections take; another run of the tests begins elsewhere.
    let first = 25_000 + u16::try_from(std::process::id() % 48 * 50).expect("small");
    let (port, claim) =
        pgherd_local::ports::allocate(None, first..=27_499, &std::collections::BTreeSet::new()).expect("a port");
    drop(claim);
    let arguments = [
        ("instance_class", "db.t3.small".into()),
        ("allowed_cidr_blocks", Value::List(vec!["192.0.2.0/24".into()])),
        ("tags", Value::Map([("Owner".to_owned(), "ann".into())].into())),
        ("port", Value::Int(i64::from(port))),
        ("allocated_storage", Value::Int(30)),
    ];
    let before = shown(&world, "shared_buffers").await;
    world.apply(&arguments).await;
    assert_eq!(world.differences(&arguments).await, [""; 0]);
    assert_ne!(shown(&world, "shared_buffers").await, before);
    assert_eq!(world.observed_port().await, port);
    assert_eq!(world.secret().await["port"], port);
}

pub async fn shown(world: &World, name: &str) -> String {
    world.session().await.one(&format!("SHOW {name}"), &[]).await.expect("asked").get(0)
}

/// A window that is closed now and for the next days.
pub fn elsewhen() -> Value {
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(72)).strftime("%a").to_string().to_lowercase();
    Value::Text(format!("{day}:04:00-{day}:05:00"))
}

/// A window that is open all week but for a minute that is far from now.
fn always() -> Value {
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(72)).strftime("%a").to_string().to_lowercase();
    Value::Text(format!("{day}:04:01-{day}:04:00"))
}
