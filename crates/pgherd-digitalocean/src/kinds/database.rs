//! The database of a block. `defaultdb` is always there; any other is added, and goes only with its cluster.

use pgherd_core::resource::{Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{cluster, fixed, props};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "database";

/// The one that every cluster has.
pub const DEFAULT: &str = "defaultdb";

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[fixed("name", "make another database with SQL")] };

/// The database a spec wants, unless every cluster has it.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let name = spec.database_name.as_str();
    (name != DEFAULT).then(|| Resource {
        id: Id::new(NAME, names::within(&spec.name, name)),
        props: props([("name", name.into())]),
        needs: vec![cluster::id(spec)],
    })
}
