//! What to do next about what an instance holds: configuration, role and database, certificate, storage, last backup, removal.
//! Pure: the time and everything seen are passed in. Which server runs as what is [`pgherd_core::ha`]'s to decide.
//!
//! Invariants: a restart is asked for only when somebody wants one or the window is open; nothing that failed is tried again
//! faster than [`RETRY_EVERY`]; data is removed only after a last backup that was verified, or was not wanted.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha;
use pgherd_core::window::Window;
use serde::{Deserialize, Serialize};

/// What was seen a moment ago.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The time.
    pub now: Timestamp,
    /// What the servers do.
    pub servers: Servers,
    /// Whether the data directory of the primary is not there although it was made: a disk that is not mounted, or deleted
    /// behind our back.
    pub data_missing: bool,
    /// Whether the server that serves was asked, since it began to, what waits for a restart and when its certificate ends.
    pub learned: bool,
    /// Whether a server ended before it took connections, since the configuration was last written.
    pub start_failed: bool,
    /// Whether an accepted setting waits for a restart.
    pub restart_pending: bool,
    /// When the server's certificate is to be renewed.
    pub renew_tls_at: Option<Timestamp>,
    /// The maintenance window.
    pub window: Window,
    /// Bytes in use; `None`: not looked at now.
    pub used_bytes: Option<u64>,
    /// Up to how many GiB storage may grow by itself.
    pub max_gib: Option<u64>,
}

/// What the servers of an instance do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// A primary takes connections.
    Serve,
    /// None does now, and some run, start or recover.
    Wait,
    /// None runs.
    Down,
}

/// The little that must survive the agent. Written down before each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What is to become of it.
    pub goal: Goal,
    /// Whether server, ports and password are chosen.
    pub prepared: bool,
    /// Whether it was ever usable: until then a failure is the user's to look at, afterwards ours to repair.
    pub made: bool,
    /// Something failed before it was ever usable; nothing is tried until somebody asks.
    pub held: bool,
    /// Whether the configuration files say what is wanted.
    pub configured: bool,
    /// Whether a server has started with this configuration.
    pub proven: bool,
    /// Whether to go back to the configuration that was proven last, because a server did not start with this one.
    pub fall_back: bool,
    /// Whether role, password and database are as wanted.
    pub settled: bool,
    /// A restart that is wanted.
    pub restart: Restart,
    /// What failed is not to be tried before.
    pub retry_after: Option<Timestamp>,
    /// GiB that storage may use now.
    pub allocated_gib: u64,
    /// Whether it uses more than that.
    pub over_allocated: bool,
    /// Whether other data is to take the place of its own: until it has, no server runs.
    #[serde(default)]
    pub exchanging: bool,
}

/// What is to become of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It serves.
    Serve,
    /// It is stopped and kept.
    Stopped,
    /// It is gone; before, a last backup of this name is taken unless it was.
    Gone {
        /// Name of the last backup.
        backup: Option<String>,
        /// When that was asked for: an older backup of the same name is not the last one.
        asked_at: Timestamp,
        /// Whether it was taken and verified.
        taken: bool,
    },
}

impl Goal {
    /// Whether a last backup is still to be taken.
    fn owes_backup(&self) -> bool {
        matches!(self, Self::Gone { backup: Some(_), taken: false, .. })
    }
}

/// A restart that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// None.
    No,
    /// When the window is open, if something waits for it then.
    InWindow,
    /// At once, if something waits for it.
    IfPending,
    /// At once.
    Now,
}

/// One step. Each may be done twice, and be cut short anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Choose the server, its port and a password.
    Prepare,
    /// Write the configuration that is wanted; running servers read it.
    Configure,
    /// Want again what was proven last, because no server starts with what is wanted now.
    FallBack,
    /// Ask the server that serves what it is.
    Learn,
    /// Make role, password and database as wanted.
    Settle,
    /// Replace the server's certificate; running servers read it.
    RenewTls,
    /// Take the last backup and verify it.
    Backup,
    /// Put other data in the place of its own.
    Exchange,
    /// Delete everything of the instance but its backups.
    Remove,
}

/// Something worth a line in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Storage grew to what the memory says.
    Growth,
    /// Storage is fuller than it may be, or is no longer.
    OverAllocated,
}

/// How long until something that failed is tried again.
pub const RETRY_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long to go between two looks at a healthy instance. The end of a server is told by the kernel, not found by looking.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
const GIB: u64 = 1 << 30;

impl Memory {
    /// Of an instance that is to be made, with this much storage.
    pub fn new(allocated_gib: u64) -> Self {
        Self {
            goal: Goal::Serve,
            prepared: false,
            made: false,
            held: false,
            configured: false,
            proven: false,
            fall_back: false,
            settled: false,
            restart: Restart::No,
            retry_after: None,
            allocated_gib,
            over_allocated: false,
            exchanging: false,
        }
    }

    /// The user asked for something: whatever waited after a failure is tried again now.
    pub fn wake(&mut self) {
        self.held = false;
        self.retry_after = None;
    }

    /// Whether its servers are to run: [`ha::Wanted::serve`].
    pub fn serves(&self) -> bool {
        self.prepared && !self.held && !self.exchanging && (self.goal == Goal::Serve || self.goal.owes_backup())
    }
}

/// What to do now, what to remember, and what to note. No step: nothing is to be done before [`next_look`]. Called while no step
/// is under way.
pub fn decide(view: &View, memory: &Memory) -> (Memory, Option<Step>, Vec<Note>) {
    let mut next = memory.clone();
    let mut notes = Vec::new();
    notice_storage(view, &mut next, &mut notes);
    notice_failed_start(view, &mut next);
    let step = if next.held { None } else { step(view, &mut next) };
    (next, step, notes)
}

/// What to ask of the servers: a restart, once everything that it is for is in the files.
pub fn ask(view: &View, memory: &Memory) -> Option<ha::Ask> {
    let ready = memory.goal == Goal::Serve
        && !memory.exchanging
        && in_files(memory)
        && view.servers == Servers::Serve
        && view.learned;
    match memory.restart {
        Restart::Now if ready => Some(ha::Ask::Restart { only_pending: false }),
        Restart::IfPending if ready && view.restart_pending => Some(ha::Ask::Restart { only_pending: true }),
        Restart::No | Restart::InWindow | Restart::IfPending | Restart::Now => None,
    }
}

/// Whether what waits for a restart may have it now because the window is open: [`ha::Wanted::window_open`].
pub fn window_open(view: &View, memory: &Memory) -> bool {
    let waits = memory.restart == Restart::InWindow && in_files(memory) && view.restart_pending;
    waits && view.window.is_open(view.now)
}

/// Whether everything that is wanted is where the servers find it: a restart brings all of it.
fn in_files(memory: &Memory) -> bool {
    memory.configured && memory.settled
}

/// What to remember after a step was done.
pub fn done(step: Step, memory: &Memory) -> Memory {
    let mut next = memory.clone();
    match step {
        Step::Prepare => next.prepared = true,
        Step::Configure => next.configured = true,
        Step::FallBack => (next.fall_back, next.configured, next.proven) = (false, false, true),
        Step::Settle => (next.settled, next.made) = (true, true),
        Step::Backup => {
            if let Goal::Gone { taken, .. } = &mut next.goal {
                *taken = true;
            }
        }
        // It is another cluster, with other servers.
        Step::Exchange => (next.exchanging, next.configured, next.settled) = (false, false, false),
        Step::Learn | Step::RenewTls | Step::Remove => {}
    }
    next
}

/// What to remember after a step failed.
pub fn failed(memory: &Memory, now: Timestamp) -> Memory {
    let mut next = memory.clone();
    // Nothing is removed without the backup that was asked for: the instance stays.
    if next.goal.owes_backup() {
        next.goal = Goal::Serve;
        // Who may come in is written again on every server: nobody was to, while it was taken.
        next.configured = false;
    }
    next.held = !next.made;
    next.retry_after = Some(later(now, RETRY_EVERY));
    next
}

/// When to look again if nothing happens before.
pub fn next_look(view: &View, memory: &Memory) -> Timestamp {
    let window =
        (memory.restart == Restart::InWindow && view.restart_pending).then(|| view.window.next_opening(view.now));
    let due = [window, memory.retry_after, view.renew_tls_at].into_iter().flatten().filter(|at| *at > view.now);
    due.fold(later(view.now, LOOK_EVERY), Timestamp::min)
}

/// A configuration with which a server does not start is taken back once it was usable; before, it is the user's to look at.
fn notice_failed_start(view: &View, next: &mut Memory) {
    if view.start_failed && !next.proven {
        next.fall_back = next.made;
        next.held |= !next.made;
    }
}

/// Storage grows as on RDS: when less than a tenth is free, by a tenth (at least 1 GiB), up to the limit.
fn notice_storage(view: &View, next: &mut Memory, notes: &mut Vec<Note>) {
    let Some(used_bytes) = view.used_bytes else {
        return;
    };
    let nearly_full = used_bytes > next.allocated_gib * GIB / 10 * 9;
    if let Some(max_gib) = view.max_gib.filter(|max_gib| nearly_full && *max_gib > next.allocated_gib) {
        let enough_gib = (used_bytes / 9 * 10).div_ceil(GIB);
        let step_gib = (next.allocated_gib / 10).max(1);
        next.allocated_gib = (next.allocated_gib + step_gib).max(enough_gib).min(max_gib);
        notes.push(Note::Growth);
    }
    let over_allocated = used_bytes > next.allocated_gib * GIB;
    if over_allocated != next.over_allocated {
        next.over_allocated = over_allocated;
        notes.push(Note::OverAllocated);
    }
}

/// The one next step.
fn step(view: &View, next: &mut Memory) -> Option<Step> {
    match (&next.goal, view.servers) {
        (Goal::Serve, Servers::Down) if next.exchanging => may_retry(view, next).then_some(Step::Exchange),
        (Goal::Serve, _) if next.exchanging => None,
        // Refused there: what is not there now may be there again later, and a wanted backup was never taken.
        (goal, _) if goal.owes_backup() && view.data_missing => Some(Step::Backup),
        (goal, Servers::Serve) if goal.owes_backup() => Some(Step::Backup),
        (Goal::Gone { taken, backup, .. }, Servers::Down) if *taken || backup.is_none() => {
            may_retry(view, next).then_some(Step::Remove)
        }
        (Goal::Gone { taken, backup, .. }, _) if *taken || backup.is_none() => None,
        (Goal::Stopped, _) => None,
        (Goal::Serve, _) if !next.prepared => may_retry(view, next).then_some(Step::Prepare),
        (Goal::Serve, Servers::Serve) => keep_serving(view, next),
        (Goal::Serve | Goal::Gone { .. }, _) => bring_up(view, next),
    }
}

fn bring_up(view: &View, next: &Memory) -> Option<Step> {
    if next.fall_back {
        return Some(Step::FallBack);
    }
    // A configuration that cannot be written now (disk full) must not keep a server with a good one from starting.
    (!next.configured && may_retry(view, next)).then_some(Step::Configure)
}

fn keep_serving(view: &View, next: &mut Memory) -> Option<Step> {
    // A configuration that some server does not start with is taken back while another serves.
    if next.fall_back {
        return Some(Step::FallBack);
    }
    // The two others learn as they go.
    if !view.learned && next.configured && next.settled {
        return may_retry(view, next).then_some(Step::Learn);
    }
    if may_retry(view, next) {
        next.retry_after = None;
        if !next.configured {
            return Some(Step::Configure);
        }
        if !next.settled {
            return Some(Step::Settle);
        }
        if view.renew_tls_at.is_some_and(|at| at <= view.now) {
            return Some(Step::RenewTls);
        }
    }
    if view.learned && next.configured && !view.restart_pending && next.restart < Restart::Now {
        next.restart = Restart::No;
    }
    None
}

fn may_retry(view: &View, next: &Memory) -> bool {
    !next.retry_after.is_some_and(|after| waits_for(after, view.now, RETRY_EVERY))
}

/// Whether it is before `after`. A time further ahead than anything ever waits is from before the clock was set back.
fn waits_for(after: Timestamp, now: Timestamp, longest: SignedDuration) -> bool {
    let wait = after.duration_since(now);
    wait > SignedDuration::ZERO && wait <= longest
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
