//! `pgherd status`.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::report::Report;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_local::client::{self, Client};
use pgherd_local::supervisor::messages::StatusReport;
use serde::Serialize;

use super::Context;
use crate::args::Blocks;
use crate::databases::{self, Database, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::AT_ONCE;
use crate::project::Project;
use crate::{reports, targets};

/// How often a picture on a terminal is drawn again, because time goes on.
const REDRAW: Duration = Duration::from_secs(1);
/// How often an agent is asked that cannot tell of changes.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row may fail because the agent ends, before what is wrong is said.
const LOST_AGENTS: u32 = 3;

/// How often a cloud is asked, which tells nobody of changes.
const ASK_CLOUD_EVERY: Duration = Duration::from_secs(5);

/// Show how databases are doing
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    blocks: Blocks,

    /// Every database of this machine, whichever file it came from
    #[arg(long, conflicts_with_all = ["blocks", "by_flag"])]
    all: bool,

    /// Go on showing it as it changes, until Ctrl-C; with --json a document on a line of its own for each change
    #[arg(short, long)]
    watch: bool,
}

/// One database.
#[derive(Debug, PartialEq, Serialize)]
struct Shown {
    /// Label of its block, or its name where no block is at hand.
    block: String,
    name: String,
    target: &'static str,
    /// Where in the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// `None`: it does not exist.
    report: Option<Told>,
}

/// What is known of one: the agent knows more than a target has to tell.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Told {
    Here(Box<StatusReport>),
    Elsewhere(Box<Report>),
}

/// What is asked for.
enum Wanted {
    /// Every database of this machine.
    AllHere,
    /// These.
    Each(Vec<Asked>),
}

/// One database that is asked for.
enum Asked {
    /// Label and name of one of this machine.
    Here(String, String),
    /// One of a cloud.
    Elsewhere(Box<Database>),
}

impl Wanted {
    fn is_here(&self) -> bool {
        match self {
            Self::AllHere => true,
            Self::Each(each) => each.iter().any(|asked| matches!(asked, Asked::Here(..))),
        }
    }

    fn is_elsewhere(&self) -> bool {
        match self {
            Self::AllHere => false,
            Self::Each(each) => each.iter().any(|asked| matches!(asked, Asked::Elsewhere(_))),
        }
    }
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &StatusArgs) -> Result<Exit, CommandError> {
    let wanted = if args.all { Wanted::AllHere } else { Wanted::Each(named(context, &args.blocks)?) };
    targets::wait_for(async {
        if args.watch {
            return watch(context, &wanted).await;
        }
        let agent = agent(context, &wanted).await?;
        let shown = look(agent.as_ref(), &wanted).await?;
        show(context, &shown, &text_of(&shown, context.now), false)?;
        let all_exist = shown.iter().all(|one| one.report.is_some());
        Ok(if all_exist { Exit::Done } else { Exit::NotFound })
    })?
}

/// The agent, where something of this machine is asked for and there may be something.
async fn agent(context: &Context<'_>, wanted: &Wanted) -> Result<Option<Client>, CommandError> {
    match wanted.is_here() {
        true => Ok(targets::local(context.global)?.agent_to_look().await?),
        false => Ok(None),
    }
}

/// Shows every change, until Ctrl-C: the agent tells of them, a cloud is asked.
async fn watch(context: &Context<'_>, wanted: &Wanted) -> Result<Exit, CommandError> {
    let mut last = String::new();
    let mut changes = Changes { context, seen: None, told_of_age: false };
    let mut lost = 0;
    loop {
        let looked = async {
            let agent = agent(context, wanted).await?;
            if let Some(agent) = &agent {
                changes.begin(agent).await?;
            }
            let shown = look(agent.as_ref(), wanted).await?;
            Ok::<_, CommandError>((agent, shown))
        };
        let (agent, shown) = match looked.await {
            // The agent ended while it was asked. The next look finds none, or the next one.
            Err(_) if lost < LOST_AGENTS => {
                lost += 1;
                tokio::time::sleep(ASK_EVERY).await;
                continue;
            }
            looked => looked?,
        };
        lost = 0;
        let next = async {
            tokio::select! {
                () = changes.next(agent.as_ref()), if wanted.is_here() => {}
                () = tokio::time::sleep(ASK_CLOUD_EVERY), if wanted.is_elsewhere() => {}
                // Nothing is asked for, and so nothing changes.
                else => std::future::pending().await,
            }
        };
        tokio::pin!(next);
        loop {
            let text = text_of(&shown, Timestamp::now());
            if text != last {
                show(context, &shown, &text, true)?;
                last = text;
            }
            tokio::select! {
                () = &mut next => break,
                () = tokio::time::sleep(REDRAW), if redraws(context) => {}
            }
        }
    }
}

fn redraws(context: &Context<'_>) -> bool {
    io::stdout().is_terminal() && !context.printer.is_json()
}

/// When to look again.
struct Changes<'a> {
    context: &'a Context<'a>,
    /// How many changes the agent had shown before the last look.
    seen: Option<u64>,
    told_of_age: bool,
}

impl Changes<'_> {
    /// Before a look: what changes from now on is told of.
    async fn begin(&mut self, agent: &Client) -> Result<(), CommandError> {
        let health = agent.health().await?;
        self.seen = if health.tells_changes { Some(agent.changes(None).await?) } else { None };
        if self.seen.is_none() && !self.told_of_age {
            self.told_of_age = true;
            let message = format!(
                "the running agent (pid {}) is older and cannot tell of changes; it is asked each second",
                health.pid
            );
            let help =
                format!("end it with \"kill {}\": PostgreSQL keeps serving, and the next agent takes over", health.pid);
            self.context.printer.warn("older-agent", &message, &help);
        }
        Ok(())
    }

    /// Returns when there is something to look at.
    async fn next(&self, agent: Option<&Client>) {
        match (agent, self.seen) {
            (Some(agent), Some(seen)) => {
                // An error is an agent that ended: the look says so, or finds the next one.
                while agent.changes(Some(seen)).await == Ok(seen) {}
            }
            (Some(_), None) => tokio::time::sleep(ASK_EVERY).await,
            (None, _) => client::anything(&targets::paths(self.context.global)).await,
        }
    }
}

/// The chosen blocks. Never inside of an event loop: who we are at a cloud is waited for here.
fn named(context: &Context<'_>, blocks: &Blocks) -> Result<Vec<Asked>, CommandError> {
    let specs = databases::resolved(context, &Project::read(context.global)?, blocks, Warnings::Leave)?;
    // Beside databases of this machine others may stand in the same file; one that was named is asked for.
    let may_leave_out = blocks.labels().is_empty() && specs.iter().any(|spec| spec.target == Cloud::Local);
    let mut asked = Vec::new();
    for spec in specs {
        if spec.target == Cloud::Local {
            asked.push(Asked::Here(spec.block, spec.name));
            continue;
        }
        match targets::provider(context.global, &spec) {
            Ok(provider) => asked.push(Asked::Elsewhere(Box::new(Database { spec, provider }))),
            Err(error) if may_leave_out => {
                context.printer.say(&format!("{} is left out: {}", spec.block, error.message));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(asked)
}

async fn look(agent: Option<&Client>, wanted: &Wanted) -> Result<Vec<Shown>, CommandError> {
    let existing: Vec<String> = match agent {
        Some(agent) => agent.list().await?.into_iter().map(|instance| instance.name).collect(),
        None => Vec::new(),
    };
    let here = async |block: &str, name: &str| {
        let report = match agent {
            Some(agent) if existing.iter().any(|one| one == name) => report(agent.status(name).await)?,
            Some(_) | None => None,
        };
        let report = report.map(|report| Told::Here(Box::new(report)));
        let (block, name) = (block.to_owned(), name.to_owned());
        Ok::<_, CommandError>(Shown { block, name, target: Cloud::Local.name(), region: None, report })
    };
    match wanted {
        Wanted::AllHere => {
            let mut shown = Vec::new();
            for name in &existing {
                shown.push(here(name, name).await?);
            }
            Ok(shown)
        }
        Wanted::Each(each) => {
            let looks = each.iter().map(async |asked| match asked {
                Asked::Here(block, name) => here(block, name).await,
                Asked::Elsewhere(database) => elsewhere(database).await,
            });
            stream::iter(looks).buffered(AT_ONCE).try_collect().await
        }
    }
}

async fn elsewhere(database: &Database) -> Result<Shown, CommandError> {
    let Database { spec, provider } = database;
    let report = report(provider.report(spec).await)?.map(|report| Told::Elsewhere(Box::new(report)));
    let (block, name) = (spec.block.clone(), spec.name.clone());
    Ok(Shown { block, name, target: spec.target.name(), region: spec.place.region.known().cloned(), report })
}

/// What is told of one that exists.
fn report<T>(asked: Result<T, ProviderError>) -> Result<Option<T>, CommandError> {
    match asked {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        asked => Ok(Some(asked?)),
    }
}

fn show(context: &Context<'_>, shown: &[Shown], text: &str, watch: bool) -> Result<(), CommandError> {
    let printer = context.printer;
    if printer.is_json() {
        return if watch { printer.json_line(&shown) } else { printer.json(&shown) };
    }
    // On a terminal the new picture takes the place of the old one.
    let wipe = if watch && io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
    printer.result(&format!("{wipe}{text}"))?;
    if let Some(missing) = shown.iter().find(|one| one.report.is_none()).filter(|_| !watch) {
        let verb = if missing.target == Cloud::Local.name() { "up" } else { "apply" };
        printer.next(&format!("pgherd {verb}{} makes what does not exist", context.same_project()));
    }
    Ok(())
}

fn text_of(shown: &[Shown], now: Timestamp) -> String {
    if shown.is_empty() {
        return "no databases on this machine\n".to_owned();
    }
    let one = |one: &Shown| {
        let region = one.region.as_ref().map_or(String::new(), |region| format!(" {region}"));
        let place = format!("{}{region}", one.target);
        match &one.report {
            Some(Told::Here(report)) => reports::here(&one.block, report, now),
            Some(Told::Elsewhere(report)) => reports::elsewhere(&one.block, &place, report, now),
            None => format!("{}  {place}  does not exist\n", one.block),
        }
    };
    shown.iter().map(one).collect::<Vec<_>>().join("\n")
}
