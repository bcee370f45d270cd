//! A standby takes over because somebody asked for it: what `failover` and `switchover` have in common.

use std::fmt;

use pgherd_core::text;
use pgherd_engine::provider::{Events, Operation};
use pgherd_local::drill::{self, Login, Measured};
use pgherd_local::supervisor::messages::FailoverReport;
use serde::Serialize;

use crate::applying;
use crate::args::{Change, OneBlock};
use crate::carrying::{self, Carrier, Ending};
use crate::commands::Context;
use crate::confirm::{Weight, confirm};
use crate::connection;
use crate::databases::{self, Database};
use crate::error::{CommandError, Exit};
use crate::targets;

/// One way of taking over.
pub struct Takeover<'a> {
    /// What is done to the instance of a name, in words.
    pub doing: &'a dyn Fn(&str) -> String,
    /// How the target is told.
    pub operation: &'a dyn Fn(String) -> Operation,
    /// Whether clients write meanwhile, and say how long they could not.
    pub drill: bool,
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
    /// What clients saw that wrote meanwhile (--drill).
    drill: Option<Measured>,
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
    if takeover.drill && !database.is_here() {
        return Err(CommandError::failed("--drill writes to databases of this machine only")
            .hint("leave it out, or try it with --provider local"));
    }
    database.provider.can(&(takeover.operation)(name.clone()))?;
    let doing = (takeover.doing)(name);
    if change.dry_run {
        printer.say(&format!("would {doing}"));
        return ended(
            context,
            &TakenOver { database: name.clone(), done: false, takeover: None, drill: None },
            Exit::Done,
        );
    }
    confirm(printer, change, Weight::Interruption, &doing)?;
    let (exit, drill) = match takeover.drill {
        true => drilled(context, change, &database, takeover.operation).map(|seen| (Exit::Done, Some(seen))),
        false => applying::operate(context, change, &[&database], takeover.operation).map(|exit| (exit, None)),
    }
    .map_err(|error| explained(context, &database, error))?;
    let done = exit == Exit::Done;
    // Only the agent measures what it cost.
    let report = if done && database.is_here() { last(context, name)? } else { None };
    ended(context, &TakenOver { database: name.clone(), done, takeover: report, drill }, exit)
}

/// Does it while clients write through the port that is handed out.
fn drilled(
    context: &Context<'_>,
    change: &Change,
    database: &Database,
    operation: &dyn Fn(String) -> Operation,
) -> Result<Measured, CommandError> {
    let name = &database.spec.name;
    let login = targets::wait_for(async {
        let endpoint = databases::instance(context, name).await?.endpoint;
        Ok::<_, CommandError>(Login::new(endpoint, connection::password(database).await?))
    })??;
    let ending = carrying::watch(context.printer, change, 1, Carrier::Agent, |sender| async move {
        let events = Events::new(name.clone(), sender);
        drill::measure(&login, database.provider.operate(&operation(name.clone()), &events)).await
    })?;
    match ending {
        Ending::Accepted => unreachable!("a drill is always waited for"),
        Ending::Done(came) => {
            let (done, seen) = came?;
            done?;
            Ok(seen)
        }
    }
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
    let TakenOver { database, takeover, done, drill } = taken_over;
    if printer.is_json() {
        printer.json(taken_over)?;
    } else if *done {
        let who = takeover.as_ref().map_or_else(String::new, words);
        printer.result(&format!("{database} has another primary{who}\n"))?;
        if let Some(seen) = drill {
            printer.result(&drill_words(seen))?;
        }
        let same = context.same_project();
        printer.next(&format!(
            "pgherd status{same} shows when the other server follows, pgherd events{same} what happened"
        ));
    }
    Ok(exit)
}

/// What the clients of a drill saw.
fn drill_words(seen: &Measured) -> String {
    let Measured { write_gap_ms, clients, acknowledged, failed, lost, doubled } = seen;
    let failed = text::count(usize::try_from(*failed).unwrap_or(usize::MAX), "write", "writes");
    let kept = match (lost, doubled) {
        (0, 0) => "all of them are there, once".to_owned(),
        (lost, doubled) => format!("{lost} of them are lost, {doubled} writes are there twice"),
    };
    format!(
        "no write was acknowledged for {write_gap_ms} ms\n{clients} clients had {acknowledged} writes acknowledged: {kept}; \
         {failed} ended without an answer\n"
    )
}

fn words(report: &FailoverReport) -> String {
    let FailoverReport { from, to, at, served_at, .. } = report;
    let after = served_at.map_or_else(String::new, |served| {
        format!(", which took writes {} ms after the decision", served.duration_since(*at).as_millis())
    });
    format!(": {to} instead of {from}{after}")
}
