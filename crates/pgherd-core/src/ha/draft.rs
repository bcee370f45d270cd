//! A decision in the making: what is seen, what will be remembered, what is to be done.

use jiff::{SignedDuration, Timestamp};

use super::action::{Action, Verb};
use super::memory::{Answer, Copy, Duty, Member, Memory, Outcome, Retry};
use super::node::NodeId;
use super::view::{Data, Names, Node, Primary, Process, SyncMode, View};

/// The longest wait between two tries.
const LONGEST_BACKOFF_S: i64 = 60;

pub(super) struct Draft<'a> {
    pub(super) view: &'a View,
    pub(super) next: Memory,
    pub(super) actions: Vec<Action>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(view: &'a View, memory: &Memory) -> Self {
        Self { view, next: memory.clone(), actions: Vec::new() }
    }

    pub(super) fn order(&mut self, verb: Verb, reason: impl Into<String>) {
        self.actions.push(Action { epoch: self.next.epoch, verb, reason: reason.into() });
    }

    pub(super) fn now(&self) -> Timestamp {
        self.view.now
    }

    pub(super) fn node(&self, id: NodeId) -> Option<&'a Node> {
        self.view.nodes.get(&id)
    }

    pub(super) fn member(&self, id: NodeId) -> Option<&Member> {
        self.next.members.get(&id)
    }

    pub(super) fn member_mut(&mut self, id: NodeId) -> Option<&mut Member> {
        self.next.members.get_mut(&id)
    }

    /// Nodes of ours whose directory may be touched, in order.
    pub(super) fn usable(&self) -> Vec<NodeId> {
        let quarantine = &self.next.quarantine;
        self.next.members.keys().copied().filter(|id| !quarantine.contains_key(id)).collect()
    }

    /// The recorded primary and what it says, when it is seen to take connections and writes.
    pub(super) fn serving(&self) -> Option<(NodeId, &'a Node, &'a Primary)> {
        let id = self.next.primary?;
        let node = self.node(id).filter(|node| node.is_ready())?;
        // One of an older timeline was seen before it lost and won the role.
        let primary = node.as_primary().filter(|primary| primary.timeline >= self.next.timeline)?;
        Some((id, node, primary))
    }

    /// Whom a copy is made from: the primary that serves, or of a new database the one that is about to.
    pub(super) fn source(&self) -> Option<NodeId> {
        let serving = self.serving().map(|(id, _, _)| id);
        let is_made = |id: &NodeId| self.node(*id).is_some_and(|node| node.control().is_some());
        serving.or_else(|| self.next.primary.filter(|id| self.view.wanted.is_new && is_made(id)))
    }

    /// Whether `id` is one of the pair that is to stay and may be touched.
    pub(super) fn is_standby(&self, id: NodeId) -> bool {
        let usable = !self.next.quarantine.contains_key(&id) && self.next.primary != Some(id);
        usable && self.member(id).is_some_and(|member| member.duty == Duty::Pair && member.leaving.is_none())
    }

    /// Standbys that are to stay, in order.
    pub(super) fn standbys(&self) -> Vec<NodeId> {
        self.next.members.keys().copied().filter(|id| self.is_standby(*id)).collect()
    }

    /// The names a primary starts with. Whoever is promotable stays so, because commits go on waiting for it.
    pub(super) fn names_for_start(&self) -> Option<NodeId> {
        if !self.view.wanted.synchronous() {
            return None;
        }
        self.next.promotable.or_else(|| match self.view.wanted.sync {
            SyncMode::Required => self.required_names(),
            SyncMode::Preferred => None,
        })
    }

    /// Whom commits wait for in required mode although nobody is there: the names stay while they name a standby.
    pub(super) fn required_names(&self) -> Option<NodeId> {
        let standbys = self.standbys();
        let named = self.next.primary.and_then(|id| self.node(id)).map(|node| node.names);
        match named {
            Some(Names::Node(id)) if standbys.contains(&id) => Some(id),
            // Before there is a standby commits wait for the number it will get.
            _ => standbys.first().copied().or(Some(NodeId(self.next.last_node + 1))),
        }
    }

    pub(super) fn may_try(&self, retry: Retry) -> bool {
        retry.not_before.is_none_or(|at| at <= self.now())
    }

    /// Marks a node as about to be started.
    pub(super) fn going_up(&mut self, id: NodeId) {
        let now = self.now();
        if let Some(member) = self.member_mut(id) {
            member.up_since = Some(now);
            member.stopped = false;
        }
    }

    /// Marks a node as about to be ended by us, so that its end is no crash.
    pub(super) fn going_down(&mut self, id: NodeId, starts_again: bool) {
        if let Some(member) = self.member_mut(id) {
            member.up_since = None;
            member.stopped = starts_again;
        }
    }

    pub(super) fn failed(&mut self, id: NodeId) {
        let now = self.now();
        if let Some(member) = self.member_mut(id) {
            member.retry = again_later(member.retry, now);
        }
    }

    pub(super) fn answer(&mut self, id: u64, outcome: Outcome) {
        let taken_in = self.next.answer.as_ref().filter(|answer| answer.id == id).map(|answer| answer.at);
        let at = taken_in.unwrap_or(self.view.now);
        self.next.answer = Some(Answer { id, at, outcome });
    }

    pub(super) fn kill(&mut self, id: NodeId, reason: impl Into<String>) {
        self.going_down(id, false);
        self.order(Verb::Kill { node: id }, reason);
    }

    pub(super) fn copy(&mut self, id: NodeId, copy: Copy) {
        if let Some(member) = self.member_mut(id) {
            member.copy = copy;
        }
    }

    /// Whether every directory of ours is known. Nothing becomes a primary beside one that is not.
    pub(super) fn all_directories_known(&self) -> bool {
        self.usable().into_iter().all(|id| self.node(id).is_some_and(|node| node.data != Data::Unknown))
    }

    /// Whether a node was looked at before it was last told to start: it says nothing about that start.
    pub(super) fn is_old_news(&self, id: NodeId, node: &Node) -> bool {
        self.member(id).and_then(|member| member.up_since).is_some_and(|up_since| node.seen_at <= up_since)
    }

    /// Whether a node was looked at for this view. What is destroyed is destroyed on fresh news only.
    pub(super) fn is_fresh(&self, node: &Node) -> bool {
        node.seen_at >= self.view.now
    }

    /// Whether a node was told to do something already.
    pub(super) fn has_orders(&self, id: NodeId) -> bool {
        self.actions.iter().any(|action| action.verb.node() == Some(id))
    }

    /// Whether a node stays.
    pub(super) fn stays(&self, id: NodeId) -> bool {
        self.member(id).is_some_and(|member| member.leaving.is_none())
    }

    pub(super) fn is_dead(&self, id: NodeId) -> bool {
        self.node(id).is_some_and(|node| node.process == Process::Dead)
    }
}

pub(super) fn again_later(retry: Retry, now: Timestamp) -> Retry {
    let failures = retry.failures + 1;
    Retry { failures, not_before: Some(later(now, backoff(failures))) }
}

/// How long to wait before the try that follows `failures` in a row: not at all, 1 s, 2 s, 4 s … 60 s.
pub(super) fn backoff(failures: u32) -> SignedDuration {
    match failures {
        0 | 1 => SignedDuration::ZERO,
        more => SignedDuration::from_secs((1 << (more - 2).min(10)).min(LONGEST_BACKOFF_S)),
    }
}

pub(super) fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Whether `ms` have passed between the two.
pub(super) fn passed(since: Timestamp, now: Timestamp, ms: u32) -> bool {
    now.as_millisecond() - since.as_millisecond() >= i64::from(ms)
}
