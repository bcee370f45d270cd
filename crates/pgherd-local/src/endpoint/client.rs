//! The agent's side of a forwarder: found again or started, told, watched, stopped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::protocol::{Ask, Question, Set, State, VERSION};
use crate::detached::{self, Detached};
use crate::postgres::notice::Notice;
use crate::postgres::processes::Watch;
use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};

/// How long a forwarder may take to answer, which it does at once unless the machine is in trouble.
const ANSWER_DEADLINE: Duration = Duration::from_secs(3);
/// How long a new forwarder may take until it can be asked.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long one that was told to end may take.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// What a forwarder is started with, and found again by.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// The program that has the command `endpoint`: `/proc/self/exe` for the agent's own.
    pub program: &'a Path,
    /// As whom it runs.
    pub run_as: &'a RunAs,
    /// Its control socket, in a folder that `run_as` owns and nobody else may enter.
    pub control: PathBuf,
    /// Its log.
    pub log: PathBuf,
}

/// A running forwarder.
#[derive(Debug)]
pub struct Forwarder {
    watch: Watch,
    control: PathBuf,
}

impl Forwarder {
    /// The forwarder of this control socket, whoever started it, else a new one. Needs a tokio runtime.
    ///
    /// One that runs and does not answer, or is of another version, is ended first.
    pub async fn adopt_or_start(start: &Start<'_>) -> Result<Self> {
        if let Some(found) = Self::adopt(start).await? {
            return Ok(found);
        }
        Self::start(start).await
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.watch.pid()
    }

    /// Has it do this from now on, and says how it stands then. What it could bind at once is bound.
    pub async fn set(&self, set: &Set) -> Result<State> {
        ask(&self.control, Ask::Set(set.clone())).await
    }

    /// How it stands.
    pub async fn state(&self) -> Result<State> {
        ask(&self.control, Ask::State).await
    }

    /// Returns when it has ended, for whatever reason; start another one then.
    pub async fn ended(&self) {
        self.watch.ended().await;
    }

    /// Ends it and returns when it is gone. Its connections are cut off.
    pub async fn stop(&self) -> Result<()> {
        detached::end(&self.watch, Signal::TERM, STOP_DEADLINE).await
    }

    async fn adopt(start: &Start<'_>) -> Result<Option<Self>> {
        let mut found = None;
        for pid in detached::find(&marks(start), start.run_as) {
            let Some(watch) = Watch::open(pid)? else { continue };
            let forwarder = Self { watch, control: start.control.clone() };
            let answers = forwarder.state().await.is_ok_and(|state| state.version == VERSION);
            if answers && found.is_none() {
                found = Some(forwarder);
            } else {
                tracing::warn!("the forwarder {pid} does not answer or is of another version: it is replaced");
                forwarder.stop().await?;
            }
        }
        Ok(found)
    }

    async fn start(start: &Start<'_>) -> Result<Self> {
        let folder = start.control.parent().unwrap_or(Path::new("/"));
        match std::fs::remove_file(&start.control) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("remove", &start.control, &error));
            }
            _ => {}
        }
        let mut notice = Notice::of(folder);
        let mut command = Command::new(start.program);
        command.args(marks(start));
        let watch = Detached { command, run_as: start.run_as, log: &start.log }.start()?;
        let forwarder = Self { watch, control: start.control.clone() };
        let answers = async {
            while forwarder.state().await.is_err() {
                detached::appears(&mut notice).await;
            }
        };
        tokio::select! {
            () = forwarder.ended() => {
                let message = "the forwarder ended while it started";
                Err(ProviderError::new(ErrorKind::Unavailable, message).help(format!("see {}", start.log.display())))
            }
            waited = tokio::time::timeout(START_DEADLINE, answers) => match waited {
                Ok(()) => Ok(forwarder),
                Err(_) => Err(ProviderError::new(ErrorKind::TimedOut, "the forwarder does not answer")),
            },
        }
    }
}

/// The arguments it is started with, which are its own among all processes of the machine.
fn marks(start: &Start<'_>) -> [OsString; 3] {
    ["endpoint".into(), "--control".into(), start.control.clone().into_os_string()]
}

async fn ask(control: &Path, ask: Ask) -> Result<State> {
    let answer = tokio::time::timeout(ANSWER_DEADLINE, exchange(control, &Question { version: VERSION, ask })).await;
    let refuse = |why: String| ProviderError::new(ErrorKind::Unavailable, format!("the forwarder {why}"));
    answer
        .map_err(|_| refuse(format!("does not answer within {} s", ANSWER_DEADLINE.as_secs())))?
        .map_err(|error| refuse(format!("cannot be asked: {error}")))
}

async fn exchange(control: &Path, question: &Question) -> std::io::Result<State> {
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    let mut stream = UnixStream::connect(control).await?;
    stream.write_all(&line).await?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await?;
    Ok(serde_json::from_str(&answer)?)
}
