//! What interrupts service waits for the window or a restart, is told, and is not asked for again.

use pgherd_core::resource::Observed;
use pgherd_engine::run::Planned;

use crate::world::{LARGE, SMALL, World, with};

/// What waits, and for what.
fn pending(planned: &Planned) -> Vec<String> {
    let of = |seen: &Observed| {
        let id = seen.id.clone();
        seen.pending
            .iter()
            .map(move |one| format!("{id}: {} waits for {}", one.field, one.waits_for))
            .collect::<Vec<_>>()
    };
    planned.observed.iter().flat_map(of).collect()
}

#[tokio::test]
async fn a_class_waits_for_the_window_and_is_done_in_it() {
    let world = World::with(SMALL).await;
    let small = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    let planned = world.plan(&small).await;
    assert_eq!(
        crate::world::changes(&planned),
        ["update instance orders: DBInstanceClass db.t3.micro -> db.t3.small in the window"]
    );
    let (outcome, _) = world.walk(&small, &planned).await;
    assert_eq!((outcome.is_success(), outcome.waiting), (true, 1));
    let again = world.plan(&small).await;
    assert_eq!(crate::world::changes(&again), [""; 0]);
    assert_eq!(pending(&again), ["instance orders: DBInstanceClass waits for the maintenance window"]);
    world.forget_what_was_asked();
    world.apply(&small).await;
    assert_eq!(world.writes(), [""; 0]);
    world.pass(7 * 86_400);
    assert_eq!(world.region(|region| region.instances["orders"].set.class.clone()), "db.t3.small");
    assert_eq!(pending(&world.plan(&small).await), [""; 0]);
}

#[tokio::test]
async fn what_waits_is_done_now_when_that_is_asked_for() {
    let world = World::with(SMALL).await;
    let small = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    world.apply(&small).await;
    world.forget_what_was_asked();
    world.apply_now(&small).await;
    assert_eq!(world.writes(), ["ModifyDBInstance orders now"]);
    assert_eq!(world.region(|region| region.instances["orders"].set.class.clone()), "db.t3.small");
}

/// `ApplyImmediately` also brings everything that waits.
#[tokio::test]
async fn a_harmless_change_does_not_fire_what_waits() {
    let world = World::with(SMALL).await;
    let small = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    let standby = with(SMALL, &[("multi_az", "true")]);
    // Planned before anything waited.
    let planned = world.plan(&standby).await;
    world.apply(&small).await;
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&standby, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| format!("{error}; {}", error.help)).collect();
    assert_eq!(
        failed,
        ["changing MultiAZ now also does what waits for the window: DBInstanceClass; \
          `apply --now` does both; or wait for the maintenance window"]
    );
    assert_eq!(world.writes(), [""; 0]);
    let both = with(&small, &[("multi_az", "true")]);
    let refused = world.plan(&both).await.plan.diagnostics;
    assert_eq!(refused.iter().map(|told| told.code).collect::<Vec<_>>(), ["pending-would-fire"]);
    world.apply_now(&both).await;
    assert_eq!(world.left(&both).await, [""; 0]);
}

#[tokio::test]
async fn what_rides_at_once_does_not_fire_what_waits() {
    let world = World::with(SMALL).await;
    let small = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    world.apply(&small).await;
    let protected = with(&small, &[("enable_deletion_protection", "true")]);
    world.apply(&protected).await;
    let (protection, class) = world.region(|region| {
        let set = &region.instances["orders"].set;
        (set.protection, set.class.clone())
    });
    assert_eq!((protection, class.as_str()), (true, "db.t3.micro"));
}

#[tokio::test]
async fn a_static_setting_waits_for_a_restart_that_now_brings() {
    let world = World::with(SMALL).await;
    let more = with(SMALL, &[("parameters", "[{ name = \"max_connections\", value = \"200\" }]")]);
    let planned = world.plan(&more).await;
    assert_eq!(
        crate::world::changes(&planned),
        ["update parameter_group orders-pg16: Parameters.max_connections (none) -> 200 at a restart"]
    );
    let (outcome, _) = world.walk(&more, &planned).await;
    assert_eq!((outcome.is_success(), outcome.waiting), (true, 1));
    let again = world.plan(&more).await;
    assert_eq!(crate::world::changes(&again), [""; 0]);
    assert_eq!(pending(&again), ["instance orders: DBParameterGroupName waits for a restart"]);
    world.pass(7 * 86_400);
    assert_eq!(pending(&world.plan(&more).await).len(), 1, "no window brings it");
    world.forget_what_was_asked();
    world.apply_now(&more).await;
    assert!(world.writes().contains(&"RebootDBInstance orders".to_owned()), "{:?}", world.writes());
    assert_eq!(pending(&world.plan(&more).await), [""; 0]);
}

/// A standby must allow at least as much as its primary.
#[tokio::test]
async fn replicas_restart_first_where_a_limit_is_raised_and_last_where_it_is_lowered() {
    let of = |most: u32| {
        let parameters = format!("[{{ name = \"max_connections\", value = \"{most}\" }}]");
        with(SMALL, &[("create_read_replica", "true"), ("parameters", parameters.as_str())])
    };
    let world = World::with(&of(100)).await;
    let order = async |most: u32| {
        world.forget_what_was_asked();
        world.apply_now(&of(most)).await;
        assert_eq!(world.left(&of(most)).await, [""; 0]);
        world.writes().into_iter().filter(|write| write.starts_with("Reboot")).collect::<Vec<_>>()
    };
    assert_eq!(order(200).await, ["RebootDBInstance orders-r1", "RebootDBInstance orders"]);
    assert_eq!(order(50).await, ["RebootDBInstance orders", "RebootDBInstance orders-r1"]);
}

#[tokio::test]
async fn a_minor_upgrade_takes_the_replicas_first() {
    let old = with(LARGE, &[("engine_version", "\"16.10\"")]);
    let world = World::with(&old).await;
    world.forget_what_was_asked();
    world.apply_now(LARGE).await;
    assert_eq!(
        world.writes(),
        ["ModifyDBInstance orders-r1 now", "ModifyDBInstance orders-r2 now", "ModifyDBInstance orders now"]
    );
    assert_eq!(world.left(LARGE).await, [""; 0]);
}

#[tokio::test]
async fn another_major_takes_its_group_along_and_leaves_none_behind() {
    let mut world = World::with(SMALL).await;
    let newer = with(SMALL, &[("engine_version", "\"17.7\"")]);
    let refused = world.plan(&newer).await.plan.diagnostics;
    insta::assert_snapshot!(
        refused.iter().map(|told| format!("{}: {}; {}", told.code, told.message, told.help)).collect::<String>(),
        @"major-upgrade: orders goes from PostgreSQL 16 to 17, which RDS cannot take back; try it on a copy first; in the window RDS takes a snapshot before it begins where backups are kept, and `apply --now` always takes one; or accept that with --accept major-upgrade"
    );
    world.accepted.insert("major-upgrade".to_owned());
    world.forget_what_was_asked();
    let planned = world.apply_now(&newer).await;
    insta::assert_snapshot!(crate::world::changes(&planned).join("\n"), @r"
    create parameter_group orders-pg17
    update instance orders: DBParameterGroupName orders-pg16 -> orders-pg17
    update instance orders: EngineVersion 16.13 -> 17.7
    ");
    insta::assert_snapshot!(world.writes().join("\n"), @r"
    AddTagsToResource orders
    CreateDBParameterGroup orders-pg17
    ModifyDBParameterGroup orders-pg17
    CreateDBSnapshot orders
    ModifyDBInstance orders now
    DeleteDBParameterGroup orders-pg16
    RemoveTagsFromResource orders
    ");
    assert_eq!(world.left(&newer).await, [""; 0]);
    let groups: Vec<String> = world.region(|region| region.parameter_groups.keys().cloned().collect());
    assert_eq!(groups, ["orders-pg17"]);
    let snapshots: Vec<String> = world.region(|region| region.snapshots.keys().cloned().collect());
    assert!(matches!(snapshots.as_slice(), [one] if one.starts_with("orders-before-17-")), "{snapshots:?}");
}

/// What was made with a version stays with it where the block names none.
#[tokio::test]
async fn a_version_that_nobody_wrote_is_no_drift() {
    let world = World::with(SMALL).await;
    let versionless = with(SMALL, &[("engine_version", "")]);
    let left = world.left(&versionless).await;
    assert!(!left.iter().any(|change| change.contains("EngineVersion")), "{left:?}");
}

/// RDS changes nothing of what is stopped, and starts it again by itself after seven days.
#[tokio::test]
async fn what_somebody_has_stopped_takes_no_change_until_it_is_started() {
    let world = World::with(SMALL).await;
    let orders = [("DBInstanceIdentifier", "orders")];
    world.tamper("StopDBInstance", &orders);
    world.pass(3600);
    assert_eq!(world.left(SMALL).await, [""; 0]);
    let longer = with(SMALL, &[("backup_retention_period", "9")]);
    let refused = world.plan(&longer).await.plan;
    let said: Vec<_> = refused.diagnostics.iter().map(|said| (said.code, said.message.as_str())).collect();
    assert_eq!(said, [("stopped", "orders is stopped, and RDS changes nothing of it meanwhile")]);
    world.tamper("StartDBInstance", &orders);
    world.pass(3600);
    world.apply(&longer).await;
    assert_eq!(world.left(&longer).await, [""; 0]);
}
