//! `forget`: pgherd's own tags are taken off a cluster, which goes on as it is.

use pgherd_core::spec::Spec;
use pgherd_engine::provider::{Events, ProviderError};

use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::wait::say;
use crate::{api, tags};

/// Leaves a database alone. The tag that says that it is ours is last, so that a run that was cut short finds the rest.
pub(super) async fn forget(ocean: &DigitalOcean, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let cluster = ours(ocean, &spec.name).await?;
    for key in [tags::KEYS, tags::RESTORED, tags::PROTECTED, tags::BLOCK] {
        for tag in tags::of_key(&cluster.tags, key) {
            api::untag(ocean.session(), &cluster.id, tag).await?;
        }
    }
    say(events, format!("the cluster {} is left alone", spec.name));
    Ok(())
}
