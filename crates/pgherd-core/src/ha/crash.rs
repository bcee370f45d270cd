//! The primary does not serve: end it for certain, promote who holds everything, or start it again in place.

use super::action::{Role, Verb};
use super::draft::{Draft, passed};
use super::memory::{Answer, Copy, Duty, Failover, Fence, Leaving, Outcome};
use super::node::{Lsn, NodeId};
use super::switchover;
use super::view::{Data, LastRole, Names, Node, Probe, Process, Server, SyncMode, Task};

/// How long a standby that cannot be seen is waited for before the primary is started in place.
const LOOK_FOR_STANDBY_MS: u32 = 2_000;
/// How often a kill that cannot be seen to have worked is repeated.
const KILL_AGAIN_MS: u32 = 1_000;

/// Whether the standby that holds everything can be promoted.
pub(super) enum Candidate {
    /// It can.
    Ready(NodeId),
    /// It may be; it cannot be seen now.
    Unseen,
    /// There is none.
    None,
}

pub(super) fn care_for_primary(draft: &mut Draft<'_>) {
    let Some(id) = draft.next.primary else { return };
    hear_second_witness(draft, id);
    if draft.next.fence.is_some() {
        finish_fence(draft);
    } else if draft.next.switchover.is_some() {
        switchover::go_on(draft);
    } else if let Some(node) = draft.node(id) {
        look_after(draft, id, node);
    }
}

/// A standby that the primary's own file does not name is not promotable, whatever an old record says; and it must not become
/// so by a start that takes the record's word for the names.
fn hear_second_witness(draft: &mut Draft<'_>, id: NodeId) {
    let (Some(promotable), Some(node)) = (draft.next.promotable, draft.node(id)) else { return };
    let current = draft.next.sync_ordered_at.is_none_or(|at| node.seen_at > at);
    if current && !matches!(node.names, Names::Unknown) && node.names != Names::Node(promotable) {
        draft.next.promotable = None;
        draft.next.rising = None;
    }
}

fn look_after(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    if is_gone(draft, id, node) {
        return directory_gone(draft, id);
    }
    draft.next.refused = None;
    match node.process {
        Process::Unknown => {}
        Process::Dead | Process::Orphans if draft.is_old_news(id, node) => {}
        Process::Dead | Process::Orphans => ended(draft, id, node),
        Process::Running { ready, .. } => {
            if let Some(why) = hangs(draft, node, ready) {
                fence(draft, id, why, false);
            } else if ready && matches!(node.server, Some(Server::Standby(_))) {
                promote(draft, id, format!("{id} is to take writes and is in recovery"));
            }
        }
    }
}

/// Its directory is gone, or another's: only a copy that holds everything replaces it.
fn directory_gone(draft: &mut Draft<'_>, id: NodeId) {
    match candidate(draft) {
        Candidate::Ready(_) => fence(draft, id, format!("the data directory of {id} is gone"), false),
        Candidate::Unseen => {}
        Candidate::None => {
            let why = draft.next.quarantine.get(&id).cloned().unwrap_or_else(|| "its directory is gone".to_owned());
            call_everything_off(draft, &why);
            draft.next.refused = Some(format!(
                "the primary {id} cannot be started ({why}) and no copy is known to hold every acknowledged commit; \
                 put the directory back, or fail over accepting the loss"
            ));
        }
    }
}

/// Without a primary nothing that was begun can be ended, and an answer is owed.
fn call_everything_off(draft: &mut Draft<'_>, why: &str) {
    draft.next.wave = None;
    for member in draft.next.members.values_mut().filter(|member| member.leaving == Some(Leaving::Released)) {
        member.leaving = None;
    }
    if let Some(Answer { id, outcome: Outcome::Accepted, .. }) = draft.next.answer {
        draft.answer(id, Outcome::Refused { why: why.to_owned() });
    }
}

fn ended(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some(member) = draft.member(id) else { return };
    let crashed = member.crashed_at.filter(|_| !member.stopped);
    match (crashed, candidate(draft)) {
        (Some(_), Candidate::Ready(_)) => fence(draft, id, format!("{id} ended by itself"), false),
        (Some(at), Candidate::Unseen) if !passed(at, draft.now(), LOOK_FOR_STANDBY_MS) => {}
        (_, _) if node.process == Process::Orphans => {
            draft.kill(id, format!("processes of {id} are left although its postmaster is gone"));
        }
        (_, _) => start_in_place(draft, id, node),
    }
}

fn start_in_place(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some(member) = draft.member(id).cloned() else { return };
    let Some(control) = node.control() else { return };
    let busy = node.task == Task::Busy;
    if !draft.may_try(member.retry) || !draft.all_directories_known() || busy || member.copy != Copy::Good {
        return;
    }
    // One that took over and is not on a timeline of its own yet is promoted. Started as a primary it would write on the old
    // timeline, beside whoever is still on it.
    let took_over = draft.next.failover.as_ref().is_some_and(|last| last.to == id && last.served_at.is_none());
    let role = match control.last_role {
        LastRole::Primary if !took_over || control.timeline > draft.next.timeline => {
            Role::Primary { sync: draft.names_for_start() }
        }
        LastRole::Primary | LastRole::Standby => Role::Standby { of: None },
    };
    let reason = match (member.stopped, member.crashed_at) {
        (false, Some(_)) if member.retry.failures > 1 => {
            format!("{id} ended by itself {} times in a row, nobody else may take over", member.retry.failures)
        }
        (false, Some(_)) => format!("{id} ended by itself and nobody else may take over"),
        _ => format!("{id} is the primary and does not run"),
    };
    draft.going_up(id);
    draft.order(Verb::Start { node: id, role }, reason);
}

/// Why a running primary counts as hung. One that recovers is only given up for a standby: killing it would begin its
/// recovery anew.
fn hangs(draft: &Draft<'_>, node: &Node, ready: bool) -> Option<String> {
    let deadline_ms = draft.view.wanted.hang_deadline_ms;
    match node.probe {
        Probe::Waiting { for_ms } if for_ms >= deadline_ms && ready => {
            Some(format!("a write was not answered for {:.1} s", f64::from(for_ms) / 1000.0))
        }
        Probe::Refused { for_ms } if for_ms >= deadline_ms && matches!(candidate(draft), Candidate::Ready(_)) => {
            Some(format!("it has recovered for {:.1} s and a standby is ready", f64::from(for_ms) / 1000.0))
        }
        Probe::Unknown | Probe::Answered | Probe::Refused { .. } | Probe::Waiting { .. } => None,
    }
}

/// Decides to end the primary. What follows is decided once it is seen to be dead.
pub(super) fn fence(draft: &mut Draft<'_>, id: NodeId, why: String, accept_loss: bool) {
    let now = draft.now();
    draft.next.switchover = None;
    // An order from before, a start above all, must not be carried out any more.
    draft.next.epoch += 1;
    draft.next.fence = Some(Fence { node: id, since: now, ordered_at: now, why: why.clone(), accept_loss });
    if let Some(member) = draft.member_mut(id) {
        member.crashed_at.get_or_insert(now);
    }
    draft.kill(id, why);
}

fn finish_fence(draft: &mut Draft<'_>) {
    let Some(fence) = draft.next.fence.clone() else { return };
    let Some(node) = draft.node(fence.node) else { return };
    // Its timeline has to be known, too: a later record has to be told from this one by it.
    if node.process != Process::Dead || node.data == Data::Unknown || node.seen_at <= fence.since {
        return kill_again(draft, &fence, node);
    }
    let chosen = if fence.accept_loss { best_copy(draft) } else { candidate(draft) };
    match chosen {
        Candidate::Ready(to) => take_over(draft, to, fence.why, false),
        Candidate::Unseen if !passed(fence.since, draft.now(), LOOK_FOR_STANDBY_MS) => {}
        Candidate::Unseen | Candidate::None => {
            // It is dead, so it is as after a crash. A node that was ended for hanging is not started again and again.
            draft.next.fence = None;
            draft.failed(fence.node);
        }
    }
}

fn kill_again(draft: &mut Draft<'_>, fence: &Fence, node: &Node) {
    let now = draft.now();
    let seen_alive = node.seen_at > fence.ordered_at && node.process != Process::Unknown;
    if seen_alive || passed(fence.ordered_at, now, KILL_AGAIN_MS) {
        draft.next.fence = Some(Fence { ordered_at: now, ..fence.clone() });
        draft.kill(fence.node, format!("{} is not seen to be dead yet ({})", fence.node, fence.why));
    }
}

/// The standby that may be promoted without losing anything that was acknowledged.
pub(super) fn candidate(draft: &Draft<'_>) -> Candidate {
    let Some(id) = draft.next.promotable else { return Candidate::None };
    if draft.next.primary == Some(id) || !draft.is_standby(id) || !names_agree(draft, id) {
        return Candidate::None;
    }
    match draft.node(id) {
        Some(node) => promotable_now(draft, id, node),
        None => Candidate::Unseen,
    }
}

/// The names in the primary's own file are a second witness: they were emptied before anything was acknowledged without the
/// standby, whatever a record that is one write old says.
fn names_agree(draft: &Draft<'_>, id: NodeId) -> bool {
    let names = draft.next.primary.and_then(|primary| draft.node(primary)).map_or(Names::Unknown, |node| node.names);
    match names {
        Names::Node(named) => named == id,
        Names::Nobody => false,
        Names::Unknown => true,
    }
}

fn promotable_now(draft: &Draft<'_>, id: NodeId, node: &Node) -> Candidate {
    let good = draft.member(id).is_some_and(|member| member.copy == Copy::Good);
    if !good || node.disk.is_in_trouble() || matches!(node.data, Data::Absent | Data::Foreign) {
        return Candidate::None;
    }
    match (node.process, &node.server) {
        (Process::Unknown, _) | (Process::Running { ready: true, .. }, None) => Candidate::Unseen,
        (Process::Running { ready: true, .. }, Some(Server::Standby(_))) => Candidate::Ready(id),
        // It starts, and may be ready in a moment.
        (Process::Running { ready: false, .. }, _) => Candidate::Unseen,
        (Process::Dead | Process::Orphans | Process::Running { .. }, _) => Candidate::None,
    }
}

/// The copy that has most, for a failover that accepts loss: one that runs, or, where the primary's own directory is gone, one
/// that nobody is busy with.
fn best_copy(draft: &Draft<'_>) -> Candidate {
    if let Candidate::Ready(id) = candidate(draft) {
        return Candidate::Ready(id);
    }
    let lost = draft.next.primary.is_some_and(|id| draft.node(id).is_some_and(|node| is_gone(draft, id, node)));
    let others = draft.usable().into_iter().filter(|id| draft.next.primary != Some(*id));
    let copies = others.filter_map(|id| {
        let node = draft.node(id)?;
        let (timeline, end) =
            running_worth(node).or_else(|| resting_worth(node).filter(|_| lost && draft.is_fresh(node)))?;
        Some((timeline, end, std::cmp::Reverse(id)))
    });
    copies.max().map_or(Candidate::None, |(_, _, id)| Candidate::Ready(id.0))
}

/// How far a standby is that could be promoted as it runs.
fn running_worth(node: &Node) -> Option<(u32, Option<Lsn>)> {
    let standby = node.as_standby().filter(|_| node.is_ready() && !node.disk.is_in_trouble())?;
    Some((standby.timeline, Some(standby.received)))
}

/// How far a directory is that could be started and promoted.
fn resting_worth(node: &Node) -> Option<(u32, Option<Lsn>)> {
    let control = node.control().filter(|control| !control.torn && !node.disk.is_in_trouble())?;
    let idle = node.process == Process::Dead && node.task != Task::Busy;
    idle.then_some((control.timeline, control.end))
}

/// Whether there is no directory that this node could be started from.
fn is_gone(draft: &Draft<'_>, id: NodeId, node: &Node) -> bool {
    let torn = node.control().is_some_and(|control| control.torn);
    draft.next.quarantine.contains_key(&id) || node.data == Data::Absent || torn
}

/// Makes `to` the primary. Only called when the old one is seen to be dead.
pub(super) fn take_over(draft: &mut Draft<'_>, to: NodeId, why: String, caught_up: bool) {
    let Some(from) = draft.next.primary else { return };
    let now = draft.now();
    let planned = draft.next.switchover.is_some();
    let whole = draft.next.promotable == Some(to);
    // It may have been promoted itself without ever being seen to serve. From here on its timeline is no news.
    let ours = draft.next.system_id;
    let control = draft.node(from).and_then(Node::control).filter(|control| Some(control.system_id) == ours);
    let given_up = control.map_or(0, |control| control.timeline);
    draft.next.timeline = draft.next.timeline.max(given_up);
    draft.next.epoch += 1;
    draft.next.primary = Some(to);
    draft.next.promotable = None;
    draft.next.rising = None;
    draft.next.sync_trouble = None;
    draft.next.sync_ordered_at = Some(now);
    draft.next.fence = None;
    draft.next.switchover = None;
    draft.next.refused = None;
    draft.next.degraded_since = draft.view.wanted.synchronous().then(|| draft.next.degraded_since.unwrap_or(now));
    let (fork, served_at, examined) = (None, None, None);
    draft.next.failover = Some(Failover {
        at: now,
        from,
        to,
        why: why.clone(),
        planned,
        whole,
        fork,
        served_at,
        examinations: 0,
        examined,
    });
    exchange_duties(draft, from, to);
    if let Some(old) = draft.member_mut(from) {
        old.up_since = None;
        old.stopped = false;
        old.adrift_since = None;
        // That it ended says nothing against it as a standby: until there is one again, the data is on one server alone.
        old.retry.not_before = None;
        if !caught_up && old.copy == Copy::Good {
            old.copy = Copy::Diverged;
        }
    }
    draft.copy(to, Copy::Good);
    // A copy at rest is started first, from the next look on.
    if draft.node(to).is_some_and(Node::is_ready) {
        draft.going_up(to);
        promote(draft, to, why);
    }
}

fn promote(draft: &mut Draft<'_>, id: NodeId, reason: String) {
    let (sync, above) = (names_after_promotion(draft, id), draft.next.timeline);
    draft.order(Verb::Promote { node: id, sync, above }, reason);
}

fn exchange_duties(draft: &mut Draft<'_>, from: NodeId, to: NodeId) {
    let duty = draft.member(to).map_or(Duty::Pair, |member| member.duty);
    if let Some(old) = draft.member_mut(from) {
        old.duty = duty;
    }
    if let Some(new) = draft.member_mut(to) {
        new.duty = Duty::Pair;
        new.leaving = None;
    }
}

/// Nobody is there to wait for after a promotion; in required mode commits wait until somebody is.
fn names_after_promotion(draft: &Draft<'_>, to: NodeId) -> Option<NodeId> {
    let required = draft.view.wanted.sync == SyncMode::Required && draft.view.wanted.synchronous();
    let standby = draft.standbys().into_iter().find(|id| *id != to);
    required.then(|| standby.unwrap_or(NodeId(draft.next.last_node + 1)))
}

/// Takes in a user's wish to give the primary up.
pub(super) fn give_up(draft: &mut Draft<'_>, id: u64, accept_loss: bool) {
    let Some(primary) = draft.next.primary else { return };
    let chosen = if accept_loss { best_copy(draft) } else { candidate(draft) };
    let outcome = match chosen {
        Candidate::Ready(_) => {
            fence(draft, primary, "asked for".to_owned(), accept_loss);
            Outcome::Accepted
        }
        Candidate::Unseen => return,
        Candidate::None => {
            let why = match accept_loss {
                true => "no copy runs that could take over".to_owned(),
                false => "no standby is known to hold every acknowledged commit".to_owned(),
            };
            Outcome::Refused { why }
        }
    };
    draft.answer(id, outcome);
}
