//! Restarts that go round: standbys and replicas first, then a switchover, so that a change which needs a restart costs one
//! exchange of roles.

use super::action::Verb;
use super::draft::Draft;
use super::memory::{Copy, Member, Outcome, Wave};
use super::node::NodeId;
use super::switchover;
use super::view::{Names, Node, Pending, Process, SyncMode};

pub(super) fn restart_in_turn(draft: &mut Draft<'_>) {
    if draft.serving().is_none() {
        return;
    }
    if draft.next.wave.is_none() && draft.view.wanted.window_open && any_pending(draft) {
        draft.next.wave = Some(Wave { since: draft.now(), only_pending: true, request: None });
    }
    if draft.next.wave.is_some() {
        next_restart(draft);
    }
}

fn any_pending(draft: &Draft<'_>) -> bool {
    draft.usable().into_iter().any(|id| draft.node(id).is_some_and(waits))
}

fn waits(node: &Node) -> bool {
    matches!(node.pending, Pending::Restart | Pending::Lowers)
}

/// Whether a running node has still to be restarted by the wave.
pub(super) fn is_due(draft: &Draft<'_>, id: NodeId) -> bool {
    let (Some(wave), Some(node)) = (&draft.next.wave, draft.node(id)) else { return false };
    match node.process {
        Process::Running { since, .. } => since < wave.since && (!wave.only_pending || waits(node)),
        Process::Unknown | Process::Dead | Process::Orphans => false,
    }
}

fn next_restart(draft: &mut Draft<'_>) {
    let Some(primary) = draft.next.primary else { return };
    let staying: Vec<NodeId> = draft.usable().into_iter().filter(|id| draft.stays(*id)).collect();
    // One at a time: everybody is up, before the next goes down.
    if staying.iter().any(|id| draft.node(*id).is_none_or(|node| !node.is_ready())) {
        return;
    }
    let lowers = draft.node(primary).is_some_and(|node| node.pending == Pending::Lowers);
    let due: Vec<NodeId> = staying.into_iter().filter(|id| is_due(draft, *id)).collect();
    match due.iter().find(|id| **id != primary).copied() {
        Some(_) if lowers && due.contains(&primary) => restart_in_place(draft, primary),
        Some(id) => restart_other(draft, primary, id),
        None if due.contains(&primary) => restart_primary(draft, primary),
        None => finished(draft),
    }
}

/// Nobody waits for a standby that is restarted, so it is given up first, in the safe order, unless commits have to wait.
fn restart_other(draft: &mut Draft<'_>, primary: NodeId, id: NodeId) {
    let named = draft.node(primary).map_or(Names::Unknown, |node| node.names) == Names::Node(id);
    if named && draft.view.wanted.sync == SyncMode::Preferred {
        let now = draft.now();
        draft.next.promotable = None;
        draft.next.rising = None;
        draft.next.degraded_since.get_or_insert(now);
        draft.next.sync_ordered_at = Some(now);
        return draft.order(Verb::SetSync { primary, to: None }, format!("{id} is to be restarted"));
    }
    stop(draft, id);
}

/// With a standby wanted the roles are exchanged as soon as one is promotable; the old primary then restarts as a standby.
fn restart_primary(draft: &mut Draft<'_>, primary: NodeId) {
    if !draft.view.wanted.synchronous() {
        return restart_in_place(draft, primary);
    }
    if draft.next.promotable.is_some() && draft.may_try(draft.next.sync_retry) {
        // When it cannot begin now it is tried at the next look.
        let _ = switchover::begin(draft, "a restart of the primary is wanted");
    }
}

fn restart_in_place(draft: &mut Draft<'_>, primary: NodeId) {
    stop(draft, primary);
}

fn stop(draft: &mut Draft<'_>, id: NodeId) {
    draft.going_down(id, true);
    draft.order(Verb::Stop { node: id }, format!("a restart of {id} is wanted"));
}

fn finished(draft: &mut Draft<'_>) {
    let whole = draft
        .usable()
        .into_iter()
        .all(|id| draft.member(id).is_some_and(|Member { copy, stopped, .. }| *copy == Copy::Good && !stopped));
    if !whole {
        return;
    }
    let request = draft.next.wave.take().and_then(|wave| wave.request);
    if let Some(id) = request {
        draft.answer(id, Outcome::Done);
    }
}
