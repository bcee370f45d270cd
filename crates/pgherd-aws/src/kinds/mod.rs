//! Everything pgherd makes on AWS, one kind a file: its fields with who decides them and what a change costs, and what a spec wants.
//!
//! A resource's props are the API's own names. Where we choose a name, the text stands in the props and the need in `needs`; an
//! output is only what AWS assigns.

pub mod alarm;
pub mod backup_replication;
pub mod dashboard;
mod ignores;
pub mod instance;
pub mod log_group;
pub mod parameter_group;
pub mod proxy;
pub mod recovery;
pub mod replica;
pub mod role;
pub mod secret;
pub mod security_group;
pub mod subnet_group;
pub mod tags;
pub mod topic;

pub use ignores::IGNORES;

use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner};
use pgherd_core::spec::Setting;
use pgherd_core::value::{Props, Value};

/// Every kind, in the order of making.
pub const KINDS: &[Kind] = &[
    topic::KIND,
    role::KIND,
    security_group::KIND,
    subnet_group::KIND,
    parameter_group::KIND,
    log_group::KIND,
    instance::KIND,
    secret::KIND,
    replica::KIND,
    backup_replication::KIND,
    proxy::KIND,
    alarm::KIND,
    dashboard::KIND,
];

/// A field whose every difference is drift.
pub(crate) const fn set(name: &'static str, impact: Impact) -> Field {
    Field { name, owner: Owner::Set, equality: Equality::Exact, impact: ImpactRule::Always(impact) }
}

/// A list whose order means nothing.
pub(crate) const fn listed(name: &'static str, impact: Impact) -> Field {
    Field { equality: Equality::Unordered, ..set(name, impact) }
}

/// A field that is given once and for all.
pub(crate) const fn fixed(name: &'static str, migration: &'static str) -> Field {
    Field { owner: Owner::Fixed { migration }, ..set(name, Impact::None) }
}

/// A field that is sent at creation and never compared.
pub(crate) const fn theirs(name: &'static str) -> Field {
    Field { owner: Owner::Theirs, ..set(name, Impact::None) }
}

/// Tags that no description tells, so that reading them is a call for each thing: what changes those of the instance carries them on.
pub(crate) const UNREAD_TAGS: Field = theirs("Tags");

/// Tags, key by key.
pub(crate) const TAGS: Field = set("Tags.*", Impact::None);

/// Props of pairs.
pub(crate) fn props(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Props {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A setting as a value; what is not written is none.
pub(crate) fn setting(setting: &Setting<String>) -> Option<Value> {
    match setting {
        Setting::Unset => None,
        Setting::Known(text) => Some(Value::text(text)),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
    }
}

/// A field that another resource has once it exists.
pub(crate) fn output(id: Id, field: &str) -> Value {
    Value::output(id, field.to_owned())
}

/// A whole number.
pub(crate) fn int(number: impl Into<u64>) -> Value {
    Value::Int(i64::try_from(number.into()).unwrap_or(i64::MAX))
}
