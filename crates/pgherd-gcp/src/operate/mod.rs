//! The day-2 verbs on Google Cloud; what it has no way to do is refused in words.

mod adopt;
mod forget;
mod power;
mod promote;
mod restore;

use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, ProviderError};

use crate::live;
use crate::observe::ours;
use crate::provider::Gcp;

/// Does one.
pub(crate) async fn operate(gcp: &Gcp, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    can(operation)?;
    match operation {
        Operation::Start { name } => power::turned(gcp, name, true, events).await,
        Operation::Stop { name } => power::turned(gcp, name, false, events).await,
        Operation::Restart { name } => power::restart(gcp, name, events).await,
        Operation::Failover { name, accept_loss: _ } => power::failover(gcp, name, events).await,
        Operation::Backup { name, label } => power::backup(gcp, name, label.as_deref(), events).await,
        Operation::Rotate { name } => {
            ours(gcp, name).await?;
            live::rotate(gcp, name, events).await
        }
        Operation::Promote { name, replica, to } => promote::promote(gcp, name, replica.as_deref(), to, events).await,
        Operation::Restore { name, to, point } => restore::restore(gcp, name, to, point, events).await,
        Operation::Clone { name, to } => restore::restore(gcp, name, to, &Point::Latest, events).await,
        Operation::Adopt { spec } => adopt::adopt(gcp, spec, events).await,
        Operation::Forget { spec } => forget::forget(gcp, spec, events).await,
        // Refused above.
        Operation::Switchover { .. } | Operation::Drill { .. } => Ok(()),
    }
}

/// Refuses what Cloud SQL has no way to do.
pub(crate) fn can(operation: &Operation) -> Result<(), ProviderError> {
    let refused = |message: &str, help: &str| Err(ProviderError::new(ErrorKind::Unsupported, message).help(help));
    match operation {
        Operation::Switchover { .. } => refused(
            "Cloud SQL has no way to exchange primary and standby in good order within a region",
            "pgherd failover has the standby take over, which holds every commit",
        ),
        Operation::Drill { .. } => refused(
            "a restore on Cloud SQL is an instance of its own, which is billed",
            "pgherd restore --as NAME makes one; destroy it when it was looked at",
        ),
        Operation::Restore { point: Point::Lsn(_), .. } => refused(
            "Cloud SQL restores to a moment, not to a place in the log",
            "write the moment: --at 2026-11-21T22:00:00Z",
        ),
        Operation::Restore { name, to, .. } if *name == to.name => refused(
            "Cloud SQL cannot give an instance another name, so nothing is restored in its place",
            "pgherd restore --as NAME makes one beside it",
        ),
        Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Restart { .. }
        | Operation::Failover { .. }
        | Operation::Backup { .. }
        | Operation::Rotate { .. }
        | Operation::Promote { .. }
        | Operation::Restore { .. }
        | Operation::Clone { .. }
        | Operation::Adopt { .. }
        | Operation::Forget { .. } => Ok(()),
    }
}
