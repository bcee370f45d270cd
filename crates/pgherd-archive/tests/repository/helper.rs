//! What PostgreSQL calls, and the exit codes it goes by.

use std::ffi::OsString;

use pgherd_archive::{DAMAGE_EXIT, Settings, Source, archive_main};

use crate::world::{World, now};

const FIRST: &str = "000000010000000000000001";

fn settings(world: &World) -> Settings {
    Settings {
        repository: world.root().display().to_string(),
        instance: "orders".to_owned(),
        generation: 1,
        keys: vec![world.path("key")],
        encrypt: true,
        access: None,
        id: String::new(),
        also_from: Vec::new(),
    }
}

/// Calls the helper as PostgreSQL does, and gives its exit code and what it said.
fn call(world: &World, settings: &Settings, arguments: &[&str]) -> (Option<u8>, String) {
    let path = world.path("archive.json");
    settings.write(&path, None).expect("written");
    let fill = |argument: &&str| OsString::from(argument.replace("SETTINGS", path.to_str().expect("text")));
    let arguments: Vec<OsString> = std::iter::once("pgherd".into()).chain(arguments.iter().map(fill)).collect();
    let mut talk = Vec::new();
    let code = archive_main(&arguments, &mut talk);
    (code, String::from_utf8(talk).expect("text"))
}

fn archive(world: &World, settings: &Settings, content: &[u8]) -> (Option<u8>, String) {
    let path = world.file(FIRST, content);
    call(world, settings, &["archive-wal", "SETTINGS", path.to_str().expect("text")])
}

fn restore(world: &World, settings: &Settings, name: &str) -> (Option<u8>, String) {
    call(world, settings, &["restore-wal", "SETTINGS", name, world.path("RECOVERYXLOG").to_str().expect("text")])
}

#[test]
fn what_is_archived_is_restored() {
    let world = World::encrypted();
    assert_eq!(archive(&world, &settings(&world), b"log"), (Some(0), String::new()));
    assert_eq!(archive(&world, &settings(&world), b"log"), (Some(0), String::new()));
    assert_eq!(restore(&world, &settings(&world), FIRST), (Some(0), String::new()));
    assert_eq!(std::fs::read(world.path("RECOVERYXLOG")).expect("restored"), b"log");
    let (code, talk) = archive(&world, &settings(&world), b"other log");
    assert_eq!(code, Some(1));
    assert!(talk.starts_with("pgherd: ") && talk.contains("with other content"), "{talk}");
}

#[test]
fn only_what_is_not_there_ends_a_recovery() {
    let world = World::encrypted();
    archive(&world, &settings(&world), b"log");
    assert_eq!(restore(&world, &settings(&world), "00000002.history"), (Some(1), String::new()));
    let lost = Settings { keys: vec![world.path("no key")], ..settings(&world) };
    let elsewhere = Settings { repository: "/nowhere".to_owned(), ..settings(&world) };
    let other = Settings { generation: 7, ..settings(&world) };
    for wrong in [lost, elsewhere, other] {
        let (code, talk) = restore(&world, &wrong, FIRST);
        assert!(code == Some(DAMAGE_EXIT) && talk.starts_with("pgherd: "), "{code:?} {talk}");
    }
    let (code, _) = restore(&world, &settings(&world), "no-name");
    assert_eq!(code, Some(DAMAGE_EXIT));
    std::fs::write(world.wal_object(FIRST), "x").expect("damaged");
    let (code, talk) = restore(&world, &settings(&world), FIRST);
    assert!(code == Some(DAMAGE_EXIT) && talk.contains("is damaged"), "{code:?} {talk}");
}

#[test]
fn a_restored_database_finds_what_it_was_restored_from() {
    let world = World::encrypted();
    archive(&world, &settings(&world), b"log");
    world.repository().begin_generation("orders", 0, None, now()).expect("begun");
    let source = Source { instance: "orders".to_owned(), generation: 1 };
    let next = Settings { generation: 2, also_from: vec![source], ..settings(&world) };
    assert_eq!(restore(&world, &next, FIRST), (Some(0), String::new()));
    assert_eq!(restore(&world, &next, "000000010000000000000002"), (Some(1), String::new()));
    assert_eq!(archive(&world, &next, b"its own log"), (Some(0), String::new()));
    restore(&world, &next, FIRST);
    assert_eq!(std::fs::read(world.path("RECOVERYXLOG")).expect("restored"), b"its own log");
}

#[test]
fn other_verbs_are_not_ours() {
    let world = World::encrypted();
    assert_eq!(call(&world, &settings(&world), &["status"]), (None, String::new()));
    assert_eq!(call(&world, &settings(&world), &[]), (None, String::new()));
    assert_eq!(call(&world, &settings(&world), &["archive-wal"]).0, Some(1));
}

#[test]
fn no_secret_is_in_the_settings() {
    let world = World::encrypted();
    archive(&world, &settings(&world), b"log");
    let text = std::fs::read_to_string(world.path("archive.json")).expect("text");
    let key = std::fs::read_to_string(world.path("key")).expect("text");
    assert!(!text.contains(key.lines().last().expect("a key")));
}
