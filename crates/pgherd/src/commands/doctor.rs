//! `pgherd doctor`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::Args;
use pgherd_core::cloud::Cloud;
use pgherd_core::spec::Size;
use pgherd_core::version::Version;
use pgherd_core::{catalogue, text};
use pgherd_local::client;
use pgherd_local::encrypted::{self, Encryption};
use pgherd_local::limits::{self, Limit, Limits};
use pgherd_local::postgres::fetch::{self, Sources};
use pgherd_local::postgres::find::Found;
use pgherd_local::postgres::runas::DEFAULT_USER;
use pgherd_local::postgres::server::{Origin, Server};
use serde::Serialize;

use super::Context;
use crate::error::{CommandError, Exit};
use crate::targets;

mod pooler;

/// Look at what this machine has to run databases with, and what it lacks
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Fetch portable builds of the PostgreSQL majors that are not installed, and install PgBouncer
    #[arg(long)]
    fix: bool,
}

/// How a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// There, and of no use.
    Unused,
    /// Databases run without it.
    Missing,
    /// Databases do not run like this.
    Broken,
}

/// One thing looked at.
#[derive(Debug, Serialize)]
struct Finding {
    subject: String,
    state: State,
    /// What is there.
    found: String,
    /// What to do, or empty.
    help: String,
}

fn finding(subject: impl Into<String>, state: State, found: impl Into<String>, help: impl Into<String>) -> Finding {
    Finding { subject: subject.into(), state, found: found.into(), help: help.into() }
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &DoctorArgs) -> Result<Exit, CommandError> {
    // Both are tried, whatever comes of the first.
    let is_fixed = !args.fix || [fix(context), pooler::fix(context)] == [true, true];
    let mut findings = servers(context, &targets::servers(context.global));
    findings.push(user());
    findings.push(state_folder(&targets::paths(context.global).state));
    findings.push(encryption(&targets::paths(context.global).state));
    findings.extend(size_limits());
    findings.push(psql());
    findings.push(pooler::look());
    findings.push(agent(context)?);
    let printer = context.printer;
    let is_broken = findings.iter().any(|finding| finding.state == State::Broken);
    if printer.is_json() {
        // What is broken is the result, not a reason to have none.
        printer.json(&findings)?;
        return Ok(if is_broken || !is_fixed { Exit::Failed } else { Exit::Done });
    }
    printer.result(&findings.iter().map(line).collect::<String>())?;
    if is_broken {
        return Err(CommandError::failed("databases cannot run on this machine as it is"));
    }
    if !is_fixed {
        return Err(CommandError::failed("not all that is missing could be got")
            .hint("databases that do not need it run all the same"));
    }
    Ok(Exit::Done)
}

fn line(finding: &Finding) -> String {
    let Finding { subject, state, found, help } = finding;
    let (word, style) = match state {
        State::Ok => ("ok", AnsiColor::Green.on_default()),
        State::Unused => ("unused", AnsiColor::Yellow.on_default()),
        State::Missing => ("missing", AnsiColor::Yellow.on_default()),
        State::Broken => ("broken", AnsiColor::Red.on_default().effects(Style::new().bold().get_effects())),
    };
    let help = if help.is_empty() { String::new() } else { format!("\n{:27}{help}", "") };
    format!("{style}{word:<8}{style:#} {subject:<17} {found}{help}\n")
}

/// The majors this version knows, and whatever else is installed.
fn majors(context: &Context<'_>, found: &Found) -> BTreeSet<u32> {
    catalogue::versions::offered(Cloud::Local, context.today()).chain(found.servers.iter().map(Server::major)).collect()
}

/// Fetches what is missing; whether all is there then. What cannot be fetched is said, and found missing again afterwards.
fn fix(context: &Context<'_>) -> bool {
    let mut is_all = true;
    let found = targets::servers(context.global);
    let cache = targets::paths(context.global).servers();
    let have: BTreeSet<u32> = found.servers.iter().map(Server::major).collect();
    for major in majors(context, &found).difference(&have) {
        let asked = Version { major: *major, minor: None };
        let say = |phase: &str| context.printer.say(&format!("PostgreSQL {major}: {phase}"));
        match fetch::fetch(asked, false, &Sources::default(), &cache, &say) {
            Ok(server) => say(&format!("{} is there now", server.version)),
            Err(error) => {
                is_all = false;
                context.printer.warn("fetch-failed", &error.message, &error.help);
            }
        }
    }
    is_all
}

/// A line for each major, and one for each server that is of no use.
fn servers(context: &Context<'_>, found: &Found) -> Vec<Finding> {
    let none_at_all = found.servers.is_empty();
    let mut findings: Vec<Finding> =
        majors(context, found).into_iter().map(|major| of_major(major, found, none_at_all)).collect();
    findings.extend(found.rejected.iter().map(|why| finding("PostgreSQL", State::Unused, why.clone(), "")));
    findings
}

fn of_major(major: u32, found: &Found, none_at_all: bool) -> Finding {
    let subject = format!("PostgreSQL {major}");
    match found.servers.iter().find(|server| server.major() == major) {
        Some(server) => finding(subject, State::Ok, words(server), ""),
        None => {
            let state = if none_at_all { State::Broken } else { State::Missing };
            let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
            let help = format!("pgherd doctor --fix fetches a build; or {}", fetch::advice(major, &os_release));
            finding(subject, state, "not installed", help)
        }
    }
}

fn words(server: &Server) -> String {
    let origin = match server.origin {
        Origin::Given => "given with --postgres-dir",
        Origin::Package => "a package",
        Origin::SearchPath => "on the search path",
        Origin::Cache => "fetched by pgherd",
    };
    let icu = if server.icu { "" } else { ", without ICU collations" };
    format!("{} in {}, {origin}{icu}", server.version, server.bin.display())
}

fn user() -> Finding {
    let name = std::env::var("PGHERD_POSTGRES_USER").unwrap_or_else(|_| DEFAULT_USER.to_owned());
    let found = if rustix::process::geteuid().is_root() {
        format!("root; databases run as `{name}`, because PostgreSQL refuses root")
    } else {
        "databases run as you".to_owned()
    };
    finding("user", State::Ok, found, "")
}

fn state_folder(state: &Path) -> Finding {
    let existing: PathBuf = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned();
    let writable = rustix::fs::access(&existing, rustix::fs::Access::WRITE_OK).is_ok();
    let free = rustix::fs::statvfs(&existing).map(|stat| stat.f_bavail * stat.f_frsize).ok();
    let free = free.map_or_else(|| "unknown space free".to_owned(), |free| format!("{} free", text::bytes(free)));
    let found = format!("{}, {free}", state.display());
    if writable {
        finding("state folder", State::Ok, found, "")
    } else {
        let help = "name a folder of yours with --state-dir or PGHERD_STATE_DIR";
        finding("state folder", State::Broken, format!("{found}, not writable"), help)
    }
}

/// Whether `storage_encrypted = true` is kept here, and else why not.
fn encryption(state: &Path) -> Finding {
    let existing = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    let help = "storage_encrypted = true needs it: keep the state folder (--state-dir) on a LUKS device, write \
                storage_encrypted = false, or accept it with --accept unencrypted-storage";
    let subject = "disk encryption";
    match encrypted::of(existing) {
        Encryption::Encrypted => finding(subject, State::Ok, "the state folder is on an encrypted device", ""),
        Encryption::Plain { device } => finding(subject, State::Missing, format!("{device} is not encrypted"), help),
        Encryption::CannotTell { because } => {
            finding(subject, State::Missing, format!("cannot be told: {because}"), help)
        }
    }
}

/// What holds databases to the CPU and memory of their class: tried with a control group without processes.
fn size_limits() -> [Finding; 2] {
    let name = format!("doctor-{}", std::process::id());
    let smallest = Size { name: name.clone(), vcpu: 0.5, memory_mib: 512, burstable: false };
    let Limits { cpu, memory } = limits::apply(&name, &smallest, &BTreeSet::new());
    limits::forget(&name);
    [of_limit("CPU limit", &cpu), of_limit("memory limit", &memory)]
}

fn of_limit(subject: &str, limit: &Limit) -> Finding {
    match limit {
        Limit::Enforced { by } => finding(subject, State::Ok, by.clone(), ""),
        Limit::NotEnforced { because } => {
            let help = "PostgreSQL's own settings still follow the instance class; an agent that runs as root, or in a control \
                        group that is delegated to it, can hold it to the class";
            finding(subject, State::Missing, because.clone(), help)
        }
    }
}

fn psql() -> Finding {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|folder| folder.join("psql")).find(|psql| psql.is_file()) {
        Some(psql) => finding("psql", State::Ok, real(&psql), ""),
        None => {
            finding("psql", State::Missing, "not on the search path", "Debian, Ubuntu: apt install postgresql-client")
        }
    }
}

fn real(path: &Path) -> String {
    fs::canonicalize(path).map_or_else(
        |_| path.display().to_string(),
        |real| {
            if real == path { path.display().to_string() } else { format!("{} ({})", path.display(), real.display()) }
        },
    )
}

fn agent(context: &Context<'_>) -> Result<Finding, CommandError> {
    let paths = targets::paths(context.global);
    let health = targets::wait_for(async {
        match client::connect(&paths).await? {
            Some(agent) => agent.health().await.map(Some),
            None => Ok(None),
        }
    })?;
    Ok(match health {
        Ok(Some(health)) => {
            finding("agent", State::Ok, format!("pgherd {} runs as process {}", health.version, health.pid), "")
        }
        Ok(None) => finding("agent", State::Ok, "does not run; up and apply start it", ""),
        Err(error) => finding("agent", State::Broken, error.message, error.help),
    })
}
