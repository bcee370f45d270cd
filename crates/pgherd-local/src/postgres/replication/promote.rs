//! A running standby becomes the primary.

use std::time::Duration;

use pgherd_core::ha::NodeId;
use rustix::process::Signal;
use tokio::time::Instant;

use super::role::{self, RoleConf};
use super::{Place, blocking, history, pg_control, sync};
use crate::postgres::notice::Notice;
use crate::postgres::session::Session;
use crate::postgres::{Result, io_error, process};

/// What stands in a history file that only keeps its number from being given again. A server that finds it finds no way from
/// its own timeline to that one, and stays; the true history would have it expect log that nobody has.
const GIVEN_AWAY: &str = "# Put here by pgherd: this number was given to a server that was given up.\n";

/// Promotes the running standby of a node, which then waits for `sync` with every commit and is on a timeline after `above`.
/// Returns whether it takes writes: when it does, or at the deadline, and then it still may do so later. Repeatable.
///
/// The names are in force before the first write. Nothing else must be promoted that has this one's history.
pub async fn promote(place: &Place, sync: Option<NodeId>, above: u32, deadline: Duration) -> Result<bool> {
    let end = Instant::now() + deadline;
    let postmaster = sync::running(place)?;
    name_the_sync_standby(place, sync, end).await?;
    let to = place.clone();
    blocking(move || give_numbers_away(&to, above)).await?;
    // A notice from before the order: none is missed.
    let notice = Notice::of(&place.layout.data);
    order(place, &postmaster)?;
    let takes = tokio::time::timeout_at(end, takes_writes(place, notice, deadline)).await.is_ok_and(|takes| takes);
    if takes {
        // One that was a primary already has not taken the order away.
        drop(std::fs::remove_file(place.layout.data.join("promote")));
    }
    Ok(takes)
}

/// The file mostly says so already. What it says of the upstream does no harm to a primary and stays, where rewriting it would
/// take time that clients wait for.
async fn name_the_sync_standby(place: &Place, sync: Option<NodeId>, end: Instant) -> Result<()> {
    let layout = place.layout.clone();
    let known = blocking(move || Ok(role::read(&layout))).await?;
    if known.is_some_and(|role| role.sync == sync) {
        return Ok(());
    }
    let role = RoleConf { upstream: None, sync };
    sync::put_in_force(place, &role, end.saturating_duration_since(Instant::now())).await.map(drop)
}

/// PostgreSQL takes the number after the last history file that follows without a gap on its own timeline's
/// (`findNewestTimeLine`).
fn give_numbers_away(place: &Place, above: u32) -> Result<()> {
    let data = &place.layout.data;
    let control = pg_control::read(data).map_err(|error| io_error("read", &data.join("global/pg_control"), &error))?;
    for timeline in control.timeline + 1..=above {
        let file = history::file(data, timeline);
        if !file.exists() {
            role::put(&file, GIVEN_AWAY, &place.run_as)?;
        }
    }
    Ok(())
}

/// As `pg_ctl promote` does, which then looks only every 100 ms. The file appears as its user's own: the postmaster looks for it on
/// any `SIGUSR1`, another process's too, so that it may be gone before ours is sent.
fn order(place: &Place, postmaster: &process::Postmaster) -> Result<()> {
    role::put_for_now(&place.layout.data.join("promote"), "", &place.run_as)?;
    postmaster.signal(Signal::USR1)
}

/// The postmaster writes its state down when recovery has ended.
async fn takes_writes(place: &Place, mut notice: Notice, deadline: Duration) -> bool {
    let Ok(session) = Session::connect(&place.layout.socket, place.port, "postgres", deadline).await else {
        return false;
    };
    loop {
        match session.one("SELECT pg_is_in_recovery()", &[]).await {
            Ok(row) if !row.get::<_, bool>(0) => return true,
            Ok(_) => notice.next().await,
            Err(_) => return false,
        }
    }
}
