//! What the user asked for: taken in once, answered once.

use super::crash;
use super::draft::Draft;
use super::memory::{Answer, Copy, Duty, Leaving, Outcome, Wave};
use super::node::NodeId;
use super::switchover;
use super::view::{Ask, Request};

pub(super) fn take(draft: &mut Draft<'_>) {
    finish(draft);
    let Some(request) = draft.view.request else { return };
    let answered = draft.next.answer.as_ref().map(|answer| answer.id);
    if answered != Some(request.id) {
        begin(draft, request);
    } else if let Ask::Release { node } = request.what
        && matches!(draft.next.answer, Some(Answer { outcome: Outcome::Accepted, .. }))
    {
        release(draft, request.id, node);
    }
}

fn begin(draft: &mut Draft<'_>, Request { id, what }: Request) {
    if draft.next.fence.is_some() || draft.next.switchover.is_some() {
        return;
    }
    match what {
        Ask::Failover { accept_loss } => crash::give_up(draft, id, accept_loss),
        Ask::Switchover => {
            let outcome = match switchover::begin(draft, "asked for") {
                Ok(()) => Outcome::Accepted,
                Err(why) => Outcome::Refused { why },
            };
            draft.answer(id, outcome);
        }
        Ask::Restart { only_pending } => {
            draft.next.wave = Some(Wave { since: draft.now(), only_pending, request: Some(id) });
            draft.answer(id, Outcome::Accepted);
        }
        Ask::Release { node } => release(draft, id, node),
    }
}

/// A change of primary that was asked for is over when the new one serves, or nothing is under way any more.
fn finish(draft: &mut Draft<'_>) {
    let Some(Answer { id, at, outcome: Outcome::Accepted }) = draft.next.answer else { return };
    let Some(request) = draft.view.request.filter(|request| request.id == id) else { return };
    if !matches!(request.what, Ask::Failover { .. } | Ask::Switchover) {
        return;
    }
    if draft.next.fence.is_some() || draft.next.switchover.is_some() {
        return;
    }
    let changed = draft.next.failover.as_ref().is_some_and(|failover| failover.at >= at);
    if changed && draft.serving().is_none() {
        return;
    }
    let outcome = match changed {
        true => Outcome::Done,
        false => Outcome::Refused { why: "it was called off and the primary is the same".to_owned() },
    };
    draft.answer(id, outcome);
}

/// Takes in that a replica is to be handed over; [`super::replicas`] stops it and does so.
fn release(draft: &mut Draft<'_>, request: u64, id: NodeId) {
    let outcome = match draft.member(id) {
        Some(member) if member.leaving == Some(Leaving::Released) => Outcome::Accepted,
        Some(member)
            if member.duty == Duty::Replica
                && member.copy == Copy::Good
                && member.leaving.is_none()
                && !draft.next.quarantine.contains_key(&id) =>
        {
            Outcome::Accepted
        }
        Some(_) => Outcome::Refused { why: format!("{id} is not a read replica that could be released") },
        None if draft.next.answer.as_ref().is_some_and(|answer| answer.id == request) => Outcome::Done,
        None => Outcome::Refused { why: format!("there is no {id}") },
    };
    if let Some(member) = draft.member_mut(id).filter(|_| outcome == Outcome::Accepted) {
        member.leaving = Some(Leaving::Released);
    }
    draft.answer(request, outcome);
}
