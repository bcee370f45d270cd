//! Where the pooler leads, and that nobody notices when it changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgherd_local::pooler::{Lead, Pooler};

use crate::client::{Login, connect, psql};
use crate::pooler::{in_front, lead, reached};
use crate::world::{World, kill, pgbouncer, until};

#[tokio::test]
async fn under_load_clients_are_led_from_one_server_to_the_other_without_a_failed_statement() {
    let Some(world) = World::new() else { return };
    let (one, other) = tokio::join!(world.database("a"), world.database("b"));
    let Some((pooler, config)) = in_front(&world, &one).await else { return };
    // The verifier has its own salt in each cluster here; in a pair it is the same. Copy it, as replication does.
    let from = world.session(&one, "postgres").await;
    let verifier = from.one("SELECT rolpassword FROM pg_authid WHERE rolname = 'ann'", &[]).await.expect("a row");
    let verifier: String = verifier.get(0);
    world.session(&other, "postgres").await.run(&format!("ALTER ROLE ann PASSWORD '{verifier}'")).await.expect("set");
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let write = async |client: tokio_postgres::Client| {
        while !stop.load(Ordering::SeqCst) {
            client.batch_execute("BEGIN; SELECT pg_backend_pid(); COMMIT").await.expect("no statement fails");
            done.fetch_add(1, Ordering::SeqCst);
        }
    };
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(connect(&world, &Login::ann(config.port)).await.expect("a session"));
    }
    let work = async {
        for round in 0..4_u64 {
            let before = done.load(Ordering::SeqCst);
            until(async || done.load(Ordering::SeqCst), |now| *now > before + 100).await;
            let (old, new) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
            let paused = Lead { to: Some(old.port), paused: true };
            pooler.lead(&config, paused);
            reached(&pooler, paused).await;
            // The pooler has left; a backend takes a moment to notice.
            until(async || clients_of(&world, old).await, |left| *left == 0).await;
            lead(&pooler, &config, Some(new.port)).await;
            let before = done.load(Ordering::SeqCst);
            until(async || done.load(Ordering::SeqCst), |now| *now > before + 100).await;
            assert!(clients_of(&world, new).await > 0, "they write to the new primary");
            assert_eq!(clients_of(&world, old).await, 0, "and nobody to the old one");
        }
        stop.store(true, Ordering::SeqCst);
    };
    tokio::join!(work, futures_util::future::join_all(clients.into_iter().map(write)));
}

async fn clients_of(world: &World, database: &crate::world::Database) -> i64 {
    let session = world.session(database, "postgres").await;
    let row = session.one("SELECT count(*) FROM pg_stat_activity WHERE usename IN ('ann', 'pgherd_pooler')", &[]).await;
    row.expect("a row").get(0)
}

#[tokio::test]
async fn a_pause_waits_for_open_transactions_and_is_taken_back_at_once() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    let login = Login::ann(config.port);
    let client = connect(&world, &login).await.expect("a session");
    client.batch_execute("BEGIN; CREATE TABLE t (id int)").await.expect("begun");
    pooler.lead(&config, Lead { to: Some(database.port), paused: true });
    let other = psql(&world, &login, "SELECT 1");
    let taken_back = async {
        // It never becomes so while the transaction is open; that others are held back already shows in its statement.
        client.batch_execute("INSERT INTO t VALUES (1)").await.expect("who is inside goes on");
        assert_eq!(pooler.state().lead, None);
        lead(&pooler, &config, Some(database.port)).await;
    };
    let (answer, ()) = tokio::join!(other, taken_back);
    assert_eq!(answer.as_deref(), Ok("1"));
    client.batch_execute("COMMIT").await.expect("it was not cut off");
}

#[tokio::test]
async fn a_dead_primary_does_not_hold_up_the_pause_and_the_next_one_is_found() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    let login = Login::ann(config.port);
    let client = connect(&world, &login).await.expect("a session");
    client.batch_execute("SELECT 1").await.expect("it works");
    pgherd_local::postgres::processes::kill(&database.layout.data).await.expect("dead");
    lead(&pooler, &config, None).await;
    let waiting = psql(&world, &login, "SELECT 1");
    let back = async {
        let postmaster = world.start(&database.layout).await;
        lead(&pooler, &config, Some(database.port)).await;
        postmaster
    };
    let (answer, _postmaster) = tokio::join!(waiting, back);
    assert_eq!(answer.as_deref(), Ok("1"));
}

#[tokio::test]
async fn a_killed_pooler_is_noticed_and_started_again() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    kill(pooler.pid()).await;
    pooler.ended().await;
    let Some(program) = pgbouncer() else { return };
    let again = world.pooler(&program, &config).await;
    assert_ne!(again.pid(), pooler.pid());
    lead(&again, &config, Some(database.port)).await;
    assert_eq!(psql(&world, &Login::ann(config.port), "SELECT 1").await.as_deref(), Ok("1"));
    again.stop().await.expect("stopped");
    assert!(psql(&world, &Login::ann(config.port), "SELECT 1").await.is_err_and(|said| said.contains("refused")));
}

#[tokio::test]
async fn a_pause_that_its_agent_left_behind_ends_with_the_next_agent() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    let login = Login::ann(config.port);
    let client = connect(&world, &login).await.expect("a session");
    lead(&pooler, &config, None).await;
    let pid = pooler.pid();
    drop(pooler);
    let Some(program) = pgbouncer() else { return };
    let next: Pooler = world.pooler(&program, &config).await;
    assert_eq!(next.pid(), pid, "found again");
    assert_eq!(next.state().lead, None, "not known yet");
    let statement = client.batch_execute("SELECT 1");
    let (answer, ()) = tokio::join!(statement, lead(&next, &config, Some(database.port)));
    answer.expect("it was only held back");
}

#[tokio::test]
async fn a_taken_port_and_a_changed_one_are_told() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    let elsewhere = pgherd_local::pooler::Config { port: database.port, ..config.clone() };
    assert!(!pooler.needs_restart(&config));
    assert!(pooler.needs_restart(&elsewhere));
    pooler.stop().await.expect("stopped");
    let Some(program) = pgbouncer() else { return };
    let error = Pooler::adopt_or_start(&program, &world.run_as, &elsewhere).await.expect_err("it is the server's");
    assert!(error.message.starts_with(&format!("port {} is in use by postgres", database.port)), "{error}");
}
