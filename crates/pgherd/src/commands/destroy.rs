//! `pgherd destroy`.

use clap::Args;
use pgherd_engine::run;

use super::{Context, apply};
use crate::applying;
use crate::args::{Blocks, Change};
use crate::confirm::{Weight, confirm};
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, Goal, Plans};

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
    say_what_remains(context, &plans);
    if plans.summary.is_empty() || args.change.dry_run {
        return apply::dry(context, &plans);
    }
    for one in plans.each.iter().filter(|one| !one.planned.plan.steps.is_empty()) {
        let name = &one.database.spec.name;
        confirm(printer, &args.change, Weight::Loss { name }, &format!("delete {name} and all its data"))?;
    }
    let exit = applying::carry_out(context, &args.change, &plans)?;
    if printer.is_json() {
        printer.json(&plans.document())?;
    }
    Ok(exit)
}

/// Says which backup will remain of each database, or that none will.
fn say_what_remains(context: &Context<'_>, plans: &Plans) {
    for one in plans.each.iter().filter(|one| !one.planned.plan.steps.is_empty()) {
        let spec = &one.database.spec;
        match run::deletion(spec, context.now).final_backup {
            Some(backup) => context.printer.say(&format!("{}: a last backup `{backup}` is taken first", spec.name)),
            None => context.printer.warn(&format!("{}: no last backup is taken (skip_final_snapshot)", spec.name)),
        }
    }
}
