//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use pgherd_engine::suite;

use crate::target::{Hurried, Servers, Whole};
use crate::world::{LARGE, SMALL, WHOLE, World, with};

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

#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let before = with(SMALL, &[("backup_retention_period", "1")]);
    let after = [
        ("instance_class", "\"db.t3.small\""),
        ("allocated_storage", "30"),
        ("multi_az", "true"),
        ("apply_immediately", "true"),
        ("tags", "{ Owner = \"ann\" }"),
        ("parameters", "[{ name = \"shared_buffers\", value = \"256MB\" }]"),
    ];
    suite::killed_anywhere::<Hurried<false>>(Some(&before), &with(&before, &after), 15).await;
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
    suite::destroy_killed_anywhere::<Hurried<true>>(WHOLE, 30).await;
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
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Servers>(SMALL, 12, 2).await;
    suite::throttled::<Whole>(WHOLE, 5, 6).await;
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
