//! `pgherd backup`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases;
use crate::error::{CommandError, Exit};

/// Take a backup of a database now
///
/// It is kept until somebody deletes it, whatever backup_retention_period says, and when the database is destroyed. On this machine it
/// is a verified copy in the repository of the state folder, taken from the standby when there is one; on aws a snapshot of RDS, which is
/// billed by what it holds.
#[derive(Debug, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Name of the backup [default: the database's and the time]
    #[arg(long = "as", value_name = "NAME")]
    label: Option<String>,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct BackedUp {
    database: String,
    /// What the backup is called.
    backup: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &BackupArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let database = databases::one_existing(context, &args.block)?;
    let name = &database.spec.name;
    let label = args.label.clone().unwrap_or_else(|| format!("{name}-{}", context.now.strftime("%Y%m%dt%H%M%Sz")));
    let operation = |name| Operation::Backup { name, label: Some(label.clone()) };
    database.provider.can(&operation(name.clone()))?;
    let backed_up = |done| BackedUp { database: name.clone(), backup: label.clone(), done };
    if args.change.dry_run {
        printer.say(&format!("would back up {name} as {label}"));
        return ended(context, &backed_up(false), Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &format!("back up {name} as {label}"))?;
    let exit = applying::operate(context, &args.change, &[&database], operation)?;
    ended(context, &backed_up(exit == Exit::Done), exit)
}

fn ended(context: &Context<'_>, backed_up: &BackedUp, exit: Exit) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let BackedUp { database, backup, done } = backed_up;
    if printer.is_json() {
        printer.json(backed_up)?;
    } else if *done {
        printer.result(&format!("{database} is backed up as {backup}\n"))?;
        printer.next(&format!("pgherd backups{} lists what there is", context.same_project()));
    }
    Ok(exit)
}
