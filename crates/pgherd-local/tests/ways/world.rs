//! Servers, and a place for the processes in front of them, thrown away at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use pgherd_core::secret::Secret;
use pgherd_core::spec::Size;
use pgherd_local::endpoint::{Forwarder, Lead, Limits, Listen, Set, Start};
use pgherd_local::paths::{Layout, Paths};
use pgherd_local::pooler::{self, Config, Places, Pooler, Program};
use pgherd_local::ports;
use pgherd_local::postgres::conf::{InstanceConfig, render};
use pgherd_local::postgres::process::{self, Postmaster};
use pgherd_local::postgres::runas::RunAs;
use pgherd_local::postgres::server::Server;
use pgherd_local::postgres::session::Session;
use pgherd_local::postgres::{candidate, folders, processes, template};
use pgherd_local::sizing::{Machine, size};
use pgherd_local::tls::{Authority, names};

use crate::majors::{cache, server};

pub const DEADLINE: Duration = Duration::from_secs(180);
pub const PASSWORD: &str = "secret-of-ann";

/// A state folder with an authority of its own.
pub struct World {
    folder: Option<tempfile::TempDir>,
    pub run_as: RunAs,
    pub paths: Paths,
    pub authority: Authority,
    pub server: Server,
    ended_by_us: Mutex<Vec<i32>>,
}

/// A server that runs, with the master role `ann` and her database `shop`.
pub struct Database {
    pub layout: Layout,
    pub port: u16,
    /// Held so that it is reaped when it ends.
    _postmaster: Postmaster,
}

impl World {
    /// `None`: there is no server to try it with, which was said.
    pub fn new() -> Option<Self> {
        let server = server(15).or_else(|| [14, 16, 17, 18].into_iter().find_map(server))?;
        let folder = tempfile::Builder::new().prefix("pgherd").tempdir_in("/tmp").expect("a folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("ours");
        let at = |name: &str| folder.path().join(name);
        let paths = Paths { state: at("state"), cache: cache(), runtime: at("run") };
        let run_as = RunAs::settle(None).expect("a user to run PostgreSQL");
        let authority = Authority::ensure(&paths.authority(), jiff::Timestamp::now()).expect("an authority");
        let world = Self { folder: Some(folder), run_as, paths, authority, server, ended_by_us: Mutex::default() };
        folders::make(&world.paths, &world.layout("front"), &world.run_as).expect("folders");
        Some(world)
    }

    pub fn layout(&self, name: &str) -> Layout {
        self.paths.instance(name)
    }

    /// A server, with what a pooler needs.
    pub async fn database(&self, name: &str) -> Database {
        let layout = self.layout(name);
        folders::make(&self.paths, &layout, &self.run_as).expect("folders");
        let now = jiff::Timestamp::now();
        let certificate = layout.certificate();
        self.authority.ensure_server(&certificate, &names(None, &[]), &self.run_as, now).expect("a certificate");
        let class = Size { name: "db.t3.micro".to_owned(), vcpu: 2.0, memory_mib: 256, burstable: true };
        let config = InstanceConfig {
            name: name.to_owned(),
            layout: layout.clone(),
            port: port(),
            listen: vec!["127.0.0.1".to_owned()],
            allowed: vec![],
            os_users: vec!["root".to_owned(), self.run_as.name.clone()],
            sizing: size(&class, Machine { memory_mib: 4096, promised_mib: 0 }),
            parameters: BTreeMap::new(),
            archive: None,
            pooler_authority: Some(self.authority.certificate_file.clone()),
        };
        let (templates, prepared) = (self.paths.templates(), self.paths.prepared());
        template::create(&self.server, &self.run_as, &templates, &prepared, &layout.data).expect("a data directory");
        candidate::write(&render(&config), &layout, &self.run_as).expect("written");
        candidate::check(&self.server, &self.run_as, &layout).expect("a good configuration");
        candidate::exchange(&layout).expect("exchanged");
        let postmaster = self.start(&layout).await;
        let session = Session::connect(&layout.socket, config.port, "postgres", DEADLINE).await.expect("a session");
        session.ensure_master_and_database("ann", &Secret::new(PASSWORD), "shop").await.expect("made");
        assert!(pooler::prepare(&session).await.expect("prepared"), "there is something to do");
        assert!(!pooler::prepare(&session).await.expect("prepared"), "nothing the second time");
        Database { layout, port: config.port, _postmaster: postmaster }
    }

    pub async fn start(&self, layout: &Layout) -> Postmaster {
        let config_file = layout.postgresql_conf();
        let start = process::Start {
            server: &self.server,
            run_as: &self.run_as,
            data: &layout.data,
            config_file: Some(config_file.as_path()),
            log: &layout.log,
            overrides: vec![],
        };
        let postmaster = process::start(&start).expect("starts");
        postmaster.ready(DEADLINE).await.expect("is ready");
        postmaster
    }

    pub async fn session(&self, database: &Database, name: &str) -> Session {
        Session::connect(&database.layout.socket, database.port, name, DEADLINE).await.expect("a session")
    }

    pub async fn forwarder(&self) -> Forwarder {
        let forwarder = start_forwarder(&self.paths, &self.run_as).await;
        self.ended_by_us.lock().expect("no panic in between").push(forwarder.pid());
        forwarder
    }

    /// A pooler's configuration in front of `database`.
    pub fn pooler_config(&self, database: &Database) -> Config {
        let layout = &database.layout;
        let client_certificate = layout.pooler_certificate();
        let now = jiff::Timestamp::now();
        self.authority.ensure_client(&client_certificate, pooler::ROLE, &self.run_as, now).expect("a certificate");
        Config {
            listen: vec![IpAddr::from([127, 0, 0, 1])],
            port: port(),
            allowed: vec![],
            pool_mode: "transaction".to_owned(),
            default_pool_size: 5,
            max_client_conn: 100,
            places: Places {
                folder: layout.pooler(),
                console: self.paths.ways(),
                log: layout.pooler_log(),
                certificate: layout.certificate(),
                client_certificate,
                authority: self.authority.certificate_file.clone(),
            },
        }
    }

    pub async fn pooler(&self, program: &Program, config: &Config) -> Pooler {
        let pooler = Pooler::adopt_or_start(program, &self.run_as, config).await.expect("a pooler");
        self.ended_by_us.lock().expect("no panic in between").push(pooler.pid());
        pooler
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let folders: Vec<PathBuf> = ["a", "b", "c"].map(|name| self.layout(name).data).into();
        let ours: BTreeSet<i32> = self.ended_by_us.lock().expect("no panic in between").iter().copied().collect();
        let place = self.paths.runtime.parent().expect("it has a parent").display().to_string();
        // Also after a failed assertion: nothing of ours may go on running.
        let clean = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                for data in folders {
                    processes::kill(&data).await.expect("all processes end");
                }
                for pid in ours {
                    // A number that was given to another meanwhile has another command line.
                    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                    if String::from_utf8_lossy(&line).contains(&place) {
                        kill(pid).await;
                    }
                }
            });
        });
        clean.join().expect("nothing is left");
        drop(self.folder.take());
    }
}

/// Ends one process the hard way and waits until it is gone.
pub async fn kill(pid: i32) {
    if let Some(watch) = processes::Watch::open(pid).expect("it can be watched") {
        watch.signal(rustix::process::Signal::KILL).expect("it can be killed");
        watch.ended().await;
    }
}

pub async fn start_forwarder(paths: &Paths, run_as: &RunAs) -> Forwarder {
    let layout = paths.instance("front");
    let start = Start {
        program: &agent_program(),
        run_as,
        control: paths.endpoint_control(&layout.root),
        log: layout.endpoint_log(),
    };
    Forwarder::adopt_or_start(&start).await.expect("a forwarder")
}

/// What a forwarder is told: its port on 127.0.0.1, leading to a server.
pub fn set(port: u16, write: Option<u16>) -> Set {
    Set {
        write: Listen { addresses: vec![IpAddr::from([127, 0, 0, 1])], port },
        read: None,
        allowed: vec![],
        lead: Lead { write, read: vec![], paused: false },
        limits: Limits::default(),
    }
}

/// Ports are given out once: the claim is held as long as the tests run, beside each other and beside other runs.
pub fn port() -> u16 {
    static CLAIMS: Mutex<Vec<ports::Claim>> = Mutex::new(Vec::new());
    let (port, claim) = ports::allocate(None, 20432..=24999, &BTreeSet::new()).expect("a free port");
    CLAIMS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(claim);
    port
}

/// The PgBouncer of this machine; `None` is said and skips.
pub fn pgbouncer() -> Option<Program> {
    let found = pooler::find(std::env::var_os("PATH").as_deref());
    if found.is_none() {
        eprintln!("SKIPPED the pooler: PgBouncer is not installed (scripts/setup.sh test installs it)");
    }
    found
}

/// Asks until the answer is the expected one. It is up to the caller's question to take its time.
pub async fn until<T>(mut look: impl AsyncFnMut() -> T, is_it: impl Fn(&T) -> bool) -> T {
    let look = async {
        loop {
            let seen = look().await;
            if is_it(&seen) {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("it becomes so")
}

fn agent_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_pgherd-test-agent"))
}
