//! The hands: each action of [`super::decide::Action`], and taking in what changes the wish.
//!
//! Invariant: every action may be done twice and cut short anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::resource::Pending;
use pgherd_core::secret::Secret;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::agent::Agent;
use super::configure::{self, Candidate};
use super::decide::{self, Action, Goal, Restart};
use super::keeper::{Keeper, Watcher, absent};
use super::ledger::{self, Record};
use super::messages::Put;
use super::secret::{self, Credentials};
use super::{files, observe, retention};
use crate::desired::Wanted;
use crate::paths::Layout;
use crate::postgres::backup::{self, Backup, Take};
use crate::postgres::choose::{Choice, choose, instead};
use crate::postgres::pidfile::PidFile;
use crate::postgres::process::{self, Start, Stop};
use crate::postgres::server::Server;
use crate::postgres::session::{Session, quote};
use crate::postgres::{fetch, find, folders, processes, stale, template};
use crate::{limits, ports};

/// How long a start is waited for at once; a recovery that takes longer is looked at again and again.
const START_WAIT: Duration = Duration::from_secs(10);
/// How long a stop may take before clients and checkpoint are no longer waited for.
const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// How long process 1 may take to reap a dead postmaster.
const REAP_DEADLINE: Duration = Duration::from_secs(30);
/// How long a connection to our own server may take.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);
/// A name the server's certificate carries.
pub(super) const HOST: &str = "localhost";

/// Carries out one action.
pub async fn act(keeper: &mut Keeper, action: Action, watcher: &Watcher) -> Result<(), ProviderError> {
    match action {
        Action::Init => init(keeper, watcher).await,
        Action::Configure => configure(keeper).await,
        Action::FallBack => fall_back(keeper),
        Action::Start => start(keeper, watcher).await,
        Action::Answered => answered(keeper).await,
        Action::Settle => settle(keeper).await,
        Action::Stop => stop(keeper).await,
        Action::RenewTls => renew_tls(keeper).await,
        Action::Backup => take_backup(keeper).await,
        Action::Remove => remove(keeper).await,
        Action::NoteCrash => {
            keeper.note("PostgreSQL ended by itself and is started again".to_owned());
            Ok(())
        }
        Action::NoteGrowth | Action::NoteOverAllocated => {
            let memory = &record(keeper)?.memory;
            let text = match (action, memory.over_allocated) {
                (Action::NoteGrowth, _) => format!("storage grew to {} GiB", memory.allocated_gib),
                (_, true) => format!("storage uses more than the {} GiB it may", memory.allocated_gib),
                (_, false) => format!("storage is within its {} GiB again", memory.allocated_gib),
            };
            keeper.note(text);
            Ok(())
        }
    }
}

/// Takes in what an instance should be. Nothing is changed when it is refused.
pub async fn accept_put(keeper: &mut Keeper, put: Put, watcher: &Watcher) -> Result<(), ProviderError> {
    let Put { wanted, master_password, apply_now } = put;
    let new = keeper.record.is_none();
    match &keeper.record {
        Some(known) => check_change(&keeper.name, known, &wanted)?,
        None if keeper.layout.data.exists() => return Err(unknown_data(keeper)),
        None => {}
    }
    let mut next = match keeper.record.clone() {
        Some(record) => record,
        None => Record::new(&keeper.name, wanted.clone(), Timestamp::now()),
    };
    let configured_anew = new || configure::depends_on(&next.wanted, &wanted);
    let version_changed = next.wanted.engine_version != wanted.engine_version;
    next.wanted = wanted;
    if !new && version_changed {
        choose_server(&keeper.agent.clone(), &mut next, watcher).await?;
    }
    if next.memory.made && configured_anew {
        watcher.phase("checking the configuration");
        let own: Vec<u16> = next.port.into_iter().chain(observe::running_port(&keeper.layout)).collect();
        next.port = Some(keeper.agent.reserve_port(&keeper.name, next.wanted.port.or(next.port), &own)?);
        Candidate::of(keeper, &next)?.check().await?;
    }
    let memory = &mut next.memory;
    memory.allocated_gib = memory.allocated_gib.max(next.wanted.allocated_storage_gib);
    memory.configured = false;
    memory.settled = false;
    memory.proven &= !configured_anew;
    memory.restart = memory.restart.max(if apply_now { Restart::IfPending } else { Restart::InWindow });
    memory.wake();
    files::make_folder(&keeper.layout.root, 0o711).map_err(|error| cannot("make", &keeper.layout.root, &error))?;
    if let Some(password) = master_password {
        let credentials = credentials(&next, Zeroizing::new(password));
        keeper.secrets.propose(&credentials)?;
    }
    if new {
        keeper.note(format!(
            "asked for with {} and {} GiB",
            next.wanted.instance_class, next.wanted.allocated_storage_gib
        ));
    }
    keeper.record = Some(next);
    keeper.save()
}

/// Data whose record was lost is somebody's: it is neither served under a new password nor cleared away.
fn unknown_data(keeper: &Keeper) -> ProviderError {
    let (data, root) = (keeper.layout.data.display(), keeper.layout.root.display());
    let message = format!("{data} holds data, and the ledger knows no instance {}", keeper.name);
    ProviderError::new(ErrorKind::Conflict, message)
        .help(format!("restore instance.json in {root} from a copy, or move that folder away"))
}

/// What cannot change in place. The plan refuses this first; this is for whoever speaks to the API.
fn check_change(name: &str, known: &Record, wanted: &Wanted) -> Result<(), ProviderError> {
    let refuse = |kind, message: String| Err(ProviderError::new(kind, message));
    if matches!(known.memory.goal, Goal::Gone { .. }) {
        return refuse(ErrorKind::Conflict, format!("{name} is being deleted"));
    }
    if !known.memory.made {
        return Ok(());
    }
    let major = |record: &Record| record.server.as_ref().map(Server::major);
    if wanted.engine_major != known.wanted.engine_major && wanted.engine_major != major(known) {
        let message = format!("{name} cannot become another major version in place");
        return Err(ProviderError::new(ErrorKind::Invalid, message).help(crate::desired::MAJOR_MIGRATION));
    }
    if wanted.database_name != known.wanted.database_name {
        return refuse(ErrorKind::Invalid, format!("the initial database of {name} cannot be renamed"));
    }
    if wanted.master_username != known.wanted.master_username {
        return refuse(ErrorKind::Invalid, format!("the master role of {name} cannot be renamed"));
    }
    Ok(())
}

/// Takes in that the password is to change. The old one works until the server knows the new one; open connections stay.
pub async fn accept_rotation(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let name = keeper.name.clone();
    let running = keeper.postmaster.as_ref().is_some_and(process::Postmaster::runs);
    let record = keeper.record.as_mut().ok_or_else(|| absent(&name))?;
    if record.memory.goal != Goal::Serve || !record.memory.made || !running {
        let message = format!("{name} does not run, so its password cannot be changed");
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("start it first"));
    }
    // A rotation that was cut short is finished with the password it chose.
    if keeper.secrets.pending()?.is_none() {
        keeper.secrets.propose(&credentials(record, secret::generate()?))?;
    }
    record.memory.settled = false;
    record.memory.wake();
    keeper.save()
}

async fn init(keeper: &mut Keeper, watcher: &Watcher) -> Result<(), ProviderError> {
    let agent = keeper.agent.clone();
    let mut record = record(keeper)?.clone();
    choose_server(&agent, &mut record, watcher).await?;
    let port = agent.reserve_port(&keeper.name, record.wanted.port, &[])?;
    record.port = Some(port);
    if keeper.secrets.pending()?.is_none() && keeper.secrets.current()?.is_none() {
        keeper.secrets.propose(&credentials(&record, secret::generate()?))?;
    }
    let server = chosen(&record)?.clone();
    keeper.record = Some(record);
    keeper.save()?;
    // Of an attempt that was cut short.
    processes::kill(&keeper.layout.data).await?;
    let (run_as, layout, paths) = (agent.run_as.clone(), keeper.layout.clone(), agent.options.paths.clone());
    let identifier = blocking(move || {
        folders::make(&paths, &layout, &run_as)?;
        let cannot_clear = |error| cannot("clear", &layout.data, &error);
        files::put_away(&layout.data, &paths.removed()).map_err(cannot_clear)?;
        template::create(&server, &run_as, &paths.templates(), &paths.prepared(), &layout.data)
    })
    .await?;
    keeper.whole = true;
    // Beside everything up to the moment when somebody learns the password.
    let data = keeper.layout.data.clone();
    keeper.to_disk = Some(tokio::task::spawn_blocking(move || template::put_on_disk(&data)));
    record_mut(keeper)?.system_identifier = Some(identifier.to_string());
    keeper.save()
}

/// Returns when a new data directory is on disk. Whoever knows its password may write to it, and nothing of that may be lost.
async fn on_disk(keeper: &mut Keeper) -> Result<(), ProviderError> {
    if let Some(begun) = keeper.to_disk.take()
        && matches!(begun.await, Ok(Ok(())))
    {
        return Ok(());
    }
    // Begun by an agent that has ended, or refused a moment ago.
    let data = keeper.layout.data.clone();
    blocking(move || template::put_on_disk(&data)).await
}

/// Finds, or else downloads, the server for what is wanted.
async fn choose_server(agent: &Agent, record: &mut Record, watcher: &Watcher) -> Result<(), ProviderError> {
    let asked = record.wanted.engine_version.as_deref().and_then(Version::parse);
    let strict = agent.options.strict_minor;
    let (given, cache) = (agent.options.postgres_dirs.clone(), agent.options.paths.servers());
    let cached = cache.clone();
    let search_path = std::env::var_os("PATH");
    let found = blocking(move || Ok(find::servers(&given, search_path.as_deref(), &cached))).await?;
    let (server, note) = match choose(asked, strict, &found.servers) {
        Choice::Use { server, note } => (server, note),
        Choice::Fetch(version) => {
            watcher.phase(format!("downloading PostgreSQL {version}"));
            let download = move || {
                fetch::fetch(version, strict, &fetch::Sources::default(), &cache, &|phase| tracing::info!("{phase}"))
            };
            match blocking(download).await {
                Ok(server) => (server, None),
                Err(error) => {
                    let refuse = |message| ProviderError::new(ErrorKind::Unavailable, message).help(error.help.clone());
                    let (server, warning) = instead(asked, strict, &found.servers, &error.message).map_err(refuse)?;
                    watcher.say(warning.clone());
                    (server, Some(warning))
                }
            }
        }
    };
    let now = record.server.as_ref();
    if let Some(now) = now.filter(|now| now.major() != server.major()) {
        let message = format!("{} runs and {} would be needed", now.banner, server.banner);
        return Err(ProviderError::new(ErrorKind::Invalid, message).help(crate::desired::MAJOR_MIGRATION));
    }
    record.server = Some(server);
    record.server_note = note;
    Ok(())
}

async fn configure(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let record = record(keeper)?.clone();
    Candidate::of(keeper, &record)?.put_in_force().await?;
    if keeper.postmaster.is_some() {
        hold_to_size(keeper).await;
    }
    reload(keeper).await
}

fn fall_back(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let trouble = record(keeper)?.trouble.clone().unwrap_or_default();
    let record = record_mut(keeper)?;
    if let Some(proven) = record.proven.clone() {
        record.wanted = configure::with_configuration_of(&record.wanted, &proven);
        record.port = proven.port.or(record.port);
        record.server = record.proven_server.clone().or(record.server.take());
    }
    keeper.note(format!("went back to the configuration that worked: {trouble}"));
    keeper.save()
}

async fn start(keeper: &mut Keeper, watcher: &Watcher) -> Result<(), ProviderError> {
    // Nothing of a dead postmaster may work on: a busy backend goes on, commits and answers its client.
    let left = processes::kill(&keeper.layout.data).await?;
    if left > 0 {
        keeper.note(format!("ended {left} processes that a dead server had left"));
    }
    wait_until_reaped(&keeper.layout).await;
    // Not open any more. Whether it is long or not, the server starts.
    let _ = retention::begin_anew(&keeper.layout.start_log());
    stale::remove(&keeper.layout, record(keeper)?.port.unwrap_or_default())?;
    if record(keeper)?.memory.made {
        make_whole(keeper, watcher).await?;
    }
    // In memory: gone after a reboot.
    folders::make_sockets(&keeper.agent.options.paths, &keeper.agent.run_as)?;
    let mut started = start_server(keeper).await;
    // A port that nobody knows of yet may still be another one, when somebody was quicker to take it.
    let first = |record: &Record| !record.memory.made && record.wanted.port.is_none();
    while started.is_err() && record(keeper).is_ok_and(first) && ensure_free(keeper).is_err() {
        move_to_another_port(keeper).await?;
        started = start_server(keeper).await;
    }
    match started {
        Ok(()) => answered(keeper).await,
        Err(error) if error.kind == ErrorKind::TimedOut && keeper.postmaster.as_ref().is_some_and(|it| it.runs()) => {
            keeper.note("recovers, which takes its time".to_owned());
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// What a server needs beside its data may be gone or elsewhere since it last ran: its programs after an upgrade of packages,
/// configuration and certificate after the state folder was moved, or somebody deleted them.
async fn make_whole(keeper: &mut Keeper, watcher: &Watcher) -> Result<(), ProviderError> {
    let known = chosen(record(keeper)?)?.clone();
    let found = blocking({
        let known = known.clone();
        move || Ok(known.now().ok())
    });
    match found.await?.filter(|found| found.major() == known.major() && found.missing.is_empty()) {
        Some(found) if found == known => {}
        Some(found) => {
            keeper.note(format!("{} takes the place of {}", found.banner, known.banner));
            record_mut(keeper)?.server = Some(found);
        }
        None => {
            keeper.note(format!("{} is not there any more", known.bin.display()));
            let mut next = record(keeper)?.clone();
            choose_server(&keeper.agent.clone(), &mut next, watcher).await?;
            keeper.record = Some(next);
        }
    }
    let record = record(keeper)?;
    let candidate = Candidate::of(keeper, record)?;
    if !configure::is_for(&keeper.layout) {
        candidate.put_in_force().await?;
        keeper.note("wrote the configuration anew: it was gone, or for another folder".to_owned());
    } else if configure::certificate(&keeper.layout).is_none() {
        candidate.certify().await?;
        keeper.note("made a new server certificate: there was none".to_owned());
    }
    Ok(())
}

/// The server that was started takes connections.
async fn answered(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let record = record_mut(keeper)?;
    record.proven = Some(record.wanted.clone());
    record.proven_server = record.server.clone();
    record.memory = decide::done(Action::Answered, &record.memory);
    keeper.note("started".to_owned());
    hold_to_size(keeper).await;
    refresh(keeper).await;
    refresh_secret(keeper)
}

/// Holds the server to the CPU and memory of its size, as far as the machine lets us.
pub async fn hold_to_size(keeper: &mut Keeper) {
    let Some(record) = &keeper.record else { return };
    let (group, size, data) = (group(keeper), configure::size(&record.wanted), keeper.layout.data.clone());
    let applied = blocking(move || Ok(limits::apply(&group, &size, &processes::of(&data)))).await;
    keeper.limits = applied.map(|applied| observe::limit_words(&applied)).unwrap_or_default();
}

/// Two state folders may have instances of one name.
fn group(keeper: &Keeper) -> String {
    let digest = Sha256::digest(keeper.layout.root.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{short}", keeper.name)
}

/// A dead postmaster that an earlier agent had started is process 1's to reap, which takes it seconds on some machines; until
/// then PostgreSQL takes it for a running server and refuses to start.
async fn wait_until_reaped(layout: &Layout) {
    let named = || PidFile::parse(&std::fs::read_to_string(layout.postmaster_pid()).ok()?);
    let Some(PidFile { pid, .. }) = named() else { return };
    let reaped = async {
        while processes::read(pid).is_some_and(|process| process.zombie) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Not reaped by then: the start says so.
    let _ = tokio::time::timeout(REAP_DEADLINE, reaped).await;
}

async fn start_server(keeper: &mut Keeper) -> Result<(), ProviderError> {
    ensure_free(keeper)?;
    let config_file = keeper.layout.postgresql_conf();
    let postmaster = process::start(&Start {
        server: chosen(record(keeper)?)?,
        run_as: &keeper.agent.run_as,
        data: &keeper.layout.data,
        config_file: Some(&config_file),
        log: &keeper.layout.log,
        overrides: Vec::new(),
    })?;
    let ready = postmaster.ready(START_WAIT).await;
    keeper.postmaster = Some(postmaster);
    ready
}

fn ensure_free(keeper: &Keeper) -> Result<(), ProviderError> {
    record(keeper)?.port.map_or(Ok(()), ports::ensure_free)
}

async fn move_to_another_port(keeper: &mut Keeper) -> Result<(), ProviderError> {
    keeper.agent.release_port(&keeper.name);
    let port = keeper.agent.reserve_port(&keeper.name, None, &[])?;
    record_mut(keeper)?.port = Some(port);
    keeper.save()?;
    let record = record(keeper)?.clone();
    Candidate::of(keeper, &record)?.put_in_force().await
}

/// Role, password, database, and nothing behind our back: what ALTER SYSTEM set is taken back.
async fn settle(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let pending = keeper.secrets.pending()?;
    let Some(credentials) = pending.clone().or(keeper.secrets.current()?) else {
        // The files were deleted: there is nothing to lose by a new password.
        let lost = credentials(record(keeper)?, secret::generate()?);
        keeper.secrets.propose(&lost)?;
        return Box::pin(settle(keeper)).await;
    };
    let wanted = record(keeper)?.wanted.clone();
    let session = connect(keeper, "postgres").await?;
    let password = Secret::Text(credentials.password.clone());
    let (role, database) = (&wanted.master_username, &wanted.database_name);
    if session.ensure_master_and_database(role, &password, database).await? {
        connect(keeper, database).await?.prepare_database().await?;
    }
    reset_altered(&session).await?;
    if !record(keeper)?.memory.made {
        on_disk(keeper).await?;
    }
    if pending.is_some() {
        keeper.secrets.promote(&self::credentials(record(keeper)?, credentials.password))?;
        keeper.note("the password is in force".to_owned());
    }
    reload(keeper).await
}

/// Takes back what ALTER SYSTEM set.
async fn reset_altered(session: &Session) -> Result<(), ProviderError> {
    for name in observe::altered(session).await? {
        session.run(&format!("ALTER SYSTEM RESET {}", quote(&name))).await?;
    }
    Ok(())
}

async fn stop(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let Some(postmaster) = keeper.postmaster.take() else { return Ok(()) };
    if postmaster.stop(Stop::Fast, STOP_DEADLINE).await.is_err() {
        keeper.note(format!(
            "did not stop within {} s and was ended; it recovers when it starts",
            STOP_DEADLINE.as_secs()
        ));
        processes::kill(&keeper.layout.data).await?;
    }
    keeper.pending.clear();
    keeper.note("stopped".to_owned());
    Ok(())
}

async fn renew_tls(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let record = record(keeper)?.clone();
    Candidate::of(keeper, &record)?.certify().await?;
    reload(keeper).await?;
    keeper.note("renewed the server certificate".to_owned());
    Ok(())
}

async fn take_backup(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let record = record(keeper)?.clone();
    let Goal::Gone { backup: Some(name), asked_at, .. } = record.memory.goal.clone() else { return Ok(()) };
    if !keeper.layout.data.join("PG_VERSION").exists() {
        let message = format!("{} is not there, so no last backup can be taken", keeper.layout.data.display());
        return Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("mount its disk and repeat; without a last backup only with skip_final_snapshot = true"));
    }
    let (layout, run_as, port) = (keeper.layout.clone(), keeper.agent.run_as.clone(), running_port(keeper)?);
    let taken = blocking(move || {
        // Taken and listed, and then we were cut short.
        let same = |backup: &Backup| backup.name == name && backup.taken_at >= asked_at;
        if let Some(taken) = backup::list(&layout.backups).into_iter().find(same) {
            return Ok(taken);
        }
        let tags = if record.wanted.copy_tags_to_backup { record.wanted.tags.clone() } else { BTreeMap::new() };
        let (server, now) = (chosen(&record)?, Timestamp::now());
        let what = Take { server, run_as: &run_as, layout: &layout, port, name: &name, tags: &tags, now };
        backup::take(&what, &layout.backups)
    })
    .await?;
    keeper.note(format!("took and verified the last backup {} of {} bytes", taken.name, taken.bytes));
    Ok(())
}

async fn remove(keeper: &mut Keeper) -> Result<(), ProviderError> {
    processes::kill(&keeper.layout.data).await?;
    let (layout, secrets, group) = (keeper.layout.clone(), keeper.secrets.clone(), group(keeper));
    let removed = keeper.agent.options.paths.removed();
    blocking(move || {
        limits::forget(&group);
        files::put_away(&layout.data, &removed).map_err(|error| cannot("remove", &layout.data, &error))?;
        let folders = [&layout.conf, &layout.log, &layout.tls, &layout.scratch];
        for folder in folders {
            files::remove_folder(folder).map_err(|error| cannot("remove", folder, &error))?;
        }
        let rest = || {
            secrets.remove()?;
            // The record goes last: as long as it is there, somebody goes on with the removal.
            ledger::forget(&layout.root)?;
            // Kept when backups are in them.
            for folder in [&layout.backups, &layout.root] {
                let _ = std::fs::remove_dir(folder);
            }
            Ok(())
        };
        rest().map_err(|error| cannot("remove", &layout.root, &error))
    })
    .await?;
    keeper.agent.sweep();
    keeper.agent.stock_up();
    keeper.agent.release_port(&keeper.name);
    keeper.record = None;
    keeper.note("deleted".to_owned());
    Ok(())
}

/// Has a running server read its files, waits until it has, and learns what waits for a restart now.
async fn reload(keeper: &mut Keeper) -> Result<(), ProviderError> {
    if !keeper.postmaster.as_ref().is_some_and(process::Postmaster::runs) {
        return Ok(());
    }
    let session = connect(keeper, "postgres").await?;
    let loaded = "SELECT pg_conf_load_time()::text";
    let before: String = session.one(loaded, &[]).await?.get(0);
    session.run("SELECT pg_reload_conf()").await?;
    let read = async {
        // A session learns of it between two of its statements.
        while session.one(loaded, &[]).await?.get::<_, String>(0) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, ProviderError>(())
    };
    tokio::time::timeout(CONNECT_DEADLINE, read).await.unwrap_or_else(|_| {
        Err(ProviderError::new(ErrorKind::TimedOut, "the server did not read its configuration again"))
    })?;
    let errors = session.file_errors().await?;
    if !errors.is_empty() {
        return Err(ProviderError::new(ErrorKind::Invalid, errors.join("; ")));
    }
    refresh(keeper).await;
    Ok(())
}

/// Learns from the running server what the keeper has to know of it. What cannot be learnt now is learnt next time.
pub async fn refresh(keeper: &mut Keeper) {
    match try_refresh(keeper).await {
        Ok(pending) => keeper.pending = pending,
        Err(error) => tracing::warn!(instance = keeper.name, "{error}"),
    }
}

async fn try_refresh(keeper: &mut Keeper) -> Result<Vec<Pending>, ProviderError> {
    let session = connect(keeper, "postgres").await?;
    let identifier: String = session.one("SELECT system_identifier::text FROM pg_control_system()", &[]).await?.get(0);
    let known = record(keeper)?.system_identifier.clone();
    if known.as_ref() != Some(&identifier) {
        if let Some(known) = known {
            keeper.note(format!("the data directory holds another cluster: {identifier} instead of {known}"));
        }
        record_mut(keeper)?.system_identifier = Some(identifier);
        keeper.save()?;
    }
    // One that is not there is due at once.
    keeper.renew_tls_at = Some(configure::renew_at(&keeper.layout).unwrap_or_else(Timestamp::now));
    observe::pending(&session, record(keeper)?).await
}

/// The secret file says where to connect: after a change of port it has to be written again.
fn refresh_secret(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let Some(known) = keeper.secrets.current()? else { return Ok(()) };
    let now = credentials(record(keeper)?, known.password.clone());
    if now == known || keeper.secrets.pending()?.is_some() { Ok(()) } else { keeper.secrets.promote(&now) }
}

fn credentials(record: &Record, password: Zeroizing<String>) -> Credentials {
    Credentials {
        username: record.wanted.master_username.clone(),
        password,
        host: HOST.to_owned(),
        port: record.port.unwrap_or_default(),
        dbname: record.wanted.database_name.clone(),
    }
}

async fn connect(keeper: &Keeper, database: &str) -> Result<Session, ProviderError> {
    let port = running_port(keeper)?;
    Session::connect(&keeper.layout.socket, port, database, CONNECT_DEADLINE).await
}

/// The port a running server really has: after a change of port the old one, until the restart.
fn running_port(keeper: &Keeper) -> Result<u16, ProviderError> {
    observe::running_port(&keeper.layout)
        .or(record(keeper)?.port)
        .ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, format!("{} has no port yet", keeper.name)))
}

pub(super) fn chosen(record: &Record) -> Result<&Server, ProviderError> {
    record.server.as_ref().ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, "no server was chosen yet"))
}

fn record(keeper: &Keeper) -> Result<&Record, ProviderError> {
    keeper.record.as_ref().ok_or_else(|| absent(&keeper.name))
}

fn record_mut(keeper: &mut Keeper) -> Result<&mut Record, ProviderError> {
    keeper.record.as_mut().ok_or_else(|| absent(&keeper.name))
}

pub(super) fn cannot(doing: &str, path: &std::path::Path, error: &std::io::Error) -> ProviderError {
    ProviderError::new(ErrorKind::Unavailable, format!("cannot {doing} {}: {error}", path.display()))
}

/// Runs what blocks where it blocks nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
