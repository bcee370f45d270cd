//! Made once, kept, killed anywhere, left without answers, throttled, destroyed.

use pgherd_engine::suite::{self, World as _};

use crate::world::{Cloudy, Hurried, PRIVATE, SMALL, STORM, WHOLE, with};

#[tokio::test]
async fn what_was_applied_is_kept_and_an_empty_plan_writes_nothing() {
    for block in [SMALL, WHOLE, PRIVATE] {
        let world = suite::kept::<Cloudy>(block).await;
        assert!(world.calls() <= 20, "{} calls of an empty plan that is carried out", world.calls());
    }
}

#[tokio::test]
async fn killed_after_any_call_it_ends_well() {
    suite::killed_anywhere::<Hurried>(None, WHOLE, 40).await;
}

#[tokio::test]
async fn killed_after_any_call_in_a_subnet_it_ends_well() {
    suite::killed_anywhere::<Hurried>(None, PRIVATE, 20).await;
}

/// Without replicas, since a major cannot be changed beside them.
#[tokio::test]
async fn killed_after_any_call_of_a_change_it_ends_well() {
    let before = with(WHOLE, &[("create_read_replica", "false"), ("read_replica_count", "")]);
    let after = [
        ("instance_class", "\"GP_Standard_D4ds_v5\""),
        ("allocated_storage", "128"),
        ("multi_az", "false"),
        ("engine_version", "\"17\""),
        ("tags", "{ Team = \"shop\" }"),
        ("allowed_cidr_blocks", "[\"192.0.2.0/24\"]"),
        ("parameters", "[{ name = \"work_mem\", value = \"32MB\" }]"),
        ("alarm_targets", "[\"ann@example.com\"]"),
        ("enable_deletion_protection", "true"),
    ];
    suite::killed_anywhere::<Hurried>(Some(&before), &with(&before, &after), 30).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_one_apply_is_enough() {
    suite::answers_lost::<Hurried>(None, WHOLE, 40).await;
}

#[tokio::test]
async fn killed_after_any_call_of_a_destroy_it_ends_well() {
    suite::destroy_killed_anywhere::<Hurried>(WHOLE, 15).await;
}

#[tokio::test]
async fn killed_in_a_destroy_and_wanted_again_it_is_there_again() {
    suite::destroy_killed_and_wanted_again::<Hurried>(SMALL, 3).await;
}

#[tokio::test]
async fn a_storm_of_throttling_ends_well() {
    suite::throttled::<Cloudy>(WHOLE, 24, STORM).await;
}

/// Azure keeps no backup of a server that is gone.
#[tokio::test]
async fn a_destroy_leaves_nothing() {
    suite::destroyed::<Cloudy>(WHOLE, &[]).await;
    suite::destroyed::<Cloudy>(&with(PRIVATE, &[("enable_deletion_protection", "false")]), &[]).await;
}

/// The vault keeps the name of a secret that was deleted, and nothing that opens what is made next.
#[tokio::test]
async fn what_was_destroyed_can_be_made_again_with_another_password() {
    let world = Cloudy::new().await;
    let password = || world.emulator.with(|azure| azure.servers["orders"].password.clone());
    crate::verbs::apply(&world, SMALL).await;
    let before = password();
    let spec = crate::world::spec(SMALL);
    let planned = pgherd_engine::run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await.expect("a look");
    assert!(crate::verbs::carried_out(&world, &spec, &planned).await.is_success());
    let kept = world.emulator.with(|azure| azure.deleted_secrets["orders-credentials"].versions.last().cloned());
    let (value, _) = kept.expect("it is kept");
    assert!(value.contains("\"password\":null"), "the newest version opens nothing");
    crate::verbs::apply(&world, SMALL).await;
    assert!(password() != before);
    assert_eq!(crate::verbs::left(&world, SMALL).await, [""; 0]);
}

#[tokio::test]
async fn a_service_that_fails_now_and_then_is_asked_again() {
    let world = Cloudy::new().await;
    for nth in [2, 6, 11, 14] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"error","status":503}}"#));
    }
    for nth in [4, 9] {
        world.fault(&format!(r#"{{"nth":{nth},"fault":"html"}}"#));
    }
    crate::verbs::apply(&world, WHOLE).await;
    assert_eq!(crate::verbs::left(&world, WHOLE).await, [""; 0]);
}

/// Where what goes on is told is asked in that spelling and no other; the emulator refuses any other.
#[tokio::test]
async fn operations_are_followed_byte_for_byte() {
    let world = Cloudy::new().await;
    crate::verbs::apply(&world, WHOLE).await;
    let asked = world.emulator.asked();
    let followed: Vec<_> = asked.iter().filter(|one| one.action == "operation.get").collect();
    assert!(followed.len() > 5 && followed.iter().all(|one| one.status == 200), "{}", followed.len());
    assert!(
        followed.iter().all(|one| one.query.len() > 3600 && one.query.contains("%2f") && one.query.contains("a+b~"))
    );
    let busy = asked.iter().filter(|one| one.outcome == "ServerIsBusy").count();
    assert!(busy > 0, "a server is busy for a while after");
}
