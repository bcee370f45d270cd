//! The targets as the flags have them used, and what waits for them.

use std::future::Future;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use pgherd_core::cloud::Cloud;
use pgherd_core::spec::Spec;
use pgherd_core::version::Version;
use pgherd_engine::provider::Provider;
use pgherd_local::paths::Paths;
use pgherd_local::postgres::choose::{Choice, choose};
use pgherd_local::postgres::find::{self, Found};
use pgherd_local::provider::Local;
use pgherd_local::supervisor::AgentOptions;
use pgherd_targets::Options;
pub use pgherd_targets::root_certificate;

use crate::args::Global;
use crate::error::{CommandError, Kind};

/// How targets are used, as the flags say.
fn options(global: &Global) -> Options {
    Options {
        state_dir: global.state_dir.clone(),
        postgres_dirs: global.postgres_dirs.clone(),
        strict_engine_version: global.strict_engine_version,
        accepted: global.accepted.iter().cloned().collect(),
        root_certificate: root_certificate(),
        told: global.told.clone(),
        ..Options::default()
    }
}

/// Where things are kept on this machine.
pub fn paths(global: &Global) -> Paths {
    options(global).paths()
}

/// How the agent runs when one has to be started.
pub fn agent_options(global: &Global) -> AgentOptions {
    options(global).agent()
}

/// This machine as a target.
pub fn local(global: &Global) -> Result<Local, CommandError> {
    let program: PathBuf = std::env::current_exe()
        .map_err(|cause| CommandError::io("the path of the running program cannot be found", &cause))?;
    Ok(options(global).local(&program))
}

/// The target of a block as a provider. Never inside of [`wait_for`]: who we are at a cloud is waited for here.
pub fn provider(global: &Global, spec: &Spec) -> Result<Box<dyn Provider>, CommandError> {
    match spec.target {
        Cloud::Local => Ok(Box::new(local(global)?)),
        Cloud::Aws => Ok(Box::new(wait_for(options(global).aws(spec))??)),
        Cloud::DigitalOcean => Ok(Box::new(options(global).digitalocean(spec)?)),
        Cloud::Gcp => Ok(Box::new(options(global).gcp(spec)?)),
        Cloud::Azure => Err(unavailable(spec)),
    }
}

fn unavailable(spec: &Spec) -> CommandError {
    CommandError::failed(pgherd_targets::unreached(spec))
        .hint("--provider local runs the same block on this machine")
        .hint("validate and explain work for every target")
}

/// Variables that change nothing on a target, and why.
pub fn ignores(target: Cloud) -> &'static [(&'static str, &'static str)] {
    match target {
        Cloud::Local => pgherd_local::desired::IGNORES,
        Cloud::Aws => pgherd_aws::IGNORES,
        Cloud::DigitalOcean => pgherd_digitalocean::IGNORES,
        Cloud::Gcp => pgherd_gcp::IGNORES,
        Cloud::Azure => &[],
    }
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

/// Set once Ctrl-C was listened for, which nobody takes back: from then on whoever waits has to hear it.
static HEARS_CTRL_C: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, which else ends the process.
pub async fn ctrl_c() -> Result<(), CommandError> {
    HEARS_CTRL_C.store(true, Ordering::Relaxed);
    let heard = tokio::signal::ctrl_c().await;
    heard.map_err(|cause| CommandError::io("Ctrl-C cannot be listened for", &cause))
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
    LOOP.get().expect("it was just put there").block_on(async {
        if !HEARS_CTRL_C.load(Ordering::Relaxed) {
            return Ok(future.await);
        }
        tokio::select! {
            // Whoever listens within says how it ends.
            biased;
            done = future => Ok(done),
            heard = ctrl_c() => {
                heard?;
                Err(CommandError::new(Kind::TimedOut, "stopped; what was done stays done"))
            }
        }
    })
}

/// The PostgreSQL servers of this machine.
pub fn servers(global: &Global) -> Found {
    let path = std::env::var_os("PATH");
    find::servers(&global.postgres_dirs, path.as_deref(), &paths(global).servers())
}
