//! The targets as this version offers them: this machine.

use std::future::Future;
use std::path::PathBuf;

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

/// A target as a provider. Only this machine is one so far.
pub fn provider(global: &Global, target: Cloud, block: &str) -> Result<Box<dyn Provider>, CommandError> {
    match target {
        Cloud::Local => Ok(Box::new(local(global)?)),
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean => Err(unavailable(target, block)),
    }
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

/// Waits for something asynchronous. One thread is enough to wait on: only the agent does things side by side.
pub fn wait_for<T>(future: impl Future<Output = T>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| CommandError::io("the event loop cannot be started", &cause))?;
    Ok(runtime.block_on(future))
}

/// The PostgreSQL servers of this machine.
pub fn servers(global: &Global) -> Found {
    let path = std::env::var_os("PATH");
    find::servers(&global.postgres_dirs, path.as_deref(), &paths(global).servers())
}
