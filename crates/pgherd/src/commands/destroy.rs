//! `pgherd destroy`.

use clap::Args;

use super::{Context, apply};
use crate::applying;
use crate::args::{Blocks, Change};
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning;
use crate::remaining;

const AFTER_HELP: &str = "\
A last backup outlives its database and is restored by the same block:
  pgherd restore --as again --backup BACKUP";

/// Delete databases and their data
///
/// Asks for the name of each. A last backup is taken first, unless the block says skip_final_snapshot. Refused while
/// enable_deletion_protection holds.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER_HELP)]
// A question for a name is not answered by --yes; whoever gives it is told what does.
#[command(mut_arg("yes", |flag| flag.hide(true)))]
pub struct DestroyArgs {
    #[command(flatten)]
    blocks: Blocks,

    #[command(flatten)]
    change: Change,

    /// Answer the question for the name of the database; may be repeated
    #[arg(long, value_name = "NAME")]
    confirm: Vec<String>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &DestroyArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (project, databases) = databases::read(context, &args.blocks, Warnings::Leave)?;
    let plans = planning::plan_destroy(context, databases, &args.change)?;
    plans.show(printer, &project)?;
    remaining::announce(context, &plans);
    if plans.summary.is_empty() || args.change.dry_run {
        return apply::dry(context, &plans);
    }
    applying::agree(context, &args.change, &args.confirm, &plans)?;
    let exit = applying::carry_out(context, &args.change, &plans)?;
    if printer.is_json() {
        printer.json(&remaining::document(context, &plans, remaining::When::after(exit))?)?;
    } else if exit == Exit::Done {
        remaining::tell(context, &plans)?;
    }
    Ok(exit)
}
