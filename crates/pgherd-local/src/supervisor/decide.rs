//! What to do next about one instance. Pure: the time and everything seen are passed in.
//!
//! Invariants: a server that serves and is wanted is stopped only for a restart that was asked for or whose window is open;
//! nothing that failed is tried again faster than [`backoff`] allows; data is removed only after a last backup that was
//! verified, or was not wanted.

use jiff::{SignedDuration, Timestamp};
use pgherd_core::window::Window;
use serde::{Deserialize, Serialize};

/// What was seen a moment ago.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The time.
    pub now: Timestamp,
    /// The data directory of the primary.
    pub data: Data,
    /// The server on it.
    pub process: Process,
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

/// A data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Not made yet, or left half-made.
    Unfinished,
    /// Made once, and not there: a disk that is not mounted, or deleted behind our back. Never made anew.
    Missing,
    /// A cluster.
    Ready,
}

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// Runs since then.
    Running {
        /// Since when.
        since: Timestamp,
    },
    /// Starts, and answers nobody yet: recovery after a crash takes as long as it takes, and is never cut short by us.
    Recovering,
    /// Does not run.
    Ended,
}

/// The little that must survive the agent. Written down before each action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What is to become of it.
    pub goal: Goal,
    /// Whether it was ever usable: until then a failure is the user's to look at, afterwards ours to repair.
    pub made: bool,
    /// An action failed before it was ever usable; nothing is tried until somebody asks.
    pub held: bool,
    /// Whether the configuration files say what is wanted.
    pub configured: bool,
    /// Whether a server has started with this configuration.
    pub proven: bool,
    /// Whether to go back to the configuration that was proven last, because a server did not start with this one.
    pub fall_back: bool,
    /// Whether role, password and database are as wanted.
    pub settled: bool,
    /// Whether we started the server and have not stopped it, so that its end is a crash.
    pub serving: bool,
    /// Whether the server that was started last has not answered yet.
    #[serde(default)]
    pub starting: bool,
    /// A restart that is wanted.
    pub restart: Restart,
    /// Crashes and failed starts in a row.
    pub crashes: u32,
    /// Not to be started before.
    pub start_after: Option<Timestamp>,
    /// What failed and is no start is not to be tried before.
    pub retry_after: Option<Timestamp>,
    /// GiB that storage may use now.
    pub allocated_gib: u64,
    /// Whether it uses more than that.
    pub over_allocated: bool,
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

/// One thing to do. Each may be done twice, and be cut short anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make the cluster, after clearing away what a cut-short attempt left.
    Init,
    /// Write the configuration that is wanted; a running server reads it.
    Configure,
    /// Want again what was proven last, because no server starts with what is wanted now.
    FallBack,
    /// Start the server, and wait a while for its answer.
    Start,
    /// Take note that it answers.
    Answered,
    /// Make role, password and database as wanted.
    Settle,
    /// Stop the server: clients are cut off, what was committed stays.
    Stop,
    /// Replace the server's certificate; a running server reads it.
    RenewTls,
    /// Take the last backup and verify it.
    Backup,
    /// Delete everything of the instance but its backups.
    Remove,
    /// Record that the server ended by itself.
    NoteCrash,
    /// Record that storage grew to what the memory says.
    NoteGrowth,
    /// Record that storage is fuller than it may be, or is no longer.
    NoteOverAllocated,
}

/// A server that ran for as long is healthy: its next end is the first of a new row.
const HEALTHY: SignedDuration = SignedDuration::from_mins(10);
/// The longest wait between two starts.
const LONGEST_BACKOFF_S: i64 = 60;
/// How long until something that failed and is no start is tried again.
const RETRY_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long to go between two looks at a healthy instance. The end of a server is told by the kernel, not found by looking.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How long to go between two looks at a server that recovers.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(1);
const GIB: u64 = 1 << 30;

impl Memory {
    /// Of an instance that is to be made, with this much storage.
    pub fn new(allocated_gib: u64) -> Self {
        Self {
            goal: Goal::Serve,
            made: false,
            held: false,
            configured: false,
            proven: false,
            fall_back: false,
            settled: false,
            serving: false,
            starting: false,
            restart: Restart::No,
            crashes: 0,
            start_after: None,
            retry_after: None,
            allocated_gib,
            over_allocated: false,
        }
    }

    /// The user asked for something: whatever waited after a failure is tried again now.
    pub fn wake(&mut self) {
        self.held = false;
        self.start_after = None;
        self.retry_after = None;
    }
}

/// What to do now, and what to remember. No action: nothing is to be done before [`next_look`].
pub fn decide(view: &View, memory: &Memory) -> (Memory, Vec<Action>) {
    let mut next = memory.clone();
    let mut actions = Vec::new();
    notice_process(view, &mut next, &mut actions);
    notice_storage(view, &mut next, &mut actions);
    if !next.held {
        actions.extend(step(view, &mut next));
    }
    (next, actions)
}

/// What to remember after an action was done.
pub fn done(action: Action, memory: &Memory) -> Memory {
    let mut next = memory.clone();
    match action {
        Action::Configure => next.configured = true,
        Action::FallBack => (next.fall_back, next.configured, next.proven) = (false, false, true),
        Action::Answered => (next.starting, next.proven) = (false, true),
        Action::Settle => (next.settled, next.made) = (true, true),
        Action::Backup => {
            if let Goal::Gone { taken, .. } = &mut next.goal {
                *taken = true;
            }
        }
        Action::Init
        | Action::Start
        | Action::Stop
        | Action::RenewTls
        | Action::Remove
        | Action::NoteCrash
        | Action::NoteGrowth
        | Action::NoteOverAllocated => {}
    }
    next
}

/// What to remember after an action failed.
pub fn failed(action: Action, memory: &Memory, now: Timestamp) -> Memory {
    let mut next = memory.clone();
    // Nothing is removed without the backup that was asked for: the instance stays.
    if matches!(next.goal, Goal::Gone { backup: Some(_), taken: false, .. }) {
        next.goal = Goal::Serve;
    }
    next.held = !next.made;
    if action == Action::Start {
        not_started(&mut next, now);
    } else {
        next.retry_after = Some(later(now, RETRY_EVERY));
    }
    next
}

fn not_started(next: &mut Memory, now: Timestamp) {
    (next.serving, next.starting) = (false, false);
    next.crashes += 1;
    next.start_after = Some(later(now, backoff(next.crashes)));
    next.fall_back = next.made && !next.proven;
}

/// When to look again if nothing happens before.
pub fn next_look(view: &View, memory: &Memory) -> Timestamp {
    let start = memory.start_after.filter(|_| view.process == Process::Ended && memory.goal == Goal::Serve);
    let window =
        (memory.restart == Restart::InWindow && view.restart_pending).then(|| view.window.next_opening(view.now));
    let answer = (view.process == Process::Recovering).then(|| later(view.now, ASK_EVERY));
    let due = [start, answer, window, memory.retry_after, view.renew_tls_at]
        .into_iter()
        .flatten()
        .filter(|at| *at > view.now);
    due.fold(later(view.now, LOOK_EVERY), Timestamp::min)
}

/// How long to wait before the start that follows `crashes` in a row: not at all, 1 s, 2 s, 4 s … 60 s.
pub fn backoff(crashes: u32) -> SignedDuration {
    match crashes {
        0 | 1 => SignedDuration::ZERO,
        more => SignedDuration::from_secs((1 << (more - 2).min(10)).min(LONGEST_BACKOFF_S)),
    }
}

fn notice_process(view: &View, next: &mut Memory, actions: &mut Vec<Action>) {
    match view.process {
        Process::Running { since } => {
            if view.now.duration_since(since) >= HEALTHY {
                next.crashes = 0;
            }
        }
        Process::Recovering => next.serving = true,
        // It ended in its recovery: a start that failed, however long it took to.
        Process::Ended if next.starting => {
            not_started(next, view.now);
            actions.push(Action::NoteCrash);
        }
        Process::Ended if next.serving => {
            next.serving = false;
            next.crashes += 1;
            next.start_after = Some(later(view.now, backoff(next.crashes)));
            actions.push(Action::NoteCrash);
        }
        Process::Ended => {}
    }
}

/// Storage grows as on RDS: when less than a tenth is free, by a tenth (at least 1 GiB), up to the limit.
fn notice_storage(view: &View, next: &mut Memory, actions: &mut Vec<Action>) {
    let Some(used_bytes) = view.used_bytes else {
        return;
    };
    let nearly_full = used_bytes > next.allocated_gib * GIB / 10 * 9;
    if let Some(max_gib) = view.max_gib.filter(|max_gib| nearly_full && *max_gib > next.allocated_gib) {
        let enough_gib = (used_bytes / 9 * 10).div_ceil(GIB);
        let step_gib = (next.allocated_gib / 10).max(1);
        next.allocated_gib = (next.allocated_gib + step_gib).max(enough_gib).min(max_gib);
        actions.push(Action::NoteGrowth);
    }
    let over_allocated = used_bytes > next.allocated_gib * GIB;
    if over_allocated != next.over_allocated {
        next.over_allocated = over_allocated;
        actions.push(Action::NoteOverAllocated);
    }
}

/// The one next step. Each row of the table is a situation; the first that fits counts.
fn step(view: &View, next: &mut Memory) -> Option<Action> {
    let running = match view.process {
        Process::Running { .. } => true,
        Process::Ended => false,
        Process::Recovering => return recovering(next),
    };
    match (&next.goal, view.data, running) {
        (Goal::Serve, Data::Unfinished, _) => Some(Action::Init),
        (Goal::Serve, Data::Missing, _) => None,
        (Goal::Serve, Data::Ready, true) => keep_serving(view, next),
        (Goal::Serve, Data::Ready, false) => bring_up(view, next),
        (Goal::Gone { backup: Some(_), taken: false, .. }, Data::Ready, true) => Some(Action::Backup),
        // Refused there: what is not there now may be there again later, and a wanted backup was never taken.
        (Goal::Gone { backup: Some(_), taken: false, .. }, Data::Missing | Data::Unfinished, _) => Some(Action::Backup),
        (Goal::Gone { backup: Some(_), taken: false, .. }, Data::Ready, false) => bring_up(view, next),
        (Goal::Stopped | Goal::Gone { .. }, _, true) => stop(next),
        (Goal::Stopped, _, false) => None,
        (Goal::Gone { .. }, _, false) => Some(Action::Remove),
    }
}

/// A recovering server can only be waited for, or stopped when that is wanted.
fn recovering(next: &mut Memory) -> Option<Action> {
    match next.goal {
        Goal::Serve | Goal::Gone { backup: Some(_), taken: false, .. } => None,
        Goal::Stopped | Goal::Gone { .. } => stop(next),
    }
}

fn bring_up(view: &View, next: &mut Memory) -> Option<Action> {
    if next.fall_back {
        return Some(Action::FallBack);
    }
    // A configuration that cannot be written now (disk full) must not keep a server with a good one from starting.
    if !next.configured && may_retry(view, next) {
        return Some(Action::Configure);
    }
    if next.start_after.is_some_and(|after| waits_for(after, view.now, SignedDuration::from_secs(LONGEST_BACKOFF_S))) {
        return None;
    }
    (next.serving, next.starting) = (true, true);
    next.start_after = None;
    next.restart = Restart::No;
    Some(Action::Start)
}

fn keep_serving(view: &View, next: &mut Memory) -> Option<Action> {
    next.serving = true;
    if next.starting {
        return Some(Action::Answered);
    }
    if next.restart == Restart::Now {
        return stop(next);
    }
    if may_retry(view, next) {
        next.retry_after = None;
        if !next.configured {
            return Some(Action::Configure);
        }
        if !next.settled {
            return Some(Action::Settle);
        }
        if view.renew_tls_at.is_some_and(|at| at <= view.now) {
            return Some(Action::RenewTls);
        }
    }
    let restart = match next.restart {
        Restart::No => false,
        Restart::InWindow => view.window.is_open(view.now),
        Restart::IfPending | Restart::Now => true,
    };
    if restart && view.restart_pending {
        return stop(next);
    }
    if !view.restart_pending {
        next.restart = Restart::No;
    }
    None
}

/// The end of a server we stop is no crash. A wanted restart stays wanted until the start, so that it survives us.
fn stop(next: &mut Memory) -> Option<Action> {
    (next.serving, next.starting) = (false, false);
    Some(Action::Stop)
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
mod tests {
    use super::*;

    const GONE: bool = false;

    fn now() -> Timestamp {
        "2026-11-21T22:00:00Z".parse().expect("a time")
    }

    fn seconds_ago(seconds: i64) -> Timestamp {
        now() - SignedDuration::from_secs(seconds)
    }

    /// An instance that serves, since a minute; the window is closed.
    fn view(running: bool) -> View {
        View {
            now: now(),
            data: Data::Ready,
            process: if running { Process::Running { since: seconds_ago(60) } } else { Process::Ended },
            restart_pending: false,
            renew_tls_at: None,
            window: Window::parse_weekly("sun:04:00-sun:05:00").expect("a window"),
            used_bytes: None,
            max_gib: None,
        }
    }

    fn serving() -> Memory {
        Memory { made: true, configured: true, proven: true, settled: true, serving: true, ..Memory::new(20) }
    }

    #[track_caller]
    fn check(view: &View, memory: &Memory, expected: &[Action]) -> Memory {
        let (next, actions) = decide(view, memory);
        assert_eq!(actions, expected);
        next
    }

    #[test]
    fn a_new_instance_is_made_step_by_step() {
        let mut memory = Memory::new(20);
        let mut seen = View { data: Data::Unfinished, ..view(GONE) };
        for (action, data, running) in [
            (Action::Init, Data::Ready, false),
            (Action::Configure, Data::Ready, false),
            (Action::Start, Data::Ready, true),
            (Action::Answered, Data::Ready, true),
            (Action::Settle, Data::Ready, true),
        ] {
            memory = done(action, &check(&seen, &memory, &[action]));
            seen = View { data, ..view(running) };
        }
        assert_eq!(check(&seen, &memory, &[]), serving());
    }

    #[test]
    fn nothing_is_done_to_an_instance_that_serves() {
        assert_eq!(check(&view(true), &serving(), &[]), serving());
    }

    #[test]
    fn a_crash_is_answered_with_a_start() {
        let next = check(&view(GONE), &serving(), &[Action::NoteCrash, Action::Start]);
        assert_eq!(next.crashes, 1);
    }

    #[test]
    fn crashes_in_a_row_wait_ever_longer() {
        let waits: Vec<_> = (0..10).map(|crashes| backoff(crashes).as_secs()).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
        let next = check(&view(GONE), &Memory { crashes: 3, ..serving() }, &[Action::NoteCrash]);
        assert_eq!(next_look(&view(GONE), &next), now() + SignedDuration::from_secs(4));
        let later = View { now: now() + SignedDuration::from_secs(4), ..view(GONE) };
        check(&later, &next, &[Action::Start]);
    }

    #[test]
    fn a_recovery_is_waited_for_however_long_it_takes() {
        let seen = View { process: Process::Recovering, ..view(true) };
        let mut memory = check(&view(GONE), &Memory { serving: false, proven: false, ..serving() }, &[Action::Start]);
        memory = done(Action::Start, &memory);
        for _ in 0..1000 {
            memory = check(&seen, &memory, &[]);
        }
        assert_eq!(next_look(&seen, &memory), now() + ASK_EVERY);
        assert_eq!((memory.crashes, memory.fall_back, memory.proven), (0, false, false));
        let answered = check(&view(true), &memory, &[Action::Answered]);
        assert_eq!(done(Action::Answered, &answered), serving());
        // It may also end instead.
        let ended = check(&view(GONE), &memory, &[Action::NoteCrash, Action::FallBack]);
        assert_eq!((ended.crashes, ended.starting), (1, false));
    }

    #[test]
    fn a_recovery_is_ended_only_by_a_wish() {
        let seen = View { process: Process::Recovering, ..view(true) };
        check(&seen, &Memory { restart: Restart::Now, ..serving() }, &[]);
        check(&seen, &Memory { goal: Goal::Stopped, ..serving() }, &[Action::Stop]);
    }

    #[test]
    fn a_clock_set_back_makes_no_start_wait() {
        let memory =
            Memory { crashes: 5, serving: false, start_after: Some(now() + LOOK_EVERY * 60 * 24), ..serving() };
        check(&view(GONE), &memory, &[Action::Start]);
        let memory = Memory { settled: false, retry_after: Some(now() + LOOK_EVERY * 60 * 24), ..serving() };
        check(&view(true), &memory, &[Action::Settle]);
    }

    #[test]
    fn a_server_that_ran_for_long_begins_a_new_row() {
        let long = View { process: Process::Running { since: seconds_ago(600) }, ..view(true) };
        assert_eq!(check(&long, &Memory { crashes: 5, ..serving() }, &[]).crashes, 0);
    }

    #[test]
    fn a_stop_of_ours_is_no_crash() {
        let stopped = Memory { goal: Goal::Stopped, ..serving() };
        let next = check(&view(true), &stopped, &[Action::Stop]);
        assert_eq!(check(&view(GONE), &next, &[]).crashes, 0);
    }

    #[test]
    fn a_pending_restart_waits_for_the_window() {
        let memory = Memory { restart: Restart::InWindow, ..serving() };
        let pending = View { restart_pending: true, ..view(true) };
        check(&pending, &memory, &[]);
        let open: Timestamp = "2026-11-22T04:00:00Z".parse().expect("a time");
        let soon = View { now: open - SignedDuration::from_secs(30), ..pending.clone() };
        assert_eq!(next_look(&soon, &memory), open);
        check(&View { now: open, ..pending }, &memory, &[Action::Stop]);
    }

    #[test]
    fn an_open_window_with_nothing_pending_restarts_nothing() {
        let open: Timestamp = "2026-11-22T04:30:00Z".parse().expect("a time");
        let next = check(&View { now: open, ..view(true) }, &Memory { restart: Restart::InWindow, ..serving() }, &[]);
        assert_eq!(next.restart, Restart::No);
    }

    #[test]
    fn a_wanted_restart_is_wanted_until_the_start() {
        let memory = Memory { restart: Restart::Now, ..serving() };
        // Cut short after the decision to stop: the server still runs, and is stopped.
        let next = check(&view(true), &memory, &[Action::Stop]);
        let next = check(&view(true), &next, &[Action::Stop]);
        let next = check(&view(GONE), &next, &[Action::Start]);
        assert_eq!(next.restart, Restart::No);
    }

    #[test]
    fn a_configuration_that_does_not_start_is_taken_back() {
        let memory = Memory { proven: false, serving: false, ..serving() };
        assert!(check(&view(GONE), &memory, &[Action::Start]).starting);
        let next = failed(Action::Start, &check(&view(GONE), &memory, &[Action::Start]), now());
        let next = done(Action::FallBack, &check(&view(GONE), &next, &[Action::FallBack]));
        let next = done(Action::Configure, &check(&view(GONE), &next, &[Action::Configure]));
        check(&view(GONE), &next, &[Action::Start]);
    }

    #[test]
    fn what_fails_before_the_first_use_is_left_to_the_user() {
        let seen = View { data: Data::Unfinished, ..view(GONE) };
        let mut next = failed(Action::Init, &check(&seen, &Memory::new(20), &[Action::Init]), now());
        check(&seen, &next, &[]);
        next.wake();
        check(&seen, &next, &[Action::Init]);
    }

    #[test]
    fn data_that_is_gone_is_not_made_anew() {
        check(&View { data: Data::Missing, ..view(GONE) }, &Memory { serving: false, ..serving() }, &[]);
    }

    #[test]
    fn a_full_disk_keeps_no_good_configuration_from_starting() {
        let memory = Memory { configured: false, serving: false, ..serving() };
        let next = failed(Action::Configure, &check(&view(GONE), &memory, &[Action::Configure]), now());
        check(&view(GONE), &next, &[Action::Start]);
    }

    #[test]
    fn a_certificate_is_renewed_when_it_is_due() {
        check(&View { renew_tls_at: Some(now()), ..view(true) }, &serving(), &[Action::RenewTls]);
        let soon = View { renew_tls_at: Some(now() + SignedDuration::from_secs(9)), ..view(true) };
        assert_eq!(next_look(&soon, &serving()), now() + SignedDuration::from_secs(9));
    }

    #[test]
    fn nothing_is_removed_before_the_last_backup() {
        let goal = Goal::Gone { backup: Some("last".to_owned()), asked_at: now(), taken: false };
        let memory = Memory { goal, ..serving() };
        check(&view(GONE), &Memory { serving: false, ..memory.clone() }, &[Action::Start]);
        let next = check(&view(true), &memory, &[Action::Backup]);
        assert_eq!(failed(Action::Backup, &next, now()).goal, Goal::Serve);
        let next = check(&view(true), &done(Action::Backup, &next), &[Action::Stop]);
        check(&view(GONE), &next, &[Action::Remove]);
    }

    #[test]
    fn data_that_is_not_there_is_not_forgotten_without_its_last_backup() {
        let goal = Goal::Gone { backup: Some("last".to_owned()), asked_at: now(), taken: false };
        let seen = View { data: Data::Missing, ..view(GONE) };
        check(&seen, &Memory { goal, serving: false, ..serving() }, &[Action::Backup]);
    }

    #[track_caller]
    fn check_storage(used_gib_tenths: u64, max_gib: Option<u64>, expected: (u64, bool)) {
        let seen = View { used_bytes: Some(used_gib_tenths * GIB / 10), max_gib, ..view(true) };
        let (next, _) = decide(&seen, &serving());
        assert_eq!((next.allocated_gib, next.over_allocated), expected);
    }

    #[test]
    fn storage_grows_when_a_tenth_is_left_up_to_its_limit() {
        check_storage(179, Some(100), (20, false));
        check_storage(181, Some(100), (22, false));
        check_storage(500, Some(100), (56, false));
        check_storage(1200, Some(100), (100, true));
        check_storage(181, None, (20, false));
        check_storage(201, None, (20, true));
    }

    #[test]
    fn a_healthy_instance_is_looked_at_once_a_minute() {
        assert_eq!(next_look(&view(true), &serving()), now() + LOOK_EVERY);
    }
}
