//! Azure Database for PostgreSQL flexible server as a provider.
//!
//! What is missing:
//!
//! * A server that is reached by a private endpoint only. In a subnet, or from the internet behind a firewall, it is.
//! * The people and groups of Entra ID who administer a server: `iam_database_authentication_enabled` turns the login on, and says how
//!   somebody is let in.
//! * A read replica in a second region (`dr_read_replica`, which the table of variables has for AWS alone), and the key of a backup that is
//!   kept in one: `geo_redundant_backup` with a key of one's own is refused. Restoring in that region.
//! * Reading a block off a server (`Provider::inputs`), logs, the activity log, and stable names by virtual endpoints.
//! * API versions before 2026-10-01.
//! * The proof that a run that was killed can be repeated at once, while what it began is on its way: the shared suite repeats it later.

mod api;
pub mod around;
mod call;
pub mod desired;
mod error;
pub mod fields;
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
pub mod session;
pub mod tags;
mod token;
mod wait;

pub use around::Around;
pub use desired::desired;
pub use error::AzureError;
pub use kinds::{IGNORES, KINDS};
pub use preflight::ACCEPTABLE;
pub use provider::{Azure, AzureOptions, Place};
pub use session::{Fixed, Session};
pub use token::Token;
pub use wait::Patience;
