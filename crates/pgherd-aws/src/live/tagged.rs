//! Tags that changed: carried to what stands around an instance, and then set on it.
//!
//! Those of the instance are compared, and come last: whatever cuts this short, the next plan does it again.

use pgherd_core::plan::Change;
use pgherd_engine::provider::{Events, ProviderError};

use super::ours::Retagging;
use super::servers::At;
use super::{alarm, log_group, topic};
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
    _events: &Events,
) -> Result<(), ProviderError> {
    let changed = Changed::of(changes);
    if changed.is_empty() {
        return Ok(());
    }
    for arn in groups(seen) {
        match changed.set(aws, &at.region, &arn).await {
            Err(error) if error.is("DBSubnetGroupNotFoundFault") || error.is("DBParameterGroupNotFound") => {}
            done => done?,
        }
    }
    if seen.id == at.block {
        let retagging = Retagging::of(changes);
        topic::retag(aws, &at.block, &retagging).await?;
        alarm::retag(aws, &at.block, &retagging).await?;
    }
    log_group::retag(aws, &at.region, &seen.id, &Retagging::of(changes)).await?;
    Ok(changed.set(aws, &at.region, &seen.arn).await?)
}

/// What is set, and what is taken away.
struct Changed<'a> {
    set: Vec<(String, String)>,
    removed: Vec<&'a str>,
}

impl<'a> Changed<'a> {
    fn of(changes: &'a [Change]) -> Self {
        let mut changed = Self { set: Vec::new(), removed: Vec::new() };
        for change in changes {
            let Some(key) = change.field.strip_prefix("Tags.") else { continue };
            match change.to.as_text() {
                Some(value) => changed.set.push((key.to_owned(), value.to_owned())),
                None => changed.removed.push(key),
            }
        }
        changed
    }

    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.removed.is_empty()
    }

    async fn set(&self, aws: &Aws, region: &str, arn: &str) -> Result<(), AwsError> {
        if !self.set.is_empty() {
            rds::add_tags(aws.session(), region, arn, &self.set).await?;
        }
        if !self.removed.is_empty() {
            rds::remove_tags(aws.session(), region, arn, &self.removed).await?;
        }
        Ok(())
    }
}

/// The groups of its own that an instance uses. A replica in its source's region has none.
fn groups(seen: &DbInstance) -> Vec<String> {
    let subnets = seen.subnet_group.as_ref().filter(|group| group.name == names::subnet_group(&seen.id));
    let settings = Some(&seen.parameter_group)
        .filter(|group| names::owner_of_parameter_group(group) == Some(&seen.id))
        .map(|group| sibling(&seen.arn, "pg", group));
    subnets.map(|group| sibling(&seen.arn, "subgrp", &group.name)).into_iter().chain(settings).collect()
}

/// The ARN of something of RDS of the same account and region: `arn:aws:rds:eu-central-1:123456789012:db:orders` has five parts before
/// its kind.
pub(crate) fn sibling(arn: &str, kind: &str, name: &str) -> String {
    let before: Vec<&str> = arn.splitn(6, ':').take(5).collect();
    format!("{}:{kind}:{name}", before.join(":"))
}
