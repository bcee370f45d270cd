//! Who is the primary: from the record, against the directories, before anything is started; or from the directories alone.

use super::action::Verb;
use super::draft::Draft;
use super::memory::{Copy, Duty, Failover, Member, Outcome};
use super::node::NodeId;
use super::replicas;
use super::view::{Ask, Control, Data, LastRole, Node, Process, Request, Server};

/// With a record: makes the database if it never was, and corrects a record that is older than the world.
/// Whether to go on.
pub(super) fn know_the_primary(draft: &mut Draft<'_>) -> bool {
    let Some(primary) = draft.next.primary else { return false };
    if draft.next.system_id.is_none() {
        return made(draft, primary);
    }
    if let Some(newer) = on_a_newer_timeline(draft, primary) {
        let why = format!("{newer} is on a newer timeline than the record of {primary}: the record is old");
        let at = draft.now();
        // The hands may have orders of a later epoch than this record's.
        draft.next.epoch += 1000;
        draft.next.primary = Some(newer);
        draft.next.promotable = None;
        draft.next.rising = None;
        draft.next.fence = None;
        draft.next.switchover = None;
        draft.copy(primary, Copy::Diverged);
        draft.copy(newer, Copy::Good);
        if let Some(member) = draft.member_mut(newer) {
            member.duty = Duty::Pair;
            member.leaving = None;
        }
        draft.next.failover = Some(Failover {
            at,
            from: primary,
            to: newer,
            why,
            planned: false,
            whole: true,
            fork: None,
            served_at: None,
            examinations: 0,
            examined: None,
        });
    }
    true
}

/// A directory that was promoted after what the record says. Such a one is only made by an order of ours, so it is right.
fn on_a_newer_timeline(draft: &Draft<'_>, primary: NodeId) -> Option<NodeId> {
    let recorded = draft.node(primary).and_then(timeline_as_primary).unwrap_or(0).max(draft.next.timeline);
    let ours = draft.next.system_id;
    let others = draft.usable().into_iter().filter(|id| *id != primary);
    let newer = others.filter_map(|id| {
        let node = draft.node(id)?;
        let control_is_ours = node.control().is_none_or(|control| Some(control.system_id) == ours && !control.torn);
        let timeline = timeline_as_primary(node).filter(|timeline| *timeline > recorded && control_is_ours)?;
        Some((timeline, id))
    });
    newer.max().map(|(_, id)| id)
}

/// The timeline of a node that is, or last was, a primary.
fn timeline_as_primary(node: &Node) -> Option<u32> {
    match (&node.server, node.control()) {
        (Some(Server::Primary(primary)), _) => Some(primary.timeline),
        (Some(Server::Standby(_)), _) => None,
        (None, Some(control)) => (control.last_role == LastRole::Primary).then_some(control.timeline),
        (None, None) => None,
    }
}

/// Whether the database was made; makes it where nothing is. Once it was there it is never made again.
fn made(draft: &mut Draft<'_>, primary: NodeId) -> bool {
    match draft.node(primary).map(|node| &node.data) {
        Some(Data::Present(control)) => {
            draft.next.system_id = Some(control.system_id);
            draft.next.timeline = control.timeline;
            replicas::resize(draft);
            // Written down on its own, before the first start: a ledger that is one write old then still knows that the
            // database was made, and a disk that is not mounted is not taken for a new one.
            false
        }
        Some(Data::Absent) if draft.view.wanted.serve => {
            draft.order(Verb::Init { node: primary }, "the database is not made yet");
            false
        }
        Some(Data::Absent | Data::Unknown | Data::Foreign) | None => false,
    }
}

/// Without a record: a new database where nothing is, else the primary that the directories tell of, else a refusal.
/// Whether to go on.
pub(super) fn find_a_primary(draft: &mut Draft<'_>) -> bool {
    let nodes: Vec<(NodeId, &Node)> = draft.view.nodes.iter().map(|(id, node)| (*id, node)).collect();
    if nodes.is_empty() || nodes.iter().any(|(_, node)| node.data == Data::Unknown || node.process == Process::Unknown)
    {
        return false;
    }
    if nodes.iter().all(|(_, node)| node.data == Data::Absent) {
        begin(draft);
        return false;
    }
    if end_whoever_may_be_promoted(draft, &nodes) {
        return false;
    }
    let accept_loss = matches!(draft.view.request, Some(Request { what: Ask::Failover { accept_loss: true }, .. }));
    match choose(&nodes, accept_loss) {
        Ok((primary, control)) => {
            adopt(draft, primary, &control, &nodes);
            true
        }
        Err(why) => {
            if let Some(request) = draft.view.request {
                draft.answer(request.id, Outcome::Refused { why: why.clone() });
            }
            draft.next.refused = Some(why);
            false
        }
    }
}

/// Without a record a running standby may be about to become the primary, by the last order of the lost record. Unless a
/// primary serves already, everybody is ended before one is chosen.
fn end_whoever_may_be_promoted(draft: &mut Draft<'_>, nodes: &[(NodeId, &Node)]) -> bool {
    if nodes.iter().any(|(_, node)| node.is_serving_primary()) {
        return false;
    }
    let running: Vec<NodeId> = nodes.iter().filter(|(_, node)| node.may_run()).map(|(id, _)| *id).collect();
    for id in &running {
        draft.order(Verb::Kill { node: *id }, "the record is lost, so nobody may be about to become the primary");
    }
    !running.is_empty()
}

fn begin(draft: &mut Draft<'_>) {
    if !draft.view.wanted.serve {
        return;
    }
    let first = NodeId(1);
    draft.next.epoch = 1;
    draft.next.primary = Some(first);
    draft.next.last_node = draft.view.nodes.keys().map(|id| id.0).max().unwrap_or(0).max(1);
    draft.next.members.insert(first, Member::new(Duty::Pair, Copy::Good));
    draft.order(Verb::Init { node: first }, "there is no database yet");
}

/// The primary that directories without a record tell of: the one on the highest timeline that ran as a primary.
fn choose(nodes: &[(NodeId, &Node)], accept_loss: bool) -> Result<(NodeId, Control), String> {
    let present: Vec<(NodeId, &Node, &Control)> =
        nodes.iter().filter_map(|(id, node)| Some((*id, *node, node.control()?))).collect();
    let Some((_, _, first)) = present.first() else {
        return Err("the record is lost and no directory holds a database".to_owned());
    };
    if present.iter().any(|(_, _, control)| control.system_id != first.system_id) {
        return Err("the record is lost and the directories hold different databases".to_owned());
    }
    let newest = present.iter().map(|(_, _, control)| control.timeline).max().unwrap_or(0);
    let ran: Vec<_> = present.iter().filter(|(_, node, _)| timeline_as_primary(node) == Some(newest)).collect();
    match ran.as_slice() {
        [(id, _, control)] => Ok((*id, (*control).clone())),
        [] if accept_loss => {
            let best =
                present.iter().filter(|(_, _, control)| !control.torn).max_by_key(|(_, _, c)| (c.timeline, c.end));
            best.map(|(id, _, control)| (*id, (*control).clone())).ok_or_else(|| "no copy is complete".to_owned())
        }
        [] => Err(format!("the record is lost and no directory ran as a primary on timeline {newest}, the newest")),
        several => {
            let names: Vec<String> = several.iter().map(|(id, _, _)| id.to_string()).collect();
            Err(format!("the record is lost and {} ran as primaries on timeline {newest}", names.join(" and ")))
        }
    }
}

/// Makes a record from the directories. Nobody is promotable, since nobody can say who holds everything.
fn adopt(draft: &mut Draft<'_>, primary: NodeId, control: &Control, nodes: &[(NodeId, &Node)]) {
    let memory = &mut draft.next;
    memory.refused = None;
    // No order that is still under way can bear this epoch.
    memory.epoch = u64::try_from(draft.view.now.as_second()).unwrap_or(0).max(memory.epoch) + 1;
    memory.system_id = Some(control.system_id);
    memory.timeline = control.timeline;
    memory.primary = Some(primary);
    memory.last_node = nodes.iter().map(|(id, _)| id.0).max().unwrap_or(1);
    memory.last_serial = nodes.iter().filter_map(|(_, node)| node.control()?.made_by).max().unwrap_or(0);
    let mut pair = 1;
    for (id, node) in nodes {
        let standby = *id == primary || pair <= draft.view.wanted.standbys;
        pair += u8::from(*id != primary && standby);
        let duty = if standby { Duty::Pair } else { Duty::Replica };
        memory.members.insert(*id, Member::new(duty, worth(node, *id == primary)));
    }
}

fn worth(node: &Node, primary: bool) -> Copy {
    match &node.data {
        Data::Present(_) if primary => Copy::Good,
        Data::Present(control) if control.torn => Copy::Missing,
        Data::Present(control) if control.last_role == LastRole::Primary => Copy::Diverged,
        Data::Present(_) => Copy::Good,
        Data::Unknown | Data::Absent | Data::Foreign => Copy::Missing,
    }
}
