//! The lock that keeps a server from being deleted: Azure has no other protection. Whatever is within the server is kept by it, too.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{props, server, set};

/// Its name in an [`Id`].
pub const NAME: &str = "lock";

/// The kind.
pub const KIND: Kind = Kind { name: NAME, holds_data: false, outlives: false, fields: &[set("level", Impact::None)] };

/// The lock a spec wants.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    spec.deletion_protection.then(|| Resource {
        id: Id::new(NAME, &spec.name),
        props: props([("level", "CanNotDelete".into())]),
        needs: vec![server::id(spec)],
    })
}
