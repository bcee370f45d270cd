//! Stopped on purpose: the primary first, so that everybody else gets the last of its log. It stays stopped.

use super::action::Verb;
use super::draft::Draft;
use super::memory::{Answer, Outcome};
use super::node::NodeId;
use super::view::{Process, Task};

pub(super) fn stop(draft: &mut Draft<'_>) {
    draft.next.switchover = None;
    draft.next.wave = None;
    // What had to be ended is ended below like everything else, and nothing is promoted.
    draft.next.fence = None;
    if let Some(Answer { id, at, outcome: Outcome::Accepted }) = draft.next.answer {
        let outcome = match draft.next.failover.as_ref().is_some_and(|failover| failover.at >= at) {
            true => Outcome::Done,
            false => Outcome::Refused { why: "the instance was stopped".to_owned() },
        };
        draft.answer(id, outcome);
    }
    let Some(primary) = draft.next.primary else { return };
    if !down(draft, primary) {
        return;
    }
    for id in draft.usable().into_iter().filter(|id| *id != primary) {
        down(draft, id);
    }
}

/// Whether it is down; tells it to stop otherwise.
fn down(draft: &mut Draft<'_>, id: NodeId) -> bool {
    let Some(node) = draft.node(id) else { return false };
    if draft.next.quarantine.contains_key(&id) {
        return true;
    }
    match node.process {
        Process::Dead if node.task == Task::Busy => draft.kill(id, "stopped on purpose while it is copied"),
        Process::Dead => {
            draft.going_down(id, false);
            if let Some(member) = draft.member_mut(id) {
                member.crashed_at = None;
            }
            return true;
        }
        Process::Unknown => {}
        Process::Orphans => draft.kill(id, "stopped on purpose"),
        Process::Running { .. } => {
            draft.going_down(id, false);
            draft.order(Verb::Stop { node: id }, "stopped on purpose");
        }
    }
    false
}
