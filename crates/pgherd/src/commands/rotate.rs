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
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &RotateArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let database = databases::one_existing(context, &args.block)?;
    let (name, role) = (database.spec.name.clone(), database.spec.master_username.clone());
    if args.change.dry_run {
        printer.say(&format!("would give {role} of {name} a new password"));
        return Ok(Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &format!("give {role} of {name} a new password"))?;
    if applying::operate(context, &args.change, &[&database], |name| Operation::Rotate { name })? == Exit::Pending {
        return Ok(Exit::Pending);
    }
    if printer.is_json() {
        printer.json(&Rotated { database: name, role })?;
    } else {
        printer.result(&format!("{role} of {name} has a new password\n"))?;
        printer.next("applications that keep the password must read the secret again; pgherd env names it");
    }
    Ok(Exit::Done)
}
