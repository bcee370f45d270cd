//! A restore for practice: the newest backup and all log after it, recovered in a place of its own, looked at, and removed.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use pgherd_core::backups::Drilled;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::source::Unusable;
use super::{recovery, restore, source, store};
use crate::paths::Layout;
use crate::postgres::recover::{Recovered, Target, check_pages};
use crate::supervisor::files;
use crate::supervisor::messages::{DrillReport, RestorePoint};
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking, chosen};

/// The report of the last drill of an instance, where there was one.
pub fn last(site: &Site) -> Option<DrillReport> {
    serde_json::from_slice(&std::fs::read(file(site)).ok()?).ok()
}

/// Where it is written down.
pub fn file(site: &Site) -> PathBuf {
    site.layout.root.join("drill.json")
}

/// What the schedule has to know of it.
pub fn drilled(report: &DrillReport) -> Drilled {
    Drilled { at: report.at, passed: report.failure.is_none() }
}

/// Does it, and writes down how it went.
pub async fn drill(site: &Site, watcher: &Watcher) -> Result<(), ProviderError> {
    let begun = Instant::now();
    watcher.phase("looking for a backup");
    let source = match source::find(&site.agent, &site.name, &RestorePoint::Latest, &Unusable::new()).await {
        Ok(source) => source,
        // Without a backup nothing was tried.
        Err(error) if error.kind == ErrorKind::NotFound => return Err(error),
        Err(error) => {
            write_down(site, "what is stored", begun, Err(&error))?;
            return Err(error);
        }
    };
    let record = site.agent.shown(&site.name)?.record;
    let place = Layout::new(site.layout.scratch.join("drill"), site.layout.socket.clone());
    restore::remove(&place).await?;
    let backup = &source.backup;
    let recovered = recovery::from_backup(&site.agent, &record, &place, &source, Target::Latest, watcher).await;
    let recovered = match recovered {
        Ok(recovered) if !recovered.unopened.is_empty() => {
            let message = format!("a database was restored and does not open: {}", recovered.unopened.join("; "));
            Err(ProviderError::new(ErrorKind::Invalid, message))
        }
        Ok(recovered) => {
            watcher.phase("reading every page");
            let checked = check_pages(chosen(&record)?, &site.agent.run_as, &place.data).await;
            checked.map(|()| recovered)
        }
        Err(error) => Err(error),
    };
    // Before anything else can fail: by it the schedule knows that it was tried.
    let report = write_down(site, &backup.name, begun, recovered.as_ref())?;
    if recovered.is_err() {
        // A damaged one is written down as such, and the next look takes another.
        source::what_is_unusable(&source).await;
    }
    restore::remove(&place).await?;
    recovered?;
    let (generation, name, at) = (source.generation.clone(), backup.name.clone(), report.at);
    blocking(move || generation.set_verified(&name, at).map_err(store::refused)).await?;
    let until = match report.last_commit_at {
        Some(at) => format!("commits up to {at}"),
        None => "no commit after the backup".to_owned(),
    };
    let (seconds, tenths, tables) = (report.took_ms / 1000, report.took_ms % 1000 / 100, report.tables);
    watcher.say(format!("{} restored within {seconds}.{tenths} s: {until}, {tables} tables", report.backup));
    Ok(())
}

/// Writes down how one ended, for status, schedule and history.
fn write_down(
    site: &Site,
    backup: &str,
    begun: Instant,
    recovered: Result<&Recovered, &ProviderError>,
) -> Result<DrillReport, ProviderError> {
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let report = DrillReport {
        at: Timestamp::now(),
        passed_before: last(site).and_then(|last| last.last_passed()),
        backup: backup.to_owned(),
        took_ms,
        last_commit_at: recovered.ok().and_then(|recovered| recovered.last_commit_at),
        tables: recovered.map_or(0, |recovered| recovered.tables.unsigned_abs()),
        failure: recovered.err().map(|error| error.message.clone()),
    };
    let text = serde_json::to_vec_pretty(&report).expect("plain data serialises");
    files::replace(&file(site), &text, 0o600)
        .map_err(|error| crate::postgres::io_error("write", &file(site), &error))?;
    site.note(match &report.failure {
        Some(why) => format!("a drill failed: {backup} could not be restored: {why}"),
        None => format!("a drill restored {backup} and the log after it within {} s", took_ms / 1000),
    });
    Ok(report)
}
