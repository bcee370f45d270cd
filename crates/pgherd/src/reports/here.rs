//! A database of this machine, as its agent knows it.

use std::fmt::Write as _;

use jiff::Timestamp;
use pgherd_core::text;
use pgherd_local::supervisor::messages::{
    ArchiveReport, AsideReport, Backup, CopyReport, DrillReport, FailoverReport, Follows, Node, PoolerReport, Span,
    StatusReport, StorageReport, WayReport,
};

use super::{ago, status};

/// So many past times without a standby are shown.
const SPANS_SHOWN: usize = 3;

/// A line for each thing there is to say of it.
pub fn report(block: &str, report: &StatusReport, now: Timestamp) -> String {
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
    if let Some(range) = &report.restorable {
        line("restore", &format!("to any moment from {} to {}", moment(range.since), moment(range.until)));
    }
    for aside in &report.aside {
        line("aside", &put_aside(aside, now));
    }
    if let Some(archive) = &report.archive {
        line("archive", &archived(archive, now));
    }
    if let Some(copy) = &report.second_copy {
        line("copy", &copied(copy, now));
    }
    if let Some(words) = drills(report, now) {
        line("drill", &words);
    }
    for pending in &report.pending {
        let opens = report.window_opens.map_or(String::new(), |opens| format!(", {}", opens.strftime("%a %H:%MZ")));
        line("pending", &format!("{} waits for {}{opens}", pending.field, pending.waits_for));
    }
    for warning in &report.warnings {
        line("warning", warning);
    }
    text
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

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `shop-before-20261123t041500z, since 3 min, 40 MB: ` and what to do about it.
fn put_aside(aside: &AsideReport, now: Timestamp) -> String {
    let AsideReport { name, at, bytes, path: _ } = aside;
    let bytes = bytes.map_or_else(|| "not there any more".to_owned(), text::bytes);
    format!(
        "{name}, since {}, {bytes}: pgherd restore --replace --backup {name} puts it back, pgherd backups --delete {name} lets go of it",
        ago(*at, now)
    )
}

/// `everything up to 4 s ago`, or what is not there yet.
fn archived(archive: &ArchiveReport, now: Timestamp) -> String {
    let last = match archive.last_at {
        Some(last) => format!("log of up to {} ago", ago(last, now)),
        None => "no log yet".to_owned(),
    };
    match archive.waiting_since {
        Some(since) => {
            let files = text::count(usize::try_from(archive.waiting).unwrap_or(usize::MAX), "file", "files");
            format!("{last}; {files} not archived yet, the oldest since {}", ago(since, now))
        }
        None => last,
    }
}

/// The last drill and the next one.
fn drills(report: &StatusReport, now: Timestamp) -> Option<String> {
    let last = report.last_drill.as_ref().map(|drill| drilled(drill, now));
    let next = report.next_drill_at.map(|at| match at <= now {
        true => "the next is due now".to_owned(),
        false => format!("the next on {}", at.strftime("%a %Y-%m-%d %H:%MZ")),
    });
    match (last, next) {
        (None, None) => None,
        (None, Some(next)) => Some(format!("none yet; {next}")),
        (Some(last), next) => Some([Some(last), next].into_iter().flatten().collect::<Vec<_>>().join("; ")),
    }
}

/// `s3://backups/shop in step 4 s ago`, or what it lacks and why.
pub fn copied(copy: &CopyReport, now: Timestamp) -> String {
    let CopyReport { place, kept_since: _, in_step_at, objects, segments, bytes, behind_since, only_there, failure } =
        copy;
    let last = in_step_at.map_or_else(|| "never in step".to_owned(), |at| format!("in step {} ago", ago(at, now)));
    let mut words = if place.is_empty() { last } else { format!("{place} {last}") };
    if let Some(since) = behind_since {
        let files = text::count(usize::try_from(*objects).unwrap_or(usize::MAX), "file", "files");
        let (bytes, oldest) = (text::bytes(*bytes), ago(*since, now));
        let _ = write!(words, "; {files} ({segments} of the log), {bytes}, not there yet, the oldest since {oldest}");
    }
    if !only_there.is_empty() {
        let _ = write!(words, "; only there: {}", only_there.join(", "));
    }
    if let Some(failure) = failure {
        let _ = write!(words, ": {failure}");
    }
    words
}

/// `passed 3 h ago: db-auto-20261122t030000z within 4.2 s`
fn drilled(drill: &DrillReport, now: Timestamp) -> String {
    let ago = ago(drill.at, now);
    match &drill.failure {
        Some(why) => format!("failed {ago} ago: {}: {why}", drill.backup),
        None => {
            let (s, tenths) = (drill.took_ms / 1000, drill.took_ms % 1000 / 100);
            format!("passed {ago} ago: {} and the log after it within {s}.{tenths} s", drill.backup)
        }
    }
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
