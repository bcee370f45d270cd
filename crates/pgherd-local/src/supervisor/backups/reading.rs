//! Reading back everything that is stored, once a week by itself: what nobody reads rots, and is missed on the day it is needed. What is in
//! a bucket is only listed: its owner keeps it whole, and reading it costs.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use pgherd_core::backups::{Due, Schedule, check_due};
use pgherd_core::window::Window;
use pgherd_engine::provider::ProviderError;

use super::{archive, care, schedule};
use crate::supervisor::requests::Shown;
use crate::supervisor::site::Site;
use crate::supervisor::upkeep::Goal;

/// When it could not be done it is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(6 * 60 * 60);
/// How often is looked whether it is time.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// A check is due no sooner than this after the last one: what is stored need not be listed before.
const NEVER_BEFORE: SignedDuration = SignedDuration::from_hours(6 * 24);

/// Reads back what is stored of an instance when it is time. Nobody waits for it: it deletes nothing and takes no turn.
pub async fn read_what_is_due(site: &Site, shown: &Shown) {
    let desk = &site.agent.desk;
    let known = desk.of(&site.name);
    let is_asked = shown.record.memory.goal == Goal::Serve
        && shown.record.wanted.backup_retention_days > 0
        && archive::settings_file(site).exists();
    let was_looked = known.read_looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY);
    if !is_asked || was_looked || known.read_at.is_some_and(|at| at.elapsed() < AGAIN_AFTER) {
        return;
    }
    desk.note(&site.name, |known| known.read_looked_at = Some(Instant::now()));
    match is_due(site, shown).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return tracing::warn!(instance = site.name, "what is stored: {error}"),
    }
    desk.note(&site.name, |known| known.read_at = Some(Instant::now()));
    match care::check_by_itself(&site.agent, &site.name).await {
        Ok(report) if report.findings.is_empty() => {
            site.note(format!(
                "looked over all that is stored of it, {} bytes read back: nothing is wrong",
                report.bytes
            ));
        }
        // What is wrong is in the history by now.
        Ok(_) => {}
        Err(error) => site.note(format!("what is stored of it could not be read back: {error}")),
    }
}

async fn is_due(site: &Site, shown: &Shown) -> Result<bool, ProviderError> {
    let wanted = &shown.record.wanted;
    let Some(window) = Window::parse_daily(&wanted.backup_window) else { return Ok(false) };
    let schedule = Schedule { window, retention_days: wanted.backup_retention_days, name: site.name.clone() };
    let (last, now) = (care::last_check(site).map(|report| report.at), Timestamp::now());
    if last.is_some_and(|at| at <= now && now.duration_since(at) < NEVER_BEFORE) {
        return Ok(false);
    }
    let backups = schedule::holdings(site).await?.backups;
    Ok(check_due(&schedule, &backups, last, now) == Due::Now)
}
