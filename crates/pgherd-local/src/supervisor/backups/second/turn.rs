//! Whose turn it is with what the second repository has of an instance: who copies, who deletes.
//!
//! What one does about a backup another would take for somebody else's, so one is at work at a time. Who copies may be at it for hours,
//! and lets whoever deletes, or copies the last of a database, in at once: what is cut short is copied from its beginning later.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often whoever waits for a while looks whether it is let in.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// By instance. Never many: those that there were since the process began.
static TURNS: Mutex<BTreeMap<String, Arc<Turn>>> = Mutex::new(BTreeMap::new());

/// The turn of one instance.
#[derive(Debug, Default)]
pub struct Turn {
    at_work: Mutex<()>,
    /// Who does not wait until something is copied.
    hurried: AtomicUsize,
}

/// Held for as long as one is at work.
pub type AtWork<'a> = MutexGuard<'a, ()>;

impl Turn {
    /// That of an instance.
    pub fn of(name: &str) -> Arc<Self> {
        TURNS.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default().clone()
    }

    /// For who lets others in: asks [`Turn::goes_on`]. Blocking.
    pub fn take(&self) -> AtWork<'_> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As soon as whoever copies notices. Blocking.
    pub fn take_at_once(&self) -> AtWork<'_> {
        let _hurried = Waiting::among(&self.hurried);
        self.take()
    }

    /// The same; `None`: whoever is at work notices nothing, as on a disk that does not answer. Blocking.
    pub fn take_within(&self, deadline: Duration) -> Option<AtWork<'_>> {
        let _hurried = Waiting::among(&self.hurried);
        let end = Instant::now() + deadline;
        loop {
            match self.at_work.try_lock() {
                Ok(at_work) => return Some(at_work),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() > end => return None,
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK_AGAIN),
            }
        }
    }

    /// Whether nobody wants to be let in.
    pub fn goes_on(&self) -> bool {
        self.hurried.load(Ordering::Acquire) == 0
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn among(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Copies until it is to let somebody in.
    #[track_caller]
    fn check(ask: fn(&Turn) -> bool) {
        let turn = Turn::default();
        let (begun, begins) = mpsc::sync_channel(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _at_work = turn.take();
                begun.send(()).expect("heard");
                while turn.goes_on() {
                    std::thread::yield_now();
                }
            });
            begins.recv().expect("at work");
            assert!(ask(&turn));
        });
        assert!(turn.goes_on(), "nobody waits any more");
    }

    #[test]
    fn who_copies_lets_others_in() {
        check(|turn| {
            drop(turn.take_at_once());
            true
        });
        check(|turn| turn.take_within(Duration::from_secs(60)).is_some());
        assert!(Arc::ptr_eq(&Turn::of("one"), &Turn::of("one")) && !Arc::ptr_eq(&Turn::of("one"), &Turn::of("two")));
    }

    #[test]
    fn who_never_answers_is_not_waited_for() {
        let turn = Turn::default();
        let _at_work = turn.take();
        assert!(turn.take_within(Duration::from_millis(1)).is_none());
        assert!(turn.goes_on());
    }
}
