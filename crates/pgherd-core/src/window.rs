//! Daily and weekly windows, in UTC, half-open and allowed to cross midnight and the week.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Minutes in a day.
pub const DAY_MIN: u32 = 24 * 60;
/// Minutes in a week.
pub const WEEK_MIN: u32 = 7 * DAY_MIN;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// A window that repeats every `period_min` minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Start, minutes after midnight (daily) or after Monday 00:00 (weekly), UTC.
    pub start_min: u32,
    /// Length, minutes; at least 1 and at most the period.
    pub length_min: u32,
    /// [`DAY_MIN`] or [`WEEK_MIN`].
    pub period_min: u32,
}

impl Window {
    /// Reads `03:00-04:00`.
    pub fn parse_daily(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Self::new(clock(start)?, clock(end)?, DAY_MIN)
    }

    /// Reads `sun:04:00-sun:05:00`.
    pub fn parse_weekly(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        Self::new(day_and_clock(start)?, day_and_clock(end)?, WEEK_MIN)
    }

    fn new(start_min: u32, end_min: u32, period_min: u32) -> Option<Self> {
        let length_min = (end_min + period_min - start_min) % period_min;
        (length_min > 0).then_some(Self { start_min, length_min, period_min })
    }

    /// Whether the two ever hold at the same minute. Touching ends do not count.
    pub fn overlaps(&self, other: &Self) -> bool {
        let starts = |period_min: u32| (0..WEEK_MIN / period_min).map(move |n| n * period_min);
        starts(self.period_min).any(|mine| {
            starts(other.period_min).any(|theirs| {
                let (a, b) = (self.start_min + mine, other.start_min + theirs);
                (b + WEEK_MIN - a) % WEEK_MIN < self.length_min || (a + WEEK_MIN - b) % WEEK_MIN < other.length_min
            })
        })
    }

    /// Whether the window is open at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.minutes_since_start(now) < self.length_min
    }

    /// The next moment the window opens, or `now` when it is open.
    pub fn next_opening(&self, now: Timestamp) -> Timestamp {
        if self.is_open(now) {
            return now;
        }
        let wait_min = i64::from(self.period_min - self.minutes_since_start(now));
        let minute = now.as_second().div_euclid(60);
        Timestamp::from_second((minute + wait_min) * 60).unwrap_or(Timestamp::MAX)
    }

    fn minutes_since_start(&self, now: Timestamp) -> u32 {
        let utc = now.to_zoned(TimeZone::UTC);
        let day = u32::try_from(utc.weekday().to_monday_zero_offset()).unwrap_or(0);
        let minute =
            day * DAY_MIN + u32::try_from(utc.hour()).unwrap_or(0) * 60 + u32::try_from(utc.minute()).unwrap_or(0);
        (minute + WEEK_MIN - self.start_min) % self.period_min
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let point = |f: &mut fmt::Formatter<'_>, minute: u32| {
            if self.period_min == WEEK_MIN {
                write!(f, "{}:", DAYS[(minute / DAY_MIN) as usize])?;
            }
            write!(f, "{:02}:{:02}", minute % DAY_MIN / 60, minute % 60)
        };
        point(f, self.start_min)?;
        f.write_str("-")?;
        point(f, (self.start_min + self.length_min) % self.period_min)
    }
}

fn clock(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 || !(hours.to_owned() + minutes).bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

fn day_and_clock(text: &str) -> Option<u32> {
    let (day, time) = text.split_once(':')?;
    let day = DAYS.iter().position(|name| day.eq_ignore_ascii_case(name))?;
    Some(u32::try_from(day).ok()? * DAY_MIN + clock(time)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_overlap(daily: &str, weekly: &str, expected: bool) {
        let (a, b) = (Window::parse_daily(daily).expect("daily"), Window::parse_weekly(weekly).expect("weekly"));
        assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expected, expected));
    }

    #[test]
    fn touching_windows_do_not_overlap() {
        check_overlap("03:00-04:00", "sun:04:00-sun:05:00", false);
    }

    #[test]
    fn one_minute_in_common_does() {
        check_overlap("03:00-04:01", "sun:04:00-sun:05:00", true);
    }

    #[test]
    fn across_midnight_and_the_week() {
        check_overlap("23:30-00:30", "sun:23:00-mon:00:10", true);
        check_overlap("00:10-00:40", "sun:23:00-mon:00:10", false);
        check_overlap("00:09-00:40", "sun:23:00-mon:00:10", true);
    }

    #[test]
    fn the_next_opening_is_now_or_later_this_week() {
        let window = Window::parse_weekly("sun:04:00-sun:05:00").expect("weekly");
        let saturday: Timestamp = "2026-11-21T22:00:30Z".parse().expect("time");
        assert_eq!(window.next_opening(saturday).to_string(), "2026-11-22T04:00:00Z");
        let inside: Timestamp = "2026-11-22T04:59:59Z".parse().expect("time");
        assert_eq!(window.next_opening(inside), inside);
        let after: Timestamp = "2026-11-22T05:00:00Z".parse().expect("time");
        assert_eq!(window.next_opening(after).to_string(), "2026-11-29T04:00:00Z");
    }

    #[test]
    fn is_shown_as_written() {
        for text in ["sun:04:00-sun:05:00", "sun:23:00-mon:00:10"] {
            assert_eq!(Window::parse_weekly(text).expect("weekly").to_string(), text);
        }
        assert_eq!(Window::parse_daily("23:30-00:30").expect("daily").to_string(), "23:30-00:30");
        assert_eq!(Window::parse_daily("03:00-03:00"), None);
    }
}
