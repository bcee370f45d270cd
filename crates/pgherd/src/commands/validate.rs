//! `pgherd validate`.

use clap::Args;
use pgherd_core::diagnostic::Severity;
use pgherd_core::text;
use serde::Serialize;

use super::Context;
use crate::args::Blocks;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;

/// Check the files without looking at anything else
///
/// Reads every block, says all that is wrong at your own lines, and needs neither network nor a running database. Works for
/// every target.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    #[command(flatten)]
    blocks: Blocks,
}

#[derive(Debug, Serialize)]
struct Valid {
    databases: Vec<String>,
    warnings: usize,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ValidateArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let specs = databases::resolved(context, &project, &args.blocks, Warnings::Tell)?;
    let warnings = context.printer.told(Severity::Warning);
    let valid = Valid { databases: specs.into_iter().map(|spec| spec.block).collect(), warnings };
    if context.printer.is_json() {
        context.printer.json(&valid)?;
        return Ok(Exit::Done);
    }
    let count = text::count(valid.databases.len(), "database", "databases");
    let warned = text::count(warnings, "warning", "warnings");
    context.printer.result(&format!("{count} valid, {warned}: {}\n", valid.databases.join(", ")))?;
    context.printer.next(&format!("pgherd explain{} shows every setting", context.same_project()));
    Ok(Exit::Done)
}
