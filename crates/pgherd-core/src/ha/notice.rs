//! What the view says about single nodes, taken into the memory: whose directory it is, what was made, what ended.

use jiff::SignedDuration;

use super::draft::{Draft, again_later, later};
use super::memory::{Copy, Retry};
use super::node::NodeId;
use super::view::{Control, Data, Node, Process};

/// A server that ran for as long is healthy: its next end is the first of a new row.
const HEALTHY: SignedDuration = SignedDuration::from_mins(10);

pub(super) fn take_in(draft: &mut Draft<'_>) {
    let ids: Vec<NodeId> = draft.next.members.keys().copied().collect();
    for id in ids {
        let Some(node) = draft.node(id) else { continue };
        quarantine(draft, id, node);
        if !draft.next.quarantine.contains_key(&id) {
            directory(draft, id, node);
            process(draft, id, node);
        }
    }
    served(draft);
}

/// A directory that is not ours is left alone until somebody takes it away.
fn quarantine(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let reason = match &node.data {
        Data::Unknown => return,
        Data::Foreign => Some("its directory holds something that is no database of ours".to_owned()),
        Data::Present(control) if draft.next.system_id.is_some_and(|ours| ours != control.system_id) => {
            Some(format!("its directory holds another database, with system identifier {}", control.system_id))
        }
        Data::Present(_) | Data::Absent => None,
    };
    match reason {
        Some(reason) => {
            draft.next.quarantine.insert(id, reason);
            if draft.next.promotable == Some(id) {
                draft.next.promotable = None;
            }
        }
        None => {
            draft.next.quarantine.remove(&id);
        }
    }
}

fn directory(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some(member) = draft.member(id).cloned() else { return };
    let primary = draft.next.primary == Some(id);
    let copy = match (&node.data, member.copy) {
        (Data::Present(Control { made_by: Some(made), torn: false, .. }), Copy::Making { serial, .. })
            if *made == serial =>
        {
            Copy::Good
        }
        (Data::Present(Control { torn: true, .. }), Copy::Good | Copy::Diverged) => Copy::Missing,
        (Data::Absent, Copy::Good | Copy::Diverged) if !primary => Copy::Missing,
        (_, copy) => copy,
    };
    if copy == Copy::Missing && draft.next.promotable == Some(id) {
        draft.next.promotable = None;
    }
    if copy != member.copy {
        draft.copy(id, copy);
    }
}

/// The end of a server that we did not end is a crash. A view from before it was started is no news of its end.
fn process(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let now = draft.now();
    let fenced = draft.next.fence.as_ref().is_some_and(|fence| fence.node == id);
    let Some(member) = draft.member_mut(id) else { return };
    match (node.process, member.up_since) {
        (Process::Running { since, .. }, Some(_)) if now >= later(since, HEALTHY) => {
            member.retry = Retry::default();
            member.crashed_at = None;
        }
        // Taken over, unless it is one we are about to stop.
        (Process::Running { since, ready: true, .. }, None)
            if !member.stopped && !fenced && member.copy == Copy::Good =>
        {
            member.up_since = Some(since.max(node.seen_at));
        }
        (Process::Dead | Process::Orphans, Some(up_since)) if node.seen_at > up_since => {
            member.up_since = None;
            member.crashed_at = Some(now);
            member.retry = again_later(member.retry, now);
        }
        _ => {}
    }
}

/// What the primary that serves says of itself.
fn served(draft: &mut Draft<'_>) {
    let Some((id, node, primary)) = draft.serving() else { return };
    let (timeline, fork, now) = (primary.timeline, primary.fork, draft.now());
    draft.next.timeline = draft.next.timeline.max(timeline);
    if let Some(control) = node.control() {
        draft.next.system_id.get_or_insert(control.system_id);
    }
    let examined = draft.next.failover.as_ref().and_then(|failover| draft.node(failover.from)?.examined);
    if let Some(failover) = draft.next.failover.as_mut().filter(|failover| failover.to == id) {
        failover.served_at.get_or_insert(now);
        failover.fork = failover.fork.or(fork);
        failover.examined = failover.examined.or(examined);
    }
}
