//! The day-2 verbs on AWS, one a file.

mod adopt;
mod forget;
mod origin;
mod promote;
mod replace;
mod restore;
mod through;
mod worn;

pub(crate) use replace::in_the_way;

use pgherd_engine::provider::{ErrorKind, Events, Operation, ProviderError};

use crate::live;
use crate::provider::Aws;

/// Does one.
pub(crate) async fn operate(aws: &Aws, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    match operation {
        Operation::Rotate { name } => live::rotate(aws, name, events).await,
        Operation::Promote { name, replica, to } => promote::promote(aws, name, replica.as_deref(), to, events).await,
        Operation::Restore { name, to, point } => restore::restore(aws, name, to, point, events).await,
        Operation::Clone { name, to } => restore::clone(aws, name, to, events).await,
        Operation::Adopt { spec } => adopt::adopt(aws, spec, events).await,
        Operation::Forget { spec } => forget::forget(aws, spec, events).await,
        Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Restart { .. }
        | Operation::Failover { .. }
        | Operation::Switchover { .. }
        | Operation::Backup { .. } => {
            Err(ProviderError::new(ErrorKind::Unsupported, "this version of pgherd cannot do that on AWS"))
        }
    }
}
