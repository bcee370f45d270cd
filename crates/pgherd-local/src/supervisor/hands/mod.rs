//! Carrying out what [`pgherd_core::ha`] decides, one action after the other.
//!
//! Invariant: every action may be done twice and cut short anywhere.

mod beside;
mod init;
mod release;
mod start;
mod stop;

pub use beside::ended;
pub use start::group;
pub use stop::{is_under_way, stopped};

use std::time::Duration;

use pgherd_core::ha::{Action, NodeId, Verb};
use pgherd_engine::provider::ProviderError;

use super::keeper::Keeper;
use super::site::blocking;
use crate::postgres::replication::{follow, making, promote, slots, sync};

/// How long a server may take to do what it is told, before one looks again.
const DEADLINE: Duration = Duration::from_secs(5);

/// Carries out one action. The memory it came with is on disk.
pub async fn act(keeper: &mut Keeper, action: &Action) -> Result<(), ProviderError> {
    match &action.verb {
        Verb::Init { node } => init::init(keeper, *node).await,
        Verb::Start { node, role } => start::start(keeper, *node, *role).await,
        Verb::Stop { node } => stop::stop(keeper, *node).await,
        Verb::Kill { node } => stop::kill(keeper, *node).await,
        Verb::Promote { node, sync, above } => {
            // Until it takes writes, or that takes too long: one looks again in any case.
            promote::promote(&keeper.place(*node)?, *sync, *above, DEADLINE).await.map(drop)
        }
        Verb::SetSync { primary, to } => {
            let place = keeper.place(*primary)?;
            keeper.live(*primary).waits_for = None;
            let seen = sync::set_sync(&place, *to, DEADLINE).await?;
            keeper.live(*primary).waits_for = to.filter(|_| seen);
            Ok(())
        }
        Verb::Follow { node, primary } => {
            let upstream = keeper.place(*primary)?.upstream();
            follow::follow(&keeper.place(*node)?, &upstream, DEADLINE).await
        }
        Verb::Slots { on, of } => {
            slots::keep(&keeper.place(*on)?, of, DEADLINE).await?;
            of.iter().for_each(|node| nudge(keeper, *node));
            Ok(())
        }
        Verb::Clone { .. } | Verb::Rejoin { .. } | Verb::Examine { .. } | Verb::Checkpoint { .. } => {
            beside::begin(keeper, &action.verb)
        }
        Verb::Remove { node } => {
            let layout = keeper.site.node(*node);
            blocking(move || making::remove(&layout)).await
        }
        Verb::Discard { node } => {
            let layout = keeper.site.node(*node);
            blocking(move || making::discard(&layout)).await
        }
        Verb::Route(route) => {
            let record = keeper.record()?.clone();
            let site = keeper.site.clone();
            keeper.ways.lead(&site, &record, route).await
        }
        Verb::Release { node } => release::release(keeper, *node).await,
    }
}

/// Has a standby that could not stream try again at once: it waits for a signal as well as for its `wal_retrieve_retry_interval`.
fn nudge(keeper: &mut Keeper, node: NodeId) {
    if let Some(postmaster) = &keeper.live(node).postmaster {
        // One that has ended has nothing to try.
        drop(postmaster.reload());
    }
}

/// What is said while it is carried out; `None` for what takes no time.
pub fn phase(verb: &Verb) -> Option<String> {
    Some(match verb {
        Verb::Init { .. } => "making the cluster".to_owned(),
        Verb::Start { .. } => "starting PostgreSQL".to_owned(),
        Verb::Stop { .. } => "stopping PostgreSQL".to_owned(),
        Verb::Kill { .. } => "ending what is left of a server".to_owned(),
        Verb::Clone { node, .. } => format!("copying the primary to {node}"),
        Verb::Rejoin { node, .. } => format!("rewinding {node}"),
        Verb::Promote { node, .. } => format!("promoting {node}"),
        Verb::SetSync { to: Some(to), .. } => format!("having commits wait for {to}"),
        Verb::SetSync { to: None, .. } => "having commits wait for nobody".to_owned(),
        Verb::Release { node } => format!("moving {node} to a place of its own"),
        _ => return None,
    })
}
