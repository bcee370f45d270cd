//! `pgherd plan`.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use pgherd_core::plan::saved::{Asked, SavedBlock, SavedPlan};

use super::{Context, compare};
use crate::args::Blocks;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, Goal, Plans};

/// Show what apply would do, when, and whom it interrupts
///
/// Looks at what exists and changes nothing. With several targets (`--provider aws,digitalocean`) nobody is asked: it shows side by side
/// what the blocks come to on each: sizes, what differs, what is refused.
#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    blocks: Blocks,

    /// Plan without waiting for the maintenance window, as `apply --now` would
    #[arg(long)]
    now: bool,

    /// Plan the end of the databases, as `destroy` would
    #[arg(long, conflicts_with = "now")]
    destroy: bool,

    /// Keep the plan in a file; `pgherd apply FILE` does exactly this, or refuses when something moved
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Exit with 2 when there are changes
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &PlanArgs) -> Result<Exit, CommandError> {
    if let several @ [_, _, ..] = context.global.providers.as_slice() {
        if args.now || args.destroy || args.out.is_some() {
            let words = "several targets are compared, and nothing of that is timed, destroyed or kept";
            return Err(
                CommandError::failed(words).hint("leave --now, --destroy and --out out, or name one --provider")
            );
        }
        return compare::run(context, &args.blocks, several);
    }
    let (project, databases) = databases::read(context, &args.blocks, Warnings::Tell)?;
    let goal = if args.destroy { Goal::Destroy } else { Goal::Apply { now: args.now } };
    let plans = planning::plan(context, databases, goal)?;
    let printer = context.printer;
    plans.show(printer, &project)?;
    if let Some(out) = &args.out {
        save(context, &plans, goal, out)?;
    }
    if printer.is_json() {
        printer.json(&plans.document())?;
    }
    if plans.summary.is_empty() {
        return Ok(Exit::Done);
    }
    printer.next(&match &args.out {
        Some(out) => format!("pgherd apply {}", out.display()),
        None => format!("pgherd {}{}", if args.destroy { "destroy" } else { "apply" }, context.same_project()),
    });
    Ok(if args.detailed_exitcode { Exit::Changes } else { Exit::Done })
}

fn save(context: &Context<'_>, plans: &Plans, goal: Goal, file: &Path) -> Result<(), CommandError> {
    let asked = Asked {
        destroy: goal == Goal::Destroy,
        apply_now: goal == Goal::Apply { now: true },
        allow_data_loss: goal == Goal::Destroy,
        provider: context.global.provider.map(|provider| provider.name().to_owned()),
    };
    let saved = SavedPlan::new(env!("CARGO_PKG_VERSION"), context.now, asked, blocks(plans));
    fs::write(file, saved.write())
        .map_err(|cause| CommandError::io(format!("{} cannot be written", file.display()), &cause))
}

/// What is kept of plans, and what they are compared with again.
pub fn blocks(plans: &Plans) -> Vec<SavedBlock> {
    plans.each.iter().map(|one| SavedBlock::new(&one.database.spec, &one.planned.plan)).collect()
}
