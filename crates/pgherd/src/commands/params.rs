//! `pgherd params`.

use clap::Args;
use pgherd_core::catalogue::parameters;
use pgherd_local::supervisor::messages::Parameter;
use serde::Serialize;

use super::Context;
use crate::databases::{self, Database};
use crate::error::{CommandError, Exit};
use crate::naming::{self, BlockAndName};
use crate::project::Project;
use crate::targets;

/// Show PostgreSQL settings as the running server has them, and who set them
///
/// Those that somebody set, or the one that is named, with what it means: pgherd params work_mem, or pgherd params BLOCK
/// work_mem. A word that is both a setting and a block is the setting; --block names the block.
#[derive(Debug, Args)]
pub struct ParamsArgs {
    #[command(flatten)]
    asked: BlockAndName,

    /// Also the settings nobody set
    #[arg(short, long)]
    all: bool,
}

/// One setting.
#[derive(Debug, Serialize)]
struct Setting {
    /// `block`, `pgherd` or `default`.
    set_by: &'static str,
    #[serde(flatten)]
    parameter: Parameter,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ParamsArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let asked = args.asked.understood(&project.labels(), |word| parameters::newest(word).is_some())?;
    let database =
        databases::one_existing_here_of(context, &project, &asked.one_block(), "show the settings of a database")?;
    let parameters = targets::wait_for(async {
        Ok::<_, CommandError>(databases::agent(context).await?.params(&database.spec.name).await?)
    })??;
    let mut settings: Vec<Setting> = parameters.into_iter().map(|parameter| setting(&database, parameter)).collect();
    match &asked.name {
        Some(name) => {
            let known: Vec<String> = settings.iter().map(|setting| setting.parameter.name.clone()).collect();
            settings.retain(|setting| setting.parameter.name.eq_ignore_ascii_case(name));
            if settings.is_empty() {
                let names = known.iter().map(String::as_str).chain(project.labels());
                let all = "pgherd params --all prints all of them";
                return Err(naming::unknown("PostgreSQL has no setting", name, names, all));
            }
        }
        None => settings.retain(|setting| args.all || context.printer.is_verbose() || setting.set_by != "default"),
    }
    if context.printer.is_json() {
        context.printer.json(&settings)?;
        return Ok(Exit::Done);
    }
    context.printer.result(&match settings.as_slice() {
        [one] if asked.name.is_some() => details(one),
        several => table(several),
    })?;
    if settings.iter().any(|setting| setting.parameter.pending_restart) {
        context
            .printer
            .next(&format!("pgherd apply --now{} restarts, so that what waits takes effect", context.same_project()));
    }
    Ok(Exit::Done)
}

fn setting(database: &Database, parameter: Parameter) -> Setting {
    // `pg_settings.source` also knows what the connection that asks has set for itself; that is nobody's setting.
    let in_a_file = ["configuration file", "command line", "database", "user", "database user"];
    let set_by = if database.spec.parameters.contains_key(&parameter.name) {
        "block"
    } else if in_a_file.contains(&parameter.source.as_str()) {
        "pgherd"
    } else {
        "default"
    };
    Setting { set_by, parameter }
}

fn table(settings: &[Setting]) -> String {
    let width = |of: fn(&Setting) -> &str| settings.iter().map(|setting| of(setting).len()).max().unwrap_or_default();
    let (names, values) = (width(|setting| &setting.parameter.name), width(|setting| &setting.parameter.value).min(40));
    let line = |setting: &Setting| {
        let Setting { set_by, parameter } = setting;
        let pending = if parameter.pending_restart { "  waits for a restart" } else { "" };
        format!("{:<names$}  {:<values$}  {set_by}{pending}\n", parameter.name, parameter.value)
    };
    settings.iter().map(line).collect()
}

fn details(setting: &Setting) -> String {
    let Setting { set_by, parameter } = setting;
    let takes_effect = match parameter.context.as_str() {
        "postmaster" => "at a restart",
        "sighup" => "at once, for every connection",
        "internal" => "never: it is fixed",
        _ => "at once, for new connections at the latest",
    };
    let pending = if parameter.pending_restart { "\n  waits     for a restart" } else { "" };
    format!(
        "{} = {}\n  {}\n  set by    {set_by}\n  a change takes effect {takes_effect}{pending}\n",
        parameter.name, parameter.value, parameter.description
    )
}
