//! What a program needs to connect, as one document in a file of this machine: DigitalOcean keeps passwords itself and tells them to
//! whoever may see them, and has no store of secrets.
//!
//! A file that is not there is no difference: another machine has none, and `pgherd rotate` writes one. One that is there is kept right.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{cluster, pool, props, set, user};

/// Its name in an [`Id`].
pub const NAME: &str = "secret";

/// The kind: the keys of the document, and whether its password is the one in force.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("username", Impact::None),
        set("dbname", Impact::None),
        set("host", Impact::None),
        set("port", Impact::None),
        set("in_force", Impact::None),
    ],
};

/// The document a spec wants.
pub fn wanted(spec: &Spec) -> Resource {
    let way = if spec.network.publicly_accessible { "connection" } else { "private_connection" };
    // A pool is reached in a way of its own, as a database that is called like it.
    let pool = pool::wanted(spec).map(|pool| pool.id);
    let dbname = pool.as_ref().map_or(spec.database_name.as_str(), |pool| pool.name.as_str());
    let server = pool.clone().unwrap_or_else(|| cluster::id(spec));
    let told = |field: &str| Value::output(server.clone(), format!("{way}.{field}"));
    let user = user::wanted(spec).map(|user| user.id);
    Resource {
        id: Id::new(NAME, &spec.name),
        props: props([
            ("username", spec.master_username.as_str().into()),
            ("dbname", dbname.into()),
            ("host", told("host")),
            ("port", told("port")),
            ("in_force", true.into()),
        ]),
        needs: std::iter::once(cluster::id(spec)).chain(user).chain(pool).collect(),
    }
}
