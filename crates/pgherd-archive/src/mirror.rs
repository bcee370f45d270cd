//! A second repository: objects of the first one as they are, in an order in which nothing is listed there before all it needs.
//!
//! Invariants: what is copied was verified, where its key is at hand; what is damaged in the first one is not copied, and what makes
//! files a backup only when all of them are there. Nothing is deleted, and what is written over is only what says what others are: the
//! manifest of a name that was given to a later backup, and when a backup was last verified. A backup that is found to be damaged is
//! marked where it is, and left alone from then on. What holds only the changes since another one may be listed there without it, and is
//! listed as damaged then, as it is here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write as _};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgherd_core::backups::{Backup, Lsn, WalName};

use crate::backup::{Manifest, StoredFile, file_key};
use crate::error::{ArchiveError, ErrorKind, Result};
use crate::generation::Generation;
use crate::object::ObjectReader;
use crate::repository::Repository;
use crate::store::{Stored, Upload};

const BUFFER_BYTES: usize = 256 << 10;
/// `INSTANCE/GENERATION/backups/NAME/ATTEMPT/FILE`: a file of data, and no note about a backup.
const DATA_PARTS: usize = 6;
const LONGEST_MANIFEST_BYTES: u64 = 64 << 20;

/// What is known to be in the other repository of one generation, so that it is not asked each time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Copies {
    /// By place. `None`: it was not asked yet.
    there: Option<BTreeMap<String, There>>,
    /// When it was asked.
    listed_at: Option<Instant>,
}

/// What is known of one object there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct There {
    bytes: u64,
    /// Of when the object here is that it is the same as; `None`: only their sizes are known to be.
    same_as: Option<Timestamp>,
}

impl Copies {
    /// Has the other repository be asked again when that was longer ago: somebody may have deleted something there.
    pub fn forget_after(&mut self, age: Duration) {
        if self.listed_at.is_some_and(|at| at.elapsed() >= age) {
            *self = Self::default();
        }
    }
}

/// How far behind a copy is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lag {
    /// Objects that are not there.
    pub objects: u64,
    /// Those of them that are files of the log.
    pub segments: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Since when the oldest of them is stored here; `None`: all are there.
    pub since: Option<Timestamp>,
    /// Backups that only the other one has.
    pub only_there: Vec<String>,
    /// Why part of what is here could not be looked at: what is in there is not counted.
    pub unlisted: Option<ArchiveError>,
}

/// What whoever copies is told, and asks whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// So many bytes more were copied: of an object that is cut short nothing is there.
    Bytes(u64),
    /// Between two objects.
    Between,
}

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects that are there now and were not before.
    pub objects: usize,
    /// Whether it was cut short.
    pub cut_short: bool,
}

/// How far behind the copy of a generation is.
pub fn lag(from: &Generation, to: &Repository, copies: &mut Copies) -> Result<Lag> {
    let there = known(from, to, copies)?;
    let (lacking, unlisted) = lacking(from, to, there)?;
    let mut lag = Lag { unlisted, ..Lag::default() };
    for stored in lacking {
        lag.objects += 1;
        lag.segments += u64::from(stored.key[from.folder.len() + 1..].starts_with("wal/"));
        lag.bytes += stored.bytes;
        lag.since = Some(lag.since.map_or(stored.modified_at, |since| since.min(stored.modified_at)));
    }
    // Where the names here cannot be read, nobody knows which are only there.
    if let Ok(here) = from.backup_names() {
        let folder = from.key("backups/");
        let names = there.keys().filter_map(|key| key.strip_prefix(&folder)?.strip_suffix("/manifest"));
        lag.only_there = names.filter(|name| !here.iter().any(|here| here == name)).map(str::to_owned).collect();
    }
    Ok(lag)
}

/// Copies what the other repository lacks of a generation; says how many objects that were. What can be copied is, whatever is wrong
/// with the rest; the first trouble is the error. `progress` hears of bytes.
pub fn copy(from: &Generation, to: &Repository, copies: &mut Copies, mut progress: impl FnMut(u64)) -> Result<usize> {
    let heard = |heard| {
        if let Heard::Bytes(bytes) = heard {
            progress(bytes);
        }
        true
    };
    copy_while(from, to, copies, heard).map(|copied| copied.objects)
}

/// The same for as long as `goes_on`; what was copied before it was cut short is there.
pub fn copy_while(
    from: &Generation,
    to: &Repository,
    copies: &mut Copies,
    mut goes_on: impl FnMut(Heard) -> bool,
) -> Result<Copied> {
    let there = known(from, to, copies)?;
    let mut copied = Copied::default();
    let mut without = BTreeSet::new();
    let mut claims = BTreeMap::new();
    let (lacking, mut trouble) = lacking(from, to, there)?;
    for stored in lacking {
        if !goes_on(Heard::Between) {
            copied.cut_short = true;
            break;
        }
        let backup = backup_of(from, &stored.key);
        // No backup is listed there without all of its files.
        if backup.as_ref().is_some_and(|backup| without.contains(backup)) {
            continue;
        }
        let done = claim(from, to, backup.as_ref(), &mut claims)
            .map_err(Failure::from)
            .and_then(|()| source(from, &stored.key, there).map_err(Failure::here))
            .and_then(|source| copy_one(from, to, &stored, source, &mut |bytes| goes_on(Heard::Bytes(bytes))));
        match done {
            Ok(()) => {
                let same = There { bytes: stored.bytes, same_as: Some(stored.modified_at) };
                there.insert(stored.key, same);
                copied.objects += 1;
            }
            Err(Failure { why: Why::CutShort, .. }) => {
                copied.cut_short = true;
                break;
            }
            // Deleted a moment ago, or gone: what it is a file of is no backup there either.
            Err(Failure { error, .. }) if error.kind == ErrorKind::Absent => without.extend(backup),
            Err(Failure { error, why })
                if why == Why::Here || matches!(error.kind, ErrorKind::Damaged | ErrorKind::Conflict) =>
            {
                let is_of_data = stored.key.split('/').count() == DATA_PARTS && error.kind == ErrorKind::Damaged;
                if let Some(name) = backup.as_ref().filter(|_| why != Why::Here && is_of_data) {
                    // Else it is read and sent up to there again and again. That it cannot be written down changes nothing else.
                    let _ = from.set_damaged(name, Timestamp::now());
                }
                without.extend(backup);
                trouble.get_or_insert(error);
            }
            Err(Failure { error, .. }) => {
                // What is there is not known any more.
                *copies = Copies::default();
                return Err(error);
            }
        }
    }
    match trouble {
        // Whoever had it cut short asks again, and hears of it then.
        Some(error) if !copied.cut_short => Err(error),
        _ => Ok(copied),
    }
}

/// Why an object was not copied.
struct Failure {
    error: ArchiveError,
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It could not be read where it is: others can.
    Here,
    /// Nobody wanted it to go on.
    CutShort,
    Other,
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Self {
        Self { error, why: Why::Other }
    }
}

impl Failure {
    fn here(error: ArchiveError) -> Self {
        Self { error, why: Why::Here }
    }
}

/// An object to be copied. What makes files a backup is one only where all of them are there as they were stored.
fn source(from: &Generation, key: &str, there: &BTreeMap<String, There>) -> Result<Box<dyn Read + Send>> {
    let source = from.repository.store.open(key)?;
    if !key.ends_with("/manifest") {
        return Ok(source);
    }
    let what = from.repository.store.describe(key);
    let reading = |error: io::Error| ArchiveError::io(&format!("read {what}"), &error);
    let (mut bytes, mut content) = (Vec::new(), Vec::new());
    source.take(LONGEST_MANIFEST_BYTES).read_to_end(&mut bytes).map_err(reading)?;
    let place = &key[from.folder.len() + 1..];
    let reader = ObjectReader::new(bytes.as_slice(), &from.repository.options.keys, &what)?;
    reader.belonging(place, &from.info.id)?.read_to_end(&mut content).map_err(reading)?;
    let manifest: Manifest = serde_json::from_slice(&content).map_err(|error| ArchiveError::damaged(&what, error))?;
    let backup = &manifest.backup.name;
    let key_of = |file: &StoredFile| from.key(&file_key(backup, &manifest.attempt, &file.name));
    let is_whole = |file: &&StoredFile| there.get(&key_of(file)).is_some_and(|known| known.bytes == file.bytes);
    match manifest.files.iter().find(|file| !is_whole(file)) {
        None => Ok(Box::new(Cursor::new(bytes))),
        Some(lost) => {
            let how = format!("{} of it is not there as it was stored", lost.name);
            Err(ArchiveError::damaged(&format!("the backup {backup}"), how))
        }
    }
}

/// The backup that something is a file of.
fn backup_of(from: &Generation, key: &str) -> Option<String> {
    let place = key[from.folder.len() + 1..].strip_prefix("backups/")?;
    place.split('/').next().map(str::to_owned)
}

/// Claims the place of a backup there until all is copied, so that nobody clears it away as what was begun and left.
fn claim(
    from: &Generation,
    to: &Repository,
    backup: Option<&String>,
    claims: &mut BTreeMap<String, Box<dyn Send>>,
) -> Result<()> {
    if let Some(name) = backup.filter(|name| !claims.contains_key(*name)) {
        let claim = to.store.claim(&from.key(&format!("backups/{name}")))?;
        claims.insert(name.clone(), claim);
    }
    Ok(())
}

/// Copies a backup, and the log from its beginning on, up to `until` or its end, into a repository of its own: to restore from there
/// what is stored where servers do not reach it.
pub fn fetch(
    from: &Generation,
    backup: &Backup,
    until: Option<Lsn>,
    to: &Repository,
    mut progress: impl FnMut(u64),
) -> Result<Generation> {
    for stored in needed(from, backup, until)? {
        let source = from.repository.store.open(&stored.key)?;
        let mut told = |bytes| {
            progress(bytes);
            true
        };
        copy_one(from, to, &stored, source, &mut told).map_err(|failure| failure.error)?;
    }
    to.generation(from.instance(), from.info().number)
}

/// How much that is.
pub fn fetch_bytes(from: &Generation, backup: &Backup, until: Option<Lsn>) -> Result<u64> {
    Ok(needed(from, backup, until)?.iter().map(|stored| stored.bytes).sum())
}

/// What is to be fetched, in the order to be copied in.
fn needed(from: &Generation, backup: &Backup, until: Option<Lsn>) -> Result<Vec<Stored>> {
    let last = until.map(|until| until.segment(backup.wal_segment_bytes));
    let first = backup.start_lsn.segment(backup.wal_segment_bytes);
    let wal = from.key("wal/");
    // Changes are restored with what they are the changes since.
    let names = [Some(&backup.name), backup.base.as_ref()];
    let folders: Vec<String> = names.into_iter().flatten().map(|name| from.key(&format!("backups/{name}/"))).collect();
    let is_needed = |stored: &Stored| match stored.key.strip_prefix(&wal) {
        Some(name) => name.rsplit('/').next().and_then(|name| name.parse::<WalName>().ok()).is_some_and(|name| {
            let number = name.segment().map(|segment| segment.number(backup.wal_segment_bytes));
            number.is_none_or(|number| number >= first && last.is_none_or(|last| number <= last))
        }),
        None => stored.key == from.key("generation") || folders.iter().any(|folder| stored.key.starts_with(folder)),
    };
    match listed(from, |_| false)? {
        (_, Some(unlisted)) => Err(unlisted),
        (mut all, None) => {
            all.retain(is_needed);
            Ok(all)
        }
    }
}

/// What is there, asked for when it is not known.
fn known<'a>(from: &Generation, to: &Repository, copies: &'a mut Copies) -> Result<&'a mut BTreeMap<String, There>> {
    if copies.there.is_none() {
        match to.generation(from.instance(), from.info().number) {
            Ok(there) if there.info().id != from.info().id => {
                let what = to.store.describe(&from.key("generation"));
                let help = "two machines keep copies in one place: give each a folder of its own, or move the other one's away";
                let message = format!("{what} is of another database of that name");
                return Err(ArchiveError::new(ErrorKind::Conflict, message).help(help));
            }
            Err(error) if error.kind != ErrorKind::Absent => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let listed = to.store.list(&from.folder)?;
        let there = |stored: Stored| (stored.key, There { bytes: stored.bytes, same_as: None });
        copies.there = Some(listed.into_iter().map(there).collect());
        copies.listed_at = Some(Instant::now());
    }
    Ok(copies.there.get_or_insert_default())
}

/// Objects, and why some could not be listed.
type Listed = (Vec<Stored>, Option<ArchiveError>);

/// What is not there as it is here, in the order to be copied in: the log first, and what makes files a backup behind all of them.
fn lacking(from: &Generation, to: &Repository, there: &mut BTreeMap<String, There>) -> Result<Listed> {
    listed(from, |stored| is_known(from, to, stored, there))
}

/// All that can be copied but what is known, in that order.
fn listed(from: &Generation, mut is_known: impl FnMut(&Stored) -> bool) -> Result<Listed> {
    from.be_there()?;
    let (stored, unlisted) = stored(from)?;
    let mut found = Vec::new();
    let mut attempts = BTreeMap::new();
    let marks = |stored: &Stored| {
        let name = stored.key.strip_suffix("/damaged").and_then(|folder| backup_of(from, &format!("{folder}/")))?;
        from.is_known_to_be_damaged(&name).then_some(name)
    };
    let damaged: BTreeSet<String> = stored.iter().filter_map(marks).collect();
    for stored in stored {
        if is_known(&stored) || backup_of(from, &stored.key).is_some_and(|name| damaged.contains(&name)) {
            continue;
        }
        let place = &stored.key[from.folder.len() + 1..];
        let parts: Vec<&str> = place.split('/').collect();
        let rank = match parts.as_slice() {
            ["generation"] => 0,
            ["wal", _, _] => 1,
            ["backups", _, "manifest"] => 3,
            ["backups", _, "verified"] => 4,
            ["backups", name, attempt, _] => {
                // Of a backup that is being taken, or never was finished, there is nothing to copy yet.
                let known = attempts.entry((*name).to_owned()).or_insert_with(|| from.manifest(name).ok());
                if known.as_ref().is_none_or(|manifest| manifest.attempt != *attempt) {
                    continue;
                }
                2
            }
            // Put aside.
            _ => continue,
        };
        found.push((rank, stored));
    }
    found.sort();
    Ok((found.into_iter().map(|(_, stored)| stored).collect(), unlisted))
}

/// What is stored, and why some of it could not be listed: a folder that cannot be read is no reason to do without the others.
fn stored(from: &Generation) -> Result<Listed> {
    let store = &from.repository.store;
    let mut unlisted = match store.list(&from.folder) {
        Ok(stored) => return Ok((stored, None)),
        Err(error) => Some(error),
    };
    let marker = from.key("generation");
    let reading = |error: io::Error| ArchiveError::io(&format!("read {}", store.describe(&marker)), &error);
    let bytes = io::copy(&mut store.open(&marker)?, &mut io::sink()).map_err(reading)?;
    let mut found = vec![Stored { key: marker, bytes, modified_at: from.info.begun_at }];
    for part in ["wal", "backups"] {
        let part = from.key(part);
        let names = store.names(&part).unwrap_or_else(|error| {
            unlisted = Some(error);
            Vec::new()
        });
        for name in names {
            match store.list(&format!("{part}/{name}")) {
                Ok(stored) => found.extend(stored),
                Err(error) => unlisted = Some(error),
            }
        }
    }
    Ok((found, unlisted))
}

/// Whether an object is there as it is here. Of what is written once under its name the size says so; what another may take the place
/// of is compared once. What cannot be compared is not known to be there: whoever copies it hears why.
fn is_known(from: &Generation, to: &Repository, stored: &Stored, there: &mut BTreeMap<String, There>) -> bool {
    let Some(known) = there.get_mut(&stored.key).filter(|known| known.bytes == stored.bytes) else { return false };
    if !is_replaced(&stored.key) || known.same_as == Some(stored.modified_at) {
        return true;
    }
    let same = is_same(from, to, &stored.key).unwrap_or(false);
    known.same_as = same.then_some(stored.modified_at);
    same
}

/// Whether another object may take the place of one of this name.
fn is_replaced(key: &str) -> bool {
    key.ends_with("/manifest") || key.ends_with("/verified")
}

/// Copies one object, verified as it is read.
fn copy_one(
    from: &Generation,
    to: &Repository,
    stored: &Stored,
    source: Box<dyn Read + Send>,
    goes_on: &mut impl FnMut(u64) -> bool,
) -> Result<(), Failure> {
    let (here, key) = (&from.repository, stored.key.as_str());
    let place = &key[from.folder.len() + 1..];
    let what = here.store.describe(key);
    let upload = to.store.begin(key)?;
    let mut tee = Tee { from: source, to: upload, goes_on, why: Why::Other };
    let checked = ObjectReader::new(&mut tee, &here.options.keys, &what)
        .and_then(|reader| reader.belonging(place, if place == "generation" { "" } else { &from.info.id }))
        .and_then(|reader| reader.verify_sealed(|_| {}));
    match checked {
        Ok(_) => {}
        // It is copied as it is: whoever has the key can use it.
        Err(error) if error.kind == ErrorKind::KeyLost => {
            let reading = |error: io::Error| ArchiveError::io(&format!("copy {what}"), &error);
            let copied = io::copy(&mut tee, &mut io::sink()).map_err(reading);
            copied.map_err(|error| Failure { error, why: tee.why })?;
        }
        Err(error) => return Err(Failure { error, why: tee.why }),
    }
    let mut upload = tee.to;
    let modified_at = here.store.knows_times().then_some(stored.modified_at);
    if place.ends_with("/verified") {
        return Ok(upload.commit_over(key)?);
    }
    if upload.commit(key, modified_at)? || is_same(from, to, key)? {
        return Ok(());
    }
    if place.ends_with("/manifest") && is_of_later_backup(from, to, key)? {
        return Ok(upload.commit_over(key)?);
    }
    let message = format!("{} is there already, with other content than {what}", to.store.describe(key));
    Err(ArchiveError::new(ErrorKind::Conflict, message)
        .help("nothing is written over: pgherd backups --check says whether the first one is good; move the other one away")
        .into())
}

/// Whether a name was given to a later backup, of which all is there by now: its manifest goes before the one that is there.
fn is_of_later_backup(from: &Generation, to: &Repository, key: &str) -> Result<bool> {
    let place = &key[from.folder.len() + 1..];
    let read = |repository: &Repository| repository.read_json::<Manifest>(key, place, &from.info.id);
    let (here, there) = (
        read(&from.repository)?,
        match read(to) {
            // Nobody can restore by it.
            Err(error) if error.kind == ErrorKind::Damaged => return Ok(true),
            other => other?,
        },
    );
    Ok(here.attempt != there.attempt && here.backup.taken_at > there.backup.taken_at)
}

/// Whether what is there is what is here.
fn is_same(from: &Generation, to: &Repository, key: &str) -> Result<bool> {
    let reading = |error: io::Error| ArchiveError::io(&format!("compare {key}"), &error);
    let (mut one, mut other) = (from.repository.store.open(key)?, to.store.open(key)?);
    let (mut left, mut right) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    loop {
        let count = crate::wal::fill(&mut one, &mut left).map_err(reading)?;
        if crate::wal::fill(&mut other, &mut right).map_err(reading)? != count || left[..count] != right[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

/// Writes what is read.
struct Tee<'a, P: FnMut(u64) -> bool> {
    from: Box<dyn Read + Send>,
    to: Box<dyn Upload>,
    goes_on: &'a mut P,
    /// What was the last thing to fail.
    why: Why,
}

impl<P: FnMut(u64) -> bool> Read for Tee<'_, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer);
        self.why = if count.is_err() { Why::Here } else { Why::Other };
        let count = count?;
        self.to.write_all(&buffer[..count])?;
        if !(self.goes_on)(count as u64) {
            self.why = Why::CutShort;
            return Err(io::Error::other("it was cut short"));
        }
        Ok(count)
    }
}
