//! The day-2 verbs on DigitalOcean, one a file; what it has no way to do is refused in words.

mod adopt;
mod forget;
mod promote;
mod restore;
mod rotate;

use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, ProviderError};

use crate::provider::DigitalOcean;

/// Does one.
pub(crate) async fn operate(ocean: &DigitalOcean, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    can(operation)?;
    match operation {
        Operation::Rotate { name } => rotate::rotate(ocean, name, events).await,
        Operation::Promote { name, replica, to } => promote::promote(ocean, name, replica.as_deref(), to, events).await,
        Operation::Restore { name, to, point } => restore::restore(ocean, name, to, point, events).await,
        Operation::Clone { name, to } => restore::restore(ocean, name, to, &Point::Latest, events).await,
        Operation::Adopt { spec } => adopt::adopt(ocean, spec, events).await,
        Operation::Forget { spec } => forget::forget(ocean, spec, events).await,
        // Refused above.
        Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Restart { .. }
        | Operation::Failover { .. }
        | Operation::Switchover { .. }
        | Operation::Backup { .. }
        | Operation::Drill { .. } => Ok(()),
    }
}

/// Refuses what DigitalOcean has no way to do.
pub(crate) fn can(operation: &Operation) -> Result<(), ProviderError> {
    let refused = |message: &str, help: &str| Err(ProviderError::new(ErrorKind::Unsupported, message).help(help));
    let by_itself = "a standby takes over by itself when the primary is lost; pgherd events tells of it";
    match operation {
        Operation::Failover { .. } => refused("DigitalOcean has no way to ask for a failover", by_itself),
        Operation::Switchover { .. } => refused("DigitalOcean has no way to exchange primary and standby", by_itself),
        Operation::Start { .. } | Operation::Stop { .. } => refused(
            "DigitalOcean neither stops nor starts a cluster",
            "a smaller instance_class costs less; destroy ends it with its backups",
        ),
        Operation::Restart { .. } => {
            refused("DigitalOcean has no way to ask for a restart", "it restarts by itself for a setting that needs it")
        }
        Operation::Backup { .. } => refused(
            "DigitalOcean takes a backup a day by itself, and none that is asked for",
            "pg_dump makes one that outlives the cluster",
        ),
        Operation::Drill { .. } => refused(
            "a restore on DigitalOcean is a cluster of its own, which is billed",
            "pgherd restore --as NAME makes one; destroy it when it was looked at",
        ),
        Operation::Restore { point: Point::Lsn(_), .. } => refused(
            "DigitalOcean restores a backup, not a place in the log",
            "pgherd backups lists them; write the moment of one: --at 2026-11-21T22:00:00Z",
        ),
        Operation::Restore { name, to, .. } if *name == to.name => refused(
            "DigitalOcean cannot give a cluster another name, so nothing is restored in its place",
            "pgherd restore --as NAME makes one beside it",
        ),
        Operation::Rotate { .. }
        | Operation::Promote { .. }
        | Operation::Restore { .. }
        | Operation::Clone { .. }
        | Operation::Adopt { .. }
        | Operation::Forget { .. } => Ok(()),
    }
}
