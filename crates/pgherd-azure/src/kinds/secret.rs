//! The secret of a block in a key vault: one JSON document with everything a program needs to connect.
//!
//! It is made before the server (so that a password survives whatever happens meanwhile) by the server's own step; its step puts in what
//! only a server that exists has. It is deleted last, by the server's own step again; the vault keeps what was deleted for a while.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{int, props, server, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "secret";

/// The kind: the keys of the document, and whether its password is the one in force. A secret takes 15 tags at most, so it wears only the
/// one that says whose it is.
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
    ],
};

/// The id of a spec's secret.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, names::secret(&spec.name))
}

/// The secret a spec wants. A password stands in it only when one is written: a generated one is kept, not compared.
pub fn wanted(spec: &Spec) -> Resource {
    let mut props = props([
        ("username", spec.master_username.as_str().into()),
        ("dbname", spec.database_name.as_str().into()),
        ("host", Value::output(server::id(spec), server::HOST.to_owned())),
        ("port", int(server::clients(spec))),
        ("in_force", true.into()),
    ]);
    if let Setting::Known(password) = &spec.master_password {
        props.insert("password".to_owned(), Value::Secret(password.clone()));
    }
    Resource { id: id(spec), props, needs: vec![server::id(spec)] }
}
