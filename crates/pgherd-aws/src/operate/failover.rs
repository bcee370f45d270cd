//! The standby takes over: a reboot with a failover, the one way RDS has.

use std::collections::BTreeSet;

use jiff::Timestamp;
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api::rds::{self, DbInstance};
use crate::kinds::instance;
use crate::live::change::{at_rest, once_taken, ours};
use crate::live::made::Refused;
use crate::live::servers::At;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait;

/// How often is asked, where no answer came and nothing happened.
const TRIES: u32 = 2;

/// Has the standby take over. It holds every commit, so whether a loss is accepted makes no difference.
pub(super) async fn failover(aws: &Aws, name: &str, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, &Id::new(instance::NAME, name));
    let before = ours(aws, &at).await?;
    if before.props.get("MultiAZ") != Some(&Value::Bool(true)) {
        let message = format!("{name} has no standby that could take over: it is not Multi-AZ");
        return Err(ProviderError::new(ErrorKind::Protected, message));
    }
    for _ in 0..TRIES {
        let began = Timestamp::now();
        let asked = once_taken(aws, &at, events, || rds::fail_over(aws.session(), &at.region, name)).await;
        let is_heard = match asked {
            Err(Refused::Aws(error)) if error.maybe_done => None,
            asked => Some(asked?),
        };
        let after = at_rest(aws, &at, &BTreeSet::new(), events).await?;
        if is_heard.is_some() || has_failed_over(aws, &at, &before, &after, began).await? {
            tell(name, &before, &after, events);
            return Ok(());
        }
    }
    let message = format!("{name} was told to fail over, and did not");
    Err(ProviderError::new(ErrorKind::Conflict, message).help("run this again"))
}

/// Whether a failover that nobody answered for has been: the zones are told late, the events at once.
async fn has_failed_over(
    aws: &Aws,
    at: &At,
    before: &DbInstance,
    after: &DbInstance,
    began: Timestamp,
) -> Result<bool, AwsError> {
    if before.zones != after.zones {
        return Ok(true);
    }
    let minutes = Timestamp::now().duration_since(began).as_mins() + 2;
    let minutes = u32::try_from(minutes).unwrap_or(rds::LONGEST_MIN);
    let told = rds::events(aws.session(), &at.region, &at.name, minutes).await?;
    Ok(told.iter().any(|event| event.categories.iter().any(|category| category == "failover")))
}

fn tell(name: &str, before: &DbInstance, after: &DbInstance, events: &Events) {
    if let (Some(old), Some(new)) = (before.zones.first(), after.zones.first())
        && old != new
    {
        wait::say(events, format!("the primary of {name} is in {new} now, and was in {old}"));
    }
}
