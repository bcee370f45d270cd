//! `pgherd drill`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases;
use crate::error::{CommandError, Exit};

/// Restore the newest backup of a database for practice
///
/// The backup and all of the log after it are recovered in a place of their own, looked at and removed again; the database goes on
/// meanwhile. pgherd status shows when that was last done and how long it took. A backup that nobody has restored is a hope.
#[derive(Debug, Args)]
pub struct DrillArgs {
    #[command(flatten)]
    block: OneBlock,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Drilled {
    database: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &DrillArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let database = databases::one_existing(context, &args.block)?;
    let name = &database.spec.name;
    let operation = |name| Operation::Drill { name };
    database.provider.can(&operation(name.clone()))?;
    let doing = format!("restore the newest backup of {name} for practice");
    if args.change.dry_run {
        printer.say(&format!("would {doing}"));
        return ended(context, &Drilled { database: name.clone(), done: false }, Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &doing)?;
    let exit = applying::operate(context, &args.change, &[&database], operation)?;
    ended(context, &Drilled { database: name.clone(), done: exit == Exit::Done }, exit)
}

fn ended(context: &Context<'_>, drilled: &Drilled, exit: Exit) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let Drilled { database, done } = drilled;
    if printer.is_json() {
        printer.json(drilled)?;
    } else if *done {
        printer.result(&format!("the newest backup of {database} can be restored\n"))?;
        printer.next(&format!("pgherd status{} shows how long it took", context.same_project()));
    }
    Ok(exit)
}
