//! The little that must survive the daemon.
//!
//! # The contract
//!
//! The memory that [`decide`](super::decide()) returns is on disk (written beside, synced, renamed, directory synced) **before**
//! the first action that came with it begins. When it cannot be written, nothing is done. Then a crash anywhere leaves either
//! the old memory and an untouched world, or the new memory and a world somewhere on the way, and from both the next decision
//! goes on. Where the order matters:
//!
//! | change | written first | done after | or else |
//! |---|---|---|---|
//! | degrade | `promotable` none | names emptied | a standby is promoted that lacks commits acknowledged without it |
//! | upgrade | nothing | names set, `sync_state` seen, everything held; only then `promotable` is written | the same |
//! | failover | `primary` the new one, `epoch` + 1 | promote | after a restart of everything both are started as primary |
//! | fence | `fence` | kill | the restarted daemon starts in place what it should have given up, or promotes without a look |
//! | rewind, copy | number and source in `copy` | rewind, copy | a half-rewound directory is started |
//! | start | `up_since` | start | a server that ends at once is started without end, without a pause |
//! | removal | `leaving` | stop, slots, remove | a node is copied again while it is removed |
//!
//! A memory that is one write old (a disk that lies) is survived: a directory on a newer timeline than the memory's corrects
//! `primary`, and the names in the primary's own file are the second witness for `promotable`. A memory that is gone is rebuilt
//! by [`recover`](super::recover) from the directories, or the instance is left alone with a reason.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::node::{Lsn, NodeId};
use super::view::Examined;

/// What must survive the daemon. `Memory::default()` is that of an instance nothing is recorded of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// Counts the changes of primary; actions carry it.
    pub epoch: u64,
    /// Which database this is, once it was made. From then on nothing is ever made anew.
    pub system_id: Option<u64>,
    /// The newest timeline seen of the primary.
    pub timeline: u32,
    /// The one node that may take writes.
    pub primary: Option<NodeId>,
    /// The standby known to hold every acknowledged commit.
    pub promotable: Option<NodeId>,
    /// How far the next promotable one is.
    pub rising: Option<Rising>,
    /// When `synchronous_standby_names` was last told to change.
    pub sync_ordered_at: Option<Timestamp>,
    /// Since when the synchronous standby is not seen to keep up.
    pub sync_trouble: Option<Trouble>,
    /// How often commits went on without the standby lately, and no new try before.
    pub sync_retry: Retry,
    /// Since when there is no promotable standby although one is wanted.
    pub degraded_since: Option<Timestamp>,
    /// A primary that is being ended for certain.
    pub fence: Option<Fence>,
    /// A planned exchange of roles.
    pub switchover: Option<Switchover>,
    /// Restarts that go round.
    pub wave: Option<Wave>,
    /// The servers of this instance.
    pub members: BTreeMap<NodeId, Member>,
    /// Nodes whose directory is not ours, and why. They are never touched.
    pub quarantine: BTreeMap<NodeId, String>,
    /// The last number given to a node.
    pub last_node: u16,
    /// The last number given to a copy or rewind.
    pub last_serial: u64,
    /// The last change of primary.
    pub failover: Option<Failover>,
    /// What became of the last request.
    pub answer: Option<Answer>,
    /// Why nothing is done until somebody says what is right.
    pub refused: Option<String>,
    /// When the endpoints were last told where to lead while that could not be seen.
    pub route_ordered_at: Option<Timestamp>,
}

/// One server of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// What it is for.
    pub duty: Duty,
    /// What its directory is worth.
    pub copy: Copy,
    /// Since when its end would be a crash; `None` while it is down.
    pub up_since: Option<Timestamp>,
    /// When it was last seen to have ended by itself.
    pub crashed_at: Option<Timestamp>,
    /// Crashes and failed starts and copies in a row.
    pub retry: Retry,
    /// Whether it was stopped by us and is to start again as what it was.
    pub stopped: bool,
    /// Since when it does not stream although it could.
    pub adrift_since: Option<Timestamp>,
    /// Whether it is to go, and how.
    pub leaving: Option<Leaving>,
}

/// How a node goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaving {
    /// It is removed with its directory.
    Removed,
    /// It becomes an independent database.
    Released,
}

impl Member {
    /// One whose directory is worth that.
    pub fn new(duty: Duty, copy: Copy) -> Self {
        Self {
            duty,
            copy,
            up_since: None,
            crashed_at: None,
            retry: Retry::default(),
            stopped: false,
            adrift_since: None,
            leaving: None,
        }
    }
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Primary, or standby that may become it.
    Pair,
    /// Takes reads.
    Replica,
}

/// What a directory is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copy {
    /// It can be started.
    Good,
    /// There is none, or one that is no use: copy the primary.
    Missing,
    /// It was a primary that was given up, or is ahead of the primary: rewind or copy.
    Diverged,
    /// It is being made.
    Making {
        /// Number of the copy or rewind.
        serial: u64,
        /// From whom.
        from: NodeId,
        /// Whether by rewinding.
        rewind: bool,
    },
}

/// Failures in a row, and no new try before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Retry {
    /// How many.
    pub failures: u32,
    /// No new try before.
    pub not_before: Option<Timestamp>,
}

/// How far a standby is on its way to being promotable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rising {
    /// Which.
    pub node: NodeId,
    /// The start of the primary it was seen under.
    pub start: u64,
    /// Up to where it has to hold the log: everything that was acknowledged without it is before that.
    pub target: Lsn,
}

/// A synchronous standby that does not keep up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Which.
    pub node: NodeId,
    /// Since when.
    pub since: Timestamp,
    /// Where it stands; `None`: it is not connected.
    pub held: Option<Lsn>,
}

/// A primary that is being ended for certain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// Which.
    pub node: NodeId,
    /// When that was decided: only what was seen after it counts.
    pub since: Timestamp,
    /// When it was last told to be killed.
    pub ordered_at: Timestamp,
    /// Why.
    pub why: String,
    /// Whether a copy may be promoted that is not known to hold everything.
    pub accept_loss: bool,
}

/// A planned exchange of roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switchover {
    /// The next primary.
    pub to: NodeId,
    /// Why.
    pub why: String,
    /// How far.
    pub phase: Phase,
    /// Since when in this phase.
    pub since: Timestamp,
}

/// How far a planned exchange of roles is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// A checkpoint is written; clients do not notice.
    Checkpoint,
    /// The pooler holds its clients back.
    Drain,
    /// The old primary stops and sends what it has.
    Stop,
}

/// Restarts that go round: standbys and replicas, then a switchover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Whoever started before is restarted.
    pub since: Timestamp,
    /// Only where something waits for a restart.
    pub only_pending: bool,
    /// The request it answers.
    pub request: Option<u64>,
}

/// A change of primary, for `pgherd events` and `pgherd status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// When it was decided.
    pub at: Timestamp,
    /// From whom.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// Why.
    pub why: String,
    /// Whether it was a planned switchover.
    pub planned: bool,
    /// Whether the new primary was known to hold every acknowledged commit.
    pub whole: bool,
    /// Where the new timeline begins.
    pub fork: Option<Lsn>,
    /// When the new primary was first seen to take writes.
    pub served_at: Option<Timestamp>,
    /// How often it was tried to find out what was lost.
    pub examinations: u32,
    /// What was found in the old primary's directory: what was lost.
    pub examined: Option<Examined>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its number.
    pub id: u64,
    /// When it was taken in.
    pub at: Timestamp,
    /// How it ended, or that it goes on.
    pub outcome: Outcome,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It goes on.
    Accepted,
    /// It is done.
    Done,
    /// It is not done, and will not be.
    Refused {
        /// Why.
        why: String,
    },
}
