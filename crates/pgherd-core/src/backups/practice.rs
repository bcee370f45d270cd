//! When a restore is practised and everything stored is read back, and when that was too long ago.

use jiff::{SignedDuration, Timestamp};

use super::Backup;
use super::due::{DAY, Due, Schedule, slot_before};

/// A restore is practised once a week, in the window of the backups.
pub const PRACTISE_EVERY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Windows are a day apart: one that is that much early is the right one.
const EARLY: SignedDuration = SignedDuration::from_hours(12);
/// The first check comes this much less than a week after the first backup.
const CHECKED_AFTER_DRILL: SignedDuration = SignedDuration::from_hours(4 * 24);
/// After so long without one that went well, somebody should know.
const OVERDUE_AFTER: SignedDuration = SignedDuration::from_hours(2 * 7 * 24);

/// The last drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drilled {
    /// When it ended.
    pub at: Timestamp,
    /// Whether the database could be restored.
    pub passed: bool,
}

/// Whether a drill is due: once a week at the instance's moment in the window, the first one at the first such moment after the first
/// backup, one that failed again the next day, a missed one as soon as possible. Without a sound backup there is nothing to practise
/// with. What is from the future, which a clock that was set back leaves, counts for nothing.
pub fn drill_due(schedule: &Schedule, backups: &[Backup], last: Option<Drilled>, now: Timestamp) -> Due {
    let Some(first) = first_sound(backups, now).filter(|_| schedule.retention_days > 0) else { return Due::Off };
    let not_before = match last.filter(|last| last.at <= now) {
        Some(Drilled { at, passed: true }) => later(at, PRACTISE_EVERY - EARLY),
        Some(Drilled { at, passed: false }) => later(at, DAY - EARLY),
        None => first,
    };
    // The first of the daily moments that is not before it.
    let before = slot_before(schedule, not_before);
    let at = if before == not_before { before } else { later(before, DAY) };
    if at <= now { Due::Now } else { Due::At(at) }
}

/// Whether everything that is stored is to be read back: a drill reads the newest backup and the log after it, this all others. Once a week
/// as well, in the days between two drills.
pub fn check_due(schedule: &Schedule, backups: &[Backup], last: Option<Timestamp>, now: Timestamp) -> Due {
    let Some(first) = first_sound(backups, now) else { return Due::Off };
    let begun = first.saturating_sub(CHECKED_AFTER_DRILL).unwrap_or(Timestamp::MIN);
    let at = last.filter(|at| *at <= now).unwrap_or(begun);
    drill_due(schedule, backups, Some(Drilled { at, passed: true }), now)
}

/// Since when nobody knows whether the database can be restored, where that is too long ago: since the last drill that went well, or
/// the first backup.
pub fn drill_overdue(backups: &[Backup], last_passed: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let since = last_passed.filter(|at| *at <= now).or_else(|| first_sound(backups, now))?;
    (now.duration_since(since) > OVERDUE_AFTER).then_some(since)
}

/// When the first backup was whole that can be practised with.
fn first_sound(backups: &[Backup], now: Timestamp) -> Option<Timestamp> {
    backups.iter().filter(|backup| !backup.damaged).map(|backup| backup.finished_at).filter(|at| *at <= now).min()
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
