//! Backups of running servers.

use std::collections::BTreeMap;

use pgherd_local::postgres::backup::{Take, list, take, unpack};
use pgherd_local::postgres::process::Stop;

use crate::world::{DEADLINE, MAJORS, World, server};

#[tokio::test]
async fn a_backup_is_verified_listed_and_starts_again_with_everything_in_it() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        let system_identifier = world.create();
        let running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        session.run("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id").await.expect("made");
        let tags = BTreeMap::from([("Environment".to_owned(), "dev".to_owned())]);
        let now = jiff::Timestamp::now();
        let (layout, port) = (world.layout.clone(), world.config.port);
        let what =
            Take { server: &server, run_as: &world.run_as, layout: &layout, port, name: "final-1", tags: &tags, now };
        let folder = &layout.backups;
        std::fs::create_dir_all(folder.join(".unfinished-final-1/data")).expect("as a killed run leaves it");
        let backup = take(&what, folder).expect("taken");
        assert_eq!((backup.system_identifier, &backup.tags), (system_identifier, &tags));
        assert_eq!(list(folder), [backup], "PostgreSQL {major}");
        let twice = take(&what, folder).expect_err("the name is taken");
        assert_eq!(twice.message, "there is a backup named final-1 already");
        session.run("DROP TABLE kept").await.expect("dropped");
        running.stop(Stop::Fast, DEADLINE).await.expect("stops");
        std::fs::rename(&layout.data, layout.root.join("lost")).expect("renamed");
        unpack(folder, "final-1", &world.run_as, &layout.data).expect("unpacked");
        world.start().await.expect("recovers");
        let row = world.session("postgres").await.one("SELECT count(*), sum(id) FROM kept", &[]).await.expect("a row");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1000, 500_500));
    }
}

#[tokio::test]
async fn a_failed_backup_is_not_listed() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let (layout, port, tags) = (world.layout.clone(), world.config.port, BTreeMap::new());
    let now = jiff::Timestamp::now();
    let what = Take { server: &server, run_as: &world.run_as, layout: &layout, port, name: "x", tags: &tags, now };
    let error = take(&what, &layout.backups).expect_err("no server runs");
    assert!(error.message.starts_with("pg_basebackup failed: "), "{error}");
    assert_eq!(list(&layout.backups), []);
    assert_eq!(std::fs::read_dir(&layout.backups).expect("a folder").count(), 0, "nothing is left");
}
