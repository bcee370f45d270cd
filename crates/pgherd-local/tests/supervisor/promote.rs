//! A read replica becomes an instance of its own.

use pgherd_core::event::What;
use pgherd_core::resource::Status;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, Operation, Provider as _, ProviderError};
use pgherd_local::supervisor::messages::Endpoint;

use crate::pair::roles;
use crate::world::{DEADLINE, NAME, World, events};

const COPY: &str = "db-copy";

fn replicas(count: i64) -> [(&'static str, Value); 2] {
    [("create_read_replica", true.into()), ("read_replica_count", Value::Int(count))]
}

fn promote(world: &World, replica: Option<&str>, to: &str) -> Operation {
    let to = Box::new(world.spec(&[]).called(to));
    Operation::Promote { name: NAME.to_owned(), replica: replica.map(str::to_owned), to }
}

#[tokio::test]
async fn a_replica_becomes_an_instance_of_its_own() {
    let world = World::new();
    world.apply(&replicas(1)).await;
    world.write("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.has_replayed("n2").await;
    world.operate(promote(&world, None, COPY)).await;

    // What it was a replica of goes on alone, and asks for no other in its place by itself.
    assert_eq!(roles(&world.status().await), ["n1 primary running"]);
    assert_eq!(world.write("INSERT INTO t VALUES (2); SELECT count(*) FROM t").await, "2");
    assert_eq!(world.differences(&replicas(1)).await, ["read_replicas"]);
    assert!(!world.paths.instance(NAME).node(pgherd_core::ha::NodeId(2)).folder().exists());

    let (source, copy) = (world.status().await.endpoint, world.endpoint_of(COPY).await);
    assert_ne!(source.port, copy.port);
    assert_eq!(source.system_identifier, copy.system_identifier);
    let secret = |endpoint: &Endpoint| std::fs::read(&endpoint.secret_file).expect("a secret");
    assert_ne!(secret(&source), secret(&copy));
    let sql = "INSERT INTO t VALUES (3); INSERT INTO t VALUES (4); SELECT count(*) FROM t";
    assert_eq!(world.psql_of(COPY, copy.port, sql).await, "3");
    let timeline = "SELECT timeline_id FROM pg_control_checkpoint()";
    let _ = world.session_of(COPY).await.run("CHECKPOINT").await;
    assert_eq!(world.psql_of(COPY, copy.port, timeline).await, "2");
    assert_eq!(world.write("SELECT count(*) FROM t").await, "2");

    // Asked for again it is there already; its name is nobody else's.
    world.operate(promote(&world, None, COPY)).await;
    world.operate(promote(&world, Some("n2"), COPY)).await;
    let refused = world.local.operate(&promote(&world, Some("n3"), COPY), &events()).await.expect_err("another");
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::Conflict, "there is an instance db-copy already"));
    let told = world.agent().await.events(COPY).await.expect("a history");
    assert_eq!(told[0].message, "made of n2, which was a replica of db");
}

#[tokio::test]
async fn only_a_replica_can_be_promoted() {
    let world = World::new();
    world.apply(&replicas(2)).await;
    let refused = |error: ProviderError| format!("{}; {}", error.message, error.help);
    let ask = |replica, to| world.refused(promote(&world, replica, to));
    assert_eq!(refused(ask(None, COPY).await), "db has the replicas n2, n3; say which with --replica");
    assert_eq!(refused(ask(Some("n1"), COPY).await), "n1 is no replica of db; its replicas: n2, n3");
    assert_eq!(refused(ask(Some("n2"), NAME).await), "there is an instance db already; choose another name");
    let bad = "an instance's name has lower-case letters, digits and hyphens; ";
    assert_eq!(refused(ask(Some("n2"), "../x").await), bad);
    assert_eq!(roles(&world.status().await), ["n1 primary running", "n2 replica running", "n3 replica running"]);
    world.apply(&[]).await;
    world.becomes(|report| report.nodes.len() == 1).await;
    let none = "db has no read replica; write create_read_replica = true and apply that";
    assert_eq!(refused(ask(None, COPY).await), none);
}

/// Whatever it was busy with: the next agent goes on, and who asks again sees it done.
#[tokio::test]
async fn a_promotion_survives_the_agent() {
    let world = World::new();
    let phases = ["stopping PostgreSQL", "moving n", "starting PostgreSQL", "promoting n1", "setting role"];
    for (number, phase) in phases.into_iter().enumerate() {
        world.apply(&replicas(1)).await;
        let text = format!("CREATE TABLE t{number} (id int)");
        assert_eq!(world.write(&text).await, "CREATE TABLE");
        let replica = world.status().await.nodes.iter().find(|node| node.role == "replica").expect("one").name.clone();
        world.has_replayed(&replica).await;
        let to = format!("copy-{number}");
        world.promote_until(phase, &to).await;
        world.kill_agent().await;
        world.operate(promote(&world, None, &to)).await;
        let port = world.endpoint_of(&to).await.port;
        assert_eq!(
            world.psql_of(&to, port, &format!("INSERT INTO t{number} VALUES (1)")).await,
            "INSERT 0 1",
            "{phase}"
        );
        assert_eq!(world.write(&format!("SELECT count(*) FROM t{number}")).await, "0", "{phase}");
        world.becomes(|report| report.status == Status::Available && roles(report) == ["n1 primary running"]).await;
        assert_eq!(world.differences(&replicas(1)).await, ["read_replicas"], "{phase}");
    }
}

impl World {
    async fn endpoint_of(&self, name: &str) -> Endpoint {
        self.agent().await.status(name).await.expect("a status").endpoint
    }

    async fn session_of(&self, name: &str) -> pgherd_local::postgres::session::Session {
        let port = self.endpoint_of(name).await.port;
        let sockets = self.paths.sockets();
        pgherd_local::postgres::session::Session::connect(&sockets, port, "postgres", DEADLINE)
            .await
            .expect("a session")
    }

    /// Returns when a replica has everything that was written.
    async fn has_replayed(&self, replica: &str) {
        let session = self.session().await;
        let sql = "SELECT replay_lsn >= pg_current_wal_lsn() FROM pg_stat_replication WHERE application_name = $1";
        let replayed = async {
            loop {
                let rows = session.rows(sql, &[&replica]).await.expect("asked");
                if rows.first().is_some_and(|row| row.get::<_, Option<bool>>(0) == Some(true)) {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, replayed).await.expect("it replays");
    }

    /// Has a replica promoted, and returns when it is in a phase.
    async fn promote_until(&self, phase: &str, to: &str) {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let (local, operation) = (self.local.clone(), promote(self, None, to));
        let asked = tokio::spawn(async move { local.operate(&operation, &Events::new("test", sender)).await });
        let seen = async {
            while let Some(event) = told.recv().await {
                if matches!(&event.what, What::Phase { phase: now } if now.starts_with(phase)) {
                    return true;
                }
            }
            false
        };
        assert!(tokio::time::timeout(DEADLINE, seen).await.expect("told"), "it was never {phase}");
        asked.abort();
    }
}
