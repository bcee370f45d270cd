//! Desired and observed make a plan. Pure; there is no verb that replaces.

use jiff::Timestamp;
use serde::Serialize;

use crate::diagnostic::Diagnostic;
use crate::resource::{Id, Impact, Resource};
use crate::value::Value;

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
    /// Make it.
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
    },
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The provider's own name, with the key for maps: `parameters.max_connections`.
    pub field: String,
    /// What it is.
    pub from: Value,
    /// What it should be.
    pub to: Value,
    /// What changing it does to users.
    pub impact: Impact,
    /// When it takes effect.
    pub when: When,
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
}
