//! Whatever is done to what is stored is found before a byte of it is used.

use pgherd_archive::{Depth, ErrorKind, Trouble};

use crate::world::{CLUSTER, World, noise, now};

const FIRST: &str = "000000010000000000000001";
const SECOND: &str = "000000010000000000000002";

#[test]
fn every_flipped_byte_is_found() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 300)).expect("stored");
        let whole = std::fs::read(world.wal_object(FIRST)).expect("read");
        for place in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[place] ^= 4;
            std::fs::write(world.wal_object(FIRST), &flipped).expect("written");
            let kind = world.fetch(FIRST).expect_err(&format!("byte {place} is flipped")).kind;
            // A flipped version is another version, a flipped name of a key another key.
            let told = matches!(kind, ErrorKind::Damaged | ErrorKind::Invalid | ErrorKind::KeyLost);
            assert!(told, "byte {place}: {kind:?}");
        }
    }
}

#[test]
fn every_cut_is_found() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 300)).expect("stored");
        let whole = std::fs::read(world.wal_object(FIRST)).expect("read");
        for length in 0..whole.len() {
            std::fs::write(world.wal_object(FIRST), &whole[..length]).expect("written");
            assert_eq!(world.fetch(FIRST).expect_err("cut").kind, ErrorKind::Damaged, "{length} bytes");
        }
        std::fs::write(world.wal_object(FIRST), [whole.as_slice(), b"x"].concat()).expect("written");
        assert_eq!(world.fetch(FIRST).expect_err("longer").kind, ErrorKind::Damaged);
        std::fs::write(world.wal_object(FIRST), &whole).expect("written");
        assert_eq!(world.fetch(FIRST), Ok(noise(1, 300)));
    }
}

/// The bytes of an object before its chunks, and each chunk.
fn chunks(object: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let number = |at: usize| u32::from_le_bytes(object[at..at + 4].try_into().expect("four bytes"));
    let mut at = 12 + number(8) as usize;
    let (head, mut chunks) = (object[..at].to_vec(), Vec::new());
    while at < object.len() {
        let length = 4 + (number(at) & 0x7fff_ffff) as usize + 16;
        chunks.push(object[at..at + length].to_vec());
        at += length;
    }
    (head, chunks)
}

#[test]
fn chunks_that_are_left_out_repeated_or_exchanged_are_found() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 1 << 20)).expect("stored");
        world.push(SECOND, &noise(2, 1 << 20)).expect("stored");
        let (head, good) = chunks(&std::fs::read(world.wal_object(FIRST)).expect("read"));
        let (_, other) = chunks(&std::fs::read(world.wal_object(SECOND)).expect("read"));
        assert!(good.len() > 4, "{} chunks", good.len());
        let mut wrong = vec![good.clone(); 5];
        wrong[0].swap(0, 1);
        wrong[1].remove(1);
        wrong[2].insert(1, good[0].clone());
        wrong[3][2].clone_from(&other[2]);
        // The end of the whole right behind the first chunk.
        wrong[4].drain(1..good.len() - 1);
        for (case, chunks) in wrong.iter().enumerate() {
            std::fs::write(world.wal_object(FIRST), [head.clone(), chunks.concat()].concat()).expect("written");
            assert_eq!(world.fetch(FIRST).expect_err("wrong").kind, ErrorKind::Damaged, "case {case}");
        }
    }
}

#[test]
fn what_belongs_elsewhere_is_found() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 300)).expect("stored");
        world.push(SECOND, &noise(2, 300)).expect("stored");
        std::fs::copy(world.wal_object(SECOND), world.wal_object(FIRST)).expect("copied");
        let error = world.fetch(FIRST).expect_err("another segment");
        assert_eq!(error.kind, ErrorKind::Damaged);
        assert!(error.message.contains("it is wal/00000001/000000010000000000000002"), "{error}");
        // The same name of another generation.
        let next = world.repository().begin_generation("orders", 0, None, crate::world::now()).expect("begun");
        next.push_wal(FIRST.parse().expect("a name"), &world.file(FIRST, b"x")).expect("stored");
        let theirs = world.root().join(format!("orders/0002/wal/00000001/{FIRST}.pgherd"));
        std::fs::copy(theirs, world.wal_object(FIRST)).expect("copied");
        assert_eq!(world.fetch(FIRST).expect_err("another generation").kind, ErrorKind::Damaged);
    }
}

#[test]
fn a_check_tells_of_every_kind_of_damage() {
    let world = World::encrypted();
    for number in 1..=9 {
        world.push(&format!("00000001000000000000000{number}"), &noise(number, 1000)).expect("stored");
    }
    crate::backups::take(&world.generation(), "daily", &[("base.tar", &noise(1, 10_000))]);
    assert_eq!(world.generation().check(Depth::Read, |_| {}), Ok(vec![]));
    let object = |number| world.wal_object(&format!("00000001000000000000000{number}"));
    let cut = std::fs::read(object(2)).expect("read");
    std::fs::write(object(2), &cut[..cut.len() - 1]).expect("written");
    std::fs::copy(object(5), object(4)).expect("copied");
    std::fs::remove_file(object(6)).expect("removed");
    std::fs::remove_file(object(7)).expect("removed");
    std::fs::write(world.object("wal/00000001/mine"), "x").expect("written");
    let mut flipped = std::fs::read(object(9)).expect("read");
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    std::fs::write(object(9), flipped).expect("written");
    let findings = world.generation().check(Depth::Read, |_| {}).expect("looked at");
    let told: Vec<_> = findings.iter().map(|finding| (finding.trouble, finding.at.as_str())).collect();
    assert_eq!(
        told,
        [
            (Trouble::Damaged, "wal/00000001/000000010000000000000002"),
            (Trouble::Damaged, "wal/00000001/000000010000000000000009"),
            (Trouble::Gap, "wal/00000001/000000010000000000000006"),
            (Trouble::Foreign, "wal/00000001/000000010000000000000004"),
            (Trouble::Foreign, "wal/00000001/mine"),
        ]
    );
    assert_eq!(findings[2].message, "2 segments up to 000000010000000000000007 are missing, and later ones are there");
}

#[test]
fn a_check_reads_to_the_last_byte() {
    let world = World::plain();
    world.push(FIRST, &noise(1, 100_000)).expect("stored");
    let mut seen = 0;
    assert_eq!(world.generation().check(Depth::Read, |bytes| seen += bytes), Ok(vec![]));
    assert!(seen > 100_000, "{seen}");
}

#[test]
fn one_damaged_generation_hides_no_other() {
    let world = World::plain();
    for _ in 0..2 {
        world.repository().begin_generation("orders", CLUSTER, None, now()).expect("begun");
    }
    let marker = world.root().join("orders/0002/generation.pgherd");
    let mut bytes = std::fs::read(&marker).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&marker, bytes).expect("written");
    let (found, findings) = world.repository().readable_generations("orders").expect("listed");
    assert_eq!(found.iter().map(|generation| generation.info().number).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].trouble, findings[0].at.as_str()), (Trouble::Damaged, "orders/0002/generation"));
    // Nothing is deleted by what may be half of what there is.
    assert_eq!(world.repository().generations("orders").map(|_| ()).expect_err("damaged").kind, ErrorKind::Damaged);
}

/// What somebody found out is not forgotten by whoever decides what is kept, taken or restored.
#[test]
fn a_backup_that_was_found_to_be_damaged_is_listed_as_such() {
    for world in World::both() {
        let generation = world.generation();
        let is_damaged = || generation.backups().expect("listed")[0].damaged;
        crate::backups::take(&generation, "daily", &[("data.tar", b"content")]);
        assert!(!is_damaged());
        generation.set_damaged("daily", now()).expect("marked");
        assert!(is_damaged());
        assert_eq!(generation.check(Depth::Read, |_| {}), Ok(vec![]), "the mark belongs there");
        // A mark that was cut is one.
        std::fs::write(world.object("backups/daily/damaged"), "x").expect("cut");
        assert!(is_damaged());
        generation.set_verified("daily", now()).expect("proven");
        assert!(!is_damaged());
        // Another one that gets the name is not the one that was found damaged.
        generation.set_damaged("daily", now()).expect("marked");
        let mark = std::fs::read(world.object("backups/daily/damaged")).expect("there");
        generation.delete_backup("daily").expect("deleted");
        crate::backups::take(&generation, "daily", &[("data.tar", b"content")]);
        std::fs::write(world.object("backups/daily/damaged"), mark).expect("left");
        assert!(!is_damaged());
        generation.set_damaged("none", now()).expect_err("there is none");
    }
}

#[test]
fn a_history_that_is_gone_is_missed() {
    let world = World::plain();
    let history = "1\t0/3000000\tno recovery target specified\n";
    world.push("000000010000000000000002", b"two").expect("stored");
    world.push("000000020000000000000003", b"three").expect("stored");
    let findings = || world.generation().check(Depth::Listed, |_| {}).expect("looked at");
    let lost = findings().remove(0);
    assert_eq!((lost.trouble, lost.at.as_str()), (Trouble::Missing, "wal/00000002/00000002.history"));
    world.push("00000002.history", history.as_bytes()).expect("stored");
    assert_eq!(findings(), []);
    // One that is damaged leads nowhere either.
    let path = world.wal_object("00000002.history");
    let mut bytes = std::fs::read(&path).expect("read");
    let middle = bytes.len() - 5;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    assert!(findings().iter().any(|finding| finding.trouble == Trouble::Missing), "{:?}", findings());
}
