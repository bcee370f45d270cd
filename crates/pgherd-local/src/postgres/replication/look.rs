//! Everything a decision wants to know of a node, seen now and not remembered.
//!
//! Invariant: what could not be seen in time is unknown.

use std::time::Duration;

use jiff::Timestamp;
use pgherd_core::ha::{self, CommitLevel, Pending, Probe, Task};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Place, ask, directory, fence, making, role};
use crate::postgres::session::Session;
use crate::storage;

/// How often the size of a directory is measured anew; it takes as long as looking at every file.
const MEASURE_EVERY: Duration = Duration::from_secs(60);

/// What is kept from one look at a node to the next: a session, and who is still waiting for a disk. One for each node.
#[derive(Debug, Default)]
pub struct Eyes {
    session: Option<Session>,
    disk: Option<JoinHandle<Resting>>,
    measuring: Option<JoinHandle<Option<u64>>>,
    measured_at: Option<Instant>,
    used_bytes: Option<u64>,
}

/// What is seen of a node without its server's help.
#[derive(Debug)]
struct Resting {
    process: ha::Process,
    data: ha::Data,
    names: ha::Names,
    disk: ha::Disk,
    evidence: Option<bool>,
}

/// Looks at a node, for at most about twice the `deadline`; look at several side by side. What the commits of this instance
/// wait for decides what a standby holds.
///
/// `busy`: a tool of this daemon's works on the node. The caller knows, and fills in, [`ha::Node::probe`],
/// [`ha::Node::waits_for`], [`ha::Node::task`] and [`ha::Node::examined`].
pub async fn look(place: &Place, eyes: &mut Eyes, commit: CommitLevel, busy: bool, deadline: Duration) -> ha::Node {
    let seen_at = Timestamp::now();
    let Some(Resting { process, data, names, disk, evidence }) = eyes.rest(place, busy, deadline).await else {
        return ha::Node { task: if busy { Task::Busy } else { Task::Idle }, ..ha::Node::unknown(seen_at) };
    };
    let ready = matches!(process, ha::Process::Running { ready: true, .. });
    let said = if ready { eyes.ask(place, commit, deadline).await } else { eyes.forget() };
    let (server, pending) = said.unzip();
    ha::Node {
        seen_at,
        process,
        data,
        server,
        probe: Probe::Unknown,
        names,
        waits_for: None,
        pending: pending.unwrap_or(Pending::Unknown),
        disk,
        task: if busy { Task::Busy } else { Task::Idle },
        evidence,
        examined: None,
    }
}

impl Eyes {
    /// What the data directory occupied when it was last measured.
    pub fn used_bytes(&self) -> Option<u64> {
        self.used_bytes
    }

    /// Ends the session, where the next look is far away.
    pub fn close(&mut self) {
        self.session = None;
    }

    /// What files and processes tell. `None` when a disk does not answer; whoever waits for it is not joined by another.
    async fn rest(&mut self, place: &Place, busy: bool, deadline: Duration) -> Option<Resting> {
        if self.disk.as_ref().is_some_and(|waiting| !waiting.is_finished()) {
            return None;
        }
        self.measure(place).await;
        let mib = self.used_bytes.map(|bytes| u32::try_from(bytes >> 20).unwrap_or(u32::MAX));
        let layout = place.layout.clone();
        let disk = self.disk.insert(tokio::task::spawn_blocking(move || Resting {
            process: fence::process(&layout, busy),
            data: directory::data(&layout, mib),
            names: role::names(&layout),
            disk: directory::disk(&layout),
            evidence: making::has_evidence(&layout),
        }));
        let resting = tokio::time::timeout(deadline, disk).await.ok()?;
        self.disk = None;
        resting.ok()
    }

    /// Asks the server, in the session before where that is still good: a new one takes longer than the question.
    async fn ask(
        &mut self,
        place: &Place,
        commit: CommitLevel,
        deadline: Duration,
    ) -> Option<(ha::Server, ha::Pending)> {
        // Taken out: one that does not answer in time, or whose answer is never awaited, is not asked again.
        let kept = self.session.take();
        let ask = async {
            if let Some(session) = kept
                && let Some(said) = ask::ask(place, &session, commit).await
            {
                return Some((session, said));
            }
            let session = Session::connect(&place.layout.socket, place.port, "postgres", deadline).await.ok()?;
            let said = ask::ask(place, &session, commit).await?;
            Some((session, said))
        };
        let (session, said) = tokio::time::timeout(deadline, ask).await.ok()??;
        self.session = Some(session);
        Some(said)
    }

    /// A server that is not ready has no use for a session from before.
    fn forget<T>(&mut self) -> Option<T> {
        self.session = None;
        None
    }

    /// Keeps the size about right without waiting for it.
    async fn measure(&mut self, place: &Place) {
        if let Some(measuring) = self.measuring.take_if(|measuring| measuring.is_finished()) {
            self.used_bytes = measuring.await.ok().flatten();
        }
        let due = self.measured_at.is_none_or(|at| at.elapsed() > MEASURE_EVERY);
        if due && self.measuring.is_none() {
            let data = place.layout.data.clone();
            self.measured_at = Some(Instant::now());
            self.measuring = Some(tokio::task::spawn_blocking(move || storage::used_bytes(&data)));
        }
    }
}
