//! `forget`: pgherd's own labels are taken off an instance, which goes on as it is with everything around it.

use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Events, ProviderError};

use crate::labels;
use crate::live::relabelled;
use crate::observe::{ours, replicas};
use crate::provider::Gcp;
use crate::wait::say;

/// Leaves a database alone. The instance is last, so that a run that was cut short finds the rest.
pub(super) async fn forget(gcp: &Gcp, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let there = ours(gcp, &spec.name).await?;
    for one in replicas(gcp, &there).await?.iter().chain([&there]) {
        let worn = one.labels();
        let is_own =
            |key: &&String| [labels::BLOCK, labels::RESTORED].contains(&key.as_str()) || key.starts_with(labels::KEYS);
        let own: Vec<(&str, Option<&str>)> = worn.keys().filter(is_own).map(|key| (key.as_str(), None)).collect();
        relabelled(gcp, one.name(), &own, events).await?;
    }
    say(events, format!("the instance {} is left alone, its secret and its alarms too", spec.name));
    Ok(())
}
