//! Tags that changed: carried to what stands around an instance, and then set on it.
//!
//! Those of the instance are compared, and come last: whatever cuts this short, the next plan does it again.

use pgherd_core::plan::Change;
use pgherd_engine::provider::{Events, ProviderError};

use super::ours::Retagging;
use super::servers::At;
use super::{alarm, change, log_group, spelling, topic};
use crate::api::rds::{self, DbInstance};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// Carries out what of the changes is about tags.
pub(super) async fn carry(
    aws: &Aws,
    at: &At,
    seen: &DbInstance,
    changes: &[Change],
    events: &Events,
) -> Result<(), ProviderError> {
    let retagging = Retagging::of(changes);
    if retagging == Retagging::default() {
        return Ok(());
    }
    let around = retagging.around();
    if around != Retagging::default() {
        for arn in groups(aws, at, seen).await? {
            group(aws, at, &arn, &around).await?;
        }
        if seen.id == at.block {
            topic::retag(aws, &at.block, &around).await?;
        }
        if seen.id == at.block || at.region != aws.region() {
            alarm::retag(aws, at, &around).await?;
        }
        log_group::retag(aws, &at.region, &seen.id, &around).await?;
    }
    // An instance that RDS is at something else with may take no tags.
    Ok(change::once_taken(aws, at, events, || thing(aws, &at.region, &seen.arn, &retagging)).await?)
}

/// A group by its name may be somebody else's.
async fn group(aws: &Aws, at: &At, arn: &str, retagging: &Retagging) -> Result<(), AwsError> {
    let worn = rds::tags(aws.session(), &at.region, arn).await?;
    match spelling::foreign(&worn, &at.block) {
        None => thing(aws, &at.region, arn, retagging).await,
        Some(_) => Ok(()),
    }
}

async fn thing(aws: &Aws, region: &str, arn: &str, retagging: &Retagging) -> Result<(), AwsError> {
    let session = aws.session();
    let set = || rds::add_tags(session, region, arn, &retagging.set);
    retagging.carry(set, || rds::remove_tags(session, region, arn, &retagging.removed)).await
}

/// The ARNs of the groups of its own that an instance uses, as far as they are there: calls for tags have no refusal of their own for a
/// group that is not. A replica in its source's region has none.
async fn groups(aws: &Aws, at: &At, seen: &DbInstance) -> Result<Vec<String>, AwsError> {
    let mut arns = Vec::new();
    if let Some(group) = seen.subnet_group.as_ref().filter(|group| group.name == names::subnet_group(&seen.id)) {
        arns.extend(rds::subnet_group(aws.session(), &at.region, &group.name).await?.and_then(|group| group.arn));
    }
    if names::owner_of_parameter_group(&seen.parameter_group) == Some(&seen.id) {
        let found = rds::parameter_group(aws.session(), &at.region, &seen.parameter_group).await?;
        arns.extend(found.map(|group| group.arn));
    }
    Ok(arns)
}

/// The ARN of something of RDS of the same account and region: `arn:aws:rds:eu-central-1:123456789012:db:orders` has five parts before
/// its kind.
pub(crate) fn sibling(arn: &str, kind: &str, name: &str) -> String {
    let before: Vec<&str> = arn.splitn(6, ':').take(5).collect();
    format!("{}:{kind}:{name}", before.join(":"))
}
