//! What the agent and a forwarder say to each other: one line of JSON each way.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The version of the words below. A forwarder of another version is replaced, which cuts its connections off.
pub const VERSION: u32 = 1;

/// What the agent asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How it stands.
    State,
    /// Do this from now on, then say how it stands.
    Set(Set),
}

/// A question with the version it is asked in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// [`VERSION`] of who asks.
    pub version: u32,
    /// What is asked.
    pub ask: Ask,
}

/// All that a forwarder is told. Every `Set` replaces the one before as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Where clients connect that write.
    pub write: Listen,
    /// Where clients connect that only read; `None`: nowhere.
    pub read: Option<Listen>,
    /// Who may connect besides this machine's loopback, which always may.
    pub allowed: Vec<IpNet>,
    /// Where connections lead.
    pub lead: Lead,
    /// How many wait and how long.
    pub limits: Limits,
}

/// Where one way in listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Addresses of this machine; `0.0.0.0` and `::` are all of them.
    pub addresses: Vec<IpAddr>,
    /// Port on each of them.
    pub port: u16,
}

/// Where connections lead: ports of servers on 127.0.0.1.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// The primary; `None`: nobody takes writes.
    pub write: Option<u16>,
    /// Who takes reads.
    pub read: Vec<u16>,
    /// Whether new connections for writing are held back although there is a primary. Established ones go on.
    pub paused: bool,
}

/// How many connections wait for a server, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// One that waited this long is closed.
    pub wait_ms: u32,
    /// While so many wait, further ones are closed at once.
    pub waiting: u32,
}

impl Default for Limits {
    /// Longer than any failover, shorter than people's patience; 10,000 waiting ones take about 30 MiB.
    fn default() -> Self {
        Self { wait_ms: 30_000, waiting: 10_000 }
    }
}

/// How a forwarder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The version in which it answers.
    pub version: u32,
    /// What it was told last, and does.
    pub set: Option<Set>,
    /// The way for writing.
    pub write: WayState,
    /// The way for reading.
    pub read: WayState,
}

/// How one way in stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayState {
    /// Where it listens.
    pub bound: Vec<SocketAddr>,
    /// Where it does not although it should, and why. It goes on trying.
    pub unbound: Vec<Unbound>,
    /// Connections that lead to a server now.
    pub connected: u32,
    /// Connections that wait for one.
    pub waiting: u32,
    /// How many were refused because of their address, since the forwarder started.
    pub refused: u64,
    /// How many were closed because they waited too long or too many waited, since the forwarder started.
    pub given_up: u64,
}

/// An address that could not be bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbound {
    /// Which.
    pub address: SocketAddr,
    /// Why, in the system's words, with the holder of the port where it is known.
    pub why: String,
}
