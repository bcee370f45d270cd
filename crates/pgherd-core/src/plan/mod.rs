//! Desired and observed make a plan. Pure; there is no verb that replaces.
//!
//! Invariant: a plan leaves nothing to be chosen while it is carried out, and the same arguments give the same plan in
//! whatever order resources are listed.

mod compare;
mod decide;
pub mod document;
mod equal;
mod fingerprint;
mod late;
mod order;
pub mod saved;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use self::fingerprint::fingerprint;
use self::late::Late;
use crate::diagnostic::{Diagnostic, Severity};
use crate::resource::{Id, Impact, Kind, Observed, Resource};
use crate::value::Value;
use crate::window::Window;

/// Code of what is said of a resource that something is done to, which ends by itself.
pub const BUSY: &str = "busy";

/// What apply would do to one database, and everything to be said about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Label of the block.
    pub block: String,
    /// Steps, each after everything it needs. Empty means: nothing to do, and nothing will be sent.
    pub steps: Vec<Step>,
    /// What stops it (fixed fields, protection) and what should be known (warnings). Any error here: nothing is applied.
    pub diagnostics: Vec<Diagnostic>,
    /// Fingerprint of what was observed; a saved plan is refused when it moved.
    pub fingerprint: String,
    /// What of a resource that is made nobody wrote and everybody should see, `rds.force_ssl = 1`: shown beneath its step.
    #[serde(skip)]
    pub derived: BTreeMap<Id, Vec<String>>,
}

impl Plan {
    /// Whether something stops it: nothing of it may be applied.
    pub fn is_refused(&self) -> bool {
        self.errors().next().is_some()
    }

    /// What goes on by itself and is all that stops it, in words: whoever waits gets a plan that may be applied. `None` where nothing
    /// stops it, or something for which waiting is of no use.
    pub fn waits_for(&self) -> Option<String> {
        let is_all = self.errors().all(|error| error.code == BUSY);
        let words: Vec<&str> = self.errors().map(|error| error.message.as_str()).collect();
        (is_all && !words.is_empty()).then(|| words.join("; "))
    }

    fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which resource.
    pub id: Id,
    /// What to do to it.
    pub action: Action,
    /// Steps (by id) that must have succeeded before.
    pub needs: Vec<Id>,
}

/// What a step does. There is deliberately no `Replace`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Make it, or finish making it.
    Create {
        /// What to make.
        resource: Resource,
    },
    /// Change it in place.
    Update {
        /// What it should be.
        resource: Resource,
        /// What differs.
        changes: Vec<Change>,
    },
    /// Remove what wears our tag and is not wanted.
    Delete {
        /// Whether users' data goes with it.
        holds_data: bool,
        /// Whether the target refuses to delete it as it stands (deletion protection).
        protected: bool,
    },
}

impl Action {
    /// `create`, `update` or `delete`.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        }
    }

    /// The changes of an update; none for the others.
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::Update { changes, .. } => changes,
            Self::Create { .. } | Self::Delete { .. } => &[],
        }
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The provider's own name, with the key for maps: `parameters.max_connections`.
    pub field: String,
    /// What it is. The same as `to` when it was accepted before and still waits to take effect.
    pub from: Value,
    /// What it should be. An output in it is one of a resource that an earlier step makes or changes, and known once that is
    /// done.
    pub to: Value,
    /// What changing it does to users.
    pub impact: Impact,
    /// When it takes effect.
    pub when: When,
}

impl Change {
    /// Whether it was accepted before and still waits to take effect.
    pub fn is_waiting(&self) -> bool {
        self.from == self.to
    }
}

/// When a change takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "when")]
pub enum When {
    /// During apply.
    Now,
    /// In the maintenance window that opens at this moment.
    Window {
        /// Opening of the window, UTC.
        opens: Timestamp,
    },
    /// At the next restart, whoever asks for that; no window brings one.
    Restart,
}

/// What decides when changes take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// The moment of planning.
    pub now: Timestamp,
    /// The database's maintenance window.
    pub window: Window,
    /// Whether what interrupts service happens during apply all the same.
    pub apply_now: bool,
}

impl Timing {
    /// When a change of this impact takes effect. What may interrupt service waits for the window, unless it is open.
    pub fn of(&self, impact: Impact) -> When {
        if !impact.interrupts() || self.apply_now || self.window.is_open(self.now) {
            When::Now
        } else {
            When::Window { opens: self.window.next_opening(self.now) }
        }
    }

    /// The same where only a restart brings the change and no window brings that, an open one included.
    pub fn at_restart(&self, impact: Impact) -> When {
        if !impact.interrupts() || self.apply_now { When::Now } else { When::Restart }
    }
}

/// What has to be done so that what is observed becomes what is desired.
///
/// # Panics
/// When a provider's tables contradict its resources: a kind or field that is not declared, two resources of one id, needs
/// that nobody meets or that go in a circle. These are bugs of ours, never of a user.
pub fn plan(kinds: &[Kind], block: &str, desired: &[Resource], observed: &[Observed], timing: &Timing) -> Plan {
    let live = by_id(observed.iter().map(|seen| (&seen.id, seen)));
    let wanted = by_id(desired.iter().map(|resource| (&resource.id, resource)));
    let mut diagnostics = Vec::new();
    let mut actions = BTreeMap::new();
    // What a resource gets from others is known once it is decided what is done to those.
    for resource in order::inside_out(&wanted) {
        let kind = kind_of(kinds, &resource.id);
        let late = Late { live: &live, actions: &actions };
        let resource = late.resolved(resource);
        let id = resource.id.clone();
        let action = match live.get(&id) {
            None => Some(Action::Create { resource: resource.into_owned() }),
            Some(seen) => {
                let compared = compare::resources(kind, &resource, seen, late, timing);
                decide::wanted(block, &resource, seen, compared, &mut diagnostics)
            }
        };
        actions.extend(action.map(|action| (id, action)));
    }
    let orphans = live.values().filter(|seen| !wanted.contains_key(&seen.id));
    actions.extend(
        orphans.filter_map(|orphan| Some((orphan.id.clone(), decide::unwanted(kind_of(kinds, &orphan.id), orphan)?))),
    );
    diagnostics.extend(decide::busy(block, &wanted, &live, &actions));
    Plan {
        block: block.to_owned(),
        steps: order::steps(kinds, actions, &wanted, &live),
        diagnostics,
        fingerprint: fingerprint(kinds, observed),
        derived: BTreeMap::new(),
    }
}

/// What has to be done so that nothing of a database remains.
///
/// # Panics
/// As [`plan`] does.
pub fn plan_destroy(kinds: &[Kind], block: &str, observed: &[Observed]) -> Plan {
    let live = by_id(observed.iter().map(|seen| (&seen.id, seen)));
    let actions = live
        .values()
        .filter_map(|seen| Some((seen.id.clone(), decide::unwanted(kind_of(kinds, &seen.id), seen)?)))
        .collect();
    Plan {
        block: block.to_owned(),
        steps: order::steps(kinds, actions, &BTreeMap::new(), &live),
        diagnostics: live.values().filter_map(|seen| decide::left_alone(block, seen)).collect(),
        fingerprint: fingerprint(kinds, observed),
        derived: BTreeMap::new(),
    }
}

/// What no plan deletes although nothing of `desired` wants it, in the order of ids: it outlives its database.
pub fn remaining(kinds: &[Kind], desired: &[Resource], observed: &[Observed]) -> Vec<Id> {
    let ids: BTreeSet<&Id> = observed.iter().filter(|seen| !decide::is_foreign(seen)).map(|seen| &seen.id).collect();
    let is_wanted = |id: &Id| desired.iter().any(|resource| resource.id == *id);
    ids.into_iter().filter(|id| kind_of(kinds, id).outlives && !is_wanted(id)).cloned().collect()
}

fn by_id<'a, T>(entries: impl Iterator<Item = (&'a Id, T)>) -> BTreeMap<&'a Id, T> {
    let mut map = BTreeMap::new();
    for (id, entry) in entries {
        assert!(map.insert(id, entry).is_none(), "{id} is listed twice; ids must be unique");
    }
    map
}

fn kind_of<'a>(kinds: &'a [Kind], id: &Id) -> &'a Kind {
    kinds
        .iter()
        .find(|kind| kind.name == id.kind)
        .unwrap_or_else(|| panic!("{id} is of a kind the provider does not list"))
}
