//! Google Cloud SQL for PostgreSQL as a provider.

mod api;
mod call;
pub mod desired;
mod error;
pub mod fields;
pub mod kinds;
pub mod labels;
mod live;
pub mod names;
mod observe;
mod operate;
mod outputs;
pub mod parameters;
mod preflight;
pub mod provider;
mod report;
pub mod session;
mod token;
mod wait;

pub use desired::desired;
pub use error::GcpError;
pub use kinds::{IGNORES, KINDS};
pub use preflight::ACCEPTABLE;
pub use provider::{Gcp, GcpOptions};
pub use session::{Fixed, Session};
pub use token::Token;
pub use wait::Patience;
