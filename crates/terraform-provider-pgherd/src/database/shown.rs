//! What a plan showed of the engine's steps, and whether that is still what would be done.
//!
//! Terraform plans a second time right before it applies, and compares only attributes. So the steps are one: whatever would be done
//! differently by then, or later than it was shown, makes the two plans differ, and Terraform refuses. A destroy is not planned twice:
//! what was shown of it is kept beside the plan, as it is for the moment between the second plan and the apply.

use pgherd_core::plan::saved::SavedBlock;
use pgherd_core::plan::text;
use pgherd_core::spec::Spec;
use pgherd_engine::run::Planned;

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

/// What is kept beside a plan.
pub fn kept(spec: &Spec, planned: &Planned) -> Vec<u8> {
    serde_json::to_vec(&SavedBlock::new(spec, &planned.plan)).expect("texts and lists always serialise")
}

/// Why a plan no longer holds, by what was kept beside it.
pub fn moved(private: &[u8], id: &str, spec: &Spec, planned: &Planned) -> Option<Diagnostic> {
    let shown: SavedBlock = serde_json::from_slice(private).ok()?;
    let moved = shown.steps_moved(&SavedBlock::new(spec, &planned.plan));
    let help = "Nothing was touched. Plan again, look at it, then apply that.";
    (!moved.is_empty())
        .then(|| Diagnostic::error(format!("The plan of {id} no longer holds: {}.", moved.join("; ")), help))
}
