//! pgherd for Terraform and OpenTofu: the protocol they speak to providers, and the database resource on it.

mod certain;
mod clock;
mod database;
mod fields;
mod functions;
mod lookup;
mod meaning;
pub mod protocol;
mod provider;
mod reference;
mod settings;

pub use functions::Problem;
pub use provider::plugin;
pub use reference::reference;
