//! Whether any process of a node is left, and the certain end of all.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pgherd_core::ha;

use super::tools;
use crate::paths::Layout;
use crate::postgres::Result;
use crate::postgres::pidfile::{PidFile, Status};
use crate::postgres::processes::{self, Process};
use crate::postgres::{process, segment};

/// Ends every process of a node and returns when none is left: postmaster, backends that outlived it, tools of ours at work
/// on it, whoever started them. Says how many there were. Repeatable.
pub async fn kill(layout: &Layout) -> Result<usize> {
    // Mostly there is nobody, and who looks for each kind by itself reads all of `/proc` for each.
    processes::reap();
    if left(layout).is_empty() {
        segment::remove(&layout.data);
        return Ok(0);
    }
    // The tools first: pg_rewind starts a server of its own in the directory.
    let tools = tools::kill(layout).await?;
    Ok(tools + processes::kill(&layout.data).await?)
}

/// Every process of a node, tools included. Blocking, but quick.
pub fn left(layout: &Layout) -> BTreeSet<i32> {
    left_of(&processes::all(), layout)
}

fn left_of(all: &[Process], layout: &Layout) -> BTreeSet<i32> {
    let mut left = tools::of_these(all, layout);
    left.extend(processes::of_these(all, &layout.data));
    left.extend(zombie(layout));
    left
}

/// The same without a dead postmaster that process 1 has not reaped yet: that one writes nothing, and its lock files are removed
/// before anything starts in its place.
pub(super) fn alive(layout: &Layout) -> BTreeSet<i32> {
    alive_of(&processes::all(), layout)
}

fn alive_of(all: &[Process], layout: &Layout) -> BTreeSet<i32> {
    let mut left = left_of(all, layout);
    if let Some(dead) = zombie(layout) {
        left.remove(&dead);
    }
    left
}

/// The processes of a node, as [`ha::decide()`] wants to know them. `busy`: a tool of this daemon's works on it, which is no
/// reason to call it alive. Blocking, but quick.
pub fn process(layout: &Layout, busy: bool) -> ha::Process {
    // What is dead and ours to reap is not there any more.
    processes::reap();
    if let Some((file, postmaster)) = postmaster(layout) {
        return running(&postmaster, file.status == Some(Status::Ready));
    }
    let all = processes::all();
    let mut left = alive_of(&all, layout);
    if let Some(postmaster) = left.iter().find_map(|pid| begins(*pid, layout)) {
        return running(&postmaster, false);
    }
    if busy {
        let tools = tools::of_these(&all, layout);
        left.retain(|pid| !tools.contains(pid));
    }
    match left.is_empty() {
        true => ha::Process::Dead,
        false => ha::Process::Orphans,
    }
}

fn running(postmaster: &Process, ready: bool) -> ha::Process {
    // Process numbers have 22 bits at most.
    let start = postmaster.started << 22 | u64::try_from(postmaster.pid).unwrap_or_default();
    ha::Process::Running { start, since: since(postmaster), ready }
}

/// A postmaster that has not named itself yet. Backends have titles, and a process that is just ending has no command line.
fn begins(pid: i32, layout: &Layout) -> Option<Process> {
    let found = processes::read(pid).filter(|process| process.name == "postgres" && !process.zombie)?;
    let data = layout.data.canonicalize().ok()?;
    let ending = std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command| command.is_empty());
    let server = !process::is_backend(pid) && !tools::is_single_user(&found) && !ending;
    (server && processes::works_in(pid, &data)).then_some(found)
}

/// The running postmaster of a data directory, by the rules of [`process::adopt`].
fn postmaster(layout: &Layout) -> Option<(PidFile, Process)> {
    let file = pid_file(layout)?;
    let found = processes::read(file.pid).filter(|process| !process.zombie)?;
    let data = layout.data.canonicalize().ok()?;
    let ours = processes::works_in(file.pid, &data) && !process::is_backend(file.pid);
    ours.then_some((file, found))
}

/// A dead postmaster that nobody has reaped yet: PostgreSQL takes its lock file for held.
fn zombie(layout: &Layout) -> Option<i32> {
    let pid = pid_file(layout)?.pid;
    processes::read(pid).filter(|process| process.zombie && process.name == "postgres").map(|process| process.pid)
}

fn pid_file(layout: &Layout) -> Option<PidFile> {
    PidFile::parse(&std::fs::read_to_string(layout.postmaster_pid()).ok()?)
}

/// When a process started, by the clock as it is set now, to some hundredths of a second.
fn since(process: &Process) -> Timestamp {
    let now = Timestamp::now();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime_cs = uptime.split(' ').next().and_then(|text| text.replace('.', "").parse::<u64>().ok());
    let age_cs = uptime_cs.unwrap_or_default().saturating_sub(process.started);
    let age = SignedDuration::from_millis(i64::try_from(age_cs).unwrap_or_default() * 10);
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Pid, WaitId, WaitIdOptions};

    use super::*;

    #[test]
    fn a_dead_postmaster_that_nobody_reaps_is_left_and_not_alive() {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path(), folder.path());
        std::fs::create_dir(&layout.data).expect("a directory");
        let program = folder.path().join("postgres");
        // By another process: what is open for writing in this one is inherited by whatever it starts meanwhile, and then "busy".
        let copied = std::process::Command::new("install").args(["-m", "755", "/bin/sleep"]).arg(&program).status();
        assert!(copied.expect("coreutils").success());
        let mut dead = std::process::Command::new(&program).arg("600").spawn().expect("runs");
        let pid = i32::try_from(dead.id()).expect("a number");
        std::fs::write(layout.postmaster_pid(), format!("{pid}\n")).expect("written");
        // Killed, and dead for sure once the kernel says so; not reaped.
        dead.kill().expect("killed");
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::Pid(Pid::from_raw(pid).expect("a number")), look).expect("ended");
        assert_eq!((left(&layout), alive(&layout)), (BTreeSet::from([pid]), BTreeSet::new()));
        assert_eq!(process(&layout, false), ha::Process::Dead);
        dead.wait().expect("reaped");
        assert_eq!(left(&layout), BTreeSet::new());
    }
}
