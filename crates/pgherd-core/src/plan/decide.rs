//! What a resource is doing decides what is done to it, and what is said about it.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Compared;
use super::{Action, BUSY};
use crate::diagnostic::Diagnostic;
use crate::resource::{Id, Kind, Observed, Resource, Status};

/// What to do with a resource that is wanted and there, and was compared.
pub(super) fn wanted(
    block: &str,
    resource: &Resource,
    seen: &Observed,
    compared: Compared,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Action> {
    let id = &resource.id;
    if let Status::Foreign(reason) = &seen.status {
        let message = format!("{id} exists and is not pgherd's: {reason}");
        let help = "`pgherd adopt` takes it over; or give the block another name";
        diagnostics.push(Diagnostic::error("not-ours", message).at(block, "name").help(help));
        return None;
    }
    diagnostics.extend(compared.refused.into_iter().map(|refused| refused.at(block, "")));
    let changes = compared.changes;
    match &seen.status {
        Status::Available | Status::Stopped | Status::Busy(_) | Status::Foreign(_) => {}
        Status::Incomplete(reason) => {
            let message = format!("{id} is half-made: {reason}");
            diagnostics.push(Diagnostic::warning("half-made", message).at(block, "").help("apply finishes it"));
            return Some(Action::Create { resource: resource.clone() });
        }
        Status::Failed(reason) if reason.starts_with(Status::HALF_DELETED) => {
            let message = format!("{id} is broken: {reason}");
            let help = "`pgherd destroy` goes on with it, and `pgherd apply` makes a new one then";
            diagnostics.push(Diagnostic::error("broken", message).at(block, "").help(help));
            return None;
        }
        // A change may well be the repair, so a failed resource stops only a plan that has nothing to offer it.
        Status::Failed(reason) => {
            let message = format!("{id} is broken: {reason}");
            diagnostics.push(if changes.is_empty() {
                Diagnostic::error("broken", message)
                    .at(block, "")
                    .help("`pgherd logs` says more; repair it, or restore a backup into a new database")
            } else {
                Diagnostic::warning("broken", message)
                    .at(block, "")
                    .help("its changes are tried all the same, since one may be the repair")
            });
        }
    }
    (!changes.is_empty()).then(|| Action::Update { resource: resource.clone(), changes })
}

/// How to remove what nobody wants; `None`: it stays, because it is not ours or outlives its database.
pub(super) fn unwanted(kind: &Kind, seen: &Observed) -> Option<Action> {
    let stays = kind.outlives || is_foreign(seen);
    (!stays).then_some(Action::Delete { holds_data: kind.holds_data, protected: seen.protected })
}

pub(super) fn is_foreign(seen: &Observed) -> bool {
    matches!(seen.status, Status::Foreign(_))
}

/// Says that something under a name of ours stays where it is.
pub(super) fn left_alone(block: &str, seen: &Observed) -> Option<Diagnostic> {
    let Status::Foreign(reason) = &seen.status else { return None };
    let message = format!("{} is not pgherd's and is left alone: {reason}", seen.id);
    Some(Diagnostic::warning("left-alone", message).at(block, ""))
}

/// Says which resources are busy. That stops a plan that has to change them, or to make what needs them; and any plan where one that is
/// wanted is on its way out.
pub(super) fn busy(
    block: &str,
    wanted: &BTreeMap<&Id, &Resource>,
    live: &BTreeMap<&Id, &Observed>,
    actions: &BTreeMap<Id, Action>,
) -> Vec<Diagnostic> {
    let in_the_way: BTreeSet<&Id> = actions
        .keys()
        .flat_map(|id| wanted.get(id).map(|resource| &resource.needs).into_iter().flatten().chain([id]))
        .collect();
    wanted
        .keys()
        .filter_map(|id| live.get(*id))
        .filter_map(|seen| {
            let Status::Busy(doing) = &seen.status else { return None };
            let message = format!("{} is busy: {doing}", seen.id);
            let told = if in_the_way.contains(&seen.id) || doing == Status::DELETING {
                Diagnostic::error(BUSY, message)
                    .help("`pgherd apply` waits until it is not, and then does what is left")
            } else {
                Diagnostic::warning(BUSY, message)
            };
            Some(told.at(block, ""))
        })
        .collect()
}
