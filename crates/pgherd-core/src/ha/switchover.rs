//! A planned exchange of roles: checkpoint, hold clients back, stop the old primary, promote. Called off when it takes too long.

use super::action::Verb;
use super::crash::{self, Candidate};
use super::draft::{Draft, passed};
use super::memory::{Phase, Switchover};
use super::node::NodeId;
use super::view::{Data, Node, Process, Task};

/// How long the checkpoint may take; clients do not notice it.
const CHECKPOINT_LIMIT_MS: u32 = 300_000;

/// Begins one, when the standby can take over now.
pub(super) fn begin(draft: &mut Draft<'_>, why: &str) -> Result<(), String> {
    let Some((id, _, _)) = draft.serving() else { return Err("the primary is not seen to serve".to_owned()) };
    let Candidate::Ready(to) = crash::candidate(draft) else {
        return Err("no standby is known to hold every acknowledged commit".to_owned());
    };
    let since = draft.now();
    draft.next.switchover = Some(Switchover { to, why: why.to_owned(), phase: Phase::Checkpoint, since });
    draft.order(Verb::Checkpoint { node: id }, format!("so that {id} stops quickly when {to} takes over: {why}"));
    Ok(())
}

pub(super) fn go_on(draft: &mut Draft<'_>) {
    let (Some(switchover), Some(id)) = (draft.next.switchover.clone(), draft.next.primary) else { return };
    let Some(node) = draft.node(id) else { return };
    match switchover.phase {
        Phase::Checkpoint => checkpoint(draft, &switchover, id, node),
        Phase::Drain => drain(draft, &switchover, id, node),
        Phase::Stop => stop(draft, &switchover, id, node),
    }
}

fn checkpoint(draft: &mut Draft<'_>, switchover: &Switchover, id: NodeId, node: &Node) {
    if !still_possible(draft, id, node) || passed(switchover.since, draft.now(), CHECKPOINT_LIMIT_MS) {
        return call_off(draft);
    }
    // Not in the very decision that orders it: the node was looked at after the time of the view, and is not busy with it yet.
    let begun = node.seen_at > switchover.since && !draft.has_orders(id);
    if begun && node.task != Task::Busy && node.is_serving_primary() {
        enter(draft, Phase::Drain);
    }
}

/// The endpoints are led by [`super::route`], which holds clients back in this phase.
fn drain(draft: &mut Draft<'_>, switchover: &Switchover, id: NodeId, node: &Node) {
    let limit_ms = draft.view.wanted.switchover_limit_ms;
    if !still_possible(draft, id, node) || passed(switchover.since, draft.now(), limit_ms) {
        return call_off(draft);
    }
    if draft.view.route.as_ref().is_some_and(|route| route.paused) {
        enter(draft, Phase::Stop);
        draft.going_down(id, true);
        draft.order(Verb::Stop { node: id }, format!("{} takes over: {}", switchover.to, switchover.why));
    }
}

fn stop(draft: &mut Draft<'_>, switchover: &Switchover, id: NodeId, node: &Node) {
    let late = passed(switchover.since, draft.now(), draft.view.wanted.switchover_limit_ms);
    match node.process {
        Process::Dead if node.seen_at > switchover.since && node.data != Data::Unknown => {
            stopped(draft, switchover, node, late);
        }
        // It cannot be told to go on any more. Whoever holds everything takes over; else it starts again.
        Process::Orphans => crash::fence(draft, id, format!("{id} ended while it was stopped"), false),
        _ if late => crash::fence(draft, id, format!("{id} did not stop in time"), false),
        // The order may have been cut short.
        Process::Running { ready: true, .. } if node.seen_at > switchover.since => {
            draft.order(Verb::Stop { node: id }, format!("{} takes over: {}", switchover.to, switchover.why));
        }
        Process::Dead | Process::Unknown | Process::Running { .. } => {}
    }
}

/// The old primary is dead. It can follow as it is when it shut down properly and the new one has all of its log.
fn stopped(draft: &mut Draft<'_>, switchover: &Switchover, node: &Node, late: bool) {
    match crash::candidate(draft) {
        Candidate::Ready(to) => {
            let end = node.control().filter(|control| control.clean).and_then(|control| control.end);
            let received = draft.node(to).and_then(Node::as_standby).map(|standby| standby.received);
            let caught_up = end.zip(received).is_some_and(|(end, received)| received >= end);
            crash::take_over(draft, to, switchover.why.clone(), caught_up);
        }
        Candidate::Unseen if !late => {}
        Candidate::Unseen | Candidate::None => call_off(draft),
    }
}

fn still_possible(draft: &Draft<'_>, id: NodeId, node: &Node) -> bool {
    let dead = matches!(node.process, Process::Dead | Process::Orphans);
    let gone = draft.next.quarantine.contains_key(&id);
    !dead && !gone && !matches!(crash::candidate(draft), Candidate::None)
}

fn enter(draft: &mut Draft<'_>, phase: Phase) {
    let since = draft.now();
    if let Some(switchover) = &mut draft.next.switchover {
        switchover.phase = phase;
        switchover.since = since;
    }
}

/// The old primary stays, or starts again where it was stopped; clients are let go on by [`super::route`].
fn call_off(draft: &mut Draft<'_>) {
    draft.next.switchover = None;
    let now = draft.now();
    // Not tried again at once by a wave that still wants it.
    draft.next.sync_retry = super::draft::again_later(draft.next.sync_retry, now);
}
