//! A running server: start, ready, adopt, reload, stop.
//!
//! A server does not depend on the process that started it: it has a session of its own, logs to a file and never to a pipe,
//! and is found again by `postmaster.pid`.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::Signal;

use super::complaint::LogMark;
use super::notice::Notice;
use super::pidfile::{PidFile, Status};
use super::processes::{self, Watch};
use super::runas::RunAs;
use super::server::Server;
use super::{Result, io_error};

/// How long a dead server's log collector may take to write what it has.
const LAST_WORDS_DEADLINE: Duration = Duration::from_secs(5);

/// What to start.
#[derive(Debug, Clone)]
pub struct Start<'a> {
    /// The server's programs.
    pub server: &'a Server,
    /// As whom.
    pub run_as: &'a RunAs,
    /// Its data directory.
    pub data: &'a Path,
    /// `postgresql.conf`; `None`: the one in the data directory.
    pub config_file: Option<&'a Path>,
    /// Folder of its logs; `start.log` in it takes what is said before the log collector runs.
    pub log: &'a Path,
    /// Settings on the command line, which beat every file.
    pub overrides: Vec<(String, String)>,
}

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Disconnect everyone, roll back, write a checkpoint. The usual way.
    Fast,
    /// Without a checkpoint: the next start recovers.
    Immediate,
}

/// A running server.
#[derive(Debug)]
pub struct Postmaster {
    watch: Watch,
    data: PathBuf,
    started: Option<LogMark>,
}

/// Starts a server and returns at once; [`Postmaster::ready`] waits for it. Needs a tokio runtime.
///
/// Refused while any process works in the data directory: see [`processes::kill`].
pub fn start(what: &Start<'_>) -> Result<Postmaster> {
    let busy = processes::of(what.data);
    if let Some(pid) = busy.first() {
        let message = format!("process {pid} already works in {}", what.data.display());
        return Err(ProviderError::new(ErrorKind::Conflict, message));
    }
    // A dead postmaster that nobody reaped counts as running to PostgreSQL.
    processes::reap();
    let log_path = what.log.join("start.log");
    let log = open_log(&log_path, what.run_as)?;
    let mark = LogMark::now(what.log);
    let mut command = in_own_session(&what.server.program("postgres"));
    command.arg("-D").arg(what.data);
    if let Some(config) = what.config_file {
        command.arg("-c").arg(format!("config_file={}", config.display()));
    }
    for (name, value) in &what.overrides {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    what.run_as.prepare(&mut command, what.server);
    // PostgreSQL goes there too, a while after it was started; until then nobody would see whose it is.
    command.current_dir(what.data);
    let copy = log.try_clone().map_err(|error| io_error("open", &log_path, &error))?;
    let child = command.stdout(Stdio::from(copy)).stderr(Stdio::from(log)).spawn();
    let child = child.map_err(|error| match what.data.read_dir() {
        Err(error) => io_error("start a server in", what.data, &error),
        Ok(_) => io_error("start", &what.server.program("postgres"), &error),
    })?;
    let pid = i32::try_from(child.id()).expect("process numbers fit");
    // The child is ours until it is reaped, so that its number cannot be another's yet.
    let watch = Watch::open(pid)?.ok_or_else(|| ProviderError::new(ErrorKind::Unavailable, "the server is gone"))?;
    Ok(Postmaster { watch, data: what.data.to_owned(), started: Some(mark) })
}

/// The server that runs in `data`, whoever started it; `None` when none does. Needs a tokio runtime.
///
/// The process named by `postmaster.pid` must be alive, work in the data directory and not be one of the backends, whose
/// titles begin with `postgres: `. Its start time is not compared: a clock that was set meanwhile would disown it.
pub fn adopt(data: &Path) -> Result<Option<Postmaster>> {
    let real = match data.canonicalize() {
        Ok(real) => real,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("look at", data, &error)),
    };
    let Some(file) = read_pid_file(&real) else { return Ok(None) };
    let Some(watch) = Watch::open(file.pid)? else { return Ok(None) };
    let ours = processes::works_in(file.pid, &real) && !is_backend(file.pid) && watch.runs();
    Ok(ours.then(|| Postmaster { watch, data: data.to_owned(), started: None }))
}

impl Postmaster {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.watch.pid()
    }

    /// Whether it still runs.
    pub fn runs(&self) -> bool {
        self.watch.runs()
    }

    /// How far it is, by its own word.
    pub fn status(&self) -> Option<Status> {
        read_pid_file(&self.data).filter(|file| file.pid == self.pid()).and_then(|file| file.status)
    }

    /// Returns when it has named itself in its data directory, where others look for it; an error when it ends instead, or at
    /// the deadline.
    pub async fn begun(&self, deadline: Duration) -> Result<()> {
        let mut notice = Notice::of(&self.data);
        let named = async {
            while read_pid_file(&self.data).is_none_or(|file| file.pid != self.pid()) {
                notice.next().await;
            }
        };
        tokio::select! {
            () = self.watch.ended() => {
                drop(tokio::time::timeout(LAST_WORDS_DEADLINE, processes::ended(&self.data)).await);
                Err(self.did_not_start())
            }
            waited = tokio::time::timeout(deadline, named) => waited.map_err(|_| {
                let message = format!("PostgreSQL has not begun to start after {} s", deadline.as_secs());
                ProviderError::new(ErrorKind::TimedOut, message)
            }),
        }
    }

    /// Returns when it takes connections; an error when it ends instead, or at the deadline (then it still runs: recovery
    /// after a crash may take long, and waiting again is fine).
    pub async fn ready(&self, deadline: Duration) -> Result<()> {
        let mut notice = Notice::of(&self.data);
        let become_ready = async {
            while self.status() != Some(Status::Ready) {
                notice.next().await;
            }
        };
        tokio::select! {
            () = self.watch.ended() => {
                // Its last words are on disk when its log collector has ended, too.
                drop(tokio::time::timeout(LAST_WORDS_DEADLINE, processes::ended(&self.data)).await);
                Err(self.did_not_start())
            }
            waited = tokio::time::timeout(deadline, become_ready) => waited.map_err(|_| {
                let message = format!("PostgreSQL is not ready after {} s; it still recovers", deadline.as_secs());
                ProviderError::new(ErrorKind::TimedOut, message)
            }),
        }
    }

    /// Returns when it has ended, for whatever reason.
    pub async fn ended(&self) {
        self.watch.ended().await;
    }

    /// Has it read its files again.
    pub fn reload(&self) -> Result<()> {
        self.watch.signal(Signal::HUP)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.watch.signal(signal)
    }

    /// Stops it and returns when all of its processes have ended (the log collector outlives the postmaster for a moment); an
    /// error at the deadline (then it still stops).
    pub async fn stop(&self, how: Stop, deadline: Duration) -> Result<()> {
        self.watch.signal(match how {
            Stop::Fast => Signal::INT,
            Stop::Immediate => Signal::QUIT,
        })?;
        let all_ended = async {
            self.ended().await;
            processes::ended(&self.data).await
        };
        tokio::time::timeout(deadline, all_ended).await.unwrap_or_else(|_| {
            let message = format!("PostgreSQL still stops after {} s", deadline.as_secs());
            Err(ProviderError::new(ErrorKind::TimedOut, message))
        })
    }

    fn did_not_start(&self) -> ProviderError {
        let said = self.started.as_ref().map(LogMark::complaint).unwrap_or_default();
        let message = match said.is_empty() {
            true => "PostgreSQL ended while it started, and said nothing".to_owned(),
            false => format!("PostgreSQL did not start: {said}"),
        };
        let error = ProviderError::new(ErrorKind::Invalid, message);
        match &self.started {
            Some(mark) => error.help(format!("its logs are in {}", mark.folder().display())),
            None => error,
        }
    }
}

fn read_pid_file(data: &Path) -> Option<PidFile> {
    PidFile::parse(&std::fs::read_to_string(data.join("postmaster.pid")).ok()?)
}

pub(crate) fn is_backend(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|title| title.starts_with(b"postgres: "))
}

/// `setsid` becomes the program it is given, so the process number stays the same. Without it (no util-linux, no busybox) the
/// server at least has a process group of its own, out of reach of the terminal's Ctrl-C.
pub(crate) fn in_own_session(program: &Path) -> Command {
    let setsid = ["/usr/bin/setsid", "/bin/setsid"].into_iter().find(|path| Path::new(path).exists());
    match setsid {
        Some(setsid) => {
            let mut command = Command::new(setsid);
            command.arg(program);
            command
        }
        None => {
            let mut command = Command::new(program);
            command.process_group(0);
            command
        }
    }
}

fn open_log(path: &Path, run_as: &RunAs) -> Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.map_err(|error| io_error("open", path, &error))?;
    run_as.own(path)?;
    Ok(file)
}
