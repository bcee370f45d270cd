//! A state folder with an agent of its own, thrown away at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::ha::NodeId;
use pgherd_core::inputs::Inputs;
use pgherd_core::plan::{Action, Plan, Timing, plan};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, Events, Operation, Provider as _, ProviderError};
use pgherd_local::client::{self, Client};
use pgherd_local::paths::{Layout, Paths};
use pgherd_local::postgres::session::Session;
use pgherd_local::postgres::{process, processes, segment};
use pgherd_local::provider::{Local, LocalOptions};
use pgherd_local::supervisor::AgentOptions;
use pgherd_local::supervisor::messages::StatusReport;

pub use crate::majors::cache;

/// Bounds what never comes: nothing waits as long as this on a machine that is merely busy.
pub const DEADLINE: Duration = Duration::from_secs(240);
/// Between two looks: the machine is left to those who are looked at.
pub const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// The instance of every test.
pub const NAME: &str = "db";

pub struct World {
    folder: tempfile::TempDir,
    pub paths: Paths,
    pub local: Local,
    /// Half a day from now: no second backup and no drill comes by schedule.
    window: String,
}

/// What the block of a test says, besides what every test says.
pub type Arguments<'a> = &'a [(&'a str, Value)];

impl World {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pgherd").tempdir_in("/tmp").expect("a folder");
        // As root, PostgreSQL's own user has to pass through.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).expect("ours");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(cache()).expect("a cache");
        std::os::unix::fs::symlink(cache(), at("cache")).expect("a link");
        let paths = Paths { state: at("state"), cache: at("cache"), runtime: at("run") };
        let agent = AgentOptions {
            paths: paths.clone(),
            run_as: None,
            postgres_dirs: vec![],
            strict_minor: false,
            announce: false,
        };
        let local = Local::new(LocalOptions { agent, program: agent_program(), accepted: BTreeSet::new() });
        let hour = (Timestamp::now() + jiff::SignedDuration::from_hours(12)).strftime("%H").to_string();
        Self { folder, paths, local, window: format!("{hour}:00-{hour}:59") }
    }

    pub fn agent_options(&self) -> AgentOptions {
        AgentOptions {
            paths: self.paths.clone(),
            run_as: None,
            postgres_dirs: vec![],
            strict_minor: false,
            announce: false,
        }
    }

    pub fn spec(&self, arguments: Arguments<'_>) -> Spec {
        let mut values = BTreeMap::from([
            ("name".to_owned(), NAME.into()),
            ("engine_version".to_owned(), "15".into()),
            ("instance_class".to_owned(), "db.t3.micro".into()),
            ("skip_final_snapshot".to_owned(), true.into()),
            ("backup_window".to_owned(), self.window.as_str().into()),
        ]);
        values.extend(arguments.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let inputs = Inputs { block: "test".to_owned(), values };
        let (spec, said) = resolve(&inputs, Some(Cloud::Local));
        let errors: Vec<_> =
            said.iter().filter(|said| said.severity == pgherd_core::diagnostic::Severity::Error).collect();
        assert!(errors.is_empty(), "{errors:?}");
        spec.expect("the target is known")
    }

    pub async fn plan(&self, spec: &Spec, apply_now: bool) -> Plan {
        let desired = self.local.desired(spec);
        let observed = self.local.observe(&desired).await.expect("observed");
        let timing = Timing { now: Timestamp::now(), window: spec.maintenance_window, apply_now };
        plan(self.local.kinds(), &spec.block, &desired, &observed, &timing)
    }

    /// The fields a plan would change, or `create`.
    pub async fn differences(&self, arguments: Arguments<'_>) -> Vec<String> {
        let plan = self.plan(&self.spec(arguments), false).await;
        plan.steps
            .iter()
            .flat_map(|step| match &step.action {
                Action::Create { .. } => vec!["create".to_owned()],
                Action::Update { changes, .. } => changes.iter().map(|change| change.field.clone()).collect(),
                Action::Delete { .. } => vec!["delete".to_owned()],
            })
            .collect()
    }

    /// Plans and carries out. Says what happened on the way.
    pub async fn try_apply(&self, arguments: Arguments<'_>, apply_now: bool) -> Result<(), ProviderError> {
        let spec = self.spec(arguments);
        for step in self.plan(&spec, apply_now).await.steps {
            match &step.action {
                Action::Create { resource } => self.local.create(resource, ApplyNow(apply_now), &events()).await?,
                Action::Update { resource, changes, .. } => {
                    self.local.update(resource, changes, ApplyNow(apply_now), &events()).await?;
                }
                Action::Delete { .. } => panic!("nothing is to be deleted"),
            }
        }
        Ok(())
    }

    pub async fn apply(&self, arguments: Arguments<'_>) {
        self.try_apply(arguments, true).await.expect("applied");
    }

    pub async fn delete(&self, final_backup: Option<&str>) -> Result<(), ProviderError> {
        let id = pgherd_core::resource::Id::new("instance", NAME);
        let how = Deletion { final_backup: final_backup.map(str::to_owned) };
        self.local.delete(&id, &how, &events()).await
    }

    pub async fn operate(&self, operation: Operation) {
        self.local.operate(&operation, &events()).await.expect("done");
    }

    pub async fn observed(&self) -> Observed {
        let desired = self.local.desired(&self.spec(&[]));
        self.local.observe(&desired).await.expect("observed").pop().expect("it is there")
    }

    pub async fn outputs(&self) -> Props {
        self.local.outputs(&self.spec(&[]), &[self.observed().await])
    }

    pub async fn agent(&self) -> Client {
        self.local.agent().await.expect("an agent")
    }

    pub async fn status(&self) -> StatusReport {
        self.agent().await.status(NAME).await.expect("a status")
    }

    /// A session of pgherd's own.
    pub async fn session(&self) -> Session {
        let port = self.observed_port().await;
        Session::connect(&self.paths.sockets(), port, "postgres", DEADLINE).await.expect("a session")
    }

    pub async fn observed_port(&self) -> u16 {
        self.status().await.endpoint.port
    }

    /// A session as an application has it: by password, through the socket.
    pub async fn log_in(&self, password: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let endpoint = self.status().await.endpoint;
        let mut config = tokio_postgres::Config::new();
        config.host_path(&endpoint.socket_dir).port(endpoint.port).user(&endpoint.username).password(password);
        let (client, connection) = config.dbname(&endpoint.database).connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub async fn secret(&self) -> serde_json::Value {
        let file = self.status().await.endpoint.secret_file;
        serde_json::from_slice(&std::fs::read(file).expect("a secret file")).expect("JSON")
    }

    pub fn postmaster_pid(&self) -> i32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("a running server");
        file.lines().next().expect("a first line").parse().expect("a number")
    }

    pub fn data(&self) -> PathBuf {
        self.layout().data
    }

    /// The folders of its first server.
    pub fn layout(&self) -> Layout {
        self.paths.instance(NAME).node(NodeId(1))
    }

    pub fn agent_pid(&self) -> i32 {
        std::fs::read_to_string(self.paths.agent_lock()).expect("a lock file").trim().parse().expect("a number")
    }

    /// SIGKILLs the agent and returns when it is gone.
    pub async fn kill_agent(&self) {
        kill(self.agent_pid()).await;
    }

    /// Moves the state folder while nobody uses it.
    pub fn move_state(&mut self, name: &str) {
        let moved = self.folder.path().join(name);
        std::fs::rename(&self.paths.state, &moved).expect("moved");
        self.paths.state = moved;
        self.local = Local::new(LocalOptions {
            agent: self.agent_options(),
            program: agent_program(),
            accepted: BTreeSet::new(),
        });
    }

    /// Returns when its status is as expected.
    pub async fn becomes(&self, expected: impl Fn(&StatusReport) -> bool) {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let status = self.status().await;
            if expected(&status) {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "it stays {:?}, {:?}", status.status, status.warnings);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Returns when the instance is available and `postmaster` is not its server any more.
    pub async fn serves_without(&self, postmaster: i32) {
        self.becomes(|status| {
            let pid = status.nodes[0].pid.map(u32::cast_signed);
            status.status == Status::Available && pid.is_some_and(|pid| pid != postmaster)
        })
        .await;
    }

    /// The cluster that waits for the next database, once one does.
    pub async fn prepared(&self) -> PathBuf {
        let end = tokio::time::Instant::now() + DEADLINE;
        loop {
            let entries = std::fs::read_dir(self.paths.prepared()).into_iter().flatten().flatten();
            if let Some(ready) = entries.map(|entry| entry.path()).find(|path| path.extension().is_none()) {
                return ready;
            }
            assert!(tokio::time::Instant::now() < end, "no cluster is prepared");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Every text below the state folder, but the files that are there to hold the password.
    pub fn texts(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut texts = Vec::new();
        collect(self.folder.path(), &mut texts);
        texts
    }
}

/// Ends whatever works in the folder or names it in its arguments, by its process id: agents, servers, rehearsals. A test that
/// failed half-way leaves nothing behind.
impl Drop for World {
    fn drop(&mut self) {
        let folder = self.folder.path().to_owned();
        // A thread with a runtime of its own: this one may be inside another.
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                // An agent that is ended may have started something a moment before.
                for _ in 0..2 {
                    for pid in processes_of(&folder) {
                        kill(pid).await;
                    }
                }
                segment::remove_below(&folder);
            });
        });
        drop(ended.join());
    }
}

fn processes_of(folder: &Path) -> Vec<i32> {
    let name = folder.as_os_str().to_string_lossy().into_owned();
    let is_of = |process: &Path| {
        let works_there = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let arguments = std::fs::read(process.join("cmdline")).unwrap_or_default();
        works_there || String::from_utf8_lossy(&arguments).contains(&name)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_folder = entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        is_of(&entry.path()).then_some(pid)
    });
    of_folder.collect()
}

/// SIGKILLs a process and returns when it is gone.
pub async fn kill(pid: i32) {
    if let Some(watch) = processes::Watch::open(pid).expect("processes can be watched") {
        watch.signal(rustix::process::Signal::KILL).expect("ours");
        watch.ended().await;
    }
}

/// Who listens when nobody listens.
pub fn events() -> Events {
    Events::new("test", tokio::sync::mpsc::unbounded_channel().0)
}

/// `tests/common/agent.rs`, which cargo built with these tests.
pub fn agent_program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_pgherd-test-agent"))
}

fn collect(folder: &Path, texts: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            collect(&path, texts);
        } else if kind.is_file() {
            texts.push((path.clone(), std::fs::read(&path).unwrap_or_default()));
        }
    }
}

pub async fn connect(paths: &Paths) -> Option<Client> {
    client::connect(paths).await.expect("asked")
}

pub fn adopted(data: &Path) -> bool {
    process::adopt(data).expect("looked").is_some()
}
