//! Everything pgherd makes on Azure, one kind a file: its fields with who decides them and what a change costs, and what a spec wants.
//!
//! A resource's props are the API's own names.

pub mod action_group;
pub mod alert;
pub mod database;
pub mod firewall;
mod ignores;
pub mod lock;
pub mod logs;
pub mod replica;
pub mod secret;
pub mod server;
pub mod settings;
pub mod zone;

pub use ignores::IGNORES;

use pgherd_core::resource::{Equality, Field, Impact, ImpactRule, Kind, Owner};
use pgherd_core::spec::Setting;
use pgherd_core::value::{Props, Value};

/// Every kind, in the order of making.
pub const KINDS: &[Kind] = &[
    zone::KIND,
    server::KIND,
    settings::KIND,
    firewall::KIND,
    database::KIND,
    secret::KIND,
    replica::KIND,
    logs::KIND,
    action_group::KIND,
    alert::KIND,
    lock::KIND,
];

/// A field whose every difference is drift. Azure does everything at once.
pub(crate) const fn set(name: &'static str, impact: Impact) -> Field {
    Field { name, owner: Owner::Set, equality: Equality::Exact, impact: ImpactRule::AtOnce(impact) }
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

/// A whole number.
pub(crate) fn int(number: impl Into<u64>) -> Value {
    Value::Int(i64::try_from(number.into()).unwrap_or(i64::MAX))
}
