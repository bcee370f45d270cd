//! The day-2 verbs: what can be done to a database that is no change of what should exist.

use jiff::Timestamp;
use pgherd_core::spec::Spec;

/// A day-2 verb on one database, by instance name.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Start a stopped database.
    Start {
        /// Instance name.
        name: String,
    },
    /// Stop it, keeping everything.
    Stop {
        /// Instance name.
        name: String,
    },
    /// Restart it now; pending settings take effect.
    Restart {
        /// Instance name.
        name: String,
    },
    /// Change the master password to a generated one, keeping open connections.
    Rotate {
        /// Instance name.
        name: String,
    },
    /// End the primary for certain and let its standby take over.
    Failover {
        /// Instance name.
        name: String,
        /// Whether a copy may take over that is not known to hold every acknowledged commit.
        accept_loss: bool,
    },
    /// Make a read replica a database of its own.
    Promote {
        /// Instance name.
        name: String,
        /// Which replica, as `status` names it; `None`: the only one.
        replica: Option<String>,
        /// What it becomes, under a name of its own.
        to: Box<Spec>,
    },
    /// Exchange the roles of primary and standby in good order, while clients are held back.
    Switchover {
        /// Instance name.
        name: String,
    },
    /// Take a backup now, which is kept until somebody deletes it.
    Backup {
        /// Instance name.
        name: String,
        /// What it is called; `None`: the instance's name and the time.
        label: Option<String>,
    },
    /// Make a database from a backup of another, which may be gone by now.
    Restore {
        /// Instance name of the one whose backup it is.
        name: String,
        /// What is made. Of the same name it takes the place of the database, which is kept under another name.
        to: Box<Spec>,
        /// As of when.
        point: Point,
    },
    /// Make a database that holds what another holds now.
    Clone {
        /// Instance name of the one that is copied.
        name: String,
        /// What is made, under a name of its own.
        to: Box<Spec>,
    },
    /// Restore the newest backup for practice, look at what came of it, and remove it again.
    Drill {
        /// Instance name.
        name: String,
    },
    /// Make a database ours that exists already. Changes nothing but that, or nothing at all: what would differ from its block
    /// is an error.
    Adopt {
        /// What its block means.
        spec: Box<Spec>,
    },
    /// Leave a database alone from now on, with everything around it.
    Forget {
        /// What its block means.
        spec: Box<Spec>,
    },
}

/// As of when a database is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Point {
    /// The latest moment the target can restore.
    Latest,
    /// This moment.
    At(Timestamp),
    /// Everything before this place in the log, and nothing after it: `0/3000148`.
    Lsn(String),
    /// The backup of this name.
    Backup(String),
}
