//! Copies of the automated backups in a second region. The instance tells that they are made; the other region tells how.

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::Value;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::servers::At;
use super::{change, elsewhere, made, spelling};
use crate::api::kms;
use crate::api::rds::{self, DbInstance};
use crate::kinds::backup_replication::NAME;
use crate::kinds::{instance, props};
use crate::names;
use crate::protocol::form::Form;
use crate::provider::Aws;
use crate::wait;

const SOURCE: &str = "SourceDBInstanceArn";
const KEY: &str = "KmsKeyId";
const RETENTION: &str = "BackupRetentionPeriod";

/// What is copied of an instance, wanted or not any more.
pub(super) async fn observe(
    aws: &Aws,
    primary: &DbInstance,
    wanted: &[Resource],
) -> Result<Vec<Observed>, ProviderError> {
    let mut observed = Vec::new();
    for arn in &primary.copies {
        let Some(region) = region_of(arn) else { continue };
        let id = Id::new(NAME, names::elsewhere(region, &primary.id));
        let wanted = wanted.iter().find(|one| one.id == id);
        let found = rds::copies(aws.session(), region, &primary.id).await?;
        let found = found.into_iter().find(|copies| copies.arn == *arn);
        let key = found.as_ref().and_then(|copies| copies.kms_key.clone());
        let written = wanted.and_then(|wanted| wanted.props.get(KEY)?.as_text());
        let key = match (written, key) {
            (Some(written), Some(arn)) if is_key(aws, region, written, &arn).await? => Value::text(written),
            (_, key) => key.into(),
        };
        let days = found.and_then(|copies| copies.retention_days).map_or(Value::Null, Value::Int);
        observed.push(Observed {
            props: props([(SOURCE, primary.arn.as_str().into()), (KEY, key), (RETENTION, days)]),
            status: Status::Available,
            pending: Vec::new(),
            needs: vec![Id::new(instance::NAME, &primary.id)],
            protected: false,
            id,
        });
    }
    Ok(observed)
}

async fn is_key(aws: &Aws, region: &str, written: &str, arn: &str) -> Result<bool, ProviderError> {
    let mut keys = spelling::Keys::new();
    if written.contains("alias/")
        && let Some(known) = kms::key_arn(aws.session(), region, written).await?
    {
        keys.insert(written.to_owned(), known);
    }
    Ok(spelling::is_same_key(written, arn, &keys))
}

/// Has copying begin, as soon as there is a first backup to copy.
pub(super) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let home = At { region: aws.region().to_owned(), ..at.clone() };
    if is_copied(&change::ours(aws, &home).await?, &at.region) {
        return Ok(());
    }
    let text = |field: &str| resource.props.get(field).and_then(Value::as_text).map(str::to_owned);
    let key = elsewhere::key(aws, &at.region, resource.props.get(KEY)).await?;
    let asked = Form::part().set(SOURCE, text(SOURCE)).set(KEY, key);
    let fields = asked.clone().set(RETENTION, resource.props.get(RETENTION).and_then(Value::as_int));
    let fields = elsewhere::permitted(aws, &at.region, rds::starting().and(asked), fields).await?;
    let look = || async {
        let seen = rds::instance(aws.session(), &home.region, &home.name).await?;
        Ok(seen.filter(|seen| is_copied(seen, &at.region)))
    };
    let make = || {
        let fields = &fields;
        let region = &at.region;
        async move {
            let attempt = || rds::start_copying(aws.session(), region, fields.clone());
            wait::tried(aws, aws.patience().letting_go, events, change::is_at_work, attempt).await
        }
    };
    made::once("InvalidDBInstanceAutomatedBackupState", make, look).await.map(drop)
}

/// Nothing of it changes.
#[expect(clippy::unused_async, reason = "as the other kinds have it")]
pub(super) async fn update(
    _aws: &Aws,
    resource: &Resource,
    _changes: &[Change],
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    let message = format!("{} cannot be changed", resource.id);
    Err(ProviderError::new(ErrorKind::Invalid, message).help("end copying and begin it anew"))
}

/// Ends copying. What was copied stays until its time is over.
pub(super) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let Some(seen) = rds::instance(aws.session(), aws.region(), &at.name).await? else { return Ok(()) };
    change::only_ours(&at, &seen)?;
    if !is_copied(&seen, &at.region) {
        return Ok(());
    }
    let attempt = || rds::stop_copying(aws.session(), &at.region, &seen.arn);
    wait::tried(aws, aws.patience().letting_go, events, change::is_at_work, attempt).await?;
    let words = format!("copies made so far stay in {} until their retention is over, and are billed", at.region);
    wait::say(events, words);
    Ok(())
}

fn is_copied(seen: &DbInstance, region: &str) -> bool {
    seen.copies.iter().any(|arn| region_of(arn) == Some(region))
}

/// The region in an ARN.
fn region_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(3).filter(|region| !region.is_empty())
}
