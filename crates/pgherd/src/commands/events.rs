//! `pgherd events`.

use std::time::Duration;

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

/// So many looks in a row may fail because the agent ends, before what is wrong is said.
const LOST_AGENTS: u32 = 3;
/// How long to wait after one.
const ASK_AGAIN: Duration = Duration::from_secs(1);

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

    /// Go on as things happen, until Ctrl-C; with --json a document on a line of its own for each
    #[arg(long, short)]
    follow: bool,

    /// File or folder to read. Stands here, too, because -f follows and does not name it.
    #[arg(id = "file", long, value_name = "PATH", hide = true)]
    file: Option<std::path::PathBuf>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &EventsArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let chosen = Blocks::of([project.one_block(&args.block)?.block.clone()]);
    let specs = databases::resolved(context, &project, &chosen, Warnings::Leave)?;
    specs.iter().try_for_each(|spec| targets::only_here(spec, "tell what happened to a database"))?;
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
    if args.follow {
        return targets::wait_for(follow(context, &name, happenings))?;
    }
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

/// Shows these and what happens from now on, until Ctrl-C.
async fn follow(context: &Context<'_>, name: &str, first: Vec<Happening>) -> Result<Exit, CommandError> {
    let mut last = first.last().cloned();
    show(context, &first)?;
    let mut lost = 0;
    loop {
        match news(context, name, last.as_ref(), lost > 0).await {
            Ok(news) => {
                lost = 0;
                show(context, &news)?;
                last = news.into_iter().last().or(last);
            }
            // The agent ended while it was asked; the next look starts another.
            Err(_) if lost < LOST_AGENTS => {
                lost += 1;
                tokio::time::sleep(ASK_AGAIN).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// What happened since, as soon as something may have.
async fn news(
    context: &Context<'_>,
    name: &str,
    last: Option<&Happening>,
    at_once: bool,
) -> Result<Vec<Happening>, CommandError> {
    let agent = databases::agent(context).await?;
    let seen = agent.changes(None).await?;
    let known = since(history(&agent, name).await?, last);
    if at_once || !known.is_empty() {
        return Ok(known);
    }
    while agent.changes(Some(seen)).await? == seen {}
    Ok(since(history(&agent, name).await?, last))
}

/// Those after the last one that was shown. A history that was begun anew may not have it any more.
fn since(mut happenings: Vec<Happening>, last: Option<&Happening>) -> Vec<Happening> {
    let Some(last) = last else { return happenings };
    match happenings.iter().rposition(|one| one == last) {
        Some(shown) => drop(happenings.drain(..=shown)),
        None => happenings.retain(|one| one.at > last.at),
    }
    happenings
}

fn show(context: &Context<'_>, happenings: &[Happening]) -> Result<(), CommandError> {
    let one = |happening: &Happening| match context.printer.is_json() {
        true => context.printer.json_line(happening),
        false => context.printer.result(&line(happening)),
    };
    happenings.iter().try_for_each(one)
}

fn line(happening: &Happening) -> String {
    format!("{}  {}\n", happening.at.strftime("%Y-%m-%d %H:%M:%S%.3fZ"), happening.message)
}
