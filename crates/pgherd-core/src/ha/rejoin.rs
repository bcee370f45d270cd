//! Everyone but the primary: end who should not write, rewind or copy who is of no use, start and direct the others.

use super::action::{Role, Verb};
use super::draft::{Draft, passed};
use super::memory::{Copy, Member};
use super::node::NodeId;
use super::view::{Control, Data, LastRole, Node, Primary, Process, Server, Slot, Standby, Task};

/// How long a standby may fail to stream from a primary that serves before it is copied anew.
const ADRIFT_MS: u32 = 30_000;

/// How often it is tried to find out what was lost before the node is made anew all the same.
const EXAMINATIONS: u32 = 3;

pub(super) fn care_for_others(draft: &mut Draft<'_>) {
    for id in draft.usable() {
        let other = draft.next.primary != Some(id) && !draft.has_orders(id);
        if let (true, true, Some(node)) = (other, draft.stays(id), draft.node(id)) {
            care_for(draft, id, node);
        }
    }
}

fn care_for(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some(member) = draft.member(id).cloned() else { return };
    if draft.is_old_news(id, node) || draft.next.failover.as_ref().is_some_and(|failover| node.seen_at <= failover.at) {
        return;
    }
    match node.process {
        Process::Unknown => {}
        Process::Orphans => draft.kill(id, format!("processes of {id} are left although its postmaster is gone")),
        Process::Running { .. } => running(draft, id, node, &member),
        Process::Dead => dead(draft, id, node, &member),
    }
}

fn running(draft: &mut Draft<'_>, id: NodeId, node: &Node, member: &Member) {
    match (&node.server, member.copy) {
        (Some(Server::Primary(_)), _) => {
            if draft.next.promotable == Some(id) {
                draft.next.promotable = None;
            }
            draft.copy(id, Copy::Diverged);
            draft.kill(id, format!("{id} takes writes and is not the primary"));
        }
        (_, Copy::Missing | Copy::Diverged) => draft.kill(id, format!("{id} is to be made anew")),
        (_, Copy::Making { .. }) if node.task != Task::Busy => {
            draft.kill(id, format!("{id} runs although its copy is not complete"));
        }
        (Some(Server::Standby(standby)), Copy::Good) => direct(draft, id, node, standby),
        (None, Copy::Good) => silent(draft, id, node),
        (_, Copy::Making { .. }) => {}
    }
}

/// A running standby: have it stream from the primary, or give it up when it cannot.
fn direct(draft: &mut Draft<'_>, id: NodeId, node: &Node, standby: &Standby) {
    let Some((primary_id, seen, primary)) = draft.serving() else { return };
    let stopped = draft.member(id).is_some_and(|member| member.stopped);
    if stopped {
        return draft.order(Verb::Stop { node: id }, format!("{id} is to be restarted"));
    }
    if is_ahead(primary, standby.timeline, standby.received) {
        return rebuild(draft, id, format!("{id} is ahead of {primary_id}"));
    }
    if primary.slots.get(&id) == Some(&Slot::Lost) && !standby.streaming {
        return rebuild(draft, id, format!("{primary_id} has no log left for {id}"));
    }
    if standby.follows != Some(primary_id) {
        return draft.order(Verb::Follow { node: id, primary: primary_id }, format!("{primary_id} is the primary"));
    }
    if standby.streaming {
        return settled(draft, id, node);
    }
    let (now, since) = (draft.now(), seen.seen_at.min(node.seen_at));
    let Some(member) = draft.member_mut(id) else { return };
    let adrift_since = *member.adrift_since.get_or_insert(since);
    if passed(adrift_since, now, ADRIFT_MS) {
        rebuild(draft, id, format!("{id} has not streamed for {} s", ADRIFT_MS / 1000));
    }
}

/// It cannot be asked and the primary does not see it either: when that lasts it hangs and is ended; then it starts again.
fn silent(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let keeps_up = |primary: &Primary| {
        primary.senders.get(&id).is_some_and(|sender| sender.streaming && sender.held >= primary.lsn)
    };
    if !node.is_ready() || draft.serving().is_some_and(|(_, _, primary)| keeps_up(primary)) {
        return;
    }
    let (now, since) = (draft.now(), node.seen_at);
    let Some(member) = draft.member_mut(id) else { return };
    let adrift_since = *member.adrift_since.get_or_insert(since);
    if passed(adrift_since, now, ADRIFT_MS) {
        member.adrift_since = None;
        draft.kill(id, format!("{id} has not answered for {} s", ADRIFT_MS / 1000));
        draft.failed(id);
    }
}

/// It streams: what was kept in case it would not is not needed any more.
fn settled(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    if let Some(member) = draft.member_mut(id) {
        member.adrift_since = None;
    }
    let fresh = draft.serving().is_some_and(|(_, primary, _)| draft.is_fresh(primary)) && draft.is_fresh(node);
    if node.evidence == Some(true) && fresh {
        draft.order(Verb::Discard { node: id }, format!("{id} streams again"));
    }
}

fn rebuild(draft: &mut Draft<'_>, id: NodeId, why: String) {
    if draft.next.promotable == Some(id) {
        draft.next.promotable = None;
    }
    if let Some(member) = draft.member_mut(id) {
        member.adrift_since = None;
    }
    draft.copy(id, Copy::Missing);
    draft.kill(id, why);
}

/// Whether a node has log that the primary's timeline left behind.
fn is_ahead(primary: &Primary, timeline: u32, end: super::node::Lsn) -> bool {
    timeline < primary.timeline && primary.fork.is_some_and(|fork| end > fork) || timeline > primary.timeline
}

fn dead(draft: &mut Draft<'_>, id: NodeId, node: &Node, member: &Member) {
    if node.task == Task::Busy || !draft.may_try(member.retry) || node.disk.is_in_trouble() {
        return;
    }
    match member.copy {
        Copy::Good => start(draft, id, node),
        Copy::Missing => make(draft, id, node, "there is no copy yet"),
        Copy::Diverged => join_again(draft, id, node),
        Copy::Making { serial, from, rewind } => go_on_making(draft, id, node, serial, from, rewind),
    }
}

fn start(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some(control) = node.control() else { return };
    if !may_follow(draft, id, control) {
        return;
    }
    let of = draft.next.primary;
    draft.going_up(id);
    draft.order(Verb::Start { node: id, role: Role::Standby { of } }, format!("{id} does not run"));
}

/// Whether a directory can be started as a standby. One that ran as a primary, or has more than the primary, has to be seen
/// to be behind the fork; otherwise it is made anew.
fn may_follow(draft: &mut Draft<'_>, id: NodeId, control: &Control) -> bool {
    let serving = draft.serving().map(|(_, _, primary)| primary);
    let Some(primary) = serving else {
        return control.last_role == LastRole::Standby;
    };
    let behind = control.end.is_some_and(|end| !is_ahead(primary, control.timeline, end));
    let unknown_end = control.end.is_none() && control.last_role == LastRole::Standby;
    let clean = control.last_role == LastRole::Standby || control.clean && control.timeline < primary.timeline;
    if (behind || unknown_end) && clean {
        return true;
    }
    draft.copy(id, Copy::Diverged);
    false
}

/// A primary that was given up: see what was lost, then rewind it, or copy it when it is small.
fn join_again(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    let Some((primary, _, _)) = draft.serving() else { return };
    if let Some(failover) = draft.next.failover.as_mut().filter(|last| last.from == id && last.to == primary)
        && failover.examined.is_none()
        && failover.examinations < EXAMINATIONS
    {
        failover.examinations += 1;
        let reason = format!("which commits of {id} did not survive");
        return draft.order(Verb::Examine { node: id, against: primary }, reason);
    }
    let big =
        node.control().is_some_and(|control| control.mib.is_some_and(|mib| mib > draft.view.wanted.rewind_above_mib));
    match big {
        true => rewind(draft, id, primary),
        false => make(draft, id, node, "it left the primary's timeline"),
    }
}

fn rewind(draft: &mut Draft<'_>, id: NodeId, from: NodeId) {
    draft.next.last_serial += 1;
    let serial = draft.next.last_serial;
    draft.copy(id, Copy::Making { serial, from, rewind: true });
    draft.order(Verb::Rejoin { node: id, from, serial }, format!("{id} left the primary's timeline"));
}

fn make(draft: &mut Draft<'_>, id: NodeId, node: &Node, why: &str) {
    let Some(from) = draft.source() else { return };
    let keep_old = node.data != Data::Absent;
    draft.next.last_serial += 1;
    let serial = draft.next.last_serial;
    draft.copy(id, Copy::Making { serial, from, rewind: false });
    draft.order(Verb::Clone { node: id, from, serial, keep_old }, format!("{id}: {why}"));
}

/// Nobody works on a copy that is not complete: it failed, was cut short, or was never begun.
fn go_on_making(draft: &mut Draft<'_>, id: NodeId, node: &Node, serial: u64, from: NodeId, rewind: bool) {
    let failed = matches!(&node.task, Task::Failed { serial: failed, .. } if *failed == serial);
    let torn = node.control().is_some_and(|control| control.torn);
    let Some(primary) = draft.source() else { return };
    if failed && !rewind {
        draft.failed(id);
    }
    if failed || torn || primary != from {
        let why = if rewind { "the rewind did not end well" } else { "the copy before did not end well" };
        return match draft.member(id).is_some_and(|member| draft.may_try(member.retry)) {
            true => make(draft, id, node, why),
            false => draft.copy(id, Copy::Missing),
        };
    }
    let verb = match rewind {
        true => Verb::Rejoin { node: id, from, serial },
        // As it is now, not as it was when the copy began: another may have been completed meanwhile.
        false => Verb::Clone { node: id, from, serial, keep_old: node.data != Data::Absent },
    };
    draft.order(verb, format!("copy {serial} of {id} is not complete"));
}
