//! A database of a cloud, as the cloud tells.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::report::{Address, Alarm, AlarmState, Backups, Happened, Report, Server, Storage};
use pgherd_core::text;

use super::{ago, status};

/// So many of the last things that happened are shown, as far as they are of the last day.
const HAPPENED_SHOWN: usize = 3;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A line for each thing there is to say of it. `place` is the target and where in it.
pub fn report(block: &str, place: &str, report: &Report, now: Timestamp) -> String {
    let version = report.engine_version.as_deref().unwrap_or("(unknown version)");
    let mut text = format!("{block}  {place}  PostgreSQL {version}  {}", status(&report.status));
    if let Some(address) = &report.address {
        let _ = write!(text, "  {}", url(address));
    }
    text.push('\n');
    let mut line = |what: &str, words: &str| {
        let _ = writeln!(text, "  {what:<9} {words}");
    };
    for one in &report.servers {
        line(&one.role, &server(one));
    }
    line("storage", &storage(&report.storage));
    line("backups", &backups(&report.backups, now));
    line("alarms", &alarms(&report.alarms));
    for pending in report.pending.iter().chain(&report.maintenance) {
        let opens = report.window_opens.filter(|_| pending.waits_for.contains("window"));
        let opens = opens.map_or(String::new(), |opens| format!(", {}", opens.strftime("%a %Y-%m-%d %H:%MZ")));
        line("pending", &format!("{} waits for {}{opens}", pending.field, pending.waits_for));
    }
    for happened in lately(&report.happened, now) {
        line("event", &format!("{} ago  {}", ago(happened.at, now), happening(happened, &report.name)));
    }
    for warning in &report.warnings {
        line("warning", warning);
    }
    text
}

/// What happened, and to which server where it is not the primary.
fn happening(happened: &Happened, name: &str) -> String {
    match happened.to == name {
        true => happened.message.clone(),
        false => format!("{}: {}", happened.to, happened.message),
    }
}

fn lately(happened: &[Happened], now: Timestamp) -> &[Happened] {
    let is_old = |one: &&Happened| now.duration_since(one.at) > DAY;
    let old = happened.iter().take_while(is_old).count();
    &happened[old.max(happened.len().saturating_sub(HAPPENED_SHOWN))..]
}

fn url(address: &Address) -> String {
    format!("postgresql://{}:{}", address.host, address.port)
}

/// `orders  eu-central-1a  available`
fn server(server: &Server) -> String {
    let mut words: Vec<String> = server.name.iter().chain(&server.place).cloned().collect();
    words.push(server.state.clone());
    words.extend(server.behind_ms.map(|ms| format!("{ms} ms behind")));
    // The primary's address stands above.
    words.extend(server.address.as_ref().filter(|_| server.role != "primary").map(url));
    words.join("  ")
}

fn storage(storage: &Storage) -> String {
    let allocated = storage.allocated_gib.map_or_else(|| "unknown".to_owned(), text::gibibytes);
    let mut words = match storage.used_bytes {
        Some(used) => format!("{} of {allocated}", text::bytes(used)),
        None => allocated,
    };
    if let Some(max) = storage.max_allocated_gib {
        let _ = write!(words, ", grows to {}", text::gibibytes(max));
    }
    words.push_str(match storage.encrypted {
        Some(true) => ", encrypted",
        Some(false) => ", not encrypted",
        None => ", whether it is encrypted is unknown",
    });
    words
}

fn backups(backups: &Backups, now: Timestamp) -> String {
    let kept = match backups.kept.last().map(|last| last.taken_at) {
        None => "none".to_owned(),
        Some(last) => {
            let count = text::count(backups.kept.len(), "backup", "backups");
            let last = last.map_or_else(|| "is being taken".to_owned(), |at| format!("{} ago", ago(at, now)));
            format!("{count}, the last {last}")
        }
    };
    match &backups.restorable {
        None => format!("{kept}; to no other moment it can be restored"),
        Some(range) => {
            let from = range.from.map_or(String::new(), |from| format!(" from {}", from.strftime("%Y-%m-%d %H:%MZ")));
            format!("{kept}; restorable{from} to {} ago", ago(range.to, now))
        }
    }
}

/// Those that ring, by name; the others in figures.
fn alarms(alarms: &[Alarm]) -> String {
    if alarms.is_empty() {
        return "none".to_owned();
    }
    let count = |state: AlarmState| alarms.iter().filter(|alarm| alarm.state == state).count();
    let mut words: Vec<String> = Vec::new();
    for alarm in alarms.iter().filter(|alarm| alarm.state == AlarmState::Rings) {
        words.push(format!("{} rings: {}", alarm.name, alarm.reason));
    }
    let figures = [(AlarmState::Ok, "OK"), (AlarmState::Unknown, "without data yet")];
    let figures = figures.map(|(state, word)| (count(state), word));
    words.extend(figures.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    words.join(", ")
}
