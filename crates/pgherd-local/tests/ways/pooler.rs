//! Who gets in through the pooler, and how.

use std::collections::BTreeSet;

use pgherd_core::secret::Secret;
use pgherd_local::pooler::{Config, Lead, Pooler};

use crate::client::{Login, connect, psql, psql_with};
use crate::world::{DEADLINE, Database, World, pgbouncer};

/// A pooler that leads to the database.
pub async fn in_front(world: &World, database: &Database) -> Option<(Pooler, Config)> {
    let program = pgbouncer()?;
    let config = world.pooler_config(database);
    let pooler = world.pooler(&program, &config).await;
    lead(&pooler, &config, Some(database.port)).await;
    Some((pooler, config))
}

/// Leads the pooler there and waits until it does.
pub async fn lead(pooler: &Pooler, config: &Config, to: Option<u16>) {
    let wanted = Lead { to, paused: to.is_none() };
    pooler.lead(config, wanted);
    reached(pooler, wanted).await;
}

/// Waits until the pooler leads there.
pub async fn reached(pooler: &Pooler, wanted: Lead) {
    let mut states = pooler.states();
    let reached = states.wait_for(|state| state.lead == Some(wanted));
    tokio::time::timeout(DEADLINE, reached).await.expect("in time").expect("it goes on");
}

#[tokio::test]
async fn every_role_gets_in_with_its_password_over_tls_and_nobody_else() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((_pooler, config)) = in_front(&world, &database).await else { return };
    let ann = Login::ann(config.port);
    let who = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(psql(&world, &ann, who).await.as_deref(), Ok("ann|t"), "TLS to the server, too");
    psql(&world, &ann, "CREATE ROLE \"Bob B\" LOGIN PASSWORD 'secret-of-bob'").await.expect("made");
    let bob = Login { user: "Bob B", password: "secret-of-bob", ..ann.clone() };
    assert_eq!(psql(&world, &bob, "SELECT current_user").await.as_deref(), Ok("Bob B"));
    let wrong = Login { password: "wrong", ..ann.clone() };
    let said = psql(&world, &wrong, "SELECT 1").await.expect_err("refused");
    assert!(said.contains("SASL authentication failed"), "{said}");
    let said = psql_with(&world, &ann, "disable", "SELECT 1").await.expect_err("refused");
    assert!(said.contains("SSL required"), "{said}");
    for user in ["pgherd", "pgherd_pooler"] {
        let said = psql(&world, &Login { user, password: "", ..ann.clone() }, "SELECT 1").await.expect_err("refused");
        assert!(said.contains("login rejected") || said.contains("no such user"), "{said}");
    }
    // The server itself lets the pooler's role in with its certificate only.
    let past = Login { user: "pgherd_pooler", port: database.port, ..ann };
    psql(&world, &past, "SELECT 1").await.expect_err("refused");
}

#[tokio::test]
async fn databases_made_by_users_are_reachable_also_closed_ones() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((_pooler, config)) = in_front(&world, &database).await else { return };
    let ann = Login::ann(config.port);
    for made in ["CREATE DATABASE \"Later On\"", "CREATE DATABASE bare TEMPLATE template0", "CREATE DATABASE closed"] {
        psql(&world, &ann, made).await.expect("made");
    }
    for name in ["Later On", "bare"] {
        let there = Login { database: name, ..ann.clone() };
        assert_eq!(psql(&world, &there, "SELECT current_database()").await.as_deref(), Ok(name));
    }
    psql(&world, &ann, "REVOKE CONNECT ON DATABASE closed FROM PUBLIC").await.expect("closed");
    let closed = Login { database: "closed", ..ann };
    // The pooler cannot look users up in it; its login waits until it can.
    let session = world.session(&database, "postgres").await;
    let open = async { assert_eq!(pgherd_local::pooler::prepare(&session).await, Ok(true)) };
    let (answer, ()) = tokio::join!(psql(&world, &closed, "SELECT 1"), open);
    assert_eq!(answer.as_deref(), Ok("1"));
}

#[tokio::test]
async fn a_new_password_is_in_force_at_once() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((_pooler, config)) = in_front(&world, &database).await else { return };
    let ann = Login::ann(config.port);
    let client = connect(&world, &ann).await.expect("a session");
    client.batch_execute("SELECT 1").await.expect("it works");
    let session = world.session(&database, "postgres").await;
    session.ensure_master("ann", &Secret::new("another")).await.expect("set");
    let said = psql(&world, &ann, "SELECT 1").await.expect_err("the old one");
    assert!(said.contains("SASL authentication failed"), "{said}");
    let new = Login { password: "another", ..ann };
    assert_eq!(psql(&world, &new, "SELECT 1").await.as_deref(), Ok("1"));
    client.batch_execute("SELECT 1").await.expect("who is in stays in");
    // Also where no connection to the server is left to go on with.
    session
        .run("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE usename = 'ann'")
        .await
        .expect("ended");
    assert_eq!(psql(&world, &new, "SELECT 1").await.as_deref(), Ok("1"));
}

#[tokio::test]
async fn server_connections_are_shared_between_transactions() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((_pooler, config)) = in_front(&world, &database).await else { return };
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(connect(&world, &Login::ann(config.port)).await.expect("a session"));
    }
    let mut backends = BTreeSet::new();
    for client in &clients {
        let rows = client.simple_query("SELECT pg_backend_pid()").await.expect("a row");
        let pid = rows.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        backends.insert(pid);
    }
    assert_eq!(backends.len(), 1, "one at a time, so one is enough");
}

#[tokio::test]
async fn prepared_statements_work_where_the_caveat_does_not_deny_it() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let Some((pooler, config)) = in_front(&world, &database).await else { return };
    let caveats = pooler.caveats(&config);
    let denied = caveats.iter().any(|caveat| caveat.contains("no prepared statements"));
    let (one, other) =
        (connect(&world, &Login::ann(config.port)).await, connect(&world, &Login::ann(config.port)).await);
    let (one, other) = (one.expect("a session"), other.expect("a session"));
    let statement = one.prepare("SELECT 1").await.expect("prepared");
    // Another client has the server connection, so the statement is not in the next one.
    other.batch_execute("BEGIN").await.expect("begun");
    let worked = one.query(&statement, &[]).await.is_ok();
    assert_eq!(worked, !denied, "{caveats:?}");
    let session = Config { pool_mode: "session".to_owned(), ..config.clone() };
    assert!(!pooler.caveats(&session).iter().any(|caveat| caveat.contains("no prepared statements")));
    drop(other);
    pooler.stop().await.expect("stopped");
    let Some(program) = pgbouncer() else { return };
    let pooler = world.pooler(&program, &session).await;
    lead(&pooler, &session, Some(database.port)).await;
    let client = connect(&world, &Login::ann(config.port)).await.expect("a session");
    assert_eq!(client.query_one("SELECT 1 + 1", &[]).await.expect("a row").get::<_, i32>(0), 2);
}
