//! One task per instance: one loop, one select, then look, decide, remember, act.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use jiff::Timestamp;
use pgherd_core::resource::Pending;
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::agent::Agent;
use super::decide::{self, Action, Data, Goal, Memory, Process, Restart, View, decide, next_look};
use super::history::History;
use super::ledger::Record;
use super::messages::{Delete, Happening, Line, Put};
use super::secret::SecretFiles;
use super::{act, retention, storage};
use crate::desired::Wanted;
use crate::paths::Layout;
use crate::postgres::pidfile::Status;
use crate::postgres::process::{self, Postmaster};

/// How long an adopted server may take to recover before it is looked at again.
const READY_DEADLINE: Duration = Duration::from_secs(10);
/// How long a recovery is waited for before looking who else asks for something.
const RECOVERY_LOOK: Duration = Duration::from_secs(1);
/// What is said of a server that recovers.
const RECOVERING: &str = "recovering";
/// A panic that long after the last one is the first of a new row.
const CALM_AFTER_PANIC: Duration = Duration::from_secs(600);
/// How often the data directory is measured at most.
const MEASURE_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_secs(55);
const GIB: u64 = 1 << 30;

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
}

/// What is known of an instance at any moment, whatever its keeper is busy with.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its record.
    pub record: Record,
    /// What is being done.
    pub busy: Option<String>,
    /// Its postmaster.
    pub pid: Option<i32>,
    /// What waits for a restart, as of the last look.
    pub pending: Vec<Pending>,
    /// What holds it to its size, in words.
    pub limits: Vec<String>,
}

/// A way to a keeper.
#[derive(Clone)]
pub struct Handle {
    requests: mpsc::UnboundedSender<(Ask, Watcher)>,
    shown: watch::Receiver<Option<Shown>>,
}

impl Handle {
    /// Asks for something; the answer are the lines of its progress, ended by the result.
    pub fn ask(&self, ask: Ask) -> Result<mpsc::UnboundedReceiver<Line>, ProviderError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.requests.send((ask, Watcher(Some(sender)))).map_err(|_| {
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
pub struct Watcher(Option<mpsc::UnboundedSender<Line>>);

impl Watcher {
    fn nobody() -> Self {
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

    fn result(&self, result: Result<(), ProviderError>) {
        self.tell(match result {
            Ok(()) => Line::Done,
            Err(error) => Line::Failed { error },
        });
    }

    fn tell(&self, line: Line) {
        if let Some(sender) = &self.0 {
            // Whoever stopped watching does not stop the work.
            drop(sender.send(line));
        }
    }
}

enum Input {
    Tick,
    Ended,
    Request(Ask, Watcher),
}

/// Keeps one instance as it was asked for.
pub struct Keeper {
    /// What all keepers share.
    pub(super) agent: Arc<Agent>,
    /// The instance's name.
    pub(super) name: String,
    /// Its folders.
    pub(super) layout: Layout,
    /// Its password.
    pub(super) secrets: SecretFiles,
    /// What is known of it; `None`: there is none.
    pub(super) record: Option<Record>,
    /// Its running server.
    pub(super) postmaster: Option<Postmaster>,
    /// What waits for a restart.
    pub(super) pending: Vec<Pending>,
    /// What holds it to its size, in words.
    pub(super) limits: Vec<String>,
    /// When its certificate is to be renewed.
    pub(super) renew_tls_at: Option<Timestamp>,
    /// Whether its data directory is whole although it may not be on disk yet: this agent unpacked it, or a server runs in it.
    pub(super) whole: bool,
    /// Putting a new data directory on disk.
    pub(super) to_disk: Option<JoinHandle<Result<(), ProviderError>>>,
    history: History,
    /// What it is busy with, until it has settled down.
    busy: Option<String>,
    measured_at: Option<Timestamp>,
    look_at: Option<Timestamp>,
    requests: mpsc::UnboundedReceiver<(Ask, Watcher)>,
    shown: watch::Sender<Option<Shown>>,
    stop: watch::Receiver<bool>,
}

impl Keeper {
    /// A keeper, and the way to it.
    pub fn new(agent: Arc<Agent>, name: &str, record: Option<Record>, stop: watch::Receiver<bool>) -> (Self, Handle) {
        let (sender, requests) = mpsc::unbounded_channel();
        let (shown, receiver) = watch::channel(None);
        let layout = agent.options.paths.instance(name);
        let postmaster = process::adopt(&layout.data).unwrap_or_default();
        let mut keeper = Self {
            history: History::of(&agent.options.paths.state, name),
            secrets: SecretFiles::of(&layout.root),
            layout,
            agent,
            name: name.to_owned(),
            record,
            postmaster,
            pending: Vec::new(),
            limits: Vec::new(),
            renew_tls_at: None,
            whole: false,
            to_disk: None,
            busy: None,
            measured_at: None,
            look_at: None,
            requests,
            shown,
            stop,
        };
        // Until it was looked at: what does not run may be about to, unless it was stopped on purpose.
        let is_stopped = keeper.record.as_ref().is_some_and(|record| record.memory.goal == Goal::Stopped);
        if keeper.postmaster.is_none() && !is_stopped {
            keeper.busy = Some("being taken up".to_owned());
        }
        keeper.show();
        (keeper, Handle { requests: sender, shown: receiver })
    }

    /// Keeps it until the agent ends. A panic, which is a mistake of ours, is recorded, and the keeping is begun anew from what
    /// was written down: an instance is never left alone, and what follows is shown to everyone who asks for its status.
    pub async fn run(mut self) {
        let mut panics = 0;
        loop {
            let begun = tokio::time::Instant::now();
            let Err(panic) = AssertUnwindSafe(self.tend()).catch_unwind().await else { return };
            panics = if begun.elapsed() > CALM_AFTER_PANIC { 1 } else { panics + 1 };
            self.begin_anew(&words_of(panic.as_ref()));
            tokio::select! {
                () = tokio::time::sleep(decide::backoff(panics).unsigned_abs()) => {}
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn begin_anew(&mut self, panic: &str) {
        self.note(format!("pgherd itself failed, and begins anew: {panic}"));
        // What was in hand may be half-changed; what was written down is whole.
        match Record::load(&self.layout.root) {
            Ok(record) => self.record = record,
            Err(error) => tracing::error!(instance = self.name, "{error}"),
        }
        self.postmaster = process::adopt(&self.layout.data).unwrap_or_default();
        (self.to_disk, self.busy, self.measured_at, self.look_at) = (None, None, None, None);
        if let Some(record) = &mut self.record {
            record.trouble = Some(format!("pgherd itself failed, please report it: {panic}"));
        }
        if let Err(error) = self.save() {
            tracing::error!(instance = self.name, "{error}");
        }
    }

    async fn tend(&mut self) {
        self.take_up().await;
        loop {
            let input = tokio::select! {
                () = until(self.look_at) => Input::Tick,
                () = ended(self.postmaster.as_ref()) => Input::Ended,
                request = self.requests.recv() => match request {
                    Some((ask, watcher)) => Input::Request(ask, watcher),
                    None => return,
                },
                _ = self.stop.wait_for(|stop| *stop) => return,
            };
            match input {
                Input::Tick | Input::Ended => {
                    // What went wrong is in the record and the history.
                    let _ = self.settle_down(&Watcher::nobody()).await;
                }
                Input::Request(ask, watcher) => {
                    self.busy = Some(doing(&ask, self.record.is_none()).to_owned());
                    self.show();
                    let result = self.answer(ask, &watcher).await;
                    self.busy = None;
                    self.show();
                    watcher.result(result);
                }
            }
        }
    }

    /// The agent has just started: the server runs on from before, or it is not a crash that it does not run.
    async fn take_up(&mut self) {
        let Some(record) = &mut self.record else { return };
        record.memory.wake();
        if self.postmaster.is_some() {
            self.note("the agent took over the running server".to_owned());
            self.wait_for_recovery().await;
        } else if record.memory.serving {
            record.memory.serving = false;
            self.note("it did not run when the agent started".to_owned());
        }
        // As after a tick.
        let _ = self.settle_down(&Watcher::nobody()).await;
    }

    async fn answer(&mut self, ask: Ask, watcher: &Watcher) -> Result<(), ProviderError> {
        self.accept(ask, watcher).await?;
        self.settle_down(watcher).await?;
        self.wait_through_recovery(watcher).await?;
        let running = self.postmaster.as_ref().is_some_and(Postmaster::runs);
        match &self.record {
            Some(record) if record.memory.goal == Goal::Serve && !running => {
                let trouble = record.trouble.clone().unwrap_or_else(|| "PostgreSQL does not run".to_owned());
                Err(ProviderError::new(ErrorKind::Unavailable, trouble))
            }
            _ => Ok(()),
        }
    }

    /// Who asked for a server that recovers waits until it serves, unless somebody asks for something else meanwhile.
    async fn wait_through_recovery(&mut self, watcher: &Watcher) -> Result<(), ProviderError> {
        if self.recovers() {
            watcher.phase(RECOVERING);
        }
        while self.recovers() {
            if !self.requests.is_empty() || *self.stop.borrow() {
                let message = format!("{} still recovers from a crash", self.name);
                return Err(ProviderError::new(ErrorKind::TimedOut, message).help("it serves as soon as it has"));
            }
            if let Some(postmaster) = &self.postmaster {
                // It is looked at again, whatever came of it.
                drop(postmaster.ready(RECOVERY_LOOK).await);
            }
            self.settle_down(watcher).await?;
        }
        Ok(())
    }

    /// Takes a request in: afterwards the record says what is to become of the instance.
    async fn accept(&mut self, ask: Ask, watcher: &Watcher) -> Result<(), ProviderError> {
        match ask {
            Ask::Put(put) => return act::accept_put(self, *put, watcher).await,
            Ask::Rotate => return act::accept_rotation(self).await,
            Ask::Delete(_) | Ask::Start | Ask::Stop | Ask::Restart => {}
        }
        let record = self.record.as_mut().ok_or_else(|| absent(&self.name))?;
        let memory = &mut record.memory;
        if matches!(memory.goal, Goal::Gone { .. }) && !matches!(ask, Ask::Delete(_)) {
            return Err(ProviderError::new(ErrorKind::Conflict, format!("{} is being deleted", self.name)));
        }
        match ask {
            Ask::Delete(how) => {
                if record.wanted.deletion_protection {
                    return Err(protected(&self.name));
                }
                let backup = how.final_backup.filter(|_| memory.made);
                memory.goal = Goal::Gone { backup, asked_at: Timestamp::now(), taken: false };
            }
            Ask::Start => memory.goal = Goal::Serve,
            Ask::Stop => memory.goal = Goal::Stopped,
            Ask::Restart => (memory.goal, memory.restart) = (Goal::Serve, Restart::Now),
            Ask::Put(_) | Ask::Rotate => unreachable!("taken care of above"),
        }
        memory.wake();
        self.save()
    }

    /// Looks, decides, remembers and acts until there is nothing to do before the next look. The first thing that went wrong
    /// is returned; what can be done about it is done before that.
    async fn settle_down(&mut self, watcher: &Watcher) -> Result<(), ProviderError> {
        let mut result = Ok(());
        // Also when the ledger cannot be written: not at once again.
        self.look_at = Some(Timestamp::now() + decide::LOOK_EVERY);
        loop {
            let Some(view) = self.look().await else { break };
            let Some(record) = &mut self.record else { break };
            if view.data == Data::Missing {
                let data = self.layout.data.display();
                record.trouble = Some(format!("the data directory {data} is not there; is its disk mounted?"));
            }
            let (memory, actions) = decide(&view, &record.memory);
            if let Err(error) = self.remember(memory) {
                // A full disk keeps no server down: a start need not be known of beforehand, the next agent adopts what runs.
                if !actions.contains(&Action::Start) {
                    self.busy = None;
                    self.show();
                    return Err(error);
                }
                tracing::error!(instance = self.name, "{error}");
            }
            if actions.is_empty() {
                self.look_at = self.record.as_ref().map(|record| next_look(&view, &record.memory));
                break;
            }
            for action in actions {
                if let Err(error) = self.carry_out(action, watcher).await {
                    self.note(format!("{}: {error}", words(action)));
                    result = result.and(Err(error));
                }
            }
        }
        self.busy = None;
        self.show();
        result
    }

    async fn carry_out(&mut self, action: Action, watcher: &Watcher) -> Result<(), ProviderError> {
        if let Some(phase) = phase(action) {
            self.busy = Some(phase.to_owned());
            self.show();
            watcher.phase(phase);
        }
        let result = act::act(self, action, watcher).await;
        let Some(record) = &mut self.record else { return result };
        let memory = match &result {
            Ok(()) => decide::done(action, &record.memory),
            Err(_) => decide::failed(action, &record.memory, Timestamp::now()),
        };
        match &result {
            Ok(()) if phase(action).is_some() => record.trouble = None,
            Ok(()) => {}
            Err(error) => record.trouble = Some(error.message.clone()),
        }
        let used_for_the_first_time = memory.made && !record.memory.made;
        record.memory = memory;
        self.save()?;
        if used_for_the_first_time {
            self.agent.stock_up();
        }
        result
    }

    /// What there is; `None` when there is no instance.
    async fn look(&mut self) -> Option<View> {
        let record = self.record.as_ref()?;
        let now = Timestamp::now();
        let made = record.memory.made;
        let window = Window::parse_weekly(&record.wanted.maintenance_window).unwrap_or(Window {
            start_min: 0,
            length_min: 1,
            period_min: pgherd_core::window::WEEK_MIN,
        });
        let wanted = record.wanted.clone();
        let process = self.look_at_process().await;
        self.whole |= process != Process::Ended;
        let cluster = self.layout.data.join("PG_VERSION").exists() && (made || self.is_to_be_kept());
        let measure = self.measured_at.is_none_or(|at| now.duration_since(at).abs() >= MEASURE_EVERY);
        let used_bytes = if measure { self.measure(wanted.logging, now).await } else { None };
        if measure {
            self.measured_at = Some(now);
        }
        Some(View {
            now,
            data: match (cluster, made) {
                (true, _) => Data::Ready,
                (false, true) => Data::Missing,
                (false, false) => Data::Unfinished,
            },
            process,
            restart_pending: !self.pending.is_empty(),
            renew_tls_at: self.renew_tls_at,
            window,
            max_gib: used_bytes.and_then(|used| self.storage_limit_gib(&wanted, used)),
            used_bytes,
        })
    }

    /// Whether a cluster that was never usable is to be gone on with. What an earlier agent unpacked may not have been on disk
    /// when the machine ended; nobody has used it unless its password is in force.
    fn is_to_be_kept(&self) -> bool {
        // A secret that cannot be read is one.
        self.whole || !matches!(self.secrets.current(), Ok(None))
    }

    /// Bytes in use, after logs that need not be kept are gone. A large data directory takes a while to walk through.
    async fn measure(&self, logging: bool, now: Timestamp) -> Option<u64> {
        let (data, log) = (self.layout.data.clone(), self.layout.log.clone());
        let measured = act::blocking(move || {
            retention::prune(&log, logging, now);
            Ok(storage::used_bytes(&data))
        });
        measured.await.ok().flatten()
    }

    async fn look_at_process(&mut self) -> Process {
        if self.postmaster.as_ref().is_none_or(|postmaster| !postmaster.runs()) {
            self.postmaster = process::adopt(&self.layout.data).unwrap_or_else(|error| {
                tracing::warn!(instance = self.name, "{error}");
                None
            });
            if self.postmaster.is_some() {
                self.wait_for_recovery().await;
            }
        }
        // It recovered for longer than that, and could not be asked.
        if self.renew_tls_at.is_none() && self.postmaster.as_ref().is_some_and(Postmaster::runs) && !self.recovers() {
            self.learn().await;
        }
        match &self.postmaster {
            Some(postmaster) if !postmaster.runs() => Process::Ended,
            None => Process::Ended,
            Some(_) if self.recovers() => Process::Recovering,
            Some(_) => Process::Running { since: self.running_since() },
        }
    }

    /// Whether its server runs and takes no connections yet.
    pub(super) fn recovers(&self) -> bool {
        // A full disk may keep it from ever saying how far it is: that is no recovery to be waited for.
        let starts = |postmaster: &Postmaster| postmaster.runs() && postmaster.status() == Some(Status::Starting);
        self.postmaster.as_ref().is_some_and(starts)
    }

    /// An adopted server that still recovers is waited for a while.
    async fn wait_for_recovery(&mut self) {
        let Some(postmaster) = &self.postmaster else { return };
        if let Err(error) = postmaster.ready(READY_DEADLINE).await {
            tracing::warn!(instance = self.name, "{error}");
            return;
        }
        self.learn().await;
    }

    async fn learn(&mut self) {
        act::hold_to_size(self).await;
        act::refresh(self).await;
    }

    /// A server writes its pid file when it starts and when it becomes ready.
    fn running_since(&self) -> Timestamp {
        let written = std::fs::metadata(self.layout.postmaster_pid()).and_then(|file| file.modified());
        let since = written.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        since
            .and_then(|since| Timestamp::from_second(i64::try_from(since.as_secs()).ok()?).ok())
            .unwrap_or_else(Timestamp::now)
    }

    /// The limit of growth: the one asked for, else the disk less a tenth (variables.md 3.4).
    fn storage_limit_gib(&self, wanted: &Wanted, used_bytes: u64) -> Option<u64> {
        wanted.max_allocated_storage_gib.or_else(|| {
            let free = storage::free_bytes(&self.layout.data).filter(|_| wanted.storage_auto_grow)?;
            Some((used_bytes + free / 10 * 9) / GIB)
        })
    }

    fn remember(&mut self, memory: Memory) -> Result<(), ProviderError> {
        match &mut self.record {
            Some(record) if record.memory != memory => {
                record.memory = memory;
                self.save()
            }
            _ => Ok(()),
        }
    }

    /// Writes the record down and shows it.
    pub(super) fn save(&self) -> Result<(), ProviderError> {
        self.show();
        self.record.as_ref().map_or(Ok(()), |record| record.save(&self.layout.root))
    }

    /// Records that something happened.
    pub(super) fn note(&self, message: String) {
        self.history.add(&Happening { at: Timestamp::now(), instance: self.name.clone(), message });
    }

    fn show(&self) {
        let pid = self.postmaster.as_ref().filter(|postmaster| postmaster.runs()).map(Postmaster::pid);
        let (pending, limits) = (self.pending.clone(), self.limits.clone());
        let busy = self.busy.clone().or_else(|| self.recovers().then(|| RECOVERING.to_owned()));
        let shown = self.record.clone().map(|record| Shown { record, busy, pid, pending, limits });
        self.shown.send_replace(shown);
        self.agent.show_change();
    }
}

/// What is said of an instance from the moment something was asked of it until the first action.
fn doing(ask: &Ask, is_new: bool) -> &'static str {
    match ask {
        Ask::Put(_) if is_new => "being created",
        Ask::Put(_) => "being changed",
        Ask::Delete(_) => "being deleted",
        Ask::Start => "being started",
        Ask::Stop => "being stopped",
        Ask::Restart => "being restarted",
        Ask::Rotate => "getting a new password",
    }
}

/// What is said while an action is carried out; `None` for what takes no time.
fn phase(action: Action) -> Option<&'static str> {
    Some(match action {
        Action::Init => "making the cluster",
        Action::Configure => "writing the configuration",
        Action::FallBack => "going back to the configuration that worked",
        Action::Start => "starting PostgreSQL",
        Action::Settle => "setting role, password and database",
        Action::Stop => "stopping PostgreSQL",
        Action::RenewTls => "renewing the server certificate",
        Action::Backup => "taking the last backup",
        Action::Remove => "removing the data",
        Action::Answered | Action::NoteCrash | Action::NoteGrowth | Action::NoteOverAllocated => return None,
    })
}

fn words(action: Action) -> &'static str {
    phase(action).unwrap_or("noting")
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// There is no such instance.
pub(super) fn absent(name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::NotFound, format!("there is no instance {name}"))
}

fn protected(name: &str) -> ProviderError {
    ProviderError::new(ErrorKind::Protected, format!("{name} is protected against deletion"))
        .help("set enable_deletion_protection = false, apply that, and repeat")
}

async fn until(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let wait = at.duration_since(Timestamp::now()).unsigned_abs();
            let due = at <= Timestamp::now();
            tokio::time::sleep(if due { Duration::ZERO } else { wait }).await;
        }
        None => std::future::pending().await,
    }
}

async fn ended(postmaster: Option<&Postmaster>) {
    match postmaster {
        Some(postmaster) => postmaster.ended().await,
        None => std::future::pending().await,
    }
}
