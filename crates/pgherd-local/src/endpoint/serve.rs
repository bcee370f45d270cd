//! The forwarder's own process: one thread, one loop.

use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::bind::{Accepted, Sockets};
use super::connection::{self, Tally};
use super::control::{self, Asked};
use super::protocol::{Ask, Set, State, VERSION, WayState};
use super::route::Way;

/// Accepted connections on their way to a task.
const QUEUE: usize = 64;

/// What a forwarder is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its control socket.
    pub control: PathBuf,
}

/// Runs a forwarder until SIGTERM. Blocking: call it from a thread that does nothing else, before there are others.
pub fn serve(options: &Options) -> std::io::Result<()> {
    leave_session();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(options))
}

/// What goes on in the process.
struct Forwarder {
    set: watch::Sender<Option<Set>>,
    sockets: Sockets,
    connections: JoinSet<()>,
    write: Arc<Tally>,
    read: Arc<Tally>,
}

enum Input {
    Asked(Asked),
    Accepted(Accepted),
    TryAgain,
    Ended,
    Stop,
}

async fn run(options: &Options) -> std::io::Result<()> {
    raise_files();
    let mut stop = signal(SignalKind::terminate())?;
    let (asked, mut questions) = mpsc::channel(1);
    let (accepted, mut arrivals) = mpsc::channel(QUEUE);
    let listener = control::listen(&options.control)?;
    let mut answering = JoinSet::new();
    answering.spawn(control::answer(listener, asked));
    let mut forwarder = Forwarder::new(accepted);
    let mut next_try: Option<Instant> = None;
    loop {
        // Counted from when it was last tried: questions must not put it off for ever.
        next_try = forwarder.sockets.try_again_in().map(|wait| next_try.unwrap_or_else(|| Instant::now() + wait));
        let input = tokio::select! {
            _ = stop.recv() => Input::Stop,
            Some(asked) = questions.recv() => Input::Asked(asked),
            Some(accepted) = arrivals.recv() => Input::Accepted(accepted),
            Some(_) = forwarder.connections.join_next() => Input::Ended,
            () = at(next_try) => Input::TryAgain,
        };
        match input {
            Input::Asked((ask, answer)) => {
                forwarder.hear(ask).await;
                // The agent may have gone meanwhile.
                drop(answer.send(forwarder.state()));
            }
            Input::Accepted(accepted) => forwarder.take(accepted),
            Input::TryAgain => {
                forwarder.sockets.try_again();
                next_try = None;
            }
            Input::Ended => {}
            Input::Stop => break,
        }
    }
    // Nobody must take the socket of one that is gone for one that does not answer.
    drop(std::fs::remove_file(&options.control));
    Ok(())
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

impl Forwarder {
    fn new(accepted: mpsc::Sender<Accepted>) -> Self {
        Self {
            set: watch::Sender::new(None),
            sockets: Sockets::new(accepted),
            connections: JoinSet::new(),
            write: Arc::default(),
            read: Arc::default(),
        }
    }

    async fn hear(&mut self, ask: Ask) {
        match ask {
            Ask::State => {}
            Ask::Set(set) => {
                // Where connections lead first: those that must end do not wait for sockets.
                self.set.send_replace(Some(set.clone()));
                self.sockets.arrange(&set).await;
            }
        }
    }

    fn take(&mut self, accepted: Accepted) {
        let Accepted { way, stream, client } = accepted;
        let tally = self.tally(way).clone();
        self.connections.spawn(connection::serve(way, stream, client, self.set.subscribe(), tally));
    }

    fn tally(&self, way: Way) -> &Arc<Tally> {
        match way {
            Way::Write => &self.write,
            Way::Read => &self.read,
        }
    }

    fn state(&self) -> State {
        let set = self.set.borrow().clone();
        State { version: VERSION, set, write: self.way(Way::Write), read: self.way(Way::Read) }
    }

    fn way(&self, way: Way) -> WayState {
        let counts = self.tally(way).counts().clone();
        WayState {
            bound: self.sockets.bound(way),
            unbound: self.sockets.unbound(way),
            connected: counts.connected.values().sum(),
            waiting: counts.waiting,
            refused: counts.refused,
            given_up: counts.given_up,
        }
    }
}

/// The agent's Ctrl-C is not ours. Fails when we lead a session already, which is as good.
fn leave_session() {
    let _ = rustix::process::setsid();
}

/// A connection takes two descriptors, and 1024 is what many systems begin with.
fn raise_files() {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let all = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, all) {
        tracing::warn!("stays with {:?} files: {error}", limit.current);
    }
}
