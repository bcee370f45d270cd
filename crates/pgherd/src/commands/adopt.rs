//! `pgherd adopt`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use pgherd_core::secret::Secret;
use pgherd_core::spec::{Setting, Spec};
use pgherd_engine::provider::Operation;
use serde::Serialize;
use zeroize::Zeroizing;

use super::Context;
use crate::another;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::error::{CommandError, Exit};

/// Take over a database that exists
///
/// It must be as its block says, replicas, alarms and all: what differs is listed, and then nothing is done. Otherwise it is tagged as
/// the block's, and the next plan is empty. No password is changed; one that is in no secret of the block's is read from a file.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    #[command(flatten)]
    block: OneBlock,

    /// A file with the password of the administrator, where the secret of the block is not there yet
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Adopted {
    database: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &AdoptArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (_, database) = another::of_block(context, &args.block)?;
    let name = &database.spec.name;
    let spec = with_password(&database.spec, args.password_file.as_ref())?;
    let ended = |done, exit| {
        if printer.is_json() {
            printer.json(&Adopted { database: name.clone(), done })?;
        } else if done {
            printer.result(&format!("{name} is pgherd's, and as its block says\n"))?;
        }
        Ok(exit)
    };
    if args.change.dry_run {
        printer.say(&format!("would take {name} over if it is as its block says"));
        return ended(false, Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &format!("take {name} over if it is as its block says"))?;
    let exit =
        applying::operate(context, &args.change, &[&database], |_| Operation::Adopt { spec: Box::new(spec.clone()) })?;
    ended(exit == Exit::Done, exit)
}

/// The block, with the password in a file: its first line.
fn with_password(spec: &Spec, file: Option<&PathBuf>) -> Result<Spec, CommandError> {
    let Some(file) = file else { return Ok(spec.clone()) };
    let unreadable = |cause| CommandError::io(format!("{} cannot be read", file.display()), &cause);
    let text = Zeroizing::new(fs::read_to_string(file).map_err(unreadable)?);
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(CommandError::failed(format!("there is no password in {}", file.display()))
            .hint("its first line is the password"));
    }
    Ok(Spec { master_password: Setting::Known(Secret::new(password)), ..spec.clone() })
}
