//! A primary and its synchronous standby: one goes, the other takes over, and nothing that was acknowledged is lost.

use pgherd_core::ha::NodeId;
use pgherd_core::resource::Status;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Operation, Provider as _};
use pgherd_local::postgres::processes;
use pgherd_local::postgres::session::Session;
use pgherd_local::supervisor::messages::{Follows, Node, StatusReport, WayReport, WaysReport};
use rustix::process::Signal;

use crate::majors::server;
use crate::world::{DEADLINE, NAME, World, events, kill};

fn pair() -> [(&'static str, Value); 1] {
    [("multi_az", true.into())]
}

#[tokio::test]
async fn a_pair_is_made_and_commits_wait_for_the_standby() {
    let world = World::new();
    world.apply(&pair()).await;
    assert_eq!(roles(&world.status().await), ["n1 primary running", "n2 standby running"]);
    assert_eq!(world.differences(&pair()).await, [""; 0]);
    let session = world.node_session(NodeId(1)).await;
    let row = session.one("SELECT application_name, sync_state FROM pg_stat_replication", &[]).await.expect("one");
    assert_eq!((row.get::<_, String>(0), row.get::<_, String>(1)), ("n2".to_owned(), "sync".to_owned()));
    assert_eq!(world.write("CREATE TABLE t (id int)").await, "CREATE TABLE");
}

#[tokio::test]
async fn the_standby_takes_over_when_the_primary_is_killed() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    kill(world.node_pid(NodeId(1))).await;
    // Held back until somebody serves.
    assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");
    world.becomes(|report| is_whole(report, "n2 primary running")).await;
    assert_eq!(world.differences(&pair()).await, [""; 0]);
    // And back again, with the one that came back.
    kill(world.node_pid(NodeId(2))).await;
    assert_eq!(world.write("INSERT INTO t VALUES (3)").await, "INSERT 0 1");
    world.becomes(|report| is_whole(report, "n1 primary running")).await;
    assert_eq!(world.write("SELECT count(*) FROM t").await, "3");
    // Each is told of what was found after it, not of what was found after the one before.
    let last = world.status().await.last_failover.expect("it was exchanged");
    let (fork, end) = (last.fork.expect("seen"), last.old_end.expect("examined"));
    assert!(position(&end) >= position(&fork), "the log that ended at {end} parted at {fork}");
}

#[tokio::test]
async fn a_switchover_exchanges_the_roles_and_loses_nothing() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.operate(Operation::Switchover { name: NAME.to_owned() }).await;
    assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");
    world.becomes(|report| is_whole(report, "n2 primary running")).await;
    let last = world.status().await.last_failover.expect("it was exchanged");
    assert_eq!((last.from, last.to, last.planned, last.whole), ("n1".to_owned(), "n2".to_owned(), true, true));
    assert_eq!(last.lost_commits.unwrap_or_default(), 0);
}

/// A session that does not end keeps a server from stopping for as long as anybody waits.
#[tokio::test]
async fn a_primary_that_does_not_stop_holds_no_switchover_up() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let session = world.node_session(NodeId(1)).await;
    let backend: i32 = session.one("SELECT pg_backend_pid()", &[]).await.expect("a backend").get(0);
    let backend = rustix::process::Pid::from_raw(backend).expect("a process");
    rustix::process::kill_process(backend, Signal::STOP).expect("ours");
    world.operate(Operation::Switchover { name: NAME.to_owned() }).await;
    assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
    world.becomes(|report| is_whole(report, "n2 primary running")).await;
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");
    let events = world.agent().await.events(NAME).await.expect("a history");
    assert!(events.iter().any(|event| event.message.contains("n1 did not stop in time")), "{events:#?}");
}

#[tokio::test]
async fn the_unix_socket_of_the_port_leads_to_the_primary_too() {
    let world = World::new();
    world.apply(&pair()).await;
    assert_eq!(world.node_by_socket().await, "n1");
    world.operate(Operation::Switchover { name: NAME.to_owned() }).await;
    assert_eq!(world.node_by_socket().await, "n2");
    world.apply(&[]).await;
    world.becomes(|report| report.nodes.len() == 1 && report.status == Status::Available).await;
    assert_eq!(world.node_by_socket().await, "n2");
}

#[tokio::test]
async fn a_failover_that_is_asked_for_tells_what_happened() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.operate(Operation::Failover { name: NAME.to_owned(), accept_loss: false }).await;
    assert_eq!(world.write("SELECT count(*) FROM t").await, "1");
    let events = world.agent().await.events(NAME).await.expect("a history");
    let expected = "failover from n1 to n2, which holds every acknowledged commit: asked for";
    assert!(events.iter().any(|event| event.message == expected), "{events:#?}");
}

#[tokio::test]
async fn a_single_instance_has_nobody_to_take_over() {
    let world = World::new();
    world.apply(&[]).await;
    let postmaster = world.node_pid(NodeId(1));
    for operation in [
        Operation::Failover { name: NAME.to_owned(), accept_loss: false },
        Operation::Switchover { name: NAME.to_owned() },
    ] {
        let refused = world.local.operate(&operation, &events()).await.expect_err("nobody");
        assert_eq!(refused.kind, ErrorKind::Protected);
        assert_eq!(refused.message, "no standby is known to hold every acknowledged commit");
    }
    assert_eq!(world.node_pid(NodeId(1)), postmaster);
}

#[tokio::test]
async fn a_lost_standby_is_made_anew_and_waited_for_again() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int)").await;
    processes::kill(&world.paths.instance(NAME).node(NodeId(2)).data).await.expect("ended");
    // Commits go on without it.
    assert_eq!(world.write("INSERT INTO t VALUES (1)").await, "INSERT 0 1");
    world.becomes(|report| is_whole(report, "n1 primary running")).await;
}

#[tokio::test]
async fn agent_and_primary_killed_together_leave_one_right_primary() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let postmaster = world.node_pid(NodeId(1));
    world.kill_agent().await;
    kill(postmaster).await;
    world.agent().await;
    assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
    world.becomes(|report| report.status == Status::Available && whole(report)).await;
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");
}

#[tokio::test]
async fn a_read_replica_is_made_reads_through_its_own_port_and_goes() {
    let world = World::new();
    let one = [("create_read_replica", true.into())];
    world.apply(&one).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let report = world.status().await;
    assert_eq!(roles(&report), ["n1 primary running", "n2 replica running"]);
    assert_eq!(world.differences(&one).await, [""; 0]);
    let read = report.read_port.expect("a port for reading");
    assert_eq!(world.psql(read, "SELECT pg_is_in_recovery()").await, "t");
    let (told, own) = (world.outputs().await, report.nodes[1].port);
    assert_eq!(world.psql(own, "SELECT pg_is_in_recovery()").await, "t");
    let texts = |text: &str| Value::List(vec![text.into()]);
    assert_eq!(told["read_replica_endpoint"], format!("localhost:{read}").into());
    assert_eq!(told["read_replica_endpoints"], texts(&format!("localhost:{own}")));
    assert_eq!(told["read_replica_ids"], texts("n2"));
    assert_eq!(told["read_replica_arns"], texts(&format!("pgherd:local:{NAME}/n2")));
    world.apply(&[]).await;
    let told = world.outputs().await;
    assert_eq!([&told["read_replica_endpoint"], &told["read_replica_ids"]], [&Value::Null, &Value::List(Vec::new())]);
    world.becomes(|report| roles(report) == ["n1 primary running"]).await;
    assert_eq!(world.write("SELECT count(*) FROM t").await, "1");
    assert!(!world.paths.instance(NAME).node(NodeId(2)).folder().exists());
}

#[tokio::test]
async fn status_says_how_far_each_is_behind_and_how_the_ports_are_held() {
    let world = World::new();
    let more = [("multi_az", true.into()), ("create_read_replica", true.into())];
    world.apply(&more).await;
    world.write("CREATE TABLE t (id int)").await;
    let follows =
        |synchronous| Some(Follows { synchronous, streaming: true, behind_bytes: Some(0), behind_ms: Some(0) });
    // pgherd itself writes now and then: at another look they may be behind again.
    let expected = [None, follows(true), follows(false)];
    world.becomes(|report| report.nodes.iter().map(|node| &node.follows).eq(&expected)).await;
    let report = world.status().await;
    world.node_session(NodeId(3)).await.run("SELECT pg_wal_replay_pause()").await.expect("paused");
    world.write("INSERT INTO t SELECT generate_series(1, 1000)").await;
    let behind = |node: &Node| node.follows.as_ref().and_then(|follows| follows.behind_bytes).unwrap_or_default();
    world.becomes(|report| behind(&report.nodes[2]) > 1000 && behind(&report.nodes[1]) == 0).await;

    let (write, read) = (report.endpoint.port, report.read_port.expect("a port"));
    let held = |way: &WayReport| (way.port, way.leads_to.join(" "), way.not_held.len(), way.waiting);
    world
        .becomes(|report| {
            let Some(WaysReport { write: to_write, read: Some(to_read) }) = &report.ways else { return false };
            held(to_write) == (write, "n1".to_owned(), 0, 0) && held(to_read) == (read, "n3".to_owned(), 0, 0)
        })
        .await;
}

/// It must not answer anybody when it wakes.
#[tokio::test]
async fn a_frozen_primary_is_ended_and_the_standby_takes_over() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int)").await;
    let frozen = world.signal(NodeId(1), Signal::STOP);
    world.becomes(|report| roles(report).iter().any(|role| role == "n2 primary running")).await;
    assert_eq!(world.write("INSERT INTO t VALUES (1)").await, "INSERT 0 1");
    world.becomes(|report| is_whole(report, "n2 primary running")).await;
    let left =
        frozen.iter().filter(|pid| processes::Watch::open(**pid).expect("asked").is_some_and(|watch| watch.runs()));
    assert_eq!(left.count(), 0, "nobody of the frozen server lives");
}

#[tokio::test]
async fn commits_go_on_without_a_standby_that_is_lost() {
    let world = World::new();
    world.apply(&pair()).await;
    world.write("CREATE TABLE t (id int)").await;
    let _ = world.signal(NodeId(2), Signal::STOP);
    assert_eq!(world.write("INSERT INTO t VALUES (1)").await, "INSERT 0 1");
    let alone = world.status().await;
    assert!(alone.degraded_since.is_some() && !alone.commits_blocked, "{alone:#?}");
    let _ = world.signal(NodeId(2), Signal::CONT);
    world.becomes(|report| whole(report) && report.degraded.len() == 1).await;
    let events = world.agent().await.events(NAME).await.expect("a history");
    assert!(events.iter().any(|event| event.message.ends_with(" s until a standby held every commit again")));
}

#[tokio::test]
async fn commits_wait_for_a_standby_that_is_lost_when_it_is_required() {
    let world = World::new();
    let required = [("multi_az", true.into()), ("local_sync", "required".into())];
    world.apply(&pair()).await;
    assert_eq!(world.differences(&required).await, ["local_sync"]);
    world.apply(&required).await;
    assert_eq!(world.differences(&required).await, [""; 0]);
    world.write("CREATE TABLE t (id int)").await;
    let port = world.observed_port().await;
    let _ = world.signal(NodeId(2), Signal::STOP);
    let write = world.psql(port, "INSERT INTO t VALUES (1)");
    let blocked = world.becomes(|report| report.commits_blocked);
    tokio::pin!(write);
    tokio::select! {
        said = &mut write => panic!("it was acknowledged: {said}"),
        () = blocked => {}
    }
    // It is there and waits.
    let waits = world.node_session(NodeId(1)).await;
    let waits = waits.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'", &[]).await;
    assert_eq!(waits.expect("asked").get::<_, i64>(0), 1);
    let _ = world.signal(NodeId(2), Signal::CONT);
    assert_eq!(write.await, "INSERT 0 1");
    world.becomes(|report| whole(report) && !report.commits_blocked).await;
    // It may be given up meanwhile.
    let _ = world.signal(NodeId(2), Signal::STOP);
    world.becomes(|report| report.commits_blocked).await;
    let pair = pair();
    let goes_on = async {
        assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
        let _ = world.signal(NodeId(2), Signal::CONT);
    };
    // Who applies waits until the standby is back.
    tokio::join!(world.apply(&pair), goes_on);
}

#[tokio::test]
async fn a_single_instance_becomes_a_pair_and_single_again() {
    let world = World::new();
    world.apply(&[]).await;
    let port = world.observed_port().await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.apply(&pair()).await;
    world.becomes(whole).await;
    assert_eq!(world.observed_port().await, port);
    assert_eq!(world.write("INSERT INTO t VALUES (2)").await, "INSERT 0 1");
    world.apply(&[]).await;
    world.becomes(|report| report.nodes.len() == 1 && report.status == Status::Available).await;
    assert_eq!(world.observed_port().await, port);
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");
    assert_eq!(world.differences(&[]).await, [""; 0]);
}

/// As PostgreSQL writes it: two hexadecimal numbers of 32 bits.
fn position(text: &str) -> (u32, u32) {
    let half = |text: &str| u32::from_str_radix(text, 16).expect("a number");
    text.split_once('/').map(|(high, low)| (half(high), half(low))).expect("two numbers")
}

pub fn roles(report: &StatusReport) -> Vec<String> {
    report.nodes.iter().map(|node| format!("{} {} {}", node.name, node.role, node.state)).collect()
}

fn is_whole(report: &StatusReport, primary: &str) -> bool {
    whole(report) && roles(report).iter().any(|role| role == primary)
}

/// Both run, and commits wait for the standby.
pub fn whole(report: &StatusReport) -> bool {
    report.nodes.len() == 2
        && report.nodes.iter().all(|node| node.state == "running")
        && report.degraded_since.is_none()
}

impl World {
    /// Sends every process of one of its servers a signal. Says which they are.
    pub fn signal(&self, node: NodeId, signal: Signal) -> Vec<i32> {
        let all: Vec<i32> = processes::of(&self.paths.instance(NAME).node(node).data).into_iter().collect();
        for pid in &all {
            let pid = rustix::process::Pid::from_raw(*pid).expect("a process");
            // One may end meanwhile.
            let _ = rustix::process::kill_process(pid, signal);
        }
        all
    }

    /// The server that an application reaches by the unix socket of the port that was handed out.
    pub async fn node_by_socket(&self) -> String {
        let password = self.secret().await["password"].as_str().expect("text").to_owned();
        let reached = async {
            loop {
                // Nobody is there for a moment while roles change.
                if let Ok(client) = self.log_in(&password).await {
                    let row = client.query_one("SELECT current_setting('data_directory')", &[]).await;
                    let data: String = row.expect("asked").get(0);
                    return data;
                }
            }
        };
        let data = tokio::time::timeout(DEADLINE, reached).await.expect("reached");
        let node = std::path::Path::new(&data).parent().and_then(|folder| folder.file_name());
        node.expect("a node's folder").to_string_lossy().into_owned()
    }

    /// The postmaster of one of its servers.
    pub fn node_pid(&self, node: NodeId) -> i32 {
        let file = self.paths.instance(NAME).node(node).postmaster_pid();
        let text = std::fs::read_to_string(file).expect("a running server");
        text.lines().next().expect("a first line").parse().expect("a number")
    }

    /// A session of pgherd's own on one of its servers.
    pub async fn node_session(&self, node: NodeId) -> Session {
        let report = self.status().await;
        let port = report.nodes.iter().find(|known| known.name == node.to_string()).expect("a node").port;
        let sockets = self.paths.sockets();
        Session::connect(&sockets, port, "postgres", DEADLINE).await.expect("a session")
    }

    /// What psql says as the master role, over TCP and the port that was handed out.
    pub async fn write(&self, sql: &str) -> String {
        let port = self.status().await.endpoint.port;
        self.psql(port, sql).await
    }

    /// What psql says as the master role, over TCP.
    pub async fn psql(&self, port: u16, sql: &str) -> String {
        self.psql_of(NAME, port, sql).await
    }

    /// The same, on an instance of another name.
    pub async fn psql_of(&self, name: &str, port: u16, sql: &str) -> String {
        let endpoint = self.agent().await.status(name).await.expect("a status").endpoint;
        let secret = std::fs::read(&endpoint.secret_file).expect("a secret file");
        let secret: serde_json::Value = serde_json::from_slice(&secret).expect("JSON");
        let psql = server(15).expect("installed");
        let dsn = format!(
            "host=localhost hostaddr=127.0.0.1 port={port} dbname={} user={} sslmode=verify-full sslrootcert={}",
            endpoint.database,
            endpoint.username,
            endpoint.ca_file.display()
        );
        let mut command = tokio::process::Command::new(psql.program("psql"));
        if let Some(lib) = &psql.lib {
            command.env("LD_LIBRARY_PATH", lib);
        }
        command.env("PGPASSWORD", secret["password"].as_str().expect("text"));
        let output = command.args(["-X", "-A", "-t", "-w", "-c", sql, &dsn]).output();
        let output = tokio::time::timeout(DEADLINE, output).await.expect("an answer").expect("psql runs");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        assert!(output.status.success(), "{}", said(&output.stderr));
        said(&output.stdout).lines().last().unwrap_or_default().to_owned()
    }
}
