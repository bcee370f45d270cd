//! RDS for PostgreSQL as a provider.

pub mod alarms;
mod api;
mod call;
pub mod dashboard;
pub mod desired;
pub mod endpoint;
mod keys;
pub mod kinds;
pub mod live;
mod logs;
pub mod names;
mod observe;
mod operate;
mod outputs;
pub mod parameters;
mod preflight;
pub mod protocol;
pub mod provider;
mod report;
mod seen;
pub mod service;
pub mod session;
mod settings;
pub mod sign;
pub mod status;
mod transport;
pub mod wait;

pub use desired::desired;
pub use kinds::{IGNORES, KINDS};
pub use protocol::error::AwsError;
pub use protocol::form::{Field, Form};
pub use protocol::xml::Element;
pub use provider::{Aws, AwsOptions};
pub use service::Service;
pub use session::{Fixed, Session};
pub use wait::Patience;
