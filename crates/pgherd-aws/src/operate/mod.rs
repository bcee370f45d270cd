//! The day-2 verbs on AWS, one a file.

mod adopt;
mod backup;
mod failover;
mod forget;
mod origin;
mod promote;
mod replace;
mod restart;
mod restore;
mod stage;
mod worn;

pub(crate) use replace::in_the_way;

use pgherd_engine::provider::{ErrorKind, Events, Operation, Point, ProviderError};

use crate::live;
use crate::provider::Aws;

/// Does one.
pub(crate) async fn operate(aws: &Aws, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    can(operation)?;
    match operation {
        Operation::Rotate { name } => live::rotate(aws, name, events).await,
        Operation::Restart { name } => restart::restart(aws, name, events).await,
        Operation::Failover { name, accept_loss: _ } => failover::failover(aws, name, events).await,
        Operation::Backup { name, label } => backup::backup(aws, name, label.as_deref(), events).await,
        Operation::Promote { name, replica, to } => promote::promote(aws, name, replica.as_deref(), to, events).await,
        Operation::Restore { name, to, point } => restore::restore(aws, name, to, point, events).await,
        Operation::Clone { name, to } => restore::clone(aws, name, to, events).await,
        Operation::Adopt { spec } => adopt::adopt(aws, spec, events).await,
        Operation::Forget { spec } => forget::forget(aws, spec, events).await,
        // Refused above.
        Operation::Start { .. } | Operation::Stop { .. } | Operation::Switchover { .. } | Operation::Drill { .. } => {
            Ok(())
        }
    }
}

/// Refuses what RDS has no way to do well.
pub(crate) fn can(operation: &Operation) -> Result<(), ProviderError> {
    let refused = |message: &str, help: &str| Err(ProviderError::new(ErrorKind::Unsupported, message).help(help));
    match operation {
        Operation::Switchover { .. } => refused(
            "RDS has one way to exchange primary and standby: a failover",
            "pgherd failover does it; the standby has every commit, and connections end",
        ),
        Operation::Start { name } | Operation::Stop { name } => refused(
            "RDS starts a stopped instance again after seven days, so pgherd neither stops nor starts any",
            &format!(
                "`aws rds stop-db-instance --db-instance-identifier {name}` stops it for a week, start-db-instance starts it"
            ),
        ),
        Operation::Drill { .. } => refused(
            "a restore on RDS is an instance of its own, which is billed",
            "pgherd restore --as NAME makes one; delete it when it was looked at",
        ),
        Operation::Restore { point: Point::Lsn(_), .. } => refused(
            "RDS restores to a moment, not to a place in the log",
            "write the moment: --at 2026-11-21T22:00:00Z",
        ),
        Operation::Restart { .. }
        | Operation::Rotate { .. }
        | Operation::Failover { .. }
        | Operation::Promote { .. }
        | Operation::Backup { .. }
        | Operation::Restore { .. }
        | Operation::Clone { .. }
        | Operation::Adopt { .. }
        | Operation::Forget { .. } => Ok(()),
    }
}
