//! RDS for PostgreSQL as a provider.

mod call;
pub mod endpoint;
mod keys;
pub mod protocol;
pub mod service;
pub mod session;
pub mod sign;
mod transport;

pub use protocol::error::AwsError;
pub use protocol::form::{Field, Form};
pub use protocol::xml::Element;
pub use service::Service;
pub use session::{Fixed, Session};
