//! Backups that hold only what changed since another one, as servers of 17 and later give them.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::Timeline;
use pgherd_core::ha::NodeId;
use pgherd_core::report::Backup;
use pgherd_core::value::Value;
use pgherd_engine::provider::{Operation, Point, Provider as _};
use pgherd_local::postgres::runas::RunAs;

use crate::majors::server;
use crate::stored::plant;
use crate::world::{Arguments, DEADLINE, LOOK_AGAIN, NAME, World, kill};

/// What is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// Whether both together are the database.
    Together,
    /// Everything that is done with them.
    All,
}

/// The last whole one is of yesterday: today's holds the changes since, and both together are the database.
async fn check(major: u32, how: How) {
    let Some(_) = server(major) else { return };
    let world = World::new();
    let version = [
        ("engine_version", Value::Text(major.to_string())),
        ("storage_encrypted", Value::Bool(false)),
        ("backup_retention_period", 7.into()),
    ];
    world.apply(&version).await;
    world.sql("CREATE TABLE filler AS SELECT i, md5(i::text) FROM generate_series(1, 100000) i").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.took_its_first().await;
    world.back_up("mine").await;
    let kept = world.local.backups(&world.spec(&version)).await.expect("listed").kept;
    let (first, mine) = (&kept[0], &kept[1]);
    // Changed pages of a large table, and a row: what is written between the two backups.
    world.sql("UPDATE filler SET md5 = 'x' WHERE i % 1000 = 0; INSERT INTO t VALUES (2)").await;
    world.kill_agent().await;
    let whole = "db-auto-yesterday";
    let generation = plant(&world, &mine.name, whole, SignedDuration::from_hours(-24));
    generation.set_verified(whole, Timestamp::now()).expect("written");
    generation.delete_backup(&first.name).expect("deleted");
    let changes = world.changes_since(whole, &version).await;
    let size = |backup: &Backup| backup.bytes.expect("told");
    assert!(size(&changes) * 2 < size(mine) && changes.verified_at.is_some(), "{changes:?} beside {mine:?}");
    world.sql("INSERT INTO t VALUES (3)").await;
    let latest = || restore(&world, &version, "db-latest", Point::Latest);
    if how == How::All {
        // Killed in the middle of it, the agent leaves nothing, and the same request makes it.
        world.operate_until(latest(), "putting the backup and what changed since together").await;
        world.kill_agent().await;
        assert!(world.agent().await.status("db-latest").await.is_err(), "nothing half-made is listed");
        assert!(!world.paths.instance("db-latest").scratch.join("restoring").exists());
    }
    world.operate(latest()).await;
    assert_eq!(world.rows("db-latest").await, "3");
    let filler = "SELECT count(*) || ' ' || count(*) FILTER (WHERE md5 = 'x') FROM filler";
    assert_eq!(world.one("db-latest", filler).await, "100000 100");
    if how == How::Together {
        return;
    }
    world.operate(restore(&world, &version, "db-then", Point::Backup(changes.name.clone()))).await;
    // Without any log behind it.
    assert_eq!(
        (world.rows("db-then").await.as_str(), world.one("db-then", filler).await.as_str()),
        ("2", "100000 100")
    );
    // Every page of what was put together is read.
    world.operate(Operation::Drill { name: NAME.to_owned() }).await;
    // Without the whole one both are nothing, and the next is whole again.
    world.flip(whole);
    let findings = world.check().await.findings;
    assert!(findings.iter().all(|one| one.at.contains(whole)) && !findings.is_empty(), "{findings:?}");
    let kept = world.local.backups(&world.spec(&version)).await.expect("listed").kept;
    assert!(kept.iter().all(|kept| kept.state == "damaged" || kept.base.is_none()), "{kept:?}");
    let refused = world.refused(restore(&world, &version, "db-then-2", Point::Backup(changes.name))).await;
    assert!(refused.message.contains("is damaged"), "{refused}");
}

#[tokio::test]
async fn what_changed_since_a_whole_backup_is_restored_with_it_on_17() {
    check(17, How::All).await;
}

/// Where what did not change is linked and not copied.
#[tokio::test]
async fn what_changed_since_a_whole_backup_is_restored_with_it_on_18() {
    check(18, How::Together).await;
}

/// A pair, encrypted, with a second repository: the changes are taken from the standby, and both backups come back to a moment, and on another
/// machine. Where the server cannot tell what changed, and after a failover, the next one is whole.
#[tokio::test]
async fn what_changed_is_taken_from_the_standby_and_restored_elsewhere() {
    let Some(_) = server(17) else { return };
    let world = World::new();
    let second = world.paths.state.with_extension("second");
    std::fs::create_dir_all(&world.paths.state).expect("made");
    std::fs::write(world.paths.second_repository(), second.display().to_string()).expect("written");
    let pair = [
        ("engine_version", Value::Text("17".to_owned())),
        ("multi_az", Value::Bool(true)),
        ("enable_backup_encryption", Value::Bool(true)),
        ("backup_retention_period", 7.into()),
        ("geo_redundant_backup", Value::Bool(true)),
    ];
    world.apply(&pair).await;
    world.sql("CREATE TABLE filler AS SELECT i, md5(i::text) FROM generate_series(1, 100000) i").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.took_its_first().await;
    world.back_up("mine").await;
    let first = world.local.backups(&world.spec(&pair)).await.expect("listed").kept[0].name.clone();
    world.sql("UPDATE filler SET md5 = 'x' WHERE i % 1000 = 0; INSERT INTO t VALUES (2)").await;
    world.standby_is_behind_a_checkpoint().await;
    world.kill_agent().await;
    let whole = "db-auto-yesterday";
    let generation = plant(&world, "mine", whole, SignedDuration::from_hours(-24));
    generation.set_verified(whole, Timestamp::now()).expect("written");
    generation.delete_backup(&first).expect("deleted");
    let changes = world.changes_since(whole, &pair).await;
    assert_eq!(changes.encrypted, Some(true), "{changes:?}");
    world.told(&format!("took and verified the backup {} of n2, ", changes.name)).await;
    world.sql("INSERT INTO t VALUES (3)").await;
    let (between, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (4); SELECT pg_switch_wal()").await;
    let one = [("engine_version", Value::Text("17".to_owned())), ("backup_retention_period", 7.into())];
    world.operate(restore(&world, &one, "db-between", Point::At(between))).await;
    let filler = "SELECT count(*) || ' ' || count(*) FILTER (WHERE md5 = 'x') FROM filler";
    let held = (world.rows("db-between").await, world.one("db-between", filler).await);
    assert_eq!(held, ("3".to_owned(), "100000 100".to_owned()));

    // Another machine has the block, the keys, and what is in the second repository.
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.is_in_step().await;
    let there = World::new();
    std::fs::create_dir_all(&there.paths.state).expect("made");
    for name in ["second-repository", "backup.keys"] {
        std::fs::copy(world.paths.state.join(name), there.paths.state.join(name)).expect("copied");
    }
    RunAs::settle(None).expect("a user").own(&there.paths.state.join("backup.keys")).expect("owned");
    let told = there.operate_told(restore(&there, &one, NAME, Point::Latest)).await.expect("restored");
    assert!(told.iter().any(|line| line.starts_with(&format!("the backup {} of ", changes.name))), "{told:#?}");
    assert_eq!((there.rows(NAME).await, there.one(NAME, filler).await), ("4".to_owned(), "100000 100".to_owned()));
    drop(there);

    // What the server knew of changes is gone: it refuses, and sends everything.
    world.kill_agent().await;
    let summaries = world.paths.instance(NAME).node(NodeId(2)).data.join("pg_wal/summaries");
    for summary in std::fs::read_dir(&summaries).expect("a folder").flatten() {
        std::fs::remove_file(summary.path()).expect("removed");
    }
    generation.delete_backup(&changes.name).expect("deleted");
    world.told(" is whole, and not what changed since the last whole one: ").await;
    let is_whole = |kept: &Backup| kept.automatic && kept.name != whole && kept.base.is_none();
    let kept = world.local.backups(&world.spec(&pair)).await.expect("listed").kept;
    let refused = kept.iter().find(|kept| is_whole(kept)).expect("it is listed").name.clone();

    // After a failover the log goes another way.
    kill(world.node_pid(NodeId(1))).await;
    world.becomes(|status| status.commits_wait_for.as_deref() == Some("n1")).await;
    world.kill_agent().await;
    generation.delete_backup(&refused).expect("deleted");
    let end = tokio::time::Instant::now() + DEADLINE;
    let next = loop {
        let kept = world.local.backups(&world.spec(&pair)).await.expect("listed").kept;
        let is_next = |kept: &&Backup| kept.automatic && kept.name != whole && kept.verified_at.is_some();
        if let Some(next) = kept.iter().find(is_next) {
            break next.clone();
        }
        assert!(tokio::time::Instant::now() < end, "{kept:?}, {:?}", world.agent().await.events(NAME).await);
        tokio::time::sleep(LOOK_AGAIN).await;
    };
    let listed = generation.backups().expect("listed").into_iter().find(|listed| listed.name == next.name);
    let listed = listed.expect("it is listed");
    assert_eq!((listed.timeline, listed.base), (Timeline(2), None));
}

fn restore(world: &World, version: Arguments<'_>, to: &str, point: Point) -> Operation {
    Operation::Restore { name: NAME.to_owned(), to: Box::new(world.spec(version).called(to)), point }
}

impl World {
    /// Returns when the standby begins its recovery behind a checkpoint of just now: what it tells of changes begins there.
    async fn standby_is_behind_a_checkpoint(&self) {
        let redo = "SELECT redo_lsn FROM pg_control_checkpoint()";
        let (primary, standby) = (self.node_session(NodeId(1)).await, self.node_session(NodeId(2)).await);
        primary.run("CHECKPOINT").await.expect("done");
        let sql = format!("SELECT ({redo})::text");
        let wanted: String = primary.one(&sql, &[]).await.expect("a row").get(0);
        let sql = format!("SELECT ({redo}) >= '{wanted}'::pg_lsn");
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            standby.run("CHECKPOINT").await.expect("done");
            if standby.one(&sql, &[]).await.expect("a row").get::<_, bool>(0) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "the standby does not come to {wanted}");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The backup that holds the changes since another, once it is there.
    async fn changes_since(&self, whole: &str, version: Arguments<'_>) -> Backup {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let kept = self.local.backups(&self.spec(version)).await.expect("listed").kept;
            let is_it = |kept: &&Backup| kept.base.as_deref() == Some(whole) && kept.verified_at.is_some();
            if let Some(found) = kept.iter().find(is_it) {
                return found.clone();
            }
            assert!(tokio::time::Instant::now() < end, "{kept:?}, {:?}", self.agent().await.events(NAME).await);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
