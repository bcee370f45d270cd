//! What is done about backups by itself: once a day in the window, and all along.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{
    Backup, BackupKind, Clusters, Deletion, Due, Failed, Holdings, Retention, Schedule, drill_due, drill_overdue, due,
    expire, expire_ended, room_for,
};
use pgherd_core::window::Window;
use pgherd_engine::provider::ProviderError;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::proof::prove_left;
use super::reading::read_what_is_due;
use super::take::{Taking, server_for, take};
use super::{archive, drill, log, remains, store};
use crate::supervisor::agent::Agent;
use crate::supervisor::pressure;
use crate::supervisor::requests::{Shown, Watcher};
use crate::supervisor::site::{Site, blocking};
use crate::supervisor::upkeep::Goal;

/// How often is looked what there is to do.
const EVERY: Duration = Duration::from_secs(5);
/// How often is looked at what is stored.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// So long nothing is done to an instance that was just made, or just changed: whoever makes several is not held up.
const CALM: SignedDuration = SignedDuration::from_secs(10);
const FILL_AGAIN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Whose turn it is when it is about databases that are gone: no instance has that name.
const REMAINS: &str = "/remains";
/// How often is looked for what nobody needs any more, besides after every backup.
const EXPIRE_EVERY: SignedDuration = SignedDuration::from_hours(6);

/// How often is written down that a disk fills up.
const SAY_AGAIN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long nothing more is taken because of a hole after a backup was.
const MEND_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks after the backups of all instances until the agent ends.
pub async fn keep(agent: Arc<Agent>, mut stop: watch::Receiver<bool>) {
    let mut at_work: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    let mut looked_at_remains: Option<Instant> = None;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        at_work.retain(|_, task| !task.is_finished());
        if looked_at_remains.is_none_or(|at| at.elapsed() > EXPIRE_EVERY.unsigned_abs())
            && !at_work.contains_key(REMAINS)
        {
            looked_at_remains = Some(Instant::now());
            let own = agent.clone();
            let expire = async move {
                if let Err(error) = remains::expire(&own).await {
                    tracing::warn!("what stays of databases that are gone: {error}");
                }
            };
            at_work.insert(REMAINS.to_owned(), tokio::spawn(expire));
        }
        for shown in agent.all() {
            let name = shown.record.name.clone();
            let site = Site::of(agent.clone(), &name);
            let (own, of) = (site.clone(), shown.clone());
            at_work
                .entry(reading(&name))
                .or_insert_with(|| tokio::spawn(async move { read_what_is_due(&own, &of).await }));
            at_work.entry(name).or_insert_with(|| tokio::spawn(async move { tend(&site, &shown).await }));
        }
    }
    // What they do may be cut short anywhere; programs they run end with them.
    at_work.values().for_each(JoinHandle::abort);
}

/// Whose turn it is when everything stored of an instance is read back: no instance has that name.
fn reading(name: &str) -> String {
    format!("{name}/reading")
}

async fn tend(site: &Site, shown: &Shown) {
    let (desk, record, now) = (&site.agent.desk, &shown.record, Timestamp::now());
    watch_disks(site).await;
    let serves = record.memory.made && record.memory.goal == Goal::Serve && shown.pid.is_some();
    let is_calm = serves && shown.busy.is_none() && record.system_identifier.is_some();
    let since = if is_calm { desk.of(&site.name).calm_since.or(Some(now)) } else { None };
    desk.note(&site.name, |known| known.calm_since = since);
    if record.wanted.backup_retention_days == 0 || since.is_none_or(|since| now.duration_since(since) < CALM) {
        return;
    }
    if !record.wanted.is_archived() {
        // What is written until it is archived again has to be looked for then.
        desk.note(&site.name, |known| known.filled = None);
    }
    let turn = desk.turn(&site.name);
    let turn = turn.try_lock();
    // A restore or a drill takes its time, and the archive does not wait for it; but only one begins an archive.
    let may_look = turn.is_ok() || archive::settings_file(site).exists();
    if record.wanted.is_archived() && may_look {
        let trouble = look_after_archive(site, shown).await.err().map(|error| error.message);
        let was = desk.of(&site.name).archive_trouble;
        match (&was, &trouble) {
            (None, Some(why)) => site.note(format!("its archive cannot be looked after: {why}")),
            (Some(_), None) => site.note("its archive is looked after again"),
            _ => {}
        }
        desk.note(&site.name, |known| known.archive_trouble = trouble);
    }
    // Somebody takes a backup, or restores one: the next look is soon.
    let Ok(_turn) = turn else { return };
    if desk.of(&site.name).looked_at.is_some_and(|at| now.duration_since(at).abs() < LOOK_EVERY) {
        return;
    }
    desk.note(&site.name, |known| known.looked_at = Some(now));
    match take_what_is_due(site, shown, now).await {
        Ok(true) => desk.note(&site.name, |known| (known.failed, known.failure) = (None, None)),
        Ok(false) => {}
        Err(error) => {
            site.note(format!("the automatic backup failed: {error}"));
            desk.note(&site.name, |known| {
                let times = known.failed.map_or(0, |failed| failed.times) + 1;
                known.failed = Some(Failed { times, last_at: Timestamp::now() });
                known.failure = Some(error.message.clone());
            });
        }
    }
    if let Err(error) = practise_what_is_due(site, shown).await {
        tracing::warn!(instance = site.name, "the drill: {error}");
    }
}

/// Writes down that a disk fills up, at most once a day: `status` tells it all along.
async fn watch_disks(site: &Site) {
    let (desk, own) = (&site.agent.desk, site.clone());
    if desk.of(&site.name).pressed_at.is_some_and(|at| at.elapsed() < SAY_AGAIN_AFTER) {
        return;
    }
    let short = blocking(move || Ok(pressure::of(&own.agent, &own.name))).await.unwrap_or_default();
    if !short.is_empty() {
        desk.note(&site.name, |known| known.pressed_at = Some(Instant::now()));
    }
    short.into_iter().for_each(|words| site.note(words));
}

/// Practises a restore when it is time, and says when that was too long ago.
async fn practise_what_is_due(site: &Site, shown: &Shown) -> Result<(), ProviderError> {
    let (desk, wanted) = (&site.agent.desk, &shown.record.wanted);
    let Some(window) = Window::parse_daily(&wanted.backup_window) else { return Ok(()) };
    let schedule = Schedule { window, retention_days: wanted.backup_retention_days, name: site.name.clone() };
    let backups = holdings(site).await?.backups;
    if judge_drills(site, &schedule, &backups) != Due::Now {
        return Ok(());
    }
    let newest = backups.iter().rfind(|backup| !backup.damaged).map_or(0, |backup| room_for(backup, &backups));
    let instances = site.agent.options.paths.instances();
    let room = blocking(move || super::refuse_without_room(&instances, newest)).await.err().map(|error| error.message);
    let was = desk.of(&site.name).drill_put_off;
    if let Some(why) = room.as_ref().filter(|_| was.is_none()) {
        site.note(format!("the drill by schedule is put off: {why}"));
    }
    desk.note(&site.name, |known| known.drill_put_off.clone_from(&room));
    if room.is_none() {
        // How it went is written down, and told in the history.
        let drilled = drill::drill(site, &Watcher::nobody()).await;
        judge_drills(site, &schedule, &backups);
        drilled?;
    }
    Ok(())
}

/// When the next drill is due, kept for `status` beside since when it is overdue.
fn judge_drills(site: &Site, schedule: &Schedule, backups: &[Backup]) -> Due {
    let (desk, now, last) = (&site.agent.desk, Timestamp::now(), drill::last(site));
    let is_due = drill_due(schedule, backups, last.as_ref().map(drill::drilled), now);
    let due_at = match is_due {
        Due::Off => None,
        Due::Now => Some(now),
        Due::At(at) => Some(at),
    };
    let overdue = drill_overdue(backups, last.and_then(|last| last.last_passed()), now);
    if let Some(since) = overdue.filter(|_| desk.of(&site.name).drill_overdue.is_none()) {
        site.note(format!("nobody has restored a backup of it since {since}: a drill is overdue"));
    }
    desk.note(&site.name, |known| (known.drill_due_at, known.drill_overdue) = (due_at, overdue));
    is_due
}

/// What there is in the generation it archives to.
pub async fn holdings(site: &Site) -> Result<Holdings, ProviderError> {
    let own = site.clone();
    blocking(move || match archive::known_generation(&own)? {
        Some(generation) => generation.holdings().map_err(store::refused),
        None => Ok(Holdings::default()),
    })
    .await
}

/// Has an archive, with all of the log in it, and says when it fails.
async fn look_after_archive(site: &Site, shown: &Shown) -> Result<(), ProviderError> {
    let (record, desk) = (&shown.record, &site.agent.desk);
    let (own, of) = (site.clone(), record.clone());
    let known = desk.of(&site.name);
    let (primary, timeline) = (record.primary(), record.ha.timeline);
    // Once a day it is looked again whether what the server still has is all there: what was lost there comes back.
    let is_filled =
        known.filled == Some((timeline, primary)) && known.filled_at.is_some_and(|at| at.elapsed() < FILL_AGAIN_AFTER);
    let (filled, report) = blocking(move || {
        let generation = archive::generation(&own, &of)?;
        let filled = if is_filled { 0 } else { archive::fill(&own, &generation, primary, timeline)? };
        Ok((filled, archive::queue(&own, &of)))
    })
    .await?;
    if filled > 0 {
        site.note(format!("archived {filled} files of the log that {primary} had only streamed"));
    }
    if !is_filled {
        desk.note(&site.name, |known| {
            (known.filled, known.filled_at) = (Some((timeline, primary)), Some(Instant::now()));
        });
    }
    let Some(report) = report else { return Ok(()) };
    let fails = report.waiting_since.is_some_and(|since| archive::is_late(since, Timestamp::now()));
    match (known.archive_fails, fails) {
        (false, true) => {
            let why = report.failure.unwrap_or_else(|| "the server's log says why".to_owned());
            site.note(format!("its log is not archived, {} files wait: {why}", report.waiting));
        }
        (true, false) => site.note("its log is archived again"),
        _ => {}
    }
    desk.note(&site.name, |known| known.archive_fails = fails);
    Ok(())
}

/// Takes the backup of the day when it is time, and deletes what it makes superfluous; says whether it took one.
async fn take_what_is_due(site: &Site, shown: &Shown, now: Timestamp) -> Result<bool, ProviderError> {
    let record = &shown.record;
    let Some(window) = Window::parse_daily(&record.wanted.backup_window) else { return Ok(false) };
    let schedule = Schedule { window, retention_days: record.wanted.backup_retention_days, name: site.name.clone() };
    let mut holdings = self::holdings(site).await?;
    let known = site.agent.desk.of(&site.name);
    // Listed, and not read back before whoever took it was killed: it counts when it was. What cannot be read now is tried by the next agent.
    let unproven = holdings
        .backups
        .iter()
        .find(|backup| backup.verified_at.is_none() && !backup.damaged && !known.unproven.contains(&backup.name));
    if let Some(name) = unproven.map(|backup| backup.name.clone()) {
        match prove_left(site, &name).await {
            Ok(()) => site.note(format!("verified the backup {name}, which was taken before the agent ended")),
            Err(error) => {
                site.note(format!(
                    "the backup {name}, which was taken before the agent ended, is not verified: {error}"
                ));
                site.agent.desk.note(&site.name, |known| {
                    known.unproven.insert(name);
                });
            }
        }
        holdings = self::holdings(site).await?;
    }
    let is_due_of = |backups| due(&schedule, backups, known.failed, now) == Due::Now;
    // A hole that the last one taken for it did not end, the next one would not end either.
    let mends = known.mended_at.is_none_or(|at| at.elapsed() > MEND_EVERY) && has_hole(&holdings);
    let is_due = is_due_of(if mends { &[] } else { &holdings.backups });
    if is_due {
        let name = format!("{}-auto-{}", site.name, now.strftime("%Y%m%dt%H%M%Sz"));
        let what = Taking { name, kind: BackupKind::Automated, node: server_for(shown), come: Arc::default() };
        let taken = take(site, record, &what, |_| {}).await?;
        if mends {
            site.agent.desk.note(&site.name, |known| known.mended_at = Some(Instant::now()));
        }
        site.note(format!("took and verified the backup {} of {}, {} bytes", taken.name, what.node, taken.bytes));
    }
    if is_due || known.expired_at.is_none_or(|at| now.duration_since(at) > EXPIRE_EVERY) {
        let days = record.wanted.backup_retention_days;
        let retention = Retention { days, point_in_time: record.wanted.point_in_time };
        let own = site.clone();
        let deleted = blocking(move || delete_superfluous(&own, retention, now)).await?;
        if deleted > 0 {
            site.note(format!("deleted {deleted} backups and files of the log that are past their {days} days"));
        }
        site.agent.desk.note(&site.name, |known| known.expired_at = Some(now));
    }
    Ok(is_due)
}

/// Whether the log after every backup has a hole: nothing behind it could be restored until the next one is taken. After every one, since
/// the last is not the one with the latest time where a clock was set back.
fn has_hole(holdings: &Holdings) -> bool {
    let mut whole = holdings.backups.iter().filter(|backup| !backup.damaged).peekable();
    whole.peek().is_some() && whole.all(|backup| log::hole_after(holdings, backup).is_some())
}

/// Whether it is older than what is to be restorable: log after a backup that somebody asked for is kept as long as log after
/// one of the schedule, which is taken later where a database is new.
pub fn is_past(deletion: &Deletion, holdings: &Holdings, retention: Retention, now: Timestamp) -> bool {
    let Deletion::Wal(name) = deletion else { return true };
    let file = holdings.wal.iter().find(|file| file.name == *name);
    // Where it is not told when it was written: it was stored later.
    let written_at = file.and_then(|file| file.written_at.or(file.stored_at));
    let kept = SignedDuration::from_hours(24 * i64::from(retention.days));
    written_at.is_some_and(|at| now.duration_since(at) > kept)
}

/// Deletes what is past its retention, oldest first; says how much that was. Blocking.
fn delete_superfluous(site: &Site, retention: Retention, now: Timestamp) -> Result<usize, ProviderError> {
    let Some(repository) = store::open_if_there(&site.agent)? else { return Ok(0) };
    let Some(current) = archive::known_generation(site)? else { return Ok(0) };
    let mut deleted = 0;
    let holdings = current.holdings().map_err(store::refused)?;
    for generation in store::generations(&repository, &site.name)? {
        let (number, mine) = (generation.info().number, current.info().number);
        let what = if number > mine {
            // Another machine went on with it, from the same bucket.
            continue;
        } else if number == mine {
            generation.clear_unfinished().map_err(store::refused)?;
            let is_old = |deletion: &Deletion| is_past(deletion, &holdings, retention, now);
            expire(&holdings, retention, now).into_iter().filter(is_old).collect()
        } else {
            let ended = generation.holdings().map_err(store::refused)?;
            let clusters =
                Clusters { ended: generation.info().system_identifier, successor: current.info().system_identifier };
            expire_ended(&ended, &holdings, clusters, retention, now)
        };
        generation.delete(&what).map_err(store::refused)?;
        deleted += what.len();
    }
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use pgherd_core::backups::{SegmentName, Timeline, WalFile, WalName};

    use super::*;

    /// A bucket tells when something was stored, and not when it was written.
    #[test]
    fn log_in_a_bucket_is_as_old_as_it_was_stored() {
        let now: Timestamp = "2026-11-23T05:00:00Z".parse().expect("a time");
        let name = WalName::Segment(SegmentName::new(Timeline(1), 7, 16 << 20));
        let ago = |hours: Option<i64>| hours.map(|hours| now - SignedDuration::from_hours(hours));
        let check = |written: Option<i64>, stored: Option<i64>| {
            let file = WalFile { name, bytes: 1, written_at: ago(written), stored_at: ago(stored) };
            let holdings = Holdings { wal: vec![file], ..Holdings::default() };
            is_past(&Deletion::Wal(name), &holdings, Retention { days: 7, point_in_time: true }, now)
        };
        assert!(check(None, Some(7 * 24 + 1)) && !check(None, Some(7 * 24 - 1)));
        // What was stored long after it was written, by a server whose archive failed, is as old as it is.
        assert!(check(Some(7 * 24 + 1), Some(1)) && !check(Some(1), Some(1)));
        assert!(!check(None, None), "nobody knows");
    }
}
