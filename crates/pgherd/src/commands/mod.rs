//! One file a verb: its arguments, whose doc comments are its help, and what it does.

use clap::Subcommand;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::args::{Cli, Global};
use crate::error::{CommandError, Exit};
use crate::printer::Printer;

mod adopt;
mod agent;
mod apply;
mod backup;
mod backups;
mod clone;
mod compare;
mod completions;
mod connect;
mod destroy;
mod doctor;
mod down;
mod drill;
mod emulate;
mod endpoint;
mod env;
mod events;
mod explain;
mod failover;
mod forget;
mod init;
mod logs;
mod man;
pub mod output;
mod params;
mod plan;
mod promote;
mod reference;
mod restore;
mod rotate;
mod status;
mod switchover;
mod terraform;
mod up;
mod validate;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Init(init::InitArgs),
    Validate(validate::ValidateArgs),
    Explain(explain::ExplainArgs),
    Plan(plan::PlanArgs),
    Apply(apply::ApplyArgs),
    Up(up::UpArgs),
    Down(down::DownArgs),
    Status(status::StatusArgs),
    Output(output::OutputArgs),
    Env(env::EnvArgs),
    Connect(connect::ConnectArgs),
    Logs(logs::LogsArgs),
    Events(events::EventsArgs),
    Params(params::ParamsArgs),
    Backup(backup::BackupArgs),
    Backups(backups::BackupsArgs),
    Rotate(rotate::RotateArgs),
    Switchover(switchover::SwitchoverArgs),
    Failover(failover::FailoverArgs),
    Promote(promote::PromoteArgs),
    Restore(restore::RestoreArgs),
    Clone(clone::CloneArgs),
    Drill(drill::DrillArgs),
    Adopt(adopt::AdoptArgs),
    Forget(forget::ForgetArgs),
    Destroy(destroy::DestroyArgs),
    Doctor(doctor::DoctorArgs),
    Emulate(emulate::EmulateArgs),
    Terraform(terraform::TerraformArgs),
    Agent(agent::AgentArgs),
    #[command(hide = true)]
    Endpoint(endpoint::EndpointArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    Reference(reference::ReferenceArgs),
}

impl Verb {
    /// Whether it can be about several targets at once.
    pub fn compares(&self) -> bool {
        matches!(self, Self::Plan(_))
    }

    /// Its name, as it is typed.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Init(_) => "init",
            Self::Validate(_) => "validate",
            Self::Explain(_) => "explain",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Up(_) => "up",
            Self::Down(_) => "down",
            Self::Status(_) => "status",
            Self::Output(_) => "output",
            Self::Env(_) => "env",
            Self::Connect(_) => "connect",
            Self::Logs(_) => "logs",
            Self::Events(_) => "events",
            Self::Params(_) => "params",
            Self::Backup(_) => "backup",
            Self::Backups(_) => "backups",
            Self::Rotate(_) => "rotate",
            Self::Switchover(_) => "switchover",
            Self::Failover(_) => "failover",
            Self::Promote(_) => "promote",
            Self::Restore(_) => "restore",
            Self::Clone(_) => "clone",
            Self::Drill(_) => "drill",
            Self::Adopt(_) => "adopt",
            Self::Forget(_) => "forget",
            Self::Destroy(_) => "destroy",
            Self::Doctor(_) => "doctor",
            Self::Emulate(_) => "emulate",
            Self::Terraform(_) => "terraform",
            Self::Agent(_) => "agent",
            Self::Endpoint(_) => "endpoint",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Reference(_) => "reference",
        }
    }
}

/// What every verb is handed.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The way to the terminal.
    pub printer: &'a Printer,
    /// Flags that stand everywhere.
    pub global: &'a Global,
    /// The moment the command began.
    pub now: Timestamp,
}

impl Context<'_> {
    /// The day the command began, UTC.
    pub fn today(&self) -> Date {
        self.now.to_zoned(TimeZone::UTC).date()
    }

    /// ` -f FILE --provider CLOUD` as far as they were typed, so that a next step is about the same databases.
    pub fn same_project(&self) -> String {
        let file = self.global.file.as_ref().map_or(String::new(), |file| format!(" --file {}", file.display()));
        let provider = self.global.provider.map_or(String::new(), |provider| format!(" --provider {provider}"));
        format!("{file}{provider}")
    }
}

/// Does what was typed.
pub fn run(printer: &Printer, cli: Cli) -> Result<Exit, CommandError> {
    let context = Context { printer, global: &cli.global, now: now()? };
    match cli.verb {
        Verb::Init(args) => init::run(&context, &args),
        Verb::Validate(args) => validate::run(&context, &args),
        Verb::Explain(args) => explain::run(&context, &args),
        Verb::Plan(args) => plan::run(&context, &args),
        Verb::Apply(args) => apply::run(&context, &args),
        Verb::Up(args) => up::run(&context, &args),
        Verb::Down(args) => down::run(&context, &args),
        Verb::Status(args) => status::run(&context, &args),
        Verb::Output(args) => output::run(&context, &args),
        Verb::Env(args) => env::run(&context, &args),
        Verb::Connect(args) => connect::run(&context, &args),
        Verb::Logs(args) => logs::run(&context, &args),
        Verb::Events(args) => events::run(&context, &args),
        Verb::Params(args) => params::run(&context, &args),
        Verb::Backup(args) => backup::run(&context, &args),
        Verb::Backups(args) => backups::run(&context, &args),
        Verb::Rotate(args) => rotate::run(&context, &args),
        Verb::Switchover(args) => switchover::run(&context, &args),
        Verb::Failover(args) => failover::run(&context, &args),
        Verb::Promote(args) => promote::run(&context, &args),
        Verb::Restore(args) => restore::run(&context, &args),
        Verb::Clone(args) => clone::run(&context, &args),
        Verb::Drill(args) => drill::run(&context, &args),
        Verb::Adopt(args) => adopt::run(&context, &args),
        Verb::Forget(args) => forget::run(&context, &args),
        Verb::Destroy(args) => destroy::run(&context, &args),
        Verb::Doctor(args) => doctor::run(&context, &args),
        Verb::Emulate(args) => emulate::run(&context, &args),
        Verb::Terraform(args) => terraform::run(&context, &args),
        Verb::Agent(args) => agent::run(&context, &args),
        Verb::Endpoint(args) => endpoint::run(&context, &args),
        Verb::Completions(args) => completions::run(&context, &args),
        Verb::Man(args) => man::run(&context, &args),
        Verb::Reference(args) => reference::run(&context, &args),
    }
}

/// The clock, or `PGHERD_NOW` so that outputs with dates can be reproduced.
fn now() -> Result<Timestamp, CommandError> {
    let given = pgherd_targets::given_now();
    let given = given.map_err(|words| CommandError::failed(words).hint("write 2026-11-21T22:00:00Z"))?;
    Ok(given.unwrap_or_else(Timestamp::now))
}
