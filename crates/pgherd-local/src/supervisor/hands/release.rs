//! A stopped replica becomes an instance of its own.

use pgherd_core::ha::NodeId;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::postgres::replication::fence;
use crate::supervisor::keeper::Keeper;
use crate::supervisor::promotion;
use crate::supervisor::requests::Ask;
use crate::supervisor::site::{Site, blocking};

/// Moves it, and has its own keeper go on: that one promotes it, and gives it port and password.
pub(super) async fn release(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let record = keeper.record()?.clone();
    let Some(promotion) = record.promotion.clone().filter(|promotion| promotion.node == node) else {
        let message = format!("nobody has said what {node} is to become");
        return Err(ProviderError::new(ErrorKind::Invalid, message));
    };
    let site = keeper.site.clone();
    fence::kill(&site.node(node)).await?;
    keeper.servers.remove(&node);
    let (own, to) = (site.clone(), promotion.to.clone());
    blocking(move || {
        promotion::hand_over(&own, &record, &promotion)?;
        promotion::forget_limits(&own, node);
        Ok(())
    })
    .await?;
    site.note(format!("its replica {node} is an instance of its own now: {to}"));
    Site::of(site.agent.clone(), &to).note(format!("made of {node}, which was a replica of {}", site.name));
    // Whoever asked for it has it taken up, and watches that. By now that may be nobody, or somebody who wants another name.
    if !keeper.is_asked(|ask| matches!(ask, Ask::Promote(how) if how.to == to)) {
        drop(site.agent.keeper(&to)?.ask(Ask::TakeUp)?);
    }
    Ok(())
}
