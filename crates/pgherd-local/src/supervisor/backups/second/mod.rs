//! The second repository of a state folder: a folder on another disk or a bucket, kept in step for the databases whose block asks for
//! it, and read where the first one has nothing.
//!
//! Its place is one line in the file `second-repository` of the state folder, read at every turn, with lines `AWS_…=…` behind it where
//! a bucket is not reached as the environment says. Invariant: what the first one loses stays in the second. From there goes only
//! what is past its retention by what is there, and the first one has no more: an empty first one, or one of which half is gone, deletes nothing.

mod expire;
mod near;
mod step;
mod turn;

pub use expire::delete;
pub use near::{bring_near, is_far};
pub use step::{copy_before_last, copy_last, keep, warning};

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use pgherd_archive::{Location, Options, Place, Repository};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::store;
use crate::paths::Paths;
use crate::postgres::io_error;
use crate::supervisor::agent::Agent;
use crate::supervisor::files;
use crate::supervisor::site::Site;

/// How long a new database waits for it before it begins to archive.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Where it is; `None`: there is to be none. Blocking, for as long as its disk does not answer.
fn place(paths: &Paths) -> Result<Option<Place>, ProviderError> {
    let place = written(paths)?;
    if let Some(Place { location, .. }) = &place
        && overlap(location, &store::place(paths)?.location)
    {
        let message = format!("{location} is the first repository, or one of the two is in the other");
        return Err(ProviderError::new(ErrorKind::Invalid, message).help("name a folder on another disk, or a bucket"));
    }
    Ok(place)
}

/// What is written about it. Nothing is asked of its disk.
fn written(paths: &Paths) -> Result<Option<Place>, ProviderError> {
    Place::read(&paths.second_repository()).map_err(store::refused)
}

/// Whether two places are one, or one is in the other.
fn overlap(one: &Location, other: &Location) -> bool {
    match (one, other) {
        (Location::Folder(one), Location::Folder(other)) => overlaps(one, other),
        (Location::Bucket { name, prefix }, Location::Bucket { name: other, prefix: below }) => {
            let parts = |prefix: &str| prefix.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
            let (one, two): (Vec<String>, Vec<String>) = (parts(prefix), parts(below));
            name == other && (one.starts_with(&two) || two.starts_with(&one))
        }
        (Location::Folder(_), Location::Bucket { .. }) | (Location::Bucket { .. }, Location::Folder(_)) => false,
    }
}

/// Whether two folders are one, by whatever names, or one is in the other. Those that are not there yet are where they will be.
fn overlaps(one: &Path, other: &Path) -> bool {
    let is_same = |one: &Path, other: &Path| match (std::fs::metadata(one), std::fs::metadata(other)) {
        // Also what is mounted twice.
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    let (left, right) = (real(one), real(other));
    left.starts_with(&right) || right.starts_with(&left) || is_same(one, other)
}

fn real(path: &Path) -> PathBuf {
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    there.map_or_else(|| path.to_owned(), |(above, real)| real.join(path.strip_prefix(above).unwrap_or(path)))
}

/// What is wrong with the line that names it, where it can be told without asking it; `None`: nothing. Blocking.
pub fn trouble(paths: &Paths) -> Option<String> {
    match written(paths) {
        Ok(Some(_)) => None,
        Ok(None) => Some(format!("{} names no second repository", paths.second_repository().display())),
        // Who may not read it is not the agent, who may.
        Err(error) if error.kind == ErrorKind::Denied => None,
        Err(error) => Some(error.message),
    }
}

fn options(agent: &Agent, place: &Place) -> Result<Options, ProviderError> {
    let keys = store::keys(&agent.options.paths)?;
    Ok(Options { keys, encrypt: false, owner: None, access: place.access.clone(), patience: None })
}

/// Where is written down which place it was made at: one that is not there any more is one whose disk is away.
fn made_file(paths: &Paths) -> PathBuf {
    paths.second_repository().with_extension("made")
}

fn was_made(paths: &Paths, place: &Place) -> bool {
    std::fs::read_to_string(made_file(paths)).is_ok_and(|known| known == format!("{}\n", place.location))
}

/// Opens it, and makes it the first time: later, one that is not there is one whose disk is away.
fn make(agent: &Agent, place: &Place) -> Result<Repository, ProviderError> {
    let made = made_file(&agent.options.paths);
    if was_made(&agent.options.paths, place) {
        return Repository::open(&place.location, options(agent, place)?).map_err(|error| {
            let error = store::refused(error);
            let help = format!("if it is gone for good, remove {} and a new one is begun", made.display());
            if error.kind == ErrorKind::Unavailable { error.help(help) } else { error }
        });
    }
    let repository = Repository::create(&place.location, options(agent, place)?).map_err(store::refused)?;
    let line = format!("{}\n", place.location);
    files::replace(&made, line.as_bytes(), 0o600).map_err(|error| io_error("write", &made, &error))?;
    Ok(repository)
}

/// It, to be read; `None`: there is to be none, or none was made yet where there is a first one. Blocking.
pub fn open_if_there(agent: &Agent) -> Result<Option<Repository>, ProviderError> {
    let paths = &agent.options.paths;
    let Some(place) = place(paths)? else { return Ok(None) };
    if !was_made(paths, &place) && store::is_there(paths)? {
        return Repository::find(&place.location, options(agent, &place)?).map_err(store::refused);
    }
    Repository::open(&place.location, options(agent, &place)?).map(Some).map_err(store::refused)
}

/// The number after which the next generation of an instance begins, so that none of another life has it: that of the newest one there.
/// Where it does not say so in time, one that no other life can have: what is written meanwhile is to be archived. Blocking.
pub fn number_before(site: &Site) -> u32 {
    let (agent, name) = (site.agent.clone(), site.name.clone());
    let ask = move || {
        let paths = &agent.options.paths;
        let Some(place) = place(paths)? else { return Ok(0) };
        let found = match was_made(paths, &place) {
            true => Repository::open(&place.location, options(&agent, &place)?).map(Some),
            false => Repository::find(&place.location, options(&agent, &place)?),
        };
        found.and_then(|second| second.map_or(Ok(0), |second| second.last_number(&name))).map_err(store::refused)
    };
    within(ANSWERS_WITHIN, ask).unwrap_or_else(|error| {
        let number = number_of(Timestamp::now());
        site.note(format!(
            "the second repository was not asked what it has of earlier databases of the name: {error}; so that no number comes \
             twice, the next one is behind {number}"
        ));
        number
    })
}

/// Minutes since numbers were given like that: far from those that are counted, and another one for each life.
fn number_of(now: Timestamp) -> u32 {
    const BEGAN_AT_S: i64 = 1_767_225_600;
    u32::try_from((now.as_second() - BEGAN_AT_S) / 60).unwrap_or(0)
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

/// The same of what lasts, and tells by the number it is given that it goes on: it is left behind when nothing was heard of it for so long.
fn while_heard<T: Send + 'static>(
    silence: Duration,
    work: impl FnOnce(&AtomicU64) -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let (tell, told) = mpsc::sync_channel(1);
    let heard = Arc::new(AtomicU64::new(0));
    let own = heard.clone();
    let working = std::thread::Builder::new().name("second".to_owned()).spawn(move || drop(tell.send(work(&own))));
    working.map_err(|error| ProviderError::new(ErrorKind::Unavailable, format!("it cannot be asked: {error}")))?;
    let mut before = 0;
    loop {
        if let Ok(done) = told.recv_timeout(silence) {
            return done;
        }
        let now = heard.load(Ordering::Relaxed);
        if now == before {
            let message = format!("nothing was heard of it for {} s", silence.as_secs());
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

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
            (Ok(found), Ok(expected)) => {
                let state = paths.state.display().to_string();
                assert_eq!(found, expected.map(|expected| expected.replace("STATE", &state)));
            }
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
        check("STATE/repository/second\n", 0o644, Err("is the first repository"));
        check("STATE/../state/./repository\n", 0o644, Err("is the first repository"));
        check("STATE\n", 0o644, Err("is the first repository"));
        check("STATE/repository-2\n", 0o644, Ok(Some("STATE/repository-2")));
    }

    #[test]
    fn a_link_to_the_first_is_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, link) = (folder.path().join("first"), folder.path().join("link"));
        std::os::unix::fs::symlink(&first, &link).expect("linked");
        std::fs::create_dir(&first).expect("made");
        assert!(overlaps(&link, &first) && overlaps(&link.join("in/it"), &first));
        assert!(!overlaps(&folder.path().join("firstly"), &first));
    }

    #[test]
    fn a_bucket_in_the_first_one_is_the_first() {
        let overlap = |one: &str, other: &str| overlap(&one.parse().expect("one"), &other.parse().expect("another"));
        assert!(overlap("s3://backups/shop", "s3://backups/shop") && overlap("s3://backups", "s3://backups/shop"));
        assert!(!overlap("s3://backups/shop", "s3://backups/shopping") && !overlap("s3://backups", "s3://others"));
        assert!(!overlap("s3://backups", "/backups"));
    }

    #[test]
    fn a_number_of_a_moment_is_far_from_those_that_are_counted() {
        let at = |text: &str| number_of(text.parse().expect("a time"));
        assert_eq!(at("2026-01-01T00:00:00Z"), 0);
        assert!(at("2026-11-23T03:00:00Z") > 400_000);
        assert!(at("2026-11-23T03:01:00Z") > at("2026-11-23T03:00:00Z"));
        assert_eq!(at("1970-01-01T00:00:00Z"), 0, "a clock that is wrong");
        assert!(at("9999-01-01T00:00:00Z") > 4_000_000_000);
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
    fn what_lasts_and_hangs_is_not_waited_for() {
        let (_held, never) = mpsc::channel::<()>();
        let hung = move |heard: &AtomicU64| {
            heard.store(1, Ordering::Relaxed);
            Ok(never.recv().is_ok())
        };
        let error = while_heard(Duration::from_millis(10), hung).expect_err("no answer");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert_eq!(while_heard(Duration::from_secs(60), |_| Ok(3)), Ok(3));
    }
}
