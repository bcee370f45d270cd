//! `pgherd explain`.

use clap::Args;
use pgherd_core::spec::Spec;
use pgherd_core::text::{Explanation, explain};

use super::Context;
use crate::args::Blocks;
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::targets::ignores;

/// Show every setting of a database as it will be, and who decided it
#[derive(Debug, Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    blocks: Blocks,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ExplainArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let specs = databases::resolved(context, &project, &args.blocks, Warnings::Tell)?;
    let explanations: Vec<Explanation> = specs.iter().map(explained).collect();
    if context.printer.is_json() {
        context.printer.json(&explanations)?;
        return Ok(Exit::Done);
    }
    let texts: Vec<String> = explanations.iter().map(Explanation::to_string).collect();
    context.printer.result(&texts.join("\n"))?;
    Ok(Exit::Done)
}

fn explained(spec: &Spec) -> Explanation {
    explain(spec).with_reasons(ignores(spec.target))
}
