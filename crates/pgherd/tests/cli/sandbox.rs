//! A world of its own for the program: home, working folder, state, and an environment of its own.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pgherd_local::paths::{Paths, Surroundings};
use tempfile::TempDir;

/// The moment the program takes for now.
pub const NOW: &str = "2026-11-21T22:00:00Z";

/// A sealed world. Dropping it removes it.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
    environment: Vec<(String, String)>,
}

impl Sandbox {
    /// An empty one.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("pgherd").tempdir().expect("a temporary folder");
        // Databases of root's agent belong to another user, who must be able to reach them.
        #[cfg(unix)]
        fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("permissions");
        for folder in ["home", "work", "tmp"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        Self { root, environment: Vec::new() }
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    /// Where the program keeps things, chosen from this environment as it chooses.
    pub fn paths(&self) -> Paths {
        let command = self.command(&[]);
        let variable = |name: &str| command.get_envs().find(|(key, _)| *key == name)?.1.map(OsStr::to_owned);
        Paths::choose(&Surroundings::read(rustix::process::geteuid().as_raw(), variable))
    }

    /// Writes a file into the working folder.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.work().join(name), text).expect("the file is written");
        self
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The program with these arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_of(Command::new(env!("CARGO_BIN_EXE_pgherd")));
        command.args(arguments);
        command
    }

    /// Any program, sealed in.
    pub fn command_of(&self, mut command: Command) -> Command {
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.root.path().join("home"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("PGHERD_STATE_DIR", self.state())
            .env("PGHERD_CACHE_DIR", cache())
            .env("PGHERD_NOW", NOW)
            // The address that machines of AWS ask for their credentials is nobody's here.
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("the program runs");
        self.ran(arguments, &output)
    }

    fn ran(&self, arguments: &[&str], output: &Output) -> Ran {
        let text = |bytes: &[u8]| self.without_paths(&String::from_utf8_lossy(bytes));
        Ran {
            line: format!("pgherd {}", arguments.join(" ")),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            code: output.status.code(),
        }
    }

    fn without_paths(&self, text: &str) -> String {
        text.replace(&self.root.path().display().to_string(), "[SANDBOX]")
            .replace(concat!("pgherd ", env!("CARGO_PKG_VERSION")), "pgherd [VERSION]")
            .replace(concat!("\"pgherd\": \"", env!("CARGO_PKG_VERSION")), "\"pgherd\": \"[VERSION]")
            .replace(env!("CARGO_BIN_EXE_pgherd"), "[PGHERD]")
    }
}

/// Packed templates are the same for every sandbox; making them again for each test would only cost time.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")
}

/// Which server a machine has is its own business: `orders  local  PostgreSQL 15.18` names none in a snapshot.
pub fn without_server(text: &str) -> String {
    let line = |line: &str| match line.split_once("  local  PostgreSQL ") {
        Some((name, rest)) => {
            let rest = rest.split_once("  ").map_or(String::new(), |(_, rest)| format!("  {rest}"));
            format!("{name}  local  PostgreSQL [SERVER]{rest}\n")
        }
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// What a run of the program said.
#[must_use]
#[derive(Debug)]
pub struct Ran {
    line: String,
    /// What it printed as its result.
    pub stdout: String,
    /// What it said beside.
    pub stderr: String,
    /// Its exit code; `None`: killed by a signal.
    pub code: Option<i32>,
}

impl Ran {
    /// It all, for a snapshot.
    pub fn transcript(&self) -> String {
        let mut text = format!("$ {}\n{}", self.line, without_server(&self.stdout));
        if !self.stderr.is_empty() {
            let _ = write!(text, "-- stderr\n{}", self.stderr);
        }
        match self.code {
            Some(code) => {
                let _ = writeln!(text, "-- exit {code}");
            }
            None => text.push_str("-- killed\n"),
        }
        text
    }

    /// Its result, when it ended with this code.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.transcript());
        self
    }

    /// Its result as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.transcript()))
    }
}
