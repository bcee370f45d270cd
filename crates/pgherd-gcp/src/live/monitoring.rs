//! Notification channels and alarms, found by their labels.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::ProviderError;

use super::{database_of, not_known, once, text};
use crate::api::{self, Alert, Channel};
use crate::kinds::alert::ABOUT;
use crate::labels::{self, Labels};
use crate::names;
use crate::provider::Gcp;

/// Makes the channel, or turns it on.
pub(super) async fn channel(gcp: &Gcp, resource: &Resource) -> Result<(), ProviderError> {
    let (database, address) = parted(&resource.id);
    let look = || async { found(gcp, database, address).await };
    match look().await? {
        Some(there) if there.enabled => Ok(()),
        Some(there) => Ok(api::update_channel(gcp.at(), &there.name).await?),
        None => once(|| api::create_channel(gcp.at(), database, address), look).await.map(drop),
    }
}

/// Takes the channel away, off our alarms first: one that is in use is not deleted.
pub(super) async fn delete_channel(gcp: &Gcp, id: &Id) -> Result<(), ProviderError> {
    let (database, address) = parted(id);
    // Copies wear its labels, and go with it.
    for there in all_found(gcp, database, address).await? {
        unused(gcp, database, &there).await?;
        api::delete_channel(gcp.at(), &there.name).await?;
    }
    Ok(())
}

/// Takes a channel off the alarms of a database.
async fn unused(gcp: &Gcp, database: &str, there: &Channel) -> Result<(), ProviderError> {
    for mut alert in api::alerts(gcp.at(), database).await? {
        if alert.channels.contains(&there.name) {
            alert.channels.retain(|name| *name != there.name);
            match api::update_alert(gcp.at(), &alert).await {
                Err(error) if error.is_absent() => {}
                answer => answer?,
            }
        }
    }
    Ok(())
}

/// What Monitoring calls the channel of an id.
pub(super) async fn channel_named(gcp: &Gcp, id: &Id) -> Result<Option<String>, ProviderError> {
    let (database, address) = parted(id);
    Ok(found(gcp, database, address).await?.map(|there| there.name))
}

async fn found(gcp: &Gcp, database: &str, address: &str) -> Result<Option<Channel>, ProviderError> {
    Ok(all_found(gcp, database, address).await?.into_iter().next())
}

async fn all_found(gcp: &Gcp, database: &str, address: &str) -> Result<Vec<Channel>, ProviderError> {
    let mut all = api::channels(gcp.at(), database).await?;
    all.retain(|one| one.address.as_deref() == Some(address) && labels::are_ours(&one.labels, database));
    Ok(all)
}

/// Database and address of a channel.
fn parted(id: &Id) -> (&str, &str) {
    id.name.split_once('/').unwrap_or((&id.name, ""))
}

/// Makes the alarm, or has it be as it should.
pub(super) async fn alert(gcp: &Gcp, resource: &Resource) -> Result<(), ProviderError> {
    let database = database_of(resource);
    let display = resource.id.name.as_str();
    let about = display.strip_prefix(database).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
    let look = || async { alarm(gcp, database, about).await };
    let there = look().await?;
    let mut worn: Labels = there.as_ref().map(|there| there.labels.clone()).unwrap_or_default();
    worn.insert(labels::BLOCK.to_owned(), database.to_owned());
    worn.insert(labels::ALARM.to_owned(), about.to_owned());
    let wanted = Alert {
        name: there.as_ref().map(|there| there.name.clone()).unwrap_or_default(),
        display: display.to_owned(),
        labels: worn,
        filter: text(resource, "filter")?,
        threshold: threshold(resource)?,
        comparison: text(resource, "comparison")?,
        duration: text(resource, "duration")?,
        reducer: text(resource, "crossSeriesReducer")?,
        channels: channels(resource)?,
        enabled: true,
    };
    match there {
        Some(_) => Ok(api::update_alert(gcp.at(), &wanted).await?),
        None => once(|| api::create_alert(gcp.at(), &wanted), look).await.map(drop),
    }
}

/// Takes the alarm away, and its copies, which wear its labels.
pub(super) async fn delete_alert(gcp: &Gcp, id: &Id) -> Result<(), ProviderError> {
    for about in ABOUT {
        let Some(database) = id.name.strip_suffix(about).and_then(|rest| rest.strip_suffix('-')) else { continue };
        if names::alarm(database, about) == id.name {
            for there in alarms(gcp, database, about).await? {
                api::delete_alert(gcp.at(), &there.name).await?;
            }
        }
    }
    Ok(())
}

async fn alarm(gcp: &Gcp, database: &str, about: &str) -> Result<Option<Alert>, ProviderError> {
    Ok(alarms(gcp, database, about).await?.into_iter().next())
}

/// The alarms of a database about something: one, and whatever was copied of it.
async fn alarms(gcp: &Gcp, database: &str, about: &str) -> Result<Vec<Alert>, ProviderError> {
    let mut all = api::alerts(gcp.at(), database).await?;
    let is_it = |one: &Alert| one.labels.get(labels::ALARM).is_some_and(|told| told == about);
    all.retain(|one| is_it(one) && labels::are_ours(&one.labels, database));
    Ok(all)
}

fn threshold(resource: &Resource) -> Result<f64, ProviderError> {
    match resource.props.get("thresholdValue") {
        Some(Value::Float(number)) => Ok(*number),
        _ => Err(not_known(resource, "thresholdValue")),
    }
}

fn channels(resource: &Resource) -> Result<Vec<String>, ProviderError> {
    let listed = resource.props.get("notificationChannels").and_then(Value::as_list).unwrap_or_default();
    let channel =
        |value: &Value| value.as_text().map(str::to_owned).ok_or_else(|| not_known(resource, "notificationChannels"));
    listed.iter().map(channel).collect()
}
