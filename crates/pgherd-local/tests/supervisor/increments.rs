//! Backups that hold only what changed since another one, as servers of 17 and later give them.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::report::Backup;
use pgherd_core::value::Value;
use pgherd_engine::provider::{Operation, Point, Provider as _};

use crate::majors::server;
use crate::stored::plant;
use crate::world::{Arguments, DEADLINE, LOOK_AGAIN, NAME, World};

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
    world.operate(restore(&world, &version, "db-latest", Point::Latest)).await;
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

fn restore(world: &World, version: Arguments<'_>, to: &str, point: Point) -> Operation {
    Operation::Restore { name: NAME.to_owned(), to: Box::new(world.spec(version).called(to)), point }
}

impl World {
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
