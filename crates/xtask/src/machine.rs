//! A folder with instances of its own, run by the program as it is built, and gone at the end.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use pgherd_local::paths::{Paths, Surroundings};
use pgherd_local::postgres::{find, processes, runas::RunAs, segment, server::Server};
use rustix::process::{Pid, Signal, kill_process};

/// How long anything waited for may take before the bench gives up.
const DEADLINE: Duration = Duration::from_secs(60);
/// How long servers may take to end when they are told to.
const QUIT_DEADLINE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A folder for one bench.
pub struct Place {
    folder: tempfile::TempDir,
    cache: PathBuf,
    program: PathBuf,
}

impl Place {
    /// A new one, with the program built.
    pub fn new() -> Result<Self, String> {
        Self::with_program(&program()?)
    }

    /// A new one, with this program.
    pub fn with_program(program: &Path) -> Result<Self, String> {
        let folder = folder()?;
        Ok(Self { cache: folder.path().join("cache"), folder, program: program.to_owned() })
    }

    /// The same with the templates of a cache that others use, too.
    pub fn with_cache(mut self, cache: &Path) -> Self {
        cache.clone_into(&mut self.cache);
        self
    }

    /// Where its templates are.
    pub fn cache(&self) -> PathBuf {
        self.cache.clone()
    }

    /// Where something of this name is.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes blocks of local databases `bench-0`, `bench-1` …
    pub fn describe(&self, databases: usize) -> Result<(), String> {
        let without_backups = [("backup_retention_period", "0")];
        let text: String = (0..databases).map(|number| block(number, &without_backups)).collect();
        fs::write(self.at("database.hcl"), text).map_err(told("write blocks"))
    }

    /// Writes the block of one database, with these arguments beside the usual ones or in their place.
    pub fn describe_with(&self, number: usize, arguments: &[(&str, &str)]) -> Result<(), String> {
        fs::write(self.at("database.hcl"), block(number, arguments)).map_err(told("write a block"))
    }

    /// Writes the block of `bench-0` as a pair, with these arguments beside the usual ones or in their place.
    pub fn describe_pair(&self, arguments: &[(&str, &str)]) -> Result<(), String> {
        let pair = [("multi_az", "true"), ("preset", "\"dev\"")];
        let arguments: Vec<_> = pair.iter().chain(arguments).copied().collect();
        fs::write(self.at("database.hcl"), block(0, &arguments)).map_err(told("write a block"))
    }

    /// Where its agent has everything.
    pub fn paths(&self) -> Paths {
        Paths::choose(&Surroundings {
            uid: rustix::process::geteuid().as_raw(),
            state_dir: Some(self.at("state")),
            cache_dir: Some(self.cache()),
            ..Surroundings::read(0, |name| std::env::var_os(name))
        })
    }

    /// The program, on this place's files, state and cache.
    pub fn pgherd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("PGHERD_STATE_DIR", self.at("state")).env("PGHERD_CACHE_DIR", &self.cache);
        command
    }

    /// The number of the agent's process.
    pub fn agent(&self) -> Result<i32, String> {
        let lock = fs::read_to_string(self.at("state/agent.lock")).map_err(told("read the agent's lock"))?;
        lock.trim().parse().map_err(|_| "the agent's lock names no process".to_owned())
    }

    /// Ends the agent, its servers and what stands before them, and removes their files.
    pub fn clear(&self) -> Result<(), String> {
        self.end()?;
        remove(&self.at("state"))
    }

    /// Ends the agent, its servers and what stands before them. Their files go aside under this name.
    pub fn put_away(&self, name: &str) -> Result<(), String> {
        self.end()?;
        fs::rename(self.at("state"), self.at(name)).map_err(told("rename a folder"))
    }

    /// Ends the agent; its servers go on.
    pub fn end_agent(&self) -> Result<(), String> {
        let Ok(agent) = self.agent() else { return Ok(()) };
        signal(agent, Signal::TERM);
        wait("the end of the agent", || !runs(agent))
    }

    /// Ends the agent, its servers and what stands before them.
    pub fn end(&self) -> Result<(), String> {
        self.end_agent()?;
        // A server that is told so gives its shared memory back, and makes no checkpoint; one that is frozen does not hear it.
        self.end_all(Signal::QUIT);
        if wait_for(QUIT_DEADLINE, || self.processes().is_empty()).is_err() {
            self.end_all(Signal::KILL);
        }
        wait("the end of all servers", || self.processes().is_empty())?;
        segment::remove_below(&self.at("state"));
        Ok(())
    }

    fn end_all(&self, how: Signal) {
        self.processes().into_iter().for_each(|pid| signal(pid, how));
    }

    /// Processes that work in the folder or name it in their arguments.
    pub fn processes(&self) -> Vec<i32> {
        let folder = self.folder.path();
        // Of a forwarder the command line names where it is asked, which is in memory.
        let names = [folder.to_owned(), self.paths().ways()].map(|path| path.to_string_lossy().into_owned());
        let is_here = |process: &Path| {
            let works_here = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            works_here || names.iter().any(|name| arguments.contains(name))
        };
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok().filter(|_| is_here(&entry.path())))
            .filter(|pid| runs(*pid))
            .collect()
    }
}

/// A temporary folder that every user may pass through: as root, PostgreSQL has a user of its own.
pub fn folder() -> Result<tempfile::TempDir, String> {
    let folder = tempfile::Builder::new().prefix("pgbench").tempdir_in("/tmp").map_err(told("make a folder"))?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).map_err(told("open a folder"))?;
    Ok(folder)
}

/// A block of a local database.
fn block(number: usize, arguments: &[(&str, &str)]) -> String {
    let (name, label) = (format!("\"bench-{number}\""), format!("bench_{number}"));
    let usual = [
        ("source", "\"./modules/database_postgres\""),
        ("name", &name),
        ("cloud_provider", "\"local\""),
        ("instance_class", "\"db.t3.micro\""),
        ("allocated_storage", "20"),
        ("database_name", "\"bench\""),
        ("master_username", "\"bench\""),
    ];
    let all: BTreeMap<&str, &str> = usual.into_iter().chain(arguments.iter().copied()).collect();
    let lines: String = all.iter().map(|(name, value)| format!("  {name} = {value}\n")).collect();
    format!("module \"{label}\" {{\n{lines}}}\n")
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

/// A cluster of PostgreSQL's own making, for the user `bench`.
pub fn initdb(server: &Server, run_as: &RunAs, data: &Path) -> Result<(), String> {
    let mut command = run_as.command(server, "initdb");
    command.args(["--username", "bench", "--auth", "trust", "--data-checksums", "--pgdata"]).arg(data);
    run(&mut command).map(drop)
}

/// Returns when the server in a data directory takes connections.
pub fn wait_until_ready(data: &Path) -> Result<(), String> {
    wait("a server", || fs::read_to_string(data.join("postmaster.pid")).is_ok_and(|file| file.contains("ready")))
}

/// The address of the server in a data directory.
pub fn over_socket(data: &Path) -> String {
    format!("host={} user=bench dbname=postgres", data.display())
}

/// What psql says.
pub fn psql(server: &Server, address: &str, sql: &str) -> Result<String, String> {
    let mut command = Command::new(server.program("psql"));
    if let Some(lib) = &server.lib {
        command.env("LD_LIBRARY_PATH", lib);
    }
    let output = run(command.args(["-X", "-A", "-t", "-w", "-c", sql, address]))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
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
    wait_for(DEADLINE, is_so).map_err(|()| format!("waited in vain for {what}"))
}

fn wait_for(deadline: Duration, is_so: impl Fn() -> bool) -> Result<(), ()> {
    let start = Instant::now();
    while !is_so() {
        if start.elapsed() > deadline {
            return Err(());
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

/// The program in the build that this one is of, made anew where its sources changed.
pub fn program() -> Result<PathBuf, String> {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--package", "pgherd"]);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    run(&mut build)?;
    let own = std::env::current_exe().map_err(told("find this program"))?;
    Ok(own.with_file_name("pgherd"))
}

/// Sends a signal. A process that has ended meanwhile is as wanted.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, signal);
    }
}

/// How busy the machine is: the average of the last minute (`proc(5)`).
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}

fn runs(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
