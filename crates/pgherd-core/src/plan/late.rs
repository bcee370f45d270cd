//! Late values: fields of other resources, which count as what they are as long as this plan leaves them alone.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Action;
use crate::resource::{Id, Observed, Resource};
use crate::value::Value;

/// What is known of the outputs of other resources, once it is decided what is done to those.
#[derive(Debug, Clone, Copy)]
pub(super) struct Late<'a> {
    pub(super) live: &'a BTreeMap<&'a Id, &'a Observed>,
    /// What was decided so far.
    pub(super) actions: &'a BTreeMap<Id, Action>,
}

impl Late<'_> {
    /// The resource with every output that is known in its place.
    pub(super) fn resolved<'r>(&self, resource: &'r Resource) -> Cow<'r, Resource> {
        if resource.props.values().all(|value| value.outputs().is_empty()) {
            return Cow::Borrowed(resource);
        }
        let known = |id: &Id, field: &str| self.known(id, field);
        let props = resource.props.iter().map(|(name, value)| (name.clone(), value.with_outputs(&known))).collect();
        Cow::Owned(Resource { props, ..resource.clone() })
    }

    /// Whether all that is late in a value will be known when its turn comes: steps of this plan make it.
    pub(super) fn is_made(&self, value: &Value) -> bool {
        let outputs = value.outputs();
        !outputs.is_empty() && outputs.into_iter().all(|(id, field)| self.makes(id, field))
    }

    fn known(&self, id: &Id, field: &str) -> Option<Value> {
        let value = self.live.get(id)?.props.get(field).filter(|value| !value.is_null())?;
        (!self.changes(id, field)).then(|| value.clone())
    }

    fn makes(&self, id: &Id, field: &str) -> bool {
        matches!(self.actions.get(id), Some(Action::Create { .. })) || self.changes(id, field)
    }

    fn changes(&self, id: &Id, field: &str) -> bool {
        self.actions.get(id).is_some_and(|action| action.changes().iter().any(|change| change.field == field))
    }
}
