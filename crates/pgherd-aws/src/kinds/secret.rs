//! The secret of the administrator: one JSON document with everything a program needs to connect.
//!
//! It is made before the instance (so that a password survives whatever happens meanwhile) by the instance's own step; its step puts in
//! what only an instance that exists has. One kind, because a secret that needs the instance and an instance that needs the secret
//! would be a circle.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{TAGS, instance, output, props, set, setting, tags};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "secret";

/// The field that AWS assigns, with six characters of chance at its end.
pub const ARN: &str = "ARN";

/// The key that it is encrypted with; AWS's own where none is written.
pub const KEY: &str = "KmsKeyId";

/// The kind. The fields are the keys of the document, in which `port` is a number.
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
        // Sessions go on; whoever reads the secret from then on must be allowed to use the key.
        set(KEY, Impact::NewConnections),
        TAGS,
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
        ("host", output(instance::id(spec), instance::ADDRESS)),
        ("port", output(instance::id(spec), "Port")),
        ("Tags", tags::wanted(spec)),
    ]);
    props.extend(setting(&spec.encryption.kms_key_id).map(|key| (KEY.to_owned(), key)));
    if let Setting::Known(password) = &spec.master_password {
        props.insert("password".to_owned(), Value::Secret(password.clone()));
    }
    Resource { id: id(spec), props, needs: vec![instance::id(spec)] }
}
