//! The server's clock, learnt from `Date` when a signature is refused for its time.
//!
//! Nothing is corrected as long as nothing is refused: a `Date` header of a cache or a proxy may be older than our own clock.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use crate::client::Response;
use crate::retry::date;

/// Differences below this are no reason for a refusal, so there is nothing to correct. AWS takes 5 minutes, 15 in places.
const NOTICEABLE_MS: u64 = 60_000;

/// How far the server's clock is from ours.
#[derive(Debug, Default)]
pub struct Skew {
    ahead_ms: AtomicI64,
}

impl Skew {
    /// The server's time, as far as it is known.
    pub fn now(&self) -> SystemTime {
        self.at(SystemTime::now())
    }

    /// The server's time when ours is `local`.
    pub fn at(&self, local: SystemTime) -> SystemTime {
        let ahead_ms = self.ahead_ms.load(Ordering::Relaxed);
        let distance = Duration::from_millis(ahead_ms.unsigned_abs());
        if ahead_ms < 0 { local - distance } else { local + distance }
    }

    /// Learns from an answer that came at `local`, and says whether the time that was `used` is off from what is known now, so that
    /// sending again helps. It may be so although this answer taught nothing: others ask at the same time.
    pub fn learn(&self, response: &Response, local: SystemTime, used: SystemTime) -> bool {
        if let Some(theirs) = response.header("date").and_then(date) {
            let ahead_ms = milliseconds(theirs, local);
            if ahead_ms.abs_diff(self.ahead_ms.load(Ordering::Relaxed)) >= NOTICEABLE_MS {
                self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
            }
        }
        milliseconds(self.at(local), used).unsigned_abs() >= NOTICEABLE_MS
    }
}

/// `a - b`.
fn milliseconds(a: SystemTime, b: SystemTime) -> i64 {
    let whole = |distance: Duration| i64::try_from(distance.as_millis()).unwrap_or(i64::MAX);
    match a.duration_since(b) {
        Ok(ahead) => whole(ahead),
        Err(behind) => -whole(behind.duration()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    const NOON: &str = "Sun, 06 Nov 1994 12:00:00 GMT";

    /// An answer of noon that comes when our clock shows `local`; whether that taught something, and what we then think.
    #[track_caller]
    fn check(local: &str, date_header: &'static str, learnt: bool, thought: &str) {
        let mut headers = HeaderMap::new();
        headers.insert("date", HeaderValue::from_static(date_header));
        let response = Response { status: StatusCode::FORBIDDEN, headers, body: Bytes::new() };
        let local = date(local).expect("a date");
        let skew = Skew::default();
        assert_eq!(skew.learn(&response, local, local), learnt);
        assert_eq!(skew.at(local), date(thought).expect("a date"));
        assert_eq!(skew.learn(&response, local, local), learnt, "whoever asked at the same time may ask again, too");
        assert!(!skew.learn(&response, local, skew.at(local)), "with the right time the reason is another");
    }

    #[test]
    fn a_clock_that_is_behind_is_corrected() {
        check("Sun, 06 Nov 1994 11:40:00 GMT", NOON, true, NOON);
    }

    #[test]
    fn a_clock_that_is_ahead_is_corrected() {
        check("Mon, 07 Nov 1994 12:00:00 GMT", NOON, true, NOON);
    }

    #[test]
    fn a_difference_of_seconds_is_left() {
        check("Sun, 06 Nov 1994 12:00:59 GMT", NOON, false, "Sun, 06 Nov 1994 12:00:59 GMT");
    }

    #[test]
    fn without_a_date_nothing_is_learnt() {
        check("Sun, 06 Nov 1994 11:40:00 GMT", "yesterday", false, "Sun, 06 Nov 1994 11:40:00 GMT");
    }
}
