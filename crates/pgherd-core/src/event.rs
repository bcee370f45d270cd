//! What happens during an apply, as plain data with several readers. No reader affects the run.

use jiff::Timestamp;
use serde::Serialize;

use crate::resource::Id;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// Label of the block, or empty.
    pub block: String,
    /// Which resource, when it is about one.
    pub id: Option<Id>,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum What {
    /// A step began.
    Started {
        /// `create`, `update` or `delete`.
        action: String,
        /// How long it usually takes, milliseconds, where known.
        expected_ms: Option<u64>,
    },
    /// A step is in a new phase.
    Phase {
        /// In words: `copying template`, `waiting for first query`.
        phase: String,
    },
    /// A step is that far.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all, where known.
        total: Option<u64>,
        /// `bytes`, `rows`, …
        unit: String,
    },
    /// A step is done.
    Finished {
        /// How long it took, milliseconds.
        took_ms: u64,
    },
    /// A step failed.
    Failed {
        /// Why.
        message: String,
    },
    /// A step was not tried because one it needs failed, or the run was stopped.
    Skipped {
        /// Why.
        because: String,
    },
    /// Something worth saying that is no step.
    Said {
        /// In words.
        message: String,
    },
}
