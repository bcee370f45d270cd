//! Copies and rewinds of a node, one after the other.
//!
//! What one that was given up still does on another thread cannot be stopped: it must not meet the next one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::paths::Layout;
use crate::postgres::Result;

/// The number of the last attempt, for each node's folder. Locked while one works on what others see.
static LAST: Mutex<BTreeMap<PathBuf, Arc<Mutex<u64>>>> = Mutex::new(BTreeMap::new());

/// One copy or rewind of a node.
#[derive(Clone)]
pub(super) struct Attempt {
    last: Arc<Mutex<u64>>,
    number: u64,
}

impl Attempt {
    /// Begins one. What an earlier one is in the middle of is waited for; afterwards it does nothing any more. Blocking.
    pub(super) fn begin(layout: &Layout) -> Self {
        let last = locked(&LAST).entry(layout.folder().to_owned()).or_default().clone();
        let number = {
            let mut number = locked(&last);
            *number += 1;
            *number
        };
        Self { last, number }
    }

    /// Does it, unless a later attempt has begun. Blocking.
    pub(super) fn carry_on<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let last = locked(&self.last);
        if *last != self.number {
            return Err(ProviderError::new(ErrorKind::Unavailable, "it was given up, and begun anew"));
        }
        work()
    }
}

/// A number is whole whoever panicked.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_was_given_up_does_nothing_once_the_next_has_begun() {
        let (one, other) = (layout("n1"), layout("n2"));
        let first = Attempt::begin(&one);
        assert!(first.carry_on(|| Ok(())).is_ok());
        let others = Attempt::begin(&other);
        let second = Attempt::begin(&one);
        assert!(first.carry_on(|| Ok(())).is_err());
        assert!(second.carry_on(|| Ok(())).is_ok() && others.carry_on(|| Ok(())).is_ok());
    }

    fn layout(node: &str) -> Layout {
        let paths = crate::paths::Paths {
            state: "/attempts".into(),
            cache: "/attempts".into(),
            runtime: Path::new("/attempts").join(node),
        };
        paths.instance(node)
    }
}
