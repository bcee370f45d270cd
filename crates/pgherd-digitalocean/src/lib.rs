//! DigitalOcean Managed PostgreSQL as a provider.

mod api;
mod call;
pub mod desired;
mod error;
pub mod kinds;
mod live;
pub mod names;
mod observe;
mod operate;
mod outputs;
pub mod parameters;
mod preflight;
pub mod provider;
mod report;
mod secrets;
pub mod session;
pub mod tags;
mod wait;

pub use desired::desired;
pub use error::DoError;
pub use kinds::{IGNORES, KINDS};
pub use preflight::{ACCEPTABLE, NO_LAST_BACKUP};
pub use provider::{DigitalOcean, DigitalOceanOptions};
pub use session::{Fixed, Session};
pub use wait::Patience;
