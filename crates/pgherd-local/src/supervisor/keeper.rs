//! One task per instance: one loop, one select, then look, decide, remember, act.
//!
//! Two deciders share the loop: [`ha`] says which server runs as what, [`upkeep`] what is done to what they hold. What `ha`
//! decides is done at once, one action after the other; an upkeep step runs beside the loop, so that a failover waits for none.

mod round;

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;

use jiff::Timestamp;
use pgherd_core::ha::{self, NodeId};
use pgherd_core::resource::Pending;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle};

use self::round::{phase, words};
use super::agent::Agent;
use super::backups;
use super::current::Current;
use super::hands;
use super::jobs::{Facts, Outcome};
use super::ledger::Record;
use super::live::{Happening, Live, happening};
use super::requests::{Ask, Handle, Shown, Watcher, accept};
use super::site::{Site, absent};
use super::upkeep::{self, Goal, Step};
use super::ways::Ways;
use crate::ports;
use crate::postgres::process;
use crate::postgres::replication::making::{OnDisk, Sown};
use crate::postgres::replication::{Place, tools};

/// How long a primary may leave a write unanswered before it counts as hung.
const HANG_DEADLINE: Duration = Duration::from_secs(3);
/// A panic that long after the last one is the first of a new row.
const CALM_AFTER_PANIC: Duration = Duration::from_secs(600);
/// What is said of a server that recovers.
pub(super) const RECOVERING: &str = "recovering";

/// What is under way beside the loop.
enum Job {
    Accept(JoinHandle<Result<Record, ProviderError>>),
    Step(Step, JoinHandle<Outcome>),
}

impl Job {
    fn is_over(&self) -> bool {
        match self {
            Self::Accept(handle) => handle.is_finished(),
            Self::Step(_, handle) => handle.is_finished(),
        }
    }
}

enum Ended {
    Accepted(Box<Result<Record, ProviderError>>),
    Step(Box<Outcome>),
}

enum Input {
    Look,
    Way,
    Happened(NodeId, Happening),
    Job(Ended),
    Request(Ask, Watcher),
}

/// Keeps one instance as it was asked for.
pub struct Keeper {
    /// Where it is, and whose.
    pub(super) site: Site,
    /// What is known of it; `None`: there is none.
    pub(super) record: Option<Record>,
    /// Its servers.
    pub(super) servers: BTreeMap<NodeId, Live>,
    /// What the server that serves said of itself, and which start of it that was.
    pub(super) facts: Option<(u64, Facts)>,
    /// What its first standby is to be made of.
    pub(super) sown: Option<Sown>,
    /// Who puts its first standby on disk.
    pub(super) on_disk: OnDisk,
    /// What holds it to its size, in words.
    pub(super) limits: Vec<String>,
    /// The ways in.
    pub(super) ways: Ways,
    /// When old logs were last removed.
    pub(super) pruned_at: Option<Timestamp>,
    /// What is not as it should be with its servers.
    pub(super) alarms: Vec<ha::Alarm>,
    /// What it is busy with, until it has settled down.
    busy: Option<String>,
    job: Option<Job>,
    /// The request that is being done.
    current: Option<Current>,
    waiting: VecDeque<(Ask, Watcher)>,
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
        let mut keeper = Self {
            site: Site::of(agent, name),
            record,
            servers: BTreeMap::new(),
            facts: None,
            sown: None,
            on_disk: OnDisk::default(),
            limits: Vec::new(),
            ways: Ways::default(),
            pruned_at: None,
            alarms: Vec::new(),
            busy: None,
            job: None,
            current: None,
            waiting: VecDeque::new(),
            look_at: None,
            requests,
            shown,
            stop,
        };
        keeper.adopt();
        // Until it was looked at: what does not run may be about to, unless it was stopped on purpose.
        let is_stopped = keeper.record.as_ref().is_some_and(|record| record.memory.goal == Goal::Stopped);
        if !is_stopped && keeper.record.as_ref().is_some_and(|record| !keeper.runs(record.primary())) {
            keeper.busy = Some("being taken up".to_owned());
        }
        keeper.show();
        (keeper, Handle::new(sender, receiver))
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
                () = tokio::time::sleep(pause_after(panics)) => {}
                _ = self.stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn begin_anew(&mut self, panic: &str) {
        self.site.note(format!("pgherd itself failed, and begins anew: {panic}"));
        // What was in hand may be half-changed; what was written down is whole.
        match Record::load(&self.site.layout.root) {
            Ok(record) => self.record = record,
            Err(error) => tracing::error!(instance = self.site.name, "{error}"),
        }
        (self.busy, self.pruned_at, self.look_at) = (None, None, None);
        // A step that is at work is not begun a second time beside itself: what it comes to is taken in as always.
        self.job = self.job.take().filter(|job| matches!(job, Job::Step(..)) && !job.is_over());
        (self.facts, self.sown) = (None, None);
        self.site.agent.names.take_back(&self.site.name);
        let message = format!("pgherd itself failed, please report it: {panic}");
        if let Some(current) = self.current.take() {
            current.watcher.result(Err(ProviderError::new(ErrorKind::Unavailable, message.clone())));
        }
        self.adopt();
        if let Some(record) = &mut self.record {
            record.trouble = Some(message);
        }
        if let Err(error) = self.save() {
            tracing::error!(instance = self.site.name, "{error}");
        }
    }

    async fn tend(&mut self) {
        self.take_up();
        self.end_old_tools().await;
        self.settle().await;
        while let Some(input) = self.input().await {
            match input {
                Input::Look | Input::Way => {}
                Input::Happened(node, happened) => self.take_in(node, happened),
                Input::Job(ended) => self.job_ended(ended),
                Input::Request(ask, watcher) => self.waiting.push_back((ask, watcher)),
            }
            self.begin_request();
            self.settle().await;
            // One that is done makes room for the next.
            self.begin_request();
        }
        self.end().await;
    }

    /// What comes next; `None`: the agent ends.
    async fn input(&mut self) -> Option<Input> {
        tokio::select! {
            () = until(self.look_at) => Some(Input::Look),
            (node, happened) = happening(&mut self.servers, HANG_DEADLINE) => Some(Input::Happened(node, happened)),
            () = self.ways.happens() => Some(Input::Way),
            ended = ended(&mut self.job) => Some(Input::Job(ended)),
            request = self.requests.recv() => request.map(|(ask, watcher)| Input::Request(ask, watcher)),
            _ = self.stop.wait_for(|stop| *stop) => None,
        }
    }

    fn job_ended(&mut self, ended: Ended) {
        self.job = None;
        match ended {
            Ended::Accepted(accepted) => self.accepted(*accepted),
            Ended::Step(outcome) => self.stepped(*outcome),
        }
    }

    /// Takes in what ended beside the loop while that did something else.
    pub(super) async fn hear_of_job(&mut self) {
        if self.job.as_ref().is_some_and(Job::is_over) {
            let ended = ended(&mut self.job).await;
            self.job_ended(ended);
        }
    }

    /// What is under way is ended first: it would be repeated, and somebody watches.
    async fn end(&mut self) {
        if self.job.is_some() {
            let ended = ended(&mut self.job).await;
            if let Ended::Step(outcome) = ended {
                self.stepped(*outcome);
            }
        }
    }

    /// The agent has just started: servers run on from before, or it is not a crash that they do not run.
    fn take_up(&mut self) {
        let site = self.site.clone();
        tokio::task::spawn_blocking(move || site.forget_sown());
        let Some(record) = &mut self.record else { return };
        record.memory.wake();
        let primary = record.primary();
        let was_up = record.ha.members.get(&primary).is_some_and(|member| member.up_since.is_some());
        if self.servers.values().any(Live::runs) {
            self.site.note("the agent took over the running server");
        } else if was_up {
            self.site.note("it did not run when the agent started");
        }
        self.forget_what_may_be_torn();
    }

    /// What an earlier agent had copied or rewound it waited for, and nobody does now: it is begun anew.
    async fn end_old_tools(&self) {
        let nodes = self.record.as_ref().map(Record::nodes).unwrap_or_default();
        for node in nodes {
            match tools::kill(&self.site.node(node)).await {
                Ok(0) => {}
                Ok(ended) => self.site.note(format!("ended {ended} tools that an earlier agent had begun on {node}")),
                Err(error) => tracing::warn!(instance = self.site.name, "{node}: {error}"),
            }
        }
    }

    /// What an earlier agent made may not have been on disk when the machine ended. Nobody has used it unless its password is in
    /// force: it is made again.
    fn forget_what_may_be_torn(&mut self) {
        let Some(record) = &self.record else { return };
        let kept = record.memory.made || self.is_to_be_kept(record.primary());
        if let Some(record) = self.record.as_mut().filter(|_| !kept) {
            record.ha = ha::Memory::default();
        }
    }

    /// Whether a cluster that was never usable is to be gone on with.
    pub(super) fn is_to_be_kept(&self, node: NodeId) -> bool {
        // A secret that cannot be read is one.
        self.servers.get(&node).is_some_and(|live| live.is_whole) || !matches!(self.site.secrets.current(), Ok(None))
    }

    /// Takes hold of every server that runs.
    pub(super) fn adopt(&mut self) {
        let Some(record) = &self.record else { return };
        for node in record.nodes() {
            let live = self.servers.entry(node).or_default();
            // One that is being stopped is let go of when all of it has ended.
            if live.runs() || live.stopping.is_some() {
                continue;
            }
            match process::adopt(&self.site.node(node).data) {
                Ok(Some(postmaster)) => {
                    // Whoever wrote its role down may have been killed before it told it so.
                    drop(postmaster.reload());
                    live.take(postmaster);
                }
                Ok(None) => live.drop_server(),
                Err(error) => tracing::warn!(instance = self.site.name, "{node}: {error}"),
            }
        }
    }

    pub(super) fn take_in(&mut self, node: NodeId, happened: Happening) {
        match happened {
            Happening::Ready => {
                self.live(node).is_ready = true;
                self.site.note(format!("{node} takes connections"));
                self.prove(node);
            }
            Happening::Ended => {
                self.live(node).drop_server();
                if let Some(record) = self.record.as_ref().filter(|record| record.primary() == node) {
                    self.ways.primary_ended(&self.site, record);
                }
            }
            Happening::Stopped(how) => hands::stopped(self, node, how),
            Happening::TaskEnded(result) => hands::ended(self, node, result),
            // The look that follows sees how it stands.
            Happening::Hangs => {}
            Happening::FailedToStart(error) => {
                self.live(node).drop_server();
                if self.moves_to_another_port(node) {
                    return self.site.note(format!("{node}: somebody was quicker to take its port; it gets another"));
                }
                let live = self.live(node);
                live.start_failed = live.started_at.is_some();
                self.went_wrong(&format!("{node} did not start"), error);
            }
        }
    }

    /// A port that nobody knows of yet may still be another one, when somebody was quicker to take it.
    fn moves_to_another_port(&mut self, node: NodeId) -> bool {
        let Some(record) = self.record.as_mut().filter(|record| !record.memory.made && record.wanted.port.is_none())
        else {
            return false;
        };
        if record.port_of(node).is_none_or(|port| ports::ensure_free(port).is_ok()) {
            return false;
        }
        self.site.agent.release_ports(&self.site.name);
        record.node_ports.clear();
        (record.port, record.pooler_port) = (None, None);
        // What follows is as at first: ports are chosen, and the configuration is written with them.
        (record.memory.prepared, record.memory.configured) = (false, false);
        true
    }

    /// A server that we started takes connections: its configuration is one to go back to.
    fn prove(&mut self, node: NodeId) {
        let live = self.live(node);
        live.start_failed = false;
        if let Some(record) = self.record.as_mut().filter(|record| record.memory.configured) {
            record.proven = Some(record.wanted.clone());
            record.proven_server = record.server.clone();
            record.memory.proven = true;
        }
    }

    /// Takes the next request in, beside the loop: checking it may take a while.
    fn begin_request(&mut self) {
        if self.current.is_some() || self.job.is_some() {
            return;
        }
        let Some((ask, watcher)) = self.waiting.pop_front() else { return };
        self.busy = Some(ask.doing(self.record.is_none()).to_owned());
        let ask = Arc::new(ask);
        let (site, record, watching) = (self.site.clone(), self.record.clone(), watcher.clone());
        let serves = self.record.as_ref().is_some_and(|record| self.runs(record.primary()));
        self.current = Some(Current::new(ask.clone(), watcher));
        self.job = Some(Job::Accept(tokio::spawn(async move { accept(&site, record, &ask, serves, &watching).await })));
        self.show();
    }

    /// A request was taken in, or refused, while the loop went on.
    fn accepted(&mut self, accepted: Result<Record, ProviderError>) {
        let result = accepted.and_then(|mut accepted| {
            if let Some(now) = &self.record {
                accepted.ha = now.ha.clone();
                (accepted.request, accepted.last_request) = (now.request, now.last_request);
                accepted.alone = now.alone.clone();
                accepted.system_identifier.clone_from(&now.system_identifier);
                // The loop may have ended a promotion meanwhile, and counted its replica out.
                let ask = self.current.as_ref().map(|current| &*current.ask);
                if !matches!(ask, Some(Ask::Promote(_))) {
                    accepted.promotion = now.promotion.clone();
                }
                if !matches!(ask, Some(Ask::Put(_))) {
                    accepted.wanted.read_replicas = now.wanted.read_replicas;
                }
            }
            for member in accepted.ha.members.values_mut() {
                member.retry.not_before = None;
            }
            if let Some(current) = &mut self.current {
                current.is_accepted = true;
                let asked = match (&*current.ask, &accepted.promotion) {
                    (Ask::Servers(what), _) => Some(*what),
                    (Ask::Promote(_), Some(promotion)) => Some(ha::Ask::Release { node: promotion.node }),
                    _ => None,
                };
                current.request = asked.map(|what| accepted.ask(what));
            }
            let before = self.record.replace(accepted);
            self.ways.pooled.try_again();
            // What is answered with an error is not done either.
            self.save().inspect_err(|_| self.record = before)
        });
        // What was promised is in the ledger by now, or is not wanted.
        self.site.agent.names.take_back(&self.site.name);
        if let Err(error) = result {
            self.finish(Err(error));
        }
    }

    fn stepped(&mut self, outcome: Outcome) {
        let Outcome { step, result } = outcome;
        let Some(record) = &mut self.record else { return };
        match result {
            Ok(done) => {
                let Some(learnt) = done.record else {
                    self.record = None;
                    self.servers.clear();
                    return;
                };
                match step {
                    Step::Exchange => record.take_over_exchange(learnt),
                    _ => record.take_over(learnt, done.facts.is_some()),
                }
                record.memory = upkeep::done(step, &record.memory);
                if phase(step).is_some() {
                    record.trouble = None;
                }
                if let Some(facts) = done.facts {
                    let start = self.servers.get(&record.primary()).and_then(|live| live.start);
                    self.facts = start.map(|start| (start, facts));
                }
                if step == Step::Configure {
                    self.servers.values_mut().for_each(|live| live.start_failed = false);
                }
                if step == Step::Settle {
                    self.site.agent.stock_up();
                }
                if step == Step::Exchange {
                    // Other servers from now on.
                    self.servers.clear();
                    (self.facts, self.sown) = (None, None);
                }
            }
            Err(error) => {
                record.memory = upkeep::failed(&record.memory, Timestamp::now());
                if step == Step::Exchange
                    && record.exchange.as_ref().is_none_or(|exchange| backups::is_untouched(&self.site, exchange))
                {
                    // What it held is where it was, and is served on.
                    (record.exchange, record.memory.exchanging) = (None, false);
                }
                self.went_wrong(words(step), error);
            }
        }
        if let Err(error) = self.save() {
            self.went_wrong("the ledger", error);
        }
    }

    /// Notes what went wrong, for the history, the status and whoever waits.
    pub(super) fn went_wrong(&mut self, doing: &str, error: ProviderError) {
        self.site.note(format!("{doing}: {error}"));
        if let Some(record) = &mut self.record {
            record.trouble = Some(error.message.clone());
        }
        if let Some(current) = &mut self.current {
            current.error.get_or_insert(error);
        }
    }

    fn finish(&mut self, result: Result<(), ProviderError>) {
        self.busy = None;
        self.show();
        if let Some(current) = self.current.take() {
            current.watcher.result(result);
        }
    }

    /// Whether somebody waits for something of the kind.
    pub(super) fn is_asked(&self, kind: impl Fn(&Ask) -> bool) -> bool {
        self.current.as_ref().is_some_and(|current| kind(&current.ask))
    }

    /// A server of its.
    pub(super) fn live(&mut self, node: NodeId) -> &mut Live {
        self.servers.entry(node).or_default()
    }

    /// A server as the hands of replication take it.
    pub(super) fn place(&self, node: NodeId) -> Result<Place, ProviderError> {
        self.site.place(self.record()?, node)
    }

    fn runs(&self, node: NodeId) -> bool {
        self.servers.get(&node).is_some_and(Live::runs)
    }

    /// The record, which an action is never without.
    pub(super) fn record(&self) -> Result<&Record, ProviderError> {
        self.record.as_ref().ok_or_else(|| absent(&self.site.name))
    }

    /// The record, to be changed.
    pub(super) fn record_mut(&mut self) -> Result<&mut Record, ProviderError> {
        self.record.as_mut().ok_or_else(|| absent(&self.site.name))
    }

    /// Writes the record down and shows it.
    pub(super) fn save(&self) -> Result<(), ProviderError> {
        self.show();
        self.record.as_ref().map_or(Ok(()), |record| record.save(&self.site.layout.root))
    }

    fn show(&self) {
        let shown = self.record.clone().map(|record| {
            let pids: Vec<(NodeId, i32)> = self
                .servers
                .iter()
                .filter_map(|(node, live)| Some((*node, live.postmaster.as_ref().filter(|it| it.runs())?.pid())))
                .collect();
            let primary = record.primary();
            let recovers = self.servers.get(&primary).is_some_and(Live::recovers);
            Shown {
                pid: pids.iter().find(|(node, _)| *node == primary).map(|(_, pid)| *pid),
                pids,
                busy: self.busy.clone().or_else(|| recovers.then(|| RECOVERING.to_owned())),
                pending: self.pending(),
                limits: self.limits.clone(),
                alarms: self.alarms.clone(),
                ways: self.ways.report(&self.site, &record),
                pooler: self.ways.pooled.shown(&record),
                record,
            }
        });
        self.shown.send_replace(shown);
        self.site.agent.show_change();
    }

    /// What waits for a restart.
    pub(super) fn pending(&self) -> Vec<Pending> {
        self.facts.as_ref().map(|(_, facts)| facts.pending.clone()).unwrap_or_default()
    }
}

async fn ended(job: &mut Option<Job>) -> Ended {
    match job {
        Some(Job::Accept(handle)) => Ended::Accepted(Box::new(unwound(handle.await))),
        Some(Job::Step(_, handle)) => Ended::Step(Box::new(unwound(handle.await))),
        None => std::future::pending().await,
    }
}

/// A step that panicked is a mistake of ours: its keeper ends with it and begins anew.
fn unwound<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Not at all after the first, then 1 s, 2 s, 4 s … 64 s.
fn pause_after(panics: u32) -> Duration {
    if panics < 2 { Duration::ZERO } else { Duration::from_secs(1 << (panics - 2).min(6)) }
}

async fn until(at: Option<Timestamp>) {
    match at {
        Some(at) => {
            let wait = at.duration_since(Timestamp::now()).unsigned_abs();
            let due = at <= Timestamp::now();
            tokio::time::sleep(if due { std::time::Duration::ZERO } else { wait }).await;
        }
        None => std::future::pending().await,
    }
}
