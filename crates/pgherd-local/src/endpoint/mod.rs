//! The forwarder: a small process per instance that holds its public ports, whoever is the primary behind them.
//!
//! It hands bytes on and understands none of them but the first: TLS is between the client and PostgreSQL. It outlives the
//! agent, listens on nothing until it is told to over its control socket, and is found there again by the next agent.
//!
//! What it promises: a client never goes on writing to what is not the primary any more, and a client that connects while
//! nobody serves waits (by default for 30 s, and 10,000 at a time) instead of being refused.

mod bind;
mod client;
mod connection;
mod control;
mod protocol;
mod route;
mod serve;

pub use client::{Forwarder, Start};
pub use protocol::{Lead, Limits, Listen, Set, State, Unbound, WayState};
pub use serve::{Options, serve};
