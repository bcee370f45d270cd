//! Windows of UTC time: a daily one for backups, a weekly one for maintenance.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::clock::later;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const DAY: i64 = 24 * 60;
const WEEK: i64 = 7 * DAY;

/// A window, in minutes since Monday 0:00. A daily one is that of Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: i64,
    length: i64,
    is_daily: bool,
}

impl FromStr for Window {
    type Err = ();

    /// `sun:05:00-sun:06:00` or `03:00-04:00`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (start, end) = text.split_once('-').ok_or(())?;
        let (start_day, start) = moment(start).ok_or(())?;
        let (end_day, end) = moment(end).ok_or(())?;
        match (start_day, end_day) {
            (None, None) => Ok(Self { start, length: (end - start).rem_euclid(DAY), is_daily: true }),
            (Some(from), Some(to)) => {
                let (start, end) = (from * DAY + start, to * DAY + end);
                Ok(Self { start, length: (end - start).rem_euclid(WEEK), is_daily: false })
            }
            (Some(_), None) | (None, Some(_)) => Err(()),
        }
    }
}

impl Window {
    /// Whether it is one of every day.
    pub fn is_daily(self) -> bool {
        self.is_daily
    }

    /// How long it is.
    pub fn minutes(self) -> i64 {
        self.length
    }

    /// Whether two windows have a minute in common. Touching is none.
    pub fn overlaps(self, other: Self) -> bool {
        let meet = |a: Self, b: Self, every: i64| (b.start - a.start).rem_euclid(every) < a.length;
        let every = if self.is_daily || other.is_daily { DAY } else { WEEK };
        meet(self, other, every) || meet(other, self, every)
    }

    /// When a weekly window opens next after a time.
    pub fn next(self, after: Timestamp) -> Timestamp {
        let utc = after.to_zoned(TimeZone::UTC);
        let day = i64::from(utc.weekday().to_monday_zero_offset());
        let minute = day * DAY + i64::from(utc.hour()) * 60 + i64::from(utc.minute());
        let ahead = match (self.start - minute).rem_euclid(WEEK) {
            0 => WEEK,
            ahead => ahead,
        };
        let seconds = ahead * 60 - i64::from(utc.second());
        later(after, SignedDuration::from_secs(seconds))
    }
}

/// `sun:05:00` or `05:00` as a day and a minute of it.
fn moment(text: &str) -> Option<(Option<i64>, i64)> {
    let parts: Vec<_> = text.split(':').collect();
    let (day, hour, minute) = match parts[..] {
        [hour, minute] => (None, hour, minute),
        [day, hour, minute] => {
            let day = DAYS.iter().position(|name| name.eq_ignore_ascii_case(day))?;
            (Some(i64::try_from(day).ok()?), hour, minute)
        }
        _ => return None,
    };
    let two = |text: &str, below: i64| {
        let number = (text.len() == 2).then(|| text.parse::<i64>().ok())??;
        (0..below).contains(&number).then_some(number)
    };
    Some((day, two(hour, 24)? * 60 + two(minute, 60)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    #[test]
    fn touching_windows_do_not_overlap() {
        assert!(!window("03:00-04:00").overlaps(window("mon:04:00-mon:05:00")));
    }

    #[test]
    fn a_daily_window_overlaps_on_any_day() {
        assert!(window("03:00-04:30").overlaps(window("thu:04:00-thu:05:00")));
    }

    #[test]
    fn a_window_over_midnight_is_short() {
        assert_eq!(window("23:30-00:30").minutes(), 60);
        assert_eq!(window("sun:23:30-mon:00:30").minutes(), 60);
    }

    #[test]
    fn nonsense_is_none() {
        for text in ["", "03:00", "3:00-4:00", "25:00-26:00", "mon:03:00-04:00", "xyz:03:00-xyz:04:00"] {
            assert_eq!(text.parse::<Window>(), Err(()), "{text}");
        }
    }

    #[test]
    fn it_opens_next_on_its_day() {
        // 2026-01-01 is a Thursday.
        let next = window("sun:05:00-sun:06:00").next(Timestamp::constant(1_767_225_600 + 7, 0));
        assert_eq!(next.to_string(), "2026-01-04T05:00:00Z");
    }
}
