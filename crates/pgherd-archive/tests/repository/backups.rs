//! Backups are whole or not there.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};

use pgherd_archive::{
    BackupEnd, BackupStart, Depth, ErrorKind, Generation, Location, Options, Packing, Repository, Trouble, fetch,
    fetch_bytes,
};
use pgherd_core::backups::{Backup, BackupKind, Lsn, Timeline};

use crate::world::{World, noise, now};

pub fn start(name: &str) -> BackupStart {
    BackupStart {
        name: name.to_owned(),
        kind: BackupKind::Manual,
        taken_at: now(),
        version: "15.18".to_owned(),
        wal_segment_bytes: 16 << 20,
        tags: BTreeMap::from([("team".to_owned(), "orders".to_owned())]),
        base: None,
    }
}

pub fn end() -> BackupEnd {
    BackupEnd {
        finished_at: now(),
        timeline: Timeline(1),
        start_lsn: Lsn(0x0200_0028),
        end_lsn: Lsn(0x0200_0100),
        self_contained: true,
    }
}

pub fn take(generation: &Generation, name: &str, files: &[(&str, &[u8])]) -> Backup {
    let writer = generation.begin_backup(start(name)).expect("begun");
    for (name, content) in files {
        let mut file = writer.file(name).expect("begun");
        file.write_all(content).expect("written");
        file.finish().expect("stored");
    }
    writer.finish(end()).expect("stored")
}

#[test]
fn a_backup_comes_back_as_it_was() {
    for world in World::both() {
        let generation = world.generation();
        let (base, wal) = (noise(1, 3 << 20), vec![0; 5 << 20]);
        let taken = take(&generation, "before-the-move", &[("base.tar", &base), ("pg_wal.tar", &wal), ("empty", b"")]);
        assert_eq!(generation.backups(), Ok(vec![taken.clone()]));
        assert_eq!(
            (taken.original_bytes, taken.key.as_deref()),
            (8 << 20, world.keys.current().filter(|_| taken.key.is_some()))
        );
        let reader = generation.open_backup("before-the-move").expect("there");
        let names: Vec<_> = reader.files().iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["base.tar", "empty", "pg_wal.tar"]);
        for (name, expected) in [("base.tar", &base), ("pg_wal.tar", &wal), ("empty", &Vec::new())] {
            let mut content = Vec::new();
            reader.open(name).expect("there").read_to_end(&mut content).expect("good");
            assert!(content == *expected, "{name}");
        }
        let mut seen = 0;
        reader.verify(|bytes| seen += bytes).expect("good");
        assert_eq!(seen, 8 << 20);
        generation.set_verified("before-the-move", now()).expect("written down");
        generation.set_verified("before-the-move", now()).expect("written down again");
        assert_eq!(generation.backups().expect("listed")[0].verified_at, Some(now()));
        assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
    }
}

#[test]
fn changes_are_nothing_without_what_they_are_the_changes_since() {
    let world = World::plain();
    let generation = world.generation();
    let changes = |name: &str| {
        let writer =
            generation.begin_backup(BackupStart { base: Some("whole".to_owned()), ..start(name) }).expect("begun");
        writer.store("data.tar", [7; 1000].as_slice(), Packing::None, |_| Ok(())).expect("stored");
        writer.finish(end()).expect("a backup")
    };
    let (whole, first) = (take(&generation, "whole", &[("data.tar", &noise(1, 100_000))]), changes("first"));
    let damaged = || -> Vec<_> {
        let listed = generation.backups().expect("listed").into_iter();
        listed.filter(|backup| backup.damaged).map(|backup| backup.name).collect()
    };
    assert_eq!((damaged(), generation.check(Depth::Read, |_| {})), (vec![], Ok(vec![])));
    // To be restored from elsewhere both are fetched.
    let back = Repository::create(&Location::Folder(world.path("back")), Options::default()).expect("made");
    let fetched = fetch(&generation, &first, None, &back, |_| {}).expect("fetched");
    assert_eq!(fetched.backups().map(|backups| backups.len()), Ok(2));
    assert_eq!(fetch_bytes(&generation, &whole, None).map(|bytes| bytes > whole.bytes), Ok(true));
    generation.set_damaged("whole", now()).expect("written down");
    assert_eq!(damaged(), ["first", "whole"]);
    generation.set_verified("whole", now()).expect("written down");
    assert_eq!(damaged(), [""; 0]);
    generation.delete_backup("whole").expect("deleted");
    assert_eq!(damaged(), ["first"]);
    let findings = generation.check(Depth::Listed, |_| {}).expect("looked at");
    assert_eq!((findings.len(), findings[0].at.as_str()), (1, "backups/whole"), "{findings:?}");
    // Another one that is given the name is not what they are the changes since.
    take(&generation, "whole", &[("data.tar", &noise(1, 100_000))]);
    assert_eq!(damaged(), ["first"]);
}

#[test]
fn what_was_not_finished_is_not_there_and_can_be_begun_anew() {
    let world = World::plain();
    let generation = world.generation();
    let before = world.files();
    let writer = generation.begin_backup(start("daily")).expect("begun");
    let mut file = writer.file("base.tar").expect("begun");
    file.write_all(&noise(1, 1 << 20)).expect("written");
    file.finish().expect("stored");
    assert_eq!(generation.backups(), Ok(vec![]));
    // Nobody takes a name that somebody is at work on, nor clears it away.
    assert_eq!(generation.begin_backup(start("daily")).map(|_| ()).expect_err("at work").kind, ErrorKind::Conflict);
    assert_eq!(generation.clear_unfinished(), Ok(0));
    drop(writer);
    assert_eq!(generation.backups(), Ok(vec![]));
    assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]));
    let again = take(&generation, "daily", &[("base.tar", b"x")]);
    assert_eq!(generation.clear_unfinished(), Ok(1));
    assert_eq!(generation.backups(), Ok(vec![again]));
    assert_eq!(generation.open_backup("daily").and_then(|daily| daily.verify(|_| {})), Ok(()));
    generation.delete_backup("daily").expect("deleted");
    assert_eq!(world.files(), before);
}

#[test]
fn a_name_is_given_once() {
    let world = World::plain();
    take(&world.generation(), "daily", &[("base.tar", b"x")]);
    assert_eq!(
        world.generation().begin_backup(start("daily")).map(|_| ()).expect_err("taken").kind,
        ErrorKind::Conflict
    );
    for name in ["", "..", "a/b", ".hidden"] {
        assert_eq!(
            world.generation().begin_backup(start(name)).map(|_| ()).expect_err("no name").kind,
            ErrorKind::Invalid
        );
    }
}

#[test]
fn a_backup_without_one_of_its_files_is_damaged() {
    for damage in
        [|path: &std::path::Path| std::fs::remove_file(path), |path: &std::path::Path| std::fs::write(path, "x")]
    {
        let world = World::encrypted();
        let generation = world.generation();
        take(&generation, "daily", &[("base.tar", &noise(1, 1000)), ("pg_wal.tar", b"x")]);
        let place = world.files().into_iter().find(|file| file.ends_with("base.tar.pgherd")).expect("there");
        damage(&world.root().join(place)).expect("damaged");
        assert!(generation.backups().expect("listed")[0].damaged);
        let verified = generation.open_backup("daily").and_then(|daily| daily.verify(|_| {}));
        assert_eq!(verified.expect_err("damaged").kind, ErrorKind::Damaged);
        let troubles: Vec<_> =
            generation.check(Depth::Listed, |_| {}).expect("looked at").iter().map(|finding| finding.trouble).collect();
        assert!(troubles.contains(&Trouble::Missing) || troubles.contains(&Trouble::Damaged), "{troubles:?}");
    }
}

#[test]
fn a_manifest_that_is_damaged_makes_no_backup() {
    let world = World::plain();
    let generation = world.generation();
    take(&generation, "daily", &[("base.tar", b"x")]);
    let path = world.object("backups/daily/manifest");
    let mut manifest = std::fs::read(&path).expect("read");
    let middle = manifest.len() / 2;
    manifest[middle] ^= 1;
    std::fs::write(&path, manifest).expect("written");
    assert_eq!(generation.backups(), Ok(vec![]));
    assert_eq!(generation.check(Depth::Listed, |_| {}).expect("looked at")[0].at, "backups/daily/manifest");
    // Its files may be all there is: they stay.
    assert_eq!(generation.clear_unfinished(), Ok(0));
    assert!(world.files().iter().any(|file| file.ends_with("base.tar.pgherd")));
}

#[test]
fn what_a_generation_holds_is_gone_when_it_is_deleted() {
    let world = World::plain();
    world.push("000000010000000000000001", b"x").expect("stored");
    take(&world.generation(), "daily", &[("base.tar", b"x")]);
    world.generation().delete_all().expect("deleted");
    assert_eq!(world.files(), ["repository.pgherd"]);
    assert_eq!(world.repository().generations("orders").expect("listed").len(), 0);
}

/// A file that comes as a stream, compressed by whoever sends it or not, is looked at as it is stored, and is read back the same.
#[test]
fn a_stream_is_stored_while_it_is_looked_at() {
    for world in World::both() {
        for packing in [Packing::None, Packing::Zstd] {
            let generation = world.generation();
            let content = [noise(1, 3 << 20), vec![0; 5 << 20]].concat();
            let name = format!("{packing:?}").to_lowercase();
            let writer = generation.begin_backup(start(&name)).expect("begun");
            let read = |from: &mut dyn Read| {
                // Not to its end: the rest is read all the same.
                let mut start = vec![0; 1000];
                from.read_exact(&mut start).map(|()| start)
            };
            let (stored, seen) =
                writer.store("data.tar", sent(&content, packing).as_slice(), packing, read).expect("stored");
            assert!(seen == content[..1000]);
            assert_eq!(stored.original_bytes, 8 << 20);
            writer.finish(end()).expect("a backup");
            let reader = generation.open_backup(&name).expect("there");
            let mut back = Vec::new();
            reader.open("data.tar").expect("there").read_to_end(&mut back).expect("good");
            assert!(back == content);
            let mut seen = 0;
            reader.verify_sealed(|bytes| seen += bytes).expect("good");
            assert!(seen > 3 << 20 && seen < 4 << 20, "{seen}");
            reader.verify(|_| {}).expect("good");
            // A byte that was changed is found without expanding anything.
            let place = world
                .files()
                .into_iter()
                .find(|file| file.contains(&format!("{name}/")) && file.ends_with("data.tar.pgherd"));
            let path = world.root().join(place.expect("there"));
            let mut bytes = std::fs::read(&path).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).expect("written");
            assert_eq!(reader.verify_sealed(|_| {}).expect_err("damaged").kind, ErrorKind::Damaged);
        }
    }
}

fn sent(content: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::None => content.to_vec(),
        Packing::Zstd => zstd::encode_all(content, 1).expect("compressed"),
    }
}

#[test]
fn a_stream_that_breaks_off_or_is_refused_leaves_no_file() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("the server is gone"));
            }
            self.0 -= 1;
            buffer.fill(7);
            Ok(buffer.len())
        }
    }
    let world = World::plain();
    let generation = world.generation();
    let before = world.files();
    let through = |from: &mut dyn Read| std::io::copy(from, &mut std::io::sink()).map(drop);
    let writer = generation.begin_backup(start("daily")).expect("begun");
    let error = writer.store("data.tar", Broken(20), Packing::None, through).expect_err("broken off");
    assert!(error.message.contains("the server is gone"), "{error}");
    // A frame that is not whole, or none at all, whoever sends it.
    let cut = sent(&noise(1, 3 << 20), Packing::Zstd)[..1 << 20].to_vec();
    for content in [cut, b"no such thing".to_vec()] {
        writer.store("data.tar", content.as_slice(), Packing::Zstd, through).expect_err("cut short");
    }
    let refuse = |_: &mut dyn Read| Err::<(), _>(std::io::Error::other("not what the manifest says"));
    let error = writer.store("data.tar", Broken(usize::MAX), Packing::None, refuse).expect_err("refused");
    assert!(error.message.contains("not what the manifest says"), "{error}");
    drop(writer);
    assert_eq!(world.files(), before);
}
