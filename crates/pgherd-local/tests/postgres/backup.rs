//! Copies of running servers.

use std::io::Read as _;
use std::path::Path;

use pgherd_local::postgres::backup::{Copying, clear, copy};
use pgherd_local::postgres::process::Stop;
use pgherd_local::postgres::stream::{Form, Manifest, Stream, look, read_log};

use crate::world::{DEADLINE, MAJORS, World, server};

#[tokio::test]
async fn a_copy_is_verified_and_starts_again_with_everything_in_it() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        session.run("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id").await.expect("made");
        let (layout, run_as) = (world.layout.clone(), world.run_as.clone());
        let socket = layout.socket.clone();
        let what =
            Copying { server: &server, run_as: &run_as, socket: &socket, port: world.config.port, label: "final-1" };
        let work = layout.root.join("work");
        std::fs::create_dir_all(work.join("data/left")).expect("as a killed run leaves it");
        let copied = copy(&what, &work).await.expect("copied");
        assert_eq!((copied.timeline, copied.wal_segment_bytes), (1, 16 << 20), "PostgreSQL {major}");
        session.run("DROP TABLE kept").await.expect("dropped");
        running.stop(Stop::Fast, DEADLINE).await.expect("stops");
        std::fs::rename(&layout.data, layout.root.join("lost")).expect("renamed");
        std::fs::rename(&copied.data, &layout.data).expect("renamed");
        world.start().await.expect("recovers");
        let row = world.session("postgres").await.one("SELECT count(*), sum(id) FROM kept", &[]).await.expect("a row");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1000, 500_500));
    }
}

#[tokio::test]
async fn a_copy_of_nothing_is_an_error_and_nothing_is_left() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let (socket, run_as) = (world.layout.socket.clone(), world.run_as.clone());
    let what = Copying { server: &server, run_as: &run_as, socket: &socket, port: world.config.port, label: "x" };
    let work = world.layout.root.join("work");
    let error = copy(&what, &work).await.expect_err("no server runs");
    assert!(error.message.starts_with("pg_basebackup failed: "), "{error}");
    clear(&work).await.expect("cleared");
    assert!(!work.exists());
}

/// What a server sends, in the form that is told, and its manifest.
fn receive(socket: &Path, port: u16) -> (Form, Vec<u8>, Vec<u8>) {
    let mut stream = Stream::connect(socket, port).expect("connects");
    let form = stream.begin("it's \\ one").expect("begins");
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).expect("sends");
    (form, sent, stream.finish().expect("good"))
}

#[tokio::test]
async fn what_a_server_sends_is_what_its_manifest_says_and_starts_again() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        session.run("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id").await.expect("made");
        let (layout, run_as) = (world.layout.clone(), world.run_as.clone());
        let (form, sent, text) = receive(&layout.socket, world.config.port);
        assert_eq!(form, if major < 15 { Form::Tar } else { Form::Zstd }, "PostgreSQL {major}");
        let tar = match form {
            Form::Tar => sent,
            Form::Zstd => zstd::decode_all(sent.as_slice()).expect("whole"),
        };
        let work = layout.root.join("work");
        run_as.make_dir(&work, 0o700).expect("made");
        let manifest = Manifest::read(&text).expect("good");
        let looked = look(&mut tar.as_slice(), &work, &run_as).expect("read");
        looked.compare(&manifest).expect("as it says");
        read_log(&manifest, &work, &server, &run_as).expect("there");
        // Log that is not all there, or was changed, is found.
        for entry in std::fs::read_dir(&work).expect("a folder").flatten() {
            let mut bytes = std::fs::read(entry.path()).expect("read");
            bytes.iter_mut().skip(40).for_each(|byte| *byte = 0);
            std::fs::write(entry.path(), bytes).expect("written");
        }
        let error = read_log(&manifest, &work, &server, &run_as).expect_err("changed");
        assert!(error.message.starts_with("the log in the backup cannot be read: "), "{error}");
        session.run("DROP TABLE kept").await.expect("dropped");
        running.stop(Stop::Fast, DEADLINE).await.expect("stops");
        std::fs::rename(&layout.data, layout.root.join("lost")).expect("renamed");
        run_as.make_dir(&layout.data, 0o700).expect("made");
        let mut archive = tar::Archive::new(tar.as_slice());
        archive.set_preserve_permissions(true);
        archive.unpack(&layout.data).expect("unpacked");
        let status = std::process::Command::new("chown")
            .arg("-R")
            .arg(format!("{}:{}", run_as.uid, run_as.gid))
            .arg(&layout.data)
            .status();
        assert!(status.expect("runs").success());
        world.start().await.expect("recovers");
        let row = world.session("postgres").await.one("SELECT count(*), sum(id) FROM kept", &[]).await.expect("a row");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1000, 500_500), "PostgreSQL {major}");
    }
}

#[tokio::test]
async fn a_stream_ends_where_nobody_waits_for_it_and_what_is_elsewhere_is_refused() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let running = world.start().await.expect("starts");
    let (layout, port) = (world.layout.clone(), world.config.port);
    let mut stream = Stream::connect(&layout.socket, port).expect("connects");
    let cut = stream.cut().expect("can be cut");
    stream.begin("cut").expect("begins");
    drop(cut);
    let mut sent = Vec::new();
    stream.read_to_end(&mut sent).expect_err("cut");
    let space = layout.root.join("space");
    world.run_as.make_dir(&space, 0o700).expect("made");
    let session = world.session("postgres").await;
    session.run(&format!("CREATE TABLESPACE elsewhere LOCATION '{}'", space.display())).await.expect("made");
    let error = Stream::connect(&layout.socket, port).and_then(|mut stream| stream.begin("x")).expect_err("refused");
    let expected = format!("no backup can be taken: it has a tablespace at {}, ", space.display());
    assert!(error.message.starts_with(&expected), "{error}");
    running.stop(Stop::Fast, DEADLINE).await.expect("stops");
    let error = Stream::connect(&layout.socket, port).map(drop).expect_err("nobody is there");
    assert!(error.message.starts_with("the server gives no backup: "), "{error}");
}
