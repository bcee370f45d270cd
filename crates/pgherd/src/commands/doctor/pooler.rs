//! Whether there is a PgBouncer for `enable_proxy`, and getting one.

use std::process::{Command, Stdio};

use pgherd_local::pooler;

use super::super::Context;
use super::{Finding, State, finding};

/// What Debian and Ubuntu have it as.
const INSTALL: [&str; 4] = ["apt-get", "install", "-y", "pgbouncer"];

/// The PgBouncer of this machine, with what its version cannot do.
pub(super) fn look() -> Finding {
    match pooler::find(std::env::var_os("PATH").as_deref()) {
        Some(program) => {
            let (major, minor, patch) = program.version;
            let found = format!("{major}.{minor}.{patch} in {}", program.path.display());
            finding("PgBouncer", State::Ok, found, program.caveat("transaction").unwrap_or_default())
        }
        None => {
            let help = "needed by enable_proxy; pgherd doctor --fix installs it as root on Debian and Ubuntu";
            finding("PgBouncer", State::Missing, "not installed", help)
        }
    }
}

/// Installs the package where it is missing. What cannot be done is said, and found missing again afterwards.
pub(super) fn fix(context: &Context<'_>) {
    if pooler::find(std::env::var_os("PATH").as_deref()).is_some() {
        return;
    }
    let command = INSTALL.join(" ");
    if !rustix::process::geteuid().is_root() {
        return context.printer.warn(
            "install-failed",
            "PgBouncer can only be installed by root",
            &format!("sudo {command}"),
        );
    }
    context.printer.say(&format!("PgBouncer: {command}"));
    match run(&INSTALL) {
        Ok(()) => leave_to_pgherd(),
        Err(why) => context.printer.warn("install-failed", &format!("PgBouncer was not installed: {why}"), &command),
    }
}

/// The package starts a pooler of its own, which leads nowhere and holds port 6432.
fn leave_to_pgherd() {
    // Without systemd nothing was started.
    drop(run(&["systemctl", "disable", "--now", "pgbouncer.service"]));
}

fn run(words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().last().unwrap_or("it gave no reason").trim().to_owned())
}
