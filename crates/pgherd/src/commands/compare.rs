//! `pgherd plan --provider aws,digitalocean`: what the blocks come to on several targets, side by side. Nobody is asked: what a cloud says
//! of it a plan of that cloud alone shows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{At, Diagnostic, Severity};
use pgherd_core::inputs::Inputs;
use pgherd_core::spec::{Origin, Spec, resolve};
use pgherd_core::variables;
use serde::Serialize;

use super::Context;
use crate::args::Blocks;
use crate::error::{CommandError, Exit};
use crate::project::{self, Project};
use crate::targets;

/// The blocks, each on every target.
#[derive(Debug, Serialize)]
struct Comparison {
    blocks: Vec<Compared>,
}

/// A block on several targets.
#[derive(Debug, Serialize)]
struct Compared {
    block: String,
    name: String,
    targets: Vec<There>,
    /// Variables that are not the same everywhere.
    differs: Vec<&'static str>,
}

/// A block on a target.
#[derive(Debug, Serialize)]
struct There {
    target: Cloud,
    /// Whether this version makes databases there, which it does everywhere.
    reached: bool,
    size: Size,
    /// What each variable comes to; none where it has no effect.
    values: BTreeMap<&'static str, Option<String>>,
    /// What stops it there.
    refused: Vec<Said>,
    /// What is to be known about it there.
    warned: Vec<Said>,
    /// Variables that are written and have no effect there.
    no_effect: Vec<Ignored>,
}

#[derive(Debug, Serialize)]
struct Size {
    name: String,
    /// `null`: nobody here knows.
    vcpu: Option<f64>,
    memory_mib: Option<u64>,
    storage_gib: u64,
}

#[derive(Debug, Serialize)]
struct Said {
    code: &'static str,
    variable: Option<String>,
    message: String,
    help: String,
}

#[derive(Debug, Serialize)]
struct Ignored {
    variable: &'static str,
    reason: Option<&'static str>,
}

/// Runs it.
pub fn run(context: &Context<'_>, chosen: &Blocks, clouds: &[Cloud]) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    project.tell(context.printer, &project.document.diagnostics)?;
    let blocks = project.blocks(chosen)?.into_iter().map(|inputs| compared(context, inputs, clouds)).collect();
    let comparison = Comparison { blocks };
    if context.printer.is_json() {
        context.printer.json(&comparison)?;
    } else {
        let texts: Vec<String> = comparison.blocks.iter().map(text).collect();
        context.printer.result(&texts.join("\n"))?;
    }
    context.printer.next("pgherd plan --provider CLOUD");
    Ok(Exit::Done)
}

fn compared(context: &Context<'_>, inputs: &Inputs, clouds: &[Cloud]) -> Compared {
    let specs = clouds.iter().filter_map(|cloud| {
        let (spec, said) = resolve(inputs, Some(*cloud));
        Some((spec?, said))
    });
    let targets: Vec<(String, There)> =
        specs.map(|(spec, said)| (spec.name.clone(), there(context, inputs, &spec, said))).collect();
    let name = targets.first().map(|(name, _)| name.clone()).unwrap_or_default();
    let targets: Vec<There> = targets.into_iter().map(|(_, there)| there).collect();
    // What is not written is told where targets that know it take different values for it; what is written, where one does without it.
    let differs = |name: &str| {
        let mut values: Vec<_> = targets.iter().map(|one| one.values.get(name).cloned().flatten()).collect();
        if !is_written(inputs, name) {
            values.retain(Option::is_some);
        }
        values.windows(2).any(|two| two[0] != two[1])
    };
    // The target is the head of the column, and the size a line of its own.
    let rows = variables::all().filter(|one| {
        one.canonical.is_none() && !["cloud_provider", "instance_class", "allocated_storage"].contains(&one.name)
    });
    let differs = rows.map(|one| one.name).filter(|name| differs(name)).collect();
    Compared { block: inputs.block.clone(), name, targets, differs }
}

fn there(context: &Context<'_>, inputs: &Inputs, spec: &Spec, mut said: Vec<Diagnostic>) -> There {
    said.extend(project::checked(inputs, spec, context));
    let of = |severity| said.iter().filter(|one| one.severity == severity).map(told).collect();
    let ignores = targets::ignores(spec.target);
    let is_ignored = |name: &str| ignores.iter().any(|(ignored, _)| *ignored == name);
    let value = |name: &'static str| {
        let effective = spec.effective.get(name)?;
        let acts = effective.origin != Origin::NoEffect && effective.value != "null" && !is_ignored(name);
        Some((name, acts.then(|| effective.value.clone())))
    };
    let canonical = || variables::all().filter(|one| one.canonical.is_none()).map(|one| one.name);
    let is_lost = |name: &&str| {
        let has_none = spec.effective.get(*name).is_some_and(|one| one.origin == Origin::NoEffect);
        let is_refused = said.iter().any(|one| one.severity == Severity::Error && is_at(one, name));
        *name != "cloud_provider" && is_written(inputs, name) && !is_refused && (has_none || is_ignored(name))
    };
    let reason = |name: &str| ignores.iter().find(|(ignored, _)| *ignored == name).map(|(_, reason)| *reason);
    There {
        target: spec.target,
        reached: true,
        size: Size {
            name: spec.size.name.clone(),
            vcpu: spec.size.is_known().then_some(spec.size.vcpu),
            memory_mib: spec.size.is_known().then_some(spec.size.memory_mib),
            storage_gib: spec.storage.allocated_gib,
        },
        values: canonical().filter_map(value).collect(),
        refused: of(Severity::Error),
        warned: of(Severity::Warning),
        no_effect: canonical().filter(is_lost).map(|name| Ignored { variable: name, reason: reason(name) }).collect(),
    }
}

fn is_written(inputs: &Inputs, name: &str) -> bool {
    inputs.get(name).is_some() || variables::aliases(name).any(|alias| inputs.get(alias.name).is_some())
}

fn is_at(said: &Diagnostic, variable: &str) -> bool {
    let At::Variable { path, .. } = &said.at else { return false };
    path.split(['.', '[']).next() == Some(variable)
}

fn told(said: &Diagnostic) -> Said {
    let variable = match &said.at {
        At::Variable { path, .. } if !path.is_empty() => Some(path.clone()),
        At::Variable { .. } | At::Nowhere | At::Source { .. } => None,
    };
    Said { code: said.code, variable, message: said.message.clone(), help: said.help.clone() }
}

/// Columns, and below them what is refused and what has no effect, target by target.
fn text(compared: &Compared) -> String {
    const WIDEST: usize = 28;
    let Compared { block: _, name, targets, differs } = compared;
    let heads = targets.iter().map(|one| one.target.to_string()).collect();
    let mut rows: Vec<(String, Vec<String>)> = vec![(name.clone(), heads)];
    let of = |cell: fn(&There) -> String| targets.iter().map(cell).collect::<Vec<_>>();
    rows.push(("  size".to_owned(), of(|one| one.size.name.clone())));
    rows.push((
        String::new(),
        of(|one| match (one.size.vcpu, one.size.memory_mib) {
            (Some(vcpu), Some(mib)) => format!("{vcpu} vCPU, {}", memory(mib)),
            _ => "?".to_owned(),
        }),
    ));
    rows.push(("  storage".to_owned(), of(|one| format!("{} GiB", one.size.storage_gib))));
    for variable in differs {
        let cell = |one: &There| match one.values.get(variable) {
            Some(Some(value)) if value.chars().count() > WIDEST => {
                format!("{}…", value.chars().take(WIDEST - 1).collect::<String>())
            }
            Some(Some(value)) => value.clone(),
            Some(None) | None => "-".to_owned(),
        };
        rows.push((format!("  {variable}"), targets.iter().map(cell).collect()));
    }
    rows.push(("  refused".to_owned(), of(|one| one.refused.len().to_string())));
    let mut all = table(&rows);
    for one in targets {
        let target = one.target;
        let lists = [("refused", &one.refused), ("warned", &one.warned)];
        for (what, said) in lists.into_iter().filter(|(_, said)| !said.is_empty()) {
            let _ = writeln!(all, "\n{target}, {what}:");
            for Said { code, variable, message, help: _ } in said {
                let at = variable.as_ref().map_or(String::new(), |variable| format!("{variable}: "));
                let _ = writeln!(all, "  {at}{message} [{code}]");
            }
        }
        if !one.no_effect.is_empty() {
            let _ = writeln!(all, "\n{target}, no effect:");
            for Ignored { variable, reason } in &one.no_effect {
                let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
                let _ = writeln!(all, "  {variable}{why}");
            }
        }
    }
    all
}

fn memory(mib: u64) -> String {
    if mib.is_multiple_of(1024) { format!("{} GiB", mib / 1024) } else { format!("{mib} MiB") }
}

fn table(rows: &[(String, Vec<String>)]) -> String {
    let columns = rows.first().map_or(0, |(_, cells)| cells.len());
    let widest = |column: usize| rows.iter().map(|(_, cells)| cells[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let first = rows.iter().map(|(head, _)| head.chars().count()).max().unwrap_or_default();
    let line = |(head, cells): &(String, Vec<String>)| {
        let cells: String = cells.iter().zip(&widths).map(|(cell, width)| format!("  {cell:<width$}")).collect();
        format!("{}\n", format!("{head:<first$}{cells}").trim_end())
    };
    rows.iter().map(line).collect()
}
