//! A repository: instances, each with one generation or several.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::Access;
use crate::bucket::Bucket;
use crate::check::{Finding, finding};
use crate::error::{ArchiveError, ErrorKind, Result, no_chance};
use crate::folder::Folder;
use crate::generation::{Generation, GenerationInfo, Origin};
use crate::keys::KeyRing;
use crate::location::Location;
use crate::object::{Label, ObjectReader, ObjectWriter, hex, key_of};
use crate::store::Store;

/// How a repository is used.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The keys that are at hand.
    pub keys: KeyRing,
    /// Whether what is stored from now on is encrypted, with the first of them.
    pub encrypt: bool,
    /// Whose files and folders that are made are to be (user and group); `None`: whoever makes them. The user PostgreSQL runs
    /// as stores its log itself.
    pub owner: Option<(u32, u32)>,
    /// How a bucket is reached, where the environment does not say so.
    pub access: Access,
    /// How long a bucket that does not answer is asked again; `None`: as long as somebody waits who wants it done.
    pub patience: Option<Duration>,
}

/// A repository that is there. Cheap to clone.
#[derive(Clone)]
pub struct Repository {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) options: Arc<Options>,
    location: Location,
}

/// What says that a folder is a repository, so that the mount point of a disk that is away is not taken for an empty one.
pub(crate) const MARKER: &str = "repository";

#[derive(serde::Serialize, serde::Deserialize)]
struct Marker {
    made_at: Timestamp,
}

impl Repository {
    /// Opens a repository; an error of kind [`ErrorKind::Unavailable`] when none is there.
    pub fn open(location: &Location, options: Options) -> Result<Self> {
        Self::find(location, options)?.ok_or_else(|| {
            let message = format!("there is no repository at {location}");
            ArchiveError::new(ErrorKind::Unavailable, message).help("is its disk mounted?")
        })
    }

    /// Opens a repository; `None`: none is there, or its disk is away.
    pub fn find(location: &Location, options: Options) -> Result<Option<Self>> {
        let repository = Self::at(location, options)?;
        match repository.read_json::<Marker>(MARKER, MARKER, "") {
            Ok(_) => Ok(Some(repository)),
            Err(error) if error.kind == ErrorKind::Absent => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a repository that is made when it is not there. To be used where somebody decided to have one, not by every
    /// start: with its disk away, this would begin another one.
    pub fn create(location: &Location, options: Options) -> Result<Self> {
        let repository = Self::at(location, options)?;
        if let Location::Folder(root) = location
            && !root.is_dir()
        {
            let refuse = |error: std::io::Error| ArchiveError::io(&format!("make {}", root.display()), &error);
            std::fs::create_dir_all(root).map_err(refuse)?;
            if let Some(owner) = repository.options.owner {
                crate::files::give(root, owner).map_err(refuse)?;
            }
            crate::files::sync_parent(root).map_err(refuse)?;
        }
        match repository.read_json::<Marker>(MARKER, MARKER, "") {
            Err(error) if error.kind == ErrorKind::Absent => {
                repository.store.prove()?;
                match repository.write_json(MARKER, MARKER, "", &Marker { made_at: Timestamp::now() }) {
                    // Somebody else made it at the same time.
                    Err(error) if error.kind == ErrorKind::Conflict => {
                        repository.read_json::<Marker>(MARKER, MARKER, "").map(|_| repository)
                    }
                    other => other.map(|()| repository),
                }
            }
            other => other.map(|_| repository),
        }
    }

    fn at(location: &Location, options: Options) -> Result<Self> {
        let store: Arc<dyn Store> = match location {
            Location::Folder(root) => Arc::new(Folder::new(root, options.owner)),
            Location::Bucket { name, prefix } => {
                Arc::new(Bucket::new(name, prefix, &options.access, options.patience)?)
            }
        };
        Ok(Self { store, options: Arc::new(options), location: location.clone() })
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The names of all instances that something is stored of.
    pub fn instances(&self) -> Result<Vec<String>> {
        let mut names = self.store.names("")?;
        names.retain(|name| check_name(name, "an instance").is_ok() && !name.ends_with(".pgherd"));
        Ok(names)
    }

    /// The place of something that is stored encrypted with a key that is not among these; `None`: nothing is. What is too damaged to
    /// tell does not count.
    pub fn anything_encrypted_without(&self, keys: &KeyRing) -> Result<Option<String>> {
        let names = keys.names();
        for stored in self.store.list("")? {
            let what = self.store.describe(&stored.key);
            let key = self.store.open(&stored.key).and_then(|mut from| key_of(&mut from, &what));
            match key {
                Ok(Some(key)) if !names.contains(&key.as_str()) => return Ok(Some(what)),
                Ok(_) => {}
                // Deleted a moment ago, or nothing that says what it is.
                Err(error) if matches!(error.kind, ErrorKind::Absent | ErrorKind::Damaged) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The generations of an instance, the oldest first.
    pub fn generations(&self, instance: &str) -> Result<Vec<Generation>> {
        let mut found = Vec::new();
        for number in self.numbers(instance)? {
            match self.generation(instance, number) {
                Ok(generation) => found.push(generation),
                // Being made, or being deleted.
                Err(error) if error.kind == ErrorKind::Absent => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// The generations of an instance that can be read, the oldest first, and what is wrong with the others: to list and to
    /// restore, for which one that is damaged is no reason to do without all. Whoever deletes asks for
    /// [`Repository::generations`], which is an error then.
    pub fn readable_generations(&self, instance: &str) -> Result<(Vec<Generation>, Vec<Finding>)> {
        let (mut found, mut findings) = (Vec::new(), Vec::new());
        for number in self.numbers(instance)? {
            match self.generation(instance, number) {
                Ok(generation) => found.push(generation),
                Err(error) => findings.extend(finding(&format!("{instance}/{number:04}/generation"), error)?),
            }
        }
        Ok((found, findings))
    }

    /// The numbers of the generations of an instance, the oldest first, also of those that cannot be read.
    pub fn numbers(&self, instance: &str) -> Result<Vec<u32>> {
        check_name(instance, "an instance")?;
        let names = self.store.names(instance)?;
        let mut numbers: Vec<_> = names.iter().filter_map(|name| generation_number(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The number of the newest generation of an instance; 0: there is none.
    pub fn last_number(&self, instance: &str) -> Result<u32> {
        Ok(self.numbers(instance)?.last().copied().unwrap_or(0))
    }

    /// One generation.
    pub fn generation(&self, instance: &str, number: u32) -> Result<Generation> {
        check_name(instance, "an instance")?;
        let folder = format!("{instance}/{number:04}");
        let info: GenerationInfo = self.read_json(&format!("{folder}/generation"), "generation", "")?;
        Ok(Generation { repository: self.clone(), instance: instance.to_owned(), folder, info })
    }

    /// Begins a new generation of an instance, after all others: with its first backup, and with every restore, so that what
    /// was archived before is never written over.
    pub fn begin_generation(
        &self,
        instance: &str,
        system_identifier: u64,
        from: Option<Origin>,
        now: Timestamp,
    ) -> Result<Generation> {
        self.begin_generation_after(0, instance, system_identifier, from, now)
    }

    /// The same after this one, too, which another repository has of an instance of the name.
    pub fn begin_generation_after(
        &self,
        last: u32,
        instance: &str,
        system_identifier: u64,
        from: Option<Origin>,
        now: Timestamp,
    ) -> Result<Generation> {
        let number = self.last_number(instance)?.max(last) + 1;
        let mut info = GenerationInfo { id: random_name()?, number, system_identifier, begun_at: now, from };
        loop {
            let number = info.number;
            match self.write_json(&format!("{instance}/{number:04}/generation"), "generation", "", &info) {
                Ok(()) => return self.generation(instance, number),
                // Somebody else began one at the same time.
                Err(error) if error.kind == ErrorKind::Conflict => info.number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The keys that what is stored now is encrypted with.
    pub(crate) fn sealing(&self) -> Option<&KeyRing> {
        self.options.encrypt.then_some(&self.options.keys)
    }

    /// Small objects that say what others are: in the clear, so that a list tells what there is when the key is lost.
    pub(crate) fn write_json(&self, key: &str, name: &str, generation: &str, value: &impl Serialize) -> Result<()> {
        if !self.upload_json(key, name, generation, value)?.commit(key, None)? {
            let message = format!("there is a {} already", self.store.describe(key));
            return Err(ArchiveError::new(ErrorKind::Conflict, message));
        }
        Ok(())
    }

    pub(crate) fn replace_json(&self, key: &str, name: &str, generation: &str, value: &impl Serialize) -> Result<()> {
        self.upload_json(key, name, generation, value)?.commit_over(key)
    }

    fn upload_json(
        &self,
        key: &str,
        name: &str,
        generation: &str,
        value: &impl Serialize,
    ) -> Result<Box<dyn crate::store::Upload>> {
        let refuse = |error: std::io::Error| ArchiveError::io(&format!("write {}", self.store.describe(key)), &error);
        let label = Label { name, generation, written_at: None };
        let mut writer = ObjectWriter::new(self.store.begin(key)?, &label, None)?;
        serde_json::to_writer(&mut writer, value).map_err(|error| refuse(error.into()))?;
        let (upload, ..) = writer.finish().map_err(refuse)?;
        Ok(upload)
    }

    pub(crate) fn read_json<T: DeserializeOwned>(&self, key: &str, name: &str, generation: &str) -> Result<T> {
        let what = self.store.describe(key);
        let reader = ObjectReader::new(self.store.open(key)?, &self.options.keys, &what)?;
        let mut reader = reader.belonging(name, generation)?.take(64 << 20);
        let mut content = Vec::new();
        reader.read_to_end(&mut content).map_err(|error| ArchiveError::io(&format!("read {what}"), &error))?;
        serde_json::from_slice(&content).map_err(|error| ArchiveError::damaged(&what, error))
    }
}

fn generation_number(name: &str) -> Option<u32> {
    let plain = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| name.parse().ok()).flatten()
}

/// A name becomes a folder: nothing in it may lead elsewhere.
pub(crate) fn check_name(name: &str, what: &str) -> Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.len() > 200 || name.starts_with('.') || !name.chars().all(plain) {
        let error = ArchiveError::new(ErrorKind::Invalid, format!("{name:?} cannot name {what}"));
        return Err(error.help("use letters, digits, - and _"));
    }
    Ok(())
}

pub(crate) fn random_name() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| no_chance())?;
    Ok(hex(&bytes))
}
