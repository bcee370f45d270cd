//! The archive of an instance's log: how its servers reach it, what a failover left out of it, and how it is doing.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgherd_archive::{Generation, Origin, Pushed, Repository, Settings};
use pgherd_core::backups::{History, Holdings, SegmentName, Timeline, WalName};
use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{second, store};
use crate::paths::Paths;
use crate::postgres::conf::Archive;
use crate::postgres::runas::RunAs;
use crate::postgres::server::Server;
use crate::postgres::{folders, io_error};
use crate::supervisor::ledger::Record;
use crate::supervisor::messages::ArchiveReport;
use crate::supervisor::site::Site;

/// What is committed is in the archive after this time at the latest, even when little is written.
const TIMEOUT_S: u32 = 60;
/// How much of a log's end is looked through for what the archive complained of.
const LOG_TAIL_BYTES: u64 = 64 << 10;
/// What every complaint of the helper begins with.
const COMPLAINT: &str = "pgherd: ";

/// Run as the program itself by PostgreSQL (`archive_command`, `restore_command`): gives the exit code, or `None` when these
/// arguments are for somebody else. To be asked before anything else is done, since it is done for every segment.
pub fn helper(arguments: &[OsString]) -> Option<u8> {
    pgherd_archive::archive_main(arguments, &mut std::io::stderr())
}

/// How the servers of an instance archive; `None`: they do not.
pub fn of(site: &Site, record: &Record) -> Option<Archive> {
    let paths = &site.agent.options.paths;
    let words = [shell(&paths.program()), "archive-wal".to_owned(), shell(&settings_file(site)), "%p".to_owned()];
    let archived = record.wanted.is_archived();
    let summarized = record.server.as_ref().is_some_and(Server::knows_changes);
    archived.then(|| Archive { command: words.join(" "), timeout_s: TIMEOUT_S, summarized })
}

/// The command that fetches log by these settings.
pub fn restore_command(paths: &Paths, settings: &Path) -> String {
    [shell(&paths.program()), "restore-wal".to_owned(), shell(settings), "%f".to_owned(), "%p".to_owned()].join(" ")
}

/// What the helper of an instance is told, and what says which generation it archives to. No secret is in it.
pub fn settings_file(site: &Site) -> PathBuf {
    site.layout.root.join("archive.json")
}

/// One word for `sh`, in a command in which PostgreSQL puts something in the place of `%`.
fn shell(path: &Path) -> String {
    let quoted = path.display().to_string().replace('\'', r"'\''").replace('%', "%%");
    format!("'{quoted}'")
}

/// Has this program lie where the user PostgreSQL runs as reaches it, whatever becomes of the file it was started from: a link
/// to the same file, a name for it, or a copy. Blocking.
pub fn install_program(paths: &Paths, run_as: &RunAs) -> Result<(), ProviderError> {
    let program = paths.program();
    let folder = program.parent().unwrap_or(&paths.state).to_owned();
    let refuse = |error: std::io::Error| io_error("install", &program, &error);
    let running = std::fs::metadata("/proc/self/exe").map_err(refuse)?;
    let is_it = |there: &std::fs::Metadata| {
        use std::os::unix::fs::MetadataExt as _;
        (there.dev(), there.ino()) == (running.dev(), running.ino())
    };
    if std::fs::metadata(&program).is_ok_and(|there| is_it(&there)) {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).map_err(refuse)?;
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).map_err(refuse)?;
    let next = folder.join(format!(".pgherd-{}", std::process::id()));
    match std::fs::remove_file(&next) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(refuse(error)),
        _ => {}
    }
    let readable = running.permissions().mode() & 0o055 == 0o055;
    let linked = readable && {
        let (from, to) = (Path::new("/proc/self/exe"), &next);
        rustix::fs::linkat(rustix::fs::CWD, from, rustix::fs::CWD, to, rustix::fs::AtFlags::SYMLINK_FOLLOW).is_ok()
    };
    // On another disk: by its name, which an upgrade replaces as well, if that leads there for PostgreSQL's user.
    let named = !linked && readable && name_it(&next, run_as);
    if !linked && !named {
        std::fs::copy("/proc/self/exe", &next).map_err(refuse)?;
        std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o755)).map_err(refuse)?;
    }
    std::fs::rename(&next, &program).map_err(refuse)
}

fn name_it(link: &Path, run_as: &RunAs) -> bool {
    let Ok(path) = std::fs::read_link("/proc/self/exe") else { return false };
    let is_reached = path.parent().is_some_and(|folder| folders::enterable(folder, run_as).is_ok());
    is_reached && path.exists() && std::os::unix::fs::symlink(&path, link).is_ok()
}

/// The generation that an instance archives to and has its backups in, begun when it has none. Blocking.
pub fn generation(site: &Site, record: &Record) -> Result<Generation, ProviderError> {
    let encrypt = record.wanted.backup_encrypted;
    let path = settings_file(site);
    let known = if path.exists() { Some(Settings::read(&path).map_err(store::refused)?) } else { None };
    // One that was there and is away is not begun anew: what is stored would seem to be lost.
    let own = record.wanted.backup_key_file.as_deref().filter(|_| encrypt);
    if known.is_none() {
        store::make(&site.agent, encrypt, own)?;
    }
    let repository = store::open(&site.agent, encrypt, own).map_err(|error| moved(site, known.as_ref(), error))?;
    let identifier = identifier_of(record).ok_or_else(|| {
        ProviderError::new(ErrorKind::Unavailable, format!("which cluster {} is is not known yet", site.name))
    })?;
    let generation = match &known {
        Some(known) => named(site, known, &repository, Some(identifier))?,
        None => {
            let from = record.restored.as_ref().map(|restored| Origin {
                instance: restored.of.clone(),
                generation: restored.generation,
                backup: restored.backup.clone(),
                to: restored.to.clone(),
            });
            // Nothing is copied where nobody asks for it, so that no number there is in the way.
            let last = if record.wanted.geo_redundant_backup { second::number_before(site) } else { 0 };
            let begun = repository.begin_generation_after(last, &site.name, identifier, from, Timestamp::now());
            begun.map_err(store::refused)?
        }
    };
    let mut wanted = settings(site, &generation, encrypt)?;
    wanted.keys.splice(..0, own.map(Path::to_owned));
    if known.as_ref() != Some(&wanted) {
        wanted.write(&path, store::owner(&site.agent.run_as)).map_err(store::refused)?;
    }
    Ok(generation)
}

/// The generation, when there is one. Blocking.
pub fn known_generation(site: &Site) -> Result<Option<Generation>, ProviderError> {
    let path = settings_file(site);
    if !path.exists() {
        return Ok(None);
    }
    let known = Settings::read(&path).map_err(store::refused)?;
    let moved = |error| moved(site, Some(&known), error);
    match store::open_if_there(&site.agent).map_err(moved)? {
        Some(repository) => {
            let record = Record::load(&site.layout.root).ok().flatten();
            named(site, &known, &repository, record.as_ref().and_then(identifier_of)).map(Some)
        }
        None if known.repository.starts_with('/') => Ok(None),
        // There is no bucket of the name, or nothing in it: not what is asked for.
        None => Err(moved(ProviderError::new(
            ErrorKind::Unavailable,
            format!("there is no repository at {}, where it archives to", known.repository),
        ))),
    }
}

/// The number of the generation an instance archives to, also while its repository is away. Blocking.
pub fn current_number(site: &Site) -> Result<Option<u32>, ProviderError> {
    let path = settings_file(site);
    if !path.exists() {
        return Ok(None);
    }
    Settings::read(&path).map(|known| Some(known.generation)).map_err(store::refused)
}

/// What a helper of an instance is told about a generation, to read it as well.
pub fn settings_to_read(site: &Site, generation: &Generation) -> Result<Settings, ProviderError> {
    let mut settings = settings(site, generation, false)?;
    settings.keys.extend(store::own_key_files(&site.agent.options.paths));
    Ok(settings)
}

/// What a helper of an instance is told about a generation.
pub fn settings(site: &Site, generation: &Generation, encrypt: bool) -> Result<Settings, ProviderError> {
    let paths = &site.agent.options.paths;
    let location = generation.repository().location();
    let is_first = store::place(paths)?.location == *location;
    Ok(Settings {
        repository: location.to_string(),
        instance: generation.instance().to_owned(),
        generation: generation.info().number,
        id: generation.info().id.clone(),
        keys: vec![store::key_file(paths)],
        encrypt,
        access: if is_first { store::access_file(paths)? } else { None },
        also_from: Vec::new(),
    })
}

/// The identity of an instance's cluster, where it is known.
fn identifier_of(record: &Record) -> Option<u64> {
    record.system_identifier.as_ref()?.parse().ok().filter(|identifier| *identifier != 0)
}

/// The generation that settings name. Those of versions that wrote no identity into them name a number, which is another database's in
/// another place: then it has to be of the same cluster. A copy that was restored elsewhere is one, too, and is not told apart by this; once
/// anything was archived by a version that knows identities, it is by its own.
fn named(
    site: &Site,
    known: &Settings,
    repository: &Repository,
    identifier: Option<u64>,
) -> Result<Generation, ProviderError> {
    let generation = known.generation(repository).map_err(|error| moved(site, Some(known), store::refused(error)))?;
    let theirs = generation.info().system_identifier;
    let is_another = known.id.is_empty() && theirs != 0 && identifier.is_some_and(|own| own != theirs);
    if !is_another {
        return Ok(generation);
    }
    let (place, number) = (repository.location(), generation.info().number);
    let message = format!("{place} has another database {} as its generation {number}", generation.instance());
    let error = ProviderError::new(ErrorKind::Conflict, message)
        .help("two machines keep their backups in one place: give each a folder of its own");
    Err(moved(site, Some(known), error))
}

/// What it archives to may not be where the repository is said to be now: then nothing is begun anew there.
fn moved(site: &Site, known: Option<&Settings>, error: ProviderError) -> ProviderError {
    let now = store::place(&site.agent.options.paths).map(|place| place.location.to_string());
    match (known, now) {
        (Some(known), Ok(now)) if known.repository != now => {
            let (was, why) = (&known.repository, &error.message);
            let message = format!("it archives to {was}, and the first repository is {now} now: {why}");
            ProviderError::new(ErrorKind::Conflict, message)
                .help("copy everything from the one to the other, as it is, or name the place it had again")
        }
        _ => error,
    }
}

/// Stores what a primary has only streamed as a standby, and so does not archive itself, or not before it would remove it: what the
/// archive does not have of the timelines it comes from, and what its server says is done. Only as far as a backup needs them.
/// Blocking.
pub fn fill(site: &Site, generation: &Generation, primary: NodeId, timeline: u32) -> Result<usize, ProviderError> {
    let holdings = generation.holdings().map_err(store::refused)?;
    let Some(from) = needed_from(&holdings) else { return Ok(0) };
    let there: BTreeSet<WalName> = holdings.wal.iter().map(|file| file.name).collect();
    let data = site.node(primary).data;
    let missing = |name: &WalName| !there.contains(name) && is_needed(*name, from, &holdings);
    let mut names: BTreeSet<WalName> = marked(&data, ".done")?.into_iter().collect();
    names.extend(inherited(&data, timeline, segment_bytes(&holdings))?);
    push(generation, &data, names.into_iter().filter(missing))
}

/// Whole segments of earlier timelines in a server's log: those before the place where its own parted from each.
fn inherited(data: &Path, timeline: u32, segment_bytes: u64) -> Result<Vec<WalName>, ProviderError> {
    let folder = data.join("pg_wal");
    let timeline = Timeline(timeline);
    let text = std::fs::read_to_string(folder.join(WalName::History(timeline).to_string())).unwrap_or_default();
    let Some(history) = History::parse(timeline, &text) else { return Ok(Vec::new()) };
    let is_whole = |segment: SegmentName| {
        let ended = history.switches.iter().find(|switch| switch.from == segment.timeline);
        ended.is_some_and(|switch| segment.number(segment_bytes) < switch.at.segment(segment_bytes))
    };
    let entries = std::fs::read_dir(&folder).map_err(|error| io_error("read", &folder, &error))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(names.filter(|name| matches!(name, WalName::Segment(segment) if is_whole(*segment))).collect())
}

/// Stores what a server that is given up had not archived yet, before its log is rewound or replaced. Blocking.
pub fn rescue(site: &Site, node: NodeId) -> Result<usize, ProviderError> {
    let Some(generation) = known_generation(site)? else { return Ok(0) };
    let data = site.node(node).data;
    push(&generation, &data, marked(&data, ".ready")?.into_iter())
}

fn push(generation: &Generation, data: &Path, names: impl Iterator<Item = WalName>) -> Result<usize, ProviderError> {
    let mut pushed = 0;
    for name in names {
        let path = data.join("pg_wal").join(name.to_string());
        // Removed meanwhile by its own server, which has archived it.
        if path.exists() {
            let there = generation.push_wal(name, &path).map_err(store::refused)?;
            pushed += usize::from(there != Pushed::AlreadyThere);
        }
    }
    Ok(pushed)
}

/// The first segment that any backup needs.
fn needed_from(holdings: &Holdings) -> Option<u64> {
    holdings.backups.iter().map(|backup| backup.start_lsn.segment(backup.wal_segment_bytes)).min()
}

fn is_needed(name: WalName, from: u64, holdings: &Holdings) -> bool {
    name.segment().is_none_or(|segment| segment.number(segment_bytes(holdings)) >= from)
}

fn segment_bytes(holdings: &Holdings) -> u64 {
    holdings.backups.first().map_or(16 << 20, |backup| backup.wal_segment_bytes)
}

/// Files of a server's log with a mark of its archiver.
fn marked(data: &Path, mark: &str) -> Result<Vec<WalName>, ProviderError> {
    let folder = data.join("pg_wal/archive_status");
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| io_error("read", &folder, &error))?,
    };
    let name = |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(mark)?.parse().ok();
    let mut names: Vec<WalName> = entries.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// When the last of what is archived was written; `None`: nothing is, or nobody knows. Blocking.
pub fn last_at(site: &Site, record: &Record) -> Option<Timestamp> {
    if !record.wanted.is_archived() {
        return None;
    }
    let wal = known_generation(site).ok().flatten().and_then(|generation| generation.wal().ok());
    wal.into_iter().flatten().filter_map(|file| file.written_at.or(file.stored_at)).max()
}

/// How the archive is doing, without what is stored, which takes as long as looking at every file; `None`: there is none. Blocking.
pub fn queue(site: &Site, record: &Record) -> Option<ArchiveReport> {
    if !record.wanted.is_archived() {
        return None;
    }
    let layout = site.node(record.primary());
    let folder = layout.data.join("pg_wal/archive_status");
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let ready = entries.filter(|entry| entry.path().extension().is_some_and(|mark| mark == "ready"));
    let of_one = |entry: std::fs::DirEntry| {
        let since = Timestamp::try_from(entry.metadata().ok()?.modified().ok()?).ok()?;
        let log = layout.data.join("pg_wal").join(entry.path().file_stem()?);
        Some((since, log.metadata().map_or(0, |log| log.len())))
    };
    let ready: Vec<(Timestamp, u64)> = ready.filter_map(of_one).collect();
    let waiting_since = ready.iter().map(|(since, _)| *since).min();
    let late = waiting_since.is_some_and(|since| is_late(since, Timestamp::now()));
    Some(ArchiveReport {
        waiting: ready.len() as u64,
        waiting_bytes: ready.iter().map(|(_, bytes)| bytes).sum(),
        waiting_since,
        last_at: None,
        failure: late.then(|| complaint(&layout.log)).flatten(),
    })
}

/// Whether something has waited longer than an archive that works has it wait.
pub fn is_late(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since).as_secs() >= 30
}

/// What the helper complained of last, in the newest of a server's logs.
fn complaint(log: &Path) -> Option<String> {
    let entries = std::fs::read_dir(log).ok()?.flatten().map(|entry| entry.path());
    let is_log = |path: &PathBuf| path.extension().is_some_and(|end| end == "log");
    let newest = entries.filter(is_log).max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok())?;
    let mut file = std::fs::File::open(newest).ok()?;
    let end = file.seek(SeekFrom::End(0)).ok()?;
    file.seek(SeekFrom::Start(end.saturating_sub(LOG_TAIL_BYTES))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().find_map(|line| line.strip_prefix(COMPLAINT)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_in_which_postgresql_replaces_nothing() {
        assert_eq!(shell(Path::new("/a b/it's 100%/x")), r"'/a b/it'\''s 100%%/x'");
    }
}
