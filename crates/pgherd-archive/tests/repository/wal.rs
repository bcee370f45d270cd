//! Log is stored once, and comes back as it was.

use pgherd_archive::{Depth, ErrorKind, Pushed, Repository, Trouble};

use crate::world::{CLUSTER, World, noise, segment, wal};

const FIRST: &str = "000000010000000000000001";

#[test]
fn whatever_postgresql_archives_comes_back_as_it_was() {
    for world in World::both() {
        let contents: [(&str, Vec<u8>); 6] = [
            (FIRST, segment(CLUSTER, 0x0100_0000, &noise(1, 3 << 20))),
            ("000000010000000000000002", segment(CLUSTER, 0x0200_0000, &vec![0; (16 << 20) - 40])),
            ("000000010000000000000002.00000028.backup", b"START WAL LOCATION: 0/2000028\n".to_vec()),
            ("000000010000000000000003.partial", segment(CLUSTER, 0x0300_0000, b"the end")),
            ("00000002.history", b"1\t0/3000148\tno recovery target specified\n".to_vec()),
            ("000000020000000000000003", Vec::new()),
        ];
        for (name, content) in &contents {
            assert!(matches!(world.push(name, content), Ok(Pushed::Stored { .. })), "{name}");
        }
        for (name, content) in &contents {
            assert!(world.fetch(name).expect("stored") == *content, "{name}");
        }
        let listed: Vec<_> =
            world.generation().wal().expect("listed").iter().map(|file| file.name.to_string()).collect();
        let mut names: Vec<_> = contents.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.sort();
        assert_eq!(
            {
                let mut listed = listed;
                listed.sort();
                listed
            },
            names
        );
        assert_eq!(world.generation().check(Depth::Read, |_| {}).expect("looked at"), []);
    }
}

#[test]
fn a_segment_of_zeros_is_small() {
    let world = World::encrypted();
    let Ok(Pushed::Stored { bytes }) = world.push(FIRST, &vec![0; 16 << 20]) else { panic!("stored") };
    assert!(bytes < 10_000, "{bytes}");
    assert_eq!(std::fs::metadata(world.wal_object(FIRST)).expect("there").len(), bytes);
}

#[test]
fn the_same_content_again_is_a_success() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 100_000)).expect("stored");
        let before = std::fs::read(world.wal_object(FIRST)).expect("read");
        assert_eq!(world.push(FIRST, &noise(1, 100_000)), Ok(Pushed::AlreadyThere));
        assert_eq!(std::fs::read(world.wal_object(FIRST)).expect("read"), before);
    }
}

#[test]
fn other_content_is_refused_and_put_aside_and_what_was_there_stays() {
    for world in World::both() {
        world.push(FIRST, &noise(1, 100_000)).expect("stored");
        // Longer, shorter, and different in the last byte.
        let mut last = noise(1, 100_000);
        last[99_999] ^= 1;
        for other in [noise(1, 100_001), noise(1, 99_999), last.clone(), last] {
            assert_eq!(world.push(FIRST, &other).expect_err("other content").kind, ErrorKind::Conflict);
        }
        assert_eq!(world.fetch(FIRST), Ok(noise(1, 100_000)));
        let findings = world.generation().check(Depth::Listed, |_| {}).expect("looked at");
        let troubles: Vec<_> = findings.iter().map(|finding| finding.trouble).collect();
        assert_eq!(troubles, [Trouble::Apart; 3], "{findings:?}");
        assert_eq!(world.generation().wal().expect("listed").len(), 1);
    }
}

#[test]
fn what_is_stored_damaged_is_put_aside_for_the_good_one() {
    let world = World::encrypted();
    world.push(FIRST, &noise(1, 100_000)).expect("stored");
    let mut object = std::fs::read(world.wal_object(FIRST)).expect("read");
    object[50_000] ^= 1;
    std::fs::write(world.wal_object(FIRST), object).expect("written");
    assert_eq!(world.push(FIRST, &noise(1, 100_000)), Ok(Pushed::Repaired));
    assert_eq!(world.fetch(FIRST), Ok(noise(1, 100_000)));
}

#[test]
fn log_of_another_cluster_or_under_another_name_is_refused() {
    let world = World::plain();
    let error = world.push(FIRST, &segment(CLUSTER + 1, 0x0100_0000, &[])).expect_err("of another cluster");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert_eq!(error.message, format!("{FIRST} is of the cluster {}, not of {CLUSTER}", CLUSTER + 1));
    let error = world.push(FIRST, &segment(CLUSTER, 0x0200_0000, &[])).expect_err("another segment");
    assert_eq!(error.message, format!("{FIRST} holds the log of 000000010000000000000002"));
    assert_eq!(world.generation().wal().expect("listed"), []);
}

#[test]
fn what_is_not_there_is_absent_and_a_repository_that_is_not_there_is_unavailable() {
    let world = World::plain();
    let generation = world.generation();
    assert_eq!(world.fetch(FIRST).expect_err("nothing there").kind, ErrorKind::Absent);
    // The disk is taken away: first its folders, then it is mounted again, empty.
    std::fs::rename(world.root(), world.path("elsewhere")).expect("renamed");
    for _ in 0..2 {
        let fetched = generation.fetch_wal(wal(FIRST), &world.path("fetched"));
        assert_eq!(fetched.expect_err("not there").kind, ErrorKind::Unavailable);
        for error in
            [generation.wal().map(|_| ()), generation.backups().map(|_| ()), generation.clear_unfinished().map(|_| ())]
        {
            assert_eq!(error.expect_err("not there").kind, ErrorKind::Unavailable);
        }
        let opened = Repository::open(&world.location(), world.options()).map(|_| ());
        assert_eq!(opened.expect_err("not there").kind, ErrorKind::Unavailable);
        let _ = std::fs::create_dir(world.root());
    }
    let pushed = generation.push_wal(wal(FIRST), &world.file(FIRST, b"x"));
    assert_eq!(pushed.expect_err("not there").kind, ErrorKind::Unavailable);
    assert_eq!(world.files(), Vec::<String>::new());
}

#[test]
fn several_may_store_the_same_at_a_time() {
    let world = World::encrypted();
    let path = world.file(FIRST, &noise(1, 1 << 20));
    let generation = world.generation();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let push = || scope.spawn(|| generation.push_wal(wal(FIRST), &path).expect("stored"));
        let all: Vec<_> = std::iter::repeat_with(push).take(8).collect();
        all.into_iter().map(|one| one.join().expect("ends")).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Pushed::Stored { .. })).count(), 1, "{outcomes:?}");
    assert_eq!(
        world.files(),
        ["orders/0001/generation.pgherd", &format!("orders/0001/wal/00000001/{FIRST}.pgherd"), "repository.pgherd"]
    );
}

#[test]
fn a_generation_is_never_begun_twice() {
    let world = World::plain();
    let repository = world.repository();
    let begin =
        || repository.begin_generation("orders", CLUSTER, None, crate::world::now()).expect("begun").info().number;
    let mut numbers: Vec<u32> = std::thread::scope(|scope| {
        let all: Vec<_> = std::iter::repeat_with(|| scope.spawn(begin)).take(8).collect();
        all.into_iter().map(|one| one.join().expect("ends")).collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (2..10).collect::<Vec<_>>());
    assert_eq!(repository.generations("orders").expect("listed").len(), 9);
    assert_eq!(repository.instances().expect("listed"), ["orders"]);
}

#[test]
fn a_link_in_the_place_of_a_segment_is_not_stored() {
    let world = World::plain();
    let name = "000000010000000000000001";
    let secret = world.file("secret", b"what only root may read");
    let link = world.path("pg_wal").join(name);
    std::os::unix::fs::symlink(&secret, &link).expect("linked");
    world.generation().push_wal(wal(name), &link).expect_err("a link");
    assert_eq!(world.generation().wal(), Ok(vec![]));
}
