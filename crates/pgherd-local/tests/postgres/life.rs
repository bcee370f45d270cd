//! Template, start, adoption, stop, crash.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pgherd_local::postgres::pidfile::Status;
use pgherd_local::postgres::process::{Stop, adopt};
use pgherd_local::postgres::{control, processes, segment, template};

use crate::world::{DEADLINE, MAJORS, World, owned, server};

#[tokio::test]
async fn every_instance_has_an_identity_of_its_own_and_starts() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut identifiers = BTreeSet::new();
        for _ in 0..2 {
            let mut world = World::new(&server);
            let identifier = world.create();
            let before = control::read(&server, &world.run_as, &world.layout.data).expect("control data");
            assert_eq!((before.system_identifier, before.checksums), (identifier, true), "{major}");
            assert_eq!(before.state, "shut down");
            assert!(owned(&world.layout.data, &world.run_as, 0o700));
            let postmaster = world.start().await.expect("starts");
            let session = world.session("postgres").await;
            let row = session
                .one(
                    "SELECT system_identifier::text, current_setting('server_version_num')::int / 10000, \
                     current_setting('data_checksums'), pg_encoding_to_char(encoding)::text, datcollate::text \
                     FROM pg_control_system(), pg_database WHERE datname = 'postgres'",
                    &[],
                )
                .await
                .expect("a row");
            assert_eq!(row.get::<_, String>(0), identifier.to_string());
            assert_eq!(row.get::<_, i32>(1), i32::try_from(major).expect("small"));
            let texts: [String; 3] = [row.get(2), row.get(3), row.get(4)];
            assert_eq!(texts, ["on", "UTF8", "C.UTF-8"]);
            // A checkpoint and a clean restart prove that the log is sound.
            postmaster.stop(Stop::Fast, DEADLINE).await.expect("stops");
            world.start().await.expect("starts again");
            identifiers.insert(identifier);
        }
        assert_eq!(identifiers.len(), 2);
    }
}

#[tokio::test]
async fn a_cut_short_creation_leaves_nothing_and_is_repeated() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    let unfinished = world.layout.data.with_extension("unfinished");
    std::fs::create_dir_all(unfinished.join("base")).expect("made");
    world.create();
    assert!(!unfinished.exists());
    let again =
        template::create(&server, &world.run_as, &world.paths.templates(), &world.paths.prepared(), &world.layout.data);
    assert!(again.is_err_and(|error| error.message.ends_with("is there already")));
}

#[tokio::test]
async fn a_running_server_is_adopted_and_serves_on() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        assert!(adopt(&world.layout.data).expect("looked").is_none(), "nothing is there yet");
        world.create();
        assert!(adopt(&world.layout.data).expect("looked").is_none(), "nothing runs yet");
        let started = world.start().await.expect("starts");
        let (pid, session) = (started.pid(), world.session("postgres").await);
        drop(started);
        let adopted = adopt(&world.layout.data).expect("looked").expect("it runs");
        assert_eq!((adopted.pid(), adopted.status()), (pid, Some(Status::Ready)));
        session.run("SELECT 1").await.expect("the old session goes on");
        let twice = world.start().await.expect_err("it runs already");
        assert!(twice.message.contains("already works in"), "{twice}");
        adopted.stop(Stop::Fast, DEADLINE).await.expect("stops");
        assert!(adopt(&world.layout.data).expect("looked").is_none(), "nothing runs any more");
    }
}

#[tokio::test]
async fn a_server_is_in_a_session_of_its_own() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let postmaster = world.start().await.expect("starts");
    let pid = rustix::process::Pid::from_raw(postmaster.pid()).expect("a process");
    assert_eq!(rustix::process::getsid(Some(pid)), Ok(pid));
}

#[tokio::test]
async fn killing_ends_busy_backends_of_a_dead_postmaster_too() {
    processes::become_reaper().expect("a reaper");
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let postmaster = world.start().await.expect("starts");
        let busy = world.session("postgres").await;
        let backend: i32 = busy.one("SELECT pg_backend_pid()", &[]).await.expect("a row").get(0);
        // A statement that computes and never waits does not notice that the postmaster is gone.
        let work = tokio::spawn(async move {
            busy.run("SET statement_timeout = 0; SELECT count(*) FROM generate_series(1, 100000000000)").await
        });
        let watcher = world.session("postgres").await;
        let active = "SELECT state::text FROM pg_stat_activity WHERE pid = $1";
        while watcher.one(active, &[&backend]).await.expect("a row").get::<_, String>(0) != "active" {}
        let pid = rustix::process::Pid::from_raw(postmaster.pid()).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
        postmaster.ended().await;
        assert!(processes::of(&world.layout.data).contains(&backend), "PostgreSQL {major}: the backend goes on");
        assert!(world.start().await.is_err(), "and keeps a second server from starting");
        let segment = segment_of(&world);
        assert!(segments().contains(&segment), "PostgreSQL {major}: the dead server's shared memory is still there");
        assert!(processes::kill(&world.layout.data).await.expect("killed") > 0);
        assert_eq!(processes::of(&world.layout.data), BTreeSet::new());
        assert!(!segments().contains(&segment), "PostgreSQL {major}: nothing of it stays");
        assert!(work.await.expect("joined").is_err(), "the statement was not answered");
        // No zombie of the dead server keeps the next from starting.
        world.start().await.expect("recovers");
        world.session("postgres").await.run("SELECT 1").await.expect("answers");
    }
}

#[tokio::test]
async fn the_dynamic_shared_memory_of_a_killed_server_goes_with_it() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _postmaster = world.start().await.expect("starts");
        let busy = world.session("postgres").await;
        busy.run("CREATE TABLE many AS SELECT generate_series(1, 1000) AS n").await.expect("made");
        let work = tokio::spawn(async move {
            let parallel =
                "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                SET statement_timeout = 0; SELECT count(*) FROM many WHERE pg_sleep(1000) IS NULL";
            busy.run(parallel).await
        });
        let watcher = world.session("postgres").await;
        let workers = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'";
        while watcher.one(workers, &[]).await.expect("a row").get::<_, i64>(0) == 0 {}
        let files = dynamic_memory_of(&world);
        assert!(files.len() > 1, "PostgreSQL {major}: its table, and what the workers share: {files:?}");
        processes::kill(&world.layout.data).await.expect("killed");
        let left: Vec<&PathBuf> = files.iter().filter(|file| file.exists()).collect();
        assert!(left.is_empty(), "PostgreSQL {major}: {left:?}");
        assert!(work.await.expect("joined").is_err(), "the statement was not answered");
    }
}

/// The files in memory that the processes of a server share.
fn dynamic_memory_of(world: &World) -> BTreeSet<PathBuf> {
    let processes = processes::of(&world.layout.data).into_iter();
    let maps = processes.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/maps")).ok());
    let names = |maps: String| -> Vec<PathBuf> {
        let files = maps.lines().filter_map(|line| line.split_whitespace().nth(5));
        files.filter(|file| file.starts_with("/dev/shm/PostgreSQL.")).map(PathBuf::from).collect()
    };
    maps.flat_map(names).collect()
}

#[tokio::test]
async fn a_server_that_serves_keeps_its_shared_memory() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let _postmaster = world.start().await.expect("starts");
    let segment = segment_of(&world);
    segment::remove(&world.layout.data);
    assert!(segments().contains(&segment));
}

/// The number of a server's segment of shared memory, from its lock file.
fn segment_of(world: &World) -> String {
    let file = std::fs::read_to_string(world.layout.postmaster_pid()).expect("a lock file");
    let line = file.lines().nth(6).expect("a seventh line");
    line.split_whitespace().last().expect("a number").to_owned()
}

/// The numbers of all segments of shared memory of this machine.
fn segments() -> BTreeSet<String> {
    let table = std::fs::read_to_string("/proc/sysvipc/shm").expect("a table");
    table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_shell_in_the_data_directory_is_nobody_of_the_server() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let mut shell =
        std::process::Command::new("sleep").arg("60").current_dir(&world.layout.data).spawn().expect("runs");
    assert_eq!(processes::kill(&world.layout.data).await, Ok(0));
    assert_eq!(shell.try_wait().expect("asked"), None, "it still runs");
    shell.kill().expect("killed");
    shell.wait().expect("ended");
}

#[tokio::test]
async fn a_frozen_server_is_killed() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let postmaster = world.start().await.expect("starts");
    let pid = rustix::process::Pid::from_raw(postmaster.pid()).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stopped");
    assert!(processes::kill(&world.layout.data).await.expect("killed") > 1);
    assert!(!postmaster.runs());
}

#[tokio::test]
async fn a_taken_port_is_named_in_the_refusal() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _taken = std::net::TcpListener::bind(("127.0.0.1", world.config.port)).expect("free");
        let error = world.start().await.expect_err("the port is taken");
        assert!(error.message.contains("could not bind IPv4 address \"127.0.0.1\""), "PostgreSQL {major}: {error}");
    }
}
