//! The pool of connections in front of the primary: DigitalOcean's own PgBouncer.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{cluster, database, int, props, set, user};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "pool";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("mode", Impact::Reconnect),
        set("size", Impact::None),
        set("db", Impact::Reconnect),
        set("user", Impact::Reconnect),
    ],
};

/// The pool a spec wants.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let pool = spec.proxy.as_ref()?;
    let beside = [database::wanted(spec), user::wanted(spec)];
    Some(Resource {
        id: Id::new(NAME, names::pool(&spec.name)),
        props: props([
            ("mode", pool.pool_mode.as_str().into()),
            ("size", int(pool.default_pool_size)),
            ("db", spec.database_name.as_str().into()),
            ("user", spec.master_username.as_str().into()),
        ]),
        needs: std::iter::once(cluster::id(spec)).chain(beside.into_iter().flatten().map(|one| one.id)).collect(),
    })
}
