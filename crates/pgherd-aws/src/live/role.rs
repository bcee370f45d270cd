//! Roles of IAM, and the policies of each.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, Events, ProviderError};

use super::marks::{self, Mark};
use super::ours::{self, Retagging};
use super::{left, made};
use crate::api::iam::{self, Role};
use crate::kinds::role::{ARN, NAME};
use crate::kinds::{props, tags};
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait;

const TRUST: &str = "AssumeRolePolicyDocument";
const MANAGED: &str = "ManagedPolicyArns";
const POLICIES: &str = "Policies";

/// What a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct May {
    /// ARNs of policies that are shared.
    attached: Vec<String>,
    /// Policies of its own, by name.
    inside: BTreeMap<String, String>,
}

/// The roles that are wanted.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let looks = ours::of_kind(wanted, NAME).map(|resource| async move {
        let name = &resource.id.name;
        let Some(mut role) = iam::role(aws.session(), aws.region(), name).await? else { return Ok(None) };
        role.tags = aws.worn(role.tags);
        let is_ours = is_ours(aws, &role, name);
        let may = if is_ours { may_still(aws, name).await? } else { Some(May::default()) };
        let Some(may) = may else { return Ok(None) };
        Ok::<_, AwsError>(Some(observed(&resource.id, &role, may, is_ours, &resource.props)))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// Makes a role that may do what is wanted.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = &resource.id.name;
    let look = || iam::role(aws.session(), aws.region(), name);
    if look().await?.is_none() {
        let text = |field: &str| resource.props.get(field).and_then(Value::as_text).unwrap_or_default();
        let given = tags::sent(&resource.props);
        let make = || iam::create(aws.session(), aws.region(), name, (text(TRUST), text("Description")), &given);
        made::once("EntityAlreadyExists", make, look).await?;
    }
    let role = wait::tried(aws, aws.patience().spreading, events, is_not_known_yet, || role(aws, name)).await?;
    if !is_ours(aws, &role, name) {
        return Err(ours::foreign(&resource.id));
    }
    become_as_wanted(aws, resource, events).await
}

/// Has a role be and do what is wanted.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let name = &resource.id.name;
    if !is_ours(aws, &role(aws, name).await?, name) {
        return Err(ours::foreign(&resource.id));
    }
    if let Some(document) = changes.iter().find(|change| change.field == TRUST).and_then(|change| change.to.as_text()) {
        iam::trust(aws.session(), aws.region(), name, document).await?;
    }
    become_as_wanted(aws, resource, events).await?;
    let retagging = Retagging::of(changes);
    Ok(retagging
        .carry(
            || iam::tag(aws.session(), aws.region(), name, &retagging.set),
            || iam::untag(aws.session(), aws.region(), name, &retagging.removed),
        )
        .await?)
}

/// Takes a role away: its policies first, since IAM refuses otherwise.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &id.name);
    let Some(role) = iam::role(session, region, name).await? else { return Ok(()) };
    if !is_ours(aws, &role, name) {
        return Err(ours::foreign(id));
    }
    let Some(may) = may_still(aws, name).await? else { return Ok(()) };
    for policy in &may.attached {
        iam::detach(session, region, name, policy).await?;
    }
    for policy in may.inside.keys() {
        iam::delete_policy(session, region, name, policy).await?;
    }
    // What was just taken out of it is not gone everywhere at once.
    let is_in_use = |error: &AwsError| error.is("DeleteConflict") || error.is("ConcurrentModification");
    match wait::tried(aws, aws.patience().spreading, events, is_in_use, || iam::delete(session, region, name)).await {
        Err(error) if !error.is("NoSuchEntity") => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    match role.tags.get(tags::BLOCK) {
        // It went after its proxy, and nothing is left of that.
        Some(database) if names::proxy_role(database, region) == *name => {
            marks::clear(aws, database, &Mark::Proxy).await
        }
        Some(database) if names::monitoring_role(database, region) == *name => left::after_any(aws, database).await,
        Some(_) | None => Ok(()),
    }
}

/// Attaches and puts what is missing, then takes away what is too much.
async fn become_as_wanted(aws: &Aws, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let (session, region, name) = (aws.session(), aws.region(), &resource.id.name);
    let (wanted, found) = (wanted(&resource.props), may(aws, name).await?);
    let at_most = aws.patience().spreading;
    for policy in wanted.attached.iter().filter(|policy| !found.attached.contains(policy)) {
        wait::tried(aws, at_most, events, is_not_known_yet, || iam::attach(session, region, name, policy)).await?;
    }
    for (policy, document) in
        wanted.inside.iter().filter(|(policy, _)| found.inside.get(*policy) != wanted.inside.get(*policy))
    {
        let put = || iam::put_policy(session, region, name, (policy, document));
        wait::tried(aws, at_most, events, is_not_known_yet, put).await?;
    }
    for policy in found.attached.iter().filter(|policy| !wanted.attached.contains(policy)) {
        iam::detach(session, region, name, policy).await?;
    }
    for policy in found.inside.keys().filter(|policy| !wanted.inside.contains_key(*policy)) {
        iam::delete_policy(session, region, name, policy).await?;
    }
    Ok(())
}

/// A role that must be there, though perhaps not everywhere yet.
async fn role(aws: &Aws, name: &str) -> Result<Role, AwsError> {
    iam::expected(aws.session(), aws.region(), name).await
}

/// IAM keeps many copies of itself, and what was just made is not in each of them at once.
fn is_not_known_yet(error: &AwsError) -> bool {
    error.is("NoSuchEntity")
}

/// The same of a role that may go between two calls, as when a run that was killed had asked for that; `None`: it is gone.
async fn may_still(aws: &Aws, name: &str) -> Result<Option<May>, AwsError> {
    match may(aws, name).await {
        // A policy of it, or all of it.
        Err(error) if error.is("NoSuchEntity") => match iam::role(aws.session(), aws.region(), name).await? {
            None => Ok(None),
            Some(_) => may(aws, name).await.map(Some),
        },
        other => other.map(Some),
    }
}

async fn may(aws: &Aws, name: &str) -> Result<May, AwsError> {
    let (session, region) = (aws.session(), aws.region());
    let read = |policy: String| async move {
        let document = iam::policy(session, region, name, &policy).await?;
        Ok::<_, AwsError>((policy, document))
    };
    let inside = async { try_join_all(iam::inside(session, region, name).await?.into_iter().map(read)).await };
    let (attached, inside) = try_join(iam::attached(session, region, name), inside).await?;
    Ok(May { attached, inside: inside.into_iter().collect() })
}

fn is_ours(aws: &Aws, role: &Role, name: &str) -> bool {
    let region = aws.region();
    ours::is(&role.tags, |database| {
        [names::monitoring_role(database, region), names::proxy_role(database, region)].iter().any(|one| one == name)
    })
}

fn observed(id: &Id, role: &Role, may: May, is_ours: bool, wanted: &Props) -> Observed {
    let inside = may.inside.into_iter().map(|(name, document)| (name, Value::Text(document))).collect();
    let props = props([
        (ARN, role.arn.as_str().into()),
        (TRUST, role.trust.as_str().into()),
        (MANAGED, Value::List(may.attached.into_iter().map(Value::Text).collect())),
        (POLICIES, Value::Map(inside)),
        ("Tags", ours::compared(&role.tags, wanted)),
    ]);
    ours::seen(id, props, ours::status(is_ours))
}

fn wanted(props: &Props) -> May {
    let attached: BTreeSet<&str> =
        props.get(MANAGED).and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_text).collect();
    let inside = props.get(POLICIES).and_then(Value::as_map).into_iter().flatten();
    May {
        attached: attached.into_iter().map(str::to_owned).collect(),
        inside: inside.filter_map(|(name, document)| Some((name.clone(), document.as_text()?.to_owned()))).collect(),
    }
}
