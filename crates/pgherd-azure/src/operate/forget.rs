//! `forget`: pgherd's own tags are taken off a server, which goes on as it is with everything around it.

use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Events, ProviderError};

use crate::live::retagged;
use crate::observe::{ours, replicas};
use crate::provider::Azure;
use crate::tags;
use crate::wait::say;

/// Leaves a database alone. The server is last, so that a run that was cut short finds the rest.
pub(super) async fn forget(azure: &Azure, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let there = ours(azure, &spec.name).await?;
    for one in replicas(azure, &spec.name).await?.iter().chain([&there]) {
        let worn = one.tags();
        let is_own =
            |tag: &&String| [tags::BLOCK, tags::RESTORED].contains(&tag.as_str()) || tag.starts_with(tags::KEYS);
        let own: Vec<(&str, Option<&str>)> = worn.keys().filter(is_own).map(|tag| (tag.as_str(), None)).collect();
        retagged(azure, one.name(), &own, events).await?;
    }
    say(events, format!("the server {} is left alone, its secret, its alarms and its lock too", spec.name));
    Ok(())
}
