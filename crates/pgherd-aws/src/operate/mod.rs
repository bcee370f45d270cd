//! The day-2 verbs on AWS, one a file.

use pgherd_engine::provider::{ErrorKind, Events, Operation, ProviderError};

use crate::live;
use crate::provider::Aws;

/// Does one.
pub(crate) async fn operate(aws: &Aws, operation: &Operation, events: &Events) -> Result<(), ProviderError> {
    match operation {
        Operation::Rotate { name } => live::rotate(aws, name, events).await,
        Operation::Start { .. }
        | Operation::Stop { .. }
        | Operation::Restart { .. }
        | Operation::Failover { .. }
        | Operation::Promote { .. }
        | Operation::Switchover { .. }
        | Operation::Backup { .. }
        | Operation::Restore { .. }
        | Operation::Clone { .. }
        | Operation::Adopt { .. }
        | Operation::Forget { .. } => {
            Err(ProviderError::new(ErrorKind::Unsupported, "this version of pgherd cannot do that on AWS"))
        }
    }
}
