//! What there is to do.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::NodeId;
use super::view::Route;

/// One thing to do. Each may be done twice, and be cut short anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The memory's epoch when it was decided. The hands refuse it once the memory has another one: it comes from before a
    /// change of primary.
    pub epoch: u64,
    /// What.
    pub verb: Verb,
    /// Why, for `pgherd events`.
    pub reason: String,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.verb, self.reason)
    }
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Make the database, where nothing is. Works beside the directory and renames at the end.
    Init {
        /// Where.
        node: NodeId,
    },
    /// Start a server; returns when it runs, not when it is ready. Refused while any process is left in its directory.
    Start {
        /// Which.
        node: NodeId,
        /// As what: decides `standby.signal`, `primary_conninfo` and `synchronous_standby_names` before it starts.
        role: Role,
    },
    /// Stop a server fast: clients are cut off, what was committed stays, connected standbys get everything. Ends like `Kill`
    /// when that takes longer than the hands' own deadline.
    Stop {
        /// Which.
        node: NodeId,
    },
    /// End every process of a node for certain: postmaster, orphaned backends, and tools of ours at work in its directory.
    Kill {
        /// Which.
        node: NodeId,
    },
    /// Make a running standby the primary.
    Promote {
        /// Which.
        node: NodeId,
        /// Its `synchronous_standby_names`, set before it takes the first write.
        sync: Option<NodeId>,
        /// The new timeline has to be a later one than this. PostgreSQL takes the one after the last history file in `pg_wal`,
        /// so the hands put those there that it lacks; a number that was given twice could not be told apart.
        above: u32,
    },
    /// Copy a primary; runs on while other things are done. Works beside the directory and renames at the end.
    Clone {
        /// The copy.
        node: NodeId,
        /// The primary.
        from: NodeId,
        /// Number of this copy, written into the directory when it is complete.
        serial: u64,
        /// Whether the old directory is moved aside and kept as evidence. Nothing else may be overwritten.
        keep_old: bool,
    },
    /// Rewind a dead node onto a primary's timeline with `pg_rewind`; runs on while other things are done. Marks the directory
    /// as torn until it is complete.
    Rejoin {
        /// The node.
        node: NodeId,
        /// The primary.
        from: NodeId,
        /// Number of this rewind, written into the directory when it is complete.
        serial: u64,
    },
    /// Read, without changing anything, where the log of a dead primary ends and which commits are behind the fork.
    Examine {
        /// Which.
        node: NodeId,
        /// The primary that was promoted instead.
        against: NodeId,
    },
    /// Have commits of a primary wait for a standby, or for nobody: write the file, reload, see it in force. Of a standby one tries
    /// to see a commit wait, too ([`Node::waits_for`](super::Node::waits_for)). Done again, it is tried again.
    SetSync {
        /// The primary.
        primary: NodeId,
        /// The standby.
        to: Option<NodeId>,
    },
    /// Have a running standby or replica stream from another primary: `primary_conninfo` and reload, no restart.
    Follow {
        /// Which.
        node: NodeId,
        /// Whom.
        primary: NodeId,
    },
    /// Have exactly these replication slots on a node; lost ones are made anew.
    Slots {
        /// Where.
        on: NodeId,
        /// For whom.
        of: BTreeSet<NodeId>,
    },
    /// Lead the endpoints there.
    Route(Route),
    /// Write a checkpoint, so that the stop that follows is quick; runs on while other things are done.
    Checkpoint {
        /// Which.
        node: NodeId,
    },
    /// Delete the data directory of a node that is not wanted any more.
    Remove {
        /// Which.
        node: NodeId,
    },
    /// Delete the old directory that was kept as evidence beside a node.
    Discard {
        /// Which.
        node: NodeId,
    },
    /// Hand a stopped replica over as an independent database: move its directory out of this instance.
    Release {
        /// Which.
        node: NodeId,
    },
}

/// As what a server is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// As the primary.
    Primary {
        /// Its `synchronous_standby_names`.
        sync: Option<NodeId>,
    },
    /// As a standby or replica.
    Standby {
        /// Whom it streams from; `None` when it is about to be promoted.
        of: Option<NodeId>,
    },
}

impl Verb {
    /// The node it is about; `None` for the endpoints.
    pub fn node(&self) -> Option<NodeId> {
        match self {
            Self::Init { node }
            | Self::Start { node, .. }
            | Self::Stop { node }
            | Self::Kill { node }
            | Self::Promote { node, .. }
            | Self::Clone { node, .. }
            | Self::Rejoin { node, .. }
            | Self::Examine { node, .. }
            | Self::Follow { node, .. }
            | Self::Checkpoint { node }
            | Self::Remove { node }
            | Self::Discard { node }
            | Self::Release { node } => Some(*node),
            Self::SetSync { primary, .. } => Some(*primary),
            Self::Slots { on, .. } => Some(*on),
            Self::Route(_) => None,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init { node } => write!(f, "init {node}"),
            Self::Start { node, role } => write!(f, "start {node} as {role}"),
            Self::Stop { node } => write!(f, "stop {node}"),
            Self::Kill { node } => write!(f, "kill {node}"),
            Self::Promote { node, sync, above } => {
                write!(f, "promote {node} to a timeline after {above}, {}", waiting(*sync))
            }
            Self::Clone { node, from, serial, keep_old } => {
                let kept = if *keep_old { ", keeping the old directory" } else { "" };
                write!(f, "clone {node} from {from} (copy {serial}){kept}")
            }
            Self::Rejoin { node, from, serial } => write!(f, "rewind {node} onto {from} (copy {serial})"),
            Self::Examine { node, against } => write!(f, "examine {node} against {against}"),
            Self::SetSync { primary, to } => write!(f, "on {primary} {}", waiting(*to)),
            Self::Follow { node, primary } => write!(f, "{node} follows {primary}"),
            Self::Slots { on, of } => write!(f, "slots on {on} for {}", list(of)),
            Self::Route(route) => {
                let write = route.write.map_or_else(|| "nowhere".to_owned(), |node| node.to_string());
                let held = if route.paused { ", clients held back" } else { "" };
                write!(f, "route writes to {write}, reads to {}{held}", list(&route.read))
            }
            Self::Checkpoint { node } => write!(f, "checkpoint {node}"),
            Self::Remove { node } => write!(f, "remove {node}"),
            Self::Discard { node } => write!(f, "discard the old directory of {node}"),
            Self::Release { node } => write!(f, "release {node}"),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary { sync } => write!(f, "primary, {}", waiting(*sync)),
            Self::Standby { of: Some(node) } => write!(f, "standby of {node}"),
            Self::Standby { of: None } => write!(f, "standby of nobody"),
        }
    }
}

fn waiting(sync: Option<NodeId>) -> String {
    sync.map_or_else(|| "commits wait for nobody".to_owned(), |node| format!("commits wait for {node}"))
}

fn list(nodes: &BTreeSet<NodeId>) -> String {
    match nodes.is_empty() {
        true => "nobody".to_owned(),
        false => nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" "),
    }
}
