//! The repository of a state folder: one for all of its instances, so that a backup outlives the folder of its database.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pgherd_archive::{Access, ArchiveError, Generation, KeyRing, Location, Options, Place, Repository};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::paths::Paths;
use crate::postgres::io_error;
use crate::postgres::runas::RunAs;
use crate::supervisor::agent::Agent;
use crate::supervisor::files;

/// Whose the files are that PostgreSQL has to read or write: user and group.
type Owner = Option<(u32, u32)>;

/// Where it is: what `first-repository` in the state folder names, else a folder beside it. Nothing is asked of the place.
pub fn place(paths: &Paths) -> Result<Place, ProviderError> {
    let written = Place::read_shared(&paths.first_repository()).map_err(refused)?;
    Ok(written.unwrap_or_else(|| Place { location: Location::Folder(paths.repository()), access: Access::default() }))
}

/// The folder it is in; `None`: it is in a bucket, or nobody knows.
pub fn folder(paths: &Paths) -> Option<PathBuf> {
    match place(paths).ok()?.location {
        Location::Folder(folder) => Some(folder),
        Location::Bucket { .. } => None,
    }
}

/// Whether there may be one: a bucket is asked by whoever opens it.
pub fn is_there(paths: &Paths) -> Result<bool, ProviderError> {
    Ok(match place(paths)?.location {
        Location::Folder(folder) => folder.exists(),
        Location::Bucket { .. } => true,
    })
}

/// The file that says how it is reached, for whoever does not know it from the environment.
pub fn access_file(paths: &Paths) -> Result<Option<PathBuf>, ProviderError> {
    Ok((!place(paths)?.access.is_empty()).then(|| paths.first_repository()))
}

/// What is wrong with the line that names it, where it can be told without asking it; `None`: nothing. Blocking.
pub fn trouble(paths: &Paths) -> Option<String> {
    match place(paths) {
        Ok(_) => None,
        // Who may not read it is not the agent, who may.
        Err(error) if error.kind == ErrorKind::Denied => None,
        Err(error) => Some(error.message),
    }
}

/// The keys, in a file beside it that the user PostgreSQL runs as may read: it stores its log itself.
pub fn key_file(paths: &Paths) -> PathBuf {
    paths.state.join("backup.keys")
}

/// Where files of keys of the users' own are named, one a line: what they encrypted stays when no block names them any more.
fn named_keys(paths: &Paths) -> PathBuf {
    paths.state.join("key-files")
}

/// The key files of the users' own that were ever named, to read with: what is not encrypted with them is read without the list. Blocking.
pub fn own_key_files(paths: &Paths) -> Vec<PathBuf> {
    named_key_files(paths).unwrap_or_else(|error| {
        tracing::warn!("{error}");
        Vec::new()
    })
}

/// The same, to be written anew: what could not be read would be forgotten.
fn named_key_files(paths: &Paths) -> Result<Vec<PathBuf>, ProviderError> {
    let path = named_keys(paths);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        other => other.map_err(|error| io_error("read", &path, &error))?,
    };
    Ok(text.lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect())
}

/// Names one to read with, which may be lost by now; one that is there is a key file that PostgreSQL's user reads. Blocking.
pub fn name_key_file(agent: &Agent, file: &Path) -> Result<(), ProviderError> {
    KeyRing::read_if_there(file).map_err(refused)?;
    if file.exists() {
        refuse_others(file, &agent.run_as)?;
    }
    remember_key_file(&agent.options.paths, file)
}

/// Remembers one that was checked, before anything is encrypted with a key of it.
fn remember_key_file(paths: &Paths, file: &Path) -> Result<(), ProviderError> {
    let mut all = named_key_files(paths)?;
    if all.iter().any(|known| known == file) {
        return Ok(());
    }
    all.push(file.to_owned());
    let text: String = all.iter().map(|path| format!("{}\n", path.display())).collect();
    let path = named_keys(paths);
    files::replace(&path, text.as_bytes(), 0o600).map_err(|error| io_error("write", &path, &error))
}

/// The keys that are at hand, to read with: a file that cannot be read is told when something is met that takes it. Blocking.
pub fn keys(paths: &Paths) -> Result<KeyRing, ProviderError> {
    let first = KeyRing::read_if_there(&key_file(paths)).map_err(refused)?;
    Ok(own_key_files(paths).iter().fold(first, |keys, path| keys.and_file(path)))
}

/// The repository with its keys, to be written to: one that is there. `own`: a key file of the user's own, which encrypts in the
/// place of this machine's. Blocking.
pub fn open(agent: &Agent, encrypt: bool, own: Option<&Path>) -> Result<Repository, ProviderError> {
    let (paths, owner) = (&agent.options.paths, owner(&agent.run_as));
    let Some(own) = own.filter(|_| encrypt) else { return open_at(paths, encrypt, owner) };
    let first = KeyRing::read(own).map_err(refused)?;
    refuse_others(own, &agent.run_as)?;
    remember_key_file(paths, own)?;
    open_with(paths, first.and(keys(paths)?), encrypt, owner)
}

fn open_with(paths: &Paths, keys: KeyRing, encrypt: bool, owner: Owner) -> Result<Repository, ProviderError> {
    let Place { location, access } = reachable(paths, owner)?;
    Repository::open(&location, Options { keys, encrypt, owner, access, patience: None }).map_err(refused)
}

fn create_with(paths: &Paths, keys: KeyRing, encrypt: bool, owner: Owner) -> Result<Repository, ProviderError> {
    let Place { location, access } = reachable(paths, owner)?;
    Repository::create(&location, Options { keys, encrypt, owner, access, patience: None }).map_err(refused)
}

/// Its place, which PostgreSQL's user has to reach as well, who stores the log itself: it reads how, and does not write it.
fn reachable(paths: &Paths, owner: Owner) -> Result<Place, ProviderError> {
    let place = place(paths)?;
    let file = paths.first_repository();
    let Some((_, group)) = owner.filter(|_| file.exists()) else { return Ok(place) };
    let looked = std::fs::metadata(&file).map_err(|error| io_error("look at", &file, &error))?;
    let is_read = place.access.is_empty() || looked.gid() == group && looked.mode() & 0o040 != 0;
    // Root does what it says: nobody else may write it.
    if looked.uid() == 0 && looked.mode() & 0o022 == 0 && is_read {
        return Ok(place);
    }
    let file = file.display();
    let message = format!(
        "{file}, which says where the repository is, has to be root's, and read by the user who stores the log"
    );
    Err(ProviderError::new(ErrorKind::Denied, message).help(format!("chown 0:{group} {file} && chmod 640 {file}")))
}

/// PostgreSQL stores its log itself, so that its user has to read the key.
fn refuse_others(file: &Path, run_as: &RunAs) -> Result<(), ProviderError> {
    let owner = std::fs::metadata(file).map_err(|error| io_error("look at", file, &error))?.uid();
    if owner == run_as.uid {
        return Ok(());
    }
    let (file, user) = (file.display(), &run_as.name);
    let message = format!("the key file {file} is not {user}'s, who stores the log");
    Err(ProviderError::new(ErrorKind::Denied, message).help(format!("chown {user} {file}")))
}

fn open_at(paths: &Paths, encrypt: bool, owner: Owner) -> Result<Repository, ProviderError> {
    let mut keys = keys(paths)?;
    if encrypt {
        // What is to be encrypted says which file is not there.
        keys = KeyRing::read(&key_file(paths)).map_err(refused)?.and(keys);
    }
    open_with(paths, keys, encrypt, owner)
}

/// The same, made with a key when there is none yet: for the first thing that is stored of an instance. `own`: a key file of the user's
/// own, which encrypts in the place of this machine's. Blocking.
pub fn make(agent: &Agent, encrypt: bool, own: Option<&Path>) -> Result<Repository, ProviderError> {
    make_at(&agent.options.paths, encrypt, own, owner(&agent.run_as))
}

/// Repository and key are made one after the other, by one at a time: who comes in between would take the key for lost.
static MAKING: Mutex<()> = Mutex::new(());

fn make_at(paths: &Paths, encrypt: bool, own: Option<&Path>, owner: Owner) -> Result<Repository, ProviderError> {
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    // Who archives has a repository: if it is not there its disk is away, and another one would be begun on the mount point.
    if let Some(settings) = somebodys_settings(paths)? {
        open_with(paths, KeyRing::none(), false, owner).map(drop).map_err(|error| {
            if error.kind != ErrorKind::Unavailable {
                return error;
            }
            let file = settings.display();
            let help = format!("mount its disk; if it is gone for good, remove {file} and a new one is begun");
            error.help(help)
        })?;
    }
    let path = key_file(paths);
    if !path.exists() {
        let repository = create_with(paths, KeyRing::none(), false, owner)?;
        let at_hand = own.into_iter().fold(keys(paths)?, KeyRing::and_file);
        if let Some(what) = repository.anything_encrypted_without(&at_hand).map_err(refused)? {
            if !encrypt || own.is_some() {
                return open_at(paths, false, owner);
            }
            // A new key beside what a lost one encrypted would look as if all were well.
            let message =
                format!("there is no key file {}, and {what} is encrypted with a key that is not here", path.display());
            let folder = place(paths)?.location;
            return Err(ProviderError::new(ErrorKind::Invalid, message).help(format!(
                "put back the copy of the key file that was kept elsewhere, or move {folder} away to begin anew"
            )));
        }
    }
    let keys = KeyRing::create(&path, owner).map_err(refused)?;
    create_with(paths, keys, encrypt, owner)
}

/// Puts a new key first in the key file that is there. Blocking.
pub fn rotate(agent: &Agent) -> Result<(), ProviderError> {
    let _turn = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let path = key_file(&agent.options.paths);
    if !path.exists() {
        let message = format!("there is no key file {}: nothing is encrypted yet, or the file is lost", path.display());
        return Err(ProviderError::new(ErrorKind::NotFound, message)
            .help("a database with enable_backup_encryption = true makes one; put a lost one back from its copy"));
    }
    KeyRing::rotate(&path).map(drop).map_err(refused)
}

/// The settings of an instance of this state folder that archives.
fn somebodys_settings(paths: &Paths) -> Result<Option<PathBuf>, ProviderError> {
    let folder = paths.instances();
    let refuse = |error: std::io::Error| io_error("read", &folder, &error);
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(refuse)?,
    };
    for entry in entries {
        let settings = entry.map_err(refuse)?.path().join("archive.json");
        if settings.exists() {
            return Ok(Some(settings));
        }
    }
    Ok(None)
}

/// The repository to be read; `None`: none was ever made. Blocking.
pub fn open_if_there(agent: &Agent) -> Result<Option<Repository>, ProviderError> {
    let paths = &agent.options.paths;
    if !is_there(paths)? {
        return Ok(None);
    }
    let Place { location, access } = place(paths)?;
    let options = Options { keys: keys(paths)?, encrypt: false, owner: owner(&agent.run_as), access, patience: None };
    match location {
        Location::Folder(_) => Repository::open(&location, options).map(Some),
        // One that is away does not answer, and so is none that is not there.
        Location::Bucket { .. } => Repository::find(&location, options),
    }
    .map_err(refused)
}

/// What is stored of an instance, to be listed or restored: one that cannot be read is no reason to do without all. Blocking.
pub fn readable_generations(repository: &Repository, name: &str) -> Result<Vec<Generation>, ProviderError> {
    let (generations, findings) = repository.readable_generations(name).map_err(refused)?;
    for finding in findings {
        tracing::warn!(instance = name, "{}: {}", finding.at, finding.message);
    }
    Ok(generations)
}

/// The same to delete from: an error where one cannot be read. Blocking.
pub fn generations(repository: &Repository, name: &str) -> Result<Vec<Generation>, ProviderError> {
    repository.generations(name).map_err(refused)
}

/// Whose the files are that PostgreSQL has to read or write.
pub fn owner(run_as: &RunAs) -> Option<(u32, u32)> {
    run_as.drops.then_some((run_as.uid, run_as.gid))
}

/// A refusal of the repository, as ours.
pub fn refused(error: ArchiveError) -> ProviderError {
    let kind = match error.kind {
        pgherd_archive::ErrorKind::Absent => ErrorKind::NotFound,
        pgherd_archive::ErrorKind::Conflict => ErrorKind::Conflict,
        pgherd_archive::ErrorKind::Denied => ErrorKind::Denied,
        pgherd_archive::ErrorKind::Damaged
        | pgherd_archive::ErrorKind::KeyLost
        | pgherd_archive::ErrorKind::Invalid => ErrorKind::Invalid,
        pgherd_archive::ErrorKind::Full | pgherd_archive::ErrorKind::Unavailable => ErrorKind::Unavailable,
    };
    ProviderError::new(kind, error.message).help(error.help.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use pgherd_core::backups::WalName;

    use super::*;

    fn paths(root: &Path) -> Paths {
        Paths { state: root.join("state"), cache: root.join("cache"), runtime: root.join("run") }
    }

    fn made(root: &Path, encrypt: bool) -> Paths {
        let paths = paths(root);
        std::fs::create_dir_all(paths.instances().join("shop")).expect("made");
        let repository = make_at(&paths, encrypt, None, None).expect("made");
        let generation = repository.begin_generation("shop", 1, None, Timestamp::UNIX_EPOCH).expect("begun");
        let name = "00000002.history";
        std::fs::write(root.join(name), "1\t0/3000000\tno recovery target\n").expect("written");
        let name: WalName = name.parse().expect("a name");
        generation.push_wal(name, &root.join(name.to_string())).expect("stored");
        paths
    }

    /// Several databases of one file begin to archive at the same time.
    #[test]
    fn all_that_come_at_once_have_one_repository_and_one_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = paths(folder.path());
        std::fs::create_dir_all(paths.instances()).expect("made");
        let one = |name: String| {
            let repository = make_at(&paths, true, None, None).expect("made");
            let generation = repository.begin_generation(&name, 1, None, Timestamp::UNIX_EPOCH).expect("begun");
            let file = folder.path().join(&name);
            std::fs::write(&file, "1\t0/3000000\tno recovery target\n").expect("written");
            generation.push_wal("00000002.history".parse().expect("a name"), &file).expect("stored");
        };
        let one = &one;
        std::thread::scope(|scope| {
            for number in 0..8 {
                scope.spawn(move || one(format!("shop-{number}")));
            }
        });
        let repository = open_at(&paths, true, None).expect("opened");
        for name in repository.instances().expect("listed") {
            let generation = repository.generation(&name, 1).expect("there");
            generation.read_wal("00000002.history".parse().expect("a name")).expect("read with the one key");
        }
        assert_eq!(repository.instances().expect("listed").len(), 8);
    }

    #[test]
    fn no_key_is_made_beside_what_a_lost_one_encrypted() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = made(folder.path(), true);
        std::fs::rename(key_file(&paths), folder.path().join("copy")).expect("lost");
        let error = make_at(&paths, true, None, None).map(|_| ()).expect_err("the key is lost");
        assert!(error.message.contains("is encrypted with a key that is not here"), "{}", error.message);
        assert!(!key_file(&paths).exists());
        // Who encrypts nothing needs none, nor does who encrypts with a key of their own: none is made beside the lost one.
        make_at(&paths, false, None, None).expect("opened");
        let own = folder.path().join("own");
        KeyRing::create(&own, None).expect("made");
        make_at(&paths, true, Some(&own), None).expect("opened");
        assert!(!key_file(&paths).exists());
        // It is the one that everything is encrypted with: nothing is lost.
        make_at(&paths, true, Some(&folder.path().join("copy")), None).expect("opened");
        assert!(key_file(&paths).exists());
        std::fs::remove_file(key_file(&paths)).expect("removed");
        std::fs::rename(folder.path().join("copy"), key_file(&paths)).expect("put back");
        make_at(&paths, true, None, None).expect("opened");
    }

    #[test]
    fn what_is_not_encrypted_needs_no_key_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = made(folder.path(), false);
        std::fs::remove_file(key_file(&paths)).expect("lost");
        let repository = open_at(&paths, false, None).expect("opened");
        let generation = repository.generation("shop", 1).expect("there");
        generation.read_wal("00000002.history".parse().expect("a name")).expect("read");
        make_at(&paths, true, None, None).expect("nothing is lost by a new key");
        assert!(key_file(&paths).exists());
    }

    #[test]
    fn key_files_are_not_forgotten_when_their_list_cannot_be_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = made(folder.path(), true);
        remember_key_file(&paths, Path::new("/keys/one")).expect("named");
        remember_key_file(&paths, Path::new("/keys/two")).expect("named");
        assert_eq!(own_key_files(&paths), [Path::new("/keys/one"), Path::new("/keys/two")]);
        // No text.
        std::fs::write(named_keys(&paths), b"/keys/one\n\xff\n").expect("written");
        remember_key_file(&paths, Path::new("/keys/three")).expect_err("the others would be forgotten");
        assert_eq!(std::fs::read(named_keys(&paths)).expect("there"), b"/keys/one\n\xff\n");
        open_at(&paths, true, None).expect("opened without it");
    }

    #[test]
    fn no_second_repository_is_begun_while_the_disk_of_the_first_is_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = made(folder.path(), true);
        let settings = paths.instances().join("shop/archive.json");
        std::fs::write(&settings, "{}").expect("written");
        make_at(&paths, true, None, None).expect("opened");
        std::fs::rename(paths.repository(), folder.path().join("away")).expect("away");
        std::fs::create_dir(paths.repository()).expect("the mount point");
        let error = make_at(&paths, true, None, None).map(|_| ()).expect_err("its disk is away");
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert_eq!(std::fs::read_dir(paths.repository()).expect("a folder").count(), 0);
        std::fs::remove_file(settings).expect("nobody archives");
        make_at(&paths, true, None, None).expect("a new one");
    }
}
