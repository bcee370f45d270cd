//! PostgreSQL's programs at work on a node: started so that they can be found and ended, by a later daemon too.
//!
//! A tool works in the node's folder and leads a process group of its own, in which everything it starts is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::Place;
use crate::paths::Layout;
use crate::postgres::process::in_own_session;
use crate::postgres::processes::{self, Process};
use crate::postgres::{Result, io_error};

/// Programs of ours; `setsid` is one that has not become its program yet.
const NAMES: [&str; 4] = ["pg_basebackup", "pg_rewind", "pg_waldump", "setsid"];

/// A tool that works on a node. When this is dropped, it and what it started are killed.
pub(super) struct Tool {
    name: &'static str,
    child: Child,
    /// Its number, which is its process group's, too.
    group: Option<Pid>,
}

impl Tool {
    /// Starts one; `arrange` adds its arguments. Its output is piped and must be read to the end.
    pub(super) fn start(
        place: &Place,
        name: &'static str,
        arrange: impl FnOnce(&mut std::process::Command),
    ) -> Result<Self> {
        let mut command = in_own_session(&place.server.program(name));
        place.run_as.prepare(&mut command, &place.server);
        command.current_dir(place.layout.folder());
        arrange(&mut command);
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().map_err(|error| io_error("run", &place.server.program(name), &error))?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { name, child, group })
    }

    /// Its standard output, once.
    pub(super) fn output(&mut self) -> impl tokio::io::AsyncBufRead + Unpin + use<> {
        tokio::io::BufReader::new(self.child.stdout.take().expect("piped, and taken once"))
    }

    /// Waits for its end; an error with its own words when it fails. Reads its standard output where nobody else did.
    pub(super) async fn end(self) -> Result<()> {
        let name = self.name;
        let (success, said) = self.end_saying().await?;
        match success {
            true => Ok(()),
            false => Err(ProviderError::new(ErrorKind::Unavailable, format!("{name} failed: {said}"))),
        }
    }

    /// Waits for its end; whether it succeeded, and what it complained of, on one line.
    pub(super) async fn end_saying(mut self) -> Result<(bool, String)> {
        use tokio::io::AsyncReadExt as _;
        let (mut said, mut unread) = (Vec::new(), Vec::new());
        let stderr = self.child.stderr.take();
        let stdout = self.child.stdout.take();
        let read = async {
            let stderr = async {
                match stderr {
                    Some(mut stderr) => stderr.read_to_end(&mut said).await.map(drop),
                    None => Ok(()),
                }
            };
            let stdout = async {
                match stdout {
                    Some(mut stdout) => stdout.read_to_end(&mut unread).await.map(drop),
                    None => Ok(()),
                }
            };
            tokio::try_join!(stderr, stdout)
        };
        let refuse = |name: &str, error: &std::io::Error| io_error("wait for", Path::new(name), error);
        read.await.map_err(|error| refuse(self.name, &error))?;
        let status = self.child.wait().await.map_err(|error| refuse(self.name, &error))?;
        // Reaped: from now on the number may be another's.
        self.group = None;
        Ok((status.success(), String::from_utf8_lossy(&said).trim().replace('\n', "; ")))
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            // What has ended meanwhile is no error. tokio reaps the tool; what it started is reaped by `kill`.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

/// The tools at work on a node, whoever started them, and what they started. Blocking, but quick.
pub fn of(layout: &Layout) -> BTreeSet<i32> {
    of_these(&processes::all(), layout)
}

/// The same among processes read a moment ago.
pub(super) fn of_these(processes: &[Process], layout: &Layout) -> BTreeSet<i32> {
    let folder = layout.folder().canonicalize().unwrap_or_else(|_| layout.folder().to_owned());
    let all: Vec<&Process> = processes.iter().filter(|process| !process.zombie).collect();
    let data = folder.join(layout.data.file_name().unwrap_or_default());
    let is_tool = |process: &&Process| NAMES.contains(&process.name.as_str()) || is_single_user(process);
    // In the data directory that would be a server that is being started.
    let is_server = |process: &&Process| process.name == "setsid";
    let works = |process: &&Process| {
        processes::works_in(process.pid, &folder) || (!is_server(process) && processes::works_in(process.pid, &data))
    };
    let at_work = all.iter().filter(|process| is_tool(process) && works(process));
    // One that has no group of its own yet is in ours, which has the number 0 where its leader is outside of our pid namespace
    // (a container's): that would be everybody.
    let own = processes::read(rustix::process::getpid().as_raw_nonzero().get()).map_or(0, |process| process.group);
    let groups = at_work.map(|process| process.group).filter(|group| *group != own && *group > 0);
    let groups: BTreeSet<i32> = groups.collect();
    // A group that something else leads is somebody's own: a script that was started in that folder.
    let led_by_another = |group: i32| all.iter().any(|process| process.pid == group && !is_tool(process));
    let ours = |process: &&&Process| groups.contains(&process.group) && !led_by_another(process.group);
    all.iter().filter(ours).map(|process| process.pid).collect()
}

/// A server without a postmaster, which recovers a directory before it is rewound.
pub(super) fn is_single_user(process: &Process) -> bool {
    let command = || std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
    process.name == "postgres" && command().split(|byte| *byte == 0).any(|argument| argument == b"--single")
}

/// Ends every tool at work on a node and what it started, waits until none is left, and says how many there were. Repeatable.
pub async fn kill(layout: &Layout) -> Result<usize> {
    processes::kill_all(layout.folder(), || of(layout)).await
}
