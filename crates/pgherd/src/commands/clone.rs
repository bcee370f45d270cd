//! `pgherd clone`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::{Context, restore};
use crate::another::{self, Place};
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases;
use crate::error::{CommandError, Exit};

/// Make a database that holds what another one holds
///
/// The other one is not touched. The new one is as its block says, under its own name and with a password of its own. On this machine
/// it is copied as it is now, and needs no backup. On AWS it holds what the other one did at the latest moment that RDS can restore, at most about five minutes ago. Repeating the command goes on
/// where it stopped.
#[derive(Debug, Args)]
pub struct CloneArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Name of the new database
    #[arg(long = "as", value_name = "NAME")]
    to: String,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Cloned {
    /// The one that was copied.
    database: String,
    /// The new one.
    cloned: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
    #[serde(flatten)]
    place: Place,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &CloneArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (project, database) = another::of_block(context, &args.block)?;
    let database = databases::existing(context, vec![database])?.remove(0);
    let name = &database.spec.name;
    let to = another::called(context, &project, &database.spec, &args.to)?;
    let doing = format!("clone {name} as {}", to.name);
    let ended = |done, place, exit| {
        let cloned = Cloned { database: name.clone(), cloned: to.name.clone(), done, place };
        if printer.is_json() {
            printer.json(&cloned)?;
        } else if done {
            printer.result(&format!("{} is a clone of {name}{}\n", to.name, cloned.place.words()))?;
            restore::next(context, &database, &to.name);
        }
        Ok(exit)
    };
    another::show(context, &project, &to)?;
    if args.change.dry_run {
        printer.say(&format!("would {doing}"));
        return ended(false, Place::default(), Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &doing)?;
    let operation = |name| Operation::Clone { name, to: Box::new(to.clone()) };
    let exit = applying::operate(context, &args.change, &[&database], operation)?;
    let place = if exit == Exit::Done { another::place(&database, &to)? } else { Place::default() };
    ended(exit == Exit::Done, place, exit)
}
