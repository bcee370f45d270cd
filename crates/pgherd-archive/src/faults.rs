//! A process that is killed before and after each of its operations on files: nothing that is needed is gone, nothing half
//! written is listed, and the same again does the rest.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{
    Backup, BackupKind, Deletion, Lsn, Retention, SegmentName, Timeline, WalName, expire, reach,
};

use crate::{
    BackupEnd, BackupStart, Depth, ErrorKind, Generation, KeyRing, Location, Options, Packing, Pushed, Repository,
};

/// Operations until this process is killed; below zero: it is not.
static LEFT: AtomicI64 = AtomicI64::new(-1);

const FOLDER: &str = "PGHERD_FAULTS_FOLDER";
const AFTER: &str = "PGHERD_FAULTS_AFTER";
const WHAT: &str = "PGHERD_FAULTS_WHAT";
/// How a child ends that did all it was asked for.
const DONE: i32 = 42;
const SIZE: u64 = 16 << 20;

pub(crate) fn step() {
    if LEFT.load(Ordering::Relaxed) >= 0 && LEFT.fetch_sub(1, Ordering::Relaxed) == 0 {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

fn now() -> Timestamp {
    "2026-11-23T05:00:00Z".parse().expect("a time")
}

fn options(folder: &Path) -> Options {
    Options {
        keys: KeyRing::create(&folder.join("key"), None).expect("a key"),
        encrypt: true,
        owner: None,
        ..Options::default()
    }
}

fn location(folder: &Path) -> Location {
    Location::Folder(folder.join("repository"))
}

fn generation(folder: &Path) -> Generation {
    Repository::open(&location(folder), options(folder)).and_then(|all| all.generation("orders", 1)).expect("there")
}

fn segment(number: u64) -> WalName {
    WalName::Segment(SegmentName::new(Timeline(1), number, SIZE))
}

fn file(folder: &Path, number: u64) -> PathBuf {
    let path = folder.join(segment(number).to_string());
    std::fs::write(&path, vec![u8::try_from(number).expect("few"); 100_000]).expect("written");
    path
}

/// A backup of day `day` that begins in segment `2 * day`.
fn take(generation: &Generation, day: u64, kind: BackupKind) -> crate::Result<Backup> {
    let at = now() - SignedDuration::from_hours(24 * i64::try_from(9 - day).expect("few") + 2);
    let writer = generation.begin_backup(BackupStart {
        name: format!("day{day}"),
        kind,
        taken_at: at,
        version: "15.18".to_owned(),
        wal_segment_bytes: SIZE,
        tags: std::collections::BTreeMap::new(),
        base: None,
    })?;
    let mut file = writer.file("pg_wal.tar")?;
    file.write_all(&[7; 100_000]).map_err(|error| crate::ArchiveError::io("store it", &error))?;
    file.finish()?;
    // As a server sends it.
    let sent = zstd::encode_all([7; 100_000].as_slice(), 1).expect("compressed");
    writer.store("base.tar", sent.as_slice(), Packing::Zstd, |_| Ok(()))?;
    let start_lsn = Lsn(2 * day * SIZE + 0x28);
    let end_lsn = Lsn(start_lsn.0 + 0x100);
    writer.finish(BackupEnd { finished_at: at, timeline: Timeline(1), start_lsn, end_lsn, self_contained: false })
}

/// What the child is killed in.
fn act(what: &str, folder: &Path) {
    match what {
        "create" => {
            let repository = Repository::create(&location(folder), options(folder)).expect("made");
            if repository.generations("orders").expect("listed").is_empty() {
                repository.begin_generation("orders", 0, None, now()).expect("begun");
            }
        }
        "push" => {
            let generation = generation(folder);
            for number in [18, 19] {
                generation.push_wal(segment(number), &folder.join(segment(number).to_string())).expect("stored");
            }
        }
        "fetch" => generation(folder).fetch_wal(segment(3), &folder.join("RECOVERYXLOG")).expect("fetched"),
        "backup" => {
            let generation = generation(folder);
            generation.clear_unfinished().expect("cleared");
            match take(&generation, 9, BackupKind::Manual) {
                Err(error) if error.kind == ErrorKind::Conflict => {}
                other => drop(other.expect("taken")),
            }
        }
        "expire" => {
            let generation = generation(folder);
            generation.delete(&due_to_go(&generation)).expect("deleted");
            generation.clear_unfinished().expect("cleared");
        }
        "mirror" => {
            let second = Location::Folder(folder.join("second"));
            let second = Repository::create(&second, options(folder)).expect("made");
            crate::copy(&generation(folder), &second, &mut crate::Copies::default(), |_| {}).expect("copied");
        }
        "fill" => fill(folder),
        other => panic!("{other}"),
    }
}

/// Stores until the disk is full, and looks at what there is then.
fn fill(folder: &Path) {
    act("create", folder);
    let generation = generation(folder);
    let path = folder.join("noise");
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    std::fs::write(&path, noise.take(300_000).collect::<Vec<_>>()).expect("written");
    let mut stored = 0;
    let error = loop {
        match generation.push_wal(segment(stored), &path) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
    };
    assert!(error.kind == ErrorKind::Full && stored > 0, "{stored}: {error}");
    assert!(error.help.is_some_and(|help| help.contains("make room")));
    // To the last page, which a small backup would fit into.
    let ballast = folder.join("ballast");
    let mut file = std::fs::File::create(&ballast).expect("made");
    while file.write_all(&[1; 4096]).is_ok() {}
    assert_eq!(take(&generation, 0, BackupKind::Manual).map(|_| ()).map_err(|error| error.kind), Err(ErrorKind::Full));
    std::fs::remove_file(ballast).expect("removed");
    assert_eq!(generation.backups(), Ok(vec![]));
    assert_eq!(generation.wal().expect("listed").len() as u64, stored);
    assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
    generation.clear_unfinished().expect("cleared");
    generation.delete(&[Deletion::Wal(segment(0))]).expect("deleted");
    assert!(generation.push_wal(segment(stored), &path).is_ok(), "there is room again");
}

fn due_to_go(generation: &Generation) -> Vec<Deletion> {
    expire(&generation.holdings().expect("listed"), Retention { days: 5, point_in_time: true }, now())
}

#[test]
#[ignore = "the process that is killed, started by the others"]
fn child() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).expect("a folder"));
    let what = std::env::var(WHAT).expect("what to do");
    LEFT.store(std::env::var(AFTER).expect("a number").parse().expect("a number"), Ordering::Relaxed);
    act(&what, &folder);
    std::process::exit(DONE);
}

fn run(what: &str, folder: &Path, after: i64) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["faults::child", "--exact", "--ignored", "--quiet"]).env(WHAT, what).env(FOLDER, folder);
    command.env(AFTER, after.to_string()).stdout(std::process::Stdio::null()).status().expect("runs")
}

/// Kills `what` at its first operation, at its second, and so on, each time in a fresh folder; looks at what is there, and
/// has the same done again, whole.
#[track_caller]
fn check(what: &str, prepare: fn(&Path), look: fn(&Path, bool)) {
    for after in 0.. {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let status = run(what, folder.path(), after);
        let killed = status.code().is_none();
        assert!(killed || status.code() == Some(DONE), "{what} after {after}: {status}");
        look(folder.path(), !killed);
        let again = run(what, folder.path(), -1);
        assert_eq!(again.code(), Some(DONE), "{what} again, after {after}");
        look(folder.path(), true);
        if !killed {
            assert!(after > 5, "{what} has {after} operations");
            return;
        }
    }
}

fn none(folder: &Path) {
    options(folder);
}

/// Nine days, a backup in each but the last, two segments a day.
fn nine_days(folder: &Path) {
    act("create", folder);
    let generation = generation(folder);
    for number in 0..18 {
        generation.push_wal(segment(number), &file(folder, number)).expect("stored");
    }
    for day in 0..9 {
        take(&generation, day, if day == 1 { BackupKind::Final } else { BackupKind::Automated }).expect("taken");
    }
    for number in [18, 19] {
        file(folder, number);
    }
}

#[test]
fn making_a_repository() {
    check("create", none, |folder, done| {
        let there = Repository::open(&location(folder), options(folder)).and_then(|all| all.generations("orders"));
        let count = there.map(|all| all.len());
        assert!(count == Ok(1) || !done, "{count:?}");
        assert!(
            count.as_ref().map_or_else(|error| error.kind == ErrorKind::Unavailable, |count| *count <= 1),
            "{count:?}"
        );
    });
}

#[test]
fn storing_log() {
    check("push", nine_days, |folder, done| {
        let generation = generation(folder);
        assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
        let count = generation.wal().expect("listed").len();
        assert!(count == 20 || (18..20).contains(&count) && !done, "{count}");
        for number in 18..count as u64 {
            assert_eq!(generation.read_wal(segment(number)), Ok(vec![u8::try_from(number).expect("few"); 100_000]));
            let path = folder.join(segment(number).to_string());
            assert_eq!(generation.push_wal(segment(number), &path), Ok(Pushed::AlreadyThere));
        }
        // What was left lying about is cleared, and nothing else.
        generation.clear_unfinished().expect("cleared");
        let wal = folder.join("repository/orders/0001/wal/00000001");
        assert_eq!(std::fs::read_dir(wal).expect("a folder").count(), count);
    });
}

#[test]
fn fetching_log() {
    check("fetch", nine_days, |folder, done| {
        let fetched = std::fs::read(folder.join("RECOVERYXLOG")).ok();
        assert!(fetched == Some(vec![3; 100_000]) || fetched.is_none() && !done);
    });
}

#[test]
fn taking_a_backup() {
    check("backup", nine_days, |folder, done| {
        let generation = generation(folder);
        assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
        let backups = generation.backups().expect("listed");
        assert!(backups.len() == 10 || backups.len() == 9 && !done, "{}", backups.len());
        for backup in backups {
            generation.open_backup(&backup.name).and_then(|whole| whole.verify(|_| {})).expect("whole");
        }
    });
}

/// Whatever is listed in the second repository is whole there, and so is the log it needs.
#[test]
fn keeping_a_second_repository_in_step() {
    let one_day = |folder: &Path| {
        act("create", folder);
        let generation = generation(folder);
        for number in 0..2 {
            generation.push_wal(segment(number), &file(folder, number)).expect("stored");
        }
        take(&generation, 0, BackupKind::Automated).expect("taken");
        generation.set_verified("day0", now()).expect("noted");
    };
    check("mirror", one_day, |folder, done| {
        let first = generation(folder);
        let second = Repository::open(&Location::Folder(folder.join("second")), options(folder));
        let Ok(second) = second.and_then(|all| all.generation("orders", 1)) else {
            assert!(!done);
            return;
        };
        assert_eq!(second.check(Depth::Read, |_| {}), Ok(vec![]));
        let (here, there) = (first.holdings().expect("listed"), second.holdings().expect("listed"));
        assert!(
            there.backups.is_empty()
                || there.wal.iter().map(|file| file.name).eq(here.wal.iter().map(|file| file.name))
        );
        for backup in &there.backups {
            second.open_backup(&backup.name).and_then(|whole| whole.verify(|_| {})).expect("whole");
        }
        if done {
            assert_eq!(there.backups, here.backups);
            assert_eq!(there.wal, here.wal);
        }
    });
}

#[test]
fn expiring() {
    check("expire", nine_days, |folder, done| {
        let generation = generation(folder);
        assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
        let holdings = generation.holdings().expect("listed");
        let since = now() - SignedDuration::from_hours(24 * 5);
        let range = *reach(&holdings).last().expect("restorable");
        assert!(range.from <= since, "{range:?}");
        let names: Vec<_> = holdings.backups.iter().map(|backup| backup.name.as_str()).collect();
        for needed in ["day1", "day4", "day5", "day6", "day7", "day8"] {
            assert!(names.contains(&needed), "{names:?}");
            generation.open_backup(needed).and_then(|whole| whole.verify(|_| {})).expect("whole");
        }
        for number in (8..18).chain([2]) {
            generation.read_wal(segment(number)).expect("needed");
        }
        if done {
            assert_eq!((holdings.backups.len(), holdings.wal.len()), (6, 11));
            let left = std::fs::read_dir(folder.join("repository/orders/0001/backups")).expect("a folder").count();
            assert_eq!(left, 6, "folders of what was deleted are gone");
        }
    });
}

#[test]
#[expect(clippy::print_stderr, reason = "whoever runs the tests must see what was not tested")]
fn a_full_disk_is_told_and_what_is_stored_stays_good() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED a full disk: only root mounts a small one");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("unshare");
    // A mount of its own, which goes with its process.
    let script = "mount -t tmpfs -o size=2m none \"$0\" && exec \"$@\"";
    command
        .args(["--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().expect("this program"));
    command.args(["faults::child", "--exact", "--ignored", "--quiet"]).env(WHAT, "fill").env(FOLDER, folder.path());
    let output = command.env(AFTER, "-1").output().expect("runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(DONE), "{said}");
}
