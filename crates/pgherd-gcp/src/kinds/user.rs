//! The role of a block beside `postgres`, which every instance has.

use pgherd_core::resource::{Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{fixed, instance, props};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "user";

/// The role that every instance has.
pub const ADMINISTRATOR: &str = "postgres";

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[fixed("name", "make another role with SQL")] };

/// The role a spec wants, unless every instance has it.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let name = spec.master_username.as_str();
    (name != ADMINISTRATOR).then(|| Resource {
        id: Id::new(NAME, names::within(&spec.name, name)),
        props: props([("name", name.into())]),
        needs: vec![instance::id(spec)],
    })
}
