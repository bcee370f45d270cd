//! The targets as this version offers them: this machine and AWS.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use pgherd_aws::{Aws, AwsOptions, Patience, Session};
use pgherd_core::cloud::Cloud;
use pgherd_core::spec::Spec;
use pgherd_core::version::Version;
use pgherd_engine::provider::Provider;
use pgherd_local::paths::{Paths, Surroundings};
use pgherd_local::postgres::choose::{Choice, choose};
use pgherd_local::postgres::find::{self, Found};
use pgherd_local::provider::{Local, LocalOptions};
use pgherd_local::supervisor::AgentOptions;

use crate::args::Global;
use crate::error::CommandError;

/// Where things are kept on this machine.
pub fn paths(global: &Global) -> Paths {
    let uid = rustix::process::geteuid().as_raw();
    let mut around = Surroundings::read(uid, |name| std::env::var_os(name));
    if let Some(dir) = &global.state_dir {
        // The agent outlives this command and does not share its working folder.
        around.state_dir = Some(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()));
    }
    Paths::choose(&around)
}

/// How the agent runs when one has to be started.
pub fn agent_options(global: &Global) -> AgentOptions {
    AgentOptions {
        paths: paths(global),
        run_as: std::env::var("PGHERD_POSTGRES_USER").ok().filter(|user| !user.is_empty()),
        postgres_dirs: global.postgres_dirs.clone(),
        strict_minor: global.strict_engine_version,
        announce: false,
    }
}

/// This machine as a target.
pub fn local(global: &Global) -> Result<Local, CommandError> {
    let program: PathBuf = std::env::current_exe()
        .map_err(|cause| CommandError::io("the path of the running program cannot be found", &cause))?;
    let accepted = global.accepted.iter().cloned().collect();
    Ok(Local::new(LocalOptions { agent: agent_options(global), program, accepted }))
}

/// The target of a block as a provider. Never inside of [`wait_for`]: who we are at a cloud is waited for here.
pub fn provider(global: &Global, spec: &Spec) -> Result<Box<dyn Provider>, CommandError> {
    match spec.target {
        Cloud::Local => Ok(Box::new(local(global)?)),
        Cloud::Aws => Ok(Box::new(aws(global, spec)?)),
        Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean => Err(unavailable(spec.target, &spec.block)),
    }
}

/// AWS as a target, in the region of the block.
fn aws(global: &Global, spec: &Spec) -> Result<Aws, CommandError> {
    let region = spec.place.region.known().map(String::as_str);
    let session = session(region)?;
    let options = AwsOptions {
        accepted: global.accepted.iter().cloned().collect(),
        root_certificate: root_certificate(),
        patience: Patience::with(&session),
    };
    Ok(Aws::new(session, region, options))
}

/// Who we are at AWS: found once a command, however many blocks there are. Regions may differ, the credentials are the same.
fn session(region: Option<&str>) -> Result<Arc<Session>, CommandError> {
    static SESSIONS: Mutex<BTreeMap<bool, Arc<Session>>> = Mutex::new(BTreeMap::new());
    let mut sessions = SESSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    // A block without a region takes the environment's, which one with a region does not need.
    if let Some(known) = sessions.get(&region.is_some()) {
        return Ok(known.clone());
    }
    let session = wait_for(Session::load(region))??;
    sessions.insert(region.is_some(), session.clone());
    Ok(session)
}

/// The certificates of Amazon's authorities, which RDS's are signed by and no system knows, where somebody has put them.
pub fn root_certificate() -> Option<String> {
    let given = std::env::var_os("PGHERD_RDS_CA").filter(|path| !path.is_empty()).map(PathBuf::from);
    let usual = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".postgresql/rds-global-bundle.pem"));
    let found = given.or_else(|| usual().filter(|path| path.is_file()))?;
    Some(found.to_string_lossy().into_owned())
}

fn unavailable(target: Cloud, block: &str) -> CommandError {
    CommandError::failed(format!(
        "`{block}` runs on {target}, which this version of pgherd cannot reach; nothing was touched"
    ))
    .hint("--provider local runs the same block on this machine")
    .hint("validate and explain work for every target")
}

/// What a database runs, or will run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// This version.
    Runs(String),
    /// This one, which is not here yet.
    Fetched(Version),
    /// The target decides.
    Unknown,
}

/// What a database will run when it is made now.
pub fn engine(global: &Global, spec: &Spec) -> Engine {
    if spec.target != Cloud::Local {
        return Engine::Unknown;
    }
    match choose(spec.engine_version, global.strict_engine_version, &servers(global).servers) {
        Choice::Use { server, .. } => Engine::Runs(server.version.to_string()),
        Choice::Fetch(version) => Engine::Fetched(version),
    }
}

/// Waits for something asynchronous. One thread is enough to wait on: only the agent does things side by side. It is one event loop
/// for the whole of a command, since open connections to a cloud belong to theirs.
pub fn wait_for<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    static LOOP: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    if LOOP.get().is_none() {
        let made = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|cause| CommandError::io("the event loop cannot be started", &cause))?;
        // Somebody else's is as good.
        drop(LOOP.set(made));
    }
    Ok(LOOP.get().expect("it was just put there").block_on(future))
}

/// The PostgreSQL servers of this machine.
pub fn servers(global: &Global) -> Found {
    let path = std::env::var_os("PATH");
    find::servers(&global.postgres_dirs, path.as_deref(), &paths(global).servers())
}
