//! A backup that is kept until somebody deletes it: a manual snapshot.

use jiff::Timestamp;
use pgherd_core::resource::Id;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};

use crate::api::rds;
use crate::kinds::{instance, tags};
use crate::live::change::{once_taken, ours};
use crate::live::made;
use crate::live::servers::At;
use crate::provider::Aws;
use crate::wait;

/// Takes one of that name, or of the instance's and the time.
pub(super) async fn backup(aws: &Aws, name: &str, label: Option<&str>, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, &Id::new(instance::NAME, name));
    let seen = ours(aws, &at).await?;
    let snapshot = match label {
        Some(label) => label.to_owned(),
        None => format!("{name}-{}", Timestamp::now().strftime("%Y%m%dt%H%M%Sz")),
    };
    if let Some(status) = rds::snapshot_status(aws.session(), &at.region, &snapshot).await? {
        let message = format!("there is a snapshot {snapshot} already; it is {status}");
        return Err(ProviderError::new(ErrorKind::Conflict, message).help("give this one another name"));
    }
    let tags = tags::of_snapshot(&seen.tags, seen.props.get("CopyTagsToSnapshot") == Some(&Value::Bool(true)));
    let make = || {
        let (snapshot, tags, at) = (&snapshot, &tags, &at);
        async move {
            let attempt = || rds::create_snapshot(aws.session(), &at.region, snapshot, name, tags);
            once_taken(aws, at, events, attempt).await
        }
    };
    let look = || rds::snapshot_status(aws.session(), &at.region, &snapshot);
    made::once("DBSnapshotAlreadyExists", make, look).await?;
    wait::snapshot(aws, &at.region, &snapshot, events).await
}
