//! Keeping the second repository in step: each instance by itself, the newest database of a name first, its log before its backups.
//!
//! A copy of a large backup takes hours. It lets others in ([`super::turn`]), looks for new log once a minute between two objects, and says
//! all along how far it is.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_archive::{Copies, Generation, Heard, Lag, Location, Repository, copy, copy_while, lag};
use pgherd_core::backups::{Backup, Retention};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::expire::delete_superfluous;
use super::turn::{AtWork, Turn};
use super::{make, place, while_heard, within};
use crate::supervisor::agent::Agent;
use crate::supervisor::backups::{archive, store};
use crate::supervisor::messages::CopyReport;
use crate::supervisor::requests::Shown;
use crate::supervisor::site::{Site, blocking};

/// How often is looked what there is to copy.
const EVERY: Duration = Duration::from_secs(5);
/// So many times as long as a look took nothing is done, up to a limit: looking at many files is work.
const REST: u32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Who was cut short lets others in for so long.
const ASIDE: Duration = Duration::from_secs(1);
/// Between two objects it is looked for new log when the last look is that long ago.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How long whoever is at work may take to let in who copies the last of a database, and the place to answer at all.
const LET_IN_WITHIN: Duration = Duration::from_secs(60);
/// A place that takes nothing for so long does not answer: longer than two requests of a bucket may take, of which each moves a part.
const SILENCE: Duration = Duration::from_secs(11 * 60);
const WITHOUT_LAST: &str = "the last backup is not in the second repository";
/// How often it is told how far a copy is.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// How often is looked for what nobody needs any more there.
const EXPIRE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How often all of it is listed: what vanished there is copied again.
const LIST_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// A copy that is this far behind is a warning.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// So is one of which nothing was heard for so long: a look at very much takes its time.
const UNHEARD: SignedDuration = SignedDuration::from_mins(20);

/// What is remembered between two turns of an instance.
#[derive(Default)]
struct Memory {
    /// By the identity of the generation: another one may get its number.
    copies: BTreeMap<String, Copies>,
    /// Where they are.
    place: Option<Location>,
    expired_at: Option<Timestamp>,
}

/// Keeps it in step until the agent ends.
pub async fn keep(agent: Arc<Agent>, mut stop: watch::Receiver<bool>) {
    let mut at_work: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        at_work.retain(|_, task| !task.is_finished());
        for shown in agent.all() {
            let name = shown.record.name;
            let site = Site::of(agent.clone(), &name);
            at_work.entry(name).or_insert_with(|| tokio::spawn(look_after(site)));
        }
    }
    // What is being copied may be cut short anywhere.
    at_work.values().for_each(JoinHandle::abort);
}

/// Keeps the copy of one instance in step for as long as there is one. No other waits for it.
async fn look_after(site: Site) {
    let memory = Arc::new(Mutex::new(Memory::default()));
    while let Ok(shown) = site.agent.shown(&site.name) {
        let (begun, site, memory) = (Instant::now(), site.clone(), memory.clone());
        let turn =
            blocking(move || Ok(tend(&site, &shown, &mut memory.lock().unwrap_or_else(PoisonError::into_inner))));
        let rest = match turn.await.unwrap_or(Turned::Nothing) {
            Turned::CutShort => ASIDE,
            // Whoever copied has waited for that, and there may be more by now.
            Turned::Copied => EVERY,
            Turned::Nothing => EVERY.max((begun.elapsed() * REST).min(LONGEST_REST)),
        };
        tokio::time::sleep(rest).await;
    }
}

/// What a turn did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turned {
    /// There was nothing to copy, or it could not be.
    Nothing,
    /// All there was to copy.
    Copied,
    /// Some of it.
    CutShort,
}

/// What is told of a copy, while it is made as well.
struct Told<'a> {
    site: &'a Site,
    report: CopyReport,
    told_at: Instant,
}

impl Told<'_> {
    fn tell(&mut self) {
        self.told_at = Instant::now();
        // Of one that is gone by now nobody is to hear when there is another one of the name.
        if self.site.agent.shown(&self.site.name).is_ok() {
            let report = self.report.clone();
            self.site.agent.desk.note(&self.site.name, |known| known.second = Some(report));
        }
    }

    /// So much of what is behind is there.
    fn come(&mut self, bytes: u64) {
        self.report.bytes = self.report.bytes.saturating_sub(bytes);
        if self.told_at.elapsed() >= TELL_EVERY {
            self.tell();
        }
    }
}

/// Keeps the copy of one instance in step.
fn tend(site: &Site, shown: &Shown, memory: &mut Memory) -> Turned {
    let wanted = &shown.record.wanted;
    let desk = &site.agent.desk;
    if !wanted.geo_redundant_backup || wanted.backup_retention_days == 0 || !archive::settings_file(site).exists() {
        desk.note(&site.name, |known| known.second = None);
        *memory = Memory::default();
        return Turned::Nothing;
    }
    let (before, begun_at) = (desk.of(&site.name).second, Timestamp::now());
    let retention = Retention { days: wanted.backup_retention_days, point_in_time: wanted.point_in_time };
    let report = before.clone().unwrap_or_else(|| CopyReport {
        place: String::new(),
        kept_since: Some(begun_at),
        in_step_at: None,
        objects: 0,
        segments: 0,
        bytes: 0,
        behind_since: None,
        only_there: Vec::new(),
        failure: None,
    });
    let mut told = Told { site, report, told_at: Instant::now() };
    if before.is_none() {
        // Of one that never answers it is known since when.
        told.tell();
    }
    let looked = keep_in_step(site, retention, memory, &mut told);
    let turned = *looked.as_ref().unwrap_or(&Turned::Nothing);
    let failed = before.and_then(|before| before.failure);
    let report = &mut told.report;
    report.failure = match looked {
        // What was wrong is not looked at again before all was copied.
        Ok(Turned::CutShort) => failed.clone(),
        Ok(Turned::Copied | Turned::Nothing) => None,
        Err(error) => Some(error.message),
    };
    if report.failure.is_none() && report.objects == 0 && turned != Turned::CutShort {
        // What came while it was looked is not known to be there.
        report.in_step_at = Some(begun_at);
    }
    match (&failed, &report.failure) {
        (None, Some(why)) => site.note(format!("its copy in the second repository is not kept in step: {why}")),
        (Some(_), None) => site.note("its copy in the second repository is kept in step again"),
        _ => {}
    }
    told.tell();
    turned
}

fn keep_in_step(
    site: &Site,
    retention: Retention,
    memory: &mut Memory,
    told: &mut Told<'_>,
) -> Result<Turned, ProviderError> {
    let turn = Turn::of(&site.name);
    let _at_work = turn.take();
    let agent = &site.agent;
    let place = place(&agent.options.paths)?.ok_or_else(|| {
        let file = agent.options.paths.second_repository().display().to_string();
        ProviderError::new(ErrorKind::NotFound, format!("{file} names no second repository"))
    })?;
    told.report.place = place.location.to_string();
    if memory.place.as_ref() != Some(&place.location) {
        *memory = Memory { place: Some(place.location.clone()), ..Memory::default() };
    }
    let Some(first) = store::open_if_there(agent)? else {
        return Err(ProviderError::new(ErrorKind::Unavailable, "the first repository is not there"));
    };
    let second = make(agent, &place)?;
    if agent.desk.of(&site.name).second_changed {
        agent.desk.note(&site.name, |known| known.second_changed = false);
        memory.copies.clear();
    }
    let turned = copy_all(site, &first, &second, &turn, memory, told)?;
    if turned == Turned::CutShort {
        return Ok(turned);
    }
    let now = Timestamp::now();
    if memory.expired_at.is_none_or(|at| now.duration_since(at) > EXPIRE_EVERY) {
        if let Some(current) = archive::known_generation(site)? {
            let deleted = delete_superfluous(&current, &first, &second, retention, now)?;
            if deleted > 0 {
                site.note(format!("deleted {deleted} backups and files of the log from the second repository"));
                memory.copies.clear();
            }
        }
        memory.expired_at = Some(now);
    }
    Ok(turned)
}

/// Copies all generations of an instance, the newest first. What is wrong with one is told, and stops no other.
fn copy_all(
    site: &Site,
    first: &Repository,
    second: &Repository,
    turn: &Turn,
    memory: &mut Memory,
    told: &mut Told<'_>,
) -> Result<Turned, ProviderError> {
    let mut trouble = None;
    let mut turned = Turned::Nothing;
    let mut behind = Lag::default();
    for number in first.numbers(&site.name).map_err(store::refused)?.into_iter().rev() {
        let generation = match first.generation(&site.name, number) {
            Ok(generation) => generation,
            // Being made, or being deleted.
            Err(error) if error.kind == pgherd_archive::ErrorKind::Absent => continue,
            Err(error) => {
                trouble.get_or_insert(error);
                continue;
            }
        };
        let copies = memory.copies.entry(generation.info().id.clone()).or_default();
        copies.forget_after(LIST_EVERY);
        // Without an answer it is not known how far behind it is, but for what is known of before.
        let mut own = match lag(&generation, second, copies) {
            Ok(own) => own,
            Err(error) => {
                trouble.get_or_insert(error);
                continue;
            }
        };
        if own.objects > 0 {
            told.report = report(&told.report, &behind, &own);
            told.tell();
            // Not since it was begun to list what there is, which may take longer than that.
            let begun = Instant::now();
            let goes_on = |heard| {
                if let Heard::Bytes(bytes) = heard {
                    told.come(bytes);
                }
                turn.goes_on() && (heard != Heard::Between || begun.elapsed() < LOOK_AGAIN)
            };
            match copy_while(&generation, second, copies, goes_on) {
                Ok(copied) if copied.cut_short => return Ok(Turned::CutShort),
                Ok(_) => turned = Turned::Copied,
                Err(error) => drop(trouble.get_or_insert(error)),
            }
            match lag(&generation, second, copies) {
                Ok(now) => own = now,
                Err(error) => drop(trouble.get_or_insert(error)),
            }
        }
        let unlisted = own.unlisted.take();
        trouble = trouble.or(unlisted);
        behind = sum(behind, own);
    }
    told.report = report(&told.report, &behind, &Lag::default());
    match trouble {
        Some(error) => Err(store::refused(error)),
        None => Ok(turned),
    }
}

fn sum(one: Lag, other: Lag) -> Lag {
    Lag {
        objects: one.objects + other.objects,
        segments: one.segments + other.segments,
        bytes: one.bytes + other.bytes,
        since: one.since.into_iter().chain(other.since).min(),
        only_there: one.only_there.into_iter().chain(other.only_there).collect(),
        unlisted: one.unlisted.or(other.unlisted),
    }
}

/// What is told when so much is behind.
fn report(before: &CopyReport, one: &Lag, other: &Lag) -> CopyReport {
    let Lag { objects, segments, bytes, since, only_there, .. } = sum(one.clone(), other.clone());
    CopyReport { objects, segments, bytes, behind_since: since, only_there, ..before.clone() }
}

/// Copies what an instance that is to go has stored so far, while it serves: what is left for [`copy_last`] is the last backup. What is
/// wrong with what is here is told there. Blocking.
pub fn copy_before_last(site: &Site) -> Result<(), ProviderError> {
    let Some(generation) = archive::known_generation(site)? else { return Ok(()) };
    let Some(second) = open_in_time(site)? else { return Ok(()) };
    let own = site.clone();
    let copied = while_heard(SILENCE, move |heard| {
        let turn = Turn::of(&own.name);
        let _at_work = let_in(&own, &turn)?;
        Ok(copy(&generation, &second, &mut Copies::default(), |bytes| _ = heard.fetch_add(bytes, Ordering::Relaxed)))
    });
    match copied.map_err(|error| hangs(site, error))? {
        Err(error) if matches!(error.kind, pgherd_archive::ErrorKind::Full | pgherd_archive::ErrorKind::Denied) => {
            Err(without_last(site, &store::refused(error)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What somebody said who never came to the last backup; it has been said of it where it was not let in.
fn hangs(site: &Site, error: ProviderError) -> ProviderError {
    if error.message.starts_with(WITHOUT_LAST) { error } else { without_last(site, &error) }
}

/// The second repository; `None`: there is to be none.
fn open_in_time(site: &Site) -> Result<Option<Repository>, ProviderError> {
    let agent = site.agent.clone();
    let open =
        move || place(&agent.options.paths)?.map(|place: pgherd_archive::Place| make(&agent, &place)).transpose();
    within(LET_IN_WITHIN, open).map_err(|error| without_last(site, &error))
}

fn let_in<'a>(site: &Site, turn: &'a Turn) -> Result<AtWork<'a>, ProviderError> {
    turn.take_within(LET_IN_WITHIN).ok_or_else(|| {
        let message = format!("whoever copies to it does not answer within {} s", LET_IN_WITHIN.as_secs());
        without_last(site, &ProviderError::new(ErrorKind::Unavailable, message))
    })
}

/// Copies what an instance that is to go has stored: nobody looks after it from then on. What is damaged here is told and left behind, as
/// long as the last backup is there, whole; where it is not, the instance stays. Blocking.
pub fn copy_last(site: &Site, last: &Backup) -> Result<(), ProviderError> {
    let Some(generation) = archive::known_generation(site)? else { return Ok(()) };
    let Some(second) = open_in_time(site)? else { return Ok(()) };
    let (own, last) = (site.clone(), last.clone());
    let copied = while_heard(SILENCE, move |heard| {
        let turn = Turn::of(&own.name);
        let _at_work = let_in(&own, &turn)?;
        let come = |bytes| _ = heard.fetch_add(bytes, Ordering::Relaxed);
        let trouble = copy(&generation, &second, &mut Copies::default(), come).map_err(store::refused).err();
        Ok((trouble, is_there(&second, &generation, &last)?))
    });
    let (trouble, is_there) = copied.map_err(|error| hangs(site, error))?;
    if !is_there {
        let lost = || ProviderError::new(ErrorKind::Unavailable, "it was copied, and is not listed there");
        return Err(without_last(site, &trouble.unwrap_or_else(lost)));
    }
    if let Some(trouble) = trouble {
        site.note(format!("the last backup is in the second repository; other things stored of it are not: {trouble}"));
    }
    Ok(())
}

/// Whether a backup is there, whole by what is listed: what was copied was verified.
fn is_there(second: &Repository, generation: &Generation, backup: &Backup) -> Result<bool, ProviderError> {
    let there = second.generation(generation.instance(), generation.info().number).map_err(store::refused)?;
    let is_it = |known: &Backup| known.name == backup.name && known.taken_at == backup.taken_at && !known.damaged;
    Ok(there.info().id == generation.info().id && there.backups().map_err(store::refused)?.iter().any(is_it))
}

fn without_last(site: &Site, error: &ProviderError) -> ProviderError {
    let file = site.agent.options.paths.second_repository();
    let message = format!("{WITHOUT_LAST}: {}", error.message);
    ProviderError::new(error.kind, message)
        .help(format!("bring it back and repeat; to do without it remove {}", file.display()))
}

/// What is not as it should be, in words.
pub fn warning(report: &CopyReport, now: Timestamp) -> Option<String> {
    let CopyReport { place, kept_since, in_step_at, segments, behind_since, failure, .. } = report;
    let late = behind_since.filter(|since| now.duration_since(*since) > LATE);
    let heard_at = (*in_step_at).max(*kept_since).filter(|_| behind_since.is_none());
    match (failure, late) {
        (Some(why), None) => Some(format!("the second repository is not kept in step: {why}")),
        (Some(why), Some(since)) => Some(format!("the second repository has nothing from {since} on: {why}")),
        (None, Some(since)) => Some(format!(
            "the second repository {place} is behind since {since}, by {segments} files of the log and more"
        )),
        (None, None) => heard_at.filter(|at| now.duration_since(*at) > UNHEARD).map(|at| {
            let place = if place.is_empty() { String::new() } else { format!(" {place}") };
            format!("nothing was heard of the second repository{place} since {at}: it may not answer at all")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_far_behind_fails_or_does_not_answer_is_a_warning() {
        let now: Timestamp = "2026-11-23T03:00:00Z".parse().expect("a time");
        let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
        let report = |minutes: Option<i64>, failure: Option<&str>| CopyReport {
            place: "/mnt/backups".to_owned(),
            kept_since: Some(ago(600)),
            in_step_at: Some(ago(1)),
            objects: 3,
            segments: 2,
            bytes: 9,
            behind_since: minutes.map(ago),
            only_there: Vec::new(),
            failure: failure.map(str::to_owned),
        };
        let warned = |minutes, failure| warning(&report(minutes, failure), now);
        assert_eq!(warned(None, None), None);
        assert_eq!(warned(Some(9), None), None);
        let words =
            "the second repository /mnt/backups is behind since 2026-11-23T02:40:00Z, by 2 files of the log and more";
        assert_eq!(warned(Some(20), None).as_deref(), Some(words));
        let words = "the second repository is not kept in step: it is full";
        assert_eq!(warned(Some(1), Some("it is full")).as_deref(), Some(words));
        let words = "the second repository has nothing from 2026-11-23T02:40:00Z on: it is full";
        assert_eq!(warned(Some(20), Some("it is full")).as_deref(), Some(words));
        // It hangs, since it was in step or from the first look on.
        let unheard = CopyReport { in_step_at: Some(ago(30)), ..report(None, None) };
        let words = "nothing was heard of the second repository /mnt/backups since 2026-11-23T02:30:00Z: it may not answer at all";
        assert_eq!(warning(&unheard, now).as_deref(), Some(words));
        let never = |minutes| CopyReport { in_step_at: None, kept_since: Some(ago(minutes)), ..report(None, None) };
        assert_eq!(warning(&never(10), now), None);
        assert!(warning(&CopyReport { place: String::new(), ..never(30) }, now).is_some());
    }
}
