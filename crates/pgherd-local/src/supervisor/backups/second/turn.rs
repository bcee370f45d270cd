//! Whose turn it is with what the second repository has of an instance: who copies, who deletes.
//!
//! What one does about a backup another would take for somebody else's, so one is at work at a time. Who copies may be at it for hours,
//! and lets others in: between two objects whoever copies the last of a database, at once whoever deletes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgherd_archive::Heard;

/// By instance. Never many: those that there were since the process began.
static TURNS: Mutex<BTreeMap<String, Arc<Turn>>> = Mutex::new(BTreeMap::new());

/// The turn of one instance.
#[derive(Debug, Default)]
pub struct Turn {
    at_work: Mutex<()>,
    /// Who waits until an object is copied.
    waiting: AtomicUsize,
    /// Who does not wait for that either.
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

    /// Behind the object that is being copied. Blocking.
    pub fn take_next(&self) -> AtWork<'_> {
        let _waiting = Waiting::among(&self.waiting);
        self.take()
    }

    /// As soon as whoever copies notices. Blocking.
    pub fn take_at_once(&self) -> AtWork<'_> {
        let _hurried = Waiting::among(&self.hurried);
        self.take()
    }

    /// Whether nobody wants to be let in.
    pub fn goes_on(&self, heard: Heard) -> bool {
        let is_wanted = self.hurried.load(Ordering::Acquire) > 0;
        match heard {
            Heard::Bytes(_) => !is_wanted,
            Heard::Between => !is_wanted && self.waiting.load(Ordering::Acquire) == 0,
        }
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

    /// Copies until it is to let somebody in, and says between what.
    #[track_caller]
    fn check(ask: fn(&Turn) -> AtWork<'_>, expected: Heard) {
        let turn = Turn::default();
        let (begun, begins) = mpsc::sync_channel(0);
        std::thread::scope(|scope| {
            let copier = scope.spawn(|| {
                let _at_work = turn.take();
                begun.send(()).expect("heard");
                [Heard::Bytes(1), Heard::Between].into_iter().cycle().find(|heard| !turn.goes_on(*heard))
            });
            begins.recv().expect("at work");
            drop(ask(&turn));
            let heard = copier.join().expect("ended").expect("without end");
            // In a hurry it is whichever comes first.
            assert!(heard == expected || expected == Heard::Bytes(1), "{heard:?}");
        });
        assert!(turn.goes_on(Heard::Between), "nobody waits any more");
    }

    #[test]
    fn who_copies_lets_others_in() {
        check(Turn::take_next, Heard::Between);
        check(Turn::take_at_once, Heard::Bytes(1));
        let turn = Turn::default();
        let _hurried = Waiting::among(&turn.hurried);
        assert!(!turn.goes_on(Heard::Bytes(1)) && !turn.goes_on(Heard::Between));
        assert!(Arc::ptr_eq(&Turn::of("one"), &Turn::of("one")) && !Arc::ptr_eq(&Turn::of("one"), &Turn::of("two")));
    }
}
