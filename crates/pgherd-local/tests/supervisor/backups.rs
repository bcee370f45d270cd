//! Backups, the archive, and what is restored from them: every time a real server that is recovered and asked.

use jiff::Timestamp;
use pgherd_core::backups::{SegmentName, Timeline, WalName};
use pgherd_core::ha::NodeId;
use pgherd_core::report::Backups;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Operation, Point, Provider as _, ProviderError};
use pgherd_local::postgres::session::Session;
use pgherd_local::supervisor::messages::StatusReport;

use crate::stored::generation;
use crate::world::{Arguments, DEADLINE, LOOK_AGAIN, NAME, World, events, kill};

const COPY: &str = "db-copy";
const PAIR: Arguments<'static> = &[("multi_az", Value::Bool(true))];

#[tokio::test]
async fn between_two_commits_the_first_is_restored_and_the_second_is_not() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let (at, lsn) = world.here().await;
    world.sql("INSERT INTO t VALUES (2)").await;

    world.operate(restore(&world, "db-at", Point::At(at))).await;
    assert_eq!(world.rows("db-at").await, "1");
    world.operate(restore(&world, "db-lsn", Point::Lsn(lsn))).await;
    assert_eq!(world.rows("db-lsn").await, "1");
    world.operate(restore(&world, "db-latest", Point::Latest)).await;
    assert_eq!(world.rows("db-latest").await, "2");
    world.operate(restore(&world, "db-first", Point::Backup("first".to_owned()))).await;
    assert_eq!(world.rows("db-first").await, "no table");

    // Each is as its block says, on a timeline and with a password of its own, and the one it was made of goes on.
    for name in ["db-at", "db-lsn", "db-latest", "db-first"] {
        assert!(world.plan(&world.spec(&[]).called(name), false).await.steps.is_empty(), "{name}");
        assert_eq!(world.one(name, "SELECT timeline_id::text FROM pg_control_checkpoint()").await, "2", "{name}");
    }
    assert_eq!(world.rows(NAME).await, "2");
    assert_eq!(world.differences(&[]).await, [""; 0]);

    // Asked for again it is there already; another one of the name is refused.
    world.operate(restore(&world, "db-at", Point::At(at))).await;
    let refused = world.refused(restore(&world, "db-at", Point::Latest)).await;
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::Conflict, "there is an instance db-at already"));
    let future = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let refused = world.refused(restore(&world, "db-future", Point::At(future))).await;
    assert!(refused.message.ends_with("is in the future"), "{refused}");
    let refused = world.refused(restore(&world, "db-none", Point::Backup("none".to_owned()))).await;
    assert_eq!(refused.message, "there is no backup none of db");
    assert!(!world.paths.instance("db-none").root.exists(), "nothing is left of it");
}

/// What was restored archives to a place of its own, and can be restored itself.
#[tokio::test]
async fn what_was_restored_has_backups_of_its_own() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    world.operate(restore(&world, COPY, Point::Latest)).await;
    assert_eq!(world.asked_for(COPY).await, [""; 0]);
    world.operate(Operation::Backup { name: COPY.to_owned(), label: Some("second".to_owned()) }).await;
    world.run_on(COPY, "INSERT INTO t VALUES (2)").await;
    world.sql("INSERT INTO t VALUES (3), (4), (5)").await;
    let again = Operation::Restore {
        name: COPY.to_owned(),
        to: Box::new(world.spec(&[]).called("db-again")),
        point: Point::Latest,
    };
    world.operate(again).await;
    assert_eq!(world.rows("db-again").await, "2");
    world.operate(restore(&world, "db-source", Point::Latest)).await;
    assert_eq!(world.rows("db-source").await, "4");
}

#[tokio::test]
async fn a_clone_holds_what_its_source_does_and_needs_no_archive() {
    let world = World::new();
    let without: Arguments<'_> = &[("backup_retention_period", Value::Int(0))];
    world.apply(without).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let to = Box::new(world.spec(without).called(COPY));
    world.operate(Operation::Clone { name: NAME.to_owned(), to }).await;
    assert_eq!(world.rows(COPY).await, "1");
    world.run_on(COPY, "INSERT INTO t VALUES (2)").await;
    assert_eq!(world.rows(NAME).await, "1");
    assert!(!world.paths.repository().exists(), "nothing was asked to be kept");
    let refused = world.refused(restore(&world, "db-x", Point::Latest)).await;
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::NotFound, "nothing is stored of db"));
}

#[tokio::test]
async fn a_database_that_is_gone_is_restored_from_its_last_backup() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.delete(Some("db-final")).await.expect("deleted");
    assert!(!world.paths.instance(NAME).root.exists());
    assert_eq!(world.asked_for(NAME).await, ["db-final"]);
    world.operate(restore(&world, COPY, Point::Backup("db-final".to_owned()))).await;
    assert_eq!(world.rows(COPY).await, "1");
    // A new one of the old name begins anew, and nothing of the old one is lost by that.
    world.apply(&[]).await;
    let refused = world.refused(restore(&world, "db-x", Point::Latest)).await;
    assert_eq!(refused.message, "there is no whole backup of db as it is now");
    world.back_up("anew").await;
    assert_eq!(world.asked_for(NAME).await, ["db-final", "anew"]);
    // Without a last backup what the schedule took goes, and what somebody asked for stays.
    world.delete(None).await.expect("deleted");
    let kept = world.backups(NAME).await.kept;
    assert_eq!(kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["db-final", "anew"]);
}

/// The standby has only streamed what the old primary had not archived yet.
#[tokio::test]
async fn a_failover_leaves_no_gap_in_the_archive() {
    let world = World::new();
    world.apply(PAIR).await;
    world.back_up("before").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (-1)").await;
    let (first, _) = world.here().await;
    // Nothing is archived from here on, until the old primary's log is gone.
    let repository = world.paths.repository();
    let aside = repository.with_extension("aside");
    std::fs::rename(&repository, &aside).expect("renamed");
    for number in 0..3 {
        world.sql(&format!("INSERT INTO t VALUES ({number}); SELECT pg_switch_wal()")).await;
    }
    // In the segment that the first server never finished.
    world.sql("INSERT INTO t VALUES (10)").await;
    let (unfinished, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (11)").await;
    kill(world.node_pid(NodeId(1))).await;
    world.becomes(|status| status.commits_wait_for.as_deref() == Some("n1")).await;
    world.sql("INSERT INTO t VALUES (3)").await;
    world.kill_agent().await;
    std::fs::rename(&aside, &repository).expect("renamed");
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.told("that n2 had only streamed").await;
    let (at, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (4)").await;
    // From one backup to moments on the timeline that was left, and to one on the next.
    for (to, at, rows) in [("db-first", first, "1"), ("db-unfinished", unfinished, "5"), (COPY, at, "7")] {
        world.operate(restore(&world, to, Point::At(at))).await;
        assert_eq!(world.rows(to).await, rows, "{to}");
    }
    // What the first server wrote of its last segment is stored, and is what the second one's begins with.
    let stored = generation(&world);
    let left = stored.wal().expect("listed").into_iter().find_map(|file| match file.name {
        WalName::Partial(segment) => Some(segment),
        WalName::Segment(_) | WalName::History(_) | WalName::BackupNote(..) => None,
    });
    let (left, read) = (left.expect("it is stored"), |name| stored.read_wal(name).expect("read"));
    let history = stored.holdings().expect("listed").histories.pop().expect("a promotion");
    let until = usize::try_from(history.switches[0].at.0 % (16 << 20)).expect("small");
    let next = SegmentName { timeline: Timeline(2), ..left };
    assert!(until > 0 && read(WalName::Partial(left))[..until] == read(WalName::Segment(next))[..until]);
    // What leads from one timeline to the next comes back as long as the server has it.
    let history = repository.join(NAME).join("0001/wal/00000002/00000002.history.pgherd");
    std::fs::remove_file(&history).expect("it is archived");
    world.kill_agent().await;
    world.becomes(|_| history.exists()).await;
}

/// PostgreSQL takes the first file that is missing for the end of all.
#[tokio::test]
async fn a_gap_in_the_archive_is_told_and_not_restored_across() {
    let world = World::new();
    world.apply(&[]).await;
    world.took_its_first().await;
    world.back_up("before").await;
    world.sql("CREATE TABLE t (id int)").await;
    for number in 0..3 {
        world.sql(&format!("INSERT INTO t VALUES ({number}); SELECT pg_switch_wal()")).await;
    }
    let folder = world.paths.repository().join(NAME).join("0001/wal/00000001");
    let stored = || {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_segment = |path: &std::path::PathBuf| path.file_stem().is_some_and(|name| name.len() == 24);
        entries.filter(is_segment).collect::<std::collections::BTreeSet<_>>()
    };
    // Both backups have finished some of them, too.
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    let lost = stored().into_iter().nth_back(1).expect("there are three");
    std::fs::remove_file(&lost).expect("removed");
    let refused = world.refused(restore(&world, COPY, Point::Latest)).await;
    let name = lost.file_stem().expect("a name").to_string_lossy();
    let told = format!("the archived log of db has a gap: 1 files from {name} on are missing");
    assert!(refused.kind == ErrorKind::Conflict && refused.message.starts_with(&told), "{refused}");
    world.operate(restore(&world, "db-before", Point::Backup("before".to_owned()))).await;
    world.back_up("after").await;
    world.operate(restore(&world, COPY, Point::Latest)).await;
    assert_eq!(world.rows(COPY).await, "3");
}

/// Whoever moves a database destroys it first: nothing that a client was told is committed may be missing then.
#[tokio::test]
async fn what_was_committed_while_the_database_was_destroyed_is_in_its_last_backup() {
    let world = World::new();
    world.apply(&[]).await;
    let (endpoint, secret) = (world.status().await.endpoint, world.secret().await);
    let client = world.log_in(secret["password"].as_str().expect("text")).await.expect("logged in");
    client.batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (0)").await.expect("made");
    let writer = tokio::spawn(async move {
        let mut committed = 1_i64;
        while client.execute("INSERT INTO t VALUES (1)", &[]).await.is_ok() {
            committed += 1;
        }
        committed
    });
    world.delete(Some("db-final")).await.expect("deleted");
    let committed = writer.await.expect("it was cut off");
    world.operate(restore(&world, COPY, Point::Backup("db-final".to_owned()))).await;
    let port = world.agent().await.status(COPY).await.expect("a status").endpoint.port;
    let session =
        Session::connect(&world.paths.sockets(), port, &endpoint.database, DEADLINE).await.expect("a session");
    let found: i64 = session.one("SELECT count(*) FROM t", &[]).await.expect("a row").get(0);
    // The last one may have been committed and not told.
    assert!((committed..=committed + 1).contains(&found), "{committed} were committed, {found} are there");
}

/// What is stored besides holds the same: the backup before it, and the log of both.
#[tokio::test]
async fn a_damaged_backup_is_gone_around() {
    let world = World::new();
    world.apply(&[]).await;
    // Otherwise that may be the newest.
    world.took_its_first().await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("second").await;
    let (at, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (2)").await;
    world.flip("second");
    world.operate(restore(&world, "db-at", Point::At(at))).await;
    assert_eq!(world.rows("db-at").await, "1");
    world.operate(restore(&world, "db-latest", Point::Latest)).await;
    assert_eq!(world.rows("db-latest").await, "2");
    // It is known from then on.
    let refused = world.refused(restore(&world, COPY, Point::Backup("second".to_owned()))).await;
    assert!(refused.message.contains("damaged"), "{refused}");
    world.agent().await.drill(NAME, |_| {}).await.expect("another one is restored");
    assert_ne!(world.status().await.last_drill.expect("told").backup, "second");
}

/// PostgreSQL stops at a commit after the moment, and where nothing was written since there is none.
#[tokio::test]
async fn a_moment_after_the_last_commit_can_be_restored() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let (at, _) = world.here().await;
    // Files are dated by a clock that ticks every few milliseconds.
    world.sql("SELECT pg_sleep(0.1); SELECT pg_switch_wal()").await;
    let is_archived = |status: &StatusReport| {
        let archived = status.archive.as_ref().is_some_and(|archive| archive.waiting == 0);
        archived && status.restorable.as_ref().is_some_and(|span| span.until > at)
    };
    world.becomes(is_archived).await;
    world.sql("DELETE FROM t").await;
    world.operate(restore(&world, "db-living", Point::At(at))).await;
    assert_eq!(world.rows("db-living").await, "1", "what was committed after it is left out");
    assert_eq!(world.rows(NAME).await, "0");
}

/// Nobody writes a commit behind it any more.
#[tokio::test]
async fn a_moment_after_the_last_commit_of_a_database_that_does_not_run_can_be_restored() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let (at, _) = world.here().await;
    world.sql("SELECT pg_sleep(0.1); SELECT pg_switch_wal()").await;
    let is_archived = |status: &StatusReport| {
        let archived = status.archive.as_ref().is_some_and(|archive| archive.waiting == 0);
        archived && status.restorable.as_ref().is_some_and(|span| span.until > at)
    };
    world.becomes(is_archived).await;
    world.operate(Operation::Stop { name: NAME.to_owned() }).await;
    world.operate(restore(&world, COPY, Point::At(at))).await;
    assert_eq!(world.rows(COPY).await, "1");
}

/// A schedule that nobody waits for: the first backup follows a database that was just made.
#[tokio::test]
async fn the_first_backup_is_taken_by_itself_and_of_the_standby() {
    let world = World::new();
    world.apply(PAIR).await;
    let taken = world.took_its_first().await;
    assert!(taken.contains(" of n2, "), "{taken}");
    let backups = world.backups(NAME).await;
    assert!(backups.kept[0].automatic && backups.kept[0].encrypted == Some(true), "{backups:?}");
    world.operate(restore(&world, COPY, Point::Latest)).await;
    assert_eq!(world.differences(PAIR).await, [""; 0]);
}

#[tokio::test]
async fn an_archive_that_fails_is_told_and_stops_no_writer() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("before").await;
    let repository = world.paths.repository();
    let aside = repository.with_extension("aside");
    std::fs::rename(&repository, &aside).expect("renamed");
    world.sql("CREATE TABLE t (id int); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.warnings.iter().any(|warning| warning.contains("the log is not archived"))).await;
    let warning = world.status().await.warnings.join("\n");
    assert!(warning.contains("there is no repository at"), "{warning}");
    world.sql("INSERT INTO t VALUES (1)").await;
    std::fs::rename(&aside, &repository).expect("renamed");
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.operate(restore(&world, COPY, Point::Latest)).await;
    assert_eq!(world.rows(COPY).await, "1");
}

/// Wherever a restore is cut short, asking again makes the database, once.
#[tokio::test]
async fn a_restore_survives_the_agent() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    for (number, phase) in ["unpacking", "replaying", "starting", "setting role"].into_iter().enumerate() {
        let to = format!("copy-{number}");
        let operation = restore(&world, &to, Point::Backup("first".to_owned()));
        world.operate_until(operation.clone(), phase).await;
        world.kill_agent().await;
        world.operate(operation).await;
        assert_eq!(world.rows(&to).await, "1", "{phase}");
        assert!(world.plan(&world.spec(&[]).called(&to), false).await.steps.is_empty(), "{phase}");
        assert!(!world.paths.instance(&to).scratch.join("restoring").exists(), "{phase}");
    }
}

#[tokio::test]
async fn a_drill_restores_the_newest_backup_and_leaves_nothing() {
    let world = World::new();
    world.apply(&[]).await;
    world.took_its_first().await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int)").await;
    world.agent().await.drill(NAME, |_| {}).await.expect("restored");
    let drill = world.status().await.last_drill.expect("it is told");
    assert_eq!((drill.backup.as_str(), drill.failure), ("first", None));
    assert!(drill.last_commit_at.is_some());
    assert_eq!(drill.tables, 1, "those of the databases, not of the server");
    assert!(!world.paths.instance(NAME).scratch.join("drill").exists());
    // A backup that cannot be restored is told.
    world.flip("first");
    let error = world.agent().await.drill(NAME, |_| {}).await.expect_err("damaged");
    assert!(error.message.contains("is damaged"), "{error}");
    assert!(world.status().await.last_drill.expect("told").failure.is_some());
}

pub fn restore(world: &World, to: &str, point: Point) -> Operation {
    Operation::Restore { name: NAME.to_owned(), to: Box::new(world.spec(&[]).called(to)), point }
}

impl World {
    /// Changes one byte in the middle of a backup's data.
    pub fn flip(&self, label: &str) {
        let stored = self.texts().into_iter().map(|(path, _)| path);
        let of_it = |path: &std::path::PathBuf| {
            let text = path.to_string_lossy();
            text.contains(&format!("/{label}/")) && text.contains("/data.tar")
        };
        let file = stored.into_iter().find(of_it).expect("it is stored");
        let mut bytes = std::fs::read(&file).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("written");
    }

    pub async fn back_up(&self, label: &str) {
        self.operate(Operation::Backup { name: NAME.to_owned(), label: Some(label.to_owned()) }).await;
    }

    /// Returns when the schedule has taken its first backup: the next one is a day away, and none comes between a test's own.
    pub async fn took_its_first(&self) -> String {
        self.told("took and verified the backup db-auto-").await
    }

    /// The names of the backups that somebody asked for: the schedule may have taken one beside them.
    pub async fn asked_for(&self, name: &str) -> Vec<String> {
        let kept = self.backups(name).await.kept;
        kept.into_iter().filter(|kept| !kept.automatic).map(|kept| kept.name).collect()
    }

    pub async fn backups(&self, name: &str) -> Backups {
        self.local.backups(&self.spec(&[]).called(name)).await.expect("listed")
    }

    pub async fn refused(&self, operation: Operation) -> ProviderError {
        self.local.operate(&operation, &events()).await.expect_err("refused")
    }

    pub async fn database(&self, name: &str) -> Session {
        let endpoint = self.agent().await.status(name).await.expect("a status").endpoint;
        let port = endpoint.servers.first().copied().unwrap_or(endpoint.port);
        Session::connect(&self.paths.sockets(), port, "postgres", DEADLINE).await.expect("a session")
    }

    pub async fn run_on(&self, name: &str, sql: &str) {
        let session = self.database(name).await;
        for statement in sql.split("; ") {
            session.run(statement).await.expect("done");
        }
    }

    pub async fn sql(&self, sql: &str) {
        self.run_on(NAME, sql).await;
    }

    pub async fn one(&self, name: &str, sql: &str) -> String {
        self.database(name).await.one(sql, &[]).await.expect("a row").get(0)
    }

    /// How many rows `t` has.
    pub async fn rows(&self, name: &str) -> String {
        if self.one(name, "SELECT (to_regclass('t') IS NULL)::text").await == "true" {
            return "no table".to_owned();
        }
        self.one(name, "SELECT count(*)::text FROM t").await
    }

    /// Now, and here in the log, by the server's own word.
    pub async fn here(&self) -> (Timestamp, String) {
        let now = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')";
        let now = self.one(NAME, now).await.parse().expect("a time");
        (now, self.one(NAME, "SELECT pg_current_wal_lsn()::text").await)
    }

    /// Returns when its history says so, with that line.
    pub async fn told(&self, words: &str) -> String {
        let agent = self.agent().await;
        let told = async {
            loop {
                let events = agent.events(NAME).await.expect("told");
                if let Some(told) = events.into_iter().find(|told| told.message.contains(words)) {
                    return told.message;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(DEADLINE, told).await.expect("it happens")
    }

    pub async fn operate_until(&self, operation: Operation, phase: &str) {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let local = self.local.clone();
        let asked = tokio::spawn(async move {
            local.operate(&operation, &pgherd_engine::provider::Events::new("test", sender)).await
        });
        let seen = async {
            while let Some(event) = told.recv().await {
                if matches!(&event.what, pgherd_core::event::What::Phase { phase: now } if now.starts_with(phase)) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(DEADLINE, seen).await.expect("told"), "it was never {phase}");
        asked.abort();
    }
}
