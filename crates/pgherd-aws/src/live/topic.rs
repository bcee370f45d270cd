//! The topic that tells e-mail addresses of alarms. An address whose reader has not confirmed yet counts as there.

use pgherd_core::event::What;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::ours::{self, Retagging};
use crate::api::sns::{self, Subscription};
use crate::api::sts;
use crate::api::tags::Tags;
use crate::kinds::topic::{ARN, NAME};
use crate::kinds::{props, tags};
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::{endpoint, names};

const ENDPOINTS: &str = "Endpoints";
const EMAIL: &str = "email";
/// What stands in place of the ARN of a subscription that nobody has confirmed, or that was ended.
const NO_ARNS: &[&str] = &["PendingConfirmation", "Deleted"];

/// A topic that is there.
struct Topic {
    arn: String,
    tags: Tags,
}

/// The topic that is wanted.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(resource) = ours::of_kind(wanted, NAME).next() else { return Ok(Vec::new()) };
    let Some(mut topic) = find(aws, &resource.id.name).await? else { return Ok(Vec::new()) };
    topic.tags = aws.worn(topic.tags);
    let told = match sns::subscriptions(aws.session(), aws.region(), &topic.arn).await {
        // Somebody has just deleted it.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        told => told?,
    };
    let addresses = addresses(&told, &listed(resource.props.get(ENDPOINTS)));
    let addresses = Value::List(addresses.into_iter().map(Value::text).collect());
    let props = props([(ARN, topic.arn.as_str().into()), (ENDPOINTS, addresses)]);
    Ok(vec![ours::seen(&resource.id, props, ours::status(is_ours(&topic, &resource.id.name)))])
}

/// Makes the topic, and asks the reader of each address to confirm.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let arn = match find(aws, &resource.id.name).await? {
        Some(topic) if is_ours(&topic, &resource.id.name) => topic.arn,
        Some(_) => return Err(ours::foreign(&resource.id)),
        None => sns::create(aws.session(), aws.region(), &resource.id.name, &tags::sent(&resource.props)).await?,
    };
    tell(aws, &arn, resource, events).await
}

/// Tells other addresses.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    _changes: &[Change],
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let topic = find(aws, &resource.id.name).await?.filter(|topic| is_ours(topic, &resource.id.name));
    let topic = topic.ok_or_else(|| ours::foreign(&resource.id))?;
    tell(aws, &topic.arn, resource, events).await
}

/// Takes the topic away, and with it all who are told.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, _events: &Events) -> Result<(), ProviderError> {
    match find(aws, &id.name).await? {
        None => Ok(()),
        Some(topic) if is_ours(&topic, &id.name) => Ok(sns::delete(aws.session(), aws.region(), &topic.arn).await?),
        Some(_) => Err(ours::foreign(id)),
    }
}

/// Gives the topic of a database other tags, where it has one.
pub(crate) async fn retag(aws: &Aws, database: &str, retagging: &Retagging) -> Result<(), ProviderError> {
    let name = names::topic(database);
    let Some(topic) = find(aws, &name).await?.filter(|topic| is_ours(topic, &name)) else { return Ok(()) };
    Ok(retagging
        .carry(
            || sns::tag(aws.session(), aws.region(), &topic.arn, &retagging.set),
            || sns::untag(aws.session(), aws.region(), &topic.arn, &retagging.removed),
        )
        .await?)
}

/// Subscribes who is to be told, then unsubscribes who is not.
async fn tell(aws: &Aws, arn: &str, resource: &Resource, events: &Events) -> Result<(), ProviderError> {
    let wanted = listed(resource.props.get(ENDPOINTS));
    let told = sns::subscriptions(aws.session(), aws.region(), arn).await?;
    let there = addresses(&told, &wanted);
    for address in wanted.iter().filter(|address| !there.contains(address)) {
        sns::subscribe(aws.session(), aws.region(), arn, address).await?;
    }
    for leaving in told.iter().filter(|one| is_removable(one) && !wanted.contains(&one.endpoint.as_str())) {
        sns::unsubscribe(aws.session(), aws.region(), &leaving.arn).await?;
    }
    let told = sns::subscriptions(aws.session(), aws.region(), arn).await?;
    for address in told.iter().filter(|one| is_unconfirmed(one) && wanted.contains(&one.endpoint.as_str())) {
        let message =
            format!("{} is told of alarms once its reader follows the link in the mail from AWS", address.endpoint);
        events.emit(What::Said { message });
    }
    Ok(())
}

/// The topic of a name, if there is one. Its ARN follows from the account, so that no list has to be searched.
async fn find(aws: &Aws, name: &str) -> Result<Option<Topic>, AwsError> {
    let (session, region) = (aws.session(), aws.region());
    let account = sts::account(session, region).await?;
    let arn = format!("arn:{}:sns:{region}:{account}:{name}", endpoint::arn_partition(region));
    match sns::tags(session, region, &arn).await {
        Ok(tags) => Ok(Some(Topic { arn, tags })),
        // The documents say `NotFound`, the service model `ResourceNotFound`.
        Err(error) if error.is("NotFound") || error.is("ResourceNotFound") => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_ours(topic: &Topic, name: &str) -> bool {
    ours::is(&topic.tags, |database| names::topic(database) == name)
}

fn listed(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_list).into_iter().flatten().filter_map(Value::as_text).collect()
}

/// The addresses that are told. One that nobody has confirmed counts only while it is wanted: nothing can be done to it otherwise, and
/// SNS forgets it by itself. Who is told in another way than by mail was not put there by pgherd.
fn addresses<'a>(told: &'a [Subscription], wanted: &[&str]) -> Vec<&'a str> {
    let counts =
        |one: &&Subscription| is_removable(one) || is_unconfirmed(one) && wanted.contains(&one.endpoint.as_str());
    told.iter().filter(counts).map(|one| one.endpoint.as_str()).collect()
}

fn is_removable(one: &Subscription) -> bool {
    one.protocol == EMAIL && !NO_ARNS.contains(&one.arn.as_str())
}

fn is_unconfirmed(one: &Subscription) -> bool {
    one.protocol == EMAIL && one.arn == NO_ARNS[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_confirmed_counts_while_wanted_and_who_was_not_put_there_never() {
        let one = |arn: &str, protocol: &str, endpoint: &str| Subscription {
            arn: arn.to_owned(),
            protocol: protocol.to_owned(),
            endpoint: endpoint.to_owned(),
        };
        let told = [
            one("arn:1", "email", "ann@example.com"),
            one("PendingConfirmation", "email", "bob@example.com"),
            one("PendingConfirmation", "email", "cid@example.com"),
            one("Deleted", "email", "dan@example.com"),
            one("arn:2", "https", "https://example.com"),
        ];
        let wanted = ["bob@example.com"];
        assert_eq!(addresses(&told, &wanted), ["ann@example.com", "bob@example.com"]);
        assert_eq!(told.iter().map(is_removable).collect::<Vec<_>>(), [true, false, false, false, false]);
    }
}
