//! Keys are made once, exchanged without losing what they encrypted, and missed aloud.

use std::os::unix::fs::PermissionsExt as _;

use pgherd_archive::{ErrorKind, KeyRing, Options, Repository, Settings};

use crate::world::{World, noise, wal};

const FIRST: &str = "000000010000000000000001";

#[test]
fn a_key_is_made_once_and_is_nobody_elses() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    let keys = KeyRing::create(&path, None).expect("a key");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert_eq!(KeyRing::create(&path, None).expect("the same").names(), keys.names());
    let text = std::fs::read_to_string(&path).expect("text");
    let secret = text.lines().last().expect("a line");
    assert!(!format!("{keys:?}").contains(secret));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("opened");
    assert_eq!(KeyRing::read(&path).expect_err("open to others").kind, ErrorKind::Denied);
}

#[test]
fn what_an_old_key_encrypted_stays_readable() {
    let world = World::encrypted();
    world.push(FIRST, b"with the first key").expect("stored");
    let rotated = KeyRing::rotate(&world.path("key")).expect("rotated");
    assert_eq!((rotated.names().len(), rotated.names()[1]), (2, world.keys.names()[0]));
    let options = Options { keys: rotated, encrypt: true, owner: None, ..Options::default() };
    let generation = Repository::open(&world.location(), options).and_then(|all| all.generation("orders", 1));
    let generation = generation.expect("a generation");
    let second = "000000010000000000000002";
    generation.push_wal(wal(second), &world.file(second, b"with the second key")).expect("stored");
    assert_eq!(generation.read_wal(wal(FIRST)), Ok(b"with the first key".to_vec()));
    assert_eq!(generation.read_wal(wal(second)), Ok(b"with the second key".to_vec()));
    // With the first key alone, the second segment cannot be read, and storing it again is not taken for the same.
    let error = world.fetch(second).expect_err("its key is not here");
    assert_eq!(error.kind, ErrorKind::KeyLost);
    assert_eq!(world.push(second, b"with the second key").expect_err("not comparable").kind, ErrorKind::KeyLost);
}

#[test]
fn a_customers_key_comes_before_our_own() {
    let world = World::encrypted();
    world.push(FIRST, b"with our own").expect("stored");
    for content in ["00ff".repeat(16), format!("{}=\n", "A".repeat(43)), "\u{1}".repeat(32)] {
        let path = world.path("customer");
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, &content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
        let keys = KeyRing::read(&path).expect("a key").and(world.keys.clone());
        assert_eq!(keys.names().len(), 2);
        assert_ne!(keys.current(), world.keys.current());
        let options = Options { keys, encrypt: true, owner: None, ..Options::default() };
        let generation = Repository::open(&world.location(), options).and_then(|all| all.generation("orders", 1));
        assert_eq!(generation.expect("there").read_wal(wal(FIRST)), Ok(b"with our own".to_vec()));
    }
}

#[test]
fn no_key_and_no_key_file_are_a_lost_key() {
    let world = World::encrypted();
    world.push(FIRST, b"x").expect("stored");
    let path = world.path("key");
    std::fs::remove_file(&path).expect("lost");
    assert_eq!(KeyRing::read(&path).expect_err("lost").kind, ErrorKind::KeyLost);
    let options = Options { keys: KeyRing::none(), encrypt: true, owner: None, ..Options::default() };
    let generation = Repository::open(&world.location(), options).and_then(|all| all.generation("orders", 1));
    let generation = generation.expect("what there is is told without it");
    assert_eq!(generation.wal().expect("listed").len(), 1);
    assert_eq!(generation.read_wal(wal(FIRST)).expect_err("lost").kind, ErrorKind::KeyLost);
    let error = generation.push_wal(wal(FIRST), &world.file(FIRST, b"x")).expect_err("nothing is stored in the clear");
    assert_eq!(error.kind, ErrorKind::KeyLost);
}

#[test]
fn a_file_that_holds_no_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("key");
    for content in ["", "# only words\n", "short\n", "not base64 at all, and of some length\n"] {
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("closed");
        assert_eq!(KeyRing::read(&path).expect_err("no key").kind, ErrorKind::Invalid, "{content:?}");
    }
}

#[test]
fn nothing_of_the_content_is_in_what_is_stored_and_nothing_is_encrypted_twice_alike() {
    let world = World::encrypted();
    let content = noise(1, 4096);
    world.push(FIRST, &content).expect("stored");
    let object = std::fs::read(world.wal_object(FIRST)).expect("read");
    assert!(!content.chunks(8).any(|part| object.windows(8).any(|window| window == part)));
    std::fs::remove_file(world.wal_object(FIRST)).expect("removed");
    world.push(FIRST, &content).expect("stored");
    let again = std::fs::read(world.wal_object(FIRST)).expect("read");
    assert!(!object[600..].chunks_exact(8).any(|part| again.windows(8).any(|window| window == part)));
    // In the clear, it is there as it is: the comparison can fail.
    let world = World::plain();
    world.push(FIRST, &content).expect("stored");
    let object = std::fs::read(world.wal_object(FIRST)).expect("read");
    assert!(content.chunks(8).all(|part| object.windows(8).any(|window| window == part)));
}

#[test]
fn what_is_not_encrypted_is_read_without_a_key_file() {
    for world in World::both() {
        let is_encrypted = world.options().encrypt;
        world.push(FIRST, b"x").expect("stored");
        let settings = Settings {
            repository: world.root().display().to_string(),
            instance: "orders".to_owned(),
            generation: 1,
            keys: vec![world.path("key")],
            encrypt: is_encrypted,
            access: None,
            id: String::new(),
            also_from: Vec::new(),
        };
        std::fs::remove_file(world.path("key")).expect("lost");
        let repository = settings.open().expect("what there is is told without it");
        assert_eq!(repository.anything_encrypted_without(&KeyRing::none()).expect("looked at").is_some(), is_encrypted);
        let read = settings.generation(&repository).expect("there").read_wal(wal(FIRST));
        if is_encrypted {
            let error = read.expect_err("its key is not here");
            assert_eq!(error.kind, ErrorKind::KeyLost);
            assert!(error.help.is_some_and(|help| help.contains("put back the copy")));
        } else {
            assert_eq!(read, Ok(b"x".to_vec()));
        }
    }
}

#[test]
fn nothing_is_encrypted_with_another_key_when_the_first_one_is_lost() {
    let world = World::encrypted();
    let keys = KeyRing::read_if_there(&world.path("customer")).expect("told later").and(world.keys.clone());
    assert_eq!(keys.current(), None);
    world.push(FIRST, b"x").expect("stored");
    let options = Options { keys, encrypt: true, owner: None, ..Options::default() };
    let generation = Repository::open(&world.location(), options).and_then(|all| all.generation("orders", 1));
    let generation = generation.expect("there");
    assert_eq!(generation.read_wal(wal(FIRST)), Ok(b"x".to_vec()));
    let second = "000000010000000000000002";
    let error = generation.push_wal(wal(second), &world.file(second, b"y")).expect_err("lost");
    assert_eq!(error.kind, ErrorKind::KeyLost);
}

#[test]
fn a_key_file_that_cannot_be_read_is_told_of_when_a_key_is_missing() {
    let world = World::encrypted();
    world.push(FIRST, b"x").expect("stored");
    std::fs::write(world.path("garbage"), "no key\n").expect("written");
    std::fs::set_permissions(world.path("garbage"), std::fs::Permissions::from_mode(0o600)).expect("closed");
    std::fs::write(world.path("open"), format!("{}=\n", "A".repeat(43))).expect("written");
    std::fs::set_permissions(world.path("open"), std::fs::Permissions::from_mode(0o644)).expect("opened");
    let mut settings = Settings {
        repository: world.root().display().to_string(),
        instance: "orders".to_owned(),
        generation: 1,
        keys: vec![world.path("key"), world.path("garbage"), world.path("open"), world.path("no/such")],
        encrypt: false,
        access: None,
        id: String::new(),
        also_from: Vec::new(),
    };
    let read = |settings: &Settings| {
        let repository = settings.open().expect("opened");
        settings.generation(&repository).expect("there").read_wal(wal(FIRST))
    };
    assert_eq!(read(&settings), Ok(b"x".to_vec()));
    std::fs::rename(world.path("key"), world.path("elsewhere")).expect("lost");
    let error = read(&settings).expect_err("its key is not here");
    assert_eq!(error.kind, ErrorKind::KeyLost);
    assert!(error.help.is_some_and(|help| help.contains("garbage is no key file")));
    // The first one is what it is asked with.
    settings.keys.remove(0);
    assert_eq!(settings.open().map(|_| ()).expect_err("no key").kind, ErrorKind::Invalid);
}
