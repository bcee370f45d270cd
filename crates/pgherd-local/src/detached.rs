//! Processes that outlive the agent: started in a session of their own, found again by their command line.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::postgres::notice::Notice;
use crate::postgres::processes::Watch;
use crate::postgres::runas::RunAs;
use crate::postgres::{Result, io_error};

/// The kernel ends a killed process at once unless it is stuck in the disk.
const KILL_DEADLINE: Duration = Duration::from_secs(30);

/// Between two tries to reach a process that is starting.
const LISTENS_WITHIN: Duration = Duration::from_millis(10);

/// What to start.
pub(crate) struct Detached<'a> {
    /// The program and its arguments. It leaves the agent's session by itself.
    pub command: Command,
    /// As whom.
    pub run_as: &'a RunAs,
    /// Takes what it says.
    pub log: &'a Path,
}

impl Detached<'_> {
    /// Starts it and returns at once. Needs a tokio runtime.
    pub(crate) fn start(mut self) -> Result<Watch> {
        let open = || std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(self.log);
        let log = open().map_err(|error| io_error("open", self.log, &error))?;
        self.run_as.own(self.log)?;
        let copy = log.try_clone().map_err(|error| io_error("open", self.log, &error))?;
        let command = &mut self.command;
        command.env_clear().env("LC_ALL", "C.UTF-8").env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", "/");
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::from(copy)).stderr(Stdio::from(log));
        if self.run_as.drops {
            // std also clears the supplementary groups when root sets a user id.
            command.uid(self.run_as.uid).gid(self.run_as.gid);
        }
        let program = Path::new(command.get_program()).to_owned();
        let child = command.spawn().map_err(|error| io_error("start", &program, &error))?;
        let pid = i32::try_from(child.id()).expect("process numbers fit");
        // The child is ours until it is reaped, so that its number cannot be another's yet.
        let gone = || ProviderError::new(ErrorKind::Unavailable, format!("{} ended at once", program.display()));
        Watch::open(pid)?.ok_or_else(gone)
    }
}

/// Processes of `run_as` whose command line ends with these arguments.
///
/// A pid file would not do: it is missing between the start and the moment it is written.
pub(crate) fn find(arguments: &[OsString], run_as: &RunAs) -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| ends_with(*pid, arguments) && user_of(*pid) == Some(run_as.uid)).collect()
}

/// Lets a process have `wanted` files open as far as the system allows, and says how many it may have then.
pub(crate) fn allow_files(pid: i32, wanted: u64) -> Option<u64> {
    let pid = Pid::from_raw(pid)?;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let most = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(limit.current.unwrap_or(wanted));
    let new = Rlimit { current: Some(most), maximum: limit.maximum };
    match rustix::process::prlimit(Some(pid), Resource::Nofile, new) {
        Ok(_) => Some(most),
        Err(_) => limit.current,
    }
}

/// Returns when it is worth another try to reach a process that is starting, by a socket in the folder of this notice.
///
/// The socket is there a moment before anybody listens on it, and of that there is no notice.
pub(crate) async fn appears(notice: &mut Notice) {
    drop(tokio::time::timeout(LISTENS_WITHIN, notice.next()).await);
}

/// Has a process end and waits until it has; when it takes too long it is killed.
pub(crate) async fn end(watch: &Watch, signal: Signal, deadline: Duration) -> Result<()> {
    watch.signal(signal)?;
    if tokio::time::timeout(deadline, watch.ended()).await.is_ok() {
        return Ok(());
    }
    watch.signal(Signal::KILL)?;
    tokio::time::timeout(KILL_DEADLINE, watch.ended()).await.map_err(|_| {
        let message = format!("process {} does not end although it was killed", watch.pid());
        ProviderError::new(ErrorKind::TimedOut, message).help("look at dmesg")
    })
}

fn ends_with(pid: i32, arguments: &[OsString]) -> bool {
    // A zombie has an empty command line.
    let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { return false };
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let expected: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).chain([&b""[..]]).collect();
    words.len() > expected.len() && words.ends_with(&expected)
}

/// Effective user id: `Uid:` of `/proc/<pid>/status` has real, effective, saved and file system ids.
fn user_of(pid: i32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().nth(1)?.parse().ok()
}
