//! The wish to stop: what runs is finished, nothing new is begun, and looks are given up.

use std::future::Future;

use tokio::sync::watch;

use crate::provider::{ErrorKind, ProviderError};

/// Asks for the stop, once and for all. Dropping it asks for nothing.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears whether to stop.
#[derive(Debug, Clone)]
pub struct Stop(Option<watch::Receiver<bool>>);

/// What a run ends with that was stopped before its end.
pub fn interrupted() -> ProviderError {
    ProviderError::new(ErrorKind::Interrupted, "the run was stopped")
}

/// Both ends.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(Some(receiver)))
}

impl Stopper {
    /// Asks for it.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Never stops.
    pub fn never() -> Self {
        Self(None)
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        self.0.as_ref().is_some_and(|asked| *asked.borrow())
    }

    /// Returns when it is asked for, and never when it never is.
    pub async fn asked(&self) {
        if let Some(asked) = &self.0
            && asked.clone().wait_for(|asked| *asked).await.is_ok()
        {
            return;
        }
        // Nobody is left to ask.
        std::future::pending::<()>().await;
    }

    /// What comes of something that only looks; `None` where it is asked for before.
    pub async fn unless_asked<T>(&self, look: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.asked() => None,
            seen = look => Some(seen),
        }
    }
}
