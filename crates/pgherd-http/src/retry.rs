//! Which attempt comes next and when. Pure: what happened and chance are passed in.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::client::Response;

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// "Asked too often" is borne for so long since it was first heard. The last attempt is at the end of that.
    pub throttled_for: Duration,
    /// The longest time a server may have us stay away, counted from the same moment, before we give up instead: nobody watches a command
    /// that does nothing.
    pub obeyed_for: Duration,
    /// Attempts after which a failure of the network or the server is handed on.
    pub failed_at_most: u32,
    /// The wait after the first attempt is between nothing and this; it doubles with every further one.
    pub first_wait: Duration,
    /// The most it grows to.
    pub longest_wait: Duration,
    /// How many times faster than usual everybody who was throttled goes on together: 1, but where nobody is spared by going slowly.
    pub hurry: u32,
}

impl Default for Policy {
    /// A throttle is worth more patience than a failure, since it says that all is well but busy, and than AWS's own clients have, which end
    /// after ten attempts, about half a minute: clouds count by the minute, others of the account ask as well, and what ends here may be an
    /// apply that has made half of a database. So a minute is outlasted for certain. Who only looks waits less: [`Self::looking`].
    fn default() -> Self {
        Self {
            throttled_for: Duration::from_secs(120),
            obeyed_for: Duration::from_secs(300),
            failed_at_most: 4,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(20),
            hurry: 1,
        }
    }
}

impl Policy {
    /// The usual one where all waits are so many times shorter, for tests. Patience is, by a quarter of that: the clock counts it, and who is
    /// held up for a moment by a busy machine would have none left.
    #[must_use]
    pub fn hurried(times: u32) -> Self {
        let Self { throttled_for, obeyed_for, failed_at_most, first_wait, longest_wait, hurry } = Self::default();
        Self {
            throttled_for: throttled_for / (times / 4).max(1),
            obeyed_for: obeyed_for / (times / 4).max(1),
            failed_at_most,
            first_wait: first_wait / times,
            longest_wait: longest_wait / times,
            hurry: hurry * times,
        }
    }

    /// Of whoever only looks, and leaves nothing half done by giving up: half as patient, which is a minute.
    #[must_use]
    pub fn looking(self) -> Self {
        self.no_longer_than(self.throttled_for / 2)
    }

    /// Of whoever looks for what can be done without: 20 seconds.
    #[must_use]
    pub fn sparing(self) -> Self {
        self.no_longer_than(self.throttled_for / 6)
    }

    fn no_longer_than(self, most: Duration) -> Self {
        Self { throttled_for: most, obeyed_for: most, ..self }
    }

    /// The longest wait after so many attempts that ended in the same way.
    fn longest_after(&self, times: u32) -> Duration {
        self.first_wait.saturating_mul(1 << times.saturating_sub(1).min(16)).min(self.longest_wait)
    }
}

/// What repeating a request would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safety {
    /// The same as sending it once.
    Repeatable,
    /// Perhaps a second thing. It is repeated only when it had no effect for certain; otherwise whoever asked looks first.
    LookFirst,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// An answer to hand on, good or bad.
    Final,
    /// Asked too often; nothing was done. With the server's wish, if it had one.
    Throttled(Option<Duration>),
    /// The server failed, perhaps half-way.
    Failed(Option<Duration>),
    /// Something answered that is not the service: a proxy's page, for example.
    Foreign,
    /// It never left.
    NotSent,
    /// It left, and nothing came back.
    NoAnswer,
    /// Refused without effect for a reason that is set right by now: a clock, expired credentials.
    Corrected,
}

/// How the attempts so far ended, the present one included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tried {
    /// Throttled.
    pub throttled: u32,
    /// Not sent, not answered, or failed.
    pub failed: u32,
    /// Answered by something else.
    pub foreign: u32,
    /// Refused for what was then corrected.
    pub corrected: u32,
}

impl Tried {
    /// One more, that ended so.
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Final => {}
            Outcome::Throttled(_) => self.throttled += 1,
            Outcome::Failed(_) | Outcome::NotSent | Outcome::NoAnswer => self.failed += 1,
            Outcome::Foreign => self.foreign += 1,
            Outcome::Corrected => self.corrected += 1,
        }
    }
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Hand on what came.
    End,
    /// Send it again after this time.
    Again(Duration),
}

/// Counts an attempt that ended with `outcome`, and says what follows. `held_up_for` is how long ago the first throttle was, or the first
/// failure that asked for time, `roll` is chance, from 0 to 1.
pub fn next(
    policy: &Policy,
    safety: Safety,
    tried: &mut Tried,
    outcome: &Outcome,
    held_up_for: Duration,
    roll: f64,
) -> Next {
    tried.count(outcome);
    let repeatable = safety == Safety::Repeatable;
    match outcome {
        Outcome::Throttled(wish) => throttled(policy, *wish, tried.throttled, held_up_for, roll),
        Outcome::Failed(wish) if repeatable && tried.failed < policy.failed_at_most => {
            waited(policy, wish.map(|wish| (wish, held_up_for)), tried.failed, roll)
        }
        Outcome::NoAnswer if repeatable && tried.failed < policy.failed_at_most => {
            waited(policy, None, tried.failed, roll)
        }
        Outcome::NotSent if tried.failed < policy.failed_at_most => waited(policy, None, tried.failed, roll),
        Outcome::Foreign if repeatable && tried.foreign < 2 => waited(policy, None, tried.foreign, roll),
        Outcome::Corrected if tried.corrected < 2 => Next::Again(Duration::ZERO),
        Outcome::Final
        | Outcome::Failed(_)
        | Outcome::Foreign
        | Outcome::NotSent
        | Outcome::NoAnswer
        | Outcome::Corrected => Next::End,
    }
}

/// Half of a limit that doubles, and up to as much again by chance, so that many who were refused together do not come back together. The
/// server's wish is the least that is waited, since one that is not true, such as none at all, would be obeyed again and again.
fn throttled(policy: &Policy, wish: Option<Duration>, times: u32, throttled_for: Duration, roll: f64) -> Next {
    let wish = wish.unwrap_or_default();
    let left = policy.throttled_for.saturating_sub(throttled_for);
    if left.is_zero() || throttled_for + wish > policy.obeyed_for {
        return Next::End;
    }
    let usual = policy.longest_after(times).mul_f64(0.5 + roll.clamp(0.0, 1.0) / 2.0);
    Next::Again(usual.min(left).max(wish))
}

/// The server's wish, as long as all that was waited is within what is obeyed, or full jitter: anything between nothing and a limit that
/// doubles, so that many who were refused together do not come back together.
fn waited(policy: &Policy, wish: Option<(Duration, Duration)>, times: u32, roll: f64) -> Next {
    match wish {
        Some((wish, held_up_for)) if held_up_for + wish > policy.obeyed_for => Next::End,
        Some((wish, _)) => Next::Again(wish),
        None => Next::Again(policy.longest_after(times).mul_f64(roll.clamp(0.0, 1.0))),
    }
}

/// How long the server asks us to stay away: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).
pub fn wish(response: &Response, now: SystemTime) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(text)?;
    Some(until.duration_since(now).unwrap_or_default())
}

/// A date of HTTP (RFC 9110, 5.6.7), as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn date(text: &str) -> Option<SystemTime> {
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Timestamp::from(&zoned).into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    /// The waits, in milliseconds, of a request that always ends the same way, with chance at its highest.
    #[track_caller]
    fn check(safety: Safety, outcome: &Outcome, waits_ms: &[u64]) {
        let waits = waits(&Policy::default(), safety, outcome, 1.0);
        let waits: Vec<u64> = waits.iter().map(|wait| u64::try_from(wait.as_millis()).expect("short")).collect();
        assert_eq!(waits, waits_ms, "{safety:?} {outcome:?}");
    }

    fn waits(policy: &Policy, safety: Safety, outcome: &Outcome, roll: f64) -> Vec<Duration> {
        let (mut tried, mut waited) = (Tried::default(), Duration::ZERO);
        let attempts = std::iter::from_fn(|| match next(policy, safety, &mut tried, outcome, waited, roll) {
            Next::Again(wait) => {
                waited += wait;
                Some(wait)
            }
            Next::End => None,
        });
        attempts.collect()
    }

    const BOTH: [Safety; 2] = [Safety::Repeatable, Safety::LookFirst];
    const NEVER: &[u64] = &[];

    #[test]
    fn a_throttle_is_borne_for_two_minutes_whatever_was_asked_and_whatever_chance_brings() {
        for safety in BOTH {
            let begin = waits(&Policy::default(), safety, &Outcome::Throttled(None), 1.0);
            let begin: Vec<u128> = begin.iter().take(9).map(Duration::as_millis).collect();
            assert_eq!(begin, [200, 400, 800, 1600, 3200, 6400, 12800, 20000, 20000]);
            for roll in [0.0, 0.3, 1.0] {
                // A server that asks for none, or for a second, is given the same time.
                for wish in [None, Some(Duration::ZERO), Some(Duration::from_secs(1))] {
                    let waits = waits(&Policy::default(), safety, &Outcome::Throttled(wish), roll);
                    let over = waits.iter().sum::<Duration>().saturating_sub(Duration::from_secs(120));
                    assert!(over <= wish.unwrap_or_default(), "{wish:?} {roll}");
                    assert!(waits.iter().sum::<Duration>() >= Duration::from_secs(120), "{wish:?} {roll}");
                }
            }
        }
    }

    /// What the calls before have waited, and what was spent on one's turn, counts.
    #[test]
    fn the_clock_ends_it_and_not_the_number_of_attempts() {
        let (policy, throttled) = (Policy::default(), Outcome::Throttled(None));
        let at = |tried: u32, s: u64| {
            let mut tried = Tried { throttled: tried, ..Tried::default() };
            next(&policy, Safety::Repeatable, &mut tried, &throttled, Duration::from_secs(s), 1.0)
        };
        assert_eq!(at(0, 120), Next::End);
        assert_eq!(at(0, 119), Next::Again(Duration::from_millis(200)));
        assert_eq!(at(20, 119), Next::Again(Duration::from_secs(1)), "the last attempt is at the end");
        assert_eq!(at(20, 10), Next::Again(Duration::from_secs(20)));
    }

    #[test]
    fn who_only_looks_is_less_patient() {
        let patient = |policy: Policy| -> u64 {
            waits(&policy, Safety::Repeatable, &Outcome::Throttled(None), 0.5).iter().sum::<Duration>().as_secs()
        };
        let usual = Policy::default();
        assert_eq!([usual, usual.looking(), usual.sparing()].map(patient), [120, 60, 20]);
        let wish = Outcome::Throttled(Some(Duration::from_secs(61)));
        assert_eq!(waits(&usual.looking(), Safety::Repeatable, &wish, 1.0), [Duration::ZERO; 0]);
    }

    #[test]
    fn where_time_goes_faster_everything_does() {
        let of = |policy: &Policy| waits(policy, Safety::LookFirst, &Outcome::Throttled(None), 1.0);
        let faster: Vec<Duration> = of(&Policy::hurried(100)).iter().map(|wait| *wait * 100).collect();
        // The last one ends with patience.
        let [usual @ .., _] = &of(&Policy::default())[..] else { panic!("it waits") };
        assert!(faster.starts_with(usual), "{faster:?}");
        let Policy { throttled_for, hurry, .. } = Policy::hurried(100);
        assert_eq!((throttled_for * 25, hurry), (Policy::default().throttled_for, 100));
        assert_eq!(Policy::hurried(1), Policy::default());
    }

    #[test]
    fn what_never_left_is_sent_again_whatever_it_is() {
        for safety in BOTH {
            check(safety, &Outcome::NotSent, &[200, 400, 800]);
        }
    }

    #[test]
    fn what_may_have_happened_is_repeated_only_where_that_is_safe() {
        for outcome in [Outcome::NoAnswer, Outcome::Failed(None)] {
            check(Safety::Repeatable, &outcome, &[200, 400, 800]);
            check(Safety::LookFirst, &outcome, NEVER);
        }
    }

    #[test]
    fn a_page_of_somebody_else_is_asked_once_more() {
        check(Safety::Repeatable, &Outcome::Foreign, &[200]);
        check(Safety::LookFirst, &Outcome::Foreign, NEVER);
    }

    #[test]
    fn what_was_corrected_is_sent_again_at_once_and_once() {
        for safety in BOTH {
            check(safety, &Outcome::Corrected, &[0]);
        }
    }

    #[test]
    fn an_answer_is_handed_on() {
        check(Safety::Repeatable, &Outcome::Final, NEVER);
    }

    #[test]
    fn the_wish_of_the_server_wins_unless_it_is_too_long() {
        let five = Some(Duration::from_secs(5));
        check(Safety::LookFirst, &Outcome::Throttled(Some(Duration::from_secs(250))), &[250_000]);
        check(Safety::Repeatable, &Outcome::Failed(five), &[5000; 3]);
        check(Safety::Repeatable, &Outcome::Throttled(Some(Duration::from_secs(301))), NEVER);
    }

    #[test]
    fn chance_spreads_the_waits_from_nothing_to_the_limit() {
        let tried = Tried { failed: 2, throttled: 2, ..Tried::default() };
        let of = |outcome| {
            let after =
                |roll| next(&Policy::default(), Safety::Repeatable, &mut { tried }, &outcome, Duration::ZERO, roll);
            [0.0, 0.25, 1.0, 7.0].map(after)
        };
        let ms = |waits: [u64; 4]| waits.map(|ms| Next::Again(Duration::from_millis(ms)));
        assert_eq!(of(Outcome::NoAnswer), ms([0, 200, 800, 800]));
        assert_eq!(of(Outcome::Throttled(None)), ms([400, 500, 800, 800]));
    }

    #[test]
    fn sorts_are_counted_apart() {
        let mut tried = Tried::default();
        for outcome in
            [Outcome::NotSent, Outcome::Throttled(None), Outcome::Foreign, Outcome::Corrected, Outcome::Final]
        {
            tried.count(&outcome);
        }
        assert_eq!(tried, Tried { throttled: 1, failed: 1, foreign: 1, corrected: 1 });
    }

    #[track_caller]
    fn check_wish(text: &'static str, seconds: Option<u64>) {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static(text));
        let response = Response { status: StatusCode::SERVICE_UNAVAILABLE, headers, body: Bytes::new() };
        let now = date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        assert_eq!(wish(&response, now), seconds.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        check_wish("120", Some(120));
        check_wish("0", Some(0));
        check_wish("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check_wish("Sun, 06 Nov 1994 08:48:37 GMT", Some(0));
        check_wish("soon", None);
        check_wish("-5", None);
    }
}
