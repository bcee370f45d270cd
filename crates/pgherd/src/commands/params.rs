//! `pgherd params`.

use clap::Args;
use pgherd_core::catalogue::parameters;
use pgherd_core::report::{LiveParameter, TakesEffect};
use pgherd_core::value::Value;
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

/// Who set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum SetBy {
    /// The block, among its `parameters`.
    Block,
    /// pgherd, for what the block says in other words.
    Pgherd,
    /// Somebody else, by hand or in a group of settings of their own.
    Others,
    /// PostgreSQL, or the target for whoever says nothing.
    Default,
}

impl SetBy {
    fn word(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Pgherd => "pgherd",
            Self::Others => "others",
            Self::Default => "default",
        }
    }
}

/// One setting.
#[derive(Debug, Serialize)]
struct Setting {
    set_by: SetBy,
    #[serde(flatten)]
    parameter: LiveParameter,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ParamsArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let asked = args.asked.understood(&project.labels(), |word| parameters::newest(word).is_some())?;
    let database = databases::one_existing_of(context, &project, &asked.one_block())?;
    let parameters = targets::wait_for(database.provider.parameters(&database.spec))??;
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
        None => settings.retain(|setting| args.all || context.printer.is_verbose() || setting.set_by != SetBy::Default),
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

fn setting(database: &Database, parameter: LiveParameter) -> Setting {
    let set_by = match parameter.is_set {
        _ if database.spec.parameters.contains_key(&parameter.name) => SetBy::Block,
        false => SetBy::Default,
        // What somebody else sets here, the agent puts right.
        true if database.is_here() || is_desired(database, &parameter.name) => SetBy::Pgherd,
        true => SetBy::Others,
    };
    Setting { set_by, parameter }
}

/// Whether the target is told to set it.
fn is_desired(database: &Database, name: &str) -> bool {
    let desired = database.provider.desired(&database.spec);
    let mut groups = desired.iter().filter_map(|resource| resource.props.get("Parameters").and_then(Value::as_map));
    groups.any(|group| group.contains_key(name))
}

fn table(settings: &[Setting]) -> String {
    let width = |of: fn(&Setting) -> String| settings.iter().map(|setting| of(setting).len()).max().unwrap_or_default();
    let (names, values) = (width(|setting| setting.parameter.name.clone()), width(value).min(40));
    let line = |setting: &Setting| {
        let Setting { set_by, parameter } = setting;
        let pending = if parameter.pending_restart { "  waits for a restart" } else { "" };
        format!("{:<names$}  {:<values$}  {}{pending}\n", parameter.name, value(setting), set_by.word())
    };
    settings.iter().map(line).collect()
}

fn details(setting: &Setting) -> String {
    let Setting { set_by, parameter } = setting;
    let takes_effect = match (parameter.takes_effect, parameter.context.as_deref()) {
        (TakesEffect::AtRestart, _) => "at a restart",
        (TakesEffect::Never, _) => "never: it is fixed",
        (TakesEffect::AtOnce, Some("sighup")) => "at once, for every connection",
        (TakesEffect::AtOnce, _) => "at once, for new connections at the latest",
    };
    let pending = if parameter.pending_restart { "\n  waits     for a restart" } else { "" };
    let allowed = match parameter.allowed.as_str() {
        "" => String::new(),
        allowed => format!("\n  allowed   {allowed}"),
    };
    format!(
        "{} = {}\n  {}\n  set by    {}{allowed}\n  a change takes effect {takes_effect}{pending}\n",
        parameter.name,
        value(setting),
        parameter.description,
        set_by.word()
    )
}

/// What it is set to. A server says the unit with the value; a cloud may have bare numbers, of which 0 and -1 mean the same in all.
fn value(setting: &Setting) -> String {
    let LiveParameter { value, unit, .. } = &setting.parameter;
    let Some(value) = value else { return "(PostgreSQL's own default)".to_owned() };
    let is_bare = value.parse::<f64>().is_ok_and(|number| number > 0.0);
    match unit {
        Some(unit) if is_bare && unit.starts_with(|c: char| c.is_ascii_digit()) => format!("{value} x {unit}"),
        Some(unit) if is_bare => format!("{value} {unit}"),
        Some(_) | None => value.clone(),
    }
}
