//! A local database of several servers that a bench or a scenario does things to.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use pgherd_core::ha::NodeId;
use pgherd_local::client;
use pgherd_local::paths::Paths;
use pgherd_local::postgres::processes;
use pgherd_local::supervisor::messages::StatusReport;
use rustix::process::Signal;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::machine::{Place, run, signal, told, wait};
use crate::writers::{Address, Writers};

/// Its name.
pub const NAME: &str = "bench-0";
/// How long anything waited for may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at it: each is work for its servers, too.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a manager waits before it starts an agent anew: `RestartSec=1`, as in the unit that `pgherd agent --systemd` prints.
const MANAGER_WAITS: Duration = Duration::from_secs(1);

/// A database, its agent, and a manager that starts the agent anew when it ends.
pub struct Herd {
    /// Where it is.
    pub place: Place,
    runtime: Runtime,
    paths: Paths,
    manager: Manager,
}

impl Herd {
    /// An agent in this place and no database yet.
    pub fn new(place: Place) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let paths = place.paths();
        let manager = Manager::start(&place)?;
        let herd = Self { place, runtime: runtime.map_err(told("begin"))?, paths, manager };
        wait("the agent", || herd.agent().is_some())?;
        Ok(herd)
    }

    /// Makes it a pair with these arguments, restarts included.
    pub fn apply(&self, arguments: &[(&str, &str)]) -> Result<(), String> {
        self.place.describe_pair(arguments)?;
        self.pgherd(&["apply", "--yes", "--now"]).map(drop)
    }

    /// What the program says; an error when it fails.
    pub fn pgherd(&self, arguments: &[&str]) -> Result<String, String> {
        let output = run(&mut self.place.pgherd(arguments))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Where applications connect.
    pub fn address(&self) -> Result<Address, String> {
        let outputs = self.pgherd(&["output", "--json", "--reveal"])?;
        let outputs: Value = serde_json::from_str(&outputs).map_err(|error| error.to_string())?;
        Address::of(&outputs["result"]["outputs"])
    }

    /// Where applications connect to another database of the same agent.
    pub fn address_of(&self, name: &str) -> Result<Address, String> {
        let status = self.runtime.block_on(async {
            let agent = client::connect(&self.paths).await.map_err(|error| error.message)?;
            agent.ok_or("no agent answers")?.status(name).await.map_err(|error| error.message)
        })?;
        Address::at(&status.endpoint)
    }

    /// Sets so many writers to work on it.
    pub fn writers(&self, count: i64) -> Result<Writers, String> {
        Writers::start(self.runtime.handle(), self.address()?, count)
    }

    /// Does something that waits.
    pub fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Does something beside.
    pub fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(future)
    }

    /// How it is; `None` while no agent answers.
    pub fn status(&self) -> Option<StatusReport> {
        self.runtime.block_on(async { client::connect(&self.paths).await.ok()??.status(NAME).await.ok() })
    }

    /// Returns when it is as expected.
    pub fn becomes(&self, what: &str, expected: impl Fn(&StatusReport) -> bool) -> Result<StatusReport, String> {
        let end = Instant::now() + DEADLINE;
        loop {
            let status = self.status();
            match status {
                Some(status) if expected(&status) => return Ok(status),
                Some(status) if Instant::now() > end => {
                    let nodes: Vec<_> = status.nodes.iter().map(|node| [&node.name, &node.role, &node.state]).collect();
                    return Err(format!("waited in vain until {what}: {nodes:?}, {:?}", status.warnings));
                }
                None if Instant::now() > end => return Err("no agent answers".to_owned()),
                Some(_) | None => sleep(LOOK_EVERY),
            }
        }
    }

    /// Returns when every server runs and commits wait for the standby.
    pub fn becomes_whole(&self) -> Result<StatusReport, String> {
        self.becomes("it is whole", |status| {
            status.commits_wait_for.is_some() && status.nodes.iter().all(|node| node.state == "running")
        })
    }

    /// The first server in this role: `primary`, `standby`, `replica`.
    pub fn in_role(&self, role: &str) -> Result<Member, String> {
        let status = self.becomes(&format!("there is a {role}"), |status| {
            status.nodes.iter().any(|node| node.role == role && node.state == "running")
        })?;
        let found = status.nodes.into_iter().find(|node| node.role == role && node.state == "running");
        let node = found.ok_or("it was there a moment ago")?;
        let number = node.name.strip_prefix('n').and_then(|number| number.parse().ok());
        let id = NodeId(number.ok_or_else(|| format!("{} is no name of a server", node.name))?);
        let data = self.paths.instance(NAME).node(id).data;
        let postmaster = node.pid.ok_or("it has no postmaster")?.cast_signed();
        Ok(Member { name: node.name, postmaster, data })
    }

    /// SIGKILLs the agent, every server, and what stands before them. The manager starts the agent anew.
    pub fn kill_everything(&self) -> Result<(), String> {
        self.kill_agent()?;
        self.place.processes().into_iter().for_each(|pid| signal(pid, Signal::KILL));
        Ok(())
    }

    /// Ends it; its files stay.
    pub fn end(&self) {
        self.manager.stop();
        // What is left shows when its files are removed.
        drop(self.place.end());
    }

    /// SIGKILLs the agent.
    pub fn kill_agent(&self) -> Result<(), String> {
        signal(self.place.agent()?, Signal::KILL);
        Ok(())
    }

    fn agent(&self) -> Option<client::Client> {
        self.runtime.block_on(client::connect(&self.paths)).ok()?
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        self.manager.stop();
    }
}

/// A server of it, as it was when somebody looked.
#[derive(Debug, Clone)]
pub struct Member {
    /// `n1`, `n2`, …
    pub name: String,
    /// Its postmaster.
    pub postmaster: i32,
    /// Its data directory.
    pub data: PathBuf,
}

impl Member {
    /// Every process of it.
    pub fn processes(&self) -> BTreeSet<i32> {
        processes::of(&self.data)
    }

    /// SIGKILLs the postmaster; its backends are left to themselves.
    pub fn kill_postmaster(&self) {
        signal(self.postmaster, Signal::KILL);
    }

    /// SIGKILLs every process of it.
    pub fn kill_all(&self) {
        self.processes().into_iter().for_each(|pid| signal(pid, Signal::KILL));
    }

    /// Stops every process of it where it is, and says which those were.
    pub fn freeze(&self) -> BTreeSet<i32> {
        let all = self.processes();
        all.iter().for_each(|pid| signal(*pid, Signal::STOP));
        all
    }
}

/// Lets what was frozen go on, as far as it is still there.
pub fn wake(frozen: &BTreeSet<i32>) {
    frozen.iter().for_each(|pid| signal(*pid, Signal::CONT));
}

/// Starts an agent, and starts it anew when it ends, as systemd does.
struct Manager {
    stopped: Arc<AtomicBool>,
}

impl Manager {
    fn start(place: &Place) -> Result<Self, String> {
        let log = File::create(place.at("agent.log")).map_err(told("write the agent's log"))?;
        let mut command = place.pgherd(&["agent"]);
        command.stdout(Stdio::null()).stderr(log);
        let mut agent = command.spawn().map_err(told("start the agent"))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let told_to_stop = stopped.clone();
        spawn(move || {
            while agent.wait().is_ok() && !told_to_stop.load(Ordering::SeqCst) {
                sleep(MANAGER_WAITS);
                let Some(next) = again(&mut command, &told_to_stop) else { return };
                agent = next;
            }
        });
        Ok(Self { stopped })
    }

    /// From here on an agent that ends stays ended. The one that runs goes on.
    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }
}

fn again(command: &mut Command, stopped: &AtomicBool) -> Option<Child> {
    if stopped.load(Ordering::SeqCst) { None } else { command.spawn().ok() }
}
