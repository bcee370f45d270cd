//! A copy of a database made of what is stored: unpacked in a place of its own, and brought to a moment of its past.

use std::path::Path;
use std::sync::Arc;

use pgherd_archive::BackupReader;
use pgherd_core::backups::{Backup, Lsn, room_for};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::log::{Log, log_after};
use super::source::Source;
use super::take::{DATA, MANIFEST};
use super::{archive, rest, room, second, serving, store, telling};
use crate::paths::{Layout, Paths};
use crate::postgres::recover::{End, Recovered, Recovery, Target, recover};
use crate::postgres::runas::RunAs;
use crate::postgres::{backup, folders, io_error, packed};
use crate::supervisor::agent::Agent;
use crate::supervisor::ledger::Record;
use crate::supervisor::requests::Watcher;
use crate::supervisor::site::{Site, blocking, chosen};
use crate::supervisor::{configure, files};
use crate::{sizing, storage};

/// Unpacks a backup and replays the log up to the target.
pub async fn from_backup(
    agent: &Arc<Agent>,
    record: &Record,
    place: &Layout,
    source: &Source,
    target: Target,
    watcher: &Watcher,
) -> Result<Recovered, ProviderError> {
    let Source { generation, backup, .. } = source;
    let far = second::is_far(agent, generation).then(|| generation.repository().location().clone());
    let now = match target {
        Target::Backup => 0,
        // With the log it may become what the database is now.
        Target::Latest | Target::At(_) | Target::Lsn(_) => {
            used_by(agent, generation.instance()).await.unwrap_or_default()
        }
    };
    let until = matches!(target, Target::Backup).then_some(backup.end_lsn);
    let (own, of) = (generation.clone(), backup.clone());
    let (log, base, room) = blocking(move || {
        let backups = own.backups().map_err(store::refused)?;
        let base = of.base.as_ref().and_then(|base| backups.iter().find(|known| known.name == *base)).cloned();
        if let (Some(base), None) = (&of.base, &base) {
            let message = format!("{} holds the changes since {base}, and that is not there", of.name);
            return Err(ProviderError::new(ErrorKind::Unavailable, message));
        }
        Ok((log_after(&own, &of)?, base, room_for(&of, &backups)))
    })
    .await?;
    let server = chosen(record)?;
    if base.is_some() && !server.knows_changes() {
        let message = format!(
            "{} has no pg_combinebackup, which puts a backup and what changed since together",
            server.bin.display()
        );
        return Err(
            ProviderError::new(ErrorKind::Unsupported, message).help("install the whole server of that version")
        );
    }
    super::refuse_without_room(&agent.options.paths.instances(), room.max(now))?;
    watcher.phase(match &far {
        Some(place) => format!("fetching the backup and the log from {place}"),
        None => "unpacking the backup".to_owned(),
    });
    let (paths, run_as) = (agent.options.paths.clone(), agent.run_as.clone());
    let settings_file = place.root.join("restore.json");
    let (own, stored) = (place.clone(), generation.clone());
    let (near, backup) = (agent.clone(), backup.clone());
    let (written, hears) = (settings_file.clone(), watcher.clone());
    let parts = [place.root.join("whole"), place.root.join("changes")];
    let (is_increment, to) = (base.is_some(), parts.clone());
    blocking(move || {
        make_place(&paths, &own, &run_as)?;
        let (mut fetched, mut come) = (0, hears.progress(None));
        // What is fetched lies beside what is unpacked.
        let near_by = own.root.join("fetched");
        let generation = second::bring_near(&near, stored, &backup, until, &near_by, room, |bytes| {
            fetched += bytes;
            come.at(fetched);
        })?;
        if far.is_some() {
            hears.phase("unpacking the backup");
        }
        let all = base.iter().map(|base| base.original_bytes).sum::<u64>() + backup.original_bytes;
        let mut told = hears.progress(Some(all));
        let settings = archive::settings_to_read(&Site::of(near.clone(), generation.instance()), &generation)?;
        settings.write(&written, store::owner(&run_as)).map_err(store::refused)?;
        let mut unpack = |backup: &Backup, before, to: &Path| {
            let reader = generation.open_backup(&backup.name).map_err(store::refused)?;
            let data = reader.open(DATA).map_err(store::refused)?;
            let tar = telling::Heard::new(data, before, &mut told, &own.root);
            packed::unpack_from(tar, &format!("the backup {}", backup.name), &run_as, to)?;
            Ok(reader)
        };
        let Some(base) = base else { return unpack(&backup, 0, &own.data).map(drop) };
        for (backup, before, to) in [(&base, 0, &to[0]), (&backup, base.original_bytes, &to[1])] {
            write_manifest(&unpack(backup, before, to)?, &run_as, to)?;
        }
        Ok(())
    })
    .await?;
    if is_increment {
        watcher.phase("putting the backup and what changed since together");
        let [whole, changes] = &parts;
        let work = backup::combine(chosen(record)?, &agent.run_as, &place.root, [whole, changes], &place.data);
        let combined = room::within(place, work).await;
        if let Err(error) = combined.as_ref()
            && is_uncombined(error)
            && agent.shown(generation.instance()).is_ok()
        {
            // The next one by schedule is whole.
            agent.desk.note(generation.instance(), |known| known.doubts_changes = true);
        }
        combined?;
    }
    let command = archive::restore_command(&agent.options.paths, &settings_file);
    let replayed = async {
        let log = match target {
            Target::Backup => log,
            Target::Latest | Target::At(_) | Target::Lsn(_) => rest::bring(agent, source, place, log, watcher).await?,
        };
        let again = |target| replay(agent, record, place, Some((command.clone(), log)), target, watcher);
        let refused = match again(target.clone()).await? {
            End::Recovered(recovered) => {
                if target == Target::Latest && source.lost.is_some() && breaks_off(&recovered, log) {
                    watcher.say(format!(
                        "the log taken from its server's own folder is damaged at {}: what was committed from there on is not restored",
                        recovered.ended_at
                    ));
                }
                return Ok(recovered);
            }
            End::BeforeTarget(refused) => refused,
        };
        let Target::At(at) = target else { return Err(refused) };
        let (near, stored) = (agent.clone(), generation.clone());
        let is_archived_to = blocking(move || serving::is_archived_to(&near, &stored)).await?;
        let target = if is_archived_to && serving::finish_segment(agent, generation.instance()).await? {
            // What comes into the archive meanwhile may be what is to be left out: with a commit behind it PostgreSQL tells.
            target
        } else if log.until.is_some_and(|until| at <= until) {
            // PostgreSQL stops at a commit after the moment, and there is none and will be none: all there is is what was asked for.
            Target::Latest
        } else {
            return Err(refused);
        };
        match again(target).await? {
            End::Recovered(recovered) if recovered.last_commit_at.is_some_and(|last| last > at) => Err(refused),
            // What is not sealed may break off before its end, and before the moment.
            End::Recovered(recovered) if source.lost.is_some() && breaks_off(&recovered, log) => Err(refused),
            End::Recovered(recovered) => Ok(recovered),
            End::BeforeTarget(refused) => Err(refused),
        }
    };
    room::within(place, replayed).await
}

/// Whether replay ended before the last of its segments. The one before it counts as the last: a server that ends may have begun the next one
/// with nothing in it.
fn breaks_off(recovered: &Recovered, log: Log) -> bool {
    let (Some(segments), Ok(ended)) = (log.segments, recovered.ended_at.parse::<Lsn>()) else { return false };
    ended.segment(segments.bytes) + 1 < segments.last
}

/// Whether a whole backup and what changed since did not become one, for another reason than that there is no room for it.
pub fn is_uncombined(error: &ProviderError) -> bool {
    error.message.starts_with("pg_combinebackup failed") && !error.message.contains("No space left")
}

/// Has what the server said of a backup lie beside its files. Blocking.
fn write_manifest(reader: &BackupReader, run_as: &RunAs, to: &Path) -> Result<(), ProviderError> {
    let manifest = to.join(MANIFEST);
    let refuse = |error: std::io::Error| io_error("write", &manifest, &error);
    let mut from = reader.open(MANIFEST).map_err(store::refused)?;
    let mut file = std::fs::File::create_new(&manifest).map_err(refuse)?;
    std::io::copy(&mut from, &mut file).map_err(refuse)?;
    run_as.own(&manifest)
}

/// How large an instance is that is there.
pub async fn used_by(agent: &Arc<Agent>, name: &str) -> Option<u64> {
    let shown = agent.shown(name).ok()?;
    let data = Site::of(agent.clone(), name).node(shown.record.primary()).data;
    tokio::task::spawn_blocking(move || storage::used_bytes(&data)).await.ok().flatten()
}

pub async fn replay(
    agent: &Arc<Agent>,
    record: &Record,
    place: &Layout,
    log: Option<(String, Log)>,
    target: Target,
    watcher: &Watcher,
) -> Result<End, ProviderError> {
    watcher.phase("replaying the log");
    let run_as = agent.run_as.clone();
    let server = chosen(record)?.clone();
    // A name in the folder of sockets: nobody else is given the same number.
    let port = Port::reserve(agent, format!("{}/restoring", record.name))?;
    let agent_user = run_as.drops.then(|| "root".to_owned());
    // Up to a moment it is not known how much that is.
    let is_all = target == Target::Latest;
    let recovery = Recovery {
        server: &server,
        run_as: &run_as,
        layout: place,
        port: port.number,
        os_users: agent_user.into_iter().chain([run_as.name.clone()]).collect(),
        sizing: sizing::size(&configure::size(&record.wanted), agent.machine(&record.name)),
        parameters: record.wanted.parameters.clone(),
        timeline: log.as_ref().and_then(|(_, log)| log.timeline).map(|timeline| timeline.0),
        restore_command: log.as_ref().map(|(command, _)| command.clone()),
        target,
    };
    match log.and_then(|(_, log)| log.segments).filter(|_| is_all) {
        Some(segments) => telling::tell_replay(recover(&recovery), place.data.clone(), segments, watcher).await,
        None => recover(&recovery).await,
    }
}

/// A port that is nobody else's as long as this is held, also by who is cut short.
struct Port {
    agent: Arc<Agent>,
    owner: String,
    number: u16,
}

impl Port {
    fn reserve(agent: &Arc<Agent>, owner: String) -> Result<Self, ProviderError> {
        let number = agent.reserve_port(&owner, None, &[])?;
        Ok(Self { agent: agent.clone(), owner, number })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.agent.release_ports(&self.owner);
    }
}

pub fn make_place(paths: &Paths, place: &Layout, run_as: &RunAs) -> Result<(), ProviderError> {
    for folder in place.root.ancestors().skip(2).take_while(|folder| folder.starts_with(paths.instances())) {
        if folder.exists() {
            break;
        }
        files::make_folder(folder, 0o711).map_err(|error| io_error("make", folder, &error))?;
    }
    if let Some(scratch) = place.root.parent() {
        run_as.make_dir(scratch, 0o700)?;
    }
    for folder in [&place.root, &place.log, &place.scratch] {
        run_as.make_dir(folder, 0o700)?;
    }
    folders::make_sockets(paths, run_as)
}
