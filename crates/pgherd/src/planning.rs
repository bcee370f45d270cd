//! From blocks to plans, and plans shown: what `plan`, `apply`, `up` and `destroy` have in common.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::document::{Document, document};
use pgherd_core::plan::text::{self, Sign};
use pgherd_core::plan::{Action, Plan, Timing};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::version::Version;
use pgherd_engine::provider::ProviderError;
use pgherd_engine::run::{self, Planned};
use pgherd_engine::settle::Patience;

use crate::args::Change;
use crate::commands::Context;
use crate::databases::Database;
use crate::error::CommandError;
use crate::printer::Printer;
use crate::project::Project;
use crate::targets::{self, Engine};

/// How many databases are looked at side by side.
pub const AT_ONCE: usize = 8;

/// What is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The blocks as they are written; `now`: without waiting for the window.
    Apply {
        /// Whether restarts happen during apply.
        now: bool,
    },
    /// Nothing left of them.
    Destroy,
}

/// A database with its plan.
#[derive(Debug)]
pub struct PlannedDatabase {
    /// Which.
    pub database: Database,
    /// What would be done.
    pub planned: Planned,
    /// What it will run when it is made.
    pub engine: Engine,
}

impl PlannedDatabase {
    /// Whether it exists and may have to be started: it is stopped, or busy with what may end so.
    pub fn may_be_stopped(&self) -> bool {
        self.planned.observed.iter().any(|seen| matches!(seen.status, Status::Stopped | Status::Busy(_)))
    }

    /// Whether something that holds users' data is made.
    pub fn makes_data(&self) -> bool {
        let holds_data =
            |kind: &str| self.database.provider.kinds().iter().any(|one| one.name == kind && one.holds_data);
        let mut steps = self.planned.plan.steps.iter();
        steps.any(|step| matches!(step.action, Action::Create { .. }) && holds_data(&step.id.kind))
    }

    /// Whether users' data goes with the plan.
    pub fn loses_data(&self) -> bool {
        self.planned.plan.steps.iter().any(|step| matches!(step.action, Action::Delete { holds_data: true, .. }))
    }
}

/// The plans of several databases.
#[derive(Debug)]
pub struct Plans {
    /// Each with its own.
    pub each: Vec<PlannedDatabase>,
    /// All of them in figures.
    pub summary: Summary,
}

/// Looks at all databases, and plans. Sends no write.
pub fn plan(context: &Context<'_>, databases: Vec<Database>, goal: Goal) -> Result<Plans, CommandError> {
    plan_all(context, databases, &async |database: &Database| plan_one(database, goal, context.now).await)
}

/// The same for whoever is about to carry it out: what is in the way and goes on by itself, such as what a run began that was cut short,
/// is waited for.
pub fn plan_to_do(
    context: &Context<'_>,
    databases: Vec<Database>,
    goal: Goal,
    change: &Change,
) -> Result<Plans, CommandError> {
    if change.dry_run || change.no_wait {
        return plan(context, databases, goal);
    }
    let began = Instant::now();
    plan_all(context, databases, &async |database: &Database| {
        let name = &database.spec.name;
        let tell = |words: String| context.printer.say(&format!("{name}: {words}; waiting for it"));
        // The window may open or close meanwhile.
        let now = || context.now.saturating_add(SignedDuration::try_from(began.elapsed()).unwrap_or_default());
        let usual = database.provider.until_free();
        let deadline = change.timeout.map_or(usual.deadline, |timeout| timeout.min(usual.deadline));
        let patience = Patience { deadline, ..usual };
        run::once_free(&patience, tell, || plan_one(database, goal, now().unwrap_or(context.now))).await
    })
}

fn plan_all(
    context: &Context<'_>,
    databases: Vec<Database>,
    plan: &impl AsyncFn(&Database) -> Result<Planned, ProviderError>,
) -> Result<Plans, CommandError> {
    let each = targets::wait_for(async {
        let plans = databases.into_iter().map(async |database| {
            let planned = plan(&database).await?;
            let is_new = planned.observed.is_empty();
            let engine = if is_new { targets::engine(context.global, &database.spec) } else { Engine::Unknown };
            Ok::<_, CommandError>(PlannedDatabase { database, planned, engine })
        });
        stream::iter(plans).buffered(AT_ONCE).try_collect::<Vec<_>>().await
    })??;
    let summary = lint::summary(each.iter().map(|one| &one.planned.plan));
    Ok(Plans { each, summary })
}

async fn plan_one(database: &Database, goal: Goal, at: Timestamp) -> Result<Planned, ProviderError> {
    let (provider, spec) = (&*database.provider, &database.spec);
    match goal {
        Goal::Apply { now } => {
            let usual = run::timing(spec, at);
            let timing = Timing { apply_now: now || usual.apply_now, ..usual };
            run::observe_and_plan(provider, spec, &timing, Intent::default()).await
        }
        Goal::Destroy => run::observe_and_plan_destroy(provider, spec).await,
    }
}

impl Plans {
    /// Shows the plans and tells what is to be said about them. An error when something stops them.
    pub fn show(&self, printer: &Printer, project: &Project) -> Result<(), CommandError> {
        if !printer.is_json() {
            printer.result(&self.text(printer.is_verbose()))?;
        }
        let diagnostics: Vec<Diagnostic> =
            self.each.iter().flat_map(|one| one.planned.plan.diagnostics.iter().cloned()).collect();
        printer.diagnostics(project.locate(&diagnostics));
        refused(&diagnostics)
    }

    fn text(&self, verbose: bool) -> String {
        let mut all = String::new();
        for PlannedDatabase { database, planned, engine } in &self.each {
            all.push_str(&heading(&database.spec, &planned.observed, engine));
            all.push_str(&body(planned, verbose));
        }
        all.push_str(&format!("{}\n", self.summary));
        all
    }

    /// The plans as `--json` shows them.
    pub fn document(&self) -> Document {
        let plans: Vec<Plan> = self.each.iter().map(|one| one.planned.plan.clone()).collect();
        document(env!("CARGO_PKG_VERSION"), &plans)
    }

    /// How many steps there are in all.
    pub fn steps(&self) -> usize {
        self.each.iter().map(|one| one.planned.plan.steps.len()).sum()
    }
}

/// `learning-assistant-prod  aws us-east-1  PostgreSQL 16`
fn heading(spec: &Spec, observed: &[Observed], will_run: &Engine) -> String {
    let region = spec.place.region.known().map_or(String::new(), |region| format!(" {region}"));
    let runs = observed.iter().find_map(|seen| {
        let version = |field| Some(seen.props.get(field)?.as_text()?.to_owned());
        // Where another version runs than the one asked for, the compared field holds what was asked.
        version("engine_version_actual").or_else(|| version("engine_version"))
    });
    let engine = runs.map_or_else(|| will_run.clone(), Engine::Runs);
    format!("{}  {}{region}  PostgreSQL {}\n\n", spec.name, spec.target, engine_words(spec.engine_version, &engine))
}

/// `15.18`, or `14.9 asked, 14.23 runs`
fn engine_words(asked: Option<Version>, engine: &Engine) -> String {
    match (asked, engine) {
        (Some(asked), Engine::Runs(runs)) if is_another(asked, runs) => format!("{asked} asked, {runs} runs"),
        (_, Engine::Runs(runs)) => runs.clone(),
        (_, Engine::Fetched(version)) => format!("{version}, to be fetched"),
        (Some(asked), Engine::Unknown) => asked.to_string(),
        (None, Engine::Unknown) => "(the newest there is)".to_owned(),
    }
}

/// Whether a version is neither the one asked for nor a minor of it.
fn is_another(asked: Version, runs: &str) -> bool {
    Version::parse(runs)
        .is_none_or(|runs| runs.major != asked.major || asked.minor.is_some_and(|minor| runs.minor != Some(minor)))
}

fn body(planned: &Planned, verbose: bool) -> String {
    let lines = text::lines(&planned.plan, verbose);
    let mut body = String::new();
    if lines.is_empty() {
        body.push_str("  nothing to do\n");
    }
    for line in lines {
        let color = match line.sign {
            Sign::Create => anstyle::AnsiColor::Green.on_default(),
            Sign::Change => anstyle::AnsiColor::Yellow.on_default(),
            Sign::Delete => anstyle::AnsiColor::Red.on_default(),
            Sign::Detail => anstyle::Style::new(),
        };
        body.push_str(&format!("{color}{}{color:#}\n", line.text));
    }
    for seen in &planned.observed {
        body.push_str(&besides(seen, &planned.plan));
    }
    body.push('\n');
    body
}

/// What should be known of a resource although the plan does nothing about it.
fn besides(seen: &Observed, plan: &Plan) -> String {
    let mut said = String::new();
    if plan.steps.iter().any(|step| matches!(step.action, Action::Delete { .. })) {
        return said;
    }
    if seen.status == Status::Stopped {
        said.push_str("    it is stopped; up starts it\n");
    }
    for pending in text::waiting(&plan.steps, seen) {
        let (field, what) = (&pending.field, pending.what());
        said.push_str(&format!("    {field} was accepted and waits for {what}; apply --now does not wait\n"));
    }
    said
}

/// An error when a diagnostic stops what was planned: a refusal when it is only for safety.
fn refused(diagnostics: &[Diagnostic]) -> Result<(), CommandError> {
    let errors: Vec<&Diagnostic> = diagnostics.iter().filter(|one| one.severity == Severity::Error).collect();
    if errors.is_empty() {
        return Ok(());
    }
    let message = "the plan cannot be applied; nothing was touched";
    if errors.iter().all(|error| lint::is_refusal(error)) {
        return Err(CommandError::refused(message));
    }
    Err(CommandError::failed(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asked: &str, engine: &Engine, expected: &str) {
        assert_eq!(engine_words(Version::parse(asked), engine), expected);
    }

    #[test]
    fn only_what_is_refused_for_safety_alone_is_a_refusal() {
        let exit = |diagnostics: &[Diagnostic]| {
            refused(diagnostics).map_err(|error| crate::error::Exit::from(error.kind).number())
        };
        let (loss, protected) = (Diagnostic::error(lint::DATA_LOSS, "a"), Diagnostic::error(lint::PROTECTED, "b"));
        let (fixed, warning) = (Diagnostic::error("fixed-field", "c"), Diagnostic::warning("half-made", "d"));
        assert_eq!(exit(&[]), Ok(()));
        assert_eq!(exit(std::slice::from_ref(&warning)), Ok(()));
        assert_eq!(exit(&[loss.clone(), warning, protected]), Err(4));
        assert_eq!(exit(&[loss, fixed]), Err(1));
    }

    #[test]
    fn the_heading_names_what_runs_and_what_was_asked_when_that_is_another() {
        check("14.9", &Engine::Runs("14.23".to_owned()), "14.9 asked, 14.23 runs");
        check("14", &Engine::Runs("14.23".to_owned()), "14.23");
        check("", &Engine::Runs("14.23".to_owned()), "14.23");
        check("14", &Engine::Runs("15.18".to_owned()), "14 asked, 15.18 runs");
        check("14", &Engine::Fetched(Version { major: 14, minor: None }), "14, to be fetched");
        check("14", &Engine::Unknown, "14");
        check("", &Engine::Unknown, "(the newest there is)");
    }
}
