//! The databases a command is about: blocks read, resolved, checked, and bound to the target they run on.

use std::collections::BTreeSet;
use std::fmt;

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
        let provider = targets::provider(context.global, spec.target, &spec.block)?;
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

/// The chosen block with its target, which must exist.
pub fn one_existing(context: &Context<'_>, chosen: &OneBlock) -> Result<Database, CommandError> {
    one_existing_of(context, &Project::read(context.global)?, chosen)
}

/// The same of files that were read already.
pub fn one_existing_of(context: &Context<'_>, project: &Project, chosen: &OneBlock) -> Result<Database, CommandError> {
    let blocks = Blocks::of([project.one_block(chosen)?.block.clone()]);
    let databases = bind(context, project, &blocks, Warnings::Leave)?;
    let mut databases = existing(context, databases)?;
    databases.pop().ok_or_else(|| CommandError::not_found("no block was chosen"))
}

/// The same databases, all of which must exist.
pub fn existing(context: &Context<'_>, databases: Vec<Database>) -> Result<Vec<Database>, CommandError> {
    let instances = targets::wait_for(async {
        let Some(agent) = targets::local(context.global)?.agent_to_look().await? else { return Ok(Vec::new()) };
        Ok::<_, CommandError>(agent.list().await?)
    })??;
    let missing: Vec<&str> = databases
        .iter()
        .map(|database| database.spec.name.as_str())
        .filter(|name| !instances.iter().any(|instance| instance.name == *name))
        .collect();
    if missing.is_empty() {
        return Ok(databases);
    }
    let be = if missing.len() == 1 { "does" } else { "do" };
    Err(CommandError::not_found(format!("{} {be} not exist on this machine", missing.join(", ")))
        .hint(format!("pgherd up{} makes it", context.same_project())))
}

/// The agent that keeps this machine's databases.
pub async fn agent(context: &Context<'_>) -> Result<Client, CommandError> {
    Ok(targets::local(context.global)?.agent().await?)
}

/// What is known of one database that exists.
pub async fn instance(context: &Context<'_>, name: &str) -> Result<Instance, CommandError> {
    agent(context).await?.instance(name).await?.ok_or_else(|| CommandError::not_found(format!("{name} does not exist")))
}
