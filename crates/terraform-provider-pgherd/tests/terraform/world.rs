//! A sealed folder with the provider where Terraform looks for it, and the module beside the configuration.

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// A sealed world. What still runs in it ends with it.
pub struct World {
    root: TempDir,
    terraform: PathBuf,
    environment: Vec<(String, String)>,
    _turn: Option<MutexGuard<'static, ()>>,
    _seat: Seat,
}

/// What a run said.
pub struct Ran {
    line: String,
    /// Both streams, one after the other.
    pub said: String,
    code: Option<i32>,
}

impl Ran {
    /// The same, when it ended well.
    #[track_caller]
    pub fn fine(self) -> Self {
        self.with_code(0)
    }

    /// The same, when it ended with this code.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "terraform {}\n{}", self.line, self.said);
        self
    }

    /// The same, when it said this.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(plain(&self.said).contains(words), "terraform {} does not say {words:?}\n{}", self.line, self.said);
        self
    }
}

/// Without line breaks and the frames of Terraform's messages, which come where the line happens to be full.
pub fn plain(said: &str) -> String {
    said.replace(['│', '╷', '╵'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Looks until something is so.
#[track_caller]
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(300);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One at a time with databases on this machine: the agents of several worlds would take each other's ports.
static TURN: Mutex<()> = Mutex::new(());

/// As many worlds as the machine has cores.
static SEATS: LazyLock<Mutex<usize>> =
    LazyLock::new(|| Mutex::new(std::thread::available_parallelism().map_or(2, usize::from)));
static FREED: Condvar = Condvar::new();

/// A place among those that run side by side.
struct Seat;

impl Seat {
    fn take() -> Self {
        let seats = SEATS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seats = FREED.wait_while(seats, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *seats -= 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *SEATS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        FREED.notify_one();
    }
}

impl World {
    /// An empty one for databases on this machine; nothing where there is no terraform.
    pub fn new(test: &str) -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut world = Self::beside(test)?;
        world._turn = Some(turn);
        Some(world)
    }

    /// One beside others, in which no database is made on this machine.
    pub fn beside(test: &str) -> Option<Self> {
        let Some(terraform) = installed("terraform") else {
            // For whoever wants to be sure that nothing was left out.
            assert!(std::env::var_os("PGHERD_REQUIRE_TERRAFORM").is_none(), "no terraform is installed");
            skipped(test, "no terraform is installed");
            return None;
        };
        let seat = Seat::take();
        let root = tempfile::Builder::new().prefix("pgherd-tf").tempdir().expect("a folder");
        // Databases of root's agent belong to another user, who must be able to reach them.
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        for folder in ["home", "work", "tmp"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        let world = Self { root, terraform, environment: Vec::new(), _turn: None, _seat: seat };
        world.install();
        Some(world)
    }

    /// Puts the provider into the folder below home in which Terraform looks without being told.
    fn install(&self) {
        let arch = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
        let version = env!("CARGO_PKG_VERSION");
        let folder = self.home().join(".terraform.d/plugins/local/pgherd/pgherd").join(version).join(arch);
        fs::create_dir_all(&folder).expect("a folder");
        let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-pgherd"));
        let there = folder.join(format!("terraform-provider-pgherd_v{version}"));
        // Not a copy: one of a debug build for every test would fill a /tmp that is memory.
        std::os::unix::fs::symlink(provider, &there).expect("a link");
        std::os::unix::fs::symlink(repository().join("modules"), self.work().join("modules")).expect("a link");
    }

    /// Puts the stand-in of somebody else's provider (a file of `examples/`) where Terraform looks for that.
    pub fn install_other(&self, name: &str) {
        let arch = if cfg!(target_arch = "aarch64") { "linux_arm64" } else { "linux_amd64" };
        let folder =
            self.home().join(format!(".terraform.d/plugins/registry.terraform.io/hashicorp/{name}/5.0.0/{arch}"));
        fs::create_dir_all(&folder).expect("a folder");
        let there = folder.join(format!("terraform-provider-{name}_v5.0.0"));
        if !there.is_file() {
            std::os::unix::fs::symlink(other(name), there).expect("a link");
        }
    }

    /// Has another program run what terraform would.
    pub fn run_by(&mut self, program: PathBuf) {
        self.terraform = program;
    }

    /// The program that is tried.
    pub fn terraform(&self) -> &Path {
        &self.terraform
    }

    /// The home folder.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The folder of this machine's databases.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Writes a file into the working folder.
    pub fn write(&self, name: &str, text: &str) -> &Self {
        fs::write(self.work().join(name), text).expect("the file is written");
        self
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Any program, sealed in.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.home())
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("PGHERD_STATE_DIR", self.state())
            .env("PGHERD_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("PGHERD_PROGRAM", pgherd())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // Nobody is asked whether there is a newer one.
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_LOG_PROVIDER", "ERROR")
            .env("TF_LOG_PATH", self.log_file())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs terraform with the words of this line.
    pub fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[])
    }

    /// The same with these variables of the environment.
    pub fn run_with(&self, line: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(&self.terraform);
        command.envs(variables.iter().copied());
        let output = command.args(line.split(' ')).arg("-no-color").output().expect("terraform runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { line: line.to_owned(), said: text(&output.stdout) + &text(&output.stderr), code: output.status.code() }
    }

    /// Begins to run terraform as a terminal does, in a group of its own; what it says goes to a file.
    pub fn spawn(&self, line: &str) -> Child {
        let said = fs::File::create(self.said_file()).expect("a file");
        let mut command = self.command(&self.terraform);
        command.args(line.split(' ')).arg("-no-color").process_group(0);
        command.stdout(said.try_clone().expect("a file")).stderr(said).spawn().expect("terraform runs")
    }

    /// What the last one said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(self.said_file()).expect("a file")
    }

    /// What providers complained of.
    fn log_file(&self) -> PathBuf {
        self.root.path().join("log")
    }

    fn said_file(&self) -> PathBuf {
        self.root.path().join("said")
    }

    /// Sends a signal to a run that was begun, and to all that it has started.
    pub fn signal_group(&self, run: &Child, signal: Signal) {
        let group = Pid::from_raw(i32::try_from(run.id()).expect("a number")).expect("a process");
        kill_process_group(group, signal).expect("it is ours");
    }

    /// Sends a signal to every provider that runs here.
    pub fn signal_providers(&self, signal: Signal) {
        let all = self.providers();
        assert!(!all.is_empty(), "no provider runs");
        for pid in all.into_iter().filter_map(Pid::from_raw) {
            let sent = kill_process(pid, signal);
            assert!(matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)), "it is ours, or has just ended: {sent:?}");
        }
    }

    /// Whether a provider runs here.
    pub fn has_provider(&self) -> bool {
        !self.providers().is_empty()
    }

    fn providers(&self) -> Vec<i32> {
        let is_provider = |pid: &i32| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("terraform-provider-pgherd"))
        };
        processes_of(self.root.path()).into_iter().filter(is_provider).collect()
    }

    /// The rights of the folders with sockets of providers.
    pub fn plugin_folders(&self) -> Vec<u32> {
        let entries = fs::read_dir(self.root.path().join("tmp")).expect("a folder").flatten();
        let folders = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("pgherd-plugin-"));
        // One that goes with its provider just now is not counted.
        folders.filter_map(|folder| Some(folder.metadata().ok()?.permissions().mode())).collect()
    }

    /// Runs pgherd with the words of this line; what it printed.
    #[track_caller]
    pub fn pgherd(&self, line: &str) -> String {
        let output = self.command(pgherd()).args(line.split(' ')).output().expect("pgherd runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "pgherd {line}\n{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Takes every database out of the state and gives the blocks that import them again.
    pub fn forget_all(&self) -> String {
        let state = fs::read(self.work().join("terraform.tfstate")).expect("a state");
        let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let all = state["resources"].as_array().expect("resources").iter();
        let databases = all.filter(|one| one["type"] == "pgherd_postgres" && one["mode"] == "managed");
        let (mut line, mut blocks) = ("state rm".to_owned(), String::new());
        for one in databases {
            let address = format!("{}.pgherd_postgres.{}", text(&one["module"]), text(&one["name"]));
            let address = address.trim_start_matches('.');
            let id = text(&one["instances"][0]["attributes"]["id"]);
            line += &format!(" {address}");
            blocks += &format!("import {{\n  to = {address}\n  id = \"{id}\"\n}}\n");
        }
        self.run(&line).fine();
        blocks
    }

    /// Every file below the world that holds these bytes, this machine's databases apart.
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.work(), self.root.path().join("tmp")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder").flatten() {
                let kind = entry.file_type().expect("a kind");
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && holds(&entry.path(), text) {
                    found.push(entry.path());
                }
            }
        }
        found
    }
}

/// Whether a file holds a text, packed (a saved plan is a zip archive) or not.
fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    let has = |bytes: &[u8]| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    if has(&bytes) {
        return true;
    }
    let Ok(mut archive) = zip::ZipArchive::new(std::io::Cursor::new(bytes)) else { return false };
    (0..archive.len()).any(|index| {
        let mut unpacked = Vec::new();
        let mut entry = archive.by_index(index).expect("an entry");
        std::io::Read::read_to_end(&mut entry, &mut unpacked).expect("it is read");
        has(&unpacked)
    })
}

impl Drop for World {
    fn drop(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(180);
        let root = self.root.path().to_path_buf();
        loop {
            let left = processes_of(&root);
            if left.is_empty() || Instant::now() > deadline {
                break;
            }
            for pid in left.into_iter().filter_map(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        pgherd_local::postgres::segment::remove_below(&self.state());
        let log = fs::read_to_string(self.log_file()).unwrap_or_default();
        let broken: Vec<&str> = log.lines().filter(|line| line.contains("was promised otherwise")).collect();
        assert!(std::thread::panicking() || broken.is_empty(), "a plan promised what did not come:\n{broken:#?}");
    }
}

/// Processes that work below a folder or name it.
fn processes_of(root: &Path) -> Vec<i32> {
    let is_of = |process: &Path| {
        let cwd = fs::read_link(process.join("cwd"));
        let arguments = fs::read(process.join("cmdline")).unwrap_or_default();
        cwd.is_ok_and(|cwd| cwd.starts_with(root))
            || String::from_utf8_lossy(&arguments).contains(&*root.to_string_lossy())
    };
    let entries = fs::read_dir("/proc").expect("processes").flatten();
    entries.filter(|entry| is_of(&entry.path())).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A program of this machine.
pub fn installed(name: &str) -> Option<PathBuf> {
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The program that keeps this machine's databases: the one beside the provider, which a test of the workspace has built. Tests of
/// this crate alone build it when there is none.
pub fn pgherd() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_terraform-provider-pgherd")).with_file_name("pgherd");
        if !program.is_file() {
            let built = Command::new(env!("CARGO")).args(["build", "--quiet", "--package", "pgherd"]).status();
            assert!(built.is_ok_and(|status| status.success()), "pgherd cannot be built");
        }
        program
    })
}

/// A stand-in: cargo has built it along with all tests. Where only some are run it may be absent.
fn other(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_terraform-provider-pgherd")).with_file_name("examples").join(name);
    if !program.is_file() {
        let arguments = ["build", "--quiet", "--package", env!("CARGO_PKG_NAME"), "--example", name];
        let built = Command::new(env!("CARGO")).args(arguments).status();
        assert!(built.is_ok_and(|status| status.success()), "{name} cannot be built");
    }
    program
}

/// The top of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A skipped test is visible: what macros print, the harness keeps to itself when a test passes.
pub fn skipped(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}
