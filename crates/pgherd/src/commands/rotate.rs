//! `pgherd rotate`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases;
use crate::error::{CommandError, Exit};

/// Give the administrator role a new generated password
///
/// Open connections stay. Applications that read the secret when they connect notice nothing.
#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    block: OneBlock,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Rotated {
    database: String,
    role: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &RotateArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let database = databases::one_existing(context, &args.block)?;
    let (name, role) = (&database.spec.name, &database.spec.master_username);
    let rotated = |done| Rotated { database: name.clone(), role: role.clone(), done };
    if args.change.dry_run {
        printer.say(&format!("would give {role} of {name} a new password"));
        return ended(context, &rotated(false), Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &format!("give {role} of {name} a new password"))?;
    let exit = applying::operate(context, &args.change, &[&database], |name| Operation::Rotate { name })?;
    ended(context, &rotated(exit == Exit::Done), exit)
}

fn ended(context: &Context<'_>, rotated: &Rotated, exit: Exit) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let Rotated { database, role, done } = rotated;
    if printer.is_json() {
        printer.json(rotated)?;
    } else if *done {
        printer.result(&format!("{role} of {database} has a new password\n"))?;
        printer.next("applications that keep the password must read the secret again; pgherd env names it");
    }
    Ok(exit)
}
