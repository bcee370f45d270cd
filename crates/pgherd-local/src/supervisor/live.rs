//! The servers of an instance as they run: what is at hand of them, and what happens to them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;
use pgherd_core::ha::{self, NodeId};
use pgherd_engine::provider::ProviderError;
use rustix::process::Signal;
use tokio::task::JoinHandle;

use crate::postgres::pidfile::Status;
use crate::postgres::process::Postmaster;
use crate::postgres::processes;
use crate::postgres::replication::look::Eyes;
use crate::postgres::replication::probe::Prober;

/// A server that starts is waited for without end: a recovery takes as long as it takes.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long a stop may take before clients and checkpoint are no longer waited for.
pub const STOP_DEADLINE: Duration = Duration::from_secs(60);
/// How long processes may be left after their postmaster.
const LAST_PROCESSES: Duration = Duration::from_secs(2);

/// What is at hand of one server.
#[derive(Default)]
pub struct Live {
    /// Its postmaster, while one runs.
    pub postmaster: Option<Postmaster>,
    /// Tells this start of it from every other one, once it was looked at.
    pub start: Option<u64>,
    /// Whether that was seen to take connections.
    pub is_ready: bool,
    /// When we started it.
    pub started_at: Option<Timestamp>,
    /// Whether its last start failed, since the configuration was last written.
    pub start_failed: bool,
    /// Whether its directory is whole although it may not be on disk yet: this agent made it, or a server runs in it.
    pub is_whole: bool,
    /// What is kept from one look at it to the next.
    pub eyes: Eyes,
    /// Whether it answers writes, where that is watched.
    pub prober: Option<Prober>,
    /// Its stop, while that goes on.
    pub stopping: Option<Stopping>,
    /// What is being done to it beside the loop.
    pub task: Option<Task>,
    /// How the last copy or rewind failed.
    pub failed: Option<ha::Task>,
    /// The standby that one of its commits was seen to wait for, since its names were last set.
    pub waits_for: Option<NodeId>,
    /// What was found in its directory, when that was last examined.
    pub examined: Option<ha::Examined>,
}

/// Something that is done to a server beside the loop.
pub struct Task {
    /// Number of the copy or rewind; `None`: it is neither.
    pub serial: Option<u64>,
    /// Ends it when aborted, but not the tools it started.
    pub handle: JoinHandle<Result<Option<ha::Examined>, ProviderError>>,
}

impl Live {
    /// Takes hold of a running server.
    pub fn take(&mut self, postmaster: Postmaster) {
        self.is_ready = postmaster.status() == Some(Status::Ready);
        self.is_whole = true;
        (self.start, self.waits_for) = (None, None);
        // Of its directory as it was before it ran.
        self.examined = None;
        self.postmaster = Some(postmaster);
    }

    /// Lets go of one that has ended.
    pub fn drop_server(&mut self) {
        self.postmaster = None;
        (self.start, self.waits_for) = (None, None);
        self.is_ready = false;
        self.prober = None;
        self.stopping = None;
    }

    /// Whether it runs.
    pub fn runs(&self) -> bool {
        self.postmaster.as_ref().is_some_and(Postmaster::runs)
    }

    /// Whether it runs and takes no connections yet.
    pub fn recovers(&self) -> bool {
        !self.is_ready && self.runs()
    }

    /// What is being done to it, as the brain wants to know it.
    pub fn task(&self) -> ha::Task {
        match (&self.task, &self.failed) {
            (Some(_), _) => ha::Task::Busy,
            (None, Some(failed)) => failed.clone(),
            (None, None) => ha::Task::Idle,
        }
    }

    /// Ends what is being done to it; its tools are ended with its processes.
    pub fn abort_task(&mut self) {
        if let Some(task) = self.task.take() {
            task.handle.abort();
        }
    }
}

/// A server that was told to stop: waited for beside the loop, and ended for certain when it takes too long.
#[derive(Debug)]
pub struct Stopping {
    handle: JoinHandle<Result<Stopped, ProviderError>>,
}

/// How a server stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// In good order.
    Well,
    /// It took too long and was ended.
    Late,
}

impl Stopping {
    /// Has a server stop fast: clients are cut off, connected standbys get everything.
    pub fn begin(postmaster: Postmaster, data: PathBuf) -> Result<Self, ProviderError> {
        postmaster.signal(Signal::INT)?;
        let handle = tokio::spawn(async move {
            let all = async {
                postmaster.ended().await;
                // The log collector outlives the postmaster for a moment; a backend that does has to be ended.
                tokio::time::timeout(LAST_PROCESSES, processes::ended(&data)).await
            };
            match tokio::time::timeout(STOP_DEADLINE, all).await {
                Ok(Ok(ended)) => ended.map(|()| Stopped::Well),
                Ok(Err(_)) | Err(_) => processes::kill(&data).await.map(|_| Stopped::Late),
            }
        });
        Ok(Self { handle })
    }

    /// Whether it has stopped.
    pub fn is_over(&self) -> bool {
        self.handle.is_finished()
    }

    /// Returns when it has stopped.
    pub async fn over(mut self) -> Result<Stopped, ProviderError> {
        self.wait().await
    }

    /// The same, of one that is waited for again when this is dropped.
    pub async fn wait(&mut self) -> Result<Stopped, ProviderError> {
        // A fault of ours: the keeper begins anew.
        (&mut self.handle).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Something that happened to a server.
pub enum Happening {
    /// It takes connections.
    Ready,
    /// It ended.
    Ended,
    /// It stopped, as it was told.
    Stopped(Result<Stopped, ProviderError>),
    /// It ended before it took connections, and said why.
    FailedToStart(ProviderError),
    /// What was done to it beside the loop is done.
    TaskEnded(Result<Option<ha::Examined>, ProviderError>),
    /// It does not answer writes any more.
    Hangs,
}

/// Returns when something happens to one of the servers.
pub async fn happening(servers: &mut BTreeMap<NodeId, Live>, hang_deadline: Duration) -> (NodeId, Happening) {
    let mut all = FuturesUnordered::new();
    for (node, live) in servers {
        let Live { postmaster, is_ready, stopping, prober, task, .. } = live;
        if postmaster.is_some() || stopping.is_some() {
            let server = of_server(*node, *is_ready, postmaster.as_ref(), stopping.as_mut());
            all.push(futures_util::future::Either::Left(server));
        }
        if task.is_some() || prober.is_some() {
            let beside = beside(*node, task.as_mut(), prober.as_mut(), hang_deadline);
            all.push(futures_util::future::Either::Right(beside));
        }
    }
    match all.next().await {
        Some(happened) => happened,
        None => std::future::pending().await,
    }
}

async fn of_server(
    node: NodeId,
    is_ready: bool,
    postmaster: Option<&Postmaster>,
    stopping: Option<&mut Stopping>,
) -> (NodeId, Happening) {
    if let Some(stopping) = stopping {
        return (node, Happening::Stopped(stopping.wait().await));
    }
    let Some(postmaster) = postmaster else { return std::future::pending().await };
    if is_ready {
        postmaster.ended().await;
        return (node, Happening::Ended);
    }
    match postmaster.ready(FOREVER).await {
        Ok(()) => (node, Happening::Ready),
        Err(error) => (node, Happening::FailedToStart(error)),
    }
}

async fn beside(
    node: NodeId,
    task: Option<&mut Task>,
    prober: Option<&mut Prober>,
    hang_deadline: Duration,
) -> (NodeId, Happening) {
    let done = async {
        match task {
            Some(task) => (&mut task.handle).await,
            None => std::future::pending().await,
        }
    };
    let hangs = async {
        match prober {
            Some(prober) => prober.overdue(hang_deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        done = done => match done {
            Ok(result) => (node, Happening::TaskEnded(result)),
            // A fault of ours: the keeper begins anew.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        () = hangs => (node, Happening::Hangs),
    }
}
