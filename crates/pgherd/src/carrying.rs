//! Carries out work while watching it: shows events, minds the deadline and Ctrl-C, and says how it ended.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use pgherd_core::cloud::Cloud;
use pgherd_core::event::{Event, What};
use pgherd_core::resource::Id;
use pgherd_core::spec::Spec;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::args::Change;
use crate::error::{CommandError, Kind};
use crate::printer::Printer;
use crate::progress::Progress;
use crate::targets;

/// Who goes on with what was begun when nobody watches any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The agent of this machine, with all of it.
    Agent,
    /// A cloud, with the call that it answered last; the rest is for the same command to do again.
    Cloud,
}

impl Carrier {
    /// Who does the work for these blocks.
    pub fn of<'s>(specs: impl IntoIterator<Item = &'s Spec>) -> Self {
        let is_here = |spec: &Spec| spec.target == Cloud::Local;
        if specs.into_iter().all(is_here) { Self::Agent } else { Self::Cloud }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Agent => "Ctrl-C stops watching; the agent goes on with what it was asked",
            Self::Cloud => {
                "Ctrl-C stops here; the cloud goes on with what it began, and the same command does the rest"
            }
        }
    }

    /// What is said when nobody waits (`--no-wait`).
    pub fn accepted(self) -> &'static str {
        match self {
            Self::Agent => "accepted; it goes on without us",
            Self::Cloud => "accepted; the cloud goes on with what it began, and the same command does the rest",
        }
    }

    fn left(self, why: &str) -> CommandError {
        let (message, hint) = match self {
            Self::Agent => (
                "what was begun goes on",
                "pgherd status shows how far it is; running the same command again watches on",
            ),
            Self::Cloud => (
                "the cloud goes on with what it began",
                "what was done stays done; the same command again does the rest",
            ),
        };
        CommandError::new(Kind::TimedOut, format!("{why}; {message}")).hint(hint)
    }
}

/// How watching ended.
#[derive(Debug)]
pub enum Ending<T> {
    /// The work is done, well or badly.
    Done(T),
    /// Every step was accepted and goes on without us.
    Accepted,
}

/// Does the work, whose events go to the sender it is given, and watches it as the flags say. `steps` is how many steps
/// there are to be accepted.
pub fn watch<T, F>(
    printer: &Printer,
    change: &Change,
    steps: usize,
    carrier: Carrier,
    work: impl FnOnce(UnboundedSender<Event>) -> F,
) -> Result<Ending<T>, CommandError>
where
    F: Future<Output = T>,
{
    if printer.can_draw() {
        printer.say(carrier.words());
    }
    targets::wait_for(async {
        let (sender, events) = unbounded_channel();
        let no_wait = change.no_wait && !change.wait;
        watching(printer, work(sender), events, change.timeout, no_wait.then_some(steps), carrier).await
    })?
}

async fn watching<T>(
    printer: &Printer,
    work: impl Future<Output = T>,
    mut events: UnboundedReceiver<Event>,
    timeout: Option<Duration>,
    leave_after: Option<usize>,
    carrier: Carrier,
) -> Result<Ending<T>, CommandError> {
    let mut progress = Progress::new(printer);
    let mut accepted: BTreeSet<(String, Option<Id>)> = BTreeSet::new();
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(work, deadline);
    loop {
        tokio::select! {
            // What was said before the end is shown before the end.
            biased;
            Some(event) = events.recv() => {
                progress.show(&event);
                if is_accepted(&event.what) {
                    accepted.insert((event.block, event.id));
                }
                if leave_after.is_some_and(|steps| accepted.len() >= steps) {
                    return Ok(Ending::Accepted);
                }
            }
            done = &mut work => {
                while let Ok(event) = events.try_recv() {
                    progress.show(&event);
                }
                return Ok(Ending::Done(done));
            }
            () = &mut deadline => return Err(carrier.left("stopped waiting at the timeout")),
            interrupted = targets::ctrl_c() => {
                interrupted?;
                return Err(carrier.left("stopped watching"));
            }
        }
    }
}

/// Whether the target has taken it on: it reports a phase, or is through.
fn is_accepted(what: &What) -> bool {
    match what {
        What::Phase { .. }
        | What::Progress { .. }
        | What::Finished { .. }
        | What::Failed { .. }
        | What::Skipped { .. } => true,
        What::Started { .. } | What::Said { .. } => false,
    }
}
