//! The order of steps: each after everything it needs, deletes in reverse of needs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Step};
use crate::resource::{Id, Kind, Observed, Resource};
use crate::value::Value;

type Needs<'a> = BTreeMap<&'a Id, BTreeSet<&'a Id>>;

/// What is wanted, each after everything it needs, else by id. A circle is for [`steps`] to tell.
pub(super) fn inside_out<'a>(wanted: &BTreeMap<&'a Id, &'a Resource>) -> Vec<&'a Resource> {
    let (mut seen, mut ordered) = (BTreeSet::new(), Vec::new());
    wanted.keys().for_each(|id| visit(id, wanted, &mut seen, &mut ordered));
    ordered
}

fn visit<'a>(
    id: &'a Id,
    wanted: &BTreeMap<&'a Id, &'a Resource>,
    seen: &mut BTreeSet<&'a Id>,
    ordered: &mut Vec<&'a Resource>,
) {
    let Some(resource) = wanted.get(id) else { return };
    if seen.insert(id) {
        needed_by(wanted, id).into_iter().for_each(|need| visit(need, wanted, seen, ordered));
        ordered.push(resource);
    }
}

/// The actions as steps, in order. Of steps that could come next, the kind listed first by the provider does, then the
/// lower name; deletes come last and the other way round.
pub(super) fn steps(
    kinds: &[Kind],
    actions: BTreeMap<Id, Action>,
    wanted: &BTreeMap<&Id, &Resource>,
    live: &BTreeMap<&Id, &Observed>,
) -> Vec<Step> {
    let needs = needs(&actions, wanted, live);
    let rank = |id: &Id| {
        let kind = kinds.iter().position(|kind| kind.name == id.kind).unwrap_or(kinds.len());
        match actions[id] {
            Action::Create { .. } | Action::Update { .. } => (false, kind, id.name.clone()),
            Action::Delete { .. } => (true, kinds.len() - kind, id.name.clone()),
        }
    };
    let mut waiting: Vec<&Id> = actions.keys().collect();
    waiting.sort_by_key(|id| rank(id));
    let mut ordered: Vec<(Id, Vec<Id>)> = Vec::new();
    let mut done = BTreeSet::new();
    while !waiting.is_empty() {
        let next = waiting.iter().position(|id| needs[*id].is_subset(&done)).unwrap_or_else(|| {
            let names: Vec<_> = waiting.iter().map(ToString::to_string).collect();
            panic!("the needs of these resources go in a circle: {}", names.join(", "))
        });
        let id = waiting.remove(next);
        done.insert(id);
        ordered.push((id.clone(), needs[id].iter().map(|need| (*need).clone()).collect()));
    }
    let mut actions = actions;
    ordered
        .into_iter()
        .map(|(id, needs)| {
            let action = actions.remove(&id).expect("every ordered id came from the actions");
            Step { id, action, needs }
        })
        .collect()
}

/// For each step, the steps it has to wait for.
fn needs<'a>(
    actions: &'a BTreeMap<Id, Action>,
    wanted: &BTreeMap<&'a Id, &'a Resource>,
    live: &BTreeMap<&'a Id, &'a Observed>,
) -> Needs<'a> {
    let mut needs: Needs<'a> = actions.keys().map(|id| (id, BTreeSet::new())).collect();
    for (id, action) in actions {
        match action {
            Action::Create { .. } | Action::Update { .. } => {
                needs.entry(id).or_default().extend(nearest_steps(id, actions, wanted));
            }
            Action::Delete { .. } => {}
        }
        // Whatever used a thing lets go of it before it is deleted.
        for used in live.get(id).map(|seen| &seen.needs).into_iter().flatten() {
            if matches!(actions.get(used), Some(Action::Delete { .. })) {
                needs.entry(used).or_default().insert(id);
            }
        }
    }
    needs
}

/// The steps a resource waits for: those of what it needs or, where that needs no step itself, of what that needs in turn.
fn nearest_steps<'a>(
    id: &Id,
    actions: &'a BTreeMap<Id, Action>,
    wanted: &BTreeMap<&'a Id, &'a Resource>,
) -> BTreeSet<&'a Id> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut looking: Vec<&Id> = needed_by(wanted, id);
    while let Some(need) = looking.pop() {
        if !seen.insert(need) {
            continue;
        }
        match actions.get_key_value(need) {
            Some((need, _)) => drop(found.insert(need)),
            None => looking.extend(needed_by(wanted, need)),
        }
    }
    found
}

/// What a resource needs: as it says, and whatever its values come from.
fn needed_by<'a>(wanted: &BTreeMap<&'a Id, &'a Resource>, id: &Id) -> Vec<&'a Id> {
    let resource = wanted.get(id).unwrap_or_else(|| panic!("something needs {id}, which the provider does not want"));
    let mut needs: Vec<&Id> = resource.needs.iter().collect();
    needs.extend(resource.props.values().flat_map(Value::outputs).map(|(id, _)| id));
    needs
}
