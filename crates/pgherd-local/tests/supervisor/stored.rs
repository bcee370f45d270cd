//! What becomes of what is stored: damage is told, a drill comes by itself, and what nobody needs goes when it is named.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use pgherd_archive::{BackupEnd, BackupStart, Generation, KeyRing, Location, Options, Repository};
use pgherd_core::backups::BackupKind;
use pgherd_engine::provider::{ErrorKind, Operation, Point};
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::supervisor::messages::{CheckReport, DrillReport};

use crate::backups::restore;
use crate::damage::Disk;
use crate::world::{NAME, World};

/// Each kind of damage, one after the other, each mended again.
#[tokio::test]
async fn every_damage_to_what_is_stored_is_told() {
    let world = World::new();
    world.apply(&[("storage_encrypted", true.into())]).await;
    world.took_its_first().await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int)").await;
    for number in 0..3 {
        world.sql(&format!("INSERT INTO t VALUES ({number}); SELECT pg_switch_wal()")).await;
    }
    let stored = || files(&world.paths.repository().join(NAME));
    let segments = || {
        let is_segment = |path: &&PathBuf| path.file_stem().is_some_and(|name| name.len() == 24);
        stored().iter().filter(is_segment).cloned().collect::<Vec<_>>()
    };
    world.becomes(|status| segments().len() >= 4 && status.archive.as_ref().is_some_and(|it| it.waiting == 0)).await;
    let good = world.check().await;
    assert!(good.findings.is_empty() && good.backups > 0 && good.segments > 3 && good.bytes > 16 << 20, "{good:?}");
    assert_eq!(world.status().await.last_check, Some(good));

    let data = stored().into_iter().find(|path| path.to_string_lossy().contains("/first/") && is_data(path));
    let data = data.expect("the backup has data");
    let others = stored().into_iter().find(|path| !path.to_string_lossy().contains("/first/") && is_data(path));
    let others = std::fs::read(others.expect("the schedule took one, too")).expect("read");
    let segment = segments().into_iter().nth_back(1).expect("there are three");
    let whole = |path: &Path| std::fs::read(path).expect("read");
    let flipped = |path: &Path| {
        let mut bytes = whole(path);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let cut = |path: &Path| whole(path)[..whole(path).len() / 2].to_vec();
    let foreign = whole(&segments().into_iter().next_back().expect("there are three"));
    let damages: [(&str, &Path, Option<Vec<u8>>); 8] = [
        ("damaged", &data, Some(flipped(&data))),
        ("damaged", &data, Some(cut(&data))),
        ("missing", &data, None),
        ("foreign", &data, Some(others)),
        ("damaged", &segment, Some(flipped(&segment))),
        ("damaged", &segment, Some(cut(&segment))),
        ("foreign", &segment, Some(foreign)),
        ("gap", &segment, None),
    ];
    for (trouble, path, bytes) in damages {
        if trouble == "gap" {
            // The schedule takes a backup behind it as soon as it sees that.
            world.operate(Operation::Stop { name: NAME.to_owned() }).await;
            // Nor can it be stored again from the server's own folder.
            let name = path.file_stem().expect("a name");
            std::fs::remove_file(world.data().join("pg_wal").join(name)).expect("its server has it, too");
        }
        let before = whole(path);
        match &bytes {
            Some(bytes) => std::fs::write(path, bytes).expect("written"),
            None => std::fs::remove_file(path).expect("removed"),
        }
        let found = world.check().await.findings;
        assert!(
            found.iter().any(|one| one.trouble == trouble && one.at.starts_with("db/0001/")),
            "{trouble}: {found:?}"
        );
        assert!(world.warns("things were found wrong").await);
        world.told("what is stored of it is not whole").await;
        let point = if path == data { Point::Backup("first".to_owned()) } else { Point::Latest };
        let refused = world.refused(restore(&world, "db-copy", point)).await;
        assert!(!refused.message.is_empty() && !world.paths.instance("db-copy").root.exists(), "{trouble}: {refused}");
        put_back(path, &before);
    }
    world.operate(Operation::Start { name: NAME.to_owned() }).await;
    assert!(world.check().await.findings.is_empty());
    assert!(!world.warns("things were found wrong").await);

    // Without its key nothing is read, nothing is stored under another one, and all of that is told.
    let key = world.paths.state.join("backup.keys");
    std::fs::rename(&key, key.with_extension("away")).expect("renamed");
    let found = world.check().await.findings;
    assert!(found.iter().all(|one| one.trouble == "key_lost") && found.len() > 3, "{found:?}");
    let back_up = Operation::Backup { name: NAME.to_owned(), label: Some("keyless".to_owned()) };
    let refused = world.refused(back_up).await;
    assert!(refused.message.contains("backup.keys") && !key.exists(), "{refused}");
    world.sql("INSERT INTO t VALUES (3); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.warnings.iter().any(|one| one.contains("the log is not archived"))).await;
    std::fs::rename(key.with_extension("away"), &key).expect("renamed");
    world.wake_archiver().await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.operate(restore(&world, "db-copy", Point::Latest)).await;
    assert_eq!(world.rows("db-copy").await, "4");
}

/// The database writes on, and says what is wrong until there is room.
#[tokio::test]
async fn a_repository_without_room_is_told_and_gone_on_with() {
    let disk;
    let world = World::new();
    std::fs::create_dir_all(world.paths.repository()).expect("made");
    disk = Disk::mount(&world.paths.repository(), "400k");
    if disk.is_none() {
        return;
    }
    world.apply(&[("storage_encrypted", false.into())]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let back_up = || Operation::Backup { name: NAME.to_owned(), label: Some("first".to_owned()) };
    let refused = world.refused(back_up()).await;
    assert!(refused.message.ends_with("0 MiB free, and 256 MiB stay for the servers"), "{refused}");
    assert!(world.backups(NAME).await.kept.is_empty());
    world.sql("INSERT INTO t SELECT generate_series(1, 99999); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.warnings.iter().any(|one| one.contains("the log is not archived"))).await;
    Disk::resize(&world.paths.repository(), "700m");
    world.wake_archiver().await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.operate(back_up()).await;
    assert!(world.check().await.findings.is_empty());
    world.operate(restore(&world, "db-copy", Point::Latest)).await;
    assert_eq!(world.rows("db-copy").await, "100000");
}

/// As after an error of its disk: what is there is read, nothing is added, and the database writes on.
#[tokio::test]
async fn a_repository_that_is_read_only_is_told_and_gone_on_with() {
    let disk;
    let world = World::new();
    std::fs::create_dir_all(world.paths.repository()).expect("made");
    disk = Disk::mount(&world.paths.repository(), "700m");
    if disk.is_none() {
        return;
    }
    world.apply(&[("storage_encrypted", false.into())]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    Disk::remount(&world.paths.repository(), "ro");
    let again = Operation::Backup { name: NAME.to_owned(), label: Some("second".to_owned()) };
    let refused = world.refused(again.clone()).await;
    assert!(refused.kind == ErrorKind::Denied && refused.message.contains("Read-only file system"), "{refused}");
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    let words = "Read-only file system";
    let is_told = |one: &String| one.starts_with("the log is not archived") && one.contains(words);
    world.becomes(|status| status.warnings.iter().any(is_told)).await;
    assert!(world.check().await.findings.is_empty());
    world.operate(restore(&world, "db-first", Point::Backup("first".to_owned()))).await;
    assert_eq!(world.rows("db-first").await, "1");
    Disk::remount(&world.paths.repository(), "rw");
    world.wake_archiver().await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.operate(again).await;
    world.operate(restore(&world, "db-latest", Point::Latest)).await;
    assert_eq!(world.rows("db-latest").await, "2");
}

/// While it ran three days ahead the schedule took a backup: nothing waits for that day, nothing that is needed goes, and what came
/// before it and after it is restored to the moment.
#[tokio::test]
async fn a_clock_that_was_set_back_loses_nothing_and_stops_nothing() {
    let world = World::new();
    world.apply(&[("storage_encrypted", false.into())]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    // What is written here is nobody's half-written backup to be cleared away meanwhile.
    world.kill_agent().await;
    let name = "db-auto-ahead";
    plant(&world, "first", name, jiff::SignedDuration::from_hours(72));
    world.told("took and verified the backup db-auto-2").await;
    world.sql("INSERT INTO t VALUES (2)").await;
    let (between, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (3)").await;
    let names: BTreeSet<_> = world.backups(NAME).await.kept.into_iter().map(|kept| kept.name).collect();
    assert!(names.len() == 3 && names.contains("first") && names.contains(name), "{names:?}");
    assert!(world.check().await.findings.is_empty());
    for (to, point, rows) in [("db-between", Point::At(between), "2"), ("db-latest", Point::Latest, "3")] {
        world.operate(restore(&world, to, point)).await;
        assert_eq!(world.rows(to).await, rows, "{to}");
    }
}

/// The last one was long ago: the next comes by itself, and until then it is said.
#[tokio::test]
async fn a_restore_is_practised_by_itself() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    let long_ago: jiff::Timestamp = "2026-01-04T03:00:00Z".parse().expect("a time");
    let old = DrillReport {
        at: long_ago,
        backup: "old".to_owned(),
        took_ms: 1,
        last_commit_at: None,
        tables: 70,
        failure: Some("it was too long ago".to_owned()),
        passed_before: Some(long_ago),
    };
    let file = world.paths.instance(NAME).root.join("drill.json");
    std::fs::write(&file, serde_json::to_vec(&old).expect("JSON")).expect("written");
    assert!(world.warns("the last drill failed: old could not be restored").await);
    world.told("nobody has restored a backup of it since 2026-01-04T03:00:00Z: a drill is overdue").await;
    world.told("a drill restored ").await;
    world.becomes(|status| status.last_drill.as_ref().is_some_and(|drill| drill.failure.is_none())).await;
    // The next in a week, give or take half a day.
    world
        .becomes(|status| {
            let hours = status.next_drill_at.map(|at| at.duration_since(jiff::Timestamp::now()).as_hours());
            hours.is_some_and(|hours| (155..=181).contains(&hours))
                && status.warnings.iter().all(|it| !it.contains("drill"))
        })
        .await;
}

/// A tablespace is outside of every backup, and the log names its folder: a copy that replays it would write into the living database.
#[tokio::test]
async fn a_copy_never_writes_into_the_tablespace_of_a_living_database() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    let (before, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (2)").await;
    let space = world.paths.instance(NAME).root.join("space");
    RunAs::settle(None).expect("a user").make_dir(&space, 0o700).expect("made");
    let made = format!("CREATE TABLESPACE elsewhere LOCATION '{}'", space.display());
    world.sql(&made).await;
    world.sql("CREATE TABLE far (id int) TABLESPACE elsewhere; INSERT INTO far VALUES (1); CHECKPOINT").await;
    let written = || {
        let times =
            files(&space).into_iter().map(|path| (path.metadata().expect("there").modified().expect("told"), path));
        times.collect::<Vec<_>>()
    };
    let before_all = written();
    assert!(!before_all.is_empty());
    let words = "a tablespace was made after the backup, and no copy may share its files";
    let refused = world.refused(Operation::Drill { name: NAME.to_owned() }).await;
    assert!(refused.message.starts_with(words), "{refused}");
    let refused = world.refused(restore(&world, "db-latest", Point::Latest)).await;
    assert!(refused.message.starts_with(words), "{refused}");
    assert_eq!(written(), before_all, "nobody but the living database writes there");
    // A moment before it is not touched by it, and what is restored is as open as ever.
    world.operate(restore(&world, "db-before", Point::At(before))).await;
    assert_eq!(world.rows("db-before").await, "1");
    let links = world.paths.instance("db-before").node(pgherd_core::ha::NodeId(1)).data.join("pg_tblspc");
    assert_eq!(std::fs::metadata(links).expect("there").permissions().mode() & 0o777, 0o700);
}

/// Everything stored is read back once a week: the last time was long ago, and it comes by itself.
#[tokio::test]
async fn what_is_stored_is_read_back_by_itself() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    let file = world.paths.instance(NAME).root.join("check.json");
    let old = CheckReport {
        at: "2026-01-04T03:00:00Z".parse().expect("a time"),
        backups: 1,
        segments: 0,
        bytes: 0,
        findings: Vec::new(),
    };
    std::fs::write(&file, serde_json::to_vec(&old).expect("JSON")).expect("written");
    world.told("looked over all that is stored of it, ").await;
    world.becomes(|status| status.last_check.as_ref().is_some_and(|check| check.at > old.at)).await;
}

/// What the schedule took it deletes itself; what somebody asked for, and the last one of a database that is gone, go by their names.
#[tokio::test]
async fn a_backup_is_deleted_by_its_name() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    let taken = world.took_its_first().await;
    let automatic = taken.split(' ').find(|word| word.starts_with("db-auto-")).expect("its name").to_owned();
    let agent = world.agent().await;
    let refused = agent.delete_backup(NAME, &automatic, |_| {}).await.expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::Protected, "{refused}");
    let refused = agent.delete_backup(NAME, "../first", |_| {}).await.expect_err("refused");
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused}");
    let bad = Operation::Backup { name: NAME.to_owned(), label: Some("a b".to_owned()) };
    assert_eq!(world.refused(bad).await.message, "\"a b\" cannot name a backup");
    agent.delete_backup(NAME, "first", |_| {}).await.expect("deleted");
    let refused = agent.delete_backup(NAME, "first", |_| {}).await.expect_err("it is gone");
    assert_eq!(refused.kind, ErrorKind::NotFound, "{refused}");
    assert!(world.check().await.findings.is_empty());
    world.delete(Some("db-final")).await.expect("deleted");
    assert!(!world.paths.instance(NAME).root.exists(), "nothing is left of it beside what is stored");
    let names = world.backups(NAME).await.kept.into_iter().map(|kept| kept.name).collect::<BTreeSet<_>>();
    assert_eq!(names, BTreeSet::from([automatic.clone(), "db-final".to_owned()]));
    // What the schedule took stays for 35 days of looks at it; the last one until somebody deletes it.
    world.kill_agent().await;
    let seen_at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(6);
    let gone = serde_json::json!({ NAME: { "for_s": 35 * 24 * 3600 - 3600, "seen_at": seen_at } });
    std::fs::write(world.paths.state.join("gone.json"), gone.to_string()).expect("written");
    world.told("35 days after it was destroyed").await;
    let kept = world.backups(NAME).await.kept;
    assert_eq!(kept.iter().map(|kept| kept.name.as_str()).collect::<Vec<_>>(), ["db-final"]);
    world.operate(restore(&world, NAME, Point::Latest)).await;
    world.delete(None).await.expect("deleted");
    world.agent().await.delete_backup(NAME, "db-final", |_| {}).await.expect("deleted");
    assert_eq!(files(&world.paths.repository().join(NAME)), Vec::<PathBuf>::new());
}

impl World {
    pub async fn check(&self) -> CheckReport {
        self.agent().await.check(NAME, |_| {}).await.expect("looked over")
    }

    /// After three failures PostgreSQL's archiver waits for a minute, or until there is more to do.
    pub async fn wake_archiver(&self) {
        self.sql("CREATE TABLE IF NOT EXISTS more (id int); INSERT INTO more VALUES (1); SELECT pg_switch_wal()").await;
    }

    async fn warns(&self, words: &str) -> bool {
        self.status().await.warnings.iter().any(|warning| warning.contains(words))
    }
}

/// Everything stored of the first life of its database, to be read, and written to as it is.
pub fn generation(world: &World) -> Generation {
    let run_as = RunAs::settle(None).expect("a user");
    let owner = run_as.drops.then_some((run_as.uid, run_as.gid));
    let file = world.paths.state.join("backup.keys");
    let keys = if file.exists() { KeyRing::read(&file).expect("keys") } else { KeyRing::none() };
    let options = Options { owner, encrypt: file.exists(), keys, ..Options::default() };
    let repository = Repository::open(&Location::Folder(world.paths.repository()), options).expect("there");
    repository.generation(NAME, 1).expect("there")
}

/// A backup that was taken so much later than another one, of the same content, and by the schedule.
pub fn plant(world: &World, of: &str, name: &str, later: jiff::SignedDuration) -> Generation {
    let generation = generation(world);
    let known = generation.backups().expect("listed").into_iter().find(|one| one.name == of).expect("listed");
    let start = BackupStart {
        name: name.to_owned(),
        kind: BackupKind::Automated,
        taken_at: known.taken_at + later,
        version: known.version.clone(),
        wal_segment_bytes: known.wal_segment_bytes,
        tags: known.tags.clone(),
        base: None,
    };
    let writer = generation.begin_backup(start).expect("begun");
    let stored = generation.open_backup(of).expect("there");
    for file in stored.files() {
        let mut to = writer.file(&file.name).expect("begun");
        std::io::copy(&mut stored.open(&file.name).expect("there"), &mut to).expect("copied");
        to.finish().expect("stored");
    }
    let end = BackupEnd {
        finished_at: known.finished_at + later,
        timeline: known.timeline,
        start_lsn: known.start_lsn,
        end_lsn: known.end_lsn,
        self_contained: known.self_contained,
    };
    writer.finish(end).expect("a backup");
    generation
}

fn is_data(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("data.tar"))
}

/// As it was, also for the user PostgreSQL runs as.
fn put_back(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("written");
    let folder = path.parent().and_then(|folder| folder.metadata().ok()).expect("a folder");
    std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid())).expect("ours");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut all: Vec<_> = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    all.sort();
    all
}
