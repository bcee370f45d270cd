//! `pgherd agent`.

use std::io::IsTerminal as _;

use clap::Args;
use pgherd_local::client;
use pgherd_local::supervisor::{self, AgentOptions};

use tracing_subscriber::EnvFilter;

use super::Context;
use crate::error::{CommandError, Exit};
use crate::targets;

/// Keep this machine's databases running, in the foreground
///
/// `up` and `apply` start an agent by themselves when none runs. PostgreSQL does not end with the agent: the next one takes
/// it over. Under systemd (see --systemd) the databases also come back after a reboot.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// Print a systemd unit that runs the agent, and do nothing else
    #[arg(long)]
    systemd: bool,

    /// User who owns the databases when the agent is root [default: one is chosen or made]
    #[arg(long = "postgres-user", value_name = "USER", env = "PGHERD_POSTGRES_USER", hide_env_values = true)]
    postgres_user: Option<String>,

    /// Started by `apply`: leave its session, say `ready` on standard output and close it
    #[arg(long, hide = true)]
    announce: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &AgentArgs) -> Result<Exit, CommandError> {
    let options = AgentOptions {
        run_as: args.postgres_user.clone(),
        announce: args.announce,
        ..targets::agent_options(context.global)
    };
    if args.systemd {
        context.printer.text(&unit(&options)?)?;
        context.printer.next(if rustix::process::geteuid().is_root() {
            "save it as /etc/systemd/system/pgherd.service, then: systemctl enable --now pgherd"
        } else {
            "save it as ~/.config/systemd/user/pgherd.service, then: systemctl --user enable --now pgherd; loginctl enable-linger"
        });
        return Ok(Exit::Done);
    }
    log_to_stderr();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|cause| CommandError::io("the event loop cannot be started", &cause))?;
    let ended = runtime.block_on(supervisor::run(options));
    // A backup or a download that goes on holds nobody up: all that was begun may be cut short.
    runtime.shutdown_background();
    ended?;
    Ok(Exit::Done)
}

/// What the agent says while it runs goes to stderr, which is a file when `apply` started it. PGHERD_LOG says how much.
pub fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("PGHERD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // It would complain on stderr that stderr cannot be written (disk full), and panic over that.
        .log_internal_errors(false)
        .init();
}

/// `KillMode=process`: systemd would otherwise kill every PostgreSQL when the agent stops.
fn unit(options: &AgentOptions) -> Result<String, CommandError> {
    let program = std::env::current_exe()
        .map_err(|cause| CommandError::io("the path of the running program cannot be found", &cause))?;
    let mut command = quoted(&program.to_string_lossy());
    for argument in options.to_args() {
        command.push(' ');
        command.push_str(&quoted(&argument.to_string_lossy()));
    }
    let allocator: String =
        client::ALLOCATOR.iter().map(|(name, value)| format!("Environment={name}={value}\n")).collect();
    let state = quoted(&options.paths.state.to_string_lossy());
    let wanted_by = if rustix::process::geteuid().is_root() { "multi-user.target" } else { "default.target" };
    Ok(format!(
        "[Unit]
Description=pgherd agent: keeps PostgreSQL as it was asked for
After=network.target
# Databases are on it: before it is mounted there is nothing to keep.
RequiresMountsFor={state}
# However often it ended, it is started again: systemd would otherwise give up after five times.
StartLimitIntervalSec=0

[Service]
{allocator}ExecStart={command}
Restart=always
RestartSec=1
# PostgreSQL goes on without the agent; the next agent takes it over.
KillMode=process

[Install]
WantedBy={wanted_by}
"
    ))
}

/// As systemd.service(5), \"Command lines\", reads words: quoted where needed, `%` and `$` doubled.
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%").replace('$', "$$");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%$@+".contains(c);
    if word.chars().all(is_plain) { word } else { format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")) }
}
