//! A second repository has what the first one has, and nothing that is wrong with it.

use std::io::{Read as _, Write as _};

use pgherd_archive::{
    Copied, Copies, Depth, ErrorKind, Generation, Heard, Lag, Location, Options, Repository, copy, copy_while, fetch,
    fetch_bytes, lag,
};

use crate::backups::take;
use crate::world::{World, noise, now, segment};

fn second(world: &World, name: &str) -> Repository {
    let location = Location::Folder(world.path(name));
    Repository::create(
        &location,
        Options { keys: world.keys.clone(), encrypt: false, owner: None, ..Options::default() },
    )
    .expect("made")
}

fn of(repository: &Repository) -> Generation {
    repository.generation("orders", 1).expect("there")
}

#[test]
fn everything_is_copied_once_and_can_be_read_there() {
    for world in World::both() {
        let second = second(&world, "second");
        let (first, mut copies) = (world.generation(), Copies::default());
        for number in 1..4 {
            let name = format!("00000001000000000000000{number}");
            world.push(&name, &segment(crate::world::CLUSTER, number << 24, &noise(number, 1000))).expect("stored");
        }
        take(&first, "daily", &[("data.tar", &noise(9, 1 << 20))]);
        first.set_verified("daily", now()).expect("noted");
        let behind = lag(&first, &second, &mut copies).expect("known");
        // Generation, three segments, data, manifest, verified.
        assert_eq!(behind.objects, 7);
        assert!(behind.bytes > 1 << 20 && behind.since.is_some());
        let mut bytes = 0;
        assert_eq!(copy(&first, &second, &mut copies, |count| bytes += count), Ok(7));
        assert_eq!(bytes, behind.bytes);
        assert_eq!(lag(&first, &second, &mut copies), Ok(Lag::default()));
        assert_eq!(copy(&first, &second, &mut copies, |_| {}), Ok(0));
        // Asked anew, too.
        assert_eq!(copy(&first, &second, &mut Copies::default(), |_| {}), Ok(0));
        assert_eq!(of(&second).check(Depth::Read, |_| {}), Ok(vec![]));
        assert_eq!(of(&second).holdings(), first.holdings());
        // What is deleted here stays there.
        first.delete_backup("daily").expect("deleted");
        assert_eq!(copy(&first, &second, &mut Copies::default(), |_| {}), Ok(0));
        of(&second).open_backup("daily").and_then(|backup| backup.verify(|_| {})).expect("whole");
        // And comes back, with the log behind it.
        let back = self::second(&world, "back");
        let backup = of(&second).backups().expect("listed").remove(0);
        let fetched = fetch(&of(&second), &backup, None, &back, |_| {}).expect("fetched");
        fetched.open_backup("daily").and_then(|backup| backup.verify(|_| {})).expect("whole");
        assert_eq!(fetched.wal().expect("listed").len(), 2, "the backup begins in the second segment");
        let short = self::second(&world, "short");
        let (until, mut bytes) = (Some(backup.end_lsn), 0);
        let fetched = fetch(&of(&second), &backup, until, &short, |count| bytes += count).expect("fetched");
        assert_eq!(fetched.wal().expect("listed").len(), 1, "and ends in it");
        assert_eq!(fetch_bytes(&of(&second), &backup, until), Ok(bytes));
    }
}

#[test]
fn a_backup_that_is_being_taken_is_not_copied() {
    let world = World::plain();
    let second = second(&world, "second");
    let writer = world.generation().begin_backup(crate::backups::start("daily")).expect("begun");
    let mut file = writer.file("data.tar").expect("begun");
    std::io::Write::write_all(&mut file, b"x").expect("written");
    file.finish().expect("stored");
    assert_eq!(copy(&world.generation(), &second, &mut Copies::default(), |_| {}), Ok(1));
    assert_eq!(of(&second).backup_names(), Ok(vec![]));
}

#[test]
fn damage_is_not_copied_and_the_rest_is() {
    let world = World::encrypted();
    let second = second(&world, "second");
    for number in 1..4 {
        let name = format!("00000001000000000000000{number}");
        world.push(&name, &segment(crate::world::CLUSTER, number << 24, &noise(number, 1000))).expect("stored");
    }
    for name in ["bad", "good"] {
        take(&world.generation(), name, &[("data.tar", &noise(9, 1 << 20))]);
    }
    let bad = world
        .files()
        .into_iter()
        .find(|file| file.contains("/bad/") && file.ends_with("data.tar.pgherd"))
        .expect("there");
    for path in [world.wal_object("000000010000000000000002"), world.root().join(bad)] {
        let mut bytes = std::fs::read(&path).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("written");
    }
    let mut copies = Copies::default();
    let error = copy(&world.generation(), &second, &mut copies, |_| {}).expect_err("damaged");
    assert_eq!(error.kind, ErrorKind::Damaged);
    let names: Vec<_> = of(&second).wal().expect("listed").iter().map(|file| file.name.to_string()).collect();
    assert_eq!(names, ["000000010000000000000001", "000000010000000000000003"]);
    assert_eq!(
        of(&second).backups().expect("listed").iter().map(|backup| backup.name.as_str()).collect::<Vec<_>>(),
        ["good"]
    );
    assert_eq!(of(&second).check(Depth::Read, |_| {}).expect("looked at").len(), 1, "the gap");
    // The backup is marked where it is: nobody reads and sends it up to its damage again, before somebody found it to be whole.
    let damaged =
        |name: &str| world.generation().backups().expect("listed").iter().any(|one| one.name == name && one.damaged);
    assert!(damaged("bad") && !damaged("good"));
    assert_eq!(lag(&world.generation(), &second, &mut copies).expect("known").objects, 1, "the segment");
    world.generation().clear_damaged("bad").expect("cleared");
    assert_eq!(lag(&world.generation(), &second, &mut copies).expect("known").objects, 3, "its data and manifest, too");
}

#[test]
fn what_cannot_be_read_stops_nothing_behind_it() {
    let world = World::plain();
    let second = second(&world, "second");
    let mut copies = Copies::default();
    copy(&world.generation(), &second, &mut copies, |_| {}).expect("copied");
    for number in 1..4 {
        let name = format!("00000001000000000000000{number}");
        world.push(&name, &segment(crate::world::CLUSTER, number << 24, &noise(number, 1000))).expect("stored");
    }
    // Cannot be opened, whoever asks, and no file is missing.
    let unreadable = world.wal_object("000000010000000000000002");
    std::fs::remove_file(&unreadable).expect("there");
    std::os::unix::fs::symlink(&unreadable, &unreadable).expect("a link to itself");
    let error = copy(&world.generation(), &second, &mut copies, |_| {}).expect_err("told");
    assert_ne!(error.kind, ErrorKind::Damaged, "{error}");
    let names: Vec<_> = of(&second).wal().expect("listed").iter().map(|file| file.name.to_string()).collect();
    assert_eq!(names, ["000000010000000000000001", "000000010000000000000003"]);
}

#[test]
fn nothing_is_written_over_and_another_database_is_noticed() {
    let world = World::plain();
    let second = second(&world, "second");
    world.push("000000010000000000000001", b"one").expect("stored");
    copy(&world.generation(), &second, &mut Copies::default(), |_| {}).expect("copied");
    // The copy is another one now.
    let place = world.path("second/orders/0001/wal/00000001/000000010000000000000001.pgherd");
    std::fs::write(&place, "something else").expect("written");
    let error = copy(&world.generation(), &second, &mut Copies::default(), |_| {}).expect_err("other content");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(std::fs::read(&place).expect("read"), b"something else");
    let other = World::plain();
    let error = copy(&other.generation(), &second, &mut Copies::default(), |_| {}).expect_err("another database");
    assert!(error.message.ends_with("is of another database of that name"), "{error}");
}

/// Deleted and taken again, which the size of what describes it does not tell.
#[test]
fn a_name_that_was_taken_again_is_the_later_backup_there_too() {
    let world = World::plain();
    let second = second(&world, "second");
    let (first, mut copies) = (world.generation(), Copies::default());
    let content = |repository: &Repository| {
        let mut content = Vec::new();
        let backup = of(repository).open_backup("daily").expect("there");
        backup.open("data.tar").expect("there").read_to_end(&mut content).expect("good");
        content
    };
    take(&first, "daily", &[("data.tar", b"before")]);
    copy(&first, &second, &mut copies, |_| {}).expect("copied");
    first.delete_backup("daily").expect("deleted");
    assert_eq!(lag(&first, &second, &mut copies).expect("known").only_there, ["daily"]);
    let mut again = crate::backups::start("daily");
    again.taken_at += jiff::SignedDuration::from_secs(1);
    let writer = first.begin_backup(again).expect("begun");
    let mut file = writer.file("data.tar").expect("begun");
    file.write_all(b"behind").expect("written");
    file.finish().expect("stored");
    writer.finish(crate::backups::end()).expect("a backup");
    // Also by one who knows no more than what is listed.
    for mut copies in [copies, Copies::default()] {
        assert!(lag(&first, &second, &mut copies).expect("known").objects <= 2);
        copy(&first, &second, &mut copies, |_| {}).expect("copied");
        assert_eq!(lag(&first, &second, &mut copies), Ok(Lag::default()));
    }
    assert_eq!(content(&second), b"behind");
    // What it was is cleared away there.
    assert_eq!(of(&second).clear_unfinished(), Ok(1));
    assert_eq!(of(&second).check(Depth::Read, |_| {}), Ok(vec![]));
    assert_eq!(content(&second), b"behind");
    // A first one that went back does not take the later one along.
    first.delete_backup("daily").expect("deleted");
    take(&first, "daily", &[("data.tar", b"before")]);
    let error = copy(&first, &second, &mut Copies::default(), |_| {}).expect_err("earlier than what is there");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(content(&second), b"behind");
}

#[test]
fn what_vanished_there_is_found_when_it_is_asked_again_and_what_was_verified_again_is_told_there() {
    let world = World::plain();
    let second = second(&world, "second");
    let (first, mut copies) = (world.generation(), Copies::default());
    world.push("000000010000000000000001", b"one").expect("stored");
    take(&first, "daily", &[("data.tar", b"content")]);
    first.set_verified("daily", now()).expect("noted");
    copy(&first, &second, &mut copies, |_| {}).expect("copied");
    std::fs::remove_file(world.path("second/orders/0001/wal/00000001/000000010000000000000001.pgherd")).expect("lost");
    copies.forget_after(std::time::Duration::from_secs(3600));
    assert_eq!(copy(&first, &second, &mut copies, |_| {}), Ok(0), "it is not asked each time");
    copies.forget_after(std::time::Duration::ZERO);
    let behind = lag(&first, &second, &mut copies).expect("known");
    assert_eq!((behind.objects, behind.segments), (1, 1));
    assert_eq!(copy(&first, &second, &mut copies, |_| {}), Ok(1));
    let later = now() + jiff::SignedDuration::from_secs(1);
    first.set_verified("daily", later).expect("noted");
    assert_eq!(copy(&first, &second, &mut copies, |_| {}), Ok(1));
    assert_eq!(of(&second).backups().expect("listed")[0].verified_at, Some(later));
}

/// Names of the backups that it lists.
fn listed(repository: &Repository) -> Vec<String> {
    of(repository).backups().expect("listed").into_iter().map(|backup| backup.name).collect()
}

#[test]
fn a_backup_that_lost_a_file_is_not_listed_there() {
    for world in World::both() {
        let second = second(&world, "second");
        let (first, mut copies) = (world.generation(), Copies::default());
        for name in ["lost", "cut", "whole"] {
            take(&first, name, &[("data.tar", &noise(9, 1 << 20)), ("backup_manifest", b"{}")]);
            first.set_verified(name, now()).expect("noted");
        }
        let file = |name: &str| {
            let data = |file: &String| file.contains(name) && file.ends_with("data.tar.pgherd");
            world.root().join(world.files().into_iter().find(data).expect("there"))
        };
        std::fs::remove_file(file("/lost/")).expect("lost");
        // Nothing of the object itself says that it is not the one that was stored.
        std::fs::copy(file("/whole/"), file("/cut/")).expect("another one");
        let error = copy(&first, &second, &mut copies, |_| {}).expect_err("told");
        assert_eq!(error.kind, ErrorKind::Damaged);
        assert_eq!(listed(&second), ["whole"]);
        assert!(!world.path("second/orders/0001/backups/lost/manifest.pgherd").exists());
        assert!(!world.path("second/orders/0001/backups/lost/verified.pgherd").exists());
        assert!(lag(&first, &second, &mut copies).expect("known").objects > 0, "it is behind");
        assert_eq!(of(&second).check(Depth::Read, |_| {}), Ok(vec![]));
        // What is there already stays as it is.
        std::fs::remove_file(file("/whole/")).expect("lost");
        let _ = copy(&first, &second, &mut Copies::default(), |_| {});
        of(&second).open_backup("whole").and_then(|backup| backup.verify(|_| {})).expect("whole");
    }
}

#[test]
fn what_is_cut_short_goes_on_where_it_stopped() {
    let world = World::plain();
    let second = second(&world, "second");
    let (first, mut copies) = (world.generation(), Copies::default());
    for number in 1..4 {
        let name = format!("00000001000000000000000{number}");
        world.push(&name, &segment(crate::world::CLUSTER, number << 24, &noise(number, 1000))).expect("stored");
    }
    take(&first, "daily", &[("data.tar", &noise(9, 2 << 20))]);
    // Between two objects.
    let mut objects = 0;
    let two = |heard| {
        objects += usize::from(heard == Heard::Between);
        objects <= 2
    };
    let copied = copy_while(&first, &second, &mut copies, two).expect("cut short");
    assert_eq!(copied, Copied { objects: 2, cut_short: true });
    assert_eq!(lag(&first, &second, &mut copies).expect("known").objects, 4);
    // Within one: nothing of it is there.
    let mut bytes = 0;
    let some = |heard| {
        bytes += if let Heard::Bytes(count) = heard { count } else { 0 };
        bytes < 1 << 20
    };
    let copied = copy_while(&first, &second, &mut copies, some).expect("cut short");
    assert_eq!(copied, Copied { objects: 2, cut_short: true });
    assert_eq!(of(&second).backup_names().map(|_| listed(&second)), Ok(vec![]));
    let copied = copy_while(&first, &second, &mut copies, |_| true).expect("copied");
    assert_eq!(copied, Copied { objects: 2, cut_short: false });
    assert_eq!(listed(&second), ["daily"]);
    assert_eq!(of(&second).clear_unfinished(), Ok(0), "nothing is left of what was cut short");
    assert_eq!(of(&second).check(Depth::Read, |_| {}), Ok(vec![]));
}

#[test]
fn a_folder_that_cannot_be_listed_stops_no_other() {
    let world = World::plain();
    let second = second(&world, "second");
    let (first, mut copies) = (world.generation(), Copies::default());
    world.push("000000010000000000000001", b"one").expect("stored");
    world.push("000000020000000000000002", b"two").expect("stored");
    take(&first, "daily", &[("data.tar", b"content")]);
    // Deeper than a path can be long, which is refused to whoever may read everything, too.
    let mut deep = world.path("deep");
    while deep.as_os_str().len() < 4085 {
        deep.push("d".repeat(250.min(4085 - deep.as_os_str().len())));
    }
    std::fs::create_dir_all(&deep).expect("made");
    std::fs::rename(world.path("deep"), world.root().join("orders/0001/wal/00000001/deep")).expect("moved");
    first.wal().expect_err("it cannot be listed");
    let behind = lag(&first, &second, &mut copies).expect("known as far as it goes");
    assert!(behind.unlisted.is_some() && behind.objects == 4, "{behind:?}");
    copy(&first, &second, &mut copies, |_| {}).expect_err("told");
    assert_eq!(listed(&second), ["daily"]);
    assert_eq!(of(&second).wal().expect("listed").len(), 1);
}
