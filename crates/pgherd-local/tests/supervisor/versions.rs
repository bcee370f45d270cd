//! A life through the supervisor on every supported major; 15 is lived by all other tests.

use pgherd_core::value::Value;
use pgherd_engine::provider::Operation;

use crate::change::shown;
use crate::life::parameters;
use crate::majors::server;
use crate::world::{NAME, World};

async fn check(major: u32) {
    // The agent finds it where the tests keep it.
    let Some(_) = server(major) else { return };
    let world = World::new();
    let version = ("engine_version", Value::Text(major.to_string()));
    let plain = [version.clone()];
    world.apply(&plain).await;
    assert_eq!(world.differences(&plain).await, [""; 0]);
    assert!(world.status().await.engine_version.expect("it runs").starts_with(&format!("{major}.")));
    let client = world.log_in(world.secret().await["password"].as_str().expect("text")).await.expect("logged in");
    client.batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (7)").await.expect("the owner may");

    let postmaster = world.postmaster_pid();
    let changed = [version.clone(), ("parameters", parameters(&[("work_mem", "16MB"), ("max_connections", "40")]))];
    world.try_apply(&changed, true).await.expect("changed");
    assert_ne!(world.postmaster_pid(), postmaster);
    assert_eq!(
        (shown(&world, "work_mem").await.as_str(), shown(&world, "max_connections").await.as_str()),
        ("16MB", "40")
    );
    assert_eq!(world.differences(&changed).await, [""; 0]);

    world.operate(Operation::Restart { name: NAME.to_owned() }).await;
    let postmaster = world.postmaster_pid();
    world.kill_agent().await;
    crate::world::kill(postmaster).await;
    world.serves_without(postmaster).await;
    world.operate(Operation::Rotate { name: NAME.to_owned() }).await;
    let client = world.log_in(world.secret().await["password"].as_str().expect("text")).await.expect("logged in");
    let kept: i32 = client.query_one("SELECT id FROM t", &[]).await.expect("the table is there").get(0);
    assert_eq!(kept, 7);

    world.delete(Some("last")).await.expect("deleted");
    assert_eq!(world.asked_for(NAME).await.len(), 1);
    assert!(!world.data().exists());
}

#[tokio::test]
async fn a_life_on_14() {
    check(14).await;
}

#[tokio::test]
async fn a_life_on_16() {
    check(16).await;
}

#[tokio::test]
async fn a_life_on_17() {
    check(17).await;
}

#[tokio::test]
async fn a_life_on_18() {
    check(18).await;
}
