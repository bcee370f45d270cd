//! Ways in which a database could come to harm, and what keeps it from them.

use jiff::{SignedDuration, Timestamp};
use pgherd_engine::provider::ApplyNow;
use pgherd_engine::walk::Outcome;

use crate::world::{SMALL, World, changes, events, with};

const REPLICA: [(&str, &str); 1] = [("create_read_replica", "true")];

/// What failed, and what is said to do about it.
fn failed(outcome: &Outcome) -> Vec<String> {
    outcome.failed.iter().map(|(_, error)| format!("{error}; {}", error.help)).collect()
}

fn restarts(world: &World) -> Vec<String> {
    world.writes().into_iter().filter(|write| write.starts_with("Reboot")).collect()
}

fn connections(most: u32) -> String {
    format!("[{{ name = \"max_connections\", value = \"{most}\" }}]")
}

/// A small instance whose larger class waits for the window, and its block.
async fn with_a_class_that_waits() -> (World, String) {
    let world = World::with(SMALL).await;
    let small = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    world.apply(&small).await;
    world.forget_what_was_asked();
    (world, small)
}

/// The port restarts it at once, and that is all the plan says.
#[tokio::test]
async fn that_one_thing_interrupts_is_no_leave_for_another() {
    let (world, small) = with_a_class_that_waits().await;
    let block = with(&small, &[("port", "5433"), ("multi_az", "true")]);
    let planned = world.plan(&block).await;
    assert_eq!(
        changes(&planned),
        ["update instance orders: MultiAZ false -> true", "update instance orders: Port 5432 -> 5433"]
    );
    let refused: Vec<&str> = planned.plan.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(refused, ["pending-would-fire", "port-restarts-now"]);
}

#[tokio::test]
async fn a_maintenance_window_that_is_open_now_sets_off_what_waits() {
    let (world, small) = with_a_class_that_waits().await;
    let at = |hours: i64| (Timestamp::now() + SignedDuration::from_hours(hours)).strftime("%a:%H:%M").to_string();
    let time = |hours: i64| (Timestamp::now() + SignedDuration::from_hours(hours)).strftime("%H:%M").to_string();
    let window = format!("\"{}-{}\"", at(-2).to_lowercase(), at(2).to_lowercase());
    let backups = format!("\"{}-{}\"", time(10), time(12));
    let moved = with(&small, &[("backup_window", &backups), ("maintenance_window", &window)]);
    let planned = world.plan(&moved).await;
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&moved, &planned).await;
    assert_eq!(
        failed(&outcome),
        ["the maintenance window it is to have is open now, and does what waits for it: DBInstanceClass; \
          `apply --now` does both; or wait for the maintenance window"]
    );
    assert_eq!(world.writes(), [""; 0]);
}

fn fill(world: &World) {
    world.region(|region| region.instances.get_mut("orders").expect("it was made").is_full = true);
}

#[tokio::test]
async fn full_storage_grows_before_anything_else_is_asked() {
    let world = World::with(SMALL).await;
    fill(&world);
    let more = with(SMALL, &[("allocated_storage", "40"), ("max_allocated_storage", "100"), ("multi_az", "true")]);
    world.forget_what_was_asked();
    world.apply(&more).await;
    let asked = world.emulator.asked();
    let fields = asked.iter().filter(|asked| asked.action == "ModifyDBInstance").map(|asked| {
        let has = |field: &&str| asked.parameters.contains_key(*field);
        ["AllocatedStorage", "MaxAllocatedStorage", "MultiAZ"].into_iter().filter(has).collect::<Vec<_>>()
    });
    assert_eq!(fields.collect::<Vec<_>>(), [["AllocatedStorage"], ["MaxAllocatedStorage"], ["MultiAZ"]]);
    assert_eq!(world.left(&more).await, [""; 0]);
}

/// What RDS refuses of an instance that is at rest does not pass by waiting.
#[tokio::test]
async fn what_full_storage_does_not_take_is_told_soon() {
    let world = World::with(SMALL).await;
    fill(&world);
    let block = with(SMALL, &[("enable_deletion_protection", "true")]);
    let planned = world.plan(&block).await;
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&block, &planned).await;
    assert!(failed(&outcome)[0].contains("Its status is storage-full."), "{outcome:?}");
    assert_eq!(world.writes().len(), 3, "{:?}", world.writes());
}

/// A world in which what is told of settings is minutes old.
async fn late(block: &str) -> World {
    let world = World::with(block).await;
    world.region(|region| region.settings_lag = SignedDuration::from_secs(300));
    drop(world.plan(block).await);
    world.forget_what_was_asked();
    world
}

#[tokio::test]
async fn a_setting_restarts_once_however_late_rds_tells_of_it() {
    let of = |most: u32| with(SMALL, &[("parameters", connections(most).as_str())]);
    let world = late(&of(100)).await;
    world.apply_now(&of(200)).await;
    assert_eq!(restarts(&world), ["RebootDBInstance orders"]);
}

#[tokio::test]
async fn a_group_restarts_once_however_late_rds_tells_of_it() {
    let world = late(SMALL).await;
    let (name, family) = (("DBParameterGroupName", "shared"), ("DBParameterGroupFamily", "postgres16"));
    world.tamper("CreateDBParameterGroup", &[name, family, ("Description", "of all")]);
    world.apply_now(&with(SMALL, &[("parameter_group_name", "\"shared\"")])).await;
    assert_eq!(restarts(&world), ["RebootDBInstance orders"]);
}

#[tokio::test]
async fn a_restart_whose_answer_is_lost_is_asked_for_again_only_where_it_was_not_heard() {
    let of = |most: u32| with(SMALL, &[("parameters", connections(most).as_str())]);
    let world = World::with(&of(100)).await;
    world.forget_what_was_asked();
    world.fault(r#"{"action":"RebootDBInstance","fault":"lost"}"#);
    world.apply_now(&of(200)).await;
    assert_eq!(restarts(&world), ["RebootDBInstance orders: lost"]);
}

/// A standby that has less than its primary does not start; one whose primary has more waits for its own restart.
#[tokio::test]
async fn the_primary_restarts_first_where_nobody_knows_what_was_before() {
    let block = with(SMALL, &REPLICA);
    let world = World::with(&block).await;
    world.forget_what_was_asked();
    let more = with(&block, &[("parameters", connections(200).as_str())]);
    world.apply_now(&more).await;
    assert_eq!(restarts(&world), ["RebootDBInstance orders", "RebootDBInstance orders-r1"]);
}

/// What a restart brings that was accepted before, nobody knows any more either.
#[tokio::test]
async fn the_primary_restarts_first_where_the_restart_waited() {
    let of = |most: u32| with(&with(SMALL, &REPLICA), &[("parameters", connections(most).as_str())]);
    let world = World::with(&of(100)).await;
    world.apply(&of(200)).await;
    world.forget_what_was_asked();
    world.apply_now(&of(200)).await;
    assert_eq!(restarts(&world), ["RebootDBInstance orders", "RebootDBInstance orders-r1"]);
}

#[tokio::test]
async fn a_minor_upgrade_leaves_a_replica_of_somebody_else_at_its_version() {
    let old = with(SMALL, &[("engine_version", "\"16.10\""), ("create_read_replica", "true")]);
    let world = World::with(&old).await;
    let theirs = [("DBInstanceIdentifier", "reports"), ("SourceDBInstanceIdentifier", "orders")];
    world.tamper("CreateDBInstanceReadReplica", &theirs);
    world.pass(3600);
    world.forget_what_was_asked();
    let new = with(&old, &[("engine_version", "\"16.13\"")]);
    let (planned, said) = world.carried_out(&new, true).await;
    assert_eq!(
        changes(&planned),
        [
            "update instance orders: EngineVersion 16.10 -> 16.13",
            "update replica orders-r1: EngineVersion 16.10 -> 16.13"
        ]
    );
    assert_eq!(world.writes(), ["ModifyDBInstance orders-r1 now", "ModifyDBInstance orders now"]);
    assert!(said.contains(&"reports is not pgherd's, and keeps its version".to_owned()), "{said:?}");
    assert_eq!(world.left(&new).await, [""; 0]);
}

/// No room for a class, or an upgrade's own check that fails: RDS says so in its events alone.
#[tokio::test]
async fn what_rds_takes_and_gives_up_is_not_told_as_done() {
    let world = World::with(SMALL).await;
    let gives_up = |gives_up: bool| {
        world.region(|region| region.instances.get_mut("orders").expect("it is there").gives_up = gives_up);
    };
    let bigger = with(SMALL, &[("instance_class", "\"db.m6g.large\"")]);
    gives_up(true);
    let planned = world.planned(&bigger, true).await.expect("nothing is in the way");
    let (outcome, _) = world.walk(&bigger, &planned).await;
    let told = format!("{outcome:?}");
    assert!(!outcome.is_success() && told.contains("RDS took the change of DBInstanceClass to db.m6g.large"), "{told}");
    gives_up(false);
    world.apply_now(&bigger).await;
    assert_eq!(world.left(&bigger).await, [""; 0]);
}

/// Somebody has upgraded it further.
#[tokio::test]
async fn a_replica_of_a_later_version_is_not_taken_back() {
    let old = with(SMALL, &[("engine_version", "\"16.10\""), ("create_read_replica", "true")]);
    let world = World::with(&old).await;
    let upgrade = [("DBInstanceIdentifier", "orders-r1"), ("EngineVersion", "16.14"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &upgrade);
    world.pass(3600);
    world.forget_what_was_asked();
    world.apply_now(&with(&old, &[("engine_version", "\"16.13\"")])).await;
    assert_eq!(world.writes(), ["ModifyDBInstance orders now"]);
}

fn upgraded() -> (String, String) {
    let old = with(SMALL, &REPLICA);
    let new = with(&old, &[("engine_version", "\"17.7\"")]);
    (old, new)
}

#[tokio::test]
async fn another_major_in_the_window_has_its_group_with_it() {
    let (old, new) = upgraded();
    let mut world = World::with(&old).await;
    world.accepted.insert("major-upgrade".to_owned());
    world.forget_what_was_asked();
    let planned = world.apply(&new).await;
    insta::assert_snapshot!(changes(&planned).join("\n"), @r"
    create parameter_group orders-pg17
    update instance orders: DBParameterGroupName orders-pg16 -> orders-pg17 at a restart
    update instance orders: EngineVersion 16.13 -> 17.7 in the window
    update replica orders-r1: DBParameterGroupName orders-pg16 -> orders-pg17 at a restart
    update replica orders-r1: EngineVersion 16.13 -> 17.7 in the window
    ");
    insta::assert_snapshot!(world.writes().join("\n"), @r"
    AddTagsToResource orders
    CreateDBParameterGroup orders-pg17
    ModifyDBParameterGroup orders-pg17
    ModifyDBInstance orders
    ");
    assert_eq!(world.left(&new).await, [""; 0], "it was accepted, and waits");
    assert!(world.region(|region| region.snapshots.is_empty()), "one of today would be out of date by then");
    world.pass(8 * 86_400);
    // RDS takes the replica along once the instance is there.
    assert_eq!(world.left(&new).await, [""; 0]);
    world.pass(3600);
    let versions = world.region(|region| {
        let all = region.instances.values().map(|one| (one.set.version.clone(), one.set.parameter_group.clone()));
        all.collect::<Vec<_>>()
    });
    let of_17 = ("17.7".to_owned(), "orders-pg17".to_owned());
    assert_eq!(versions, [of_17.clone(), of_17]);
    assert_eq!(world.left(&new).await, ["delete parameter_group orders-pg16"]);
}

#[tokio::test]
async fn replicas_go_along_to_another_major_now() {
    let (old, new) = upgraded();
    let mut world = World::with(&old).await;
    world.accepted.insert("major-upgrade".to_owned());
    world.apply_now(&new).await;
    let versions =
        world.region(|region| region.instances.values().map(|one| one.set.version.clone()).collect::<Vec<_>>());
    assert_eq!(versions, ["17.7", "17.7"]);
    assert!(!world.left(&new).await.iter().any(|change| change.starts_with("update")), "{:?}", world.left(&new).await);
}

#[tokio::test]
async fn what_waits_of_another_major_is_done_now_with_its_group() {
    let (_, new) = upgraded();
    let (old, new) = (SMALL, with(&new, &[("create_read_replica", "")]));
    let mut world = World::with(old).await;
    world.accepted.insert("major-upgrade".to_owned());
    world.apply(&new).await;
    world.apply_now(&new).await;
    let set = world.region(|region| {
        let set = &region.instances["orders"].set;
        (set.version.clone(), set.parameter_group.clone())
    });
    assert_eq!(set, ("17.7".to_owned(), "orders-pg17".to_owned()));
}

#[tokio::test]
async fn a_snapshot_to_go_back_to_is_not_taken_twice() {
    let mut world = World::with(SMALL).await;
    world.accepted.insert("major-upgrade".to_owned());
    let newer = with(SMALL, &[("engine_version", "\"17.7\"")]);
    let planned = world.planned(&newer, true).await.expect("nothing is in the way");
    world.fault(r#"{"action":"ModifyDBInstance","fault":"denied"}"#);
    let (outcome, _) = world.walk(&newer, &planned).await;
    assert!(!outcome.is_success());
    world.apply_now(&newer).await;
    let snapshots: Vec<String> = world.region(|region| region.snapshots.keys().cloned().collect());
    assert!(matches!(snapshots.as_slice(), [one] if one.starts_with("orders-before-17-")), "{snapshots:?}");
}

/// It has grown by itself as far as it may.
#[tokio::test]
async fn storage_that_has_reached_its_limit_is_no_difference() {
    let block = with(SMALL, &[("max_allocated_storage", "40")]);
    let world = World::with(&block).await;
    let grown = [("DBInstanceIdentifier", "orders"), ("AllocatedStorage", "40"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &grown);
    world.pass(7200);
    assert_eq!(world.left(&block).await, [""; 0]);
}

/// For a moment it is still `available` with its old port.
#[tokio::test]
async fn another_port_is_waited_for() {
    let mut world = World::going_by(1).await;
    world.accepted.insert("port-restarts-now".to_owned());
    world.apply(SMALL).await;
    world.apply(&with(SMALL, &[("port", "5433")])).await;
    let (port, phases) = world.region(|region| {
        let orders = &region.instances["orders"];
        (orders.set.port, orders.phases.len())
    });
    assert_eq!((port, phases), (5433, 0));
}

#[tokio::test]
async fn what_another_run_made_meanwhile_is_not_restarted() {
    let world = World::new().await;
    let planned = world.plan(SMALL).await;
    world.apply(SMALL).await;
    let setting = [
        ("DBParameterGroupName", "orders-pg16"),
        ("Parameters.Parameter.1.ParameterName", "max_connections"),
        ("Parameters.Parameter.1.ParameterValue", "50"),
        ("Parameters.Parameter.1.ApplyMethod", "pending-reboot"),
    ];
    world.tamper("ModifyDBParameterGroup", &setting);
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(SMALL, &planned).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(restarts(&world), [""; 0]);
}

/// Protection that somebody turned on is not waited for to pass.
#[tokio::test]
async fn a_replica_that_is_protected_meanwhile_is_not_deleted() {
    let block = with(SMALL, &REPLICA);
    let world = World::with(&block).await;
    let planned = world.plan_destroy(&block).await;
    world.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", "orders-r1"), ("DeletionProtection", "true")]);
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&block, &planned).await;
    assert_eq!(
        failed(&outcome),
        ["orders-r1 is protected from deletion; somebody protected it: turn that off in RDS, then run this again"]
    );
    assert_eq!(world.writes(), [""; 0]);
}

#[tokio::test]
async fn what_is_broken_is_deleted_without_a_last_snapshot_only() {
    let world = World::with(SMALL).await;
    world.region(|region| {
        let orders = region.instances.get_mut("orders").expect("it was made");
        orders.goes_through("failed", SignedDuration::from_hours(24), Vec::new(), orders.created);
    });
    let outcome = world.destroy(SMALL).await;
    assert_eq!(
        failed(&outcome),
        [
            "orders is failed, and cannot be deleted with a last snapshot: RDS takes none of what is so; restore its backups into a \
          new database first; skip_final_snapshot = true then deletes it with its automated backups, and snapshots that were taken stay"
        ]
    );
    assert_eq!(world.instances(), ["orders"]);
    assert!(world.destroy(&with(SMALL, &[("skip_final_snapshot", "true")])).await.is_success());
    assert_eq!(world.instances(), [""; 0]);
}

/// That a server of somebody else uses a group of our name says nothing of whose it is.
#[tokio::test]
async fn a_group_that_only_somebody_elses_server_uses_is_not_taken() {
    let block = with(SMALL, &[("create_read_replica", "true"), ("skip_final_snapshot", "true")]);
    let world = World::with(&block).await;
    world.tamper("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    world.pass(3600);
    world.tamper("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")]);
    world.pass(3600);
    for (kind, name) in [("pg", "orders-pg16"), ("subgrp", "orders")] {
        let arn = world.region(|region| region.arn(kind, name));
        world.tamper("RemoveTagsFromResource", &[("ResourceName", &arn), ("TagKeys.member.1", "pgherd:block")]);
    }
    let told = world.plan(SMALL).await.plan.diagnostics;
    let told: Vec<_> = told.iter().map(|told| told.message.as_str()).collect();
    assert_eq!(
        told,
        [
            "subnet_group orders exists and is not pgherd's: it has no tag pgherd:block",
            "parameter_group orders-pg16 exists and is not pgherd's: it has no tag pgherd:block"
        ]
    );
}

#[tokio::test]
async fn names_of_groups_are_told_in_lower_case() {
    let world = World::new().await;
    let (name, family) = (("DBParameterGroupName", "shared"), ("DBParameterGroupFamily", "postgres16"));
    world.tamper("CreateDBParameterGroup", &[name, family, ("Description", "of all")]);
    let block = with(SMALL, &[("parameter_group_name", "\"Shared\"")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
}

/// RDS says the same of what does not pass as of what does, and goes on saying it.
#[tokio::test]
async fn a_replica_that_never_can_be_made_is_refused_soon() {
    let world = World::with(SMALL).await;
    let planned = world.plan(&with(SMALL, &[("create_read_replica", "true")])).await;
    let replica = planned.desired.iter().find(|one| one.id.kind == "replica").expect("it is wanted");
    let without = [("DBInstanceIdentifier", "orders"), ("BackupRetentionPeriod", "0"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &without);
    world.forget_what_was_asked();
    let (events, _heard) = events();
    let refused = world.provider().create(replica, ApplyNow(false), &events).await.expect_err("it has no backups");
    assert!(refused.message.contains("Automated backups are not enabled"), "{refused:?}");
    let asked = world.emulator.asked();
    assert_eq!(asked.iter().filter(|asked| asked.action == "CreateDBInstanceReadReplica").count(), 3);
}
