//! When commits were on the primary alone although a standby was wanted: now, and the last times. Pure.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha::Memory;
use serde::{Deserialize, Serialize};

use super::messages::Span;

/// So many past times are kept.
const KEPT: usize = 10;

/// The times an instance was without a standby that held everything. The time before it had its first one is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Alone {
    /// Since when it is now.
    pub since: Option<Timestamp>,
    /// The last times, oldest first.
    pub past: Vec<Span>,
}

impl Alone {
    /// Takes in a decision. What has just ended, if something did.
    pub fn follow(&mut self, before: &Memory, after: &Memory, wanted: bool, now: Timestamp) -> Option<Span> {
        if !wanted {
            self.since = None;
            return None;
        }
        if before.promotable.is_some() && after.promotable.is_none() {
            self.since.get_or_insert(now);
        }
        let since = self.since.take_if(|_| after.promotable.is_some())?;
        let ended = Span { since, until: now };
        self.past.push(ended);
        self.past.drain(..self.past.len().saturating_sub(KEPT));
        Some(ended)
    }
}

/// What is told when it ended.
pub fn words(span: Span) -> String {
    let lasted = span.until.duration_since(span.since).max(SignedDuration::ZERO);
    format!("it took {:.1} s until a standby held every commit again", lasted.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use pgherd_core::ha::NodeId;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn memory(promotable: Option<u16>) -> Memory {
        Memory { promotable: promotable.map(NodeId), ..Memory::default() }
    }

    #[track_caller]
    fn check(steps: &[(i64, Option<u16>)], expected: &[(i64, i64)]) -> Alone {
        let (mut alone, mut before) = (Alone::default(), memory(None));
        let mut ended = Vec::new();
        for (second, promotable) in steps {
            let after = memory(*promotable);
            ended.extend(alone.follow(&before, &after, true, at(*second)));
            before = after;
        }
        let expected: Vec<Span> =
            expected.iter().map(|(since, until)| Span { since: at(*since), until: at(*until) }).collect();
        assert_eq!(ended, expected);
        alone
    }

    #[test]
    fn the_time_before_the_first_standby_does_not_count() {
        assert_eq!(check(&[(1, None), (5, Some(2))], &[]), Alone::default());
    }

    #[test]
    fn a_standby_that_is_lost_and_back_leaves_a_span() {
        check(&[(1, Some(2)), (5, None), (6, None), (8, Some(2)), (9, Some(2))], &[(5, 8)]);
    }

    #[test]
    fn a_failover_lasts_until_the_other_one_is_back() {
        check(&[(1, Some(2)), (5, None), (7, Some(1)), (20, None), (21, Some(2))], &[(5, 7), (20, 21)]);
    }

    #[test]
    fn what_goes_on_is_since() {
        assert_eq!(check(&[(1, Some(2)), (5, None), (6, None)], &[]).since, Some(at(5)));
    }

    #[test]
    fn without_a_wish_for_a_standby_nothing_goes_on() {
        let mut alone = check(&[(1, Some(2)), (5, None)], &[]);
        assert_eq!(alone.follow(&memory(None), &memory(None), false, at(9)), None);
        assert_eq!(alone, Alone::default());
    }

    #[test]
    fn only_the_last_times_are_kept() {
        let steps: Vec<(i64, Option<u16>)> = (0..30).map(|at| (at, (at % 2 == 0).then_some(2))).collect();
        let spans: Vec<(i64, i64)> = (0..14).map(|n| (2 * n + 1, 2 * n + 2)).collect();
        assert_eq!(check(&steps, &spans).past.len(), KEPT);
    }

    #[test]
    fn how_long_it_took_is_told() {
        assert_eq!(words(Span { since: at(1), until: at(4) }), "it took 3.0 s until a standby held every commit again");
    }
}
