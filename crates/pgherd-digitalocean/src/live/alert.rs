//! Alerts, found by what they say.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{Events, ProviderError};
use tokio::sync::mpsc;

use super::{Names, not_known, once, text};
use crate::api::{self, Alert};
use crate::kinds::alert::description;
use crate::observe::ours;
use crate::provider::DigitalOcean;
use crate::wait::Of;

/// Makes it, or has it be as it should.
pub(super) async fn put(ocean: &DigitalOcean, resource: &Resource) -> Result<(), ProviderError> {
    let database = resource.needs.first().map_or("", |need| need.name.as_str());
    let cluster = ours(ocean, database).await?;
    let name = resource.id.name.as_str();
    let there = find(ocean, name).await?;
    let wanted = Alert {
        uuid: there.as_ref().map(|there| there.uuid.clone()).unwrap_or_default(),
        metric: text(resource, "type")?,
        description: description(name),
        compare: text(resource, "compare")?,
        value: value(resource)?,
        window: text(resource, "window")?,
        entities: vec![cluster.id],
        emails: emails(resource)?,
        enabled: true,
        slack: there.map(|there| there.slack).unwrap_or_default(),
    };
    if !wanted.uuid.is_empty() {
        return Ok(api::update_alert(ocean.session(), &wanted).await?);
    }
    let wanted = &wanted;
    // Nobody listens to what is said of a few milliseconds.
    let events = Events::new(database, mpsc::unbounded_channel().0);
    let look = || find(ocean, name);
    once(ocean, Of::Account, &events, Names::Unpromised, || api::create_alert(ocean.session(), wanted), look)
        .await
        .map(drop)
}

/// Takes it away.
pub(super) async fn delete(ocean: &DigitalOcean, id: &Id) -> Result<(), ProviderError> {
    match find(ocean, &id.name).await? {
        Some(there) => Ok(api::delete_alert(ocean.session(), &there.uuid).await?),
        None => Ok(()),
    }
}

async fn find(ocean: &DigitalOcean, name: &str) -> Result<Option<Alert>, ProviderError> {
    let words = description(name);
    Ok(api::alerts(ocean.session()).await?.into_iter().find(|there| there.description == words))
}

fn value(resource: &Resource) -> Result<f64, ProviderError> {
    match resource.props.get("value") {
        Some(Value::Float(number)) => Ok(*number),
        _ => Err(not_known(resource, "value")),
    }
}

fn emails(resource: &Resource) -> Result<Vec<String>, ProviderError> {
    let listed = resource.props.get("emails").and_then(Value::as_list).unwrap_or_default();
    let email = |value: &Value| value.as_text().map(str::to_owned).ok_or_else(|| not_known(resource, "emails"));
    listed.iter().map(email).collect()
}
