//! From blocks to plans, and plans shown: what `plan`, `apply`, `up` and `destroy` have in common.

use std::cell::RefCell;
use std::collections::HashSet;
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
use pgherd_engine::provider::ProviderError;
use pgherd_engine::run::{self, Planned};
use pgherd_engine::settle::Patience;

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
    /// How long they waited for what was in the way.
    pub waited: Duration,
}

/// Looks at all databases, and plans. Sends no write.
pub fn plan(context: &Context<'_>, databases: Vec<Database>, goal: Goal) -> Result<Plans, CommandError> {
    plan_all(context, databases, goal, Duration::ZERO)
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
    let mut plans = plan(context, databases, goal)?;
    let waits = !change.dry_run && !change.no_wait;
    let is_asked = asked == Asked::Always && !change.yes;
    let mut told = HashSet::new();
    while let Some(words) = plans.waits_for().filter(|_| waits) {
        if is_asked && !args::can_ask() {
            let message = format!("{words}; and nobody could be asked afterwards: there is no terminal");
            return Err(
                CommandError::refused(message).hint("add --yes to agree to what is left then, or run it on a terminal")
            );
        }
        let left = change.timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
        let then = if is_asked { ", then asking" } else { "" };
        let tell = |name: &str, words: &str| {
            let line = format!("{name}: {words}; waiting for it{then}");
            if told.insert(line.clone()) {
                context.printer.say(&line);
            }
        };
        let is_free = wait_for_busy(context, &plans, goal, began, left, tell)?;
        let waited = began.elapsed();
        let databases = plans.each.into_iter().map(|one| one.database).collect();
        plans = plan_all(context, databases, goal, waited)?;
        if is_free {
            continue;
        }
        match plans.waits_for() {
            Some(words) if change.timeout.is_some_and(|timeout| waited >= timeout) => {
                let message = format!("stopped waiting at the timeout; {words}; nothing was touched");
                return Err(CommandError::new(Kind::TimedOut, message).hint("the same command again goes on waiting"));
            }
            _ => break,
        }
    }
    if change.timeout.is_some_and(|timeout| began.elapsed() >= timeout) && !plans.waited.is_zero() {
        let error =
            CommandError::new(Kind::TimedOut, "the timeout passed while something was waited for; nothing was touched");
        return Err(error.hint("the same command again does it"));
    }
    // Whoever has waited, or will not, is not told that `apply` does.
    if !change.dry_run && plans.waits_for().is_some() {
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

/// Looks at those that are busy until none is, which is `true`, or patience ends.
fn wait_for_busy(
    context: &Context<'_>,
    plans: &Plans,
    goal: Goal,
    began: Instant,
    left: Option<Duration>,
    mut tell: impl FnMut(&str, &str),
) -> Result<bool, CommandError> {
    let tell = RefCell::new(&mut tell);
    let busy = plans.each.iter().filter(|one| one.planned.plan.waits_for().is_some()).map(async |one| {
        let (database, name) = (&one.database, &one.database.spec.name);
        let usual = database.provider.until_free();
        let deadline = usual.deadline.saturating_sub(began.elapsed());
        let patience = Patience { deadline: left.map_or(deadline, |left| left.min(deadline)), ..usual };
        let tell = |words: String| (*tell.borrow_mut())(name, &words);
        run::once_free(&patience, tell, || plan_one(database, goal, later(context, began.elapsed()))).await
    });
    let looked = targets::wait_for(stream::iter(busy.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect::<Vec<_>>())??;
    Ok(looked.iter().all(|planned| planned.plan.waits_for().is_none()))
}

/// The moment so long after the command began.
fn later(context: &Context<'_>, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or_default();
    context.now.saturating_add(by).unwrap_or(context.now)
}

fn plan_all(
    context: &Context<'_>,
    databases: Vec<Database>,
    goal: Goal,
    waited: Duration,
) -> Result<Plans, CommandError> {
    let at = later(context, waited);
    let each = targets::wait_for(async {
        let plans = databases.into_iter().map(async |database| {
            let planned = plan_one(&database, goal, at).await?;
            let is_new = planned.observed.is_empty();
            let engine = if is_new { targets::engine(context.global, &database.spec) } else { Engine::Unknown };
            Ok::<_, CommandError>(PlannedDatabase { database, planned, engine })
        });
        stream::iter(plans).buffered(AT_ONCE).try_collect::<Vec<_>>().await
    })??;
    let summary = lint::summary(each.iter().map(|one| &one.planned.plan));
    Ok(Plans { each, summary, at, waited })
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
    /// What is in the way and goes on by itself, where nothing else is in the way of any plan, in words.
    fn waits_for(&self) -> Option<String> {
        let refused = self.each.iter().filter(|one| one.planned.plan.is_refused());
        let words = refused.map(|one| Some(format!("{}: {}", one.database.spec.name, one.planned.plan.waits_for()?)));
        words.collect::<Option<Vec<_>>>().filter(|words| !words.is_empty()).map(|words| words.join("; "))
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
