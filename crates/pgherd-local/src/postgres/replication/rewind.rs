//! A primary that was given up, brought back onto the new primary's timeline with `pg_rewind`.
//!
//! Invariant: while what is in the data directory is no database, [`Layout::torn`](crate::paths::Layout::torn) says so.

use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::attempt::Attempt;
use super::making::MADE;
use super::pg_control::{self, State};
use super::role::{self, Upstream};
use super::tools::{self, Tool};
use super::{Place, blocking, directory, nobody_at_work};
use crate::postgres::conf::SUPERUSER;
use crate::postgres::packed::sync_all;
use crate::postgres::session::Session;
use crate::postgres::stale;
use crate::postgres::{Result, io_error};

/// How long a connection to a running server may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Rewinds the data directory of a node without any process onto the timeline of the running primary `from`; then it is a
/// standby that was never started. Repeatable, but a run that failed may have left what only a copy can replace, and so does one
/// that is asked for a directory that is no primary's: it is refused as it is.
///
/// When the future is dropped, the tools it runs are killed; [`tools::kill`] waits for their end.
pub async fn rewind(place: &Place, from: &Upstream, serial: u64) -> Result<()> {
    tools::kill(&place.layout).await?;
    refuse_anothers(place, from).await?;
    let to = place.clone();
    let begun = blocking(move || {
        let attempt = Attempt::begin(&to.layout);
        nobody_at_work(&to.layout)?;
        // The server that recovers it would take a dead one that nobody reaped for one that runs.
        stale::remove(&to.layout, to.port)?;
        if directory::is_made_by(&to.layout, serial) {
            return Ok(None);
        }
        refuse_standbys(&to)?;
        role::put(&to.layout.torn(), &format!("{serial}\n"), &to.run_as)?;
        // The server that recovers the directory first cannot be a standby.
        role::set_standby(&to, false)?;
        Ok(Some(attempt))
    })
    .await?;
    let Some(attempt) = begun else { return Ok(()) };
    recover(place).await?;
    tell_its_timeline(from).await?;
    run(place, from).await?;
    let place = place.clone();
    blocking(move || attempt.carry_on(|| finish(&place, serial))).await
}

/// What is there may be another's since the rewind was ordered: nothing of it is touched. Of one whose rewind was cut short nothing
/// may be readable.
async fn refuse_anothers(place: &Place, from: &Upstream) -> Result<()> {
    let data = place.layout.data.clone();
    let Ok(there) = blocking(move || Ok(pg_control::read(&data))).await? else { return Ok(()) };
    let session = Session::connect(&from.socket, from.port, "postgres", CONNECT_DEADLINE).await?;
    let row = session.one("SELECT system_identifier::text FROM pg_control_system()", &[]).await?;
    if row.get::<_, String>(0) == there.system_id.to_string() {
        return Ok(());
    }
    let message = format!("{} holds another database, {}", place.layout.data.display(), there.system_id);
    Err(ProviderError::new(ErrorKind::Conflict, message).help("move it away: a copy is to have its place"))
}

/// A standby that ended by itself, or a copy that never ran, is recovered by no server: at the end that would write a checkpoint of
/// its own, on the timeline it is on, which may be the source's. `pg_rewind` then sees nothing to do, and what the source wrote
/// in that place is never replayed (seen: a rewound directory that was rewound again stopped at an invalid record for good).
fn refuse_standbys(place: &Place) -> Result<()> {
    let data = &place.layout.data;
    let followed = match control(place)?.state {
        State::ShutDown | State::ShutDownInRecovery => false,
        State::InArchiveRecovery => true,
        State::Primary => ["standby.signal", "backup_label"].iter().any(|file| data.join(file).exists()),
    };
    if !followed {
        return Ok(());
    }
    let message = format!("{} is a standby's that did not end properly, which cannot be rewound", data.display());
    Err(ProviderError::new(ErrorKind::Conflict, message).help("a copy is to have its place"))
}

fn control(place: &Place) -> Result<pg_control::PgControl> {
    let data = &place.layout.data;
    pg_control::read(data).map_err(|error| io_error("read", &data.join("global/pg_control"), &error))
}

/// Up to 15 pg_rewind goes by the source's `pg_control`, which has the timeline of before the promotion until a checkpoint has
/// been written: it then finds that both are on the same one, and leaves the target as it is.
async fn tell_its_timeline(from: &Upstream) -> Result<()> {
    let session = Session::connect(&from.socket, from.port, "postgres", CONNECT_DEADLINE).await?;
    // For as long as it takes: this runs beside everything else.
    session.client().batch_execute("CHECKPOINT").await.map_err(|error| {
        ProviderError::new(ErrorKind::Unavailable, format!("{} wrote no checkpoint: {error}", from.node))
    })
}

/// Has a server without clients replay the log of one that ended by itself, which pg_rewind wants.
///
/// It would do so itself, but by the configuration that initdb left in the directory, whose `max_connections` and others would
/// then stand in the log: a standby with lower ones refuses to start (seen).
async fn recover(place: &Place) -> Result<()> {
    let dead = place.clone();
    if blocking(move || control(&dead)).await?.state != State::Primary {
        return Ok(());
    }
    let tool = Tool::start(place, "postgres", |command| {
        let config_file = place.layout.postgresql_conf();
        command.args(["--single", "-F", "-c"]).arg(format!("config_file={}", config_file.display()));
        command.arg("-D").arg(&place.layout.data).arg("template1");
    })?;
    tool.end().await
}

async fn run(place: &Place, from: &Upstream) -> Result<()> {
    // In quotes as libpq reads them; the rest needs none.
    let socket = from.socket.display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
    let source = format!("host='{socket}' port={} user={SUPERUSER} dbname=postgres", from.port);
    let tool = Tool::start(place, "pg_rewind", |command| {
        command.arg("--target-pgdata").arg(&place.layout.data).arg("--source-server").arg(source);
        command.args(["--no-sync", "--no-ensure-shutdown"]);
    })?;
    tool.end().await
}

fn finish(place: &Place, serial: u64) -> Result<()> {
    let Place { layout, run_as, .. } = place;
    for theirs in ["recovery.signal", "promote", "postmaster.pid", "postmaster.opts"] {
        role::remove(&layout.data.join(theirs))?;
    }
    empty(&layout.data.join("pg_replslot"))?;
    role::put(&layout.data.join("standby.signal"), "", run_as)?;
    // The source's was copied over ours.
    role::put(&layout.data.join(MADE), &format!("{serial}\n"), run_as)?;
    sync_all(&layout.data)?;
    role::remove(&layout.torn())
}

/// Slots of a time as primary keep log for ever.
fn empty(folder: &std::path::Path) -> Result<()> {
    let refuse = |error: std::io::Error| io_error("empty", folder, &error);
    for entry in std::fs::read_dir(folder).map_err(refuse)? {
        std::fs::remove_dir_all(entry.map_err(refuse)?.path()).map_err(refuse)?;
    }
    Ok(())
}
