//! A checkpoint, so that the stop that follows is quick.

use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::Place;
use crate::postgres::Result;
use crate::postgres::session::Session;

/// Has a running server write a checkpoint; takes as long as writing what changed since the last one does. At the deadline an
/// error, and it goes on.
pub async fn checkpoint(place: &Place, deadline: Duration) -> Result<()> {
    let work =
        async {
            let session = Session::connect(&place.layout.socket, place.port, "postgres", deadline).await?;
            // Not by `run`, whose own deadline is for short statements.
            session.client().batch_execute("CHECKPOINT").await.map_err(|error| {
                ProviderError::new(ErrorKind::Unavailable, format!("no checkpoint was written: {error}"))
            })
        };
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| {
        let message = format!("the checkpoint is not written after {} s", deadline.as_secs());
        Err(ProviderError::new(ErrorKind::TimedOut, message))
    })
}
