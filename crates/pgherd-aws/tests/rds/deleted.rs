//! The end: replicas before their source, a last snapshot, nothing left that was not asked for, and never what is not ours.

use pgherd_engine::run::Planned;

use crate::world::{LARGE, SMALL, World, changes, with};

#[tokio::test]
async fn replicas_are_gone_before_their_source_and_nothing_is_left() {
    let world = World::with(LARGE).await;
    world.forget_what_was_asked();
    let outcome = world.destroy(LARGE).await;
    assert!(outcome.is_success(), "{outcome:?}");
    insta::assert_snapshot!(world.writes().join("\n"), @r"
    DeleteDBInstance orders-r1
    DeleteDBInstance orders-r2
    DeleteDBInstance orders
    DeleteDBParameterGroup orders-pg16
    DeleteDBSubnetGroup orders
    ");
    let left = world.region(|region| {
        (region.instances.len(), region.parameter_groups.len(), region.subnet_groups.len(), region.retained.len())
    });
    assert_eq!(left, (0, 0, 0, 0));
    let events = world.region(|region| region.events.iter().map(|event| event.message.clone()).collect::<Vec<_>>());
    assert!(!events.iter().any(|message| message.contains("promoted")), "{events:?}");
    let snapshots: Vec<String> = world.region(|region| region.snapshots.keys().cloned().collect());
    assert!(matches!(snapshots.as_slice(), [one] if one.starts_with("orders-final-")), "{snapshots:?}");
    assert_eq!(changes(&world.plan_destroy(LARGE).await), [""; 0]);
}

#[tokio::test]
async fn a_last_snapshot_of_a_name_that_is_taken_gets_another() {
    let world = World::with(SMALL).await;
    let taken = [("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "orders-last")];
    world.tamper("CreateDBSnapshot", &taken);
    world.pass(3600);
    let block = with(SMALL, &[("final_snapshot_identifier", "\"orders-last\"")]);
    assert!(world.destroy(&block).await.is_success());
    let snapshots: Vec<String> = world.region(|region| region.snapshots.keys().cloned().collect());
    assert_eq!((snapshots.len(), snapshots[0].as_str()), (2, "orders-last"));
    assert!(snapshots[1].starts_with("orders-last-20"), "{snapshots:?}");
}

#[tokio::test]
async fn no_snapshot_is_taken_where_that_is_asked_for() {
    let block = with(SMALL, &[("skip_final_snapshot", "true")]);
    let world = World::with(&block).await;
    assert!(world.destroy(&block).await.is_success());
    assert!(world.region(|region| region.snapshots.is_empty()));
}

#[tokio::test]
async fn what_is_protected_is_not_deleted() {
    let block = with(SMALL, &[("enable_deletion_protection", "true")]);
    let world = World::with(&block).await;
    assert!(world.plan_destroy(&block).await.plan.is_refused());
    // The block says nothing any more, and RDS still does.
    assert!(world.plan_destroy(SMALL).await.plan.is_refused());
    world.apply(SMALL).await;
    assert!(world.destroy(SMALL).await.is_success());
    assert_eq!(world.instances(), [""; 0]);
}

/// Somebody protected it after the plan.
#[tokio::test]
async fn protection_is_looked_for_once_more_before_deleting() {
    let world = World::with(SMALL).await;
    let planned = world.plan_destroy(SMALL).await;
    let protection = [("DBInstanceIdentifier", "orders"), ("DeletionProtection", "true")];
    world.tamper("ModifyDBInstance", &protection);
    let (outcome, _) = world.walk(SMALL, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["orders is protected from deletion"]);
    assert_eq!(world.instances(), ["orders"]);
}

/// RDS would make a database of its own of it.
#[tokio::test]
async fn a_source_with_a_replica_of_somebody_else_is_not_deleted() {
    let world = World::with(SMALL).await;
    let replica = [("DBInstanceIdentifier", "reports"), ("SourceDBInstanceIdentifier", "orders")];
    world.tamper("CreateDBInstanceReadReplica", &replica);
    world.pass(3600);
    let outcome = world.destroy(SMALL).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["orders has read replicas that would become databases of their own: reports"]);
    assert_eq!(world.instances(), ["orders", "reports"]);
}

#[tokio::test]
async fn a_replica_that_was_promoted_is_left_alone() {
    let block = with(SMALL, &[("create_read_replica", "true"), ("skip_final_snapshot", "true")]);
    let world = World::with(&block).await;
    world.tamper("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    world.pass(3600);
    assert!(!changes(&world.plan_destroy(&block).await).iter().any(|change| change.contains("orders-r1")));
    let outcome = world.destroy(&block).await;
    // It is still in the groups of its former source.
    let mut failed: Vec<_> = outcome.failed.iter().map(|(id, _)| id.to_string()).collect();
    failed.sort();
    assert_eq!(failed, ["parameter_group orders-pg16", "subnet_group orders"]);
    // Nobody waits for it to go: the end of the instance asks once whether they may.
    let asked = |action: &str| world.writes().iter().filter(|call| call.starts_with(action)).count();
    assert_eq!((asked("DeleteDBSubnetGroup"), asked("DeleteDBParameterGroup")), (1, 1));
    assert_eq!(world.instances(), ["orders-r1"]);
}

/// It keeps its name and its tag, and the plan wants a replica of that name.
#[tokio::test]
async fn a_replica_that_was_promoted_is_not_taken_for_one() {
    let block = with(SMALL, &[("create_read_replica", "true")]);
    let world = World::with(&block).await;
    world.tamper("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    world.pass(3600);
    let told = |planned: &Planned| {
        let told = planned.plan.diagnostics.iter().map(|told| format!("{}: {}", told.code, told.message));
        told.collect::<Vec<_>>()
    };
    let planned = world.plan(&block).await;
    assert_eq!(changes(&planned), [""; 0]);
    let reason = "it follows nobody any more, and is a database of its own";
    assert_eq!(told(&planned), [format!("not-ours: replica orders-r1 exists and is not pgherd's: {reason}")]);
    let destroyed = world.plan_destroy(&block).await;
    assert_eq!(
        told(&destroyed),
        [
            "groups-in-use: orders-r1 stays, and so does what it is in: parameter_group orders-pg16, subnet_group orders"
                .to_owned(),
            format!("left-alone: replica orders-r1 is not pgherd's and is left alone: {reason}"),
        ]
    );
}

/// There was none of that name when the plan was made.
#[tokio::test]
async fn a_replica_that_was_made_and_promoted_meanwhile_is_not_taken_for_one() {
    let world = World::with(SMALL).await;
    let block = with(SMALL, &[("create_read_replica", "true")]);
    let planned = world.plan(&block).await;
    world.apply(&block).await;
    world.tamper("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    world.pass(3600);
    world.forget_what_was_asked();
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["orders-r1 is no read replica any more, and a database of its own"]);
    assert_eq!(world.writes(), [""; 0]);
}

/// It was one when the plan was made.
#[tokio::test]
async fn a_replica_that_is_promoted_meanwhile_is_not_deleted() {
    let block = with(SMALL, &[("create_read_replica", "true")]);
    let world = World::with(&block).await;
    let planned = world.plan_destroy(&block).await;
    world.tamper("PromoteReadReplica", &[("DBInstanceIdentifier", "orders-r1")]);
    world.pass(3600);
    let (outcome, _) = world.walk(&block, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["orders-r1 is no read replica any more, and would be deleted without a last snapshot"]);
    assert_eq!(world.instances(), ["orders", "orders-r1"]);
}

#[tokio::test]
async fn fewer_replicas_take_the_last_ones_away() {
    let world = World::with(LARGE).await;
    let fewer = with(LARGE, &[("read_replica_count", "1")]);
    let planned = world.apply(&fewer).await;
    assert_eq!(changes(&planned), ["delete replica orders-r2"]);
    assert_eq!(world.instances(), ["orders", "orders-r1"]);
    assert_eq!(world.left(&fewer).await, [""; 0]);
}

/// It would be a database of its own, and nobody asked for one.
#[tokio::test]
async fn a_replica_that_somebody_elses_follows_is_not_taken_away() {
    let world = World::with(LARGE).await;
    let backed = [("DBInstanceIdentifier", "orders-r2"), ("BackupRetentionPeriod", "1"), ("ApplyImmediately", "true")];
    world.tamper("ModifyDBInstance", &backed);
    world.pass(3600);
    let replica = [("DBInstanceIdentifier", "reports"), ("SourceDBInstanceIdentifier", "orders-r2")];
    world.tamper("CreateDBInstanceReadReplica", &replica);
    world.pass(3600);
    let fewer = with(LARGE, &[("read_replica_count", "1")]);
    let planned = world.planned(&fewer, false).await.expect("nothing is in the way");
    let (outcome, _) = world.walk(&fewer, &planned).await;
    let failed: Vec<_> = outcome.failed.iter().map(|(_, error)| error.to_string()).collect();
    assert_eq!(failed, ["orders-r2 has read replicas that would become databases of their own: reports"]);
    assert_eq!(world.instances(), ["orders", "orders-r1", "orders-r2", "reports"]);
}

#[tokio::test]
async fn killed_while_it_is_deleted_the_next_run_does_the_rest() {
    let block = with(SMALL, &[("create_read_replica", "true")]);
    let world = World::with(&block).await;
    world.fault(r#"{"action":"DeleteDBInstance","times":2,"fault":"lost"}"#);
    assert!(world.destroy(&block).await.is_success());
    assert_eq!(world.instances(), [""; 0]);
    assert_eq!(world.region(|region| region.snapshots.len()), 1);
}

/// A group under our name that somebody else made.
#[tokio::test]
async fn groups_of_somebody_else_are_neither_taken_nor_deleted() {
    let world = World::new().await;
    let group = ["DBParameterGroupName", "DBParameterGroupFamily", "Description"];
    world.tamper(
        "CreateDBParameterGroup",
        &group.into_iter().zip(["orders-pg16", "postgres16", "x"]).collect::<Vec<_>>(),
    );
    let planned = world.plan(SMALL).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["not-ours"]);
    assert_eq!(changes(&world.plan_destroy(SMALL).await), [""; 0]);
}

#[tokio::test]
async fn a_group_of_somebody_else_gets_no_tags_of_ours() {
    let world = World::with(SMALL).await;
    let arn = world.region(|region| region.arn("subgrp", "orders"));
    world.tamper("RemoveTagsFromResource", &[("ResourceName", &arn), ("TagKeys.member.1", "pgherd:block")]);
    world.forget_what_was_asked();
    let tagged = with(SMALL, &[("tags", r#"{ Owner = "ann" }"#)]);
    let (_, _) = world.carried_out(&tagged, false).await;
    let writes = world.writes();
    assert!(writes.iter().any(|write| write.starts_with("AddTagsToResource")), "{writes:?}");
    assert!(world.region(|region| !region.tags[&arn].contains_key("Owner")));
}
