//! What a plan showed of the engine's steps, and whether that is still what would be done.
//!
//! Terraform plans a second time right before it applies, and compares only attributes. So the steps are one: whatever would be done
//! differently by then, or later than it was shown, makes the two plans differ, and Terraform refuses. A destroy is not planned twice:
//! what was shown of it is kept beside the plan, as it is for the moment between the second plan and the apply.

use pgherd_core::plan::saved::SavedBlock;
use pgherd_core::plan::text;
use pgherd_core::spec::Spec;
use pgherd_engine::run::Planned;
use serde::{Deserialize, Serialize};

use crate::protocol::{Attribute, Diagnostic, Type, Value};

/// The attribute with the steps.
pub const STEPS: &str = "steps";
/// What stands beside a state that nothing but an import has written.
pub const IMPORTED: &[u8] = b"imported";

/// The attribute.
pub fn attribute() -> Attribute {
    let meaning = "What the plan does, or the last one did, line by line: what changes, when, and what users of the database notice.";
    Attribute::computed(STEPS, Type::list(Type::Text), meaning)
}

/// The steps as they are shown. No secret is among them.
pub fn steps(planned: &Planned) -> Value {
    let lines = text::lines(&planned.plan, false);
    Value::List(lines.into_iter().map(|line| Value::text(line.text.trim())).collect())
}

/// What stands beside a plan.
#[derive(Serialize, Deserialize)]
struct Beside {
    #[serde(flatten)]
    shown: SavedBlock,
    /// The settings of which the state keeps its own words.
    #[serde(default)]
    reworded: Vec<String>,
}

/// What is kept beside a plan, with the settings that it says in other words than they are written in.
pub fn kept(spec: &Spec, planned: &Planned, reworded: Vec<String>) -> Vec<u8> {
    let beside = Beside { shown: SavedBlock::new(spec, &planned.plan), reworded };
    serde_json::to_vec(&beside).expect("texts and lists always serialise")
}

/// Those settings.
pub fn reworded(private: &[u8]) -> Vec<String> {
    serde_json::from_slice(private).map_or_else(|_| Vec::new(), |beside: Beside| beside.reworded)
}

/// Why a plan no longer holds, by what was kept beside it. Of a create or a destroy a part may have come to its end by itself.
pub fn moved(private: &[u8], id: &str, spec: &Spec, planned: &Planned, may_be_less: bool) -> Option<Diagnostic> {
    let Beside { mut shown, .. } = serde_json::from_slice(private).ok()?;
    let now = SavedBlock::new(spec, &planned.plan);
    if may_be_less {
        shown.steps.retain(|step| now.steps.iter().any(|left| left.id == step.id));
    }
    let moved = shown.steps_moved(&now);
    let help = "Nothing was touched. Plan again, look at it, then apply that.";
    (!moved.is_empty())
        .then(|| Diagnostic::error(format!("The plan of {id} no longer holds: {}.", moved.join("; ")), help))
}
