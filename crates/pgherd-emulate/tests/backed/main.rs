//! What is behind an instance: a real PostgreSQL, by its endpoint, with the password, through snapshot, restore, replica and reboot.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod world;

use world::World;

const DEADLINE: std::time::Duration = std::time::Duration::from_secs(180);

macro_rules! world {
    () => {
        match World::new().await {
            Some(world) => world,
            None => return,
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_in_a_snapshot_and_in_what_is_restored_of_it() {
    let world = world!();
    world.create("orders", &[("DBName", "shop")]).await;
    let orders = world.connect("orders", "shop", "correct-horse").await.unwrap();
    orders.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)").await.unwrap();
    world.ok("CreateDBSnapshot", &[("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "two")]).await;
    orders.batch_execute("INSERT INTO t VALUES (3)").await.unwrap();
    // A copy of it is enough.
    let copy = [("SourceDBSnapshotIdentifier", "two"), ("TargetDBSnapshotIdentifier", "same")];
    world.ok("CopyDBSnapshot", &copy).await;
    world.ok("DeleteDBSnapshot", &[("DBSnapshotIdentifier", "two")]).await;
    let restore = [("DBInstanceIdentifier", "copy"), ("DBSnapshotIdentifier", "same")];
    world.ok("RestoreDBInstanceFromDBSnapshot", &restore).await;
    let latest = [
        ("SourceDBInstanceIdentifier", "orders"),
        ("TargetDBInstanceIdentifier", "latest"),
        ("UseLatestRestorableTime", "true"),
    ];
    world.ok("RestoreDBInstanceToPointInTime", &latest).await;
    let copy = world.connect("copy", "shop", "correct-horse").await.unwrap();
    let latest = world.connect("latest", "shop", "correct-horse").await.unwrap();
    assert_eq!((world::count(&copy).await, world::count(&latest).await), (2, 3));
    assert_eq!(world.field("orders", "Port"), world.field("copy", "Port"));
    assert_ne!(world.field("orders", "Address"), world.field("copy", "Address"));
    world.ok("StopDBInstance", &[("DBInstanceIdentifier", "copy")]).await;
    assert_eq!(world.field("copy", "DBInstanceStatus"), "stopped");
    assert!(world.connect("copy", "shop", "correct-horse").await.is_err());
    world.ok("StartDBInstance", &[("DBInstanceIdentifier", "copy")]).await;
    let copy = world.connect("copy", "shop", "correct-horse").await.unwrap();
    assert_eq!(world::count(&copy).await, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_deleted_while_it_is_stopped_can_be_restored() {
    let world = world!();
    world.create("orders", &[]).await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    orders.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
    let id = world.field("orders", "DbiResourceId");
    let restore = [
        ("SourceDbiResourceId", id.as_str()),
        ("TargetDBInstanceIdentifier", "latest"),
        ("UseLatestRestorableTime", "true"),
    ];
    world.ok("StopDBInstance", &[("DBInstanceIdentifier", "orders")]).await;
    let refusal = world.ask("RestoreDBInstanceToPointInTime", &restore).unwrap_err();
    assert!(refusal.contains("is stopped"), "{refusal}");
    let delete =
        [("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true"), ("DeleteAutomatedBackups", "false")];
    world.ok("DeleteDBInstance", &delete).await;
    world.ok("RestoreDBInstanceToPointInTime", &restore).await;
    let latest = world.connect("latest", "postgres", "correct-horse").await.unwrap();
    assert_eq!(world::count(&latest).await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_snapshot_holds_what_was_deleted() {
    let world = world!();
    world.create("orders", &[]).await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    orders.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
    let address = world.field("orders", "Address");
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("FinalDBSnapshotIdentifier", "last")]).await;
    assert_eq!(world.field("orders", "DBInstanceStatus"), "DBInstanceNotFound");
    assert!(tokio::net::TcpStream::connect((address.as_str(), world.port)).await.is_err(), "{address}");
    world
        .ok("RestoreDBInstanceFromDBSnapshot", &[("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "last")])
        .await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    assert_eq!(world::count(&orders).await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_come_in_is_as_on_rds() {
    let world = world!();
    world.create("orders", &[]).await;
    assert!(world.connect("orders", "postgres", "wrong-horse").await.is_err());
    // Its log says so.
    world.logged("orders", "password authentication failed for user \"master\"").await;
    let plain = world.connect_plainly("orders", "correct-horse").await.unwrap_err();
    assert!(plain.contains("no encryption"), "{plain}");
    let modify = [("DBInstanceIdentifier", "orders"), ("MasterUserPassword", "battery-staple")];
    world.ok("ModifyDBInstance", &modify).await;
    assert!(world.connect("orders", "postgres", "correct-horse").await.is_err());
    let master = world.connect("orders", "postgres", "battery-staple").await.unwrap();
    let row = master.query_one(
        "SELECT rolsuper, pg_has_role('rds_superuser', 'member') FROM pg_roles WHERE rolname = current_user",
        &[],
    );
    let row = row.await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, bool>(1)), (false, true));
    master.batch_execute("CREATE ROLE app LOGIN; GRANT rds_iam TO app").await.unwrap();
    master.batch_execute("CREATE DATABASE more").await.unwrap();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_hold_at_once_or_after_a_reboot() {
    let world = world!();
    world.group(&[("work_mem", "8192", "immediate")]).await;
    world.create("orders", &[("DBParameterGroupName", "orders-pg")]).await;
    let shown = async |name: &str| {
        let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
        orders.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get::<_, String>(0)
    };
    assert_eq!((shown("work_mem").await.as_str(), shown("max_connections").await.as_str()), ("8MB", "100"));
    world.set(&[("work_mem", "16384", "immediate"), ("max_connections", "50", "pending-reboot")]).await;
    assert_eq!((shown("work_mem").await.as_str(), shown("max_connections").await.as_str()), ("16MB", "100"));
    assert_eq!(world.field("orders", "ParameterApplyStatus"), "pending-reboot");
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]).await;
    assert_eq!(
        (shown("max_connections").await.as_str(), world.field("orders", "DBInstanceStatus").as_str()),
        ("50", "available")
    );
    // More memory than any machine has.
    world.set(&[("shared_buffers", "1073741823", "pending-reboot")]).await;
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]).await;
    assert_eq!(world.field("orders", "DBInstanceStatus"), "incompatible-parameters");
    world.set(&[("shared_buffers", "4096", "pending-reboot")]).await;
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]).await;
    assert_eq!(
        (shown("shared_buffers").await.as_str(), world.field("orders", "DBInstanceStatus").as_str()),
        ("32MB", "available")
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_streams_and_goes_on_alone_when_its_source_is_deleted() {
    let world = world!();
    world.create("orders", &[]).await;
    let replica = [("DBInstanceIdentifier", "orders-r1"), ("SourceDBInstanceIdentifier", "orders")];
    world.ok("CreateDBInstanceReadReplica", &replica).await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    orders.batch_execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1)").await.unwrap();
    let r1 = world.connect("orders-r1", "postgres", "correct-horse").await.unwrap();
    world::caught_up(&orders, &r1).await;
    assert_eq!(world::count(&r1).await, 1);
    let port = world::port().to_string();
    let modify = [("DBInstanceIdentifier", "orders"), ("DBPortNumber", &port), ("ApplyImmediately", "true")];
    world.ok("ModifyDBInstance", &modify).await;
    assert_eq!(world.field("orders", "Port"), port);
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    orders.batch_execute("INSERT INTO t VALUES (1)").await.unwrap();
    world::caught_up(&orders, &r1).await;
    assert_eq!(world::count(&r1).await, 2);
    let refused = r1.batch_execute("INSERT INTO t VALUES (2)").await.unwrap_err();
    assert!(refused.as_db_error().unwrap().message().contains("read-only"), "{refused}");
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")]).await;
    r1.batch_execute("INSERT INTO t VALUES (2)").await.unwrap();
    assert_eq!(world::count(&r1).await, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_begins_anew_at_a_reset() {
    let world = world!();
    world.create("orders", &[]).await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    orders.batch_execute("CREATE TABLE line (id int)").await.unwrap();
    world.reset().await;
    // The same name again is another database; it comes after what there was is gone.
    world.create("orders", &[]).await;
    let orders = world.connect("orders", "postgres", "correct-horse").await.unwrap();
    let row = orders.query_one("SELECT count(*) FROM pg_stat_user_tables", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    world.stop().await;
}
