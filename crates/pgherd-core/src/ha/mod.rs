//! Who serves, who follows, and what to do when that is no longer so: the failover brain, pure.
//!
//! [`decide`] takes what was seen ([`View`]) and what is remembered ([`Memory`]) and gives what to remember and what to do
//! ([`Action`]). The hands look, write the memory down, act, and look again. Invariants, held by a simulated world in the tests:
//!
//! * Nothing is promoted, and no second server started as a primary, before every process of the old primary is seen to be gone
//!   in a view that was taken after it was told to be killed.
//! * By itself nothing is promoted but the standby that is known to hold every acknowledged commit: one that a commit was seen to
//!   wait for, and that holds what was acknowledged before.
//! * What holds no database of ours is never touched; the last good copy is never overwritten or removed.
//! * "Don't know" never counts as "no".
//!
//! # What happens when
//!
//! | the primary | a standby holds everything | what is done |
//! |---|---|---|
//! | serves | yes | nothing; commits wait for the standby |
//! | serves | it is lost, `local_sync = preferred` | "not promotable" is written down, then commits go on without it: degraded, an alarm; back in the reverse order |
//! | serves | it is lost, `local_sync = required` | commits wait until it, or another, is back; an alarm |
//! | ends by itself | yes, and it runs | every process ended for certain, standby promoted, endpoints moved, old primary examined, then rewound or copied anew |
//! | ends by itself | no | started again in place, at once, then after 1 s, 2 s, 4 s … 60 s; a standby that lacks commits is not promoted |
//! | answers no write within the deadline (3 s) | yes | as if it had ended |
//! | answers no write within the deadline (3 s) | no | ended for certain and started again in place |
//! | recovers for longer than the deadline | yes | as if it had ended |
//! | recovers for longer than the deadline | no | left to recover |
//! | cannot be seen | either | nothing |
//! | its directory is gone or another's | yes | standby promoted; the directory is left alone |
//! | its directory is gone or another's | no | refused, with the reason; `failover` accepting the loss promotes the copy that has most |
//! | is dead like everything else (reboot) | either | the recorded primary is started, unless a directory is on a newer timeline than the record |
//!
//! | a standby or replica | what is done |
//! |---|---|
//! | is down | started, with the same pauses |
//! | streams from another | told to follow the primary, without a restart |
//! | has log that the primary's timeline left behind, lost its slot, or has not streamed for 30 s | copied anew |
//! | was the primary, stopped in a switchover with everything handed over | started as a standby, as it is |
//! | was the primary, given up | rewound when it is big, copied anew when it is small or the rewind failed; the old directory is kept until it streams |
//! | takes writes | ended for certain, then as a primary given up |
//! | is not wanted any more | nobody waits for it, then stopped, then removed |
//! | holds another database | left alone (quarantine) and replaced by a new node |
//!
//! A planned switchover: checkpoint; clients held back; old primary stopped fast, so that it sends everything; standby promoted;
//! clients let go on. It is called off when the standby is lost or clients have been held back for 5 s. A restart that is wanted
//! goes round: standbys and replicas one by one, then a switchover, so that it costs one exchange of roles; settings that get
//! lower and must not be lower on a standby make the primary go first. A single instance is the same with nobody to wait for.
//!
//! # Without a record
//!
//! No directory: a new database. Otherwise the directory on the highest timeline that ran as a primary; nobody is promotable
//! until commits have waited for it. Two such, different databases, or none that ran as a primary: refused, nothing is touched.
//!
//! # What the hands see to
//!
//! * One loop per instance: look, [`decide`], write, act, in that order, one at a time. Only copies, rewinds, examinations and
//!   checkpoints may run on beside it, as a node's [`Task`]; `Kill` ends these, too, and so does the start of a daemon.
//! * An action whose epoch is not the memory's is refused.
//! * `Clone` and `Rejoin` refuse to touch the directory of another database.
//! * `Start` refuses a directory in which any process is left, and one that is torn.
//! * [`Node::seen_at`] is read before the node is looked at. What was not looked at is unknown, not repeated.
//! * [`Process::Dead`] means that no process lives: postmaster, backends, tools. A dead postmaster that nobody reaped counts as none.
//! * The write probe runs with `synchronous_commit = local`.
//! * `wal_retrieve_retry_interval = 100ms`, data checksums, `max_slot_wal_keep_size`, configuration outside of the directory.

mod action;
mod alarm;
mod crash;
mod decide;
mod degrade;
mod draft;
mod maintenance;
mod memory;
mod node;
mod notice;
mod recover;
mod rejoin;
mod replicas;
mod request;
mod route;
mod stop;
mod switchover;
mod view;

pub use action::{Action, Role, Verb};
pub use alarm::{Alarm, alarms};
pub use decide::decide;
pub use memory::{
    Answer, Copy, Duty, Failover, Fence, Leaving, Member, Memory, Outcome, Phase, Retry, Rising, Switchover, Trouble,
    Wave,
};
pub use node::{Lsn, NodeId};
pub use view::{
    Ask, CommitLevel, Control, Data, Disk, Examined, LastRole, Names, Node, Pending, Primary, Probe, Process, Request,
    Route, Sender, Server, Slot, Standby, SyncMode, Task, View, Wanted,
};
