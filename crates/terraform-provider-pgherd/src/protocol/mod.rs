//! Terraform's plugin protocol 6: messages, values, schemas, and a server that only whoever started it can talk to.
//!
//! Knows nothing about databases. The field numbers are those of the protocol's text, version 6.8 (docs/plugin-protocol of
//! Terraform); calls of newer versions are answered "unimplemented", as the protocol wants it.

mod diagnostic;
mod dispatch;
mod grpc;
mod json;
mod pack;
mod plugin;
mod schema;
mod server;
mod tls;
mod ty;
mod value;
#[expect(missing_docs, reason = "the names are the protocol's own, and its text describes them")]
pub mod wire;

pub use diagnostic::{Diagnostic, has_error};
pub use pack::{Unreadable, pack, unpack};
pub use plugin::{Answer, Apply, Function, Kept, Plan, Plugin, Provider, Resource, Source, Sources};
pub use schema::{Attribute, Block, Given, Schema, Shape, Signature};
pub use server::{Started, log, serve};
pub use ty::Type;
pub use value::{Number, Value};
