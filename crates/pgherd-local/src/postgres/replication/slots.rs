//! Replication slots of the nodes that stream from a server. Slots of other names are their owners' business.

use std::collections::BTreeSet;
use std::time::Duration;

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{Place, role};
use crate::postgres::Result;
use crate::postgres::session::Session;

/// The physical slots there are: name, whether it lost its log, whose process uses it.
const SLOTS: &str = "SELECT slot_name::text, wal_status IS NOT DISTINCT FROM 'lost', active_pid FROM pg_replication_slots \
                     WHERE slot_type = 'physical' AND NOT temporary";

const DROP: &str = "SELECT pg_drop_replication_slot($1)";

/// Has exactly the slots `of` on a running server, primary or standby: `n2` for node n2. Those that lost what their user needs
/// are made anew, those of other nodes are dropped, whoever uses them. A new one keeps the log from now on. Repeatable.
pub async fn keep(place: &Place, of: &BTreeSet<NodeId>, deadline: Duration) -> Result<()> {
    tokio::time::timeout(deadline, keep_in_time(place, of, deadline)).await.unwrap_or_else(|_| {
        let message = format!("the slots on {} are not as they should be after {} ms", place.id, deadline.as_millis());
        Err(ProviderError::new(ErrorKind::TimedOut, message))
    })
}

async fn keep_in_time(place: &Place, of: &BTreeSet<NodeId>, deadline: Duration) -> Result<()> {
    let session = Session::connect(&place.layout.socket, place.port, "postgres", deadline).await?;
    // A user that is ended comes back, and may be quicker than the drop: then once more, until the deadline.
    let there = loop {
        let (there, unwanted) = sorted(&session, of).await?;
        if unwanted.is_empty() {
            break there;
        }
        for slot in unwanted {
            drop_slot(&session, &slot).await?;
        }
    };
    for node in of.difference(&there) {
        // From now on, not from the first connection on: what is written while it is copied is kept.
        let create = "SELECT pg_create_physical_replication_slot($1, true)";
        match session.rows(create, &[&node.to_string()]).await {
            // An attempt that was given up may have made it since.
            Err(error) if !error.message.contains("already exists") => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// A slot of ours that is to go.
struct Unwanted {
    name: String,
    user: Option<i32>,
}

/// Those that may stay, and those that are to go.
async fn sorted(session: &Session, of: &BTreeSet<NodeId>) -> Result<(BTreeSet<NodeId>, Vec<Unwanted>)> {
    let (mut there, mut unwanted) = (BTreeSet::new(), Vec::new());
    for row in session.rows(SLOTS, &[]).await? {
        let (name, lost, user): (String, bool, Option<i32>) = (row.get(0), row.get(1), row.get(2));
        match role::node(&name) {
            None => {}
            Some(node) if of.contains(&node) && !lost => drop(there.insert(node)),
            Some(_) => unwanted.push(Unwanted { name, user }),
        }
    }
    Ok((there, unwanted))
}

/// Ends whoever uses a slot, and drops it before its user is back, which a receiver is within milliseconds: `pg_terminate_backend`
/// itself looks whether somebody has ended only every 100 ms.
fn release_and_drop(name: &str, pid: i32) -> String {
    format!(
        "DO $$ BEGIN PERFORM pg_terminate_backend({pid}); \
         FOR attempt IN 1..500 LOOP \
           BEGIN PERFORM pg_drop_replication_slot('{name}'); RETURN; \
           EXCEPTION WHEN object_in_use THEN PERFORM pg_sleep(0.001); END; \
         END LOOP; END $$"
    )
}

async fn drop_slot(session: &Session, slot: &Unwanted) -> Result<()> {
    let done = match slot.user {
        Some(pid) => session.run(&release_and_drop(&slot.name, pid)).await,
        None => session.rows(DROP, &[&slot.name]).await.map(drop),
    };
    match done {
        Ok(()) => Ok(()),
        // Somebody uses it again, or it went meanwhile.
        Err(error) if error.message.contains("is active for PID") || error.message.contains("does not exist") => Ok(()),
        Err(error) => Err(error),
    }
}
