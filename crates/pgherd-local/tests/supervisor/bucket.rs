//! The first repository in a bucket: stored there by PostgreSQL itself, restored from there, here and on another machine.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::Ordering;

use pgherd_archive::{Location, Options, Repository};
use pgherd_engine::provider::{ErrorKind, Operation, Point};
use pgherd_local::postgres::runas::RunAs;

use crate::backups::restore;
use crate::proxy::{Way, proxy};
use crate::second::moto;
use crate::world::{Arguments, NAME, World};

const ENCRYPTED: Arguments<'static> = &[("enable_backup_encryption", pgherd_core::value::Value::Bool(true))];

#[tokio::test]
async fn everything_is_stored_in_a_bucket_and_comes_back_from_there() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    let file = world.paths.first_repository();
    name(&file, "s3:/backups");
    world.apply(ENCRYPTED).await;
    let words = "the archive cannot be looked after: what is written is no place for a repository";
    world.becomes(|status| status.warnings.iter().any(|one| one == words)).await;
    name(&file, &moto.place("of/shop"));
    assert_eq!(world.differences(ENCRYPTED).await, [""; 0]);
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let (between, _) = world.here().await;
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    assert!(!world.paths.repository().exists(), "nothing is stored beside it");
    assert!(world.check().await.findings.is_empty());
    let kept = world.backups(NAME).await;
    let first = kept.kept.iter().find(|kept| kept.name == "first").expect("listed");
    assert!(first.encrypted == Some(true) && first.verified_at.is_some(), "{first:?}");
    assert!(kept.restorable.is_some_and(|range| range.to > between), "{kept:?}");
    for (to, point, rows) in [("db-between", Point::At(between), "1"), ("db-latest", Point::Latest, "2")] {
        world.operate(restore(&world, to, point)).await;
        assert_eq!(world.rows(to).await, rows, "{to}");
    }
    world.operate(Operation::Drill { name: NAME.to_owned() }).await;

    // Its second name: not in the same place, but in another bucket's or a folder it may be.
    std::fs::write(world.paths.second_repository(), moto.place("of/shop/too")).expect("written");
    std::fs::set_permissions(world.paths.second_repository(), std::fs::Permissions::from_mode(0o600)).expect("ours");
    let twice: Arguments<'_> = &[("geo_redundant_backup", true.into()), ("enable_backup_encryption", true.into())];
    world.apply(twice).await;
    let is_one = |one: &String| one.contains("is the first repository, or one of the two is in the other");
    world.becomes(|status| status.warnings.iter().any(is_one)).await;
    std::fs::remove_file(world.paths.second_repository()).expect("removed");
    world.apply(ENCRYPTED).await;

    world.sql("INSERT INTO t VALUES (3)").await;
    world.delete(Some("db-final")).await.expect("deleted");
    // The machine is lost, but for the block, the file and the keys.
    let there = World::new();
    std::fs::create_dir_all(&there.paths.state).expect("made");
    name(&there.paths.first_repository(), &moto.place("of/shop"));
    let keys = there.paths.state.join("backup.keys");
    std::fs::copy(world.paths.state.join("backup.keys"), &keys).expect("copied");
    RunAs::settle(None).expect("a user").own(&keys).expect("owned");
    let kept = there.backups(NAME).await.kept;
    assert!(kept.iter().any(|kept| kept.name == "db-final" && kept.last == Some(true)), "{kept:?}");
    there.operate(restore(&there, NAME, Point::Latest)).await;
    assert_eq!(there.rows(NAME).await, "3");
    there.apply(ENCRYPTED).await;
    there.back_up("anew").await;
    let generations: Vec<_> =
        there.backups(NAME).await.kept.iter().map(|kept| (kept.name.clone(), kept.generation)).collect();
    assert!(generations.contains(&("anew".to_owned(), Some(2))), "{generations:?}");
}

/// A bucket that does not answer, and a line that was changed, are told, and the log waits; nothing is stored anywhere else.
#[tokio::test]
async fn a_bucket_that_cannot_be_reached_is_told_and_the_log_waits() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    let file = world.paths.first_repository();
    name(&file, &moto.place("of/shop"));
    world.apply(&[]).await;
    world.took_its_first().await;
    // Whoever changes the line, changes where it is stored: what is there is not begun anew elsewhere.
    name(&file, &moto.place("of/others"));
    world.told("it archives to s3://backups/of/shop, and the first repository is s3://backups/of/others now").await;
    let backup = || Operation::Backup { name: NAME.to_owned(), label: Some("second".to_owned()) };
    let refused = world.refused(backup()).await;
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused}");
    // Nobody listens there.
    name(&file, &moto.place("of/shop").replace(&format!(":{}", moto.port), ":1"));
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1); SELECT pg_switch_wal()").await;
    let is_told = |one: &String| one.starts_with("the log is not archived") && one.contains("s3://backups/of/shop");
    world.becomes(|status| status.warnings.iter().any(is_told)).await;
    name(&file, &moto.place("of/shop"));
    world.wake_archiver().await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    world.operate(backup()).await;
    world.operate(restore(&world, "db-latest", Point::Latest)).await;
    assert_eq!(world.rows("db-latest").await, "1");
}

/// Settings of the archive as versions before wrote them know a generation by its number alone, and another place has another database of
/// that number: nothing is stored there, read from there or deleted there.
#[tokio::test]
async fn a_place_that_has_another_database_of_the_name_is_refused() {
    let world = World::new();
    world.apply(&[]).await;
    world.took_its_first().await;
    let backup = || Operation::Backup { name: NAME.to_owned(), label: Some("second".to_owned()) };
    let (file, was) = (world.paths.first_repository(), world.paths.repository());
    let elsewhere = world.paths.state.join("elsewhere");
    name(&file, &elsewhere.display().to_string());
    let moved = format!("it archives to {}, and the first repository is {} now: ", was.display(), elsewhere.display());
    let refused = world.refused(backup()).await;
    assert_eq!(refused.message, format!("{moved}there is no repository at {}", elsewhere.display()));
    // Nobody writes the settings anew as long as they are refused.
    let settings = world.paths.instance(NAME).root.join("archive.json");
    let mut known: serde_json::Value = serde_json::from_slice(&std::fs::read(&settings).expect("read")).expect("JSON");
    assert!(known.as_object_mut().expect("an object").remove("id").is_some());
    std::fs::write(&settings, known.to_string()).expect("written");
    let place = Location::Folder(elsewhere.clone());
    let theirs = Repository::create(&place, Options::default()).expect("made");
    theirs.begin_generation(NAME, 7, None, jiff::Timestamp::now()).expect("begun");
    let refused = world.refused(backup()).await;
    let another = format!("{} has another database db as its generation 1", elsewhere.display());
    assert_eq!((refused.kind, refused.message), (ErrorKind::Conflict, format!("{moved}{another}")));
    let check = world.agent().await.check(NAME, |_| {}).await;
    let listed = theirs.generation(NAME, 1).expect("there").holdings().expect("listed");
    assert!(listed.backups.is_empty() && listed.wal.is_empty(), "{listed:?}, {check:?}");
    // Where it was, it is known by its number and its cluster, and its identity is written down again.
    std::fs::remove_file(&file).expect("removed");
    world.operate(backup()).await;
    assert!(std::fs::read_to_string(&settings).expect("read").contains("\"id\""));
}

/// A bucket that throttles, and one that does what it is asked and does not say so, slow a database's backups and lose nothing of them:
/// PostgreSQL archives, the agent takes, checks and restores through them.
#[tokio::test]
async fn a_bucket_that_throttles_or_forgets_to_answer_loses_nothing() {
    let Some(moto) = moto() else { return };
    let world = World::new();
    std::fs::create_dir_all(&world.paths.state).expect("made");
    let ways = [Way::Throttled, Way::Forgetful].map(|way| proxy(moto.port, way));
    let through = |port: u16| moto.place("of/shop").replace(&format!(":{}", moto.port), &format!(":{port}"));
    name(&world.paths.first_repository(), &through(ways[0].0));
    world.apply(ENCRYPTED).await;
    world.took_its_first().await;
    world.sql("CREATE TABLE t (id int)").await;
    for (number, (port, faults)) in (1..).zip(&ways) {
        name(&world.paths.first_repository(), &through(*port));
        world.back_up(&format!("backup-{number}")).await;
        world.sql(&format!("INSERT INTO t VALUES ({number}); SELECT pg_switch_wal()")).await;
        world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
        assert!(world.check().await.findings.is_empty());
        let to = format!("db-{number}");
        world.operate(restore(&world, &to, Point::Latest)).await;
        assert_eq!(world.rows(&to).await, number.to_string());
        assert!(faults.load(Ordering::Relaxed) > 1, "it was in the way {faults:?} times only");
    }
    assert_eq!(world.asked_for(NAME).await, ["backup-1", "backup-2"]);
}

/// PostgreSQL's user stores the log itself, and reads how; under root nobody else writes it.
fn name(named: &Path, place: &str) {
    // Beside it first: agent and helper may read it at any moment.
    let file = &named.with_extension("next");
    std::fs::write(file, place).expect("written");
    let run_as = RunAs::settle(None).expect("a user");
    let mode = if run_as.drops { 0o640 } else { 0o600 };
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).expect("ours");
    if run_as.drops {
        std::os::unix::fs::chown(file, Some(0), Some(run_as.gid)).expect("root's");
    }
    std::fs::rename(file, named).expect("renamed");
}
