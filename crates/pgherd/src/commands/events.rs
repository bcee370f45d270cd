//! `pgherd events`.

use clap::Args;
use pgherd_local::client::Client;
use pgherd_local::supervisor::messages::Happening;

use super::Context;
use crate::args::Blocks;
use crate::args::OneBlock;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::targets;

/// Show what happened to a database, when and why
///
/// Oldest first, times in UTC. Also of a database that is gone, as long as its block is at hand.
#[derive(Debug, Args)]
pub struct EventsArgs {
    #[command(flatten)]
    block: OneBlock,

    /// How many of the last events
    #[arg(long = "lines", short = 'n', value_name = "NUMBER", default_value_t = 100)]
    last: usize,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &EventsArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let chosen = Blocks::of([project.one_block(&args.block)?.block.clone()]);
    let specs = databases::resolved(context, &project, &chosen, Warnings::Leave)?;
    let name = specs.first().map(|spec| spec.name.clone()).unwrap_or_default();
    let mut happenings = targets::wait_for(async {
        match targets::local(context.global)?.agent_to_look().await? {
            Some(agent) => history(&agent, &name).await,
            None => Ok(Vec::new()),
        }
    })??;
    if happenings.is_empty() {
        return Err(CommandError::not_found(format!("nothing is known of {name} on this machine"))
            .hint(format!("pgherd up{} makes it", context.same_project())));
    }
    happenings.drain(..happenings.len().saturating_sub(args.last));
    if context.printer.is_json() {
        context.printer.json(&happenings)?;
    } else {
        context.printer.result(&happenings.iter().map(line).collect::<String>())?;
    }
    Ok(Exit::Done)
}

async fn history(agent: &Client, name: &str) -> Result<Vec<Happening>, CommandError> {
    Ok(agent.events(name).await?)
}

fn line(happening: &Happening) -> String {
    format!("{}  {}\n", happening.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ"), happening.message)
}
