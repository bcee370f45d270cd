//! Throttling is shared: after one throttle everybody who asks the same service waits, and the rate halves; it recovers by itself.
//!
//! Without it every parallel step finds out for itself, in attempts of its own, and together they keep the service busy refusing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The least that is asked for per second, however often it is too much.
const SLOWEST_PER_S: f64 = 0.5;
/// From here on there is no limit: our own parallelism asks for less.
const FREE_PER_S: f64 = 64.0;
/// The rate doubles whenever this has passed without a throttle.
const RECOVERY: Duration = Duration::from_secs(4);
/// Everybody waits this long after a throttle that names no time.
const PAUSE: Duration = Duration::from_millis(250);
/// Over which time the rate that was too much is measured.
const MEASURED: Duration = Duration::from_secs(1);
/// The rate that was too much is taken to be this at least: of fewer calls than that none is refused for our own sake, but because
/// somebody else asks as well, or for what went before. Without it one refusal among the first three calls would cost half a minute.
const TELLING_PER_S: f64 = 16.0;

/// The pace of one service in one region, shared by all who ask it.
#[derive(Debug)]
pub struct Pace(Mutex<Rate>);

impl Default for Pace {
    fn default() -> Self {
        Self::hurried(1)
    }
}

impl Pace {
    /// One where everything goes so many times faster.
    pub fn hurried(hurry: u32) -> Self {
        Self(Mutex::new(Rate { hurry: hurry.max(1), ..Rate::new(Instant::now()) }))
    }

    /// Whether the next turn is now.
    pub fn is_free(&self) -> bool {
        self.lock(|rate| Instant::now() >= rate.next)
    }

    /// Takes one's turn where that is now, and says when it was.
    pub fn at_once(&self) -> Option<Instant> {
        let now = Instant::now();
        self.lock(|rate| rate.take(now)).is_ok().then_some(now)
    }

    /// Waits for one's turn, and says when it was: [`Self::throttled`] wants to know.
    pub async fn before(&self) -> Instant {
        loop {
            let now = Instant::now();
            match self.lock(|rate| rate.take(now)) {
                Ok(()) => return now,
                Err(until) => tokio::time::sleep_until(until).await,
            }
        }
    }

    /// A request that was sent at `sent` was throttled. `wish` is how long the server asks us to stay away.
    pub fn throttled(&self, sent: Instant, wish: Option<Duration>) {
        self.lock(|rate| rate.throttled(Instant::now(), sent, wish));
    }

    fn lock<T>(&self, then: impl FnOnce(&mut Rate) -> T) -> T {
        then(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The same without waiting: the time is passed in.
#[derive(Debug)]
struct Rate {
    /// Requests per second; `None` as long as nobody complained.
    limit: Option<f64>,
    /// When the limit was last halved or doubled.
    changed: Instant,
    /// When the limit was last halved.
    halved: Instant,
    /// Nobody goes before.
    next: Instant,
    /// How many went since `counting`, and in the second before.
    gone: u32,
    gone_before: u32,
    counting: Instant,
    /// How many times faster all this goes.
    hurry: u32,
}

impl Rate {
    fn new(now: Instant) -> Self {
        Self { limit: None, changed: now, halved: now, next: now, gone: 0, gone_before: 0, counting: now, hurry: 1 }
    }

    /// Takes a turn, or says when to try again.
    fn take(&mut self, now: Instant) -> Result<(), Instant> {
        self.recover(now);
        if now < self.next {
            return Err(self.next);
        }
        if let Some(limit) = self.limit {
            self.next = now + Duration::from_secs_f64(1.0 / limit);
        }
        let counted = now.duration_since(self.counting);
        let measured = MEASURED / self.hurry;
        if counted >= measured {
            self.gone_before = if counted < 2 * measured { self.gone } else { 0 };
            (self.gone, self.counting) = (0, now);
        }
        self.gone += 1;
        Ok(())
    }

    /// Of many that were on their way together each is refused; that is one reason to go slower, not many.
    fn throttled(&mut self, now: Instant, sent: Instant, wish: Option<Duration>) {
        self.next = self.next.max(now + wish.unwrap_or(PAUSE / self.hurry));
        if self.limit.is_some() && sent <= self.halved {
            return;
        }
        let times = f64::from(self.hurry);
        let measured = || times * f64::from(self.gone.max(self.gone_before)).clamp(TELLING_PER_S, FREE_PER_S);
        let was = self.limit.unwrap_or_else(measured);
        self.limit = Some((was / 2.0).max(times * SLOWEST_PER_S));
        (self.changed, self.halved) = (now, now);
    }

    fn recover(&mut self, now: Instant) {
        let recovery = RECOVERY / self.hurry;
        while let Some(limit) = self.limit
            && now.saturating_duration_since(self.changed) >= recovery
        {
            self.changed += recovery;
            self.limit = Some(limit * 2.0).filter(|limit| *limit < FREE_PER_S * f64::from(self.hurry));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When, in milliseconds after `from`, the next `count` turns come if they are taken as soon as they may.
    fn turns(rate: &mut Rate, from: Instant, start: Instant, count: usize) -> Vec<u128> {
        let mut now = from;
        (0..count)
            .map(|_| {
                while let Err(until) = rate.take(now) {
                    now = until;
                }
                now.duration_since(start).as_millis()
            })
            .collect()
    }

    #[test]
    fn nobody_waits_as_long_as_nobody_complains() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        assert_eq!(turns(&mut rate, start, start, 1000), vec![0; 1000]);
    }

    #[test]
    fn a_throttle_holds_everybody_back_and_halves_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 32);
        rate.throttled(start, start, None);
        assert_eq!(rate.limit, Some(16.0));
        assert_eq!(turns(&mut rate, start, start, 4), [250, 312, 375, 437]);
    }

    /// What is refused went a moment before, perhaps in the second that was counted before.
    #[test]
    fn the_rate_that_was_too_much_is_not_that_of_a_second_that_just_began() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 32);
        let next = start + MEASURED;
        turns(&mut rate, next, start, 1);
        rate.throttled(next, start, None);
        assert_eq!(rate.limit, Some(16.0));
    }

    #[test]
    fn many_refused_together_slow_it_down_once() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 32);
        for _ in 0..8 {
            rate.throttled(start, start, None);
        }
        assert_eq!(rate.limit, Some(16.0));
        let later = start + Duration::from_millis(500);
        rate.throttled(later, later, None);
        assert_eq!(rate.limit, Some(8.0), "one that was sent after the first had slowed it down is another reason");
    }

    /// A creation of about forty calls of which one of the first is refused, and one of its second tries.
    #[test]
    fn a_refusal_among_the_first_calls_costs_seconds() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 3);
        rate.throttled(start, start, None);
        let last = *turns(&mut rate, start, start, 40).last().expect("forty");
        assert!(last < 5_500, "{last} ms");
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 3);
        rate.throttled(start, start, None);
        let second = start + Duration::from_millis(300);
        turns(&mut rate, second, start, 1);
        rate.throttled(second, second, None);
        let last = *turns(&mut rate, second, start, 40).last().expect("forty");
        assert!(last < 8_000, "{last} ms");
    }

    #[test]
    fn the_wish_of_the_server_is_kept_by_all() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 64);
        rate.throttled(start, start, Some(Duration::from_secs(3)));
        assert_eq!(turns(&mut rate, start, start, 2), [3000, 3031]);
    }

    #[test]
    fn it_never_stops_altogether() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for second in 0..20 {
            let now = start + Duration::from_secs(second);
            rate.throttled(now, now, None);
        }
        assert_eq!(rate.limit, Some(SLOWEST_PER_S));
    }

    #[test]
    fn it_recovers_by_itself() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        turns(&mut rate, start, start, 32);
        rate.throttled(start, start, None);
        let mut limits = Vec::new();
        for second in [3, 4, 7, 8] {
            rate.recover(start + Duration::from_secs(second));
            limits.push(rate.limit);
        }
        assert_eq!(limits, [Some(16.0), Some(32.0), Some(32.0), None]);
    }
}
