//! The master role, its database, and who gets in how.

use std::path::Path;

use pgherd_core::secret::Secret;
use pgherd_local::postgres::process::Stop;
use pgherd_local::postgres::session::Session;
use pgherd_local::postgres::{candidate, processes};

use crate::world::{DEADLINE, MAJORS, World, server};

#[tokio::test]
async fn the_master_role_rules_its_database_and_is_no_superuser() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        let password = Secret::new("correct-horse-battery");
        assert_eq!(session.ensure_master("Ann \"A\"", &password).await, Ok(true));
        assert_eq!(session.ensure_master("Ann \"A\"", &password).await, Ok(false), "nothing to do the second time");
        assert_eq!(session.ensure_database("shop", "Ann \"A\"").await, Ok(true));
        assert_eq!(session.ensure_database("shop", "Ann \"A\"").await, Ok(false));
        world.session("shop").await.prepare_database().await.expect("prepared");
        let ca = world.authority.certificate_file.display().to_string();
        let dsn = |more: &str| {
            format!("host=localhost hostaddr=127.0.0.1 dbname=shop user='Ann \"A\"' sslrootcert={ca} {more}")
        };
        let good = dsn("sslmode=verify-full password=correct-horse-battery");
        let check = "SELECT rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, \
                     pg_has_role('pg_monitor', 'member'), (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) \
                     FROM pg_roles WHERE rolname = current_user";
        assert_eq!(world.psql(&good, check).await.as_deref(), Ok("f|t|t|f|f|t|t"), "PostgreSQL {major}");
        for allowed in [
            "CREATE TABLE t (id int)",
            "CREATE SCHEMA s",
            "CREATE ROLE app LOGIN",
            "GRANT pg_monitor TO app",
            "CREATE EXTENSION hstore",
            "SELECT count(*) >= 0 FROM pg_stat_statements",
            "SELECT pg_cancel_backend(0)",
        ] {
            assert!(world.psql(&good, allowed).await.is_ok(), "PostgreSQL {major}: {allowed}");
        }
        for forbidden in [
            "ALTER SYSTEM SET work_mem = '1GB'",
            "COPY t TO PROGRAM 'cat'",
            "SELECT pg_read_file('/etc/passwd')",
            "ALTER ROLE pgherd PASSWORD 'x'",
            "SET ROLE pgherd",
            "ALTER ROLE current_user SUPERUSER",
        ] {
            assert!(world.psql(&good, forbidden).await.is_err(), "PostgreSQL {major}: {forbidden}");
        }
        let error = session.ensure_master("pgherd", &password).await.expect_err("our own name");
        assert!(error.message.contains("pgherd's own"), "{error}");
    }
}

/// A database as the catalogue has it, without what is its own in any case.
const LIKENESS: &str = "SELECT jsonb_pretty(jsonb_build_array(\
    (SELECT to_jsonb(d) - 'oid' - 'datname' - 'datfrozenxid' - 'datminmxid' FROM pg_database d \
     WHERE datname = current_database()), \
    (SELECT jsonb_agg(to_jsonb(n) ORDER BY nspname) FROM pg_namespace n WHERE nspname !~ '^pg_t'), \
    (SELECT jsonb_agg(to_jsonb(e) - 'oid' ORDER BY extname) FROM pg_extension e WHERE extname <> 'plpgsql'), \
    (SELECT jsonb_agg(jsonb_build_object(relname, relacl::text) ORDER BY relname) FROM pg_class \
     WHERE relnamespace = 'public'::regnamespace)))";

#[tokio::test]
async fn the_renamed_spare_database_is_like_one_that_was_made() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        let password = Secret::new("secret-of-ann");
        assert_eq!(session.ensure_master_and_database("ann", &password, "shop").await, Ok(false), "nothing is left");
        // Absent and no longer spare: made.
        assert_eq!(session.ensure_database("other", "ann").await, Ok(true));
        world.session("other").await.prepare_database().await.expect("prepared");
        let of =
            async |database| world.session(database).await.one(LIKENESS, &[]).await.expect("a row").get::<_, String>(0);
        assert_eq!(of("shop").await, of("other").await, "PostgreSQL {major}");
        assert_eq!(databases(&session).await, ["other", "postgres", "shop"], "PostgreSQL {major}");
        assert_eq!(session.ensure_master_and_database("ann", &password, "shop").await, Ok(true));
        assert_eq!(session.ensure_database("shop", "ann").await, Ok(false), "nothing to do the second time");
    }
}

#[tokio::test]
async fn an_initial_database_that_is_there_leaves_no_spare_one() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let _running = world.start().await.expect("starts");
    let session = world.session("postgres").await;
    let password = Secret::new("secret-of-ann");
    assert_eq!(databases(&session).await, ["pgherd_spare", "postgres"]);
    assert_eq!(session.ensure_master_and_database("ann", &password, "postgres").await, Ok(true));
    assert_eq!(databases(&session).await, ["postgres"]);
    // A database of that name that is somebody's is not taken for the spare one.
    session.run("CREATE DATABASE pgherd_spare OWNER ann").await.expect("made");
    assert_eq!(session.ensure_database("shop", "ann").await, Ok(true));
    assert_eq!(databases(&session).await, ["pgherd_spare", "postgres", "shop"]);
}

/// As when an attempt is given up and the next one begins while the server still carries out the first one's last statement.
#[tokio::test]
async fn attempts_beside_each_other_take_turns() {
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let _running = world.start().await.expect("starts");
    let (world, password) = (&world, &Secret::new("secret-of-ann"));
    let attempt = async || {
        let session = world.session("postgres").await;
        session.take_turn().await.expect("its turn");
        let is_left = session.ensure_master_and_database("ann", password, "shop").await.expect("made or found");
        session.ensure_database("other", "ann").await.expect("made or found");
        world.session("other").await.prepare_database().await.expect("prepared");
        is_left
    };
    // Also where the database is the one in which turns are taken.
    let session = world.session("postgres").await;
    session.take_turn().await.expect("its turn");
    world.session("postgres").await.prepare_database().await.expect("prepared");
    drop(session);
    let (one, two, three, four) = tokio::join!(attempt(), attempt(), attempt(), attempt());
    let first = [one, two, three, four].iter().filter(|is_left| !**is_left).count();
    assert_eq!((first, databases(&world.session("postgres").await).await.len()), (1, 3));
}

async fn databases(session: &Session) -> Vec<String> {
    let names = "SELECT datname::text FROM pg_database WHERE NOT datistemplate ORDER BY datname";
    session.rows(names, &[]).await.expect("names").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn over_tcp_nobody_gets_in_without_tls_or_as_the_superuser() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        let _running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        session.ensure_master("ann", &Secret::new("secret-of-ann")).await.expect("made");
        let ca = world.authority.certificate_file.display().to_string();
        let at = "host=localhost hostaddr=127.0.0.1 dbname=postgres password=secret-of-ann";
        let plain = world.psql(&format!("{at} user=ann sslmode=disable"), "SELECT 1").await.expect_err("no TLS");
        assert!(plain.contains("no encryption"), "PostgreSQL {major}: {plain}");
        let superuser =
            world.psql(&format!("{at} user=pgherd sslmode=require"), "SELECT 1").await.expect_err("superuser");
        assert!(superuser.contains("pg_hba.conf rejects"), "PostgreSQL {major}: {superuser}");
        let stranger = format!("{at} user=ann sslmode=verify-full sslrootcert={ca}").replace("secret-of-ann", "wrong");
        let stranger = world.psql(&stranger, "SELECT 1").await.expect_err("wrong password");
        assert!(stranger.contains("password authentication failed"), "PostgreSQL {major}: {stranger}");
        let other = world.psql(&format!("{at} user=ann sslmode=verify-full sslrootcert=/dev/null"), "SELECT 1").await;
        assert!(other.is_err(), "PostgreSQL {major}: another authority is not trusted");
        let version = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let good = world.psql(&format!("{at} user=ann sslmode=verify-full sslrootcert={ca}"), version).await;
        assert_eq!(good.as_deref(), Ok("TLSv1.3"), "PostgreSQL {major}");
    }
}

#[tokio::test]
async fn a_rotated_password_keeps_open_sessions_and_is_in_no_log() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let mut world = World::new(&server);
        world.create();
        world.configure(&[("log_statement", "all"), ("log_min_duration_statement", "0")]).expect("good");
        candidate::exchange(&world.layout).expect("exchanged");
        let running = world.start().await.expect("starts");
        let session = world.session("postgres").await;
        session.ensure_master("ann", &Secret::new("first-password")).await.expect("made");
        session.ensure_database("shop", "ann").await.expect("made");
        let shop = world.session("shop").await;
        shop.prepare_database().await.expect("prepared");
        assert_eq!(session.ensure_master("ann", &Secret::new("second-password")).await, Ok(true));
        shop.run("SELECT 'unseen in the log'").await.expect("the open session goes on");
        let at = "host=localhost hostaddr=127.0.0.1 dbname=shop user=ann sslmode=require";
        assert!(world.psql(&format!("{at} password=first-password"), "SELECT 1").await.is_err());
        let seen = world.psql(&format!("{at} password=second-password"), "SELECT 'seen in the log'").await;
        assert!(seen.is_ok(), "{seen:?}");
        let kept = "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%SCRAM-SHA%ROLE%' OR query LIKE '%ROLE%SCRAM-SHA%'";
        assert_eq!(shop.one(kept, &[]).await.expect("a row").get::<_, i64>(0), 0);
        // The logs are complete when the log collector has ended.
        running.stop(Stop::Fast, DEADLINE).await.expect("stops");
        let logs = all_text(&world.layout.log);
        assert!(logs.contains("seen in the log"), "statements are logged");
        for secret in ["'unseen in the log'", "SCRAM-SHA-256$", "first-password", "second-password"] {
            assert!(!logs.contains(secret), "PostgreSQL {major}: {secret} is in the log");
        }
    }
}

#[tokio::test]
async fn processes_and_files_belong_to_the_unprivileged_user() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(server) = MAJORS.into_iter().find_map(server) else { return };
    let mut world = World::new(&server);
    world.create();
    let _running = world.start().await.expect("starts");
    let root = rustix::process::geteuid().is_root();
    assert_eq!(world.run_as.drops, root);
    assert_ne!(world.run_as.uid, 0);
    for pid in processes::of(&world.layout.data) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect("a line").to_owned();
        let uid = world.run_as.uid;
        assert_eq!(line("Uid:").split_whitespace().collect::<Vec<_>>(), [uid.to_string().as_str(); 4]);
        if root {
            assert_eq!(line("Groups:").trim(), "", "no group of root's is left");
        }
        let environment = std::fs::read(format!("/proc/{pid}/environ")).expect("readable");
        let names: Vec<_> = environment.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).collect();
        assert!(
            names.iter().all(|entry| !entry.starts_with(b"CARGO")),
            "nothing of our environment reaches the server"
        );
    }
    let strangers = walk(&world.layout.data).into_iter().filter(|path| {
        path.symlink_metadata().is_ok_and(|found| found.uid() != world.run_as.uid || found.mode() & 0o077 != 0)
    });
    assert_eq!(strangers.collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

fn all_text(folder: &Path) -> String {
    let texts = walk(folder).into_iter().filter_map(|path| std::fs::read(path).ok());
    texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}
