//! What is not as it should be with an instance, one sentence each.

use std::sync::Arc;

use jiff::Timestamp;
use pgherd_core::text;
use pgherd_engine::provider::ProviderError;

use super::agent::Agent;
use super::backups::{self, archive};
use super::ledger::Record;
use super::messages::{ArchiveReport, StorageReport};
use super::pooled::Standing;
use super::requests::Shown;
use super::site::Site;

/// Of its servers and what is around them.
pub fn of(shown: &Shown, storage: &StorageReport) -> Vec<String> {
    let record = &shown.record;
    let mut warnings: Vec<String> = record.server_note.iter().chain(&record.trouble).cloned().collect();
    if let Some(pooler) = &shown.pooler {
        if let Standing::Failed(error) = &pooler.standing {
            warnings.push(format!("the pooler does not run: {}", error.message));
        }
        warnings.extend(pooler.caveats.iter().cloned());
    }
    if record.memory.over_allocated {
        warnings.push(format!(
            "storage uses {} of {} GiB; raise allocated_storage or max_allocated_storage",
            storage.used_bytes.unwrap_or_default().div_ceil(1 << 30),
            storage.allocated_gib
        ));
    }
    if record.wanted.storage_encrypted && storage.encrypted == Some(false) {
        warnings.push("storage_encrypted is true, and the disk is not encrypted".to_owned());
    }
    for (node, member) in record.ha.members.iter().filter(|(_, member)| member.retry.failures > 1) {
        let times = member.retry.failures;
        warnings.push(format!("{node} ended by itself or did not start {times} times in a row"));
    }
    // Said above, and since when commits go on without a standby has a line of its own.
    let told = ["ha-failing", "ha-degraded"];
    let alarms = shown.alarms.iter().filter(|alarm| !told.contains(&alarm.code));
    for alarm in alarms.map(|alarm| &alarm.message) {
        if !warnings.contains(alarm) {
            warnings.push(alarm.clone());
        }
    }
    warnings
}

/// What is not as it should be about backups.
pub fn of_backups(
    agent: &Arc<Agent>,
    record: &Record,
    archive: Option<&ArchiveReport>,
    unreadable: Option<&ProviderError>,
    disks: Vec<String>,
) -> Vec<String> {
    let mut warnings: Vec<String> = unreadable.map(|error| format!("backups: {}", error.message)).into_iter().collect();
    let known = agent.desk.of(&record.name);
    warnings.extend(disks);
    let site = Site::of(agent.clone(), &record.name);
    warnings.extend(known.drill_overdue.map(|since| {
        let why = known.drill_put_off.as_ref().map_or(String::new(), |why| format!("; it is put off: {why}"));
        format!("no backup has been restored for practice since {since}: pgherd drill does{why}")
    }));
    warnings.extend(
        known
            .drill_put_off
            .filter(|_| known.drill_overdue.is_none())
            .map(|why| format!("the drill by schedule is put off: {why}")),
    );
    let failed = backups::last_drill(&site).and_then(|last| Some((last.backup, last.failure?)));
    warnings
        .extend(failed.map(|(backup, why)| format!("the last drill failed: {backup} could not be restored: {why}")));
    let wrong = backups::last_check(&site).filter(|check| !check.findings.is_empty());
    warnings.extend(wrong.map(|check| {
        let count = check.findings.len();
        format!(
            "{count} things were found wrong at {} with what is stored: pgherd backups --check tells them",
            check.at
        )
    }));
    warnings.extend(known.archive_trouble.map(|why| format!("the archive cannot be looked after: {why}")));
    warnings.extend(known.failure.map(|why| format!("the last automatic backup failed: {why}")));
    let late =
        archive.filter(|archive| archive.waiting_since.is_some_and(|since| archive::is_late(since, Timestamp::now())));
    warnings.extend(known.second.as_ref().and_then(|copy| backups::warning_of_copy(copy, Timestamp::now())));
    warnings.extend(late.map(|archive| {
        let why = archive.failure.as_ref().map_or(String::new(), |why| format!(": {why}"));
        let bytes = text::bytes(archive.waiting_bytes);
        format!("the log is not archived, {} files of {bytes} wait on the server's disk{why}", archive.waiting)
    }));
    warnings
}
