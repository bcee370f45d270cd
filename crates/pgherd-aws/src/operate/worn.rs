//! Tags of whatever there is of a database, kind by kind.

use std::future::Future;

use pgherd_core::resource::Observed;
use pgherd_core::value::Value;
use pgherd_engine::provider::ProviderError;

use crate::api::{cloudwatch, ec2, iam, logs, rds, secrets, sns};
use crate::kinds;
use crate::names;
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// A thing that wears tags, as the service that has it calls it.
#[derive(Debug, PartialEq, Eq)]
enum Wearer {
    Rds(String),
    SecurityGroup(String),
    Role(String),
    Secret(String),
    Topic(String),
    Alarm(String),
    LogGroup(String),
}

/// Takes tags off a thing. `false`: it wears none.
pub(super) async fn taken_off(aws: &Aws, seen: &Observed, keys: &[String]) -> Result<bool, ProviderError> {
    let session = aws.session();
    each(aws, seen, |region, wearer| async move {
        match wearer {
            Wearer::Rds(arn) => rds::remove_tags(session, &region, &arn, keys).await,
            Wearer::SecurityGroup(id) => ec2::untag(session, &region, &id, keys).await,
            Wearer::Role(name) => iam::untag(session, &region, &name, keys).await,
            Wearer::Secret(name) => secrets::untag(session, &region, &name, keys).await,
            Wearer::Topic(arn) => sns::untag(session, &region, &arn, keys).await,
            Wearer::Alarm(arn) => cloudwatch::untag(session, &region, &arn, keys).await,
            Wearer::LogGroup(arn) => logs::untag(session, &region, &arn, keys).await,
        }
    })
    .await
}

/// Puts tags on a thing. `false`: it wears none.
pub(super) async fn put_on(aws: &Aws, seen: &Observed, tags: &[(String, String)]) -> Result<bool, ProviderError> {
    let session = aws.session();
    each(aws, seen, |region, wearer| async move {
        match wearer {
            Wearer::Rds(arn) => rds::add_tags(session, &region, &arn, tags).await,
            Wearer::SecurityGroup(id) => ec2::tag(session, &region, &id, tags).await,
            Wearer::Role(name) => iam::tag(session, &region, &name, tags).await,
            Wearer::Secret(name) => secrets::tag(session, &region, &name, tags).await,
            Wearer::Topic(arn) => sns::tag(session, &region, &arn, tags).await,
            Wearer::Alarm(arn) => cloudwatch::tag(session, &region, &arn, tags).await,
            Wearer::LogGroup(arn) => logs::tag(session, &region, &arn, tags).await,
        }
    })
    .await
}

async fn each<F>(aws: &Aws, seen: &Observed, act: impl FnOnce(String, Wearer) -> F) -> Result<bool, ProviderError>
where
    F: Future<Output = Result<(), AwsError>>,
{
    let (region, name) = names::place(&seen.id.kind, &seen.id.name);
    let region = region.unwrap_or_else(|| aws.region().to_owned());
    match wearer(aws, seen, &region, name).await? {
        Some(wearer) => {
            act(region, wearer).await?;
            Ok(true)
        }
        None => Ok(false),
    }
}

/// What wears the tags of a thing; `None`: nothing does.
async fn wearer(aws: &Aws, seen: &Observed, region: &str, name: String) -> Result<Option<Wearer>, ProviderError> {
    let text = |field: &str| seen.props.get(field).and_then(Value::as_text).map(str::to_owned);
    Ok(match seen.id.kind.as_str() {
        kinds::instance::NAME | kinds::replica::NAME => text(kinds::instance::ARN).map(Wearer::Rds),
        kinds::parameter_group::NAME => text("DBParameterGroupArn").map(Wearer::Rds),
        kinds::subnet_group::NAME => text("DBSubnetGroupArn").map(Wearer::Rds),
        kinds::security_group::NAME => text(kinds::security_group::GROUP_ID).map(Wearer::SecurityGroup),
        kinds::role::NAME => Some(Wearer::Role(name)),
        kinds::secret::NAME => Some(Wearer::Secret(name)),
        kinds::topic::NAME => text("TopicArn").map(Wearer::Topic),
        kinds::alarm::NAME => {
            let found = cloudwatch::alarms(aws.session(), region, &name).await?;
            found.into_iter().find(|alarm| alarm.name == name).map(|alarm| Wearer::Alarm(alarm.arn))
        }
        kinds::log_group::NAME => {
            let found = logs::groups(aws.session(), region, &name).await?;
            found.into_iter().find(|group| group.name == name).map(|group| Wearer::LogGroup(group.arn))
        }
        kinds::proxy::NAME => rds::proxy(aws.session(), region, &name).await?.map(|proxy| Wearer::Rds(proxy.arn)),
        // Of a dashboard its widgets tell whose it is.
        _ => None,
    })
}
