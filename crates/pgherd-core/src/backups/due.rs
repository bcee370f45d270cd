//! When the next backup by schedule is due.

use jiff::{SignedDuration, Timestamp};

use super::{Backup, BackupKind};
use crate::window::{DAY_MIN, Window};

/// After a failed backup the next attempt waits this long, then twice as long, up to an hour.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(5);
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// When backups are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The daily window, UTC.
    pub window: Window,
    /// Days they are kept; 0 is off.
    pub retention_days: u32,
    /// The instance's name: many instances with one window do not begin at the same moment.
    pub name: String,
}

/// What there is to do about backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// They are off.
    Off,
    /// Take one.
    Now,
    /// Not before that moment.
    At(Timestamp),
}

/// Attempts that failed since the last backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// How many.
    pub times: u32,
    /// When the last one ended.
    pub last_at: Timestamp,
}

/// Whether a backup is due: one a day at the instance's moment in the window, a missed one as soon as possible, the first
/// one at once. Backups from the future, which a clock that was set back leaves, count for nothing.
///
/// The caller takes one at a time, and asks again when it is taken or failed.
pub fn due(schedule: &Schedule, backups: &[Backup], failed: Option<Failed>, now: Timestamp) -> Due {
    if schedule.retention_days == 0 {
        return Due::Off;
    }
    let slot = slot_before(schedule, now);
    let mut automated = backups.iter().filter(|backup| backup.kind == BackupKind::Automated && !backup.damaged);
    if automated.any(|backup| slot <= backup.taken_at && backup.taken_at <= now) {
        return Due::At(slot + DAY);
    }
    match failed {
        // A failure in the future is one before the clock was set back: how long ago it was is not known.
        Some(Failed { times, last_at }) if last_at <= now => {
            let wait = FIRST_WAIT * (1 << times.saturating_sub(1).min(4));
            let next = last_at + wait.min(LONGEST_WAIT);
            if next <= now { Due::Now } else { Due::At(next) }
        }
        _ => Due::Now,
    }
}

pub(super) const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The instance's last moment in the window that is not after `now`.
pub fn slot_before(schedule: &Schedule, now: Timestamp) -> Timestamp {
    let offset_s = i64::from(schedule.window.start_min % DAY_MIN) * 60 + jitter_s(schedule);
    let day_s = i64::from(DAY_MIN) * 60;
    let days = (now.as_second() - offset_s).div_euclid(day_s);
    Timestamp::from_second(days * day_s + offset_s).unwrap_or(Timestamp::MIN)
}

/// Within the first half of the window, the same every day: so that a backup also ends in it, if it can.
fn jitter_s(schedule: &Schedule) -> i64 {
    // FNV-1a: the same in every version of every library.
    let hash = schedule
        .name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let half_s = u64::from(schedule.window.length_min) * 30;
    i64::try_from(hash % half_s.max(1)).unwrap_or(0)
}
