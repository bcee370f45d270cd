//! The day-2 verbs on Azure; what it has no way to do is refused in words.

mod adopt;
mod forget;
mod power;
mod promote;
mod restore;

use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, ProviderError};

use crate::live;
use crate::observe::ours;
use crate::provider::Azure;

/// Does one.
pub(crate) async fn operate(azure: &Azure, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    can(operation)?;
    match operation {
        Operation::Start { name } => power::turned(azure, name, true, events).await,
        Operation::Stop { name } => power::turned(azure, name, false, events).await,
        Operation::Restart { name } => power::restart(azure, name, events).await,
        Operation::Failover { name, accept_loss: _ } => power::failover(azure, name, "ForcedFailover", events).await,
        Operation::Switchover { name } => power::failover(azure, name, "PlannedFailover", events).await,
        Operation::Backup { name, label } => power::backup(azure, name, label.as_deref(), events).await,
        Operation::Rotate { name } => {
            ours(azure, name).await?;
            live::rotate(azure, name, events).await
        }
        Operation::Promote { name, replica, to } => promote::promote(azure, name, replica.as_deref(), to, events).await,
        Operation::Restore { name, to, point } => restore::restore(azure, name, to, point, events).await,
        Operation::Clone { name, to } => restore::restore(azure, name, to, &Point::Latest, events).await,
        Operation::Adopt { spec } => adopt::adopt(azure, spec, events).await,
        Operation::Forget { spec } => forget::forget(azure, spec, events).await,
        // Refused above.
        Operation::Drill { .. } => Ok(()),
    }
}

/// Refuses what Azure has no way to do.
pub(crate) fn can(operation: &Operation) -> Result<(), ProviderError> {
    let refused = |message: &str, help: &str| Err(ProviderError::new(ErrorKind::Unsupported, message).help(help));
    match operation {
        Operation::Drill { .. } => refused(
            "a restore on Azure is a server of its own, which is billed",
            "pgherd restore --as NAME makes one; destroy it when it was looked at",
        ),
        Operation::Restore { point: Point::Lsn(_), .. } => refused(
            "Azure restores to a moment, not to a place in the log",
            "write the moment: --at 2026-11-21T22:00:00Z",
        ),
        Operation::Restore { name, to, .. } if *name == to.name => refused(
            "Azure cannot give a server another name, so nothing is restored in its place",
            "pgherd restore --as NAME makes one beside it",
        ),
        Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Restart { .. }
        | Operation::Failover { .. }
        | Operation::Switchover { .. }
        | Operation::Backup { .. }
        | Operation::Rotate { .. }
        | Operation::Promote { .. }
        | Operation::Restore { .. }
        | Operation::Clone { .. }
        | Operation::Adopt { .. }
        | Operation::Forget { .. } => Ok(()),
    }
}
