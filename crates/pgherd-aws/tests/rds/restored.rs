//! Databases that are made of what was kept of others, which nothing of it touches.

use pgherd_engine::provider::{ErrorKind, Operation, Point};

use crate::cut::Doing;
use crate::world::{World, spec, with};

/// A database with what no restore call takes, and with what every one of them would turn off.
pub const SOURCE: &str = r#"
    name                    = "orders"
    engine_version          = "16.13"
    instance_class          = "db.t3.micro"
    allocated_storage       = 20
    max_allocated_storage   = 40
    database_name           = "shop"
    master_username         = "chief"
    vpc_id                  = "vpc-default"
    subnet_ids              = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks     = ["10.0.0.0/16"]
    backup_retention_period = 3
    backup_window           = "02:00-03:00"
    maintenance_window      = "sat:04:00-sat:05:00"
    monitoring_interval     = 60
    enable_logging          = true
    enable_performance_insights = true
    iam_database_authentication_enabled = true
    enable_deletion_protection  = true
    parameters              = [{ name = "shared_buffers", value = "256MB" }]
    tags                    = { Owner = "ann" }
"#;

/// The block of what is made of it.
fn copy(block: &str) -> String {
    with(block, &[("name", "\"copy\"")])
}

fn restore(block: &str, point: Point) -> Operation {
    Operation::Restore { name: "orders".to_owned(), to: Box::new(spec(block)), point }
}

/// A world with the database, and a backup of it.
async fn world(seconds: i64) -> World {
    let world = World::whole(seconds).await;
    world.apply(SOURCE).await;
    let snapshot = [("DBSnapshotIdentifier", "orders-1"), ("DBInstanceIdentifier", "orders")];
    world.tamper("CreateDBSnapshot", &snapshot);
    world.pass(3600);
    world.forget_what_was_asked();
    world
}

/// The calls to RDS about the instance that something was made of.
fn touching_the_source(world: &World) -> Vec<String> {
    world.writes().into_iter().filter(|call| call.split(' ').any(|word| word == "orders")).collect()
}

#[track_caller]
fn is_done(world: &World, left: &[String], source: &[String]) {
    assert_eq!((left, source), (&[][..], &[][..]));
    assert_eq!(world.instances(), ["copy", "orders"]);
    assert!(world.secret_opens("copy", "copy") && world.secret_opens("orders", "orders"));
    assert!(!world.secret_opens("copy", "orders"), "the new database has a password of its own");
    assert_eq!(touching_the_source(world), [""; 0]);
    let marks = world.region(|region| {
        let worn = region.tags.values().flat_map(|tags| tags.keys().cloned());
        worn.filter(|key| key == "pgherd:restoring").count()
    });
    assert_eq!(marks, 0);
}

#[tokio::test]
async fn of_a_backup_comes_a_database_that_is_as_its_block_says() {
    let world = world(20).await;
    let block = copy(SOURCE);
    world.operate(&restore(&block, Point::Backup("orders-1".to_owned()))).await.expect("it is restored");
    insta::assert_snapshot!(world.writes().join("\n"), @r#"
    CreateDBSubnetGroup copy
    CreateDBParameterGroup copy-pg16
    ModifyDBParameterGroup copy-pg16
    RestoreDBInstanceFromDBSnapshot copy
    ModifyDBInstance copy
    ModifyDBInstance copy
    RemoveTagsFromResource copy
    "#);
    is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
}

#[tokio::test]
async fn of_a_moment_comes_one_as_well() {
    let world = world(20).await;
    let block = copy(SOURCE);
    let now = world.now();
    let at = now - jiff::SignedDuration::from_mins(20);
    world.operate(&restore(&block, Point::At(at))).await.expect("it is restored");
    is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
    let late = restore(&with(&block, &[("name", "\"other\"")]), Point::At(now + jiff::SignedDuration::from_hours(1)));
    let refused = world.operate(&late).await.expect_err("nothing is known of then");
    assert_eq!(refused.kind, ErrorKind::Invalid);
    assert!(refused.message.starts_with("orders cannot be restored to "), "{refused:?}");
}

#[tokio::test]
async fn a_clone_holds_what_the_latest_moment_did() {
    let world = world(20).await;
    let block = copy(SOURCE);
    let operation = Operation::Clone { name: "orders".to_owned(), to: Box::new(spec(&block)) };
    world.operate(&operation).await.expect("it is cloned");
    is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
    // Asked for again there is one already, which is somebody's by now.
    let refused = world.operate(&operation).await.expect_err("it is there");
    assert_eq!(refused.message, "there is an instance copy already");
}

/// A block without a version is of the major that was kept, whatever is the newest.
#[tokio::test]
async fn a_block_without_a_version_stays_on_the_major_of_its_backup() {
    let world = world(100).await;
    let block = with(&copy(SOURCE), &[("engine_version", "")]);
    world.operate(&restore(&block, Point::Backup("orders-1".to_owned()))).await.expect("it is restored");
    assert_eq!(world.left(&block).await, [""; 0]);
    assert_eq!(world.region(|region| region.instances["copy"].set.version.clone()), "16.13");
}

/// RDS takes what is restored of a major that its standard support has ended for to a newer one, unless somebody pays.
#[tokio::test]
async fn a_major_that_rds_would_not_keep_is_not_restored() {
    let world = world(100).await;
    world.region(|region| region.snapshots.values_mut().for_each(|one| one.set.version = "12.22".to_owned()));
    let block = with(&copy(SOURCE), &[("engine_version", "")]);
    let operation = restore(&block, Point::Backup("orders-1".to_owned()));
    let refused = world.operate(&operation).await.expect_err("it would be of another major");
    assert!(refused.message.contains("takes what is restored of PostgreSQL 12 to a newer major"), "{refused:?}");
    assert!(refused.help.starts_with("`aws rds restore-db-instance-from-db-snapshot "), "{refused:?}");
    assert_eq!(world.writes_of_all(), [""; 0]);
    let version = |world: &World, id: &str| world.region(|region| region.instances[id].set.version.clone());
    let disabled = ("EngineLifecycleSupport", "open-source-rds-extended-support-disabled");
    let restored = [("DBInstanceIdentifier", "other"), ("DBSnapshotIdentifier", "orders-1"), disabled];
    world.tamper("RestoreDBInstanceFromDBSnapshot", &restored);
    assert!(version(&world, "other").starts_with("14."), "{}", version(&world, "other"));
}

#[tokio::test]
async fn what_cannot_come_of_a_backup_is_refused_before_anything_is_made() {
    let world = world(20).await;
    let block = with(&copy(SOURCE), &[("engine_version", "\"17\""), ("database_name", "\"store\"")]);
    let refused = world.operate(&restore(&block, Point::Latest)).await.expect_err("another major");
    insta::assert_snapshot!(format!("{}\n{}", refused.message, refused.help), @r#"
    the backup is of PostgreSQL 16, the block says 17; the database in the backup is shop, the block says store
    write engine_version = "16", and upgrade what is restored afterwards; write database_name = "shop"
    "#);
    let key = with(&copy(SOURCE), &[("kms_key_id", "\"alias/other\"")]);
    let refused = world.operate(&restore(&key, Point::Latest)).await.expect_err("another key");
    assert!(refused.message.starts_with("the backup is encrypted with arn:aws:kms:"), "{refused:?}");
    assert!(refused.message.ends_with(", the block says alias/other"), "{refused:?}");
    let missing = world.operate(&restore(&copy(SOURCE), Point::Backup("orders-9".to_owned()))).await;
    assert_eq!(missing.expect_err("there is none").message, "there is no backup orders-9");
    assert_eq!(world.writes_of_all(), [""; 0]);
}

#[tokio::test]
async fn killed_after_any_call_of_a_restore_it_ends_well_and_nothing_is_made_twice() {
    let block = copy(SOURCE);
    let operation = restore(&block, Point::Backup("orders-1".to_owned()));
    let then = async |world: World, nth| {
        if !world.was_the_last_call("pgherd:restoring") {
            world.operate(&operation).await.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        }
        let made = |action: &str| world.writes().iter().filter(|call| call.starts_with(action)).count();
        let made = (made("RestoreDBInstanceFromDBSnapshot"), made("CreateDBInstance "));
        assert_eq!(made, (1, 0), "killed after call {nth}");
        is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
    };
    Doing::Verb(&operation).killed_anywhere(&world(300).await, 21, then).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_a_restore_ends_well() {
    let block = copy(SOURCE);
    let then = async |world: World, _| is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
    Doing::Verb(&restore(&block, Point::Latest)).answers_lost(&world(300).await, 20, then).await;
}

/// The same restore would begin with it otherwise, restarts and all, when it is in use.
#[tokio::test]
async fn an_apply_that_does_the_rest_of_a_restore_ends_it() {
    let block = copy(SOURCE);
    let operation = restore(&block, Point::Backup("orders-1".to_owned()));
    let world = half_restored(&operation).await;
    world.pass(3600);
    world.apply_now(&block).await;
    is_done(&world, &world.left(&block).await, &world.left(SOURCE).await);
    world.forget_what_was_asked();
    let refused = world.operate(&operation).await.expect_err("it is a database like any other");
    assert_eq!((refused.message.as_str(), world.writes_of_all()), ("there is an instance copy already", Vec::new()));
}

/// A world in which the instance has just been asked for.
async fn half_restored(operation: &Operation) -> World {
    let begun = world(300).await;
    let mut nth = 1;
    loop {
        let world = begun.like().await;
        assert!(Doing::Verb(operation).killed_after(&world, nth).await);
        if world.instances().contains(&"copy".to_owned()) {
            return world;
        }
        nth += 1;
    }
}

/// What makes it anew instead would be empty.
#[tokio::test]
async fn what_is_half_restored_is_no_databases_of_another_command() {
    let block = copy(SOURCE);
    let world = half_restored(&restore(&block, Point::Backup("orders-1".to_owned()))).await;
    let other = restore(&block, Point::Latest);
    let refused = world.operate(&other).await.expect_err("it is another's");
    assert_eq!(refused.message, "copy is being restored from something else: orders backup orders-1");
}
