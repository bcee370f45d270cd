//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use pgherd_engine::suite::{self, World as _};

use crate::world::{Hurried, Ocean, SMALL, WHOLE, with};

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
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Ocean>(SMALL, 3, 3).await;
    suite::throttled::<Ocean>(WHOLE, 12, 4).await;
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
    crate::verbs::apply(&world, WHOLE).await;
    assert_eq!(crate::verbs::left(&world, WHOLE).await, [""; 0]);
}
