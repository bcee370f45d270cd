//! `pgherd apply`.

use std::fs;
use std::path::Path;

use clap::Args;
use pgherd_core::cloud::Cloud;
use pgherd_core::plan::saved::SavedPlan;

use super::{Context, plan};
use crate::applying;
use crate::args::{Blocks, Change, Global};
use crate::connection;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, Asked, Goal, PlannedDatabase, Plans};
use crate::project::Project;
use crate::remaining;

/// Make databases what their blocks say
///
/// Shows the plan, asks, and does it. Restarts wait for the maintenance window unless --now is given. Safe to repeat: a run
/// that was cut short is finished by the next one.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Labels of the blocks, or the file of a saved plan [default: all blocks of the file]
    #[arg(value_name = "BLOCK|PLAN")]
    what: Vec<String>,

    /// Label of a block, as a flag; may be repeated
    #[arg(short, long = "block", value_name = "BLOCK")]
    by_flag: Vec<String>,

    /// Do what needs a restart now rather than in the maintenance window
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    change: Change,

    /// Answer the question for the name of a database that a saved plan deletes; may be repeated
    #[arg(long, value_name = "NAME")]
    confirm: Vec<String>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ApplyArgs) -> Result<Exit, CommandError> {
    if let ([only], []) = (args.what.as_slice(), args.by_flag.as_slice())
        && Path::new(only).is_file()
    {
        return saved(context, args, Path::new(only));
    }
    let blocks = Blocks { blocks: args.what.clone(), by_flag: args.by_flag.clone() };
    let (project, databases) = databases::read(context, &blocks, Warnings::Tell)?;
    let plans = planning::plan_to_do(context, databases, Goal::Apply { now: args.now }, &args.change, Asked::Always)?;
    show_and_do(context, args, &project, &plans)
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
    let blocks = Blocks::of(saved.blocks.iter().map(|block| block.block.clone()));
    let (project, databases) = databases::read(&context, &blocks, Warnings::Tell)?;
    let goal = if asked.destroy { Goal::Destroy } else { Goal::Apply { now: asked.apply_now || args.now } };
    let plans = planning::plan_to_do(&context, databases, goal, &args.change, Asked::Always)?;
    let moved = saved.moved(&plan::blocks(&plans));
    if !moved.is_empty() {
        context.printer.diagnostics(project.locate(&moved));
        return Err(CommandError::refused("the saved plan no longer fits; nothing was touched")
            .hint(format!("pgherd plan -o {} makes a new one", file.display())));
    }
    show_and_do(&context, args, &project, &plans)
}

/// Shows the plans, asks, does them.
fn show_and_do(
    context: &Context<'_>,
    args: &ApplyArgs,
    project: &Project,
    plans: &Plans,
) -> Result<Exit, CommandError> {
    let printer = context.printer;
    plans.show(printer, project)?;
    remaining::announce(context, plans);
    if plans.summary.is_empty() || args.change.dry_run {
        return dry(context, plans);
    }
    applying::agree(context, &args.change, &args.confirm, plans)?;
    let exit = applying::carry_out(context, &args.change, plans)?;
    for one in plans.each.iter().filter(|one| exit == Exit::Done && one.makes_data()) {
        connection::tell_of_certificates(context, &one.database);
    }
    if printer.is_json() {
        printer.json(&remaining::document(context, plans, remaining::When::after(exit))?)?;
    } else {
        if exit == Exit::Done {
            remaining::tell(context, plans)?;
        }
        let is_here = |one: &PlannedDatabase| one.database.spec.target == Cloud::Local;
        let verb = if plans.each.iter().all(is_here) { "status" } else { "output" };
        printer.next(&format!("pgherd {verb}{}", context.same_project()));
    }
    Ok(exit)
}

/// Ends a command that had nothing to do, or was not to do it.
pub fn dry(context: &Context<'_>, plans: &Plans) -> Result<Exit, CommandError> {
    if context.printer.is_json() {
        context.printer.json(&remaining::document(context, plans, remaining::When::Beforehand)?)?;
    }
    Ok(Exit::Done)
}
