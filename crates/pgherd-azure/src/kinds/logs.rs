//! Where the server's log goes: a workspace of Log Analytics, where one is known. Without, it is kept on the server for a while.

use pgherd_core::resource::{Equality, Field, Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{listed, props, server, set};
use crate::around::Around;

/// Its name in an [`Id`].
pub const NAME: &str = "logs";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        Field { equality: Equality::IgnoreCase, ..set("workspaceId", Impact::None) },
        listed("categories", Impact::None),
    ],
};

/// The diagnostic setting a spec wants.
pub fn wanted(spec: &Spec, around: &Around) -> Option<Resource> {
    let workspace = around.workspace.as_deref().filter(|_| spec.monitoring.logging)?;
    let pooler = spec.proxy.is_some().then_some("PostgreSQLFlexPGBouncer");
    let categories = std::iter::once("PostgreSQLLogs").chain(pooler).map(Value::text);
    Some(Resource {
        id: Id::new(NAME, &spec.name),
        props: props([("workspaceId", workspace.into()), ("categories", Value::List(categories.collect()))]),
        needs: vec![server::id(spec)],
    })
}
