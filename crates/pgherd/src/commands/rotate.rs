//! `pgherd rotate`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases::{self, Database};
use crate::error::{CommandError, Exit};
use crate::targets;

/// Give the administrator role a new generated password, or backups a new key
///
/// Open connections stay. Applications that read the secret when they connect notice nothing.
#[derive(Debug, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Encrypt what is stored of all local databases with a new key from now on, and leave the password alone. The keys of
    /// before stay, to read what they encrypted
    #[arg(long)]
    backup_key: bool,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct NewKey {
    database: String,
    /// `false`: only shown (--dry-run).
    done: bool,
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
    if args.backup_key {
        return new_key(context, args, &database);
    }
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

fn new_key(context: &Context<'_>, args: &RotateArgs, database: &Database) -> Result<Exit, CommandError> {
    let (printer, name, encrypted) = (context.printer, database.spec.name.clone(), database.spec.backup.encrypted);
    if !database.is_here() {
        let target = database.spec.target.name();
        return Err(CommandError::failed(format!("backups on {target} are encrypted by {target} itself"))
            .hint("its own keys are rotated there"));
    }
    if !args.change.dry_run {
        confirm(printer, &args.change, Weight::Change, "encrypt backups of this machine with a new key")?;
        targets::wait_for(async {
            let agent = targets::local(context.global)?.agent_to_look().await?;
            let agent = agent.ok_or_else(|| CommandError::not_found("no agent runs here"))?;
            agent.operate(&name, "rotate-backup-key", |_| {}).await.map_err(CommandError::from)
        })??;
    }
    let done = !args.change.dry_run;
    if printer.is_json() {
        printer.json(&NewKey { database: name, done })?;
    } else if done {
        printer.result(if encrypted {
            "what is stored from now on is encrypted with a new key\n"
        } else {
            "there is a new key for backups of this machine; those of this database are not encrypted\n"
        })?;
        printer.next("keep a copy of backup.keys of the state folder elsewhere: without it, what is encrypted from now on cannot be read");
    } else {
        printer.say("would encrypt backups of this machine with a new key");
    }
    Ok(Exit::Done)
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
