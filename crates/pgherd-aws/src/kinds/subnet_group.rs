//! The subnet group: where an instance may be placed.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{UNREAD_TAGS, listed, props, setting, tags, theirs};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "subnet_group";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        listed("SubnetIds", Impact::None),
        // CreateDBSubnetGroup takes none that is empty.
        theirs("DBSubnetGroupDescription"),
        UNREAD_TAGS,
    ],
};

/// The subnet group a spec wants: none without subnets, which is RDS's own default group.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let subnets = subnet_ids(spec)?;
    Some(of(spec, names::subnet_group(&spec.name), subnets))
}

/// Its name, where there is one.
pub fn name(spec: &Spec) -> Option<String> {
    subnet_ids(spec).map(|_| names::subnet_group(&spec.name))
}

/// The subnets that are written.
pub(crate) fn subnet_ids(spec: &Spec) -> Option<Value> {
    listed_ids(&spec.network.subnet_ids)
}

pub(crate) fn listed_ids(ids: &Setting<Vec<Setting<String>>>) -> Option<Value> {
    match ids {
        Setting::Unset => None,
        Setting::Known(ids) => Some(Value::List(ids.iter().filter_map(setting).collect())),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
    }
}

pub(crate) fn of(spec: &Spec, name: String, subnets: Value) -> Resource {
    let description = format!("Subnets of {}, kept by pgherd", spec.name);
    Resource {
        id: Id::new(NAME, name),
        props: props([
            ("SubnetIds", subnets),
            ("DBSubnetGroupDescription", description.into()),
            ("Tags", tags::wanted(spec)),
        ]),
        needs: Vec::new(),
    }
}
