//! Which backup and which log a restore is made of.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use pgherd_archive::{ErrorKind as Stored, Generation, Repository};
use pgherd_core::backups::{Backup, BackupKind, Lsn, WalName, kept_for_changes, reach};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::log::{Hole, hole_after, log_after};
use super::{archive, rest, second, serving, store};
use crate::supervisor::agent::Agent;
use crate::supervisor::messages::RestorePoint;
use crate::supervisor::site::{Site, blocking};

/// What a copy is made of.
#[derive(Clone)]
pub struct Source {
    /// Where the backup is.
    pub generation: Generation,
    /// Which.
    pub backup: Backup,
    /// What was found of its server, where that serves no more; `None`: everything it had committed is archived, or nothing of it is needed.
    pub lost: Option<Lost>,
}

/// Of a server that served no more when what it had committed was to be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// How much of its log was archived in its place, or why nothing could be.
    pub archived: Result<usize, String>,
}

/// What a backup is known by: its repository, generation and name.
pub type Key = (String, u32, String);
/// Backups that turned out not to be usable.
pub type Unusable = BTreeSet<Key>;

/// What a backup is known by among those.
pub fn key(source: &Source) -> Key {
    key_of(&source.generation, &source.backup.name)
}

fn key_of(generation: &Generation, name: &str) -> Key {
    (generation.repository().location().to_string(), generation.info().number, name.to_owned())
}

/// Whether it is known not to be usable, or what it holds the changes since.
fn is_among(unusable: &Unusable, Source { generation, backup, .. }: &Source) -> bool {
    let mut names = backup.base.iter().chain([&backup.name]);
    names.any(|name| unusable.contains(&key_of(generation, name)))
}

/// What a point of an instance is restored from, but for what is not usable. What a server that runs has committed is archived first.
pub async fn find(
    agent: &Arc<Agent>,
    of: &str,
    point: &RestorePoint,
    unusable: &Unusable,
) -> Result<Source, ProviderError> {
    let mut lost = None;
    // Where nothing can be looked at, the second repository may still have it.
    if !is_archived_already(agent, of, point).await.unwrap_or(false) {
        match serving::finish_segment(agent, of).await {
            Ok(true) => {}
            Ok(false) => lost = rest::archive_finished(agent, of).await,
            Err(error) if *point == RestorePoint::Latest => return Err(error),
            // PostgreSQL says so when it does not come to it.
            Err(error) => tracing::warn!(instance = of, "{error}"),
        }
    }
    let source = look(agent, of, point, unusable).await?;
    Ok(Source { lost, ..source })
}

fn refuse_future(point: &RestorePoint) -> Result<(), ProviderError> {
    if let RestorePoint::At(at) = point
        && *at > Timestamp::now()
    {
        return Err(ProviderError::new(ErrorKind::Invalid, format!("{at} is in the future")));
    }
    Ok(())
}

/// The same of what is stored now: nothing is asked of a server.
pub async fn look(
    agent: &Arc<Agent>,
    of: &str,
    point: &RestorePoint,
    unusable: &Unusable,
) -> Result<Source, ProviderError> {
    refuse_future(point)?;
    let (agent, of, point, unusable) = (agent.clone(), of.to_owned(), point.clone(), unusable.clone());
    blocking(move || {
        let life = Life::of(&agent, &of)?;
        let first = store::open_if_there(&agent).and_then(|repository| repository.ok_or_else(|| nothing(&of)));
        let source = match first.and_then(|repository| look_up(&repository, &of, &point, life, &unusable)) {
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::Unavailable | ErrorKind::Conflict) => {
                let Some(repository) = second::open_if_there(&agent)? else { return Err(error) };
                let source = look_up(&repository, &of, &point, life, &unusable);
                let source = source.map_err(|there| if says_less(&there, &error) { error.clone() } else { there })?;
                if point == RestorePoint::Latest && life.current.is_some() {
                    return Err(of_a_copy(&source, &of, &error));
                }
                source
            }
            other => other?,
        };
        if point != RestorePoint::Latest {
            return Ok(source);
        }
        let Err(error) = refuse_hole(&source, &of) else { return Ok(source) };
        let whole = superset(&agent, &of, &point, life, &source, &unusable);
        whole.ok_or_else(|| name_the_copy(&agent, &of, &point, life, &unusable, error))
    })
    .await
}

/// Whether what the second repository refuses with says less than what the first one did.
fn says_less(there: &ProviderError, here: &ProviderError) -> bool {
    there.kind == ErrorKind::NotFound || here.kind == ErrorKind::Conflict
}

/// What is in the second repository alone of a database that is there may lack what was archived last: nobody is to lose that without
/// having chosen to.
fn of_a_copy(source: &Source, of: &str, error: &ProviderError) -> ProviderError {
    let (place, until) = (source.generation.repository().location(), reach_of(source));
    let message = format!(
        "{}; the second repository {place} has {of} up to {}, and what was archived after that may be in the first one only",
        error.message,
        until.map_or_else(|| format!("the backup {}", source.backup.name), |until| until.to_string())
    );
    let choice = match until {
        Some(until) => format!("--at {until} restores all of that"),
        None => format!("--backup {} restores that", source.backup.name),
    };
    ProviderError::new(ErrorKind::Conflict, message)
        .help(format!("mount the disk of the first one and repeat; {choice}"))
}

/// Says what the second repository has, where the first one has a hole and the second may lack something else.
fn name_the_copy(
    agent: &Agent,
    of: &str,
    point: &RestorePoint,
    life: Life,
    unusable: &Unusable,
    error: ProviderError,
) -> ProviderError {
    let second = second::open_if_there(agent).ok().flatten();
    let found = second.and_then(|second| look_up(&second, of, point, life, unusable).ok());
    let Some(source) = found.filter(|source| refuse_hole(source, of).is_ok()) else { return error };
    let (place, until) = (source.generation.repository().location(), reach_of(&source));
    let until = until.map_or_else(|| format!("the backup {}", source.backup.name), |until| until.to_string());
    let help = format!(
        "{}; the second repository {place} has no hole and reaches to {until}, which is less than what is here: move the first one away \
         to restore from it",
        error.help
    );
    ProviderError::new(error.kind, error.message).help(help)
}

/// The same from the second repository, where that has all of the log that the first one has, and no hole in it.
fn superset(
    agent: &Agent,
    of: &str,
    point: &RestorePoint,
    life: Life,
    source: &Source,
    unusable: &Unusable,
) -> Option<Source> {
    let second = second::open_if_there(agent).ok()??;
    let there = look_up(&second, of, point, life, unusable).ok()?;
    let (ours, theirs) = (source.generation.holdings().ok()?, there.generation.holdings().ok()?);
    let names: BTreeSet<WalName> = theirs.wal.iter().map(|file| file.name).collect();
    let has_all = ours.wal.iter().all(|file| names.contains(&file.name));
    let is_same = there.generation.info().id == source.generation.info().id;
    (is_same && has_all && refuse_hole(&there, of).is_ok()).then_some(there)
}

/// What can take the place of what could not be replayed: all of it as the second repository has it, where that has it all.
pub async fn elsewhere(
    agent: &Arc<Agent>,
    of: &str,
    point: &RestorePoint,
    source: &Source,
    unusable: &Unusable,
) -> Option<Source> {
    let (agent, of, point) = (agent.clone(), of.to_owned(), point.clone());
    let (source, unusable) = (source.clone(), unusable.clone());
    let lost = source.lost.clone();
    let found = blocking(move || Ok(superset(&agent, &of, &point, Life::of(&agent, &of)?, &source, &unusable))).await;
    // What only its server has is missing there, too, and that is said.
    found.ok().flatten().map(|there| Source { lost, ..there })
}

/// What is wrong where a backup could not be restored, if it is a backup: the one that holds everything, or the one that holds the changes
/// since. Which is damaged is written down, so that it takes the place of no other any more.
pub async fn what_is_unusable(source: &Source) -> Option<Key> {
    let source = source.clone();
    let read = move || {
        let Source { generation, backup, .. } = &source;
        for name in backup.base.iter().chain([&backup.name]) {
            let read = generation.open_backup(name).and_then(|stored| stored.verify_sealed(|_| {}));
            let Err(error) = read else { continue };
            if error.kind == Stored::Damaged
                && let Err(error) = generation.set_damaged(name, Timestamp::now())
            {
                tracing::warn!("that the backup {name} is damaged cannot be written down: {error}");
            }
            if matches!(error.kind, Stored::Damaged | Stored::Unavailable | Stored::Absent) {
                return Ok(Some(key_of(generation, name)));
            }
        }
        Ok(None)
    };
    blocking(read).await.ok().flatten()
}

fn reach_of(source: &Source) -> Option<Timestamp> {
    log_after(&source.generation, &source.backup).ok()?.until
}

/// Whether what a restore needs of the log is stored, however the archive is doing now.
async fn is_archived_already(agent: &Arc<Agent>, of: &str, point: &RestorePoint) -> Result<bool, ProviderError> {
    let at = match point {
        RestorePoint::At(at) => *at,
        RestorePoint::Lsn(_) | RestorePoint::Latest => return Ok(false),
        RestorePoint::Backup(_) | RestorePoint::Now => return Ok(true),
    };
    let site = Site::of(agent.clone(), of);
    blocking(move || {
        let Some(generation) = archive::known_generation(&site)? else { return Ok(false) };
        let holdings = generation.holdings().map_err(store::refused)?;
        Ok(reach(&holdings).iter().any(|reach| reach.from <= at && at < reach.to))
    })
    .await
}

/// A restore of the latest ends at the first hole in the log, and PostgreSQL takes that for the end of all.
fn refuse_hole(source: &Source, of: &str) -> Result<(), ProviderError> {
    let holdings = source.generation.holdings().map_err(store::refused)?;
    let message = match hole_after(&holdings, &source.backup) {
        None => return Ok(()),
        Some(Hole::Gap(gap, until)) => {
            let until = until.map_or_else(|| "the backup itself".to_owned(), |until| until.to_string());
            format!(
                "the archived log of {of} has a gap: {} files from {} on are missing, so it can be replayed up to {until} only",
                gap.segments, gap.first
            )
        }
        Some(Hole::History(timeline)) => format!(
            "the archived log of {of} lacks {}, so what was written after the failover to that timeline cannot be replayed",
            WalName::History(timeline)
        ),
    };
    Err(ProviderError::new(ErrorKind::Conflict, message)
        .help(format!("--at with a moment before, or --backup {}, restores what there is", source.backup.name)))
}

/// Which of the databases that had a name is meant.
#[derive(Debug, Clone, Copy)]
struct Life {
    /// Whether there is one.
    lives: bool,
    /// The generation it has its backups in.
    current: Option<u32>,
}

impl Life {
    fn of(agent: &Arc<Agent>, name: &str) -> Result<Self, ProviderError> {
        let current = archive::current_number(&Site::of(agent.clone(), name))?;
        Ok(Self { lives: agent.shown(name).is_ok(), current })
    }
}

fn look_up(
    repository: &Repository,
    of: &str,
    point: &RestorePoint,
    life: Life,
    unusable: &Unusable,
) -> Result<Source, ProviderError> {
    let mut all = Vec::new();
    // Which have no log behind them any more.
    let mut without_log = BTreeSet::new();
    for generation in store::readable_generations(repository, of)? {
        let backups = generation.backups().map_err(store::refused)?;
        if backups.iter().any(|backup| backup.base.is_some()) {
            let holdings = generation.holdings().map_err(store::refused)?;
            without_log.extend(kept_for_changes(&holdings).into_iter().map(|name| key_of(&generation, name)));
        }
        for backup in backups {
            all.push(Source { generation: generation.clone(), backup, lost: None });
        }
    }
    if all.is_empty() {
        return Err(nothing(of));
    }
    let damaged: BTreeSet<String> = all
        .iter()
        .filter(|source| source.backup.damaged || is_among(unusable, source))
        .map(|source| source.backup.name.clone())
        .collect();
    let is_damaged = |name: &str| damaged.contains(name);
    let is_usable = |source: &Source| !source.backup.damaged && !is_among(unusable, source);
    let whole = all.into_iter().filter(is_usable).collect::<Vec<_>>();
    // In the order in which they were taken, which is also that of the generations.
    let last = |fits: &dyn Fn(&Source) -> bool| whole.iter().rfind(|source| fits(source)).cloned();
    let refuse =
        |message: String| ProviderError::new(ErrorKind::NotFound, message).help("pgherd backups lists what there is");
    match point {
        // An earlier database of the name is not what this one held last.
        RestorePoint::Latest | RestorePoint::Now => {
            let is_its = |source: &Source| !life.lives || Some(source.generation.info().number) == life.current;
            let found = last(&is_its).ok_or_else(|| {
                let refusal = refuse(format!("there is no whole backup of {of} as it is now"));
                // One that was made, or put back, a moment ago.
                if life.lives {
                    refusal.help("pgherd backup takes one now; by itself it comes within minutes")
                } else {
                    refusal
                }
            })?;
            // What nobody says to be the last one of a database that is gone is chosen on purpose, or not at all.
            match what_is_newer(repository, of, &found).map_err(store::refused)?.filter(|_| !life.lives) {
                None => Ok(found),
                Some(newer) => {
                    let name = &found.backup.name;
                    let message = format!("{newer} is newer than {name}, the last backup of {of} that can be used");
                    Err(ProviderError::new(ErrorKind::Conflict, message).help(format!(
                        "--backup {name}, or --at with a moment after it, restores what there is before that"
                    )))
                }
            }
        }
        RestorePoint::Backup(name) => {
            last(&|source| source.backup.name == *name).ok_or_else(|| match is_damaged(name) {
                true => refuse(format!("the backup {name} of {of} is damaged")),
                false => refuse(format!("there is no backup {name} of {of}")),
            })
        }
        RestorePoint::At(at) => last(&|source| source.backup.finished_at <= *at && !without_log.contains(&key(source)))
            .ok_or_else(|| refuse(format!("no backup of {of} is from before {at}"))),
        RestorePoint::Lsn(text) => {
            let lsn: Lsn = text.parse().map_err(|_| {
                ProviderError::new(ErrorKind::Invalid, format!("{text} is no place in the log such as 0/3000148"))
            })?;
            // What was restored in its place goes on with the log of before. An earlier database of the name had a log of its own.
            let newest = whole.iter().max_by_key(|source| source.generation.info().number);
            let cluster = newest.map(|source| source.generation.info().system_identifier);
            let fits = |source: &Source| {
                Some(source.generation.info().system_identifier) == cluster
                    && source.backup.end_lsn <= lsn
                    && !without_log.contains(&key(source))
            };
            last(&fits).ok_or_else(|| refuse(format!("no backup of {of} is from before {lsn}")))
        }
    }
}

/// Something that was stored after a backup and cannot be used: a generation, or a last backup; `None`: there is nothing.
fn what_is_newer(repository: &Repository, of: &str, found: &Source) -> pgherd_archive::Result<Option<String>> {
    let number = found.generation.info().number;
    if let Some(newer) = repository.numbers(of)?.into_iter().rfind(|newest| *newest > number) {
        return Ok(Some(format!("what is stored as generation {newer}")));
    }
    let listed = found.generation.backups()?;
    let is_damaged = |backup: &&Backup| backup.kind == BackupKind::Final && backup.taken_at > found.backup.taken_at;
    if let Some(last) = listed.iter().rfind(is_damaged) {
        return Ok(Some(format!("the backup {}, which is damaged,", last.name)));
    }
    for name in found.generation.backup_names()? {
        let is_listed = listed.iter().any(|backup| backup.name == name);
        // One that was begun and never finished is none.
        let is_lost = !is_listed && found.generation.open_backup(&name).is_err_and(|error| is_damage(&error));
        if is_lost {
            return Ok(Some(format!("the backup {name}, whose description is damaged, may be one that")));
        }
    }
    Ok(None)
}

fn is_damage(error: &pgherd_archive::ArchiveError) -> bool {
    error.kind == pgherd_archive::ErrorKind::Damaged
}

fn nothing(of: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("nothing is stored of {of}"))
        .help("pgherd backup takes a backup of one that runs; pgherd clone copies it as it is")
}
