//! From blocks to plans, and plans shown: what `plan`, `apply`, `up` and `destroy` have in common.

use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::lint::{self, Intent, Summary};
use pgherd_core::plan::document::{Document, document};
use pgherd_core::plan::text::{self, Sign};
use pgherd_core::plan::{Plan, Timing};
use pgherd_core::resource::{Observed, Status};
use pgherd_core::spec::Spec;
use pgherd_engine::provider::Provider;
use pgherd_engine::run::{self, Planned};

use crate::commands::Context;
use crate::databases::Database;
use crate::error::CommandError;
use crate::printer::Printer;
use crate::project::Project;
use crate::targets;

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
}

impl PlannedDatabase {
    /// Whether it exists and is stopped.
    pub fn is_stopped(&self) -> bool {
        self.planned.observed.iter().any(|seen| seen.status == Status::Stopped)
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

/// Looks at every database, one after the other, and plans. Sends no write.
pub fn plan(context: &Context<'_>, databases: Vec<Database>, goal: Goal) -> Result<Plans, CommandError> {
    let each = targets::wait_for(async {
        let mut each = Vec::new();
        for database in databases {
            let planned = plan_one(context, &*database.provider, &database.spec, goal).await?;
            each.push(PlannedDatabase { database, planned });
        }
        Ok::<_, CommandError>(each)
    })??;
    let summary = lint::summary(each.iter().map(|one| &one.planned.plan));
    Ok(Plans { each, summary })
}

async fn plan_one(
    context: &Context<'_>,
    provider: &dyn Provider,
    spec: &Spec,
    goal: Goal,
) -> Result<Planned, CommandError> {
    let planned = match goal {
        Goal::Apply { now } => {
            let usual = run::timing(spec, context.now);
            let timing = Timing { apply_now: now || usual.apply_now, ..usual };
            run::observe_and_plan(provider, spec, &timing, Intent::default()).await
        }
        Goal::Destroy => run::observe_and_plan_destroy(provider, spec).await,
    };
    Ok(planned?)
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
        for PlannedDatabase { database, planned } in &self.each {
            all.push_str(&heading(&database.spec, &planned.observed));
            all.push_str(&body(&planned.plan, verbose));
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
fn heading(spec: &Spec, observed: &[Observed]) -> String {
    let region = spec.place.region.known().map_or(String::new(), |region| format!(" {region}"));
    let asked = spec.engine_version.map(|version| version.to_string());
    let runs = || observed.iter().find_map(|seen| Some(seen.props.get("engine_version")?.as_text()?.to_owned()));
    let version = asked.or_else(runs).unwrap_or_else(|| "(the newest there is)".to_owned());
    format!("{}  {}{region}  PostgreSQL {version}\n\n", spec.name, spec.target)
}

fn body(plan: &Plan, verbose: bool) -> String {
    let lines = text::lines(plan, verbose);
    if lines.is_empty() {
        return "  nothing to do\n\n".to_owned();
    }
    let mut body = String::new();
    for line in lines {
        let color = match line.sign {
            Sign::Create => anstyle::AnsiColor::Green.on_default(),
            Sign::Change => anstyle::AnsiColor::Yellow.on_default(),
            Sign::Delete => anstyle::AnsiColor::Red.on_default(),
            Sign::Detail => anstyle::Style::new(),
        };
        body.push_str(&format!("{color}{}{color:#}\n", line.text));
    }
    body.push('\n');
    body
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
