//! PostgreSQL as far as the brain is concerned: directories with a log of numbered records, servers that write, stream,
//! recover, and die without their backends.

use std::collections::{BTreeMap, BTreeSet};

use pgherd_core::ha::{Disk, Examined, LastRole, Node, NodeId, Pending};

pub const SYSTEM_ID: u64 = 7;

/// A record of the log. Numbers are given once in a world, so two logs that end in the same record are the same.
pub type Record = u32;

/// One record is a mebibyte, so that "near" means something.
pub const RECORD_BYTES: u64 = 1 << 20;

#[derive(Clone, Default)]
pub struct Dir {
    pub system_id: u64,
    pub log: Vec<Record>,
    pub timeline: u32,
    /// Where each timeline after the first began, in records.
    pub forks: BTreeMap<u32, usize>,
    pub ran_as_standby: bool,
    pub clean: bool,
    pub made_by: Option<u64>,
    pub torn: bool,
    pub mib: u32,
}

impl Dir {
    pub fn last_role(&self) -> LastRole {
        if self.ran_as_standby { LastRole::Standby } else { LastRole::Primary }
    }

    pub fn holds(&self, record: Record) -> bool {
        self.log.binary_search(&record).is_ok()
    }

    /// Whether `self` is a beginning of `other`.
    pub fn begins(&self, other: &Self) -> bool {
        match self.log.last() {
            None => true,
            Some(last) => other.log.get(self.log.len() - 1) == Some(last),
        }
    }
}

#[derive(Clone)]
pub enum Place {
    Absent,
    Foreign,
    Data(Dir),
}

#[derive(Clone)]
pub struct Postmaster {
    pub start: u64,
    pub since: i64,
    pub ready_at: i64,
    pub primary: bool,
    pub promoted_at: Option<i64>,
    pub above: u32,
    pub stops_at: Option<i64>,
}

/// A commit whose client waits for the standby.
#[derive(Clone, Copy)]
pub struct Waiting {
    pub record: Record,
    pub position: usize,
}

#[derive(Clone)]
pub struct Work {
    pub serial: u64,
    pub from: NodeId,
    pub rewind: bool,
    pub done_at: i64,
    pub fails: bool,
}

#[derive(Clone)]
pub struct Machine {
    pub place: Place,
    pub postmaster: Option<Postmaster>,
    /// When each backend that outlived its postmaster commits.
    pub orphans: Vec<i64>,
    pub frozen: bool,
    pub waiting: Vec<Waiting>,
    /// What the file says, what the WAL senders go by, and whether commits wait from then on.
    pub names_file: Option<NodeId>,
    pub names_sender: Option<NodeId>,
    pub commits_wait: bool,
    pub names_reach_commits_at: i64,
    /// Whose WAL sender takes itself for the one that was named before, and until when.
    pub last_sender: Option<NodeId>,
    pub last_sender_until: i64,
    /// The standby that the hands saw a commit wait for.
    pub waits_for: Option<NodeId>,
    pub follows: Option<NodeId>,
    pub streams: bool,
    pub cut_until: i64,
    pub slots: BTreeSet<NodeId>,
    pub lost_slots: BTreeSet<NodeId>,
    pub pending: Pending,
    pub disk: Disk,
    pub work: Option<Work>,
    pub failed_work: Option<u64>,
    pub checkpoint_until: i64,
    pub evidence: bool,
    pub examined: Option<Examined>,
    pub probe_answered_at: i64,
    pub unseen_until: i64,
    pub half_seen_until: i64,
    pub stale_until: i64,
    pub last_seen: Option<Node>,
    pub slow: bool,
}

impl Machine {
    pub fn new() -> Self {
        Self {
            place: Place::Absent,
            postmaster: None,
            orphans: Vec::new(),
            frozen: false,
            waiting: Vec::new(),
            names_file: None,
            names_sender: None,
            commits_wait: false,
            names_reach_commits_at: 0,
            last_sender: None,
            last_sender_until: 0,
            waits_for: None,
            follows: None,
            streams: false,
            cut_until: 0,
            slots: BTreeSet::new(),
            lost_slots: BTreeSet::new(),
            pending: Pending::Nothing,
            disk: Disk::Well,
            work: None,
            failed_work: None,
            checkpoint_until: 0,
            evidence: false,
            examined: None,
            probe_answered_at: 0,
            unseen_until: 0,
            half_seen_until: 0,
            stale_until: 0,
            last_seen: None,
            slow: false,
        }
    }

    /// What lies in its place is no directory of ours.
    pub fn is_foreign(&self) -> bool {
        match &self.place {
            Place::Foreign => true,
            Place::Data(dir) => dir.system_id != SYSTEM_ID,
            Place::Absent => false,
        }
    }

    pub fn dir(&self) -> Option<&Dir> {
        match &self.place {
            Place::Data(dir) => Some(dir),
            Place::Absent | Place::Foreign => None,
        }
    }

    pub fn dir_mut(&mut self) -> Option<&mut Dir> {
        match &mut self.place {
            Place::Data(dir) => Some(dir),
            Place::Absent | Place::Foreign => None,
        }
    }

    pub fn ready(&self, now: i64) -> bool {
        self.postmaster.as_ref().is_some_and(|pm| pm.ready_at <= now && pm.stops_at.is_none())
    }

    pub fn stops(&self) -> bool {
        self.postmaster.as_ref().is_some_and(|pm| pm.stops_at.is_some())
    }

    /// Takes writes now.
    pub fn writes(&self, now: i64) -> bool {
        self.ready(now) && !self.frozen && self.postmaster.as_ref().is_some_and(|pm| pm.primary)
    }

    /// Writes, or may when it wakes, or its backends may.
    pub fn may_write(&self) -> bool {
        self.postmaster.as_ref().is_some_and(|pm| pm.primary) || !self.orphans.is_empty()
    }

    /// What a server starts or is promoted with is in force in all of its processes.
    pub fn names_from_the_start(&mut self, names: Option<NodeId>) {
        (self.names_file, self.names_sender, self.last_sender) = (names, names, None);
        (self.commits_wait, self.waits_for) = (names.is_some(), None);
        self.names_reach_commits_at = 0;
    }

    /// Whether its WAL sender for a standby lets commits go on that this one has.
    pub fn counts(&self, standby: NodeId, now: i64) -> bool {
        self.names_sender == Some(standby) || self.last_sender == Some(standby) && self.last_sender_until > now
    }

    /// Every process gone.
    pub fn end(&mut self) {
        self.postmaster = None;
        self.orphans.clear();
        self.frozen = false;
        self.waiting.clear();
        self.streams = false;
    }
}
