//! What can be asked of an instance, taking it in, and who watches it being done.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pgherd_core::ha::{self, NodeId};
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::{mpsc, watch};
use zeroize::Zeroizing;

use super::backups::{self, Exchange};
use super::configure::{self, Candidate};
use super::jobs::choose_server;
use super::ledger::Record;
use super::messages::{Delete, Line, PromoteHow, Put, WaysReport};
use super::pooled::Standing;
use super::promotion;
use super::secret::{self, credentials};
use super::site::{Site, absent, cannot};
use super::upkeep::{Goal, Restart};
use super::{files, observe};
use crate::desired::Wanted;
use crate::postgres::server::Server;

/// How often it is told how many bytes are done.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// What can be asked of an instance.
pub enum Ask {
    /// Be made, or be as wanted.
    Put(Box<Put>),
    /// Be gone.
    Delete(Delete),
    /// Serve.
    Start,
    /// Stop and be kept.
    Stop,
    /// Stop and serve.
    Restart,
    /// Have a new password.
    Rotate,
    /// Leave it alone: no plan changes or deletes it.
    Forget,
    /// Take it back.
    Adopt,
    /// Something of its servers.
    Servers(ha::Ask),
    /// Give one of its replicas a life of its own.
    Promote(PromoteHow),
    /// Be kept from now on: it was a replica of another until a moment ago.
    TakeUp,
    /// Hold other data from now on.
    Exchange(Box<Exchange>),
    /// Let go of data that was put aside.
    LetGo(String),
}

/// What is said of one that somebody asked to delete, until that is written down.
pub const BEING_DELETED: &str = "being deleted";

impl Ask {
    /// What is said of an instance from the moment it was asked until the first action.
    pub fn doing(&self, is_new: bool) -> &'static str {
        match self {
            Self::Put(_) if is_new => "being created",
            Self::Put(_) => "being changed",
            Self::Delete(_) => BEING_DELETED,
            Self::Start => "being started",
            Self::Stop => "being stopped",
            Self::Restart => "being restarted",
            Self::Rotate => "getting a new password",
            Self::Forget => "being left alone from now on",
            Self::Adopt => "being taken back",
            Self::Servers(ha::Ask::Failover { .. }) => "failing over",
            Self::Servers(ha::Ask::Switchover) => "switching over",
            Self::Servers(ha::Ask::Restart { .. }) => "being restarted",
            Self::Servers(ha::Ask::Release { .. }) | Self::Promote(_) => "promoting a replica",
            Self::TakeUp => "being taken up",
            Self::Exchange(_) => "being restored",
            Self::LetGo(_) => "letting go of what was put aside",
        }
    }
}

/// What is known of an instance at any moment, whatever its keeper is busy with.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its record.
    pub record: Record,
    /// What is being done.
    pub busy: Option<String>,
    /// The postmaster of its primary.
    pub pid: Option<i32>,
    /// Its servers that run, by their postmasters.
    pub pids: Vec<(NodeId, i32)>,
    /// What waits for a restart, as of the last look.
    pub pending: Vec<pgherd_core::resource::Pending>,
    /// What holds it to its size, in words.
    pub limits: Vec<String>,
    /// What is not as it should be with its servers.
    pub alarms: Vec<ha::Alarm>,
    /// How its ports are held, as of the last look.
    pub ways: Option<WaysReport>,
    /// The pooler, where one is wanted.
    pub pooler: Option<ShownPooler>,
}

/// What is known of a pooler.
#[derive(Debug, Clone)]
pub struct ShownPooler {
    /// Its process, while it runs.
    pub pid: Option<i32>,
    /// How it stands.
    pub standing: Standing,
    /// What does not work as somebody may expect, one sentence each.
    pub caveats: Vec<String>,
}

/// A way to a keeper.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::UnboundedSender<(Ask, Watcher)>,
    shown: watch::Receiver<Option<Shown>>,
}

impl Handle {
    /// The two ways: requests in, what is known out.
    pub fn new(requests: mpsc::UnboundedSender<(Ask, Watcher)>, shown: watch::Receiver<Option<Shown>>) -> Self {
        Self { requests, shown }
    }

    /// Asks for something; the answer are the lines of its progress, ended by the result.
    pub fn ask(&self, ask: Ask) -> Result<mpsc::UnboundedReceiver<Line>, ProviderError> {
        let (watcher, receiver) = Watcher::new();
        self.requests.send((ask, watcher)).map_err(|_| {
            ProviderError::new(ErrorKind::Unavailable, "the agent is ending").help("repeat the command")
        })?;
        Ok(receiver)
    }

    /// What is known; `None` when there is no such instance.
    pub fn shown(&self) -> Option<Shown> {
        self.shown.borrow().clone()
    }
}

/// Who watches a change, if anyone still does.
#[derive(Debug, Clone)]
pub struct Watcher(Option<mpsc::UnboundedSender<Line>>);

impl Watcher {
    /// One that watches, and where it hears of it.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Line>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// For what nobody asked for.
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Tells of a new phase.
    pub fn phase(&self, phase: impl Into<String>) {
        self.tell(Line::Phase { phase: phase.into() });
    }

    /// Tells something.
    pub fn say(&self, message: impl Into<String>) {
        self.tell(Line::Said { message: message.into() });
    }

    /// Tells the result, the last of all lines.
    pub fn result(&self, result: Result<(), ProviderError>) {
        self.tell(match result {
            Ok(()) => Line::Done,
            Err(error) => Line::Failed { error },
        });
    }

    /// Tells how many bytes are done, as somebody counts them.
    pub fn progress(&self, total: Option<u64>) -> Counted {
        Counted { watcher: self.clone(), total, told_at: None }
    }

    /// Tells what somebody else told.
    pub fn tell(&self, line: Line) {
        if let Some(sender) = &self.0 {
            // Whoever stopped watching does not stop the work.
            drop(sender.send(line));
        }
    }
}

/// Bytes that are done, told now and then.
#[derive(Debug)]
pub struct Counted {
    watcher: Watcher,
    total: Option<u64>,
    told_at: Option<Instant>,
}

impl Counted {
    /// So many are done.
    pub fn at(&mut self, done: u64) {
        if self.told_at.is_none_or(|at| at.elapsed() > TELL_EVERY) {
            self.told_at = Some(Instant::now());
            self.watcher.tell(Line::Progress { done, total: self.total });
        }
    }
}

/// Takes a request in: what the record says afterwards. Nothing is changed when it is refused.
pub async fn accept(
    site: &Site,
    record: Option<Record>,
    ask: &Ask,
    serves: bool,
    watcher: &Watcher,
) -> Result<Record, ProviderError> {
    if let Ask::Put(put) = ask {
        return accept_put(site, record, put, watcher).await;
    }
    let mut record = match (record, ask) {
        (None, Ask::TakeUp) => {
            promotion::settle(&site.layout)?;
            Record::load(&site.layout.root)?
        }
        (record, _) => record,
    }
    .ok_or_else(|| absent(&site.name))?;
    if matches!(record.memory.goal, Goal::Gone { .. }) && !matches!(ask, Ask::Delete(_)) {
        return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is being deleted", site.name)));
    }
    if record.forgotten && !matches!(ask, Ask::Forget | Ask::Adopt | Ask::TakeUp) {
        return Err(left_alone(&site.name));
    }
    match ask {
        Ask::Delete(how) => {
            if record.wanted.deletion_protection {
                return Err(protected(&site.name));
            }
            if record.exchange.is_some() {
                let message = format!("other data is just being put in the place of {}", site.name);
                return Err(ProviderError::new(ErrorKind::Conflict, message).help("wait until it is done"));
            }
            if let Some(aside) = record.aside.first() {
                return Err(still_aside(&site.name, &aside.name));
            }
            let backup = how.final_backup.clone().filter(|_| record.memory.made);
            // Asked again, it goes on: what was taken since it was asked first is its last backup.
            let is_under_way = matches!(&record.memory.goal, Goal::Gone { backup: known, .. } if *known == backup);
            if !is_under_way {
                record.memory.goal = Goal::Gone { backup, asked_at: Timestamp::now(), taken: false };
                // From here on it says why the deletion does not get on.
                record.trouble = None;
            }
        }
        Ask::Start => record.memory.goal = Goal::Serve,
        Ask::Stop => record.memory.goal = Goal::Stopped,
        Ask::Restart => (record.memory.goal, record.memory.restart) = (Goal::Serve, Restart::Now),
        Ask::Rotate => accept_rotation(site, &mut record, serves)?,
        Ask::Forget | Ask::Adopt => {
            let forgets = matches!(ask, Ask::Forget);
            if record.forgotten != forgets {
                site.note(if forgets { "is left alone from now on" } else { "was taken back" });
            }
            record.forgotten = forgets;
        }
        Ask::Servers(_) => check_serving(&record)?,
        Ask::Promote(how) => {
            check_serving(&record)?;
            record.promotion = Some(promotion::accept(site, &record, how)?);
        }
        Ask::TakeUp => {}
        Ask::Exchange(exchange) => backups::accept_exchange(site, &mut record, exchange)?,
        Ask::LetGo(name) => backups::let_go_of_aside(site, &mut record, name)?,
        Ask::Put(_) => unreachable!("taken care of above"),
    }
    record.memory.wake();
    Ok(record)
}

/// Takes in what an instance should be.
async fn accept_put(
    site: &Site,
    record: Option<Record>,
    put: &Put,
    watcher: &Watcher,
) -> Result<Record, ProviderError> {
    let Put { wanted, master_password, apply_now } = put.clone();
    let new = record.is_none();
    if new {
        promotion::promise(&site.agent, &site.name, &site.name)?;
    }
    let mut next = match record {
        Some(known) if known.forgotten => return Err(left_alone(&site.name)),
        Some(known) => {
            check_change(&site.name, &known, &wanted)?;
            known
        }
        None if site.has_data() => return Err(unknown_data(site)),
        None if let Some(of) = promotion::coming(&site.agent, &site.name) => {
            return Err(promotion::taken(&site.name, &of));
        }
        None => Record::new(&site.name, wanted.clone(), Timestamp::now()),
    };
    let configured_anew = new || configure::depends_on(&next.wanted, &wanted);
    let version_changed = next.wanted.engine_version != wanted.engine_version;
    let pool = next.pool().cloned().filter(|_| next.memory.made && !apply_now && !window_is_open(&wanted));
    next.pooler_kept = pool.filter(|_| wanted.pool().is_none());
    next.wanted = wanted;
    if !new && version_changed {
        choose_server(&site.agent, &mut next, watcher).await?;
    }
    if next.memory.made && configured_anew {
        watcher.phase("checking the configuration");
        let primary = next.primary();
        let own: Vec<u16> = next.port.into_iter().chain(observe::running_port(&site.node(primary))).collect();
        next.port = Some(site.agent.reserve_port(&site.name, next.wanted.port.or(next.port), &own)?);
        site.reserve_node_ports(&mut next)?;
        Candidate::of(site, &next, primary)?.check().await?;
    }
    let memory = &mut next.memory;
    memory.allocated_gib = memory.allocated_gib.max(next.wanted.allocated_storage_gib);
    memory.configured = false;
    memory.settled = false;
    memory.proven &= !configured_anew;
    memory.restart = memory.restart.max(if apply_now { Restart::IfPending } else { Restart::InWindow });
    next.memory.wake();
    files::make_folder(&site.layout.root, 0o711).map_err(|error| cannot("make", &site.layout.root, &error))?;
    if let Some(password) = master_password {
        site.secrets.propose(&credentials(&next, Zeroizing::new(password)))?;
    }
    if new {
        let Wanted { instance_class, allocated_storage_gib, .. } = &next.wanted;
        site.note(format!("asked for with {instance_class} and {allocated_storage_gib} GiB"));
    }
    Ok(next)
}

/// Whoever forgot it does not mean it any more.
pub fn left_alone(name: &str) -> ProviderError {
    let message = format!("pgherd was told to leave {name} alone");
    ProviderError::new(ErrorKind::Conflict, message).help("pgherd adopt takes it back")
}

fn window_is_open(wanted: &Wanted) -> bool {
    Window::parse_weekly(&wanted.maintenance_window).is_some_and(|window| window.is_open(Timestamp::now()))
}

/// Data whose record was lost is somebody's: it is neither served under a new password nor cleared away.
fn unknown_data(site: &Site) -> ProviderError {
    let root = site.layout.root.display();
    let message = format!("{root} holds data, and the ledger knows no instance {}", site.name);
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
fn accept_rotation(site: &Site, record: &mut Record, serves: bool) -> Result<(), ProviderError> {
    if record.memory.goal != Goal::Serve || !record.memory.made || !serves {
        let message = format!("{} does not run, so its password cannot be changed", site.name);
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("start it first"));
    }
    // A rotation that was cut short is finished with the password it chose.
    if site.secrets.pending()?.is_none() {
        site.secrets.propose(&credentials(record, secret::generate()?))?;
    }
    record.memory.settled = false;
    Ok(())
}

fn check_serving(record: &Record) -> Result<(), ProviderError> {
    if record.memory.goal == Goal::Serve {
        return Ok(());
    }
    let message = format!("{} is stopped, so there are no roles to change", record.name);
    Err(ProviderError::new(ErrorKind::Conflict, message).help("start it first"))
}

/// Nothing but that folder holds what was written after the moment that was restored.
fn still_aside(name: &str, aside: &str) -> ProviderError {
    let message = format!("{name} was restored in its place, and what it held before is still kept as {aside}");
    ProviderError::new(ErrorKind::Protected, message).help(format!("pgherd backups --delete {aside} lets go of it"))
}

fn protected(name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Protected, format!("{name} is protected against deletion"))
        .help("set enable_deletion_protection = false, apply that, and repeat")
}
