//! Late values, looked up at the moment of use: a plan may have been made before there was anything to look at.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::provider::Aws;

/// A resource with every output of others as it is now.
pub(crate) async fn resource(aws: &Aws, resource: &Resource) -> Result<Resource, ProviderError> {
    let known = Known::of(aws, resource.props.values()).await?;
    Ok(known.in_resource(resource))
}

/// The same of an update, whose changes are what is sent.
pub(crate) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
) -> Result<(Resource, Vec<Change>), ProviderError> {
    let values = resource.props.values().chain(changes.iter().map(|change| &change.to));
    let known = Known::of(aws, values).await?;
    let changes = changes.iter().map(|change| Change { to: known.in_value(&change.to), ..change.clone() }).collect();
    Ok((known.in_resource(resource), changes))
}

/// What outputs are, each looked up once.
struct Known(BTreeMap<Id, Props>);

impl Known {
    async fn of(aws: &Aws, values: impl Iterator<Item = &Value>) -> Result<Self, ProviderError> {
        let outputs: BTreeSet<(Id, String)> =
            values.flat_map(Value::outputs).map(|(id, field)| (id.clone(), field.to_owned())).collect();
        let ids: BTreeSet<&Id> = outputs.iter().map(|(id, _)| id).collect();
        let mut known = Self(BTreeMap::new());
        for id in ids {
            known.0.extend(super::one(aws, id).await?.map(|seen| (seen.id, seen.props)));
        }
        match outputs.into_iter().find(|(id, field)| known.field(id, field).is_none()) {
            Some((id, field)) => {
                let message = format!("{id} has no {field} yet");
                Err(ProviderError::new(ErrorKind::Conflict, message).help("run this again once it is there"))
            }
            None => Ok(known),
        }
    }

    fn field(&self, id: &Id, field: &str) -> Option<Value> {
        self.0.get(id)?.get(field).filter(|value| !value.is_null()).cloned()
    }

    fn in_value(&self, value: &Value) -> Value {
        value.with_outputs(&|id, field| self.field(id, field))
    }

    fn in_resource(&self, resource: &Resource) -> Resource {
        let props = resource.props.iter().map(|(name, value)| (name.clone(), self.in_value(value))).collect();
        Resource { props, ..resource.clone() }
    }
}
