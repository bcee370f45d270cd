//! `pgherd up`.

use clap::Args;
use futures_util::{StreamExt as _, stream};
use pgherd_engine::provider::{self, Operation, ProviderError};

use super::{Context, apply};
use crate::applying;
use crate::args::{Blocks, Change};
use crate::confirm::Weight;
use crate::databases::{self, Database, Warnings};
use crate::error::{CommandError, Exit};
use crate::planning::{self, AT_ONCE, Asked, Goal, PlannedDatabase, Plans};
use crate::project::Project;
use crate::targets;

/// Bring databases up on this machine
///
/// Plan and apply in one, whatever cloud the blocks name. Starts what `down` stopped. Asks only before a restart; what would
/// interrupt nobody is done at once.
#[derive(Debug, Args)]
pub struct UpArgs {
    #[command(flatten)]
    blocks: Blocks,

    /// Do what needs a restart now rather than in the maintenance window
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    change: Change,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &UpArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let global = project.on_this_machine(context.global);
    let context = &Context { global: &global, ..*context };
    let printer = context.printer;
    let databases = databases::bind(context, &project, &args.blocks, Warnings::Tell)?;
    let plans = planning::plan_to_do(context, databases, Goal::Apply { now: args.now }, &args.change, Asked::Perhaps)?;
    plans.show(printer, &project)?;
    let resting: Vec<&Database> =
        plans.each.iter().filter(|one| one.may_be_stopped()).map(|one| &one.database).collect();
    if args.change.dry_run {
        for database in resting {
            printer.say(&format!("would start {}", database.spec.name));
        }
        return apply::dry(context, &plans);
    }
    if plans.each.iter().any(PlannedDatabase::loses_data) {
        return Err(CommandError::refused("up deletes no data").hint("pgherd apply asks for the name and does it"));
    }
    if applying::weight(plans.summary.worst_now) == Weight::Interruption {
        applying::agree(context, &args.change, &[], &plans)?;
    }
    let mut exit = Exit::Done;
    if !plans.summary.is_empty() {
        exit = applying::carry_out(context, &args.change, &plans)?;
    }
    if !resting.is_empty() {
        let started = applying::operate(context, &args.change, &resting, |name| Operation::Start { name })?;
        exit = if exit == Exit::Done { started } else { exit };
    }
    if args.change.no_wait {
        apply::dry(context, &plans)?;
    } else {
        greet(context, &plans)?;
    }
    Ok(exit)
}

/// Says how to connect.
fn greet(context: &Context<'_>, plans: &Plans) -> Result<(), CommandError> {
    let printer = context.printer;
    if printer.is_json() {
        return printer.json(&plans.document());
    }
    let several = plans.each.len() > 1;
    let each = plans.each.iter().map(async |one| {
        let PlannedDatabase { database: Database { provider, spec, .. }, planned, .. } = one;
        // Nothing was done to it since it was looked at.
        if planned.plan.steps.is_empty() && !one.may_be_stopped() {
            return Ok(provider::address_in(&provider.outputs(spec, &planned.observed)));
        }
        provider.address(spec).await
    });
    let addresses: Vec<Result<_, ProviderError>> = targets::wait_for(stream::iter(each).buffered(AT_ONCE).collect())?;
    for (PlannedDatabase { database, .. }, address) in plans.each.iter().zip(addresses) {
        let spec = &database.spec;
        printer.result(&format!("{} is up: {}\n", spec.name, address?.as_deref().unwrap_or("no address yet")))?;
        let label = if several { format!(" {}", spec.block) } else { String::new() };
        printer.next(&format!("pgherd connect{label}{}", context.same_project()));
    }
    Ok(())
}
