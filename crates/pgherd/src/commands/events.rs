//! `pgherd events`.

use std::time::Duration;

use clap::Args;
use pgherd_core::report::Happened;
use pgherd_local::client::Client;
use pgherd_local::supervisor::messages::Happening;

use super::Context;
use crate::args::OneBlock;
use crate::databases::{self, Database, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::targets;

/// So many looks in a row may fail, because the agent ends or a cloud does not answer, before what is wrong is said.
const LOST_AGENTS: u32 = 3;
/// How long to wait after one.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often a cloud is asked, which tells nobody of changes.
const ASK_CLOUD_EVERY: Duration = Duration::from_secs(5);

/// Show what happened to a database, when and why
///
/// Oldest first, times in UTC. Also of a database that is gone, as long as its block is at hand. RDS remembers 14 days.
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
    let chosen = databases::one_of(context, &project, &args.block)?;
    let mut databases = databases::bind(context, &project, &chosen, Warnings::Leave)?;
    let database = databases.pop().ok_or_else(|| CommandError::not_found("no block was chosen"))?;
    let mut happenings = targets::wait_for(async {
        match (database.is_here(), targets::local(context.global)?) {
            (false, _) => told(&database).await,
            (true, here) => match here.agent_to_look().await? {
                Some(agent) => history(&agent, &database.spec.name).await,
                None => Ok(Vec::new()),
            },
        }
    })??;
    if happenings.is_empty() {
        return Err(nothing_known(context, &database));
    }
    happenings.drain(..happenings.len().saturating_sub(args.last));
    if args.follow {
        return targets::wait_for(follow(context, &database, happenings))?;
    }
    if context.printer.is_json() {
        context.printer.json(&happenings)?;
    } else {
        let lines: String = happenings.iter().map(|one| line(one, &database.spec.name)).collect();
        context.printer.result(&lines)?;
    }
    Ok(Exit::Done)
}

fn nothing_known(context: &Context<'_>, database: &Database) -> CommandError {
    let (place, verb) = match database.is_here() {
        true => ("this machine", "up"),
        false => (database.spec.target.name(), "apply"),
    };
    CommandError::not_found(format!("nothing is known of {} on {place}", database.spec.name))
        .hint(format!("pgherd {verb}{} makes it", context.same_project()))
}

/// What a cloud tells, in the words of the agent.
async fn told(database: &Database) -> Result<Vec<Happening>, CommandError> {
    let history = database.provider.history(&database.spec).await?;
    let happening = |one: Happened| Happening { at: one.at, instance: one.to, message: one.message };
    Ok(history.into_iter().map(happening).collect())
}

async fn history(agent: &Client, name: &str) -> Result<Vec<Happening>, CommandError> {
    Ok(agent.events(name).await?)
}

/// Shows these and what happens from now on, until Ctrl-C.
async fn follow(context: &Context<'_>, database: &Database, first: Vec<Happening>) -> Result<Exit, CommandError> {
    let mut last = first.last().cloned();
    let name = &database.spec.name;
    show(context, &first, name)?;
    let mut lost = 0;
    loop {
        let news = match database.is_here() {
            true => news(context, name, last.as_ref(), lost > 0).await,
            false => {
                tokio::time::sleep(ASK_CLOUD_EVERY).await;
                told(database).await.map(|happenings| since(happenings, last.as_ref()))
            }
        };
        match news {
            Ok(news) => {
                lost = 0;
                show(context, &news, name)?;
                last = news.into_iter().last().or(last);
            }
            // The agent ended while it was asked, and the next look starts another; or the way to the cloud was cut for a moment.
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

fn show(context: &Context<'_>, happenings: &[Happening], name: &str) -> Result<(), CommandError> {
    let one = |happening: &Happening| match context.printer.is_json() {
        true => context.printer.json_line(happening),
        false => context.printer.result(&line(happening, name)),
    };
    happenings.iter().try_for_each(one)
}

fn line(happening: &Happening, name: &str) -> String {
    let Happening { at, instance, message } = happening;
    // A replica of RDS is an instance of its own.
    let whose = if instance == name { String::new() } else { format!("{instance}: ") };
    format!("{}  {whose}{message}\n", at.strftime("%Y-%m-%d %H:%M:%S%.3fZ"))
}
