//! The database of a block, which goes only with its server.

use pgherd_core::resource::{Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{fixed, props, server};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "database";

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[fixed("name", "make another database with SQL")] };

/// The database a spec wants.
pub fn wanted(spec: &Spec) -> Resource {
    let name = spec.database_name.as_str();
    Resource {
        id: Id::new(NAME, names::within(&spec.name, name)),
        props: props([("name", name.into())]),
        needs: vec![server::id(spec)],
    }
}
