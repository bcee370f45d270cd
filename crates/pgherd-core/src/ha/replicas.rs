//! As many standbys and replicas as wanted, and a replication slot for each.

use std::collections::BTreeSet;

use super::action::Verb;
use super::draft::Draft;
use super::memory::{Copy, Duty, Leaving, Member};
use super::node::NodeId;
use super::view::{Data, Names, Node, Process, Slot, Task};

/// Changes the set of servers, one step at a time, while the primary serves.
pub(super) fn resize(draft: &mut Draft<'_>) {
    if draft.source().is_some() {
        fit(draft, Duty::Pair, usize::from(draft.view.wanted.standbys) + 1);
    }
    let Some((_, primary, _)) = draft.serving() else { return };
    fit(draft, Duty::Replica, usize::from(draft.view.wanted.replicas));
    for id in draft.usable() {
        let leaving = draft.member(id).and_then(|member| member.leaving);
        if let (Some(how), Some(node)) = (leaving, draft.node(id)) {
            leave(draft, id, node, primary, how);
        }
    }
}

fn fit(draft: &mut Draft<'_>, duty: Duty, wanted: usize) {
    let of_duty = |draft: &Draft<'_>, leaving: Option<Leaving>| -> Vec<NodeId> {
        let has = |id: &NodeId| draft.member(*id).is_some_and(|m| m.duty == duty && m.leaving == leaving);
        draft.usable().into_iter().filter(has).collect()
    };
    let staying = of_duty(draft, None);
    for _ in staying.len()..wanted {
        match of_duty(draft, Some(Leaving::Removed)).first().copied() {
            Some(id) => set_leaving(draft, id, None),
            None => grow(draft, duty),
        }
    }
    let mut spare: Vec<NodeId> = staying.into_iter().filter(|id| draft.next.primary != Some(*id)).collect();
    // Those that matter least go first: not the promotable one, then the youngest.
    spare.sort_by_key(|id| (draft.next.promotable == Some(*id), std::cmp::Reverse(*id)));
    let primary = usize::from(duty == Duty::Pair);
    let surplus = (spare.len() + primary).saturating_sub(wanted);
    for id in spare.into_iter().take(surplus) {
        set_leaving(draft, id, Some(Leaving::Removed));
    }
}

fn grow(draft: &mut Draft<'_>, duty: Duty) {
    draft.next.last_node += 1;
    draft.next.members.insert(NodeId(draft.next.last_node), Member::new(duty, Copy::Missing));
}

fn set_leaving(draft: &mut Draft<'_>, id: NodeId, leaving: Option<Leaving>) {
    if let Some(member) = draft.member_mut(id) {
        member.leaving = leaving;
    }
    if leaving.is_some() && draft.next.promotable == Some(id) {
        draft.next.promotable = None;
    }
}

/// Stopped once nobody waits for it, then removed or handed over, then forgotten.
fn leave(draft: &mut Draft<'_>, id: NodeId, node: &Node, primary: &Node, how: Leaving) {
    if primary.names == Names::Node(id) {
        return;
    }
    let reason = match how {
        Leaving::Removed => format!("{id} is not wanted any more"),
        Leaving::Released => format!("{id} becomes an independent database"),
    };
    match (node.process, &node.data) {
        (Process::Unknown, _) | (_, Data::Unknown) => {}
        (Process::Orphans, _) => draft.kill(id, reason),
        (Process::Running { .. }, _) => {
            draft.going_down(id, false);
            draft.order(Verb::Stop { node: id }, reason);
        }
        (Process::Dead, _) if node.task == Task::Busy => draft.kill(id, reason),
        (Process::Dead, Data::Present(_)) if !draft.is_fresh(node) || !draft.is_fresh(primary) => {}
        (Process::Dead, Data::Present(_)) => {
            let verb = match how {
                Leaving::Removed => Verb::Remove { node: id },
                Leaving::Released => Verb::Release { node: id },
            };
            draft.order(verb, reason);
        }
        (Process::Dead, Data::Absent | Data::Foreign) => {
            draft.next.members.remove(&id);
        }
    }
}

/// A slot on the primary for everyone who streams from it, and none elsewhere: a slot that nobody uses keeps log for ever.
pub(super) fn keep_slots(draft: &mut Draft<'_>) {
    let Some((primary_id, _, primary)) = draft.serving() else { return };
    // One that is to go still streams until it is stopped, and its slot cannot be dropped before.
    let uses = |id: &NodeId| draft.stays(*id) || draft.node(*id).is_some_and(Node::may_run);
    let users: BTreeSet<NodeId> = draft.usable().into_iter().filter(|id| *id != primary_id && uses(id)).collect();
    let lost = primary.slots.iter().any(|(id, slot)| *slot == Slot::Lost && users.contains(id));
    if lost || !primary.slots.keys().eq(users.iter()) {
        draft.order(Verb::Slots { on: primary_id, of: users }, "one for each that streams from it");
    }
    for id in draft.usable().into_iter().filter(|id| *id != primary_id) {
        let kept = draft.node(id).and_then(Node::as_standby).is_some_and(|standby| !standby.slots.is_empty());
        if kept {
            draft.order(Verb::Slots { on: id, of: BTreeSet::new() }, format!("{id} is not the primary any more"));
        }
    }
}
