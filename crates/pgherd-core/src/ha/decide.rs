//! The order of the questions. Each is answered in a file of its own.

use super::action::Action;
use super::draft::Draft;
use super::memory::Memory;
use super::view::View;
use super::{crash, degrade, maintenance, notice, recover, rejoin, replicas, request, route, stop};

/// What to remember and what to do now. Total: any view and any memory give an answer.
///
/// The memory is on disk before the first action begins ([`Memory`]'s contract), actions are done in their order, and after
/// the last, or the first that failed, one looks again; after a changed memory without actions, too. Neither: nothing is to be
/// done until something changes. Look again at least once a second while the memory has a fence, a switchover, a wave, a
/// rising standby or a `not_before`, and once a minute otherwise.
pub fn decide(view: &View, memory: &Memory) -> (Memory, Vec<Action>) {
    let mut draft = Draft::new(view, memory);
    let known = match draft.next.primary {
        Some(_) => recover::know_the_primary(&mut draft),
        None => recover::find_a_primary(&mut draft),
    };
    if known {
        notice::take_in(&mut draft);
        if view.wanted.serve {
            serve(&mut draft);
        } else {
            stop::stop(&mut draft);
        }
        route::lead(&mut draft);
    }
    (draft.next, draft.actions)
}

fn serve(draft: &mut Draft<'_>) {
    request::take(draft);
    if draft.view.wanted.is_new {
        // Side by side with the start of the primary, which takes a while. What the standby streams with comes before it.
        replicas::keep_slots(draft);
        rejoin::care_for_others(draft);
    }
    crash::care_for_primary(draft);
    if draft.next.fence.is_none() && draft.next.switchover.is_none() {
        replicas::resize(draft);
        degrade::keep_in_sync(draft);
        maintenance::restart_in_turn(draft);
    }
    rejoin::care_for_others(draft);
    if !draft.view.wanted.is_new {
        replicas::keep_slots(draft);
    }
}
