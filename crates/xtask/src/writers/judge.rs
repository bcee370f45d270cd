//! What became of the writes: lost, there twice, taken by two servers at a time. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};

use super::{Server, Write};

/// What became of the writes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// How many were acknowledged.
    pub acknowledged: usize,
    /// How many statements failed.
    pub failed: usize,
    /// Acknowledged, and not there.
    pub lost: BTreeSet<i64>,
    /// There more than once.
    pub duplicates: BTreeSet<i64>,
    /// Acknowledged by a server although another one had taken over before they were sent.
    pub two_writers: BTreeSet<i64>,
}

impl Judgement {
    /// Whether nothing was lost, nothing is there twice, and no two servers took writes.
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.duplicates.is_empty() && self.two_writers.is_empty()
    }

    /// Both together.
    pub fn and(mut self, other: Self) -> Self {
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
        self.lost.extend(other.lost);
        self.duplicates.extend(other.duplicates);
        self.two_writers.extend(other.two_writers);
        self
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, failed, lost, duplicates, two_writers } = self;
        let (lost, duplicates, two) = (lost.len(), duplicates.len(), two_writers.len());
        write!(
            f,
            "{acknowledged} acknowledged, {failed} failed; lost {lost}, duplicates {duplicates}, two writers {two}"
        )
    }
}

/// Compares what was noted with what is there.
pub fn judge(writes: &[Write], found: &[i64]) -> Judgement {
    let mut there: BTreeMap<i64, u32> = BTreeMap::new();
    for id in found {
        *there.entry(*id).or_default() += 1;
    }
    let acknowledged: BTreeSet<i64> = writes.iter().filter(|write| write.by.is_some()).map(|write| write.id).collect();
    Judgement {
        acknowledged: acknowledged.len(),
        failed: writes.len() - acknowledged.len(),
        lost: acknowledged.iter().filter(|id| !there.contains_key(id)).copied().collect(),
        duplicates: there.iter().filter(|(_, times)| **times > 1).map(|(id, _)| *id).collect(),
        two_writers: second_writers(writes),
    }
}

/// Every promotion begins a new timeline. Who acknowledges on an older one what was sent after a newer one had acknowledged
/// something is a second primary, and so is another server on the same one.
fn second_writers(writes: &[Write]) -> BTreeSet<i64> {
    let mut sent: Vec<(&Write, Server)> = writes.iter().filter_map(|write| Some((write, write.by?))).collect();
    let mut ended = sent.clone();
    sent.sort_by_key(|(write, _)| write.sent);
    ended.sort_by_key(|(write, _)| write.ended);
    let mut ended = ended.into_iter().peekable();
    let (mut newest, mut ports) = (0, BTreeMap::new());
    let mut second = BTreeSet::new();
    for (write, by) in sent {
        while let Some((_, before)) = ended.next_if(|(other, _)| other.ended < write.sent) {
            newest = newest.max(before.timeline);
        }
        if by.timeline < newest || *ports.entry(by.timeline).or_insert(by.port) != by.port {
            second.insert(write.id);
        }
    }
    second
}

/// Ids in a copy although one that had been acknowledged before they were sent is not: the copy is of no one moment.
pub fn out_of_order(writes: &[Write], copy: &[i64]) -> BTreeSet<i64> {
    let there: BTreeSet<i64> = copy.iter().copied().collect();
    let missing = writes.iter().filter(|write| write.by.is_some() && !there.contains(&write.id));
    let Some(first_missing) = missing.map(|write| write.ended).min() else { return BTreeSet::new() };
    let later = writes.iter().filter(|write| write.sent > first_missing && there.contains(&write.id));
    later.map(|write| write.id).collect()
}

/// The longest time without any acknowledged write between two moments.
pub fn longest_gap(writes: &[Write], from: Instant, to: Instant) -> Duration {
    let mut acknowledged: Vec<Instant> =
        writes.iter().filter(|write| write.by.is_some() && write.ended < to).map(|write| write.ended).collect();
    acknowledged.sort();
    let first = acknowledged.partition_point(|at| *at <= from).saturating_sub(1);
    let moments = || acknowledged[first..].iter().copied();
    let next = moments().skip(1).chain([to]);
    moments().zip(next).map(|(one, next)| next - one).max().unwrap_or(to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A story in milliseconds: id, sent, ended, and timeline and port of who acknowledged it (timeline 0: it failed).
    type Story<'a> = &'a [(i64, u64, u64, u32, u16)];

    fn told(story: Story<'_>) -> (Instant, Vec<Write>) {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let write = |(id, sent, ended, timeline, port): &(i64, u64, u64, u32, u16)| {
            let by = (*timeline > 0).then_some(Server { timeline: *timeline, port: *port });
            Write { id: *id, sent: at(*sent), ended: at(*ended), by }
        };
        (begun, story.iter().map(write).collect())
    }

    #[track_caller]
    fn check(story: Story<'_>, found: &[i64], expected: &str) {
        assert_eq!(judge(&told(story).1, found).to_string(), expected);
    }

    #[test]
    fn what_failed_may_be_there_or_not() {
        let story: Story<'_> = &[(1, 0, 1, 1, 11), (2, 0, 2, 0, 0), (3, 1, 3, 0, 0)];
        check(story, &[1, 2], "1 acknowledged, 2 failed; lost 0, duplicates 0, two writers 0");
    }

    #[test]
    fn what_was_acknowledged_must_be_there_and_once() {
        let story: Story<'_> = &[(1, 0, 1, 1, 11), (2, 1, 2, 1, 11)];
        check(story, &[2, 2], "2 acknowledged, 0 failed; lost 1, duplicates 1, two writers 0");
    }

    #[test]
    fn an_answer_of_the_old_primary_that_was_on_its_way_is_no_second_writer() {
        let story: Story<'_> = &[(1, 0, 30, 1, 11), (2, 10, 20, 2, 12), (3, 40, 50, 2, 12)];
        check(story, &[1, 2, 3], "3 acknowledged, 0 failed; lost 0, duplicates 0, two writers 0");
    }

    #[test]
    fn the_old_primary_must_not_acknowledge_what_was_sent_later() {
        let story: Story<'_> = &[(2, 10, 20, 2, 12), (1, 21, 30, 1, 11)];
        check(story, &[1, 2], "2 acknowledged, 0 failed; lost 0, duplicates 0, two writers 1");
    }

    #[test]
    fn nobody_else_writes_on_the_same_timeline() {
        let story: Story<'_> = &[(1, 0, 10, 1, 11), (2, 0, 10, 1, 12)];
        check(story, &[1, 2], "2 acknowledged, 0 failed; lost 0, duplicates 0, two writers 1");
    }

    #[track_caller]
    fn ordered(story: Story<'_>, copy: &[i64], expected: &[i64]) {
        assert_eq!(out_of_order(&told(story).1, copy), expected.iter().copied().collect());
    }

    #[test]
    fn a_copy_is_of_one_moment() {
        let story: Story<'_> = &[(1, 0, 10, 1, 11), (2, 5, 20, 1, 11), (3, 15, 30, 1, 11), (4, 40, 50, 1, 11)];
        ordered(story, &[], &[]);
        ordered(story, &[1, 2], &[]);
        // The third was sent before the second was acknowledged: either may be the earlier one.
        ordered(story, &[1, 3], &[]);
        ordered(story, &[1, 4], &[4]);
        ordered(story, &[2, 3, 4], &[3, 4]);
    }

    #[test]
    fn what_was_never_acknowledged_is_missed_by_no_copy() {
        ordered(&[(1, 0, 10, 0, 0), (2, 20, 30, 1, 11)], &[2], &[]);
    }

    #[track_caller]
    fn gap(story: Story<'_>, from_ms: u64, to_ms: u64, expected_ms: u64) {
        let (begun, writes) = told(story);
        let at = |ms| begun + Duration::from_millis(ms);
        assert_eq!(longest_gap(&writes, at(from_ms), at(to_ms)), Duration::from_millis(expected_ms));
    }

    #[test]
    fn a_gap_begins_with_the_last_acknowledgement_before_and_ends_with_the_next() {
        let story: Story<'_> = &[(1, 0, 10, 1, 11), (2, 5, 100, 0, 0), (3, 50, 310, 2, 12), (4, 320, 330, 2, 12)];
        gap(story, 20, 400, 300);
        gap(story, 320, 400, 70);
    }

    #[test]
    fn without_any_acknowledgement_it_is_all_of_the_time() {
        gap(&[], 0, 500, 500);
        gap(&[(1, 0, 10, 1, 11)], 20, 500, 490);
    }
}
