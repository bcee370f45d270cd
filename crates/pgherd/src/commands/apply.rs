//! `pgherd apply`.

use std::fs;
use std::path::Path;

use clap::Args;
use pgherd_core::cloud::Cloud;
use pgherd_core::plan::saved::SavedPlan;

use super::{Context, plan};
use crate::applying;
use crate::args::{Blocks, Change, Global};
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, Goal, Plans};
use crate::project::Project;

/// Make databases what their blocks say
///
/// Shows the plan, asks, and does it. Restarts wait for the maintenance window unless --now is given. Safe to repeat: a run
/// that was cut short is finished by the next one.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Labels of the blocks, or the file of a saved plan [default: all blocks of the file]
    #[arg(value_name = "BLOCK|PLAN")]
    what: Vec<String>,

    /// Do what needs a restart now rather than in the maintenance window
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    change: Change,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ApplyArgs) -> Result<Exit, CommandError> {
    if let [only] = args.what.as_slice()
        && Path::new(only).is_file()
    {
        return saved(context, args, Path::new(only));
    }
    let (project, databases) = databases::read(context, &Blocks { blocks: args.what.clone() }, Warnings::Tell)?;
    let plans = planning::plan(context, databases, Goal::Apply { now: args.now })?;
    show_and_do(context, &args.change, &project, &plans)
}

/// A saved plan is made again from the same blocks, and done when it is still the same.
fn saved(context: &Context<'_>, args: &ApplyArgs, file: &Path) -> Result<Exit, CommandError> {
    let text = fs::read_to_string(file)
        .map_err(|cause| CommandError::io(format!("{} cannot be read", file.display()), &cause))?;
    let saved = SavedPlan::read(&text).map_err(|diagnostic| {
        CommandError::failed(format!("{}: {}", file.display(), diagnostic.message)).hint(diagnostic.help)
    })?;
    let asked = &saved.asked;
    let provider = asked.provider.as_deref().and_then(Cloud::from_name);
    let global = Global { provider: provider.or(context.global.provider), ..context.global.clone() };
    let context = Context { global: &global, ..*context };
    let blocks = Blocks { blocks: saved.blocks.iter().map(|block| block.block.clone()).collect() };
    let (project, databases) = databases::read(&context, &blocks, Warnings::Tell)?;
    let goal = if asked.destroy { Goal::Destroy } else { Goal::Apply { now: asked.apply_now || args.now } };
    let plans = planning::plan(&context, databases, goal)?;
    let moved = saved.moved(&plan::blocks(&plans));
    if !moved.is_empty() {
        context.printer.diagnostics(project.locate(&moved));
        return Err(CommandError::refused("the saved plan no longer fits; nothing was touched")
            .hint(format!("pgherd plan -o {} makes a new one", file.display())));
    }
    show_and_do(&context, &args.change, &project, &plans)
}

/// Shows the plans, asks, does them.
pub fn show_and_do(
    context: &Context<'_>,
    change: &Change,
    project: &Project,
    plans: &Plans,
) -> Result<Exit, CommandError> {
    let printer = context.printer;
    plans.show(printer, project)?;
    if plans.summary.is_empty() || change.dry_run {
        return dry(context, plans);
    }
    applying::say_what_remains(context, plans);
    applying::agree(context, change, plans)?;
    let exit = applying::carry_out(context, change, plans)?;
    if printer.is_json() {
        printer.json(&plans.document())?;
    } else {
        printer.next(&format!("pgherd status{}", context.same_project()));
    }
    Ok(exit)
}

/// Ends a command that had nothing to do, or was not to do it.
pub fn dry(context: &Context<'_>, plans: &Plans) -> Result<Exit, CommandError> {
    if context.printer.is_json() {
        context.printer.json(&plans.document())?;
    }
    Ok(Exit::Done)
}
