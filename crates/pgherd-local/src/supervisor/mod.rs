//! The daemon that keeps PostgreSQL as it was asked for.
//!
//! One `keeper` task an instance: a tick, the end of a server, or a request wakes it; it looks, has [`pgherd_core::ha`] and
//! [`upkeep`] decide, writes down what they decided, and acts. The [`api`] reads what keepers show and hands them requests. PostgreSQL does not end with the agent:
//! the next one finds the running servers and adopts them.

mod agent;
mod alone;
pub mod api;
mod backups;
mod configure;
mod current;
pub(crate) mod files;
mod hands;
pub mod history;
mod jobs;
mod keeper;
mod ledger;
mod live;
mod logs;
mod look;
pub mod messages;
mod names;
mod observe;
pub mod place;
mod pooled;
mod pressure;
mod promotion;
mod requests;
mod retention;
pub mod secret;
mod site;
mod socket;
mod status;
mod tidings;
pub mod upkeep;
mod warnings;
mod ways;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::signal::unix::{self, SignalKind};

use self::agent::Agent;
pub use self::backups::archive::helper as archive_helper;
pub(crate) use self::backups::{first_repository_trouble, second_repository_trouble};
use crate::paths::Paths;
use crate::postgres::processes;
use crate::postgres::runas::RunAs;

/// How often the agent looks at the length of its own log.
const LOG_LOOK_EVERY: Duration = Duration::from_secs(60);

/// How an agent runs: the flags of `pgherd agent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentOptions {
    /// What it looks after; one agent per state folder.
    pub paths: Paths,
    /// The unprivileged user PostgreSQL runs as, when the agent is root; `None`: one is chosen or made.
    pub run_as: Option<String>,
    /// Further directories to look for PostgreSQL in.
    pub postgres_dirs: Vec<PathBuf>,
    /// Whether another minor version than the one asked for is refused.
    pub strict_minor: bool,
    /// Started by `apply`: leaves the session of the starter and writes `ready` to its standard output, which is then
    /// closed, once it answers.
    pub announce: bool,
}

impl AgentOptions {
    /// The arguments with which a program starts such an agent: `agent --state-dir … [--postgres-user …]
    /// [--postgres-dir …]… [--strict-engine-version] [--announce]`.
    pub fn to_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["agent".into(), "--state-dir".into(), self.paths.state.clone().into()];
        if let Some(user) = &self.run_as {
            args.extend(["--postgres-user".into(), user.into()]);
        }
        for dir in &self.postgres_dirs {
            args.extend(["--postgres-dir".into(), dir.clone().into()]);
        }
        args.extend(self.strict_minor.then(|| "--strict-engine-version".into()));
        args.extend(self.announce.then(|| "--announce".into()));
        args
    }
}

/// Runs the agent until it is told to end (SIGTERM, SIGINT). PostgreSQL goes on without it.
pub async fn run(options: AgentOptions) -> Result<(), ProviderError> {
    if options.announce {
        // Ctrl-C and the end of the starter's terminal are none of our business. Already a leader: nothing to leave.
        let _ = rustix::process::setsid();
    }
    // Whatever the starter's was: what is secret is made so explicitly, and PostgreSQL's user must reach its folders.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let paths = options.paths.clone();
    let _lock = place::lock(&paths)?;
    processes::become_reaper()?;
    let asked = options.run_as.clone();
    let run_as = site::blocking(move || RunAs::settle(asked.as_deref())).await?;
    // Before any server runs it: one that recovers takes its absence for the end of everything.
    let (to, whose) = (paths.clone(), run_as.clone());
    if let Err(error) = site::blocking(move || backups::archive::install_program(&to, &whose)).await {
        tracing::error!("nothing can be archived: {error}");
    }
    let listener = place::listen(&paths, &run_as)?;
    backups::forget_cut_short(&paths).await;
    let agent = Agent::new(options, run_as);
    agent.take_up();
    tracing::info!("agent {} answers on {}", std::process::id(), paths.agent_socket().display());
    if agent.options.announce {
        place::announce(&paths);
    }
    // Started by hand or by systemd, its log is somebody else's.
    let long = agent.options.announce.then(|| tokio::spawn(keep_log_short(paths.agent_log())));
    let mut terminate = unix::signal(SignalKind::terminate()).map_err(|error| no_signals(&error))?;
    let mut interrupt = unix::signal(SignalKind::interrupt()).map_err(|error| no_signals(&error))?;
    let served = tokio::select! {
        served = axum::serve(listener, api::router(agent.clone())).into_future() => served,
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    if let Some(long) = long {
        long.abort();
    }
    agent.end().await;
    served.map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("the API cannot be served: {error}")))
}

async fn keep_log_short(log: PathBuf) {
    let mut ticks = tokio::time::interval(LOG_LOOK_EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = retention::turn_over(&log) {
            tracing::warn!("{} cannot be begun anew: {error}", log.display());
        }
    }
}

fn no_signals(error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, format!("signals cannot be received: {error}"))
}
