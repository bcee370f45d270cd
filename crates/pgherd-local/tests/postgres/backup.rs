//! Copies of running servers.

use pgherd_local::postgres::backup::{Copying, clear, copy};
use pgherd_local::postgres::process::Stop;

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
