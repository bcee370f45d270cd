//! Everything pgherd makes on Google Cloud, one kind a file: its fields with who decides them and what a change costs, and what a spec
//! wants.
//!
//! A resource's props are the API's own names.

pub mod alert;
pub mod channel;
pub mod database;
mod ignores;
pub mod instance;
pub mod replica;
pub mod secret;
pub mod user;

pub use ignores::IGNORES;

use pgherd_core::resource::{Equality, Field, Impact, ImpactRule, Kind, Owner};
use pgherd_core::spec::Setting;
use pgherd_core::value::{Props, Value};

/// Every kind, in the order of making.
pub const KINDS: &[Kind] =
    &[instance::KIND, database::KIND, user::KIND, secret::KIND, replica::KIND, channel::KIND, alert::KIND];

/// A field whose every difference is drift. Cloud SQL does everything at once.
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
