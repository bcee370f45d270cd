//! A server that does not start any more, and has log that is not archived.

use pgherd_core::ha::NodeId;
use pgherd_core::value::Value;
use pgherd_engine::provider::{Events, Operation, Point, Provider as _, ProviderError};

use crate::backups::restore;
use crate::damage::Disk;
use crate::world::{Arguments, NAME, World, kill};

const PAIR: Arguments<'static> = &[("multi_az", Value::Bool(true)), ("storage_encrypted", Value::Bool(false))];
const ONE: Arguments<'static> = &[("storage_encrypted", Value::Bool(false))];

/// The archive has not heard of the failover before it: neither of what the first server wrote last, nor of where the second went on.
#[tokio::test]
async fn what_only_a_lost_server_has_is_restored_across_a_failover_under_another_name() {
    let disk;
    let world = World::new();
    let repository = world.paths.repository();
    std::fs::create_dir_all(&repository).expect("made");
    disk = Disk::mount(&repository, "900m");
    if disk.is_none() {
        return;
    }
    world.apply(PAIR).await;
    world.took_its_first().await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    Disk::remount(&repository, "ro");
    let here = "SELECT file_name || ' ' || file_offset FROM pg_walfile_name_offset(pg_current_wal_lsn())";
    let here = world.one(NAME, here).await;
    let (segment, offset) = here.split_once(' ').expect("two");
    let offset: usize = offset.parse().expect("a number");
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    world.sql("INSERT INTO t VALUES (3)").await;
    kill(world.node_pid(NodeId(1))).await;
    world.becomes(|status| status.commits_wait_for.as_deref() == Some("n1")).await;
    world.sql("INSERT INTO t VALUES (4)").await;
    // Nobody takes over from the second.
    world.apply(ONE).await;
    world.becomes(|status| status.nodes.len() == 1 && status.commits_wait_for.is_none()).await;
    // By itself a segment is finished after a minute: what comes now is in one that is not.
    world.sql("SELECT pg_switch_wal()").await;
    world.sql("INSERT INTO t VALUES (5)").await;
    let (between, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (6)").await;
    let (data, postmaster) = (world.paths.instance(NAME).node(NodeId(2)).data, world.node_pid(NodeId(2)));
    // Nobody starts it again before it is broken.
    world.kill_agent().await;
    kill(postmaster).await;
    std::fs::rename(data.join("global"), data.join("lost")).expect("renamed");

    // Nothing can be archived in its place.
    let told = world.operate_told(restore(&world, "db-latest", Point::Latest)).await.expect("restored");
    assert_eq!(world.rows("db-latest").await, "6", "{told:#?}");
    let says = |told: &[String], words: &str| told.iter().any(|line| line.contains(words));
    assert!(says(&told, "what it had finished cannot be archived: "), "{told:#?}");
    assert!(says(&told, " of the log, not archived, taken from its own folder"), "{told:#?}");
    // What is damaged of it is said, since PostgreSQL takes it for the end of the log.
    let own = data.join("pg_wal").join(segment);
    let whole = std::fs::read(&own).expect("it is its own");
    std::fs::write(&own, vec![0; whole.len()]).expect("written");
    let told = world.operate_told(restore(&world, "db-gap", Point::Latest)).await.expect("restored");
    assert!(says(&told, &format!("its own log lacks {segment} or has it damaged, and goes on with 0")), "{told:#?}");
    assert_eq!(world.rows("db-gap").await, "1");
    std::fs::write(&own, [&whole[..offset], &vec![0; whole.len() - offset]].concat()).expect("written");
    let told = world.operate_told(restore(&world, "db-torn", Point::Latest)).await.expect("restored");
    assert!(says(&told, "the log taken from its server's own folder is damaged at "), "{told:#?}");
    assert_eq!(world.rows("db-torn").await, "1");
    let refused = world.operate_told(restore(&world, "db-torn-at", Point::At(between))).await;
    assert!(refused.is_err(), "what was committed before that moment is not all there: {refused:?}");
    std::fs::write(&own, whole).expect("written");
    world.operate(restore(&world, "db-between", Point::At(between))).await;
    assert_eq!(world.rows("db-between").await, "5");
    // As soon as it can, what was finished is archived, with the way to it; the rest is in no archive.
    Disk::remount(&repository, "rw");
    let told = world.operate_told(restore(&world, "db-again", Point::Latest)).await.expect("restored");
    assert_eq!(world.rows("db-again").await, "6", "{told:#?}");
    assert!(says(&told, " files of the log that it had finished are archived now"), "{told:#?}");
    assert!(says(&told, "1 file of the log, not archived, taken from its own folder"), "{told:#?}");
    assert!(repository.join(NAME).join("0001/wal/00000002/00000002.history.pgherd").exists());
    // Where its folder is gone it is said, too.
    std::fs::rename(data.join("pg_wal"), data.join("pg_wal-lost")).expect("renamed");
    let told = world.operate_told(restore(&world, "db-less", Point::Latest)).await.expect("restored");
    assert!(says(&told, "is not there: what is archived is all there is"), "{told:#?}");
    assert_eq!(world.rows("db-less").await, "4");
}

impl World {
    /// Does it, and gives what was said meanwhile.
    pub async fn operate_told(&self, operation: Operation) -> Result<Vec<String>, ProviderError> {
        let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
        self.local.operate(&operation, &Events::new("test", sender)).await?;
        let mut told = Vec::new();
        while let Ok(event) = events.try_recv() {
            if let pgherd_core::event::What::Said { message } = event.what {
                told.push(message);
            }
        }
        Ok(told)
    }
}
