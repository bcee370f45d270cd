//! Plans carried out: several databases side by side, watched, and what came of it.

use futures_util::future::join_all;
use pgherd_core::resource::{Id, Impact};
use pgherd_core::text;
use pgherd_engine::provider::{Events, Operation, ProviderError};
use pgherd_engine::run;
use pgherd_engine::stop::Stop;
use pgherd_engine::walk::Outcome;

use crate::args::Change;
use crate::carrying::{self, Carrier, Ending};
use crate::commands::Context;
use crate::confirm::{Weight, confirm, confirm_loss};
use crate::databases::Database;
use crate::error::{CommandError, Exit, Kind};
use crate::planning::Plans;

/// Asks what has to be asked before these plans are carried out: the name of each database whose data would go, however
/// the plan came about; else as much as the worst interruption weighs.
pub fn agree(context: &Context<'_>, change: &Change, confirmed: &[String], plans: &Plans) -> Result<(), CommandError> {
    let lost: Vec<&str> =
        plans.each.iter().filter(|one| one.loses_data()).map(|one| one.database.spec.name.as_str()).collect();
    for name in &lost {
        confirm_loss(context.printer, confirmed, name, &format!("delete {name} and all its data"))?;
    }
    if lost.is_empty() {
        confirm(context.printer, change, weight(plans.summary.worst_now), &question(plans))?;
    }
    Ok(())
}

/// How much has to be typed before the worst that users notice at once, when no data goes.
pub fn weight(worst_now: Option<Impact>) -> Weight {
    match worst_now {
        Some(Impact::Reconnect | Impact::Restart { .. } | Impact::Failover { .. } | Impact::Unknown) => {
            Weight::Interruption
        }
        None | Some(Impact::None | Impact::NewConnections) => Weight::Change,
    }
}

/// What the user is asked.
fn question(plans: &Plans) -> String {
    let steps = text::count(plans.steps(), "step", "steps");
    match plans.summary.worst_now {
        Some(impact @ (Impact::Reconnect | Impact::Restart { .. } | Impact::Failover { .. } | Impact::Unknown)) => {
            format!("apply {steps} now, with {}", pgherd_core::plan::text::impact(impact))
        }
        None | Some(Impact::None | Impact::NewConnections) => format!("apply {steps}"),
    }
}

/// Does it.
pub fn carry_out(context: &Context<'_>, change: &Change, plans: &Plans) -> Result<Exit, CommandError> {
    let carrier = Carrier::of(plans.each.iter().map(|one| &one.database.spec));
    // Looking and waiting have had their part of it; what has none left is not begun.
    let timeout = change.timeout.map(|timeout| timeout.saturating_sub(plans.took));
    if timeout.is_some_and(|left| left.is_zero()) {
        let error =
            CommandError::new(Kind::TimedOut, "looking and waiting took all of the timeout; nothing was touched");
        return Err(error.hint("the same command again does it"));
    }
    let change = &Change { timeout, ..change.clone() };
    let ending = carrying::watch(context.printer, change, plans.steps(), carrier, |sender| {
        join_all(plans.each.iter().map(move |one| {
            let events = Events::new(one.database.spec.block.clone(), sender.clone());
            async move {
                let database = &one.database;
                run::apply(&*database.provider, &database.spec, &one.planned, plans.at, &events, &Stop::never()).await
            }
        }))
    })?;
    match ending {
        Ending::Accepted => {
            context.printer.say(carrier.accepted());
            Ok(Exit::Pending)
        }
        Ending::Done(outcomes) => ended(context, plans, &outcomes),
    }
}

fn ended(context: &Context<'_>, plans: &Plans, outcomes: &[Outcome]) -> Result<Exit, CommandError> {
    let failed: Vec<&(Id, ProviderError)> = outcomes.iter().flat_map(|outcome| &outcome.failed).collect();
    if let Some((id, first)) = failed.first() {
        let mut error = CommandError::from(first.clone());
        error.message = format!("{id}: {}", error.message);
        for (id, further) in &failed[1..] {
            error.message.push_str(&format!("; {id}: {}", further.message));
            error = error.hint(further.help.clone());
        }
        return Err(error.hint("what was done stays done; the same command again does the rest"));
    }
    let waiting: usize = outcomes.iter().map(|outcome| outcome.waiting).sum();
    if waiting == 0 {
        return Ok(Exit::Done);
    }
    let summary = &plans.summary;
    let opens = summary.window_opens.map(|opens| opens.strftime("%a %Y-%m-%d %H:%M UTC").to_string());
    // A restart that no window brings is not waited for: somebody has to ask for it.
    let when = match (opens, summary.at_restart) {
        (Some(opens), 0) => opens,
        (Some(opens), _) => format!("{opens} or a restart"),
        (None, 0) => "the maintenance window".to_owned(),
        (None, _) => "a restart".to_owned(),
    };
    let changes = text::count(waiting, "change waits", "changes wait");
    context.printer.say(&format!("{changes} for {when}; apply --now does not wait"));
    Ok(Exit::Pending)
}

/// Does something to each database, one after the other.
pub fn operate(
    context: &Context<'_>,
    change: &Change,
    databases: &[&Database],
    operation: impl Fn(String) -> Operation,
) -> Result<Exit, CommandError> {
    let carrier = Carrier::of(databases.iter().map(|database| &database.spec));
    let ending = carrying::watch(context.printer, change, databases.len(), carrier, |sender| async move {
        for database in databases {
            let name = &database.spec.name;
            let events = Events::new(name.clone(), sender.clone());
            database.provider.operate(&operation(name.clone()), &events).await?;
        }
        Ok::<_, ProviderError>(())
    })?;
    match ending {
        Ending::Accepted => Ok(Exit::Pending),
        Ending::Done(result) => Ok(result.map(|()| Exit::Done)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_end_a_session_is_an_interruption() {
        let noticed =
            [Impact::Reconnect, Impact::Restart { about_s: 2 }, Impact::Failover { about_s: 60 }, Impact::Unknown];
        assert!(noticed.into_iter().all(|impact| weight(Some(impact)) == Weight::Interruption));
        let unnoticed = [None, Some(Impact::None), Some(Impact::NewConnections)];
        assert!(unnoticed.into_iter().all(|impact| weight(impact) == Weight::Change));
    }
}
