//! `forget`: pgherd's own tags are taken off everything of a database, which goes on as it is. The instance is last, so that a run that
//! was cut short finds the rest.

use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, Provider as _, ProviderError};

use super::worn;
use crate::kinds::{instance, tags};
use crate::live::marks;
use crate::provider::Aws;
use crate::wait;

/// Leaves a database alone.
pub(super) async fn forget(aws: &Aws, spec: &Spec, events: &Events) -> Result<(), ProviderError> {
    let mut seen = aws.observe(&aws.desired(spec)).await?;
    seen.retain(|seen| !matches!(seen.status, Status::Foreign(_)));
    if seen.is_empty() {
        return Err(ProviderError::new(ErrorKind::NotFound, format!("nothing of {} is pgherd's", spec.name)));
    }
    if let Some(stage) = seen.iter().find_map(half_done) {
        let message = format!("{} is half done with something: it wears {stage}", spec.name);
        return Err(ProviderError::new(ErrorKind::Conflict, message)
            .help("run the command that was cut short again, then forget it"));
    }
    let (last, first): (Vec<Observed>, Vec<Observed>) =
        seen.into_iter().partition(|seen| seen.id.kind == instance::NAME);
    for seen in first.iter().chain(&last) {
        let keys = [tags::BLOCK, tags::KEYS, tags::RESTORED, tags::WRITTEN]
            .into_iter()
            .map(str::to_owned)
            .chain(marks::keys(seen))
            .collect::<Vec<_>>();
        if worn::taken_off(aws, seen, &keys).await? {
            wait::say(events, format!("{} is left alone", seen.id));
        }
    }
    Ok(())
}

/// The tag of a thing that says how far a verb is with it.
fn half_done(seen: &Observed) -> Option<&'static str> {
    let worn = seen.props.get("Tags").and_then(Value::as_map)?;
    tags::STAGES.into_iter().find(|stage| worn.contains_key(*stage))
}
