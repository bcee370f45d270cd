//! A folder with instances of its own, run by the release build of the program, and gone at the end.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pgherd_local::postgres::{find, runas::RunAs};
use pgherd_local::postgres::{processes, server::Server};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything waited for may take before the bench gives up.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A folder for one bench.
pub struct Place {
    folder: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    /// A new one, with the program built.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("pgbench").tempdir_in("/tmp").map_err(told("make a folder"))?;
        // As root, PostgreSQL's own user has to pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).map_err(told("open a folder"))?;
        Ok(Self { folder, program: program()? })
    }

    /// Where something of this name is.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes blocks of local databases `bench-0`, `bench-1` …
    pub fn describe(&self, databases: usize) -> Result<(), String> {
        let block = |number| {
            format!(
                "module \"bench_{number}\" {{\n  source = \"./modules/database_postgres\"\n\n  name = \"bench-{number}\"\n  \
                 cloud_provider = \"local\"\n  instance_class = \"db.t3.micro\"\n  allocated_storage = 20\n  \
                 database_name = \"bench\"\n  master_username = \"bench\"\n  backup_retention_period = 0\n}}\n"
            )
        };
        let text: String = (0..databases).map(block).collect();
        fs::write(self.at("database.hcl"), text).map_err(told("write blocks"))
    }

    /// The program, on this place's files, state and cache.
    pub fn pgherd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PGHERD_STATE_DIR", self.at("state")).env("PGHERD_CACHE_DIR", self.at("cache"));
        command
    }

    /// The number of the agent's process.
    pub fn agent(&self) -> Result<i32, String> {
        let lock = fs::read_to_string(self.at("state/agent.lock")).map_err(told("read the agent's lock"))?;
        lock.trim().parse().map_err(|_| "the agent's lock names no process".to_owned())
    }

    /// Ends the agent and its servers and removes their files.
    pub fn clear(&self) -> Result<(), String> {
        if let Ok(agent) = self.agent() {
            signal(agent, Signal::TERM);
            wait("the end of the agent", || !runs(agent))?;
        }
        for entry in fs::read_dir(self.at("state/instances")).into_iter().flatten().flatten() {
            end(&entry.path().join("n1/data"))?;
        }
        remove(&self.at("state"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What is still there is in a temporary folder, and the bench has failed already.
        drop(self.clear());
    }
}

/// The newest server of this machine, and who may run it.
pub fn server() -> Result<(Server, RunAs), String> {
    let run_as = RunAs::settle(None).map_err(|error| error.message)?;
    let found = find::servers(&[], std::env::var_os("PATH").as_deref(), Path::new("/nowhere/servers"));
    let server = found.servers.into_iter().next().ok_or("no PostgreSQL server is installed")?;
    Ok((server, run_as))
}

/// Runs a command to its end; an error when it fails.
pub fn run(command: &mut Command) -> Result<Output, String> {
    let output =
        command.output().map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{} failed: {}", command.get_program().display(), String::from_utf8_lossy(&output.stderr)))
}

/// Ends the server in a data directory without a checkpoint.
pub fn end(data: &Path) -> Result<(), String> {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    if let Some(pid) = file.lines().next().and_then(|line| line.parse().ok()) {
        signal(pid, Signal::QUIT);
    }
    wait("the end of a server", || processes::of(data).is_empty())
}

/// Removes a folder that may be absent.
pub fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(told("remove a folder")(error)),
        _ => Ok(()),
    }
}

/// Looks every millisecond until something is so.
pub fn wait(what: &str, is_so: impl Fn() -> bool) -> Result<(), String> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > DEADLINE {
            return Err(format!("waited in vain for {what}"));
        }
        sleep(LOOK_EVERY);
    }
    Ok(())
}

/// A line of `/proc/<pid>/status` in KiB (proc_pid_status(5)), as MiB.
pub fn memory_mib(pid: u32, line: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"))?;
    Some(kib.parse::<f64>().ok()? / 1024.0)
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Milliseconds since then.
pub fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// Words for what the machine refused.
pub fn told(doing: &str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("cannot {doing}: {error}")
}

/// The release build of the program, made anew where its sources changed.
pub fn program() -> Result<PathBuf, String> {
    run(Command::new(env!("CARGO")).args(["build", "--release", "--quiet", "--package", "pgherd"]))?;
    let own = std::env::current_exe().map_err(told("find this program"))?;
    Ok(own.with_file_name("pgherd"))
}

fn runs(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        // One that has ended meanwhile is as wanted.
        let _ = kill_process(pid, signal);
    }
}
