//! The secret of a block in Secret Manager: one JSON document with everything a program needs to connect.
//!
//! It is made before the instance (so that a password survives whatever happens meanwhile) by the instance's own step; its step puts in
//! what only an instance that exists has. It is deleted for good, so that happens last, by the instance's own step again.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{instance, int, props, set, user};
use crate::fields::LABELS;
use crate::{labels, names};

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
        // Sessions go on; who connects anew needs the new one.
        set("password", Impact::NewConnections),
        set("in_force", Impact::NewConnections),
        set("userLabels.*", Impact::None),
    ],
};

/// The id of a spec's secret.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, names::secret(&spec.name))
}

/// The secret a spec wants. A password stands in it only when one is written: a generated one is kept, not compared.
pub fn wanted(spec: &Spec) -> Resource {
    let way = if spec.network.publicly_accessible { instance::PUBLIC } else { instance::PRIVATE };
    let user = user::wanted(spec).map(|user| user.id);
    let mut props = props([
        ("username", spec.master_username.as_str().into()),
        ("dbname", spec.database_name.as_str().into()),
        ("host", Value::output(instance::id(spec), way.to_owned())),
        ("port", int(instance::port(spec))),
        ("in_force", true.into()),
        (LABELS, labels::wanted(spec)),
    ]);
    if let Setting::Known(password) = &spec.master_password {
        props.insert("password".to_owned(), Value::Secret(password.clone()));
    }
    Resource { id: id(spec), props, needs: std::iter::once(instance::id(spec)).chain(user).collect() }
}
