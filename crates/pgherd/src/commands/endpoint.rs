//! `pgherd endpoint`: the agent's helper that holds the ports of an instance.

use std::path::PathBuf;

use clap::Args;
use pgherd_local::endpoint::{self, Options};

use super::Context;
use super::agent::log_to_stderr;
use crate::error::{CommandError, Exit};

/// Hold the ports of one database and lead its clients to whoever is the primary; started by the agent
#[derive(Debug, Args)]
pub struct EndpointArgs {
    /// Socket over which the agent says what to do
    #[arg(long, value_name = "PATH")]
    control: PathBuf,
}

/// Runs it.
pub fn run(_: &Context<'_>, args: &EndpointArgs) -> Result<Exit, CommandError> {
    log_to_stderr();
    endpoint::serve(&Options { control: args.control.clone() })
        .map_err(|cause| CommandError::io("the forwarder cannot run", &cause))?;
    Ok(Exit::Done)
}
