//! `pgherd destroy`.

use clap::Args;

use super::{Context, apply};
use crate::applying;
use crate::args::{Blocks, Change};
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, Goal};

/// Delete databases and their data
///
/// Asks for the name of each. A last backup is taken first, unless the block says skip_final_snapshot. Refused while
/// enable_deletion_protection holds.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    #[command(flatten)]
    blocks: Blocks,

    #[command(flatten)]
    change: Change,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &DestroyArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (project, databases) = databases::read(context, &args.blocks, Warnings::Leave)?;
    let plans = planning::plan(context, databases, Goal::Destroy)?;
    plans.show(printer, &project)?;
    applying::say_what_remains(context, &plans);
    if plans.summary.is_empty() || args.change.dry_run {
        return apply::dry(context, &plans);
    }
    applying::agree(context, &args.change, &plans)?;
    let exit = applying::carry_out(context, &args.change, &plans)?;
    if printer.is_json() {
        printer.json(&plans.document())?;
    }
    Ok(exit)
}
