//! What is to be known before anything is done.

use std::collections::BTreeSet;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::{Change, Plan, Step, When};
use pgherd_core::value::Value;
use pgherd_core::version::Version;

use crate::kinds::instance;

/// Whether what a plan does has to be asked for by name. Pure.
pub(crate) fn of_plan(plan: &Plan, accepted: &BTreeSet<String>) -> Vec<Diagnostic> {
    let steps = plan.steps.iter().filter(|step| step.id.kind == instance::NAME);
    steps.filter_map(|step| major_upgrade(plan, step)).map(|told| told.acknowledged(accepted)).collect()
}

/// Another major takes as long as it takes, ends with planner statistics to be gathered anew, and is not taken back.
fn major_upgrade(plan: &Plan, step: &Step) -> Option<Diagnostic> {
    let change = step.action.changes().iter().find(|change| change.field == "EngineVersion")?;
    let Change { from, to, .. } = change;
    let major = |value: &Value| Version::parse(value.as_text()?).map(|version| version.major);
    let (from, to) = (major(from)?, major(to)?);
    let message = format!("{} goes from PostgreSQL {from} to {to}, which RDS cannot take back", step.id.name);
    let help = match change.when {
        When::Now => "try it on a copy first; a snapshot is taken before it begins",
        // One of today would be out of date by then.
        When::Window { .. } | When::Restart => {
            "try it on a copy first; in the window RDS takes a snapshot before it begins where backups are kept, and `apply --now` \
             always takes one"
        }
    };
    (from != to).then(|| Diagnostic::error("major-upgrade", message).at(&plan.block, "engine_version").help(help))
}
