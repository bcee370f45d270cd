//! Making an instance of what is stored of another, or of what another holds now.
//!
//! The copy is made and recovered in a place of its own. Only when it is a database that was shut down in good order the ledger of
//! the new instance is announced, the copy put into its place, and the ledger put into its own, as with a promoted replica. Cut short
//! before, nothing is there but scratch, and the same request begins anew; cut short after, the next agent does the rest.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pgherd_archive::Generation;
use pgherd_core::ha::{self, Copy, Duty, Member, NodeId};
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::log::log_after;
use super::recovery::{self, from_backup, make_place, replay, used_by};
use super::source::{self, Source, Unusable};
use super::{replace, room, second, serving, telling};
use crate::paths::{Layout, Paths};
use crate::postgres::backup::{self, Copying};
use crate::postgres::recover::{End, Recovered, Target};
use crate::postgres::{folders, io_error, packed, processes};
use crate::supervisor::agent::Agent;
use crate::supervisor::jobs::choose_server;
use crate::supervisor::ledger::{self, Record};
use crate::supervisor::messages::{RestoreHow, RestorePoint};
use crate::supervisor::promotion;
use crate::supervisor::requests::{Shown, Watcher};
use crate::supervisor::secret::credentials;
use crate::supervisor::site::{Site, blocking, chosen};
use crate::supervisor::upkeep::Memory;

/// The one server of a new instance, until it is given others.
const FIRST: NodeId = NodeId(1);
/// A request for the latest that comes again after longer than that is another one.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What an instance was made of, where it was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The instance.
    pub of: String,
    /// Its generation; 0: it was copied as it was.
    pub generation: u32,
    /// The backup; empty: it was copied as it was.
    pub backup: String,
    /// What was asked for.
    pub point: RestorePoint,
    /// Up to when, in words.
    pub to: String,
}

/// What was made.
pub struct Made {
    /// What it is of.
    pub restored: Restored,
    /// How recovery ended.
    pub recovered: Recovered,
}

/// Makes an instance of another one. Returns when its ledger is in its place; its keeper has to take it up.
pub async fn restore(agent: &Arc<Agent>, of: &str, how: &RestoreHow, watcher: &Watcher) -> Result<(), ProviderError> {
    let to = Site::of(agent.clone(), &how.to);
    if is_through(agent, of, how)? {
        return Ok(());
    }
    let _promise = Promise::of(agent, &how.to, of)?;
    if to.has_data() {
        let message = format!("{} holds data, and the ledger knows no instance {}", to.layout.root.display(), how.to);
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"));
    }
    let mut record = Record::new(&how.to, how.wanted.clone(), Timestamp::now());
    let holds = |shown: &Shown| shown.record.port.is_some() && shown.record.port == how.wanted.port;
    if let Some(holder) = agent.all().into_iter().find(|shown| holds(shown) && shown.record.name != how.to) {
        watcher.say(format!("the port that is written is {}'s: {} gets another one", holder.record.name, how.to));
        record.wanted.port = None;
    }
    let place = place(&to);
    remove(&place).await?;
    let made = make(agent, of, how, &mut record, &place, watcher).await;
    let settled = match made {
        Ok(made) => settle(&to, &place, record, how, made).await,
        Err(error) => Err(error),
    };
    remove(&place).await?;
    if settled.is_err() {
        // Nothing of it is there: no empty folder either.
        let _ = std::fs::remove_dir(&to.layout.scratch);
        let _ = std::fs::remove_dir(&to.layout.root);
    }
    settled
}

/// Says what a restore would use, and makes nothing.
pub async fn tell(agent: &Arc<Agent>, of: &str, how: &RestoreHow, watcher: &Watcher) -> Result<(), ProviderError> {
    if how.point == RestorePoint::Now {
        watcher.say(format!("{of} would be copied as it is"));
        return Ok(());
    }
    let source = source::look(agent, of, &how.point, &Unusable::new()).await?;
    let Source { generation, backup, .. } = &source;
    let base =
        backup.base.as_ref().map_or(String::new(), |base| format!(", with {base}, since which it holds the changes"));
    watcher.say(format!(
        "the backup {} of {} would be used, from {} to {}, generation {}{}{base}",
        backup.name,
        backup.finished_at,
        backup.start_lsn,
        backup.end_lsn,
        generation.info().number,
        where_from(agent, generation)
    ));
    if matches!(how.point, RestorePoint::Backup(_)) {
        return Ok(());
    }
    let lives = agent.shown(generation.instance());
    let is_lost = !second::is_far(agent, generation)
        && lives.is_ok_and(|shown| shown.record.wanted.is_archived() && serving::serves_no_more(&shown));
    let (near, own, of) = (agent.clone(), generation.clone(), backup.clone());
    let (log, goes_on) = blocking(move || Ok((log_after(&own, &of)?, serving::is_archived_to(&near, &own)?))).await?;
    let until = log.until.map_or_else(|| "the end of that backup".to_owned(), |until| until.to_string());
    let more = match (goes_on, is_lost) {
        (true, _) => "; what is committed since then is archived first",
        (false, true) => "; its server does not serve, and what only its folder has of the log is added",
        (false, false) => "",
    };
    watcher.say(format!("what is archived after it reaches to {until}{more}"));
    Ok(())
}

/// `, from s3://backups/shop` where it is not the first repository.
fn where_from(agent: &Agent, generation: &Generation) -> String {
    let far = second::is_far(agent, generation);
    if far { format!(", from {}", generation.repository().location()) } else { String::new() }
}

/// Whether this was asked for before and is through: the instance is there.
fn is_through(agent: &Agent, of: &str, how: &RestoreHow) -> Result<bool, ProviderError> {
    match agent.shown(&how.to) {
        Ok(known) => {
            let ours = |restored: &Restored| restored.of == of && restored.point == how.point;
            // The latest is another one by and by.
            let is_same = !matches!(how.point, RestorePoint::Latest | RestorePoint::Now)
                || Timestamp::now().duration_since(known.record.created_at) < REPEATED_WITHIN;
            if is_same && known.record.restored.as_ref().is_some_and(ours) {
                return Ok(true);
            }
            let message = format!("there is an instance {} already", how.to);
            Err(ProviderError::new(ErrorKind::Conflict, message).help("choose another name"))
        }
        Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name that is nobody else's meanwhile.
pub struct Promise {
    agent: Arc<Agent>,
    holder: String,
}

impl Promise {
    fn of(agent: &Arc<Agent>, name: &str, source: &str) -> Result<Self, ProviderError> {
        // One of its own, so that a second one of the same is refused.
        let holder = format!("a restore of {source} begun at {}", Timestamp::now());
        agent.names.promise(name, &holder).map_err(|known| {
            ProviderError::new(ErrorKind::Conflict, format!("{name} is just being made: {known}"))
                .help("wait until it is, or choose another name")
        })?;
        Ok(Self { agent: agent.clone(), holder })
    }

    /// That the data of an instance is exchanged by nobody else meanwhile.
    pub fn of_exchange(agent: &Arc<Agent>, name: &str) -> Result<Self, ProviderError> {
        let holder = format!("a restore in the place of {name} begun at {}", Timestamp::now());
        // No instance has a name with a slash.
        agent.names.promise(&format!("{name}/data"), &holder).map_err(|known| {
            ProviderError::new(ErrorKind::Conflict, format!("{known} is under way")).help("wait until it is done")
        })?;
        Ok(Self { agent: agent.clone(), holder })
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.agent.names.take_back(&self.holder);
    }
}

/// Where a copy is made.
fn place(to: &Site) -> Layout {
    Layout::new(to.layout.scratch.join("restoring"), to.layout.socket.clone())
}

/// Removes what an attempt left, and ends what still works at it.
pub async fn remove(place: &Layout) -> Result<(), ProviderError> {
    processes::kill(&place.data).await?;
    backup::clear(&place.root).await
}

/// Ends and removes what an agent that was killed was restoring. Needs a tokio runtime.
pub async fn forget_cut_short(paths: &Paths) {
    let entries = std::fs::read_dir(paths.instances()).into_iter().flatten().flatten();
    for entry in entries {
        let mut found = false;
        // One whose ledger cannot be read may be about to use it.
        let Ok(record) = Record::load(&entry.path()) else { continue };
        let own = Layout::new(entry.path(), paths.sockets());
        let cut_short =
            ["restoring".to_owned(), "drill".to_owned()].into_iter().chain(replace::left(&own, record.as_ref()));
        for name in cut_short {
            let place = Layout::new(own.scratch.join(name), paths.sockets());
            if place.root.exists() {
                found = true;
                if let Err(error) = remove(&place).await {
                    tracing::warn!("{}: {error}", place.root.display());
                }
            }
        }
        if found && record.is_none() {
            // Of an instance that was never made nothing else is there; what holds something stays.
            let _ = std::fs::remove_dir(entry.path().join("scratch"));
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}

/// Makes a copy of what is stored of an instance, or of what it holds.
pub async fn make(
    agent: &Arc<Agent>,
    of: &str,
    how: &RestoreHow,
    record: &mut Record,
    place: &Layout,
    watcher: &Watcher,
) -> Result<Made, ProviderError> {
    if how.point == RestorePoint::Now {
        return copy(agent, of, record, place, watcher).await;
    }
    watcher.phase("looking for a backup");
    if how.to == of {
        // One that is to be restored in its place may be one that does not answer any more.
        serving::rescue_what_is_finished(agent, of).await;
    }
    let target = match &how.point {
        RestorePoint::Latest | RestorePoint::Now => Target::Latest,
        RestorePoint::At(at) => Target::At(*at),
        RestorePoint::Lsn(lsn) => Target::Lsn(lsn.clone()),
        RestorePoint::Backup(_) => Target::Backup,
    };
    let (Source { generation, backup, .. }, recovered) =
        from_what_can_be_used(agent, of, how, record, place, &target, watcher).await?;
    let restored = Restored {
        of: of.to_owned(),
        generation: generation.info().number,
        backup: backup.name.clone(),
        point: how.point.clone(),
        to: recovered.last_commit_at.map_or_else(|| recovered.ended_at.clone(), |at| at.to_string()),
    };
    Ok(Made { restored, recovered })
}

/// Restores from the backup that fits; where that turns out to be damaged, or cannot be read, from the one before it with more of the
/// log; where the log is damaged, from a second repository that has all that the first has.
async fn from_what_can_be_used(
    agent: &Arc<Agent>,
    of: &str,
    how: &RestoreHow,
    record: &mut Record,
    place: &Layout,
    target: &Target,
    watcher: &Watcher,
) -> Result<(Source, Recovered), ProviderError> {
    let (mut unusable, mut refused, mut copied) = (Unusable::new(), None, None::<Source>);
    loop {
        let source = match copied.take() {
            Some(source) => source,
            // Why the one that fits cannot be used says more than that there is no other.
            None => match source::find(agent, of, &how.point, &unusable).await {
                Err(error) => return Err(refused.unwrap_or(error)),
                Ok(source) => source,
            },
        };
        let Source { generation, backup, .. } = &source;
        choose(agent, record, &backup.version, watcher).await?;
        let from = where_from(agent, generation);
        watcher.say(format!("the backup {} of {} is used{from}", backup.name, backup.finished_at));
        let error = match from_backup(agent, record, place, &source, target.clone(), watcher).await {
            Ok(recovered) => {
                for why in &recovered.unopened {
                    watcher.say(format!("a database was restored and does not open: {why}"));
                }
                return Ok((source, recovered));
            }
            Err(error) => error,
        };
        let is_far = second::is_far(agent, generation);
        if let Some(known) = source::what_is_unusable(&source).await {
            watcher.say(format!("the backup {} cannot be used: {error}", known.2));
            unusable.insert(known);
        } else if recovery::is_uncombined(&error) {
            // Both are as they were stored, and are no database all the same.
            watcher.say(format!("the backup {} cannot be used: {error}", backup.name));
            unusable.insert(source::key(&source));
        } else if !is_far && let Some(second) = source::elsewhere(agent, of, &how.point, &source, &unusable).await {
            watcher.say(format!("restoring it failed, and the second repository is tried: {error}"));
            unusable.insert(source::key(&source));
            // Which server is lost, and keeps the end of its log, is the same.
            copied = Some(Source { lost: source.lost.clone(), ..second });
        } else {
            return Err(refused.unwrap_or(error));
        }
        refused.get_or_insert(error);
        remove(place).await?;
    }
}

/// Copies an instance as it is.
async fn copy(
    agent: &Arc<Agent>,
    of: &str,
    record: &mut Record,
    place: &Layout,
    watcher: &Watcher,
) -> Result<Made, ProviderError> {
    let shown = agent.shown(of)?;
    let version = shown.record.server.as_ref().map(|server| server.version.to_string()).unwrap_or_default();
    if shown.pid.is_none() {
        let message = format!("{of} does not run, so it cannot be copied");
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("start it first, or restore its last backup"));
    }
    let bytes = used_by(agent, of).await.unwrap_or_default();
    super::refuse_without_room(&agent.options.paths.instances(), bytes)?;
    choose(agent, record, &version, watcher).await?;
    watcher.phase(format!("copying {of}"));
    let from = Site::of(agent.clone(), of);
    let (paths, own, run_as) = (agent.options.paths.clone(), place.clone(), agent.run_as.clone());
    blocking(move || make_place(&paths, &own, &run_as)).await?;
    let server = chosen(&shown.record)?.clone();
    let copying = Copying {
        server: &server,
        run_as: &agent.run_as,
        socket: &from.layout.socket,
        port: from.running_port(&shown.record, shown.record.primary())?,
        label: "clone",
    };
    // Beside everything else that is in the place: it is emptied first.
    let work = place.root.join("copy");
    let source = from.node(shown.record.primary()).data;
    let copied = telling::tell_growth(backup::copy(&copying, &work), work.clone(), source, watcher);
    let copied = room::within(place, copied).await?;
    std::fs::rename(&copied.data, &place.data).map_err(|error| io_error("move", &copied.data, &error))?;
    let replayed = replay(agent, record, place, None, Target::Backup, watcher);
    let recovered = match room::within(place, replayed).await? {
        End::Recovered(recovered) => recovered,
        End::BeforeTarget(refused) => return Err(refused),
    };
    let to = Timestamp::now().to_string();
    let restored = Restored { of: of.to_owned(), generation: 0, backup: String::new(), point: RestorePoint::Now, to };
    Ok(Made { restored, recovered })
}

/// The server for a copy: of the major version that wrote it.
async fn choose(
    agent: &Arc<Agent>,
    record: &mut Record,
    version: &str,
    watcher: &Watcher,
) -> Result<(), ProviderError> {
    let written = Version::parse(version);
    let major = written.map(|version| version.major);
    let asked = record.wanted.engine_version.clone();
    if record.wanted.engine_version.is_none() {
        record.wanted.engine_version = major.map(|major| major.to_string());
    }
    let chosen = choose_server(agent, record, watcher).await;
    record.wanted.engine_version = asked;
    chosen?;
    let runs = record.server.as_ref().map(crate::postgres::server::Server::major);
    if runs == major || major.is_none() {
        return Ok(());
    }
    let message = format!(
        "it was PostgreSQL {version}, and the block asks for {}",
        runs.map_or_else(|| "another".to_owned(), |major| major.to_string())
    );
    Err(ProviderError::new(ErrorKind::Invalid, message).help("write the engine_version that it had"))
}

/// Puts the copy and its ledger into their places.
async fn settle(to: &Site, place: &Layout, record: Record, how: &RestoreHow, made: Made) -> Result<(), ProviderError> {
    let Made { restored, recovered } = made;
    let mut record = record;
    let said = match restored.backup.as_str() {
        "" => format!("made as a copy of {}", restored.of),
        backup => format!("made of the backup {backup} of {}, up to {}", restored.of, restored.to),
    };
    record.system_identifier = Some(recovered.system_identifier.to_string());
    record.memory = Memory { made: true, ..Memory::new(record.wanted.allocated_storage_gib) };
    record.ha = ha::Memory {
        epoch: 1,
        system_id: Some(recovered.system_identifier),
        timeline: recovered.timeline,
        primary: Some(FIRST),
        members: [(FIRST, Member::new(Duty::Pair, Copy::Good))].into(),
        last_node: FIRST.0,
        ..ha::Memory::default()
    };
    record.restored = Some(restored);
    let (own, place, password) = (to.clone(), place.clone(), how.master_password.clone());
    blocking(move || {
        let (paths, run_as) = (&own.agent.options.paths, &own.agent.run_as);
        let first = own.node(FIRST);
        folders::make(paths, &own.layout, run_as)?;
        folders::make(paths, &first, run_as)?;
        if let Some(password) = password {
            own.secrets.propose(&credentials(&record, Zeroizing::new(password)))?;
        }
        ledger::announce(&own.layout.root, &record)?;
        std::fs::rename(&place.data, &first.data).map_err(|error| io_error("move", &place.data, &error))?;
        packed::sync_folder(first.folder())?;
        promotion::settle(&own.layout)
    })
    .await?;
    to.note(said);
    Ok(())
}
