//! The emulator's time: it stands still until it is moved, or runs as many times faster than ours as wanted.
//!
//! Nothing in the emulator sleeps. What takes time is a phase with an end, and ends when the clock has passed it.

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// How time goes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// Only by `POST /_emulate/advance`.
    Still,
    /// Each call takes this many seconds of the emulator's time, so that whoever polls gets on without anybody waiting.
    PerCall {
        /// Seconds a call.
        seconds: i64,
    },
    /// So many times faster than ours: 1 is real.
    Running {
        /// How many times.
        times: f64,
    },
}

/// A clock.
#[derive(Debug, Clone)]
pub struct Clock {
    speed: Speed,
    /// When it was set, in the emulator's time and in ours.
    set: (Timestamp, Instant),
}

impl Clock {
    /// A clock that shows `at` now.
    pub fn new(speed: Speed, at: Timestamp, real: Instant) -> Self {
        Self { speed, set: (at, real) }
    }

    /// What it shows.
    pub fn now(&self, real: Instant) -> Timestamp {
        match self.speed {
            Speed::Still | Speed::PerCall { .. } => self.set.0,
            Speed::Running { times } => {
                let gone = real.saturating_duration_since(self.set.1).as_secs_f64() * times;
                SignedDuration::try_from_secs_f64(gone).map_or(self.set.0, |gone| later(self.set.0, gone))
            }
        }
    }

    /// Another call has come.
    pub fn called(&mut self, real: Instant) {
        if let Speed::PerCall { seconds } = self.speed {
            self.advance(SignedDuration::from_secs(seconds), real);
        }
    }

    /// Moved on by so much.
    pub fn advance(&mut self, by: SignedDuration, real: Instant) {
        self.set = (later(self.now(real), by), real);
    }
}

/// `at` and so much more; the end of time at most.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: Timestamp = Timestamp::constant(1_767_225_600, 0);

    #[track_caller]
    fn check(speed: Speed, calls: usize, real_s: u64, expected_s: i64) {
        let real = Instant::now();
        let mut clock = Clock::new(speed, START, real);
        (0..calls).for_each(|_| clock.called(real));
        assert_eq!(clock.now(real + Duration::from_secs(real_s)).duration_since(START).as_secs(), expected_s);
    }

    #[test]
    fn a_still_clock_stands() {
        check(Speed::Still, 3, 100, 0);
    }

    #[test]
    fn a_call_takes_its_time() {
        check(Speed::PerCall { seconds: 30 }, 3, 100, 90);
    }

    #[test]
    fn a_fast_clock_runs() {
        check(Speed::Running { times: 60.0 }, 3, 2, 120);
    }

    #[test]
    fn a_running_clock_goes_on_from_where_it_was_moved() {
        let real = Instant::now();
        let mut clock = Clock::new(Speed::Running { times: 1.0 }, START, real);
        clock.advance(SignedDuration::from_secs(100), real);
        assert_eq!(clock.now(real + Duration::from_secs(5)).duration_since(START).as_secs(), 105);
    }
}
