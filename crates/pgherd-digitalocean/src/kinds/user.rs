//! The role of a block beside the administrator, who is always `doadmin`.

use pgherd_core::resource::{Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{cluster, fixed, props};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "user";

/// The administrator that every cluster has.
pub const ADMINISTRATOR: &str = "doadmin";

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[fixed("name", "make another role with SQL")] };

/// The role a spec wants, unless every cluster has it.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let name = spec.master_username.as_str();
    (name != ADMINISTRATOR).then(|| Resource {
        id: Id::new(NAME, names::within(&spec.name, name)),
        props: props([("name", name.into())]),
        needs: vec![cluster::id(spec)],
    })
}
