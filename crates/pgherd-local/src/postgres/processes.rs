//! All processes of an instance, and their certain end.
//!
//! Killing the postmaster is not enough: every backend is a session of its own, and a busy one goes on, commits and answers
//! its client for as long as its statement runs (measured: 31 s). Nothing may be promoted or removed before they are gone.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::process::{Gid, Pid, PidfdFlags, Signal, Uid, WaitId, WaitIdOptions};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};
use tokio::io::unix::AsyncFd;

use super::Result;
use super::notice::watched;

/// The kernel ends a killed process at once unless it is stuck in the disk.
const KILL_DEADLINE: Duration = Duration::from_secs(30);

/// Makes this process the parent of whatever its dead postmasters leave behind, so that it can reap them: where process 1
/// reaps slowly, a zombie postmaster keeps PostgreSQL from starting again.
pub fn become_reaper() -> Result<()> {
    let me = Some(rustix::process::getpid());
    rustix::process::set_child_subreaper(me)
        .map_err(|error| ProviderError::new(ErrorKind::Denied, format!("cannot become a reaper of processes: {error}")))
}

/// Reaps dead PostgreSQL processes that were left to this one. Call it now and then, at least after a server died.
///
/// Children that others of this process wait for (tokio's commands) are left alone: they are of our own session, or lead one.
/// A server's processes are not of our session, and what an ended tool left behind leads none.
pub fn reap() {
    if !any_child_is_dead() {
        return;
    }
    let me = rustix::process::getpid().as_raw_nonzero().get();
    // From /proc, not by getsid: a session led from outside of our pid namespace (a container's) has the number 0, which
    // rustix takes for a bug of the kernel's. Our own children have it, too.
    let Some(our_session) = read(me).map(|process| process.session) else { return };
    for process in all() {
        let left_behind = process.name == "postgres" || process.pid != process.session;
        if process.parent == me && process.zombie && left_behind && process.session != our_session {
            reap_one(process.pid);
        }
    }
}

/// Asked of the kernel at once: reading all of `/proc` takes milliseconds.
fn any_child_is_dead() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::All, look).is_ok_and(|dead| dead.is_some())
}

/// A server, and what has not become one yet.
const SERVERS: [&str; 2] = ["postgres", "setsid"];

/// The processes of the server in this data directory: those that work in it, and what they started (archive commands).
pub fn of(data: &Path) -> BTreeSet<i32> {
    of_these(&all(), data)
}

/// The same among processes read a moment ago.
pub(crate) fn of_these(processes: &[Process], data: &Path) -> BTreeSet<i32> {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let servers: BTreeSet<i32> = processes
        .iter()
        // A shell whose working directory happens to be there is none of ours.
        .filter(|process| SERVERS.contains(&process.name.as_str()) && !process.zombie && works_in(process.pid, &data))
        .map(|process| process.pid)
        .collect();
    let started = processes.iter().filter(|process| !process.zombie && servers.contains(&process.session));
    let mut found: BTreeSet<i32> = started.map(|process| process.pid).collect();
    found.extend(servers);
    found
}

/// Kills every process of the server in `data`, waits until none is left, and says how many there were. Repeatable. Of their
/// shared memory nothing stays.
pub async fn kill(data: &Path) -> Result<usize> {
    let killed = kill_all(data, || of(data)).await?;
    super::segment::remove(data);
    Ok(killed)
}

/// Kills all that `left` names, again and again until it names nobody, and says how many there were. `place`: where they work,
/// for words.
pub(crate) async fn kill_all(place: &Path, left: impl Fn() -> BTreeSet<i32>) -> Result<usize> {
    let mut killed: BTreeSet<i32> = BTreeSet::new();
    let end = tokio::time::Instant::now() + KILL_DEADLINE;
    loop {
        let left = left();
        if left.is_empty() {
            reap();
            return Ok(killed.len());
        }
        killed.extend(&left);
        let mut watches = Vec::new();
        for pid in left {
            watches.extend(Watch::open(pid)?);
        }
        // All are told before any is waited for: none shall work on while another ends.
        for watch in &watches {
            watch.signal(Signal::KILL)?;
        }
        for watch in &watches {
            tokio::time::timeout_at(end, watch.ended()).await.map_err(|_| stuck(watch.pid, place))?;
        }
    }
}

/// Returns when no process of the server in `data` is left. Ends none.
pub async fn ended(data: &Path) -> Result<()> {
    while let Some(pid) = of(data).first() {
        if let Some(watch) = Watch::open(*pid)? {
            watch.ended().await;
        }
    }
    Ok(())
}

fn stuck(pid: i32, data: &Path) -> ProviderError {
    let message = format!("process {pid} of {} does not end although it was killed", data.display());
    ProviderError::new(ErrorKind::TimedOut, message).help("it waits for a disk that does not answer: look at dmesg")
}

/// A process held by a descriptor, so that its number cannot come to mean another one.
#[derive(Debug)]
pub struct Watch {
    pid: i32,
    pidfd: AsyncFd<OwnedFd>,
}

impl Watch {
    /// Holds process `pid`; `None` when there is no such process. Needs a tokio runtime.
    pub fn open(pid: i32) -> Result<Option<Self>> {
        let Some(number) = Pid::from_raw(pid) else { return Ok(None) };
        let pidfd = match rustix::process::pidfd_open(number, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(None),
            Err(error) => {
                return Err(ProviderError::new(ErrorKind::Unavailable, format!("cannot watch process {pid}: {error}")));
            }
        };
        let pidfd = watched(pidfd).map_err(|error| {
            ProviderError::new(ErrorKind::Unavailable, format!("cannot watch process {pid}: {error}"))
        })?;
        Ok(Some(Self { pid, pidfd }))
    }

    /// Its number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends a signal; a process that has ended meanwhile is no error.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match rustix::process::pidfd_send_signal(self.pidfd.get_ref(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => {
                Err(ProviderError::new(ErrorKind::Denied, format!("cannot signal process {}: {error}", self.pid)))
            }
        }
    }

    /// Returns when it has ended, and reaps it where it is our child. Works for processes that are not our children, too.
    pub async fn ended(&self) {
        // The descriptor stays readable for ever once the process has ended, so nothing is cleared here.
        if self.pidfd.readable().await.is_ok() {
            reap_one(self.pid);
        }
    }

    /// Whether it runs: neither gone nor a zombie.
    pub fn runs(&self) -> bool {
        read(self.pid).is_some_and(|process| !process.zombie)
    }
}

/// One line of `/proc`.
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) zombie: bool,
    /// Since boot, in hundredths of a second (`USER_HZ` is 100 on every architecture a server is built for).
    pub(crate) started: u64,
}

/// Whether the process works in `folder`, also when that was removed under it.
pub(crate) fn works_in(pid: i32, folder: &Path) -> bool {
    let Ok(cwd) = working_directory(pid) else { return false };
    let text = cwd.to_string_lossy();
    Path::new(text.strip_suffix(" (deleted)").unwrap_or(&text)) == folder
}

/// Where a process works. Root without `CAP_SYS_PTRACE`, as in a container by default, may not ask this about processes of
/// another user, while that user may (ptrace(2), "access mode checking"): then it is asked as that user.
fn working_directory(pid: i32) -> std::io::Result<PathBuf> {
    let process = PathBuf::from(format!("/proc/{pid}"));
    match std::fs::read_link(process.join("cwd")) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied && rustix::process::geteuid().is_root() => {
            // The thread is that user's until it ends; nobody else's rights change.
            let asked = std::thread::spawn(move || {
                let owner = std::fs::metadata(&process)?;
                let (uid, gid) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
                set_thread_res_gid(gid, gid, gid)?;
                set_thread_res_uid(uid, uid, uid)?;
                std::fs::read_link(process.join("cwd"))
            });
            asked.join().unwrap_or(Err(error))
        }
        asked => asked,
    }
}

pub(crate) fn read(pid: i32) -> Option<Process> {
    // One read gets a line whole, and all of these are read often.
    let mut line = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(&String::from_utf8_lossy(&line[..length]))
}

pub(crate) fn all() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Reads `/proc/<pid>/stat`: `pid (name) state ppid pgrp session …`, where the name may hold spaces and brackets.
fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    Some(Process {
        pid: pid.parse().ok()?,
        name: name.to_owned(),
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        // Field 22 of the line (proc(5)).
        started: fields.get(19)?.parse().ok()?,
    })
}

fn reap_one(pid: i32) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    // Not our child, or reaped by another already: somebody else's business.
    let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let process = parse_stat("77 (a) b (c) Z 5 77 76 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0").expect("a process");
        assert_eq!((process.pid, process.name.as_str()), (77, "a) b (c"));
        assert_eq!((process.parent, process.group, process.session, process.zombie), (5, 77, 76, true));
        assert_eq!(process.started, 4711);
    }

    /// As root in a container by default.
    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
    fn a_process_of_another_user_is_seen_at_work_without_the_right_to_trace() {
        const INSIDE: &str = "PGHERD_TEST_WITHOUT_TRACING";
        let name = "postgres::processes::tests::a_process_of_another_user_is_seen_at_work_without_the_right_to_trace";
        if let Some(pid) = std::env::var(INSIDE).ok().and_then(|pid| pid.parse().ok()) {
            assert!(std::fs::read_link(format!("/proc/{pid}/cwd")).is_err(), "the right is gone");
            assert!(works_in(pid, Path::new("/usr")));
            return assert!(!works_in(pid, Path::new("/")));
        }
        let mut other = std::process::Command::new("sleep");
        std::os::unix::process::CommandExt::uid(&mut other, 65534);
        std::os::unix::process::CommandExt::gid(&mut other, 65534);
        let Ok(mut other) = other.arg("600").current_dir("/usr").spawn() else {
            return eprintln!("SKIPPED: only root starts processes of other users");
        };
        let without = ["--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"];
        let mut inside = std::process::Command::new("setpriv");
        inside.args(without).arg(std::env::current_exe().expect("this test")).args([name, "--exact"]);
        let output = inside.env(INSIDE, other.id().to_string()).output();
        other.kill().expect("ended");
        other.wait().expect("ended");
        let output = output.expect("setpriv runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    /// As in a container that somebody entered from outside: `docker exec`, most CI runners.
    #[test]
    #[expect(clippy::print_stderr, reason = "a skipped test must be visible")]
    fn reaping_works_where_the_session_is_led_from_outside_of_the_pid_namespace() {
        const INSIDE: &str = "PGHERD_TEST_INSIDE_PID_NAMESPACE";
        if std::env::var_os(INSIDE).is_some() {
            let me = read(rustix::process::getpid().as_raw_nonzero().get()).expect("/proc shows this namespace");
            assert_eq!(me.session, 0);
            return reap();
        }
        let unshare = |program: &std::ffi::OsStr, arguments: &[&str]| {
            let mut command = std::process::Command::new("unshare");
            command.args(["--map-root-user", "--pid", "--fork", "--mount-proc"]).arg(program).args(arguments);
            command.env(INSIDE, "yes").output()
        };
        if !unshare("true".as_ref(), &[]).is_ok_and(|output| output.status.success()) {
            return eprintln!("SKIPPED reaping in a pid namespace: unshare is absent or not allowed here");
        }
        let this = std::env::current_exe().expect("a test program");
        let name =
            "postgres::processes::tests::reaping_works_where_the_session_is_led_from_outside_of_the_pid_namespace";
        let output = unshare(this.as_os_str(), &["--exact", name, "--nocapture"]).expect("it ran before");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the test ran inside");
    }
}
