//! A standby takes over because somebody asked for it: what `failover` and `switchover` have in common.

use std::fmt;

use pgherd_engine::provider::Operation;
use pgherd_local::supervisor::messages::FailoverReport;
use serde::Serialize;

use crate::applying;
use crate::args::{Change, OneBlock};
use crate::commands::Context;
use crate::confirm::{Weight, confirm};
use crate::databases::{self, Database};
use crate::error::{CommandError, Exit};
use crate::targets;

/// One way of taking over.
pub struct Takeover<'a> {
    /// What is done to the instance of a name, in words.
    pub doing: &'a dyn Fn(&str) -> String,
    /// How the target is told.
    pub operation: &'a dyn Fn(String) -> Operation,
}

impl fmt::Debug for Takeover<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize)]
struct TakenOver {
    database: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
    /// How it went; `None` unless it is done.
    takeover: Option<FailoverReport>,
}

/// Asks, does it, and says who is the primary now.
pub fn run(
    context: &Context<'_>,
    block: &OneBlock,
    change: &Change,
    takeover: &Takeover<'_>,
) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let database = databases::one_existing(context, block)?;
    let name = &database.spec.name;
    let doing = (takeover.doing)(name);
    if change.dry_run {
        printer.say(&format!("would {doing}"));
        return ended(context, &TakenOver { database: name.clone(), done: false, takeover: None }, Exit::Done);
    }
    confirm(printer, change, Weight::Interruption, &doing)?;
    let exit = applying::operate(context, change, &[&database], takeover.operation)
        .map_err(|error| explained(context, &database, error))?;
    let done = exit == Exit::Done;
    let report = if done { last(context, name)? } else { None };
    ended(context, &TakenOver { database: name.clone(), done, takeover: report }, exit)
}

/// A refusal for safety has a way out, which depends on whether the block wants a standby at all.
fn explained(context: &Context<'_>, database: &Database, error: CommandError) -> CommandError {
    if Exit::from(error.kind) != Exit::Refused {
        return error;
    }
    error.hint(if database.spec.multi_az {
        format!("pgherd status{} says how the standby is doing", context.same_project())
    } else {
        "write multi_az = true and apply that: a single server has no standby".to_owned()
    })
}

fn last(context: &Context<'_>, name: &str) -> Result<Option<FailoverReport>, CommandError> {
    targets::wait_for(async {
        Ok::<_, CommandError>(databases::agent(context).await?.status(name).await?.last_failover)
    })?
}

fn ended(context: &Context<'_>, taken_over: &TakenOver, exit: Exit) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let TakenOver { database, takeover, done } = taken_over;
    if printer.is_json() {
        printer.json(taken_over)?;
    } else if *done {
        let who = takeover.as_ref().map_or_else(String::new, words);
        printer.result(&format!("{database} has another primary{who}\n"))?;
        let same = context.same_project();
        printer.next(&format!(
            "pgherd status{same} shows when the other server follows, pgherd events{same} what happened"
        ));
    }
    Ok(exit)
}

fn words(report: &FailoverReport) -> String {
    let FailoverReport { from, to, at, served_at, .. } = report;
    let after = served_at.map_or_else(String::new, |served| {
        format!(", which took writes {} ms after the decision", served.duration_since(*at).as_millis())
    });
    format!(": {to} instead of {from}{after}")
}
