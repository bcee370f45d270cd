//! An emulator with a PostgreSQL behind each instance, in folders of its own.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use jiff::SignedDuration;
use pgherd_emulate::emulation::Reply;
use pgherd_emulate::wire::Sent;
use pgherd_emulate::{Backing, Emulator, Options, Running};
use pgherd_local::paths::Paths;
use pgherd_local::postgres::{find, processes};
use pgherd_local::tls;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls};

const SIGNED: &str =
    "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/rds/aws4_request, SignedHeaders=host, Signature=0";

/// An emulator with real servers.
pub struct World {
    emulator: Option<Running>,
    folder: TempDir,
    /// The port all instances ask for.
    pub port: u16,
    major: u32,
}

impl World {
    /// With the newest server that is installed; nothing, and said, when none is.
    pub async fn new() -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("pgherd").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        let at = |name: &str| folder.path().join(name);
        let paths = Paths { state: at("state"), cache: cache(), runtime: at("run") };
        let found = find::servers(&[], std::env::var_os("PATH").as_deref(), &paths.servers()).servers;
        let Some(major) = found.iter().map(|server| server.major()).filter(|major| (14..=18).contains(major)).max()
        else {
            eprintln!("SKIPPED PostgreSQL behind instances: no server of 14 to 18 is installed");
            return None;
        };
        let postgres = Backing { paths, postgres_dirs: Vec::new(), postgres_user: None };
        let emulator = Emulator::start(Options { postgres: Some(postgres), ..Options::default() }).await.unwrap();
        Some(Self { emulator: Some(emulator), folder, port: port(), major })
    }

    /// Makes an instance and waits until it is available.
    pub async fn create(&self, id: &str, more: &[(&str, &str)]) {
        let (port, major) = (self.port.to_string(), self.major.to_string());
        let plain = [
            ("DBInstanceIdentifier", id),
            ("Engine", "postgres"),
            ("EngineVersion", &major),
            ("DBInstanceClass", "db.t3.micro"),
            ("AllocatedStorage", "20"),
            ("MasterUsername", "master"),
            ("MasterUserPassword", "correct-horse"),
            ("Port", &port),
        ];
        self.ok("CreateDBInstance", &[&plain[..], more].concat()).await;
        assert_eq!(self.field(id, "DBInstanceStatus"), "available", "{}", self.events());
    }

    fn emulator(&self) -> &Running {
        self.emulator.as_ref().unwrap()
    }

    /// A parameter group `orders-pg`.
    pub async fn group(&self, parameters: &[(&str, &str, &str)]) {
        let family = format!("postgres{}", self.major);
        let group =
            [("DBParameterGroupName", "orders-pg"), ("DBParameterGroupFamily", &family), ("Description", "orders")];
        self.ok("CreateDBParameterGroup", &group).await;
        self.set(parameters).await;
    }

    /// Sets parameters of it: name, value, and how.
    pub async fn set(&self, parameters: &[(&str, &str, &str)]) {
        let mut sent = vec![("DBParameterGroupName".to_owned(), "orders-pg".to_owned())];
        for (n, (name, value, method)) in parameters.iter().enumerate() {
            for (field, text) in [("ParameterName", name), ("ParameterValue", value), ("ApplyMethod", method)] {
                sent.push((format!("Parameters.Parameter.{}.{field}", n + 1), (*text).to_owned()));
            }
        }
        let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.ok("ModifyDBParameterGroup", &sent).await;
    }

    /// Does something, and waits until all that follows from it is over.
    pub async fn ok(&self, action: &str, sent: &[(&str, &str)]) {
        if let Err(refusal) = self.ask(action, sent) {
            panic!("{action} was refused: {refusal}");
        }
        // Orders may come of phases that end, and phases of orders that were carried out.
        for _ in 0..4 {
            self.emulator().settled().await;
            self.emulator().advance(SignedDuration::from_hours(1));
            // Whoever looks has time go on.
            self.events();
        }
        self.emulator().settled().await;
    }

    /// The text of a field of an instance, or the code of a refusal.
    pub fn field(&self, id: &str, name: &str) -> String {
        let found = self.ask("DescribeDBInstances", &[("DBInstanceIdentifier", id)]);
        let found = found.as_deref().unwrap_or_else(|refusal| refusal);
        inside(found, name).or_else(|| inside(found, "Code")).unwrap_or_default()
    }

    /// Returns when a line of the log of an instance says this.
    pub async fn logged(&self, id: &str, expected: &str) {
        let is_there = || {
            let files = self.ask("DescribeDBLogFiles", &[("DBInstanceIdentifier", id)]).unwrap();
            // The newest is the last.
            let name = files.rsplit("<LogFileName>").next().and_then(|rest| rest.split('<').next()).unwrap_or_default();
            let portion = [("DBInstanceIdentifier", id), ("LogFileName", name), ("Marker", "0")];
            self.ask("DownloadDBLogFilePortion", &portion).is_ok_and(|log| log.contains(expected))
        };
        let comes = async {
            while !is_there() {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(super::DEADLINE, comes).await.expect("it is written");
    }

    fn events(&self) -> String {
        self.ask("DescribeEvents", &[("Duration", "100000")]).unwrap()
    }

    /// Asks for something; the answer, or the refusal.
    pub fn ask(&self, action: &str, sent: &[(&str, &str)]) -> Result<String, String> {
        let pairs = sent.iter().map(|(name, value)| format!("{name}={value}"));
        let body = [format!("Action={action}")].into_iter().chain(pairs).collect::<Vec<_>>().join("&");
        let sent = Sent { path: "/", authorization: Some(SIGNED), target: None, body: body.as_bytes() };
        let Reply::Answer(answer) = self.emulator().with(|emulation| emulation.reply(sent, Instant::now())) else {
            return Err("nothing".to_owned());
        };
        let body = String::from_utf8(answer.written.body).unwrap();
        if answer.status == 200 { Ok(body) } else { Err(body) }
    }

    /// A client over TLS that is verified in full, by the endpoint the instance tells.
    pub async fn connect(&self, id: &str, database: &str, password: &str) -> Result<Client, tokio_postgres::Error> {
        let tls = tls::client(self.emulator().authority.as_deref().unwrap()).unwrap();
        let mut config = self.config(id, password);
        config.dbname(database).ssl_mode(tokio_postgres::config::SslMode::Require);
        let (client, connection) = config.connect(tls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// What a client without TLS is told.
    pub async fn connect_plainly(&self, id: &str, password: &str) -> Result<Client, String> {
        let connected = self.config(id, password).dbname("postgres").connect(NoTls).await;
        connected.map(|(client, _)| client).map_err(|error| error.as_db_error().unwrap().message().to_owned())
    }

    fn config(&self, id: &str, password: &str) -> Config {
        let mut config = Config::new();
        config.host(self.field(id, "Address")).port(self.field(id, "Port").parse().unwrap());
        config.user("master").password(password).connect_timeout(super::DEADLINE);
        config
    }

    /// Everything begins anew.
    pub async fn reset(&self) {
        self.emulator().with(|emulation| emulation.reset(Instant::now()));
        self.emulator().settled().await;
    }

    /// Ends the emulator, and sees that nothing is left of it.
    pub async fn stop(mut self) {
        let all = self.data();
        assert!(all.iter().any(|data| !processes::of(data).is_empty()), "it must be seen that they end");
        self.emulator.take().unwrap().stop().await;
        let left: Vec<_> = all.iter().flat_map(|data| processes::of(data)).collect();
        assert_eq!(left, Vec::<i32>::new());
        for folder in ["state/emulate", "run/emulate"] {
            assert_eq!(std::fs::read_dir(self.folder.path().join(folder)).unwrap().count(), 0, "{folder}");
        }
    }

    /// The data directories of all servers.
    fn data(&self) -> Vec<PathBuf> {
        let servers = std::fs::read_dir(self.folder.path().join("state/emulate/1/servers"));
        servers.into_iter().flatten().flatten().map(|entry| entry.path().join("data")).collect()
    }
}

impl Drop for World {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        for pid in self.data().iter().flat_map(|data| processes::of(data)) {
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            // Told so it gives its shared memory back.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
    }
}

/// A port that is free on all addresses now, given once; not the usual one, which the machine may use, and below those that
/// outgoing connections take.
pub fn port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut taken = TAKEN.lock().unwrap();
    // Another run of the tests begins elsewhere.
    let first = 25_000 + u16::try_from(std::process::id() % 48 * 100).expect("small");
    let (port, _) = pgherd_local::ports::allocate(None, first..=29_999, &taken).unwrap();
    taken.insert(port);
    port
}

/// How many rows the table has.
pub async fn count(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM t", &[]).await.unwrap().get(0)
}

/// Returns when a replica has everything its primary has now.
pub async fn caught_up(primary: &Client, replica: &Client) {
    let now = primary.query_one("SELECT pg_current_wal_lsn()::text", &[]).await.unwrap().get::<_, String>(0);
    let asked = format!("SELECT pg_last_wal_replay_lsn() >= '{now}'");
    let behind = async || !replica.query_one(&asked, &[]).await.unwrap().get::<_, bool>(0);
    let caught_up = async { while behind().await {} };
    tokio::time::timeout(super::DEADLINE, caught_up).await.expect("a replica that streams");
}

fn inside(xml: &str, tag: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
    Some(rest.split_once(&format!("</{tag}>"))?.0.to_owned())
}

/// Templates are kept between runs. As root they must be where the server's user may read them.
fn cache() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let open = target.ancestors().all(|folder| folder.metadata().is_ok_and(|found| found.mode() & 0o001 != 0));
    if rustix::process::geteuid().is_root() && !open {
        PathBuf::from("/var/tmp/pgherd-test-cache")
    } else {
        target.join("pg-cache")
    }
}
