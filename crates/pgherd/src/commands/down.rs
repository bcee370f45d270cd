//! `pgherd down`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::applying;
use crate::args::{Blocks, Change};
use crate::confirm::{Weight, confirm};
use crate::databases::{self, Database, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;

/// Stop databases of this machine, and keep everything
///
/// `up` starts them again. Asks where the block has deletion protection.
#[derive(Debug, Args)]
pub struct DownArgs {
    #[command(flatten)]
    blocks: Blocks,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Stopped {
    databases: Vec<String>,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &DownArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let global = project.on_this_machine(context.global);
    let context = &Context { global: &global, ..*context };
    let printer = context.printer;
    let databases = databases::bind(context, &project, &args.blocks, Warnings::Leave)?;
    let databases = databases::existing(context, databases)?;
    let names: Vec<String> = databases.iter().map(|database| database.spec.name.clone()).collect();
    if args.change.dry_run {
        printer.say(&format!("would stop {}", names.join(", ")));
        return ended(context, names, Exit::Done, false);
    }
    if databases.iter().any(|database| database.spec.deletion_protection) {
        confirm(printer, &args.change, Weight::Interruption, &format!("stop {}", names.join(", ")))?;
    }
    let each: Vec<&Database> = databases.iter().collect();
    let exit = applying::operate(context, &args.change, &each, |name| Operation::Stop { name })?;
    ended(context, names, exit, exit == Exit::Done)
}

fn ended(context: &Context<'_>, databases: Vec<String>, exit: Exit, done: bool) -> Result<Exit, CommandError> {
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&Stopped { databases, done })?;
    } else if done {
        printer.result(&format!("stopped {}\n", databases.join(", ")))?;
        printer.next(&format!("pgherd up{} starts again, pgherd destroy deletes", context.same_project()));
    }
    Ok(exit)
}
