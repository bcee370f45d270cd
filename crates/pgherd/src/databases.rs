//! The databases a command is about: blocks read, resolved, checked, and bound to the target they run on.

use std::collections::BTreeSet;
use std::fmt;

use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity};
use pgherd_core::spec::Spec;
use pgherd_engine::provider::Provider;
use pgherd_local::client::Client;
use pgherd_local::supervisor::messages::Instance;

use crate::args::{Blocks, OneBlock};
use crate::commands::Context;
use crate::error::CommandError;
use crate::project::{Meaning, Project};
use crate::targets;

/// A block, resolved, with its target.
pub struct Database {
    /// What it means.
    pub spec: Spec,
    /// Where it runs.
    pub provider: Box<dyn Provider>,
}

impl Database {
    /// Whether the agent of this machine keeps it, which knows more of it than a target has to tell.
    pub fn is_here(&self) -> bool {
        self.spec.target == Cloud::Local
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// Whether warnings about the configuration are told. Verbs that change nothing leave them to `validate` and `plan`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warnings {
    /// Told.
    Tell,
    /// Left out.
    Leave,
}

/// The chosen blocks with their targets. Everything wrong with them is told, and is an error.
pub fn read(
    context: &Context<'_>,
    chosen: &Blocks,
    warnings: Warnings,
) -> Result<(Project, Vec<Database>), CommandError> {
    let project = Project::read(context.global)?;
    let databases = bind(context, &project, chosen, warnings)?;
    Ok((project, databases))
}

/// The chosen blocks of a project with their targets.
pub fn bind(
    context: &Context<'_>,
    project: &Project,
    chosen: &Blocks,
    warnings: Warnings,
) -> Result<Vec<Database>, CommandError> {
    let specs = resolved(context, project, chosen, warnings)?;
    let bound = |spec: Spec| -> Result<Database, CommandError> {
        let provider = targets::provider(context.global, &spec)?;
        Ok(Database { spec, provider })
    };
    specs.into_iter().map(bound).collect()
}

/// What the chosen blocks mean. Everything wrong with them is told, and is an error.
pub fn resolved(
    context: &Context<'_>,
    project: &Project,
    chosen: &Blocks,
    warnings: Warnings,
) -> Result<Vec<Spec>, CommandError> {
    let labels: BTreeSet<String> = match project.blocks(chosen) {
        Ok(blocks) => blocks.into_iter().map(|block| block.block.clone()).collect(),
        Err(error) => {
            // A file that cannot be read has no blocks; what is wrong with it says more.
            project.tell(context.printer, &project.document.diagnostics)?;
            return Err(error);
        }
    };
    let Meaning { specs, mut diagnostics } = project.meaning(context);
    // What changes nothing works with a block that the checks would no longer let through.
    if warnings == Warnings::Tell {
        diagnostics.extend(project.checked(&specs, context));
    }
    let about_chosen = |diagnostic: &Diagnostic| match &diagnostic.at {
        At::Variable { block, .. } => labels.contains(block),
        At::Nowhere | At::Source { .. } => true,
    };
    let told: Vec<Diagnostic> = diagnostics
        .into_iter()
        .filter(about_chosen)
        .filter(|one| warnings == Warnings::Tell || one.severity == Severity::Error)
        .collect();
    project.tell(context.printer, &told)?;
    Ok(specs.into_iter().filter(|spec| labels.contains(&spec.block)).collect())
}

/// The one block that is meant. A file that cannot be read has none; what is wrong with it says more.
pub fn one_of(context: &Context<'_>, project: &Project, chosen: &OneBlock) -> Result<Blocks, CommandError> {
    let block = project.one_block(chosen).map(|block| Blocks::of([block.block.clone()]));
    block.or_else(|error| project.tell(context.printer, &project.document.diagnostics).and(Err(error)))
}

/// The chosen block with its target, where it must exist: what every verb about one database begins with. What its target cannot do
/// the target itself refuses.
pub fn one_existing(context: &Context<'_>, chosen: &OneBlock) -> Result<Database, CommandError> {
    one_existing_of(context, &Project::read(context.global)?, chosen)
}

/// The same of files that were read already.
pub fn one_existing_of(context: &Context<'_>, project: &Project, chosen: &OneBlock) -> Result<Database, CommandError> {
    let blocks = one_of(context, project, chosen)?;
    let databases = bind(context, project, &blocks, Warnings::Leave)?;
    let mut databases = existing(context, databases)?;
    databases.pop().ok_or_else(|| CommandError::not_found("no block was chosen"))
}

/// The same databases, all of which must exist.
pub fn existing(context: &Context<'_>, databases: Vec<Database>) -> Result<Vec<Database>, CommandError> {
    let missing = targets::wait_for(missing(context, &databases))??;
    let Some(first) = missing.first() else { return Ok(databases) };
    let names: Vec<&str> = missing.iter().map(|spec| spec.name.as_str()).collect();
    let be = if missing.len() == 1 { "does" } else { "do" };
    let (place, verb) = match first.target {
        Cloud::Local => ("this machine".to_owned(), "up"),
        cloud => (cloud.to_string(), "apply"),
    };
    Err(CommandError::not_found(format!("{} {be} not exist on {place}", names.join(", ")))
        .hint(format!("pgherd {verb}{} makes it", context.same_project())))
}

/// Those that do not exist.
async fn missing<'d>(context: &Context<'_>, databases: &'d [Database]) -> Result<Vec<&'d Spec>, CommandError> {
    let instances = match databases.iter().any(Database::is_here) {
        true => match targets::local(context.global)?.agent_to_look().await? {
            Some(agent) => agent.list().await?,
            None => Vec::new(),
        },
        false => Vec::new(),
    };
    let mut missing = Vec::new();
    for database in databases {
        let exists = match database.is_here() {
            true => instances.iter().any(|instance| instance.name == database.spec.name),
            false => database.provider.exists(&database.spec).await?,
        };
        if !exists {
            missing.push(&database.spec);
        }
    }
    Ok(missing)
}

/// The agent that keeps this machine's databases.
pub async fn agent(context: &Context<'_>) -> Result<Client, CommandError> {
    Ok(targets::local(context.global)?.agent().await?)
}

/// What is known of one database that exists.
pub async fn instance(context: &Context<'_>, name: &str) -> Result<Instance, CommandError> {
    agent(context).await?.instance(name).await?.ok_or_else(|| CommandError::not_found(format!("{name} does not exist")))
}
