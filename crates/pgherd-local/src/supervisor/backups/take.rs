//! Taking one backup: streamed into the repository, looked at meanwhile, read back.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use pgherd_archive::{ArchiveError, BackupEnd, BackupStart, Generation, Packing};
use pgherd_core::backups::{Backup, BackupKind, Deletion, Lsn, Timeline, base_for};
use pgherd_core::ha::NodeId;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{archive, quiet, second, store};
use crate::postgres::backup;
use crate::postgres::runas::RunAs;
use crate::postgres::server::Server;
use crate::postgres::session::Session;
use crate::postgres::stream::{self, Form, Manifest, Stream};
use crate::supervisor::ledger::Record;
use crate::supervisor::requests::Shown;
use crate::supervisor::site::{CONNECT_DEADLINE, Site, blocking, chosen};
use crate::supervisor::upkeep::Goal;

/// The file of a backup that its data directory is in, with the log that makes it consistent, as tar.
pub const DATA: &str = "data.tar";
/// What the server says of it: which files there are, with their checksums.
pub const MANIFEST: &str = "backup_manifest";
/// After so much that is stored is looked whether there is room for more.
const LOOK_FOR_ROOM_BYTES: u64 = 16 << 20;

/// What is to be taken.
#[derive(Debug, Clone)]
pub struct Taking {
    /// Its name.
    pub name: String,
    /// Why.
    pub kind: BackupKind,
    /// Of which server.
    pub node: NodeId,
    /// How many bytes of its data have come so far, as they are on its disk.
    pub come: Arc<AtomicU64>,
}

/// Takes it: what the server sends goes into the repository as it comes, and is looked at meanwhile. To be called by whoever has the turn.
pub async fn take(site: &Site, record: &Record, what: &Taking, say: impl Fn(&str)) -> Result<Backup, ProviderError> {
    let taken_at = Timestamp::now();
    let (own, of) = (site.clone(), record.clone());
    let generation = blocking(move || archive::generation(&own, &of)).await?;
    let work = site.layout.scratch.join("backup");
    backup::clear(&work).await?;
    site.agent.run_as.make_dir(&site.layout.scratch, 0o700)?;
    site.agent.run_as.make_dir(&work, 0o700)?;
    let server = chosen(record)?.clone();
    let (socket, port) = (site.layout.socket.clone(), site.running_port(record, what.node)?);
    let data = site.node(what.node).data;
    let tags = if record.wanted.copy_tags_to_backup { record.wanted.tags.clone() } else { BTreeMap::new() };
    let (name, kind, version) = (what.name.clone(), what.kind, server.version.to_string());
    say("copying the data");
    // The log that is written meanwhile stays until it was sent.
    let _log = hold_log(&socket, port).await?;
    let (stream, wal_segment_bytes) = blocking(move || {
        Ok((Stream::connect(&socket, port)?, crate::postgres::replication::wal_segment_bytes(&data)?))
    })
    .await?;
    // Whoever is not waited for any more ends.
    let cut = stream.cut()?;
    let start = BackupStart { name, kind, taken_at, version, wal_segment_bytes, tags, base: None };
    let (folder, run_as) = (store::folder(&site.agent.options.paths), site.agent.run_as.clone());
    let come = Arc::clone(&what.come);
    let knows = archive::of(site, record).is_some_and(|archive| archive.summarized);
    let since = if knows && !site.agent.desk.of(&site.name).doubts_changes {
        let (own, version, timeline) = (generation.clone(), server.version, Timeline(record.ha.timeline));
        let days = record.wanted.backup_retention_days;
        blocking(move || base_of(&own, kind, version, timeline, days, taken_at)).await?
    } else {
        None
    };
    let copying = Copying { stream, since, server, run_as, folder, work: work.clone(), come };
    let stored = blocking(move || keep(&generation, start, copying)).await;
    drop(cut);
    backup::clear(&work).await?;
    let (stored, whole_since) = stored?;
    if kind == BackupKind::Automated && stored.base.is_none() {
        // What comes then has another one to be the changes since.
        site.agent.desk.note(&site.name, |known| known.doubts_changes = false);
    }
    if let Some(why) = whole_since {
        site.note(format!("the backup {} is whole, and not what changed since the last whole one: {why}", stored.name));
    }
    Ok(stored)
}

/// The backup that the next one is to hold the changes since, and its manifest; `None`: it is to be whole. Blocking.
fn base_of(
    generation: &Generation,
    kind: BackupKind,
    version: Version,
    timeline: Timeline,
    retention_days: u32,
    now: Timestamp,
) -> Result<Option<Base>, ProviderError> {
    let backups = generation.backups().map_err(store::refused)?;
    let Some(base) = base_for(kind, version, timeline, &backups, retention_days, now) else { return Ok(None) };
    match manifest_of(generation, &base.name) {
        Ok(manifest) => Ok(Some(Base { name: base.name.clone(), manifest })),
        // A whole one is what is needed then.
        Err(error) => {
            tracing::warn!("the manifest of {}: {error}", base.name);
            Ok(None)
        }
    }
}

fn manifest_of(generation: &Generation, name: &str) -> Result<Vec<u8>, ProviderError> {
    let mut manifest = Vec::new();
    let reader = generation.open_backup(name).map_err(store::refused)?;
    let mut from = reader.open(MANIFEST).map_err(store::refused)?;
    from.read_to_end(&mut manifest).map_err(|error| storing(&error))?;
    Ok(manifest)
}

/// A backup that another one holds the changes since.
struct Base {
    name: String,
    manifest: Vec<u8>,
}

/// A session for as long as which a server keeps its log.
async fn hold_log(socket: &Path, port: u16) -> Result<Session, ProviderError> {
    let session = Session::connect(socket, port, "postgres", CONNECT_DEADLINE).await?;
    session.run("SET idle_session_timeout = 0").await?;
    // Each has a name of its own: that of the backup before goes with its session, which the server ends when it gets to it.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = format!("pgherd_backup_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    session.one("SELECT pg_create_physical_replication_slot($1, true, true)::text", &[&name]).await?;
    Ok(session)
}

/// What is copied, and where to.
struct Copying {
    stream: Stream,
    /// Since which backup only changes are wanted.
    since: Option<Base>,
    server: Server,
    run_as: RunAs,
    /// The repository's, where it is one.
    folder: Option<PathBuf>,
    /// For the log that comes with it.
    work: PathBuf,
    come: Arc<AtomicU64>,
}

/// Has the server begin: with the changes since a backup, where it can, else with everything, and says why.
fn begin(stream: &mut Stream, name: &str, since: Option<&Base>) -> Result<(Form, Option<String>), ProviderError> {
    let Some(base) = since else { return Ok((stream.begin(name)?, None)) };
    if let Err(why) = stream.since(&base.manifest) {
        return Ok((stream.begin(name)?, Some(why.message)));
    }
    match stream.begin(name) {
        Ok(form) => Ok((form, None)),
        // Of everything there is none either.
        Err(why) if why.kind == ErrorKind::Invalid => Err(why),
        Err(why) => {
            stream.whole()?;
            Ok((stream.begin(name)?, Some(why.message)))
        }
    }
}

/// Stores what a server sends, checked against what it says of it; says why it is everything where changes were wanted. Blocking.
fn keep(
    generation: &Generation,
    start: BackupStart,
    copying: Copying,
) -> Result<(Backup, Option<String>), ProviderError> {
    let Copying { mut stream, since, server, run_as, folder, work, come } = copying;
    let name = start.name.clone();
    let base = since.as_ref().map(|base| base.name.clone());
    let mut writer = generation.begin_backup(BackupStart { base, ..start }).map_err(store::refused)?;
    let (form, whole_since) = begin(&mut stream, &name, since.as_ref())?;
    if whole_since.is_some() {
        writer.is_whole();
    }
    let packing = match form {
        Form::Tar => Packing::None,
        Form::Zstd => Packing::Zstd,
    };
    let folders: Vec<PathBuf> = folder.into_iter().chain([work.clone()]).collect();
    let watched = Watched { from: &mut stream, folders: &folders, unlooked: LOOK_FOR_ROOM_BYTES };
    let looked = writer
        .store(DATA, watched, packing, |tar| stream::look(&mut Counted { from: tar, come: &come }, &work, &run_as));
    let (_, looked) = looked.map_err(store::refused)?;
    let text = stream.finish()?;
    let manifest = Manifest::read(&text)?;
    looked.compare(&manifest)?;
    stream::read_log(&manifest, &work, &server, &run_as)?;
    let mut file = writer.file(MANIFEST).map_err(store::refused)?;
    file.write_all(&text).map_err(|error| storing(&error))?;
    file.finish().map_err(store::refused)?;
    let backup = writer.finish(end_of(&manifest)?).map_err(store::refused)?;
    // What was compressed by the server was expanded and looked at while it was stored; what we compressed was not.
    prove_new(generation, &name, packing == Packing::Zstd)?;
    Ok((backup, whole_since))
}

fn end_of(manifest: &Manifest) -> Result<BackupEnd, ProviderError> {
    let lsn = |text: &str| {
        text.parse::<Lsn>()
            .map_err(|error| ProviderError::new(ErrorKind::Invalid, format!("the backup's log: {error}")))
    };
    let (Some(newest), Some(oldest)) = (manifest.log.first(), manifest.log.last()) else {
        return Err(ProviderError::new(ErrorKind::Invalid, "the backup names no range of the log"));
    };
    Ok(BackupEnd {
        finished_at: Timestamp::now(),
        timeline: Timeline(oldest.timeline),
        start_lsn: lsn(&oldest.start)?,
        end_lsn: lsn(&newest.end)?,
        self_contained: true,
    })
}

/// What a server sends, as long as there is room for it: servers that write to the same disk need some.
struct Watched<'a> {
    from: &'a mut Stream,
    folders: &'a [PathBuf],
    /// Bytes since it was last looked.
    unlooked: u64,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.unlooked >= LOOK_FOR_ROOM_BYTES {
            self.unlooked = 0;
            for folder in self.folders {
                super::leave_room(folder).map_err(std::io::Error::from)?;
            }
        }
        let count = self.from.read(buffer)?;
        self.unlooked += count as u64;
        Ok(count)
    }
}

/// Counts what is looked at.
struct Counted<'a> {
    from: &'a mut dyn Read,
    come: &'a AtomicU64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.come.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Reads back what was stored of a backup just now and writes down that it is good. One that is not what was stored is none: it goes,
/// so that the name is free for one that is. What was expanded and looked at when it was stored is not expanded again. Blocking.
fn prove_new(generation: &Generation, name: &str, was_expanded: bool) -> Result<(), ProviderError> {
    let error = match read_back(generation, name, was_expanded) {
        Ok(()) => return generation.set_verified(name, Timestamp::now()).map_err(store::refused),
        Err(error) => error,
    };
    if error.kind != pgherd_archive::ErrorKind::Damaged {
        return Err(store::refused(error));
    }
    generation.delete(&[Deletion::Backup(name.to_owned())]).map_err(store::refused)?;
    Err(not_as_it_was(name, &error))
}

/// Reads back a backup that was there before and writes down what it is: one that is damaged stays, and takes the place of no other.
/// Blocking.
fn prove(generation: &Generation, name: &str) -> Result<(), ProviderError> {
    match read_back(generation, name, false) {
        Ok(()) => generation.set_verified(name, Timestamp::now()).map_err(store::refused),
        Err(error) if error.kind == pgherd_archive::ErrorKind::Damaged => {
            generation.set_damaged(name, Timestamp::now()).map_err(store::refused)?;
            Err(not_as_it_was(name, &error))
        }
        Err(error) => Err(store::refused(error)),
    }
}

fn read_back(generation: &Generation, name: &str, was_expanded: bool) -> Result<(), ArchiveError> {
    let stored = generation.open_backup(name)?;
    if was_expanded { stored.verify_sealed(|_| {}) } else { stored.verify(|_| {}) }
}

fn not_as_it_was(name: &str, error: &ArchiveError) -> ProviderError {
    let message = format!("the backup {name} was stored and did not come back as it was: {error}");
    ProviderError::new(ErrorKind::Unavailable, message)
        .help("look after the disk of the repository, and take the backup again")
}

/// Reads back one that was listed when whoever took it was killed. To be called by whoever has the turn.
pub async fn prove_left(site: &Site, name: &str) -> Result<(), ProviderError> {
    let (own, name) = (site.clone(), name.to_owned());
    blocking(move || match archive::known_generation(&own)? {
        Some(generation) => prove(&generation, &name),
        None => Err(ProviderError::new(ErrorKind::Unavailable, format!("the backup {name} is out of reach"))),
    })
    .await
}

fn storing(error: &std::io::Error) -> ProviderError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ArchiveError>()) {
        Some(ours) => store::refused(ours.clone()),
        None => ProviderError::new(ErrorKind::Unavailable, format!("the backup cannot be stored: {error}")),
    }
}

/// The server that a backup burdens least: the standby that is known to hold everything, or else the primary.
pub fn server_for(shown: &Shown) -> NodeId {
    let standby = shown.record.ha.promotable.filter(|node| shown.pids.iter().any(|(runs, _)| runs == node));
    standby.unwrap_or_else(|| shown.record.primary())
}

/// The last backup of an instance that is to go. Repeatable.
pub async fn take_last(site: &Site, record: &Record) -> Result<(), ProviderError> {
    let Goal::Gone { backup: Some(name), asked_at, .. } = record.memory.goal.clone() else { return Ok(()) };
    let primary = record.primary();
    let layout = site.node(primary);
    if !layout.data.join("PG_VERSION").exists() {
        let message = format!("{} is not there, so no last backup can be taken", layout.data.display());
        return Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("mount its disk and repeat; without a last backup only with skip_final_snapshot = true"));
    }
    let turn = site.agent.desk.turn(&site.name);
    let _turn = turn.lock().await;
    // What was taken before somebody could come in again is not the last one, whatever the clock says.
    let since = quiet::is_shut(site, primary).then_some(asked_at);
    let taken = take_last_of(site, record, primary, &name, since).await;
    if taken.is_err() {
        // One that was the primary when it was shut may be one of the others by now.
        for node in record.nodes() {
            if let Err(error) = quiet::open(site, record, node).await {
                site.note(format!("clients cannot come into {node} again: {error}; it is tried again within minutes"));
            }
        }
    }
    taken
}

async fn take_last_of(
    site: &Site,
    record: &Record,
    primary: NodeId,
    name: &str,
    since: Option<Timestamp>,
) -> Result<(), ProviderError> {
    let copied = record.wanted.geo_redundant_backup;
    if copied {
        // While clients work: what cannot be had, or takes long, is known before they are kept out.
        let own = site.clone();
        blocking(move || second::copy_before_last(&own)).await?;
    }
    quiet::shut(site, record, primary).await?;
    let (own, wanted) = (site.clone(), name.to_owned());
    let (name, known) = blocking(move || last_of(&own, &wanted, since)).await?;
    // Taken and listed, and then we were cut short.
    let taken = match known {
        Some(taken) if taken.verified_at.is_some() => taken,
        // It was not read back before we were cut short.
        Some(taken) => {
            prove_left(site, &taken.name).await?;
            taken
        }
        None => {
            take(site, record, &Taking { name, kind: BackupKind::Final, node: primary, come: Arc::default() }, |_| {})
                .await?
        }
    };
    quiet::refuse_company(site, record, primary).await?;
    site.note(format!("took and verified the last backup {} of {} bytes", taken.name, taken.bytes));
    if !copied {
        return Ok(());
    }
    let own = site.clone();
    blocking(move || copy_last(&own, &taken)).await?;
    // That may have taken long enough for another server to become the primary, which lets clients in.
    quiet::refuse_company(site, record, primary).await
}

/// Has the last backup be in the second repository. One that turned out to be damaged is written down as such, and the next attempt takes another.
fn copy_last(site: &Site, taken: &Backup) -> Result<(), ProviderError> {
    let Err(error) = second::copy_last(site, taken) else { return Ok(()) };
    if error.kind == ErrorKind::Invalid
        && let Some(generation) = archive::known_generation(site)?
    {
        prove(&generation, &taken.name)?;
    }
    Err(error)
}

/// What the last backup is called, and itself if it was taken since nobody can come in. One of the name that an earlier attempt to
/// destroy the database left was not its last one, and stays: the next one gets a number.
fn last_of(site: &Site, name: &str, since: Option<Timestamp>) -> Result<(String, Option<Backup>), ProviderError> {
    let Some(generation) = archive::known_generation(site)? else { return Ok((name.to_owned(), None)) };
    choose_last(&generation.backups().map_err(store::refused)?, name, since).ok_or_else(|| {
        let message = format!("there are backups of {name}, and of that name with every number");
        ProviderError::new(ErrorKind::Conflict, message).help("choose another name for the last backup")
    })
}

fn choose_last(kept: &[Backup], name: &str, since: Option<Timestamp>) -> Option<(String, Option<Backup>)> {
    let mut names = std::iter::once(name.to_owned()).chain((2..100).map(|number| format!("{name}-{number}")));
    names.find_map(|name| match kept.iter().find(|known| known.name == name) {
        None => Some((name, None)),
        Some(known) if known.kind != BackupKind::Final => Some((name, None)),
        Some(known) => {
            let is_it = !known.damaged && since.is_some_and(|since| known.taken_at >= since);
            is_it.then(|| (name, Some(known.clone())))
        }
    })
}

/// The backup of a name in the generation an instance archives to.
pub async fn named(site: &Site, name: &str) -> Result<Option<Backup>, ProviderError> {
    let (site, name) = (site.clone(), name.to_owned());
    blocking(move || {
        let Some(generation) = archive::known_generation(&site)? else { return Ok(None) };
        Ok(generation.backups().map_err(store::refused)?.into_iter().find(|backup| backup.name == name))
    })
    .await
}

/// Lets go of an instance that is being removed. With a last backup everything that is stored of it stays; without one, which is to
/// say that it is not worth one, only what somebody asked for by name. What is stored of earlier ones of its name stays in any case.
/// Repeatable.
pub async fn let_go(site: &Site, record: &Record) -> Result<(), ProviderError> {
    let turn = site.agent.desk.turn(&site.name);
    let _turn = turn.lock().await;
    site.agent.desk.forget(&site.name);
    if !matches!(record.memory.goal, Goal::Gone { backup: None, .. }) {
        return Ok(());
    }
    let own = site.clone();
    blocking(move || match archive::known_generation(&own)? {
        Some(generation) => forget_automatic(&generation),
        None => Ok(()),
    })
    .await
}

fn forget_automatic(generation: &Generation) -> Result<(), ProviderError> {
    // What was begun and never finished is nobody's.
    generation.clear_unfinished().map_err(store::refused)?;
    let holdings = generation.holdings().map_err(store::refused)?;
    let names = generation.backup_names().map_err(store::refused)?;
    // One whose manifest is damaged is not listed, and may be what somebody asked for by name.
    let is_automatic = |name: &String| {
        holdings.backups.iter().any(|backup| backup.name == *name && backup.kind == BackupKind::Automated)
    };
    if names.iter().all(is_automatic) {
        return generation.delete_all().map_err(store::refused);
    }
    let automatic = holdings.backups.iter().filter(|backup| backup.kind == BackupKind::Automated);
    let backups = automatic.map(|backup| Deletion::Backup(backup.name.clone()));
    // The others hold what makes them consistent.
    let wal = holdings.wal.iter().map(|file| Deletion::Wal(file.name));
    generation.delete(&backups.chain(wal).collect::<Vec<_>>()).map_err(store::refused)
}

#[cfg(test)]
mod tests {
    use pgherd_archive::{KeyRing, Location, Options, Repository};

    use super::*;

    fn generation(folder: &Path) -> Generation {
        let options = Options { keys: KeyRing::none(), encrypt: false, owner: None, ..Options::default() };
        let repository = Repository::create(&Location::Folder(folder.to_owned()), options).expect("a repository");
        repository.begin_generation("shop", 1, None, Timestamp::UNIX_EPOCH).expect("begun")
    }

    fn store(generation: &Generation, name: &str, kind: BackupKind) {
        let start = BackupStart {
            name: name.to_owned(),
            kind,
            taken_at: Timestamp::UNIX_EPOCH,
            version: "15.18".to_owned(),
            wal_segment_bytes: 16 << 20,
            tags: BTreeMap::new(),
            base: None,
        };
        let writer = generation.begin_backup(start).expect("begun");
        let mut file = writer.file(DATA).expect("begun");
        file.write_all(&[7; 10_000]).expect("written");
        file.finish().expect("stored");
        let end = BackupEnd {
            finished_at: Timestamp::UNIX_EPOCH,
            timeline: Timeline(1),
            start_lsn: Lsn(0x0300_0028),
            end_lsn: Lsn(0x0300_0128),
            self_contained: true,
        };
        writer.finish(end).expect("a backup");
    }

    #[test]
    fn what_an_attempt_to_destroy_left_stays_and_the_next_has_a_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        let last = |seconds: Option<i64>| {
            let since = seconds.map(|seconds| Timestamp::from_second(seconds).expect("a time"));
            let (name, known) = choose_last(&generation.backups().expect("listed"), "last", since).expect("a name");
            (name, known.is_some())
        };
        assert_eq!(last(Some(0)), ("last".to_owned(), false));
        store(&generation, "last", BackupKind::Final);
        assert_eq!(last(Some(0)), ("last".to_owned(), true), "it was taken since, before the agent was killed");
        assert_eq!(last(Some(1)), ("last-2".to_owned(), false));
        assert_eq!(last(None), ("last-2".to_owned(), false), "clients came in since, whatever the clock says");
        store(&generation, "last-2", BackupKind::Final);
        assert_eq!(last(Some(1)), ("last-3".to_owned(), false));
        // What somebody else calls so is refused by whoever takes it.
        store(&generation, "last-3", BackupKind::Manual);
        assert_eq!(last(Some(1)), ("last-3".to_owned(), false));
        generation.set_damaged("last", Timestamp::now()).expect("written down");
        generation.set_damaged("last-2", Timestamp::now()).expect("written down");
        assert_eq!(last(Some(0)), ("last-3".to_owned(), false), "a damaged one is not the last one");
    }

    /// Changes one byte in the middle of each file that ends so.
    fn damage(folder: &Path, end: &str) {
        for path in files(folder).into_iter().filter(|path| path.to_string_lossy().ends_with(end)) {
            let mut bytes = std::fs::read(&path).expect("read");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, bytes).expect("written");
        }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }

    fn has(folder: &Path, part: &str) -> bool {
        files(folder).iter().any(|path| path.to_string_lossy().contains(part))
    }

    #[test]
    fn what_somebody_asked_for_stays_also_when_its_manifest_is_damaged() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "before-upgrade", BackupKind::Manual);
        store(&generation, "daily", BackupKind::Automated);
        damage(folder.path(), "before-upgrade/manifest.pgherd");
        forget_automatic(&generation).expect("forgotten");
        assert!(has(folder.path(), "before-upgrade") && has(folder.path(), "data.tar"));
        assert!(!has(folder.path(), "daily"));
    }

    #[test]
    fn a_generation_of_the_schedule_alone_goes_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "daily", BackupKind::Automated);
        // Cut short.
        std::fs::create_dir_all(folder.path().join("shop/0001/backups/nightly")).expect("made");
        forget_automatic(&generation).expect("forgotten");
        assert!(!has(folder.path(), "shop"));
    }

    #[test]
    fn only_what_comes_back_as_it_was_is_verified() {
        let folder = tempfile::tempdir().expect("a folder");
        let generation = generation(folder.path());
        store(&generation, "last", BackupKind::Final);
        prove(&generation, "last").expect("good");
        assert!(generation.backups().expect("listed")[0].verified_at.is_some());
        store(&generation, "worse", BackupKind::Final);
        damage(folder.path(), "data.tar.pgherd");
        let error = prove(&generation, "worse").expect_err("damaged");
        assert!(error.message.contains("did not come back as it was"), "{}", error.message);
        let is_damaged = |backup: &Backup| backup.name == "worse" && backup.damaged;
        assert!(generation.backups().expect("listed").iter().any(is_damaged), "what was there before stays");
        prove_new(&generation, "worse", true).expect_err("damaged");
        // Of one that was just taken the name is free for a good one.
        assert!(!has(folder.path(), "worse"));
    }
}
