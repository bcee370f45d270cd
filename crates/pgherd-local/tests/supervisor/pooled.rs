//! Databases with a pooler in front: it is there when `apply` returns, nobody notices an exchange of roles, and it comes back
//! whatever is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pgherd_core::ha::NodeId;
use pgherd_core::resource::Status;
use pgherd_core::value::Value;
use pgherd_engine::provider::Operation;
use pgherd_local::pooler;
use pgherd_local::postgres::processes;
use pgherd_local::supervisor::messages::{PoolerReport, StatusReport};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::world::{NAME, World, kill};

/// `None`: there is none, which is said and skips.
fn world() -> Option<World> {
    if pooler::find(std::env::var_os("PATH").as_deref()).is_none() {
        eprintln!("SKIPPED the pooler: PgBouncer is not installed (scripts/setup.sh test installs it)");
        return None;
    }
    Some(World::new())
}

fn pooled() -> [(&'static str, Value); 1] {
    [("enable_proxy", true.into())]
}

fn pooled_pair() -> [(&'static str, Value); 2] {
    [("enable_proxy", true.into()), ("multi_az", true.into())]
}

fn pool(settings: &[(&str, Value)]) -> [(&'static str, Value); 1] {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    [("proxy_config", Value::Map(settings))]
}

#[tokio::test]
async fn clients_get_in_through_the_pooler_when_apply_returns_and_it_goes_with_the_database() {
    let Some(world) = world() else { return };
    world.apply(&pooled()).await;
    let report = pooler_of(&world.status().await);
    assert_eq!((report.state.as_str(), report.pool_mode.as_str(), report.clients), ("running", "transaction", Some(0)));
    assert!((6432..=6499).contains(&report.port), "{}", report.port);
    assert_eq!(
        world.psql(report.port, "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()").await,
        "psql"
    );
    assert_eq!(world.secret().await["port"], report.port);
    assert_eq!(world.observed().await.props.get("endpoint_port"), Some(&Value::Int(report.port.into())));
    assert_eq!(world.differences(&pooled()).await, [""; 0]);
    world.delete(None).await.expect("deleted");
    assert!(!is_alive(&report), "it went, too");
    assert!(!world.paths.instance(NAME).root.exists(), "and left nothing");
}

#[tokio::test]
async fn a_pooler_comes_changes_and_goes_while_the_server_serves() {
    let Some(world) = world() else { return };
    world.apply(&[]).await;
    let postmaster = world.postmaster_pid();
    world.apply(&pooled()).await;
    let first = pooler_of(&world.status().await);
    let client = world.client(first.port).await;
    let smaller = pool(&[("default_pool_size", Value::Int(3)), ("pool_mode", "session".into())]);
    assert_eq!(world.differences(&smaller).await, ["proxy_config.default_pool_size", "proxy_config.pool_mode"]);
    world.apply(&smaller).await;
    let second = pooler_of(&world.status().await);
    assert_eq!((second.pid, second.port, second.default_pool_size), (first.pid, first.port, 3));
    let ini = std::fs::read_to_string(world.paths.instance(NAME).pooler().join("pgbouncer.ini")).expect("a file");
    assert!(ini.contains("\ndefault_pool_size = 3\n") && ini.contains("\npool_mode = session\n"), "{ini}");
    client.batch_execute("SELECT 1").await.expect("it was not cut off");
    world.apply(&[]).await;
    assert_eq!(world.status().await.pooler, None);
    assert!(!is_alive(&second));
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_eq!(world.postmaster_pid(), postmaster, "the server was not restarted");
}

#[tokio::test]
async fn a_killed_pooler_is_started_again_at_its_port() {
    let Some(world) = world() else { return };
    world.apply(&pooled()).await;
    let before = pooler_of(&world.status().await);
    kill(pid(&before)).await;
    world.becomes(|report| runs(report) && pooler_of(report).pid != before.pid).await;
    assert_eq!(pooler_of(&world.status().await).port, before.port);
    assert_eq!(world.psql(before.port, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_pooler_survives_its_agent_and_is_taken_over() {
    let Some(world) = world() else { return };
    world.apply(&pooled()).await;
    let before = pooler_of(&world.status().await);
    let client = world.client(before.port).await;
    world.kill_agent().await;
    client.batch_execute("SELECT 1").await.expect("nobody noticed");
    world.agent().await;
    world.becomes(runs).await;
    assert_eq!(pooler_of(&world.status().await).pid, before.pid);
    client.batch_execute("SELECT 1").await.expect("nobody noticed");
}

#[tokio::test]
async fn clients_that_an_agent_left_waiting_go_on_with_the_next_one() {
    let Some(world) = world() else { return };
    world.apply(&pooled()).await;
    let client = world.client(pooler_of(&world.status().await).port).await;
    client.batch_execute("SELECT 1").await.expect("it works");
    let (data, aside) = (world.data(), world.data().with_extension("aside"));
    let postmaster = world.postmaster_pid();
    // Nobody can start it now.
    std::fs::rename(&data, &aside).expect("ours");
    kill(postmaster).await;
    world.becomes(|report| pooler_of(report).state == "holding clients back").await;
    let waiting = tokio::spawn(async move { client.batch_execute("SELECT 1").await });
    world.kill_agent().await;
    std::fs::rename(&aside, &data).expect("ours");
    world.agent().await;
    waiting.await.expect("no panic").expect("it was only held back");
    world.becomes(|report| report.status == Status::Available && runs(report)).await;
}

#[tokio::test]
async fn a_waiting_client_is_led_to_the_standby_that_takes_over() {
    let Some(world) = world() else { return };
    world.apply(&pooled_pair()).await;
    let port = pooler_of(&world.status().await).port;
    let client = world.client(port).await;
    client.batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await.expect("written");
    kill(world.node_pid(NodeId(1))).await;
    // Whoever connects in this moment waits, too.
    let (old, new) = tokio::join!(client.batch_execute("INSERT INTO t VALUES (2)"), world.psql(port, "SELECT 1"));
    assert_eq!(new, "1");
    // Its server connection may have been found dead only when it was used.
    if old.is_err() {
        world.client(port).await.batch_execute("INSERT INTO t VALUES (2)").await.expect("the second time");
    }
    assert_eq!(world.psql(port, "SELECT count(*) FROM t").await, "2");
    world.becomes(|report| report.degraded_since.is_none() && runs(report)).await;
    assert_eq!(pooler_of(&world.status().await).port, port);
    assert_eq!(world.differences(&pooled_pair()).await, [""; 0]);
}

#[tokio::test]
async fn under_load_roles_are_exchanged_without_a_failed_statement() {
    let Some(world) = world() else { return };
    world.apply(&pooled_pair()).await;
    let port = pooler_of(&world.status().await).port;
    world.psql(port, "CREATE TABLE t (id int)").await;
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut writers = Vec::new();
    for _ in 0..8 {
        let (client, stop, done) = (world.client(port).await, stop.clone(), done.clone());
        writers.push(tokio::spawn(async move {
            let mut written = 0_i64;
            while !stop.load(Ordering::SeqCst) {
                client.batch_execute("BEGIN; INSERT INTO t VALUES (1); COMMIT").await.expect("no statement fails");
                written += 1;
                done.fetch_add(1, Ordering::SeqCst);
            }
            written
        }));
    }
    for primary in ["n2", "n1", "n2"] {
        more(&done).await;
        world.operate(Operation::Switchover { name: NAME.to_owned() }).await;
        more(&done).await;
        world.becomes(|report| is_whole(report, primary)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut written = 0;
    for writer in writers {
        written += writer.await.expect("no statement failed");
    }
    assert_eq!(world.psql(port, "SELECT count(*) FROM t").await, written.to_string());
    let last = world.status().await.last_failover.expect("it was exchanged");
    assert_eq!((last.to.as_str(), last.planned, last.lost_commits.unwrap_or_default()), ("n2", true, 0));
}

#[tokio::test]
async fn stopping_and_becoming_a_pair_leave_the_pooler_where_it_was() {
    let Some(world) = world() else { return };
    world.apply(&pooled()).await;
    let before = pooler_of(&world.status().await);
    world.operate(Operation::Stop { name: NAME.to_owned() }).await;
    world.becomes(|_| !is_alive(&before)).await;
    world.operate(Operation::Start { name: NAME.to_owned() }).await;
    assert_eq!(world.psql(before.port, "SELECT 1").await, "1");
    world.apply(&pooled_pair()).await;
    assert_eq!(world.psql(before.port, "SELECT 1").await, "1");
    assert_eq!(pooler_of(&world.status().await).port, before.port);
    world.apply(&pooled()).await;
    assert_eq!(world.psql(before.port, "SELECT 1").await, "1");
}

/// Returns when some more was done.
async fn more(done: &AtomicU64) {
    let before = done.load(Ordering::SeqCst);
    while done.load(Ordering::SeqCst) < before + 50 {
        tokio::task::yield_now().await;
    }
}

fn pooler_of(report: &StatusReport) -> PoolerReport {
    report.pooler.clone().expect("a pooler")
}

fn runs(report: &StatusReport) -> bool {
    report.pooler.as_ref().is_some_and(|pooler| pooler.state == "running")
}

fn is_whole(report: &StatusReport, primary: &str) -> bool {
    let leads = report.nodes.iter().any(|node| node.name == primary && node.role == "primary");
    leads && report.nodes.len() == 2 && report.degraded_since.is_none()
}

fn pid(report: &PoolerReport) -> i32 {
    report.pid.expect("it runs").cast_signed()
}

fn is_alive(report: &PoolerReport) -> bool {
    processes::Watch::open(pid(report)).expect("asked").is_some_and(|watch| watch.runs())
}

impl World {
    /// A session of an application, over TLS that is verified in full.
    async fn client(&self, port: u16) -> tokio_postgres::Client {
        let (endpoint, secret) = (self.status().await.endpoint, self.secret().await);
        let mut config = tokio_postgres::Config::new();
        config.host("localhost").hostaddr([127, 0, 0, 1].into()).port(port).dbname(&endpoint.database);
        config.user(&endpoint.username).password(secret["password"].as_str().expect("text"));
        config.ssl_mode(SslMode::Require);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&endpoint.ca_file).expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (client, connection) = config.connect(MakeRustlsConnect::new(tls)).await.expect("a session");
        tokio::spawn(async move {
            // How it ends shows in the next statement.
            drop(connection.await);
        });
        client
    }
}
