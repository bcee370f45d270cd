//! Action groups and alerts, put as they should be. What wears no tag of ours is left alone.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::{database_of, not_known, text, texts};
use crate::api::{self, Alert};
use crate::provider::Azure;
use crate::tags::{self, Tags};

/// Makes the group, or has it be as it should.
pub(super) async fn group(azure: &Azure, resource: &Resource) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let database = name.strip_suffix("-alarms").unwrap_or(name);
    let all = api::groups(azure.at()).await?;
    let there = all.into_iter().find(|one| one.name == name);
    let worn = worn(azure, resource, there.map(|one| one.tags), database)?;
    Ok(api::put_group(azure.at(), name, &worn, &texts(resource, "addresses")?).await?)
}

/// Takes the group away.
pub(super) async fn delete_group(azure: &Azure, id: &Id) -> Result<(), ProviderError> {
    let all = api::groups(azure.at()).await?;
    match all.iter().any(|one| one.name == id.name && one.tags.contains_key(tags::BLOCK)) {
        true => Ok(api::delete_group(azure.at(), &id.name).await?),
        false => Ok(()),
    }
}

/// Makes the alarm, or has it be as it should.
pub(super) async fn alert(azure: &Azure, resource: &Resource) -> Result<(), ProviderError> {
    let name = resource.id.name.as_str();
    let all = api::alerts(azure.at()).await?;
    let there = all.into_iter().find(|one| one.name == name);
    let worn = worn(azure, resource, there.map(|one| one.tags), database_of(resource))?;
    let threshold = match resource.props.get("threshold") {
        Some(Value::Float(threshold)) => *threshold,
        _ => return Err(not_known(resource, "threshold")),
    };
    let wanted = Alert {
        name: name.to_owned(),
        tags: worn,
        server: text(resource, "server")?,
        metric: text(resource, "metricName")?,
        threshold,
        operator: text(resource, "operator")?,
        aggregation: text(resource, "timeAggregation")?,
        window: text(resource, "windowSize")?,
        frequency: text(resource, "evaluationFrequency")?,
        actions: texts(resource, "actions")?,
        enabled: true,
    };
    Ok(api::put_alert(azure.at(), &wanted).await?)
}

/// Takes the alarm away.
pub(super) async fn delete_alert(azure: &Azure, id: &Id) -> Result<(), ProviderError> {
    let all = api::alerts(azure.at()).await?;
    match all.iter().any(|one| one.name == id.name && one.tags.contains_key(tags::BLOCK)) {
        true => Ok(api::delete_alert(azure.at(), &id.name).await?),
        false => Ok(()),
    }
}

/// The tags that it is to wear: what it wears, and ours.
fn worn(azure: &Azure, resource: &Resource, there: Option<Tags>, database: &str) -> Result<Tags, ProviderError> {
    match there {
        Some(worn) if !azure.is_ours(&worn, database) => {
            let words = format!("{} exists and is not pgherd's: it has no tag {}", resource.id, tags::BLOCK);
            Err(ProviderError::new(ErrorKind::Conflict, words).help("give the block another name, or delete it"))
        }
        there => Ok(there.into_iter().flatten().chain(tags::own(database)).collect()),
    }
}
