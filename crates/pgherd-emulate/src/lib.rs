//! A stateful RDS and what stands around it, on loopback. It shares no code with the client that is tested on it.
//!
//! [`emulation`] decides what happens to a request, given the time; [`Emulator`] listens and does what it says.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use pgherd_emulate::{Emulator, Options};
//!
//! let emulator = Emulator::start(Options::default()).await?;
//! println!("AWS_ENDPOINT_URL={}", emulator.url());
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod around;
pub mod azure;
pub mod clock;
pub mod control;
pub mod digitalocean;
pub mod emulation;
pub mod faults;
pub mod gcp;
mod listen;
pub mod postgres;
pub mod rds;
mod serve;
pub mod wire;

pub use clock::Speed;
pub use postgres::Backing;
pub use serve::{Emulator, Options, Running};
