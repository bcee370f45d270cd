//! From blocks to plans, and plans shown: what `plan`, `apply`, `up` and `destroy` have in common.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::document::{Document, document};
use pgherd_core::plan::text::{self, Sign};
use pgherd_core::plan::{Action, BUSY, Plan, Timing};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_core::version::Version;
use pgherd_engine::free;
use pgherd_engine::provider::ProviderError;
use pgherd_engine::run::{self, Planned};

use crate::args::{self, Change};
use crate::commands::Context;
use crate::databases::Database;
use crate::error::{CommandError, Kind};
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
    /// When they were made, as far as windows go.
    pub at: Timestamp,
    /// How long that took, with what was waited for.
    pub took: Duration,
}

/// Looks at all databases, and plans. Sends no write.
pub fn plan(context: &Context<'_>, databases: Vec<Database>, goal: Goal) -> Result<Plans, CommandError> {
    let began = Instant::now();
    let planned = targets::wait_for(plan_all(&databases, goal, context.now))??;
    Ok(Plans::of(context, databases, planned, (context.now, began)))
}

/// The same for the end of databases, whose deletions wait by themselves for what is in the way.
pub fn plan_destroy(context: &Context<'_>, databases: Vec<Database>, change: &Change) -> Result<Plans, CommandError> {
    let began = Instant::now();
    let planned = in_time(change, None, async { Ok(plan_all(&databases, Goal::Destroy, context.now).await?) })?;
    Ok(Plans::of(context, databases, planned, (context.now, began)))
}

/// The same for whoever is about to carry it out: what is in the way and goes on by itself, such as what a run began that was cut short,
/// is waited for, and then all is planned anew, since nothing that is seen meanwhile stays so. Where something else is in the way of any of
/// them, waiting is of no use. Who is always asked is asked afterwards, but is not let wait where nobody could answer.
pub fn plan_to_do(
    context: &Context<'_>,
    databases: Vec<Database>,
    goal: Goal,
    change: &Change,
    asked: Asked,
) -> Result<Plans, CommandError> {
    let began = Instant::now();
    let is_asked = asked == Asked::Always && !change.yes;
    let (in_the_way, at) = (RefCell::new(None), Cell::new(context.now));
    let planned = in_time(change, Some(&in_the_way), async {
        let planned = plan_all(&databases, goal, at.get()).await?;
        let Some(words) = waits_for(&databases, &planned).filter(|_| !change.dry_run && !change.no_wait) else {
            return Ok(planned);
        };
        if is_asked && !args::can_ask() {
            let message = format!("{words}; and nobody could be asked afterwards: there is no terminal");
            return Err(
                CommandError::refused(message).hint("add --yes to agree to what is left then, or run it on a terminal")
            );
        }
        *in_the_way.borrow_mut() = Some(words);
        let then = if is_asked { ", then asking" } else { "" };
        let tell = |place: usize, words: &str| {
            context.printer.say(&format!("{}: {words}; waiting for it{then}", databases[place].spec.name));
        };
        let patience = |place: usize| databases[place].provider.until_free();
        let again = |place: usize| {
            at.set(later(context, began.elapsed()));
            plan_one(&databases[place], goal, at.get())
        };
        let planned = free::once_all_free(planned, patience, AT_ONCE, tell, again).await?;
        match waits_for(&databases, &planned) {
            Some(words) => {
                let message = format!("stopped waiting after {}; {words}; nothing was touched", lasted(began));
                Err(CommandError::new(Kind::TimedOut, message).hint("the same command again goes on waiting"))
            }
            None => Ok(planned),
        }
    })?;
    let mut plans = Plans::of(context, databases, planned, (at.get(), began));
    // Whoever will not wait is not told that `apply` does.
    if change.no_wait && plans.are_busy() {
        let all = plans.each.iter_mut().flat_map(|one| &mut one.planned.plan.diagnostics);
        for busy in all.filter(|one| one.code == BUSY && one.severity == Severity::Error) {
            "run it again when that is over".clone_into(&mut busy.help);
        }
    }
    Ok(plans)
}

/// Whether a question comes before what is planned is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whatever it is.
    Always,
    /// Where clients would notice.
    Perhaps,
}

/// What is looked at within `--timeout`, of which the work gets the rest. So far nothing was touched.
fn in_time<T>(
    change: &Change,
    in_the_way: Option<&RefCell<Option<String>>>,
    looks: impl Future<Output = Result<T, CommandError>>,
) -> Result<T, CommandError> {
    let Some(timeout) = change.timeout else { return targets::wait_for(looks)? };
    let looked = targets::wait_for(async { tokio::time::timeout(timeout, looks).await })?;
    looked.unwrap_or_else(|_| {
        let words = in_the_way.and_then(|words| words.borrow().clone());
        let (message, hint) = match words {
            Some(words) => {
                (format!("stopped waiting at the timeout; {words}"), "the same command again goes on waiting")
            }
            None => ("the timeout passed before all was looked at".to_owned(), "a longer --timeout leaves time for it"),
        };
        Err(CommandError::new(Kind::TimedOut, format!("{message}; nothing was touched")).hint(hint))
    })
}

fn lasted(began: Instant) -> String {
    pgherd_core::text::duration(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// The moment so long after the command began.
fn later(context: &Context<'_>, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or_default();
    context.now.saturating_add(by).unwrap_or(context.now)
}

async fn plan_all(databases: &[Database], goal: Goal, at: Timestamp) -> Result<Vec<Planned>, ProviderError> {
    let plans = databases.iter().map(|database| plan_one(database, goal, at));
    stream::iter(plans).buffered(AT_ONCE).try_collect().await
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

/// What is in the way and goes on by itself, where nothing else is in the way of any plan, in words.
fn waits_for(databases: &[Database], planned: &[Planned]) -> Option<String> {
    let refused = databases.iter().zip(planned).filter(|(_, planned)| planned.plan.is_refused());
    let words = refused.map(|(database, one)| Some(format!("{}: {}", database.spec.name, one.plan.waits_for()?)));
    words.collect::<Option<Vec<_>>>().filter(|words| !words.is_empty()).map(|words| words.join("; "))
}

impl Plans {
    fn of(
        context: &Context<'_>,
        databases: Vec<Database>,
        planned: Vec<Planned>,
        (at, began): (Timestamp, Instant),
    ) -> Self {
        let summary = lint::summary(planned.iter().map(|one| &one.plan));
        let each = databases.into_iter().zip(planned).map(|(database, planned)| {
            let is_new = planned.observed.is_empty();
            let engine = if is_new { targets::engine(context.global, &database.spec) } else { Engine::Unknown };
            PlannedDatabase { database, planned, engine }
        });
        Self { each: each.collect(), summary, at, took: began.elapsed() }
    }

    /// Whether all that is in the way of any goes on by itself.
    fn are_busy(&self) -> bool {
        let mut refused = self.each.iter().map(|one| &one.planned.plan).filter(|plan| plan.is_refused()).peekable();
        refused.peek().is_some() && refused.all(|plan| plan.waits_for().is_some())
    }

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
