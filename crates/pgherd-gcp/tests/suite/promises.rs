//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use pgherd_engine::suite::{self, World as _};

use crate::world::{Google, Hurried, SMALL, STORM, WHOLE, with};

#[tokio::test]
async fn what_was_applied_is_kept_and_an_empty_plan_writes_nothing() {
    for block in [SMALL, WHOLE] {
        let world = suite::kept::<Google>(block).await;
        assert!(world.calls() <= 14, "{} calls of an empty plan that is carried out", world.calls());
    }
}

#[tokio::test]
async fn killed_after_any_call_it_ends_well() {
    suite::killed_anywhere::<Hurried>(None, WHOLE, 25).await;
}

#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let after = [
        ("instance_class", "\"db-custom-4-16384\""),
        ("allocated_storage", "90"),
        ("multi_az", "false"),
        ("engine_version", "\"17\""),
        ("tags", "{ Team = \"shop\" }"),
        ("allowed_cidr_blocks", "[\"192.0.2.0/24\"]"),
        ("parameters", "[{ name = \"work_mem\", value = \"32MB\" }]"),
        ("alarm_targets", "[\"ann@example.com\"]"),
        ("create_read_replica", "false"),
        ("read_replica_count", ""),
    ];
    suite::killed_anywhere::<Hurried>(Some(WHOLE), &with(WHOLE, &after), 15).await;
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

/// A token ends while something is waited for, and for a moment there is no other.
#[tokio::test]
async fn a_token_that_ends_in_a_wait_is_fetched_anew() {
    let mut world = Google::new().await;
    world.is_a_person = true;
    world.fault(r#"{"action":"sql.operations.get","nth":2,"fault":"expired_token"}"#);
    world.fault(r#"{"action":"oauth2.token","nth":3,"fault":"error","status":503}"#);
    // One looks, another applies: each has a token of its own.
    crate::verbs::apply(&world, SMALL).await;
    let asked = world.emulator.asked();
    let refused = asked.iter().filter(|one| one.status == 401).count();
    let tokens = asked.iter().filter(|one| one.action == "oauth2.token").map(|one| one.status).collect::<Vec<_>>();
    assert_eq!((refused, tokens), (1, vec![200, 200, 503, 200]));
    assert_eq!(crate::verbs::left(&world, SMALL).await, [""; 0]);
}

#[tokio::test]
async fn killed_in_a_destroy_and_wanted_again_it_is_there_again() {
    suite::destroy_killed_and_wanted_again::<Hurried>(SMALL, 3).await;
}

#[tokio::test]
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Google>(WHOLE, 24, STORM).await;
}

/// A last backup outlives the instance, and nothing else does.
#[tokio::test]
async fn a_destroy_leaves_the_last_backup_where_one_is_wanted() {
    suite::destroyed::<Google>(WHOLE, &["last backup of \"orders\""]).await;
    suite::destroyed::<Google>(SMALL, &[]).await;
}

#[tokio::test]
async fn a_service_that_fails_now_and_then_is_asked_again() {
    let world = Google::new().await;
    for nth in [2, 6, 11, 14] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"error","status":503}}"#));
    }
    for nth in [4, 9] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"html"}}"#));
    }
    crate::verbs::apply(&world, WHOLE).await;
    assert_eq!(crate::verbs::left(&world, WHOLE).await, [""; 0]);
}
