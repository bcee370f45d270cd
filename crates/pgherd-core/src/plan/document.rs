//! A plan as `plan --json` shows it: one stable, versioned document of plain JSON.

use serde::{Deserialize, Serialize};

use super::Plan;

/// The plan of one block as a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanDocument {
    /// Label of the block.
    pub block: String,
}

/// A plan as a document.
pub fn of(plan: &Plan) -> PlanDocument {
    PlanDocument { block: plan.block.clone() }
}
