//! Looking at an instance before a decision: [`ha::View`] and [`upkeep::View`].

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::{self, NodeId};
use pgherd_core::window::{WEEK_MIN, Window};

use super::keeper::Keeper;
use super::ledger::Record;
use super::live::{Happening, Live};
use super::pooled::{self, Standing};
use super::retention;
use super::site::{Site, blocking};
use super::upkeep::{self, Servers};
use crate::desired::Wanted;
use crate::postgres::replication::look::look;
use crate::postgres::replication::probe::Prober;
use crate::storage;

/// How often logs are looked at that need not be kept.
const PRUNE_EVERY: SignedDuration = SignedDuration::from_secs(55);
/// How long to go between two looks while roles change or a copy is on its way to being promotable, at most and at least.
const LOOK_SOON: SignedDuration = SignedDuration::from_millis(50);
const LOOK_VERY_SOON: SignedDuration = SignedDuration::from_millis(5);
/// How long a standby that was just started, or that commits were just told to wait for, is on its way to being promotable.
const SETTLES: SignedDuration = SignedDuration::from_secs(10);
/// How long to go between two looks at an instance of several servers: whether they still stream is not told by anybody.
const LOOK_AT_SEVERAL: SignedDuration = SignedDuration::from_secs(1);
/// How long one server may take to answer a look.
const LOOK_DEADLINE: Duration = Duration::from_millis(500);
const GIB: u64 = 1 << 30;

/// What was seen a moment ago.
pub struct Seen {
    /// For what the instance holds.
    pub upkeep: upkeep::View,
    nodes: BTreeMap<NodeId, ha::Node>,
    route: Option<ha::Route>,
    /// Whether the pooler leads nobody elsewhere.
    pooler_agrees: bool,
    /// The pooler.
    pub pooler: Standing,
}

impl Seen {
    /// For who runs as what.
    ///
    /// `is_calm`: nothing is being done to what they hold, so that a restart that waits for the window disturbs nothing.
    pub fn ha(&self, record: &Record, is_calm: bool) -> ha::View {
        let wanted = wanted(&self.upkeep, record);
        ha::View {
            now: self.upkeep.now,
            wanted: ha::Wanted { window_open: wanted.window_open && is_calm, ..wanted },
            request: record.request,
            nodes: self.nodes.clone(),
            // While it is not seen to lead everybody there, that is ordered again now and then, which does no harm.
            route: self.route.clone().filter(|_| self.pooler_agrees),
        }
    }

    /// Whether there are as many servers as wanted, each doing what it is there for.
    pub fn is_whole(&self, record: &Record) -> bool {
        let wanted = wanted(&self.upkeep, record);
        let members = &record.ha.members;
        let count = |duty| members.values().filter(|member| member.duty == duty).count();
        let streams = |(node, member): (&NodeId, &ha::Member)| {
            *node == record.primary() || member.copy == ha::Copy::Good && self.streams(*node)
        };
        count(ha::Duty::Pair) == usize::from(wanted.standbys) + 1
            && count(ha::Duty::Replica) == usize::from(wanted.replicas)
            && members.iter().all(streams)
            && self.reads_reach(
                members.iter().filter(|(_, member)| member.duty == ha::Duty::Replica).map(|(node, _)| *node),
            )
            && (!wanted.synchronous() || record.ha.promotable.is_some())
    }

    /// Whether clients that read are led to these.
    fn reads_reach(&self, mut replicas: impl Iterator<Item = NodeId>) -> bool {
        let read = |node: NodeId| self.route.as_ref().is_some_and(|route| route.read.contains(&node));
        replicas.all(read)
    }

    fn streams(&self, node: NodeId) -> bool {
        self.nodes.get(&node).and_then(ha::Node::as_standby).is_some_and(|standby| standby.streaming)
    }

    /// Whether the primary runs and takes no connections yet.
    pub fn is_starting(&self, record: &Record) -> bool {
        let process = self.nodes.get(&record.primary()).map(|node| node.process);
        matches!(process, Some(ha::Process::Running { .. } | ha::Process::Unknown))
    }

    /// Whether somebody might say that it recovers: it takes its time to start.
    pub fn is_recovering(&self, record: &Record) -> bool {
        let process = self.nodes.get(&record.primary()).map(|node| node.process);
        let Some(ha::Process::Running { since, ready: false, .. }) = process else { return false };
        self.upkeep.now.duration_since(since) > SignedDuration::from_secs(2)
    }
}

fn wanted(view: &upkeep::View, record: &Record) -> ha::Wanted {
    ha::Wanted {
        serve: record.memory.serves(),
        is_new: !record.memory.made,
        standbys: u8::from(record.wanted.multi_az),
        sync: record.wanted.local_sync,
        commit: commit(record),
        replicas: u8::try_from(record.wanted.read_replicas).unwrap_or(u8::MAX),
        window_open: upkeep::window_open(view, &record.memory),
        ..ha::Wanted::default()
    }
}

impl Keeper {
    /// What there is; `None` when there is no instance.
    pub(super) async fn look(&mut self) -> Option<Seen> {
        self.hear_of_job().await;
        self.hear_last_words().await;
        self.hear_of_stops().await;
        self.adopt();
        let now = Timestamp::now();
        self.choose_ports();
        let window = Window::parse_weekly(&self.record.as_ref()?.wanted.maintenance_window);
        let window = window.unwrap_or(Window { start_min: 0, length_min: 1, period_min: WEEK_MIN });
        if let Some(record) = &mut self.record {
            pooled::let_go(record, window, now);
        }
        let record = self.record.clone()?;
        let nodes = self.look_at_servers(&record).await;
        let primary = record.primary();
        self.watch_writes(&record, nodes[&primary].is_serving_primary());
        let seen = &nodes[&primary];
        let serves = seen.is_serving_primary();
        let none = nodes.values().all(|node| node.process == ha::Process::Dead);
        let start = self.servers.get(&primary).and_then(|live| live.start);
        self.prune(&record, now).await;
        let measured = self.servers.get(&primary).and_then(|live| live.eyes.used_bytes());
        let facts = self.facts.as_ref().filter(|(known, _)| Some(*known) == start).map(|(_, facts)| facts);
        let data_missing = record.memory.made && seen.data == ha::Data::Absent;
        let upkeep = upkeep::View {
            now,
            servers: match (serves, none) {
                (true, _) => Servers::Serve,
                (false, true) => Servers::Down,
                (false, false) => Servers::Wait,
            },
            data_missing,
            learned: facts.is_some(),
            start_failed: self.servers.values().any(|live| live.start_failed),
            restart_pending: facts.is_some_and(|facts| !facts.pending.is_empty()),
            renew_tls_at: facts.map(|facts| facts.renew_tls_at),
            window,
            max_gib: measured.and_then(|used| self.storage_limit_gib(&record.wanted, used)),
            used_bytes: measured,
        };
        let route = self.ways.look(&self.site, &record, serves).await;
        let pooled = &self.ways.pooled;
        let (pooler, pooler_agrees) = (pooled.standing(&record), pooled.leads_as_told());
        let seen = Seen { upkeep, nodes, route, pooler_agrees, pooler };
        self.alarms = ha::alarms(&seen.ha(&record, true), &record.ha);
        if data_missing && let Some(record) = self.record.as_mut().filter(|record| !record.memory.exchanging) {
            let data = self.site.node(primary).data;
            record.trouble = Some(format!("the data directory {} is not there; is its disk mounted?", data.display()));
        }
        Some(seen)
    }

    /// A server that ended before it took connections said why, and nobody looked since.
    async fn hear_last_words(&mut self) {
        let failed = |live: &&mut Live| {
            !live.is_ready && live.stopping.is_none() && live.postmaster.as_ref().is_some_and(|it| !it.runs())
        };
        let mut said = Vec::new();
        for (node, live) in &mut self.servers {
            let Some(live) = Some(live).filter(failed) else { continue };
            if let Some(postmaster) = &live.postmaster
                && let Err(error) = postmaster.ready(LOOK_DEADLINE).await
            {
                said.push((*node, error));
            }
        }
        for (node, error) in said {
            self.take_in(node, Happening::FailedToStart(error));
        }
    }

    /// Servers that were told to stop may have.
    async fn hear_of_stops(&mut self) {
        let mut stopped = Vec::new();
        for (node, live) in &mut self.servers {
            if let Some(stopping) = live.stopping.take_if(|stopping| stopping.is_over()) {
                stopped.push((*node, stopping.over().await));
            }
        }
        for (node, how) in stopped {
            self.take_in(node, Happening::Stopped(how));
        }
    }

    /// A server that is new has no port yet.
    fn choose_ports(&mut self) {
        let Some(record) = self.record.as_mut().filter(|record| record.memory.prepared) else { return };
        if let Err(error) = self.site.reserve_node_ports(record) {
            record.trouble = Some(error.message);
        }
    }

    async fn look_at_servers(&mut self, record: &Record) -> BTreeMap<NodeId, ha::Node> {
        let all = record.nodes();
        let kept = record.memory.made || self.is_to_be_kept(record.primary());
        let site = self.site.clone();
        let looks = self.servers.iter_mut().filter(|(node, _)| all.contains(node));
        let looks = looks.map(|(node, live)| look_at(&site, record, *node, live, kept));
        let nodes: BTreeMap<NodeId, ha::Node> = futures_util::future::join_all(looks).await.into_iter().collect();
        for node in all {
            let was_ready = self.live(node).is_ready;
            if !was_ready && nodes[&node].is_ready() {
                self.take_in(node, Happening::Ready);
            }
        }
        nodes
    }

    /// Where a standby may take over, it is watched whether the primary answers writes.
    fn watch_writes(&mut self, record: &Record, serves: bool) {
        let (primary, several) = (record.primary(), record.ha.members.len() > 1);
        for (node, live) in &mut self.servers {
            match (*node == primary && several && live.runs(), &live.prober) {
                (true, None) if serves => {
                    live.prober = self.site.place(record, primary).ok().map(|at| Prober::start(&at));
                }
                (false, Some(_)) => live.prober = None,
                _ => {}
            }
        }
    }

    /// When to look again if nothing happens before.
    pub(super) fn next_look(&self, seen: &Seen) -> Timestamp {
        let Some(record) = &self.record else { return Timestamp::MAX };
        let (now, memory) = (seen.upkeep.now, &record.ha);
        let due = memory.members.values().filter_map(|member| member.retry.not_before).filter(|at| *at > now).min();
        let begun = self.servers.values().filter_map(|live| live.started_at).chain(memory.sync_ordered_at).max();
        let since =
            begun.map(|at| now.duration_since(at)).filter(|since| memory.degraded_since.is_some() && *since < SETTLES);
        // Nobody tells when a standby streams: mostly a moment after it began to.
        let settles = since.map(|since| (since / 8).clamp(LOOK_VERY_SOON, LOOK_SOON));
        let moving = memory.fence.is_some() || memory.switchover.is_some() || memory.rising.is_some();
        let several = memory.members.len() > 1 || memory.wave.is_some();
        let soon = settles.or(moving.then_some(LOOK_SOON)).or(several.then_some(LOOK_AT_SEVERAL));
        let soon = soon.map(|wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX));
        let upkeep = upkeep::next_look(&seen.upkeep, &record.memory);
        let missed = record.memory.serves() && seen.upkeep.servers != Servers::Serve;
        let again = missed.then(|| now.saturating_add(LOOK_AT_SEVERAL).unwrap_or(Timestamp::MAX));
        [due, soon, again].into_iter().flatten().fold(upkeep, Timestamp::min)
    }

    /// Removes logs that need not be kept, now and then.
    async fn prune(&mut self, record: &Record, now: Timestamp) {
        if self.pruned_at.is_some_and(|at| now.duration_since(at).abs() < PRUNE_EVERY) {
            return;
        }
        self.pruned_at = Some(now);
        let logs: Vec<_> = record.nodes().into_iter().map(|node| self.site.node(node).log).collect();
        let logging = record.wanted.logging;
        let pruned = blocking(move || {
            logs.iter().for_each(|log| retention::prune(log, logging, now));
            Ok(())
        });
        // It has nothing to refuse.
        drop(pruned.await);
    }

    /// The limit of growth: the one asked for, else the disk less a tenth (variables.md 3.4).
    fn storage_limit_gib(&self, wanted: &Wanted, used_bytes: u64) -> Option<u64> {
        wanted.max_allocated_storage_gib.or_else(|| {
            let free = storage::free_bytes(&self.site.layout.root).filter(|_| wanted.storage_auto_grow)?;
            Some((used_bytes + free / 10 * 9) / GIB)
        })
    }
}

async fn look_at(site: &Site, record: &Record, node: NodeId, live: &mut Live, kept: bool) -> (NodeId, ha::Node) {
    let Ok(place) = site.place(record, node) else { return (node, ha::Node::unknown(Timestamp::now())) };
    let busy = live.task.is_some();
    let mut seen = look(&place, &mut live.eyes, commit(record), busy, LOOK_DEADLINE).await;
    live.start = match seen.process {
        ha::Process::Running { start, .. } => Some(start),
        _ => None,
    };
    // The last of its processes are about to end.
    if live.stopping.is_some() && seen.process == ha::Process::Orphans {
        seen.process = ha::Process::Unknown;
    }
    if !kept && seen.process == ha::Process::Dead {
        seen.data = ha::Data::Absent;
    }
    seen.probe = live.prober.as_ref().map_or(ha::Probe::Unknown, Prober::now);
    seen.waits_for = live.waits_for;
    seen.task = live.task();
    seen.examined = live.examined;
    (node, seen)
}

/// What commits wait for, as the user set it.
fn commit(record: &Record) -> ha::CommitLevel {
    match record.wanted.parameters.get("synchronous_commit").map(String::as_str) {
        Some("local" | "off") => ha::CommitLevel::Local,
        Some("remote_write") => ha::CommitLevel::RemoteWrite,
        Some("remote_apply") => ha::CommitLevel::RemoteApply,
        _ => ha::CommitLevel::On,
    }
}
