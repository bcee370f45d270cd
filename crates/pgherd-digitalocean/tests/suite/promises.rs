//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use pgherd_engine::suite::{self, World as _};

use crate::verbs::apply;
use crate::world::{Hurried, Ocean, SMALL, STORM, WHOLE, spec, with};

#[tokio::test]
async fn what_was_applied_is_kept_and_an_empty_plan_writes_nothing() {
    for block in [SMALL, WHOLE] {
        let world = suite::kept::<Ocean>(block).await;
        assert!(world.calls() <= 9, "{} calls of an empty plan that is carried out", world.calls());
    }
}

#[tokio::test]
async fn killed_after_any_call_it_ends_well() {
    suite::killed_anywhere::<Hurried>(None, WHOLE, 25).await;
}

#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let before = with(WHOLE, &[("enable_proxy", "")]);
    let after = [
        ("instance_class", "\"db-s-4vcpu-8gb\""),
        ("allocated_storage", "200"),
        ("multi_az", "false"),
        ("engine_version", "\"17\""),
        ("tags", "{ Team = \"shop\" }"),
        ("allowed_cidr_blocks", "[\"10.0.0.0/8\"]"),
        ("parameters", "[{ name = \"work_mem\", value = \"32MB\" }]"),
        ("enable_proxy", "true"),
        ("alarms", "{ cpu_percent = 70 }"),
        ("create_read_replica", "false"),
        ("read_replica_count", ""),
    ];
    suite::killed_anywhere::<Hurried>(Some(&before), &with(&before, &after), 15).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    suite::answers_lost::<Hurried>(None, WHOLE, 25).await;
}

#[tokio::test]
async fn killed_in_a_destroy_the_next_one_leaves_no_more_than_without() {
    suite::destroy_killed_anywhere::<Hurried>(WHOLE, 5).await;
}

#[tokio::test]
async fn whichever_answer_of_a_destroy_is_lost_it_leaves_nothing() {
    suite::answers_of_a_destroy_lost::<Hurried>(WHOLE, 5).await;
}

#[tokio::test]
async fn killed_in_a_destroy_and_wanted_again_it_is_there_again() {
    suite::destroy_killed_and_wanted_again::<Hurried>(SMALL, 3).await;
}

#[tokio::test]
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Ocean>(SMALL, 3, STORM).await;
    suite::throttled::<Ocean>(WHOLE, 12, STORM).await;
}

/// Backups go with their cluster; tags are the account's.
#[tokio::test]
async fn a_destroy_leaves_nothing() {
    suite::destroyed::<Ocean>(WHOLE, &[]).await;
    suite::destroyed::<Ocean>(SMALL, &[]).await;
}

#[tokio::test]
async fn a_service_that_fails_now_and_then_is_asked_again() {
    let world = Ocean::new().await;
    for nth in [2, 6, 11, 14] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"error","status":503}}"#));
    }
    for nth in [4, 9] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"html"}}"#));
    }
    apply(&world, WHOLE).await;
    assert_eq!(crate::verbs::left(&world, WHOLE).await, [""; 0]);
}

/// Repeating a request whose answer was lost is refused where it is done already.
#[tokio::test]
async fn a_resize_without_an_answer_is_one_resize() {
    let larger = with(WHOLE, &[("instance_class", "\"db-s-4vcpu-8gb\""), ("allocated_storage", "200")]);
    suite::answers_lost::<Hurried>(Some(WHOLE), &larger, 10).await;
}

/// It is closed before it is anything else, and has the room of its source.
#[tokio::test]
async fn a_replica_is_closed_first_and_holds_what_its_source_holds() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    world.emulator.with(|ocean| ocean.clusters.values_mut().for_each(|one| one.storage_mib = 71_680));
    world.forget_calls();
    let two = with(SMALL, &[("create_read_replica", "true"), ("allowed_cidr_blocks", "[\"10.0.0.0/8\"]")]);
    apply(&world, &two).await;
    let id = world.id_of("orders-r1");
    let (replica, asked) = (world.emulator.with(|ocean| ocean.clusters[&id].clone()), world.emulator.asked());
    assert_eq!(replica.storage_mib, 71_680);
    assert_eq!(replica.rules[0]["value"], "10.0.0.0/8");
    let made = asked.iter().rposition(|one| one.action == "databases_create_replica" && one.done).expect("it was made");
    let after = &asked[made + 1..];
    let first = after.iter().position(|one| one.path.contains(&id)).expect("something is done to it");
    assert_eq!(
        (after[first].action.as_str(), after[first].method.as_str()),
        ("databases_update_firewall_rules", "PUT")
    );
    assert_eq!(after[first].body["rules"][0]["value"], "10.0.0.0/8");
    assert!(!after[..first].iter().any(|one| one.action == "databases_list_replicas"), "nobody waited before");
    // What is refused as long as it is being made is told again before its step is done: nothing else is done to it before.
    let mut of_it = asked[made..].iter().filter(|one| one.path.contains(&id) && one.method != "GET");
    assert!(
        of_it.clone().all(|one| one.action == "databases_update_firewall_rules")
            && of_it.next_back().is_some_and(|one| one.done)
    );
}

/// A conflict is looked into, and not waited out for hours where nothing goes on.
#[tokio::test]
async fn a_conflict_is_looked_into() {
    let world = Ocean::new().await;
    let block = spec(WHOLE);
    apply(&world, &with(WHOLE, &[("database_name", "\"defaultdb\"")])).await;
    world.age();
    world.fault(r#"{"action":"databases_add","times":50,"fault":"error","status":409}"#);
    let provider = world.provider();
    let timing = pgherd_engine::run::timing(&block, world.now());
    let planned = pgherd_engine::run::observe_and_plan(provider.as_ref(), &block, &timing, Default::default()).await;
    let events = pgherd_engine::provider::Events::new("database", tokio::sync::mpsc::unbounded_channel().0);
    let (planned, never) = (planned.expect("a look"), pgherd_engine::stop::Stop::never());
    world.forget_calls();
    let outcome = pgherd_engine::run::apply(provider.as_ref(), &block, &planned, world.now(), &events, &never).await;
    assert!(!outcome.is_success());
    let actions: Vec<String> = world.emulator.asked().into_iter().map(|one| one.action).collect();
    let tries: Vec<usize> = (0..actions.len()).filter(|at| actions[*at] == "databases_add").collect();
    assert_eq!(tries.len(), 2, "{actions:?}");
    assert!(actions[tries[0]..tries[1]].contains(&"databases_list".to_owned()), "it is looked for first: {actions:?}");
}
