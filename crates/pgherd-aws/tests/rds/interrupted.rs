//! Whatever cuts an apply short, the next one does the rest, and nothing is made twice.

use pgherd_engine::run;
use pgherd_engine::stop::Stop;

use crate::world::{SMALL, World, events, hangs, spec, with};

/// A call takes long here, so that there are few of them: an apply is begun once for each.
const SECONDS: i64 = 100;

/// A block with one of each kind, which is made in few calls.
fn block() -> String {
    with(SMALL, &[("create_read_replica", "true"), ("backup_retention_period", "1")])
}

/// Every thing there is, and how often it was made.
fn made(world: &World) -> Vec<String> {
    let asked = world.emulator.asked();
    let created = asked.iter().filter(|asked| asked.action.starts_with("CreateDB"));
    let created = created.filter(|asked| ["ok", "lost", "hang"].contains(&asked.outcome.as_str()));
    let mut created: Vec<_> = created.map(|asked| asked.action.clone()).collect();
    created.sort();
    created
}

const ONCE: [&str; 4] =
    ["CreateDBInstance", "CreateDBInstanceReadReplica", "CreateDBParameterGroup", "CreateDBSubnetGroup"];

/// Kills an apply after its nth call was done. `false`: it was over by then.
async fn killed_after(world: &World, block: &str, nth: usize) -> bool {
    let planned = world.plan(block).await;
    world.forget_what_was_asked();
    world.fault(&format!(r#"{{"nth":{nth},"fault":"hang"}}"#));
    let (events, _heard) = events();
    let (provider, spec, now, stop) = (world.provider(), spec(block), world.now(), Stop::never());
    tokio::select! {
        outcome = run::apply(provider.as_ref(), &spec, &planned, now, &events, &stop) => {
            assert!(outcome.is_success(), "{outcome:?}");
            false
        }
        () = hangs(world) => true,
    }
}

#[tokio::test]
async fn killed_after_any_call_of_a_creation_it_ends_well_and_nothing_is_made_twice() {
    let block = block();
    let mut nth = 1;
    loop {
        let world = World::going_by(SECONDS).await;
        if !killed_after(&world, &block, nth).await {
            break;
        }
        let done = made(&world);
        world.forget_what_was_asked();
        world.apply(&block).await;
        let mut all = [done, made(&world)].concat();
        all.sort();
        assert_eq!(all, ONCE, "killed after call {nth}");
        assert_eq!(world.instances(), ["orders", "orders-r1"], "killed after call {nth}");
        assert_eq!(world.left(&block).await, [""; 0], "killed after call {nth}");
        nth += 1;
    }
    assert!(nth > 15, "only {nth} calls");
}

#[tokio::test]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    let block = block();
    let mut nth = 1;
    loop {
        let world = World::going_by(SECONDS).await;
        let planned = world.plan(&block).await;
        world.forget_what_was_asked();
        world.fault(&format!(r#"{{"nth":{nth},"fault":"lost"}}"#));
        let (outcome, _) = world.walk(&block, &planned).await;
        assert!(outcome.is_success(), "call {nth}: {outcome:?}");
        assert_eq!(made(&world), ONCE, "call {nth}");
        let was_lost = world.emulator.asked().iter().any(|asked| asked.outcome == "lost");
        assert_eq!(world.left(&block).await, [""; 0], "call {nth}");
        if !was_lost {
            break;
        }
        nth += 1;
    }
    assert!(nth > 15, "only {nth} calls");
}

#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let before = with(SMALL, &[("backup_retention_period", "1")]);
    let after = with(
        &before,
        &[
            ("instance_class", "\"db.t3.small\""),
            ("allocated_storage", "30"),
            ("multi_az", "true"),
            ("apply_immediately", "true"),
            ("tags", "{ Owner = \"ann\" }"),
            ("parameters", "[{ name = \"shared_buffers\", value = \"256MB\" }]"),
        ],
    );
    let mut nth = 1;
    loop {
        let world = World::going_by(SECONDS).await;
        world.apply(&before).await;
        if !killed_after(&world, &after, nth).await {
            break;
        }
        // What was accepted is on its way; a busy instance takes nothing more.
        world.pass(3600);
        world.apply(&after).await;
        // Storage that was changed before may be optimized for hours, and the rest waits for nothing.
        assert_eq!(world.left(&after).await, [""; 0], "killed after call {nth}");
        nth += 1;
    }
    assert!(nth > 15, "only {nth} calls");
}

#[tokio::test]
async fn a_storm_of_throttling_ends_well() {
    let world = World::new().await;
    let planned = world.plan(SMALL).await;
    world.forget_what_was_asked();
    world.fault(r#"{"nth":12,"times":2,"fault":"throttle"}"#);
    let (outcome, _) = world.walk(SMALL, &planned).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(world.left(SMALL).await, [""; 0]);
}

#[tokio::test]
async fn a_service_that_fails_now_and_then_is_asked_again() {
    let world = World::new().await;
    for nth in [2, 5, 9, 14] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"error","status":503}}"#));
    }
    world.apply(SMALL).await;
    assert_eq!(world.left(SMALL).await, [""; 0]);
}
