//! A restore for practice: the newest backup and all log after it, recovered in a place of its own, looked at, and removed.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use pgherd_engine::provider::ProviderError;

use super::{restore, store};
use crate::paths::Layout;
use crate::postgres::recover::Target;
use crate::supervisor::files;
use crate::supervisor::messages::{DrillReport, RestorePoint};
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking};

/// The report of the last drill of an instance, where there was one.
pub fn last(site: &Site) -> Option<DrillReport> {
    serde_json::from_slice(&std::fs::read(file(site)).ok()?).ok()
}

fn file(site: &Site) -> PathBuf {
    site.layout.root.join("drill.json")
}

/// Does it, and writes down how it went.
pub async fn drill(site: &Site, watcher: &Watcher) -> Result<(), ProviderError> {
    let begun = Instant::now();
    watcher.phase("looking for a backup");
    let source = restore::source(&site.agent, &site.name, &RestorePoint::Latest).await?;
    let record = site.agent.shown(&site.name)?.record;
    let place = Layout::new(site.layout.scratch.join("drill"), site.layout.socket.clone());
    restore::remove(&place).await?;
    let (generation, backup) = (&source.generation, &source.backup);
    let recovered =
        restore::from_backup(&site.agent, &record, &place, generation, backup, Target::Latest, watcher).await;
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    restore::remove(&place).await?;
    let report = DrillReport {
        at: Timestamp::now(),
        backup: backup.name.clone(),
        took_ms,
        last_commit_at: recovered.as_ref().ok().and_then(|recovered| recovered.last_commit_at),
        tables: recovered.as_ref().map_or(0, |recovered| recovered.tables.unsigned_abs()),
        failure: recovered.as_ref().err().map(|error| error.message.clone()),
    };
    let text = serde_json::to_vec_pretty(&report).expect("plain data serialises");
    files::replace(&file(site), &text, 0o600)
        .map_err(|error| crate::postgres::io_error("write", &file(site), &error))?;
    let seconds = took_ms / 1000;
    match &report.failure {
        Some(why) => site.note(format!("a drill failed: {} could not be restored: {why}", report.backup)),
        None => site.note(format!("a drill restored {} and the log after it within {seconds} s", report.backup)),
    }
    recovered?;
    let (generation, name, at) = (source.generation.clone(), backup.name.clone(), report.at);
    blocking(move || generation.set_verified(&name, at).map_err(store::refused)).await?;
    let until = match report.last_commit_at {
        Some(at) => format!("commits up to {at}"),
        None => "no commit after the backup".to_owned(),
    };
    let (tenths, tables) = (took_ms % 1000 / 100, report.tables);
    watcher.say(format!("{} restored within {seconds}.{tenths} s: {until}, {tables} tables", report.backup));
    Ok(())
}
