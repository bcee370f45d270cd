//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use std::time::{Duration, Instant};

use pgherd_engine::suite;
use pgherd_http::Policy;

use crate::target::{Cloud, Hurried, Servers, Whole};
use crate::world::{HURRY, LARGE, SMALL, WHOLE, World, with};

/// A block with one of each kind of RDS, which is made in few calls.
fn servers() -> String {
    with(SMALL, &[("create_read_replica", "true"), ("backup_retention_period", "1")])
}

#[tokio::test]
async fn what_was_applied_is_kept_by_doing_nothing() {
    suite::kept::<Whole>(WHOLE).await;
    suite::kept::<Servers>(LARGE).await;
}

#[tokio::test]
async fn killed_after_any_call_of_a_creation_it_ends_well_and_nothing_is_made_twice() {
    suite::killed_anywhere::<Hurried<false>>(None, &servers(), 15).await;
}

#[tokio::test]
async fn the_same_with_everything_around() {
    suite::killed_anywhere::<Hurried<true>>(None, WHOLE, 30).await;
}

/// A block, and the same with about everything that can be changed at once.
fn changed() -> (String, String) {
    let before = with(SMALL, &[("backup_retention_period", "1")]);
    let after = [
        ("instance_class", "\"db.t3.small\""),
        ("allocated_storage", "30"),
        ("multi_az", "true"),
        ("apply_immediately", "true"),
        ("tags", "{ Owner = \"ann\" }"),
        ("parameters", "[{ name = \"shared_buffers\", value = \"256MB\" }]"),
    ];
    let after = with(&before, &after);
    (before, after)
}

#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let (before, after) = changed();
    suite::killed_anywhere::<Hurried<false>>(Some(&before), &after, 15).await;
}

/// Role, topic, dashboard and groups are found by what refers to them, and what refers to them goes first.
#[tokio::test]
async fn killed_after_any_call_of_a_removal_nothing_is_left_behind() {
    let less = [
        ("monitoring_interval", "0"),
        ("create_dashboard", ""),
        ("alarm_targets", ""),
        ("create_security_group", "false"),
        ("security_group_ids", "[\"sg-default\"]"),
        ("allowed_cidr_blocks", ""),
        ("parameter_group_name", "\"default.postgres16\""),
        ("create_read_replica", ""),
        ("apply_immediately", "true"),
    ];
    let before = with(WHOLE, &[("create_read_replica", "")]);
    suite::killed_anywhere::<Hurried<true>>(Some(&before), &with(WHOLE, &less), 30).await;
}

#[tokio::test]
async fn killed_after_any_call_of_a_destroy_nothing_more_is_left_than_without() {
    suite::destroy_killed_anywhere::<Cloud<true, 100>>(WHOLE, 30).await;
}

#[tokio::test]
async fn killed_in_a_destroy_and_wanted_again_it_is_there_again() {
    let block = with(&servers(), &[("skip_final_snapshot", "true")]);
    suite::destroy_killed_and_wanted_again::<Hurried<false>>(&block, 5).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_of_everything_around_one_apply_is_enough() {
    suite::answers_lost::<Hurried<true>>(None, WHOLE, 30).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    suite::answers_lost::<Hurried<false>>(None, &servers(), 15).await;
}

#[tokio::test]
async fn whichever_answer_of_a_change_is_lost_one_apply_is_enough() {
    let (before, after) = changed();
    suite::answers_lost::<Hurried<false>>(Some(&before), &after, 15).await;
}

#[tokio::test]
async fn whichever_answer_of_a_destroy_is_lost_one_is_enough() {
    suite::answers_of_a_destroy_lost::<Hurried<true>>(WHOLE, 30).await;
}

/// Fifty seconds, as patience counts them, of an AWS that refuses everything.
const STORM: Duration = Duration::from_millis(4 * 50_000 / HURRY as u64);

#[tokio::test]
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Servers>(SMALL, 12, STORM).await;
    suite::throttled::<Whole>(WHOLE, 5, STORM).await;
}

/// So many steps run side by side.
const SIDE_BY_SIDE: usize = 8;

/// Alarms are made side by side while CloudWatch refuses everything. Whoever found that out alone would ask a thousand times within the
/// second that this lasts, since nobody waits for long of their own accord here; together they ask once for each pause.
#[tokio::test]
async fn in_a_storm_of_throttling_all_go_slower_together() {
    let moment = Duration::from_millis(1);
    let policy = Policy { first_wait: moment, longest_wait: moment, ..Policy::hurried(10) };
    let mut world = World::whole(20).await;
    world.policy = policy;
    let planned = world.plan(WHOLE).await;
    world.fault(r#"{"action":"PutMetricAlarm","times":1000000,"fault":"throttle"}"#);
    let refused = || {
        let asked = world.emulator.asked();
        asked.iter().filter(|asked| asked.action == "PutMetricAlarm" && asked.outcome != "ok").count()
    };
    // All of it counts, what is refused before that is seen as well.
    let began = Instant::now();
    let storm = async {
        let deadline = Instant::now() + Duration::from_secs(60);
        while refused() == 0 {
            assert!(Instant::now() < deadline, "nobody was refused");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.emulator.with(|emulation| emulation.faults.clear());
        began.elapsed()
    };
    let ((outcome, _), lasted) = tokio::join!(world.walk(WHOLE, &planned), storm);
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(world.left(WHOLE).await, [""; 0]);
    let pauses = usize::try_from(lasted.as_millis() / 25).expect("a number") + 1;
    let refused = refused();
    assert!((1..=SIDE_BY_SIDE + pauses).contains(&refused), "{refused} in {lasted:?}");
}

#[tokio::test]
async fn a_destroy_leaves_logs_and_a_last_snapshot() {
    let left = [
        "logGroupName /aws/rds/instance/orders-r1/postgresql",
        "logGroupName /aws/rds/instance/orders-r1/upgrade",
        "logGroupName /aws/rds/instance/orders/postgresql",
        "logGroupName /aws/rds/instance/orders/upgrade",
        "snapshot of orders",
    ];
    suite::destroyed::<Whole>(WHOLE, &left).await;
    suite::destroyed::<Whole>(&with(SMALL, &[("skip_final_snapshot", "true")]), &[]).await;
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
