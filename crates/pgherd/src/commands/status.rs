//! `pgherd status`.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use pgherd_core::cloud::Cloud;
use pgherd_core::resource::Status;
use pgherd_core::spec::Spec;
use pgherd_core::text;
use pgherd_engine::provider::ErrorKind;
use pgherd_local::client::{self, Client};
use pgherd_local::supervisor::messages::{
    Backup, FailoverReport, Follows, Node, PoolerReport, Span, StatusReport, StorageReport, WayReport,
};
use serde::Serialize;

use super::Context;
use crate::args::Blocks;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::targets;

/// How often a picture on a terminal is drawn again, because time goes on.
const REDRAW: Duration = Duration::from_secs(1);
/// How often an agent is asked that cannot tell of changes.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// So many looks in a row may fail because the agent ends, before what is wrong is said.
const LOST_AGENTS: u32 = 3;

/// So many past times without a standby are shown.
const SPANS_SHOWN: usize = 3;

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
    /// `None`: it does not exist.
    report: Option<StatusReport>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &StatusArgs) -> Result<Exit, CommandError> {
    let wanted = if args.all { None } else { Some(named(context, &args.blocks)?) };
    targets::wait_for(async {
        if args.watch {
            return watch(context, wanted.as_deref()).await;
        }
        let agent = targets::local(context.global)?.agent_to_look().await?;
        let shown = look(agent.as_ref(), wanted.as_deref()).await?;
        show(context, &shown, &text_of(&shown, context.now), false)?;
        let all_exist = shown.iter().all(|one| one.report.is_some());
        Ok(if all_exist { Exit::Done } else { Exit::NotFound })
    })?
}

/// Shows every change the agent tells of, until Ctrl-C.
async fn watch(context: &Context<'_>, wanted: Option<&[(String, String)]>) -> Result<Exit, CommandError> {
    let local = targets::local(context.global)?;
    let mut last = String::new();
    let mut changes = Changes { context, seen: None, told_of_age: false };
    let mut lost = 0;
    loop {
        let looked = async {
            let agent = local.agent_to_look().await?;
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
        let next = changes.next(agent.as_ref());
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

/// Labels and names of the chosen blocks.
fn named(context: &Context<'_>, blocks: &Blocks) -> Result<Vec<(String, String)>, CommandError> {
    let specs = databases::resolved(context, &Project::read(context.global)?, blocks, Warnings::Leave)?;
    let (here, elsewhere): (Vec<Spec>, Vec<Spec>) = specs.into_iter().partition(|spec| spec.target == Cloud::Local);
    // Beside databases of this machine others may stand in the same file; one that was named is asked for.
    if here.is_empty() || !blocks.labels().is_empty() {
        elsewhere.iter().try_for_each(|spec| targets::only_here(spec, "show the status of a database"))?;
    }
    for Spec { block, target, .. } in &elsewhere {
        context.printer.say(&format!("{block} runs on {target}, whose status this version of pgherd cannot show"));
    }
    Ok(here.into_iter().map(|spec| (spec.block, spec.name)).collect())
}

async fn look(agent: Option<&Client>, wanted: Option<&[(String, String)]>) -> Result<Vec<Shown>, CommandError> {
    let existing: Vec<String> = match agent {
        Some(agent) => agent.list().await?.into_iter().map(|instance| instance.name).collect(),
        None => Vec::new(),
    };
    let wanted = match wanted {
        Some(wanted) => wanted.to_vec(),
        None => existing.iter().map(|name| (name.clone(), name.clone())).collect(),
    };
    let mut shown = Vec::new();
    for (block, name) in wanted {
        let report = match agent {
            Some(agent) if existing.contains(&name) => match agent.status(&name).await {
                // It was deleted since it was listed.
                Err(error) if error.kind == ErrorKind::NotFound => None,
                asked => Some(asked?),
            },
            Some(_) | None => None,
        };
        shown.push(Shown { block, name, target: "local", report });
    }
    Ok(shown)
}

fn show(context: &Context<'_>, shown: &[Shown], text: &str, watch: bool) -> Result<(), CommandError> {
    let printer = context.printer;
    if printer.is_json() {
        return if watch { printer.json_line(&shown) } else { printer.json(&shown) };
    }
    // On a terminal the new picture takes the place of the old one.
    let wipe = if watch && io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
    printer.result(&format!("{wipe}{text}"))?;
    if !watch && shown.iter().any(|one| one.report.is_none()) {
        printer.next(&format!("pgherd up{} makes what does not exist", context.same_project()));
    }
    Ok(())
}

fn text_of(shown: &[Shown], now: Timestamp) -> String {
    if shown.is_empty() {
        return "no databases on this machine\n".to_owned();
    }
    let one = |one: &Shown| match &one.report {
        Some(report) => report_text(&one.block, report, now),
        None => format!("{}  {}  does not exist\n", one.block, one.target),
    };
    shown.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn report_text(block: &str, report: &StatusReport, now: Timestamp) -> String {
    let version = report.engine_version.as_deref().unwrap_or("(unknown version)");
    let mut text = format!("{block}  local  PostgreSQL {version}  {}", status(&report.status));
    let endpoint = &report.endpoint;
    let port = endpoint.pooler_port.unwrap_or(endpoint.port);
    if port != 0 {
        let _ = write!(text, "  postgresql://{}:{port}/{}", endpoint.host, endpoint.database);
    }
    text.push('\n');
    let mut line = |what: &str, words: &str| {
        let _ = writeln!(text, "  {what:<9} {words}");
    };
    if let Some(asked) = &report.engine_asked {
        line("version", &format!("{asked} is asked for, {version} runs"));
    }
    for node in &report.nodes {
        line(&node.role, &node_words(node, now));
    }
    if let Some(ways) = &report.ways {
        line("writes", &format!(":{}  {}", ways.write.port, way(&ways.write)));
    }
    if let Some(port) = report.read_port {
        let health = report.ways.as_ref().and_then(|ways| ways.read.as_ref()).map(way);
        let health = health.map_or_else(String::new, |health| format!("  {health}"));
        line("reads", &format!("postgresql://{}:{port}/{}{health}", endpoint.host, endpoint.database));
    }
    if let Some(pooler) = &report.pooler {
        line("pooler", &pooler_words(pooler));
    }
    if let Some(words) = durability(report, now) {
        line("commits", &words);
    }
    if let Some(words) = degraded(&report.degraded, now) {
        line("degraded", &words);
    }
    if let Some(last) = &report.last_failover {
        line("failover", &failover(last, now));
    }
    line("storage", &storage(&report.storage));
    for limit in &report.limits {
        line("limit", limit);
    }
    line("backups", &backups(&report.backups, now));
    for pending in &report.pending {
        let opens = report.window_opens.map_or(String::new(), |opens| format!(", {}", opens.strftime("%a %H:%MZ")));
        line("pending", &format!("{} waits for {}{opens}", pending.field, pending.waits_for));
    }
    for warning in &report.warnings {
        line("warning", warning);
    }
    text
}

fn status(status: &Status) -> String {
    match status {
        Status::Available => "available".to_owned(),
        Status::Stopped => "stopped".to_owned(),
        Status::Busy(doing) => doing.clone(),
        Status::Incomplete(reason) => format!("half-made: {reason}"),
        Status::Failed(reason) => format!("broken: {reason}"),
        Status::Foreign(reason) => format!("not pgherd's: {reason}"),
    }
}

fn node_words(node: &Node, now: Timestamp) -> String {
    let mut words = format!("{}  :{}  {}", node.name, node.port, node.state);
    if let Some(started) = node.started_at {
        let _ = write!(words, " since {}", ago(started, now));
    }
    if let Some(connections) = node.connections {
        let count = text::count(connections as usize, "connection", "connections");
        let _ = write!(words, "  {count}");
    }
    if let Some(follows) = &node.follows {
        let _ = write!(words, "  {}", follower(follows));
    }
    words
}

/// `synchronous, 0 B behind`
fn follower(follows: &Follows) -> String {
    let kind = if follows.synchronous { "synchronous" } else { "asynchronous" };
    let behind = match (follows.behind_bytes, follows.behind_ms) {
        (Some(0), _) | (None, _) => String::new(),
        (Some(_), Some(ms)) => format!(" ({ms} ms)"),
        (Some(_), None) => " (for how long is not known)".to_owned(),
    };
    let bytes = follows
        .behind_bytes
        .map_or_else(|| "how far behind is not known".to_owned(), |bytes| format!("{} behind", text::bytes(bytes)));
    let catching_up = if follows.streaming { "" } else { ", catching up" };
    format!("{kind}, {bytes}{behind}{catching_up}")
}

/// `to n1, 3 clients, 2 waiting`
fn way(way: &WayReport) -> String {
    let to = match way.leads_to.as_slice() {
        [] => "nobody serves".to_owned(),
        nodes => format!("to {}", nodes.join(", ")),
    };
    let mut words = vec![to, text::count(way.connected as usize, "client", "clients")];
    words.extend(way.paused.then(|| "held back".to_owned()));
    words.extend((way.waiting > 0).then(|| format!("{} waiting", way.waiting)));
    words.extend((way.given_up > 0).then(|| format!("{} waited too long", way.given_up)));
    words.extend((way.refused > 0).then(|| format!("{} refused by address", way.refused)));
    words.extend(way.not_held.iter().map(|why| format!("not held: {why}")));
    words.join(", ")
}

fn pooler_words(pooler: &PoolerReport) -> String {
    let PoolerReport { port, state, pool_mode, default_pool_size, clients, .. } = pooler;
    let mut words = format!("    :{port}  {state}  {pool_mode}, {default_pool_size} per pool");
    if let Some(clients) = clients {
        let _ = write!(words, ", {}", text::count(*clients as usize, "client", "clients"));
    }
    words
}

/// Whether commits are on two servers; nothing to say of an instance that never wanted that.
fn durability(report: &StatusReport, now: Timestamp) -> Option<String> {
    match (&report.commits_wait_for, report.degraded_since) {
        (Some(standby), _) => Some(format!("wait for {standby}, which takes over by itself")),
        (None, Some(since)) if report.commits_blocked => {
            Some(format!("wait until a standby is back (local_sync = \"required\"), since {}", ago(since, now)))
        }
        (None, Some(since)) => {
            Some(format!("are on the primary alone since {}: no standby could take over", ago(since, now)))
        }
        (None, None) => None,
    }
}

/// The last times no standby held every commit, the newest first.
fn degraded(spans: &[Span], now: Timestamp) -> Option<String> {
    let one = |span: &Span| {
        let lasted = span.until.duration_since(span.since).as_secs_f64().max(0.0);
        format!("for {lasted:.1} s until {} ago", ago(span.until, now))
    };
    let shown: Vec<String> = spans.iter().rev().take(SPANS_SHOWN).map(one).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// The last change of primary, and what it cost.
fn failover(last: &FailoverReport, now: Timestamp) -> String {
    let FailoverReport { from, to, why, planned, .. } = last;
    let kind = if *planned { "planned, " } else { "" };
    format!("{} ago from {from} to {to}: {kind}{why}; {}", ago(last.at, now), lost(last))
}

fn lost(last: &FailoverReport) -> String {
    match (last.lost_commits, last.whole) {
        (Some(0), _) => "no commit was lost".to_owned(),
        (Some(lost), true) => format!("{} had not been acknowledged and did not survive", commits(lost)),
        (Some(lost), false) => format!("{} did not survive", commits(lost)),
        (None, true) => "no acknowledged commit was lost".to_owned(),
        (None, false) => "what was lost is not known".to_owned(),
    }
}

fn commits(count: u64) -> String {
    text::count(usize::try_from(count).unwrap_or(usize::MAX), "commit", "commits")
}

fn storage(storage: &StorageReport) -> String {
    let used = storage.used_bytes.map_or_else(|| "unknown".to_owned(), text::bytes);
    let mut words = format!("{used} of {}", text::gibibytes(storage.allocated_gib));
    if let Some(max) = storage.max_allocated_gib {
        let _ = write!(words, ", grows to {}", text::gibibytes(max));
    }
    words.push_str(match storage.encrypted {
        Some(true) => ", encrypted device",
        Some(false) => ", device not encrypted",
        None => ", device's encryption unknown",
    });
    words
}

fn backups(backups: &[Backup], now: Timestamp) -> String {
    match backups.last() {
        None => "none".to_owned(),
        Some(last) => {
            let count = text::count(backups.len(), "backup", "backups");
            format!("{count}, the last {} ago ({})", ago(last.taken_at, now), text::bytes(last.bytes))
        }
    }
}

/// How long ago, in the one unit that matters.
fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
