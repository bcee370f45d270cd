//! Whether there is a PgBouncer for `enable_proxy`, and getting one.

use std::io;
use std::process::{Command, Stdio};

use pgherd_local::pooler;

use super::super::Context;
use super::{Finding, State, finding};

/// What Debian and Ubuntu have it as.
const INSTALL: [&str; 4] = ["apt-get", "install", "-y", "pgbouncer"];
const UPDATE: [&str; 2] = ["apt-get", "update"];

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

/// Installs the package where it is missing; whether it is there then. What cannot be done is said.
pub(super) fn fix(context: &Context<'_>) -> bool {
    if pooler::find(std::env::var_os("PATH").as_deref()).is_some() {
        return true;
    }
    if !rustix::process::geteuid().is_root() {
        let help = format!("sudo {}", INSTALL.join(" "));
        context.printer.warn("install-failed", "PgBouncer can only be installed by root", &help);
        return false;
    }
    let say_and_run = |words: &[&str]| {
        context.printer.say(&format!("PgBouncer: {}", words.join(" ")));
        run(words)
    };
    match install(say_and_run) {
        Ok(()) => leave_to_pgherd(),
        Err(why) => {
            let help = "install the package pgbouncer with this machine's package manager; pgherd finds it by itself";
            context.printer.warn("install-failed", &format!("PgBouncer was not installed: {why}"), help);
            return false;
        }
    }
    true
}

/// A fresh machine, and every container image, has no lists of packages yet or old ones: they are fetched when the package is not
/// found, and not before, since that takes longer than all else.
fn install(mut run: impl FnMut(&[&str]) -> Result<(), String>) -> Result<(), String> {
    run(&INSTALL).or_else(|_| run(&UPDATE).and_then(|()| run(&INSTALL)))
}

/// The package starts a pooler of its own, which leads nowhere and holds port 6432.
fn leave_to_pgherd() {
    // Without systemd nothing was started.
    drop(run(&["systemctl", "disable", "--now", "pgbouncer.service"]));
}

fn run(words: &[&str]) -> Result<(), String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    let output = command.output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("this machine has no {}", words[0]),
        _ => format!("{} cannot be run: {error}", words[0]),
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(said.lines().last().unwrap_or("it gave no reason").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is run when the package is found from the so many-th try on, and what comes of it.
    #[track_caller]
    fn check(found_from: usize, update: &Result<(), String>, ran: &[&str], expected: Result<(), &str>) {
        let (mut tries, mut lines) = (0, Vec::new());
        let result = install(|words| {
            lines.push(words[1].to_owned());
            if words[1] == "update" {
                return update.clone();
            }
            tries += 1;
            if tries >= found_from { Ok(()) } else { Err("E: Unable to locate package pgbouncer".to_owned()) }
        });
        assert_eq!(lines, ran);
        assert_eq!(result, expected.map_err(str::to_owned));
    }

    #[test]
    fn lists_of_packages_are_fetched_when_the_package_is_not_found() {
        check(1, &Ok(()), &["install"], Ok(()));
        check(2, &Ok(()), &["install", "update", "install"], Ok(()));
        let unknown = Err("E: Unable to locate package pgbouncer");
        check(3, &Ok(()), &["install", "update", "install"], unknown);
        check(2, &Err("no network".to_owned()), &["install", "update"], Err("no network"));
    }

    #[test]
    fn a_machine_without_the_program_is_told_so() {
        assert_eq!(run(&["pgherd-no-such-program"]), Err("this machine has no pgherd-no-such-program".to_owned()));
        assert_eq!(run(&["sh", "-c", "echo first >&2; echo last >&2; exit 3"]), Err("last".to_owned()));
        assert_eq!(run(&["true"]), Ok(()));
    }
}
