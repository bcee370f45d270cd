//! The dashboard. It takes no tags, so it is ours by its name and by what it shows.

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};
use serde_json::Value as Json;

use super::ours;
use crate::api::cloudwatch;
use crate::kinds::alarm::DIMENSION;
use crate::kinds::dashboard::NAME;
use crate::kinds::instance;
use crate::provider::Aws;

const BODY: &str = "DashboardBody";

/// The dashboard that is wanted.
pub(crate) async fn observe(aws: &Aws, wanted: &[Resource]) -> Result<Vec<Observed>, ProviderError> {
    let Some(id) = ours::of_kind(wanted, NAME).map(|one| &one.id).next() else { return Ok(Vec::new()) };
    let Some(body) = cloudwatch::dashboard(aws.session(), aws.region(), &id.name).await? else {
        return Ok(Vec::new());
    };
    let database = database_of(aws, &id.name);
    let status = if is_about(&body, &database) {
        Status::Available
    } else {
        Status::Foreign(format!("none of its widgets shows {database}"))
    };
    let seen = ours::seen(id, Props::from([(BODY.to_owned(), body.into())]), status);
    Ok(vec![Observed { needs: vec![Id::new(instance::NAME, database)], ..seen }])
}

/// Makes the dashboard.
pub(crate) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    put(aws, resource).await
}

/// Has it show what is wanted.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    _changes: &[Change],
    _now: ApplyNow,
    _events: &Events,
) -> Result<(), ProviderError> {
    put(aws, resource).await
}

/// Takes it away.
pub(crate) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, _events: &Events) -> Result<(), ProviderError> {
    not_of_others(aws, id).await?;
    Ok(cloudwatch::delete_dashboard(aws.session(), aws.region(), &id.name).await?)
}

async fn put(aws: &Aws, resource: &Resource) -> Result<(), ProviderError> {
    not_of_others(aws, &resource.id).await?;
    let body = resource.props.get(BODY).and_then(Value::as_text).unwrap_or_default();
    Ok(cloudwatch::put_dashboard(aws.session(), aws.region(), &resource.id.name, body).await?)
}

async fn not_of_others(aws: &Aws, id: &Id) -> Result<(), ProviderError> {
    let body = cloudwatch::dashboard(aws.session(), aws.region(), &id.name).await?;
    let database = database_of(aws, &id.name);
    if body.is_none_or(|body| is_about(&body, &database)) {
        return Ok(());
    }
    let message = format!("{id} exists and is not pgherd's: none of its widgets shows {database}");
    Err(ProviderError::new(ErrorKind::Protected, message).help("rename that dashboard, or give the block another name"))
}

fn database_of(aws: &Aws, name: &str) -> String {
    name.strip_suffix(&format!("-{}", aws.region())).unwrap_or(name).to_owned()
}

/// Whether a dashboard shows an instance, or nothing at all: then nothing is lost.
fn is_about(body: &str, database: &str) -> bool {
    let body: Json = serde_json::from_str(body).unwrap_or_default();
    let widgets = body["widgets"].as_array().map_or(&[][..], Vec::as_slice);
    widgets.is_empty() || widgets.iter().any(|widget| shows(widget, database))
}

/// A metric is a list that has the dimension's value after its name.
fn shows(widget: &Json, database: &str) -> bool {
    let metrics = widget["properties"]["metrics"].as_array().into_iter().flatten().filter_map(Json::as_array);
    metrics.flat_map(|metric| metric.windows(2)).any(|pair| pair[0] == DIMENSION && pair[1] == database)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashboard_is_ours_when_it_shows_the_instance_or_nothing() {
        let of = |instance: &str| {
            format!(
                r#"{{"widgets":[{{"type":"text"}},{{"properties":{{"metrics":[["AWS/RDS","CPUUtilization","DBInstanceIdentifier","{instance}"]]}}}}]}}"#
            )
        };
        assert!(is_about(&of("orders"), "orders"));
        assert!(!is_about(&of("others"), "orders"));
        assert!(is_about(r#"{"widgets":[]}"#, "orders"));
        assert!(is_about("no json", "orders"));
    }
}
