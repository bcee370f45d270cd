//! Taking one backup: streamed into the repository, looked at meanwhile, and read back (`proof.rs`).

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use pgherd_archive::{ArchiveError, BackupEnd, BackupStart, Generation, Packing};
use pgherd_core::backups::{Backup, BackupKind, Lsn, Timeline, base_for};
use pgherd_core::ha::NodeId;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::proof::prove_new;
use super::{archive, store};
use crate::postgres::backup;
use crate::postgres::runas::RunAs;
use crate::postgres::server::Server;
use crate::postgres::session::Session;
use crate::postgres::stream::{self, Form, Manifest, Stream};
use crate::supervisor::ledger::Record;
use crate::supervisor::requests::Shown;
use crate::supervisor::site::{CONNECT_DEADLINE, Site, blocking, chosen};

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

/// The backup of a name in the generation an instance archives to.
pub async fn named(site: &Site, name: &str) -> Result<Option<Backup>, ProviderError> {
    let (site, name) = (site.clone(), name.to_owned());
    blocking(move || {
        let Some(generation) = archive::known_generation(&site)? else { return Ok(None) };
        Ok(generation.backups().map_err(store::refused)?.into_iter().find(|backup| backup.name == name))
    })
    .await
}
