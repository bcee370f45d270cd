//! What the forwarder does with connections.

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use pgherd_local::endpoint::{Lead, Limits, Listen, Set};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Login, connect, psql};
use crate::world::{World, port, set, until};

#[tokio::test]
async fn a_client_that_connects_while_nobody_serves_is_held_back_and_let_go() {
    let Some(world) = World::new() else { return };
    let database = world.database("a").await;
    let forwarder = world.forwarder().await;
    let front = port();
    let state = forwarder.set(&set(front, None)).await.expect("told");
    assert_eq!(state.write.bound, [(IpAddr::from([127, 0, 0, 1]), front).into()]);
    let login = Login::ann(front);
    let client = psql(&world, &login, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    let lead = async {
        until(async || forwarder.state().await.expect("answers").write, |way| way.waiting == 1).await;
        let paused = Set { lead: Lead { paused: true, ..lead_to(database.port) }, ..set(front, None) };
        let state = forwarder.set(&paused).await.expect("told");
        assert_eq!((state.write.waiting, state.write.connected), (1, 0), "there is a primary, and a pause");
        forwarder.set(&set(front, Some(database.port))).await.expect("told");
    };
    let (answer, ()) = tokio::join!(client, lead);
    assert_eq!(answer.as_deref(), Ok("t"), "TLS goes through untouched");
    until(async || forwarder.state().await.expect("answers").write, |way| way.connected == 0 && way.waiting == 0).await;
}

fn lead_to(port: u16) -> Lead {
    Lead { write: Some(port), read: vec![], paused: false }
}

#[tokio::test]
async fn writers_follow_the_primary_and_never_write_to_another() {
    let Some(world) = World::new() else { return };
    let (one, other) = tokio::join!(world.database("a"), world.database("b"));
    for database in [&one, &other] {
        world
            .session(database, "shop")
            .await
            .run("CREATE TABLE t (id int); GRANT ALL ON t TO ann")
            .await
            .expect("made");
    }
    let forwarder = world.forwarder().await;
    let front = port();
    forwarder.set(&set(front, Some(one.port))).await.expect("told");
    let client = connect(&world, &Login::ann(front)).await.expect("a session");
    client.batch_execute("INSERT INTO t VALUES (1)").await.expect("written");
    // A pause leaves those that are there alone.
    let paused = Set { lead: Lead { paused: true, ..lead_to(one.port) }, ..set(front, None) };
    forwarder.set(&paused).await.expect("told");
    client.batch_execute("INSERT INTO t VALUES (2)").await.expect("written");
    forwarder.set(&set(front, Some(other.port))).await.expect("told");
    client.batch_execute("INSERT INTO t VALUES (3)").await.expect_err("the connection was to the old primary");
    let client = connect(&world, &Login::ann(front)).await.expect("a session");
    client.batch_execute("INSERT INTO t VALUES (4)").await.expect("written");
    let mut found = Vec::new();
    for database in [&one, &other] {
        let rows = world.session(database, "shop").await.rows("SELECT id FROM t ORDER BY id", &[]).await.expect("rows");
        found.push(rows.iter().map(|row| row.get(0)).collect::<Vec<i32>>());
    }
    assert_eq!(found, [vec![1, 2], vec![4]]);
}

#[tokio::test]
async fn readers_are_spread_and_one_that_refuses_is_passed_over() {
    let Some(world) = World::new() else { return };
    let (one, other) = tokio::join!(world.database("a"), world.database("b"));
    let forwarder = world.forwarder().await;
    let (front, read, nobody) = (port(), port(), port());
    let with = |ports: &[u16], write| Set {
        read: Some(Listen { addresses: vec![Ipv4Addr::LOCALHOST.into()], port: read }),
        lead: Lead { write, read: ports.to_vec(), paused: false },
        ..set(front, None)
    };
    forwarder.set(&with(&[nobody, one.port, other.port], None)).await.expect("told");
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(connect(&world, &Login::ann(read)).await.expect("a session"));
    }
    let mut ports = Vec::new();
    for client in &clients {
        ports.push(client.query_one("SELECT inet_server_port()", &[]).await.expect("a row").get::<_, i32>(0));
    }
    ports.sort_unstable();
    let (low, high): (i32, i32) = (one.port.min(other.port).into(), one.port.max(other.port).into());
    assert_eq!(ports, [low, low, high, high]);
    // The primary takes reads no more, and those who read there may stay; the other server leaves.
    forwarder.set(&with(&[nobody], Some(one.port))).await.expect("told");
    let mut left = 0;
    for client in &clients {
        left += i32::from(client.query_one("SELECT 1", &[]).await.is_ok());
    }
    assert_eq!(left, 2);
}

#[tokio::test]
async fn bytes_and_ends_go_through_in_both_directions() {
    let Some(world) = World::new() else { return };
    let forwarder = world.forwarder().await;
    let front = port();
    let server = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    forwarder.set(&set(front, Some(server.local_addr().expect("bound").port()))).await.expect("told");
    let big: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let serve = async {
        let (mut stream, _) = server.accept().await.expect("a connection");
        let mut all = Vec::new();
        // Nothing is read by the client until its own half is closed: it is held up, not lost.
        stream.read_to_end(&mut all).await.expect("its end");
        stream.write_all(&all).await.expect("sent back");
        stream.shutdown().await.expect("ours");
    };
    let client = async {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, front)).await.expect("a connection");
        stream.write_all(&big).await.expect("sent");
        stream.shutdown().await.expect("half closed");
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.expect("the rest");
        back
    };
    let ((), back) = tokio::join!(serve, client);
    assert!(back == big, "{} bytes came back of {}", back.len(), big.len());
}

#[tokio::test]
async fn those_that_wait_too_long_or_are_too_many_are_closed() {
    let Some(world) = World::new() else { return };
    let forwarder = world.forwarder().await;
    let front = port();
    let limits = Limits { wait_ms: 60_000, waiting: 2 };
    forwarder.set(&Set { limits, ..set(front, None) }).await.expect("told");
    let mut held = Vec::new();
    for _ in 0..2 {
        held.push(hello(front).await);
    }
    until(async || forwarder.state().await.expect("answers").write.waiting, |waiting| *waiting == 2).await;
    assert_eq!(end(&mut hello(front).await).await, 0, "the third is one too many");
    // Those who hang up make room.
    drop(held);
    until(async || forwarder.state().await.expect("answers").write.waiting, |waiting| *waiting == 0).await;
    forwarder.set(&Set { limits: Limits { wait_ms: 1, waiting: 2 }, ..set(front, None) }).await.expect("told");
    assert_eq!(end(&mut hello(front).await).await, 0, "its time is over");
    assert_eq!(forwarder.state().await.expect("answers").write.given_up, 2);
}

/// A client that has sent what a client of PostgreSQL sends first.
async fn hello(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await.expect("sent");
    stream
}

/// How many bytes come before the end.
async fn end(stream: &mut TcpStream) -> usize {
    let mut all = Vec::new();
    // Reset or closed, it is the end.
    drop(stream.read_to_end(&mut all).await);
    all.len()
}

#[tokio::test]
async fn a_port_that_is_taken_is_had_when_its_holder_leaves() {
    let Some(world) = World::new() else { return };
    let forwarder = world.forwarder().await;
    let front = port();
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, front)).expect("a port");
    let state = forwarder.set(&set(front, None)).await.expect("told");
    let me = std::process::id();
    assert!(state.write.bound.is_empty());
    assert_eq!(state.write.unbound.len(), 1);
    let why = &state.write.unbound[0].why;
    // Another user's descriptors are not the forwarder's to see.
    assert!(why.contains(&format!("(pid {me})")) || why.contains("in use"), "{why}");
    drop(holder);
    let way = until(async || forwarder.state().await.expect("answers").write, |way| !way.bound.is_empty()).await;
    assert!(way.unbound.is_empty());
}
