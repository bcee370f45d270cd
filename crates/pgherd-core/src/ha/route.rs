//! Where the endpoints lead. Worked out anew each time, so that no pause outlives its reason.

use std::collections::BTreeSet;

use super::action::Verb;
use super::draft::{Draft, passed};
use super::memory::{Copy, Duty, Phase};
use super::node::NodeId;
use super::view::{Process, Route};

/// How often endpoints that cannot be seen are told where to lead.
const TELL_AGAIN_MS: u32 = 1_000;

pub(super) fn lead(draft: &mut Draft<'_>) {
    let Some(wanted) = wanted(draft) else { return };
    match &draft.view.route {
        Some(seen) if *seen == wanted => draft.next.route_ordered_at = None,
        Some(_) => order(draft, wanted),
        None => {
            let now = draft.now();
            if draft.next.route_ordered_at.is_none_or(|at| passed(at, now, TELL_AGAIN_MS)) {
                draft.next.route_ordered_at = Some(now);
                order(draft, wanted);
            }
        }
    }
}

fn order(draft: &mut Draft<'_>, route: Route) {
    let reason = match (&route.write, route.paused) {
        (_, true) if draft.next.switchover.is_some() => "the roles are exchanged",
        (_, true) => "no primary takes writes now",
        (Some(_), false) => "this is who serves",
        (None, false) => "nobody serves",
    };
    draft.order(Verb::Route(route), reason);
}

/// `None`: leave it as it is, because the primary cannot be seen and nothing says that it ended.
fn wanted(draft: &Draft<'_>) -> Option<Route> {
    let primary = draft.next.primary?;
    if !draft.view.wanted.serve || draft.next.refused.is_some() {
        return Some(Route::default());
    }
    let held_back = || Route { write: None, read: readers(draft, None), paused: true };
    if draft.next.fence.is_some() {
        return Some(held_back());
    }
    let node = draft.node(primary)?;
    let draining = draft.next.switchover.as_ref().is_some_and(|switchover| switchover.phase != Phase::Checkpoint);
    match node.process {
        Process::Unknown => None,
        Process::Running { ready: true, .. } if node.as_primary().is_some() => {
            Some(Route { write: Some(primary), read: readers(draft, Some(primary)), paused: draining })
        }
        Process::Running { ready: true, .. } if node.server.is_none() => None,
        Process::Dead | Process::Orphans | Process::Running { .. } => Some(held_back()),
    }
}

/// Replicas that stream, or just run while no primary serves; else the primary. A replica that cannot be seen now stays where it is.
fn readers(draft: &Draft<'_>, primary: Option<NodeId>) -> BTreeSet<NodeId> {
    let now: Option<&BTreeSet<NodeId>> = draft.view.route.as_ref().map(|route| &route.read);
    let reads = |id: &NodeId| {
        let member = draft.member(*id).filter(|member| member.duty == Duty::Replica && member.leaving.is_none());
        let good = member.is_some_and(|member| member.copy == Copy::Good && !member.stopped);
        good && match draft.node(*id) {
            Some(node) if node.process == Process::Unknown => now.is_some_and(|now| now.contains(id)),
            Some(node) if node.is_ready() && node.server.is_none() => now.is_some_and(|now| now.contains(id)),
            Some(node) => {
                node.is_ready() && node.as_standby().is_some_and(|standby| standby.streaming || primary.is_none())
            }
            None => false,
        }
    };
    let replicas: BTreeSet<NodeId> =
        draft.usable().into_iter().filter(|id| draft.next.primary != Some(*id)).filter(reads).collect();
    if replicas.is_empty() { primary.into_iter().collect() } else { replicas }
}
