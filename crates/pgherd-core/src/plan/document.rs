//! A plan as `plan --json` shows it: one stable, versioned document of plain JSON.
//!
//! Invariant: within one [`FORMAT`] fields are only ever added.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Action, Change, Plan, Step, When};
use crate::diagnostic::Diagnostic;
use crate::lint::{self, Summary};
use crate::resource::{Id, Impact};
use crate::value::Value;

/// Version of the document.
pub const FORMAT: u32 = 1;

/// What `plan --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Document {
    /// Version of this format: [`FORMAT`].
    pub format: u32,
    /// Version of the pgherd that made it.
    pub pgherd: String,
    /// A plan for each block.
    pub plans: Vec<PlanDocument>,
    /// All of them in figures.
    pub summary: Summary,
}

/// The plan of one block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanDocument {
    /// Label of the block.
    pub block: String,
    /// What would be done, in order.
    pub steps: Vec<StepDocument>,
    /// What stops it and what should be known.
    pub diagnostics: Vec<Diagnostic>,
    /// Fingerprint of what was observed.
    pub fingerprint: String,
    /// The plan in figures.
    pub summary: Summary,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepDocument {
    /// Which resource.
    pub id: Id,
    /// `create`, `update` or `delete`.
    pub action: String,
    /// Steps that must have succeeded before.
    pub needs: Vec<Id>,
    /// What is created, in the provider's own field names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub props: BTreeMap<String, Json>,
    /// What is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ChangeDocument>,
    /// What is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletes: Option<DeleteDocument>,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeDocument {
    /// The provider's own name, with the key for maps.
    pub field: String,
    /// What it is.
    pub from: Json,
    /// What it should be.
    pub to: Json,
    /// What changing it does to users.
    pub impact: Impact,
    /// `now`, `window` or `restart`.
    pub when: String,
    /// Opening of the window, where it waits for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opens: Option<Timestamp>,
}

/// What deleting a resource means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteDocument {
    /// Whether users' data goes with it.
    pub holds_data: bool,
    /// Whether the target refuses to delete it as it stands.
    pub protected: bool,
}

/// The document of some plans, made by this version of pgherd.
pub fn document(pgherd: &str, plans: &[Plan]) -> Document {
    Document {
        format: FORMAT,
        pgherd: pgherd.to_owned(),
        plans: plans.iter().map(plan).collect(),
        summary: lint::summary(plans),
    }
}

fn plan(plan: &Plan) -> PlanDocument {
    PlanDocument {
        block: plan.block.clone(),
        steps: plan.steps.iter().map(step).collect(),
        diagnostics: plan.diagnostics.clone(),
        fingerprint: plan.fingerprint.clone(),
        summary: lint::summary([plan]),
    }
}

pub(super) fn step(step: &Step) -> StepDocument {
    let props = match &step.action {
        Action::Create { resource } => {
            resource.props.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
        }
        Action::Update { .. } | Action::Delete { .. } => BTreeMap::new(),
    };
    let deletes = match step.action {
        Action::Delete { holds_data, protected } => Some(DeleteDocument { holds_data, protected }),
        Action::Create { .. } | Action::Update { .. } => None,
    };
    StepDocument {
        id: step.id.clone(),
        action: step.action.verb().to_owned(),
        needs: step.needs.clone(),
        props,
        changes: step.action.changes().iter().map(change).collect(),
        deletes,
    }
}

fn change(change: &Change) -> ChangeDocument {
    let (when, opens) = match change.when {
        When::Now => ("now", None),
        When::Window { opens } => ("window", Some(opens)),
        When::Restart => ("restart", None),
    };
    ChangeDocument {
        field: change.field.clone(),
        from: plain(&change.from),
        to: plain(&change.to),
        impact: change.impact,
        when: when.to_owned(),
        opens,
    }
}

/// Plain JSON. Secrets, unknown references and late values become the texts that a plan shows for them.
fn plain(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::from(*bool),
        Value::Int(int) => Json::from(*int),
        Value::Float(float) => Json::from(*float),
        Value::Text(text) => Json::from(text.as_str()),
        Value::List(list) => list.iter().map(plain).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), plain(value))).collect(),
        Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => Json::from(value.to_string()),
    }
}
