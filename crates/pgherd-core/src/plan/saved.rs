//! A plan kept in a file until it is applied, and whether it still holds.
//!
//! A saved plan holds no secret and is not what apply carries out: the blocks are read and planned again, and the result
//! must be what was saved. So nothing that was edited into the file is ever done.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Plan;
use super::document::{self, PlanDocument};
use super::fingerprint::digest;
use crate::diagnostic::Diagnostic;
use crate::spec::Spec;

/// Version of the format of a saved plan.
pub const FORMAT: u32 = 1;

/// A plan kept in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// Version of this format.
    pub format: u32,
    /// Version of the pgherd that made it.
    pub pgherd: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// How it was asked for, so that apply asks the same way.
    pub asked: Asked,
    /// The plan of each block.
    pub blocks: Vec<SavedBlock>,
}

/// How a plan was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Whether it destroys.
    pub destroy: bool,
    /// Whether restarts do not wait for the window.
    pub apply_now: bool,
    /// Whether what holds data may be deleted.
    pub allow_data_loss: bool,
    /// The target that was asked for instead of the block's own.
    pub provider: Option<String>,
}

/// The plan of one block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedBlock {
    /// Hash of what the block meant, secrets left out.
    pub spec: String,
    /// Fingerprint of what was observed.
    pub fingerprint: String,
    /// The plan, as `plan --json` shows it.
    pub plan: PlanDocument,
}

impl SavedBlock {
    /// What is kept of a plan.
    pub fn new(spec: &Spec, plan: &Plan) -> Self {
        Self { spec: digest(spec), fingerprint: plan.fingerprint.clone(), plan: document::of(plan) }
    }
}

impl SavedPlan {
    /// What has moved since it was made, in the form of errors; nothing when it still holds. `current` are the same blocks,
    /// read, observed and planned again the way the saved plan was [`Asked`] for.
    pub fn moved(&self, current: &[SavedBlock]) -> Vec<Diagnostic> {
        if self.blocks == current {
            return Vec::new();
        }
        vec![Diagnostic::error("stale-plan", "the saved plan no longer holds").help("make a new plan and look at it")]
    }
}
