//! Keeping commits synchronous, going on without the standby in the safe order, and coming back in the safe order.

use super::action::Verb;
use super::draft::{Draft, again_later, passed};
use super::maintenance;
use super::memory::{Copy, Retry, Rising, Trouble};
use super::node::NodeId;
use super::view::{Names, Node, Primary, Process, SyncMode};

/// How long to wait until it is tried again to see a commit wait. The checkpointer tells the backends that commits are to wait, and
/// takes its time where it is busy with a checkpoint.
const PROVE_AGAIN_MS: u32 = 2000;
/// How close behind a standby has to be before commits wait for it, bytes.
const NEAR_BYTES: u64 = 16 << 20;
/// A standby that was well for so long may be lost and won again without a pause.
const FORGIVEN_MS: u32 = 60_000;

pub(super) fn keep_in_sync(draft: &mut Draft<'_>) {
    let Some((id, node, primary)) = draft.serving() else { return };
    if !draft.view.wanted.synchronous() {
        return not_wanted(draft, id, node);
    }
    // Seen before the last change of the names: it says nothing about them.
    if node.seen_at <= draft.next.sync_ordered_at.unwrap_or(jiff::Timestamp::MIN) {
        return;
    }
    match (draft.next.promotable, node.names) {
        (_, Names::Unknown) => {}
        (Some(standby), Names::Node(named)) if standby == named => watch(draft, id, primary, standby),
        (Some(_), Names::Node(_) | Names::Nobody) => lose(draft),
        (None, Names::Node(standby)) => rise(draft, id, node, primary, standby),
        (None, Names::Nobody) => ask_for_a_standby(draft, id, primary),
    }
}

fn not_wanted(draft: &mut Draft<'_>, id: NodeId, node: &Node) {
    draft.next.promotable = None;
    draft.next.rising = None;
    draft.next.sync_trouble = None;
    draft.next.degraded_since = None;
    if let Names::Node(standby) = node.names {
        set(draft, id, None, format!("commits are not to wait for {standby} any more"));
    }
}

/// A promotable standby: when it is lost, that is written down before anything else.
fn watch(draft: &mut Draft<'_>, id: NodeId, primary: &Primary, standby: NodeId) {
    let Some(why) = lost(draft, primary, standby) else {
        let forgiven = draft.next.sync_retry.not_before.is_some_and(|at| passed(at, draft.now(), FORGIVEN_MS));
        if forgiven {
            draft.next.sync_retry = Retry::default();
        }
        return;
    };
    lose(draft);
    go_on_without(draft, id, primary, standby, &why);
}

fn lose(draft: &mut Draft<'_>) {
    let now = draft.now();
    draft.next.promotable = None;
    draft.next.rising = None;
    draft.next.degraded_since.get_or_insert(now);
}

/// Another standby takes its place, or commits go on without; in required mode they wait.
fn go_on_without(draft: &mut Draft<'_>, id: NodeId, primary: &Primary, standby: NodeId, why: &str) {
    let other = next_standby(draft, primary).filter(|other| *other != standby);
    let required = draft.view.wanted.sync == SyncMode::Required && draft.is_standby(standby);
    match other {
        Some(other) => set(draft, id, Some(other), format!("{why}; {other} takes its place")),
        None if required => {}
        None => {
            let now = draft.now();
            draft.next.sync_retry = again_later(draft.next.sync_retry, now);
            let names = draft.required_names().filter(|_| draft.view.wanted.sync == SyncMode::Required);
            set(draft, id, names, format!("{why}; commits go on without a standby"));
        }
    }
}

/// The names are set and the standby is not promotable yet: it becomes so when commits are seen to wait for it and for nobody else,
/// and everything that was acknowledged before has reached it. `sync_state` alone says neither: WAL senders, checkpointer and
/// backends read the file each in its own time.
fn rise(draft: &mut Draft<'_>, id: NodeId, node: &Node, primary: &Primary, standby: NodeId) {
    let now = draft.now();
    draft.next.degraded_since.get_or_insert(now);
    if let Some(why) = lost(draft, primary, standby) {
        draft.next.rising = None;
        return go_on_without(draft, id, primary, standby, &why);
    }
    let (Some(sender), Process::Running { start, .. }) = (primary.senders.get(&standby), node.process) else { return };
    let alone = primary.senders.iter().all(|(other, sender)| *other == standby || !sender.counts);
    if !sender.sync || !sender.streaming || !alone {
        draft.next.rising = None;
        return;
    }
    if node.waits_for != Some(standby) {
        draft.next.rising = None;
        if draft.next.sync_ordered_at.is_none_or(|at| passed(at, now, PROVE_AGAIN_MS)) {
            // The names stay, and with them since when the standby does not keep up.
            draft.next.sync_ordered_at = Some(now);
            let why = format!("commits are not seen to wait for {standby} yet");
            draft.order(Verb::SetSync { primary: id, to: Some(standby) }, why);
        }
        return;
    }
    match draft.next.rising.filter(|rising| rising.node == standby && rising.start == start) {
        // Where the log ends now was asked before who counts.
        None => draft.next.rising = Some(Rising { node: standby, start, target: primary.lsn }),
        Some(rising) if sender.held >= rising.target => {
            draft.next.promotable = Some(standby);
            draft.next.rising = None;
            draft.next.degraded_since = None;
        }
        Some(_) => {}
    }
}

/// Nobody is waited for: name a standby that streams and is near. In required mode name one that is to come, too.
fn ask_for_a_standby(draft: &mut Draft<'_>, id: NodeId, primary: &Primary) {
    let now = draft.now();
    draft.next.degraded_since.get_or_insert(now);
    draft.next.sync_trouble = None;
    draft.next.rising = None;
    let found = next_standby(draft, primary).filter(|_| draft.may_try(draft.next.sync_retry));
    match (found, draft.view.wanted.sync) {
        (Some(standby), _) => set(draft, id, Some(standby), format!("{standby} streams: commits wait for it again")),
        (None, SyncMode::Required) => {
            let to = draft.required_names();
            set(draft, id, to, "commits wait until a standby is there".to_owned());
        }
        (None, SyncMode::Preferred) => {}
    }
}

fn set(draft: &mut Draft<'_>, primary: NodeId, to: Option<NodeId>, reason: String) {
    draft.next.sync_ordered_at = Some(draft.now());
    draft.next.sync_trouble = None;
    // What was seen under the names before says nothing about what is acknowledged from now on.
    draft.next.rising = None;
    draft.order(Verb::SetSync { primary, to }, reason);
}

/// A standby that streams, is near, and is not about to be restarted.
fn next_standby(draft: &Draft<'_>, primary: &Primary) -> Option<NodeId> {
    draft.standbys().into_iter().find(|id| {
        let good = draft.member(*id).is_some_and(|member| member.copy == Copy::Good);
        let near = primary
            .senders
            .get(id)
            .is_some_and(|sender| sender.streaming && primary.lsn.since(sender.held) <= NEAR_BYTES);
        good && near && !maintenance::is_due(draft, *id)
    })
}

/// Why commits should not wait for this standby any longer. A short interruption is waited out.
fn lost(draft: &mut Draft<'_>, primary: &Primary, standby: NodeId) -> Option<String> {
    if !draft.is_standby(standby) {
        return Some(format!("{standby} is not a standby any more"));
    }
    if draft.is_dead(standby) {
        return Some(format!("{standby} does not run"));
    }
    let sender = primary.senders.get(&standby).filter(|sender| sender.streaming);
    let held = sender.map(|sender| sender.held);
    if held.is_some_and(|held| held >= primary.lsn) {
        draft.next.sync_trouble = None;
        return None;
    }
    let now = draft.now();
    let known = draft.next.sync_trouble.filter(|trouble| trouble.node == standby && trouble.held == held);
    let trouble = known.unwrap_or(Trouble { node: standby, since: now, held });
    draft.next.sync_trouble = Some(trouble);
    let (limit_ms, what) = match held {
        Some(_) => (draft.view.wanted.hang_deadline_ms, "does not move on"),
        None => (draft.view.wanted.standby_grace_ms, "is not connected"),
    };
    passed(trouble.since, now, limit_ms).then(|| format!("{standby} {what}"))
}
