//! The second repository of a state folder: a folder on another disk or a bucket, kept in step for the databases whose block asks for
//! it, and read where the first one has nothing.
//!
//! Its place is one line in the file `second-repository` of the state folder, read at every turn, with lines `AWS_…=…` behind it where
//! a bucket is not reached as the environment says. Invariant: what the first one loses stays in the second. From there goes only
//! what is past its retention by what is there, and the first one has no more: an empty first one, or one of which half is gone, deletes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_archive::{
    Access, Copies, Finding, Generation, Location, Options, Repository, copy, fetch, fetch_bytes, lag,
};
use pgherd_core::backups::{Backup, Deletion, Holdings, Lsn, Retention, expire, expire_ended};
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::{archive, store};
use crate::paths::Paths;
use crate::postgres::io_error;
use crate::supervisor::agent::Agent;
use crate::supervisor::files;
use crate::supervisor::messages::CopyReport;
use crate::supervisor::requests::Shown;
use crate::supervisor::site::{Site, blocking};

/// How often is looked what there is to copy.
const EVERY: Duration = Duration::from_secs(5);
/// So many times as long as a look took nothing is done, up to a limit: looking at many files is work.
const REST: u32 = 10;
const LONGEST_REST: Duration = Duration::from_secs(30);
/// How often is looked for what nobody needs any more there.
const EXPIRE_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// How often all of it is listed: what vanished there is copied again.
const LIST_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// A copy that is this far behind is a warning.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// How long a new database waits for it before it begins to archive.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Whoever copies or deletes there: what one does about a backup, another would take for somebody else's.
static TURN: Mutex<()> = Mutex::new(());

/// Where it is, and how it is reached.
struct Place {
    location: Location,
    access: Access,
}

/// What is remembered between two turns.
#[derive(Default)]
struct Memory {
    /// By instance and generation.
    copies: BTreeMap<(String, u32), Copies>,
    /// Where they are.
    place: Option<Location>,
    expired_at: BTreeMap<String, Timestamp>,
}

/// Keeps it in step until the agent ends.
pub async fn keep(agent: Arc<Agent>, mut stop: watch::Receiver<bool>) {
    let memory = Arc::new(Mutex::new(Memory::default()));
    let mut rest = EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        let (begun, mut copied) = (Instant::now(), false);
        for shown in agent.all() {
            let site = Site::of(agent.clone(), &shown.record.name);
            let memory = memory.clone();
            let turn =
                blocking(move || Ok(tend(&site, &shown, &mut memory.lock().unwrap_or_else(PoisonError::into_inner))));
            // What is being copied may be cut short anywhere.
            tokio::select! {
                turn = turn => copied |= turn.unwrap_or(false),
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
        // Whoever copied has waited for that, and there may be more by now.
        rest = if copied { EVERY } else { EVERY.max((begun.elapsed() * REST).min(LONGEST_REST)) };
    }
}

/// Keeps the copy of one instance in step; says whether there was something to copy.
fn tend(site: &Site, shown: &Shown, memory: &mut Memory) -> bool {
    let wanted = &shown.record.wanted;
    let desk = &site.agent.desk;
    if !wanted.geo_redundant_backup || wanted.backup_retention_days == 0 || !archive::settings_file(site).exists() {
        desk.note(&site.name, |known| known.second = None);
        return false;
    }
    let (before, begun_at) = (desk.of(&site.name).second, Timestamp::now());
    let retention = Retention { days: wanted.backup_retention_days, point_in_time: wanted.point_in_time };
    let mut report = CopyReport {
        place: String::new(),
        in_step_at: before.as_ref().and_then(|before| before.in_step_at),
        objects: 0,
        segments: 0,
        bytes: 0,
        behind_since: None,
        only_there: Vec::new(),
        failure: None,
    };
    let mut copied = 0;
    if let Err(error) = keep_in_step(site, retention, memory, &mut report, &mut copied) {
        report.failure = Some(error.message);
    } else if report.objects == 0 {
        // What came while it was looked is not known to be there.
        report.in_step_at = Some(begun_at);
    }
    let failed = before.and_then(|before| before.failure);
    match (&failed, &report.failure) {
        (None, Some(why)) => site.note(format!("its copy in the second repository is not kept in step: {why}")),
        (Some(_), None) => site.note("its copy in the second repository is kept in step again"),
        _ => {}
    }
    desk.note(&site.name, |known| known.second = Some(report));
    copied > 0
}

fn keep_in_step(
    site: &Site,
    retention: Retention,
    memory: &mut Memory,
    report: &mut CopyReport,
    copied: &mut usize,
) -> Result<(), ProviderError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let agent = &site.agent;
    let place = place(&agent.options.paths)?.ok_or_else(|| {
        let file = agent.options.paths.second_repository().display().to_string();
        ProviderError::new(ErrorKind::NotFound, format!("{file} names no second repository"))
    })?;
    report.place = place.location.to_string();
    if memory.place.as_ref() != Some(&place.location) {
        *memory = Memory { place: Some(place.location.clone()), ..Memory::default() };
    }
    let Some(first) = store::open_if_there(agent)? else {
        return Err(ProviderError::new(ErrorKind::Unavailable, "the first repository is not there"));
    };
    let second = make(agent, &place)?;
    if agent.desk.of(&site.name).second_changed {
        agent.desk.note(&site.name, |known| known.second_changed = false);
        memory.copies.retain(|(name, _), _| *name != site.name);
    }
    let (generations, findings) = first.readable_generations(&site.name).map_err(store::refused)?;
    // One that ended and cannot be read is told, and stops no other.
    let unread =
        |finding: Finding| ProviderError::new(ErrorKind::Invalid, format!("{}: {}", finding.at, finding.message));
    let mut trouble = findings.into_iter().next().map(unread);
    for generation in generations {
        let copies = memory.copies.entry((site.name.clone(), generation.info().number)).or_default();
        copies.forget_after(LIST_EVERY);
        match copy(&generation, &second, copies, |_| {}) {
            Ok(count) => *copied += count,
            Err(error) => drop(trouble.get_or_insert(store::refused(error))),
        }
        // Without an answer it is not known how far behind it is, but for what is known of before.
        if let Ok(behind) = lag(&generation, &second, copies) {
            report.objects += behind.objects;
            report.segments += behind.segments;
            report.only_there.extend(behind.only_there);
            report.bytes += behind.bytes;
            report.behind_since = report.behind_since.into_iter().chain(behind.since).min();
        }
    }
    if let Some(error) = trouble {
        return Err(error);
    }
    let now = Timestamp::now();
    if memory.expired_at.get(&site.name).is_none_or(|at| now.duration_since(*at) > EXPIRE_EVERY) {
        let deleted = delete_superfluous(site, &first, &second, retention, now)?;
        if deleted > 0 {
            site.note(format!("deleted {deleted} backups and files of the log from the second repository"));
            memory.copies.retain(|(name, _), _| *name != site.name);
        }
        memory.expired_at.insert(site.name.clone(), now);
    }
    Ok(())
}

/// Copies what an instance that is to go has stored: nobody looks after it from then on. Where that fails the instance stays, so the
/// backup was not its last one, and whoever asks again finds its name free. Blocking.
pub fn copy_last(site: &Site, name: &str) -> Result<(), ProviderError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let agent = &site.agent;
    let Some(place) = place(&agent.options.paths)? else { return Ok(()) };
    let Some(generation) = archive::known_generation(site)? else { return Ok(()) };
    let file = agent.options.paths.second_repository();
    let copied = make(agent, &place)
        .and_then(|second| copy(&generation, &second, &mut Copies::default(), |_| {}).map_err(store::refused));
    copied.map(drop).map_err(|error| {
        if let Err(error) = generation.delete(&[Deletion::Backup(name.to_owned())]) {
            tracing::warn!(instance = site.name, "{error}");
        }
        let message = format!("the last backup is not in the second repository: {}", error.message);
        ProviderError::new(error.kind, message)
            .help(format!("bring it back and repeat; to do without it remove {}", file.display()))
    })
}

/// Deletes there what is past its retention there, and not here any more.
fn delete_superfluous(
    site: &Site,
    first: &Repository,
    second: &Repository,
    retention: Retention,
    now: Timestamp,
) -> Result<usize, ProviderError> {
    let Some(current) = archive::known_generation(site)? else { return Ok(0) };
    let there = store::generations(second, &site.name)?;
    let Some(newest) = there.iter().find(|generation| generation.info().id == current.info().id) else { return Ok(0) };
    let newest_holdings = newest.holdings().map_err(store::refused)?;
    let mut deleted = 0;
    for generation in &there {
        let number = generation.info().number;
        let what = match number.cmp(&current.info().number) {
            std::cmp::Ordering::Equal => expire(&newest_holdings, retention, now),
            std::cmp::Ordering::Less => {
                let ended = generation.holdings().map_err(store::refused)?;
                expire_ended(&ended, &newest_holdings, retention, now)
            }
            std::cmp::Ordering::Greater => continue,
        };
        let here = match first.generation(&site.name, number) {
            Ok(here) => here.holdings().map_err(store::refused)?,
            Err(error) if error.kind == pgherd_archive::ErrorKind::Absent => Holdings::default(),
            Err(error) => return Err(store::refused(error)),
        };
        let what: Vec<Deletion> = not_here(what, &here);
        generation.delete(&what).map_err(store::refused)?;
        // Of a backup that was begun and left, and of one whose name was given to another.
        generation.clear_unfinished().map_err(store::refused)?;
        deleted += what.len();
    }
    Ok(deleted)
}

/// Deletes a backup that somebody names, of which the first one has nothing any more; says where it was. Blocking.
pub fn delete(agent: &Agent, name: &str, label: &str) -> Result<Option<String>, ProviderError> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(second) = open_if_there(agent)? else { return Ok(None) };
    for generation in store::generations(&second, name)?.into_iter().rev() {
        if generation.backup_names().map_err(store::refused)?.iter().any(|known| known == label) {
            generation.delete(&[Deletion::Backup(label.to_owned())]).map_err(store::refused)?;
            agent.desk.note(name, |known| known.second_changed = true);
            return Ok(Some(second.location().to_string()));
        }
    }
    Ok(None)
}

/// What is not as it should be, in words.
pub fn warning(report: &CopyReport, now: Timestamp) -> Option<String> {
    let CopyReport { place, segments, behind_since, failure, .. } = report;
    let late = behind_since.filter(|since| now.duration_since(*since) > LATE);
    match (failure, late) {
        (Some(why), None) => Some(format!("the second repository is not kept in step: {why}")),
        (Some(why), Some(since)) => Some(format!("the second repository has nothing from {since} on: {why}")),
        (None, Some(since)) => Some(format!(
            "the second repository {place} is behind since {since}, by {segments} files of the log and more"
        )),
        (None, None) => None,
    }
}

fn not_here(what: Vec<Deletion>, here: &Holdings) -> Vec<Deletion> {
    let backups: BTreeSet<_> = here.backups.iter().map(|backup| backup.name.clone()).collect();
    let log: BTreeSet<_> = here.wal.iter().map(|file| file.name).collect();
    let is_gone = |deletion: &Deletion| match deletion {
        Deletion::Backup(name) => !backups.contains(name),
        Deletion::Wal(name) => !log.contains(name),
    };
    what.into_iter().filter(is_gone).collect()
}

/// Where it is; `None`: there is to be none. Blocking.
fn place(paths: &Paths) -> Result<Option<Place>, ProviderError> {
    let path = paths.second_repository();
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => Zeroizing::new(other.map_err(|error| io_error("read", &path, &error))?),
    };
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(line) = lines.next() else { return Ok(None) };
    let mode = std::fs::metadata(&path).map_err(|error| io_error("look at", &path, &error))?.permissions().mode();
    let is_secret = line.contains("AWS_") || lines.clone().next().is_some();
    if is_secret && mode & 0o077 != 0 {
        let message =
            format!("{} holds credentials and is open to others: its mode is {:04o}", path.display(), mode & 0o777);
        return Err(ProviderError::new(ErrorKind::Denied, message).help(format!("chmod 600 {}", path.display())));
    }
    let location: Location = line.parse().map_err(store::refused)?;
    if location == Location::Folder(paths.repository()) {
        return Err(ProviderError::new(ErrorKind::Invalid, format!("{line} is the first repository")));
    }
    let access = Access::parse(lines).map_err(store::refused)?;
    Ok(Some(Place { location, access }))
}

fn options(agent: &Agent, place: &Place) -> Result<Options, ProviderError> {
    let keys = store::keys(&agent.options.paths)?;
    Ok(Options { keys, encrypt: false, owner: None, access: place.access.clone() })
}

/// Opens it, and makes it the first time: later, one that is not there is one whose disk is away.
fn make(agent: &Agent, place: &Place) -> Result<Repository, ProviderError> {
    let made = agent.options.paths.second_repository().with_extension("made");
    let line = format!("{}\n", place.location);
    if std::fs::read_to_string(&made).is_ok_and(|known| known == line) {
        return Repository::open(&place.location, options(agent, place)?).map_err(|error| {
            let error = store::refused(error);
            let help = format!("if it is gone for good, remove {} and a new one is begun", made.display());
            if error.kind == ErrorKind::Unavailable { error.help(help) } else { error }
        });
    }
    let repository = Repository::create(&place.location, options(agent, place)?).map_err(store::refused)?;
    files::replace(&made, line.as_bytes(), 0o600).map_err(|error| io_error("write", &made, &error))?;
    Ok(repository)
}

/// It, to be read; `None`: there is to be none. Blocking.
pub fn open_if_there(agent: &Agent) -> Result<Option<Repository>, ProviderError> {
    let Some(place) = place(&agent.options.paths)? else { return Ok(None) };
    Repository::open(&place.location, options(agent, &place)?).map(Some).map_err(store::refused)
}

/// The newest generation it has of an instance, so that none of another life gets its number; 0 where it does not say so in time: what is
/// written meanwhile is to be archived. Blocking.
pub fn last_number(site: &Site) -> u32 {
    let (agent, name) = (site.agent.clone(), site.name.clone());
    let ask = move || open_if_there(&agent)?.map_or(Ok(0), |second| second.last_number(&name).map_err(store::refused));
    within(ANSWERS_WITHIN, ask).unwrap_or_else(|error| {
        site.note(format!("the second repository was not asked what it has of earlier databases of the name: {error}"));
        0
    })
}

/// What somebody answers in time. A disk that is away may never answer: whoever asked it is left behind.
fn within<T: Send + 'static>(
    deadline: Duration,
    ask: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let (tell, told) = mpsc::sync_channel(1);
    let asking = std::thread::Builder::new().name("second".to_owned()).spawn(move || drop(tell.send(ask())));
    asking.map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("it cannot be asked: {error}")))?;
    told.recv_timeout(deadline).unwrap_or_else(|_| {
        let message = format!("it does not answer within {} s", deadline.as_secs());
        Err(ProviderError::new(ErrorKind::Unavailable, message))
    })
}

/// Whether a generation is where servers do not reach it.
pub fn is_far(agent: &Agent, generation: &Generation) -> bool {
    *generation.repository().location() != Location::Folder(store::folder(agent))
}

/// Has a backup and the log after it, up to `until`, lie where servers reach them: what is in the first repository does. Refused where
/// there is no room for them and for `besides` bytes. Blocking.
pub fn bring_near(
    agent: &Agent,
    generation: Generation,
    backup: &Backup,
    until: Option<Lsn>,
    to: &Path,
    besides: u64,
    progress: impl FnMut(u64),
) -> Result<Generation, ProviderError> {
    if !is_far(agent, &generation) {
        return Ok(generation);
    }
    let bytes = fetch_bytes(&generation, backup, until).map_err(store::refused)?;
    super::refuse_without_room(to, besides.saturating_add(bytes))?;
    let keys = store::keys(&agent.options.paths)?;
    let options = Options { keys, encrypt: false, owner: store::owner(&agent.run_as), ..Options::default() };
    let near = Repository::create(&Location::Folder(to.to_owned()), options).map_err(store::refused)?;
    fetch(&generation, backup, until, &near, progress).map_err(store::refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, mode: u32, expected: Result<Option<&str>, &str>) {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let paths = Paths { state: at("state"), cache: at("cache"), runtime: at("run") };
        std::fs::create_dir(&paths.state).expect("made");
        let file = paths.second_repository();
        std::fs::write(&file, text.replace("STATE", &paths.state.display().to_string())).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("ours");
        let found = place(&paths).map(|place| place.map(|place| place.location.to_string()));
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected.map(str::to_owned)),
            (Err(error), Err(expected)) => assert!(error.message.contains(expected), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn its_place_is_the_first_line_that_is_no_comment() {
        check("# elsewhere\n\n s3://backups/shop \n", 0o644, Ok(Some("s3://backups/shop")));
        check("/mnt/backups\n", 0o644, Ok(Some("/mnt/backups")));
        check("# not yet\n", 0o644, Ok(None));
        check("backups\n", 0o644, Err("is no place for a repository"));
        check("STATE/repository\n", 0o644, Err("is the first repository"));
    }

    #[test]
    fn credentials_are_read_from_a_file_that_nobody_else_reads() {
        let text =
            "s3://backups\n# of the backup account\nAWS_ACCESS_KEY_ID=someone\nAWS_SECRET_ACCESS_KEY=something\n";
        check(text, 0o600, Ok(Some("s3://backups")));
        check(text, 0o640, Err("is open to others: its mode is 0640"));
        check("s3://backups\nAKIAIOSFODNN7EXAMPLE\n", 0o600, Err("is not NAME=VALUE"));
        check("AWS_SECRET_ACCESS_KEY=something\ns3://backups\n", 0o644, Err("is open to others"));
        check("AWS_SECRET_ACCESS_KEY=something\ns3://backups\n", 0o600, Err("what is written is no place"));
    }

    #[test]
    fn one_that_does_not_answer_is_not_waited_for() {
        let (_held, never) = mpsc::channel::<()>();
        let hung = move || Ok(never.recv().is_ok());
        let error = within(Duration::from_millis(10), hung).expect_err("no answer");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert_eq!(within(Duration::from_secs(60), || Ok(3)), Ok(3));
    }

    #[test]
    fn one_that_is_far_behind_or_fails_is_a_warning() {
        let now: Timestamp = "2026-11-23T03:00:00Z".parse().expect("a time");
        let report = |minutes: Option<i64>, failure: Option<&str>| CopyReport {
            place: "/mnt/backups".to_owned(),
            in_step_at: None,
            objects: 3,
            segments: 2,
            bytes: 9,
            behind_since: minutes.map(|minutes| now - SignedDuration::from_mins(minutes)),
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
    }
}
