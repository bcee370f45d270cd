//! `pgherd forget`.

use clap::Args;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::another;
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm};
use crate::databases;
use crate::error::{CommandError, Exit};

/// Leave a database alone from now on
///
/// It goes on as it is, with everything around it; only pgherd's own tags are taken off. No plan changes or deletes it then;
/// pgherd adopt takes it back. On this machine the agent looks after it and its backups as before.
#[derive(Debug, Args)]
pub struct ForgetArgs {
    #[command(flatten)]
    block: OneBlock,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Serialize)]
struct Forgotten {
    database: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ForgetArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (_, database) = another::of_block(context, &args.block)?;
    let database = databases::existing(context, vec![database])?.remove(0);
    let name = &database.spec.name;
    let ended = |done, exit| {
        if printer.is_json() {
            printer.json(&Forgotten { database: name.clone(), done })?;
        } else if done {
            printer.result(&format!("{name} is left alone: it goes on, and no plan touches it\n"))?;
            printer.next("take its block out of the file; pgherd adopt takes it back");
        }
        Ok(exit)
    };
    if args.change.dry_run {
        printer.say(&format!("would leave {name} alone"));
        return ended(false, Exit::Done);
    }
    confirm(printer, &args.change, Weight::Change, &format!("leave {name} alone from now on"))?;
    let spec = &database.spec;
    let exit =
        applying::operate(context, &args.change, &[&database], |_| Operation::Forget { spec: Box::new(spec.clone()) })?;
    ended(exit == Exit::Done, exit)
}
