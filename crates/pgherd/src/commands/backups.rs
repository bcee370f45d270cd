//! `pgherd backups`.

use clap::Args;
use jiff::Timestamp;
use pgherd_core::report::{Backup, Backups};
use pgherd_core::text;
use serde::Serialize;

use super::Context;
use crate::args::{Blocks, OneBlock};
use crate::databases::{self, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::targets;

/// List the backups of a database, and the moments it can be restored to
///
/// Oldest first, times in UTC. Also of a database that is gone, as long as its block is at hand.
#[derive(Debug, Args)]
pub struct BackupsArgs {
    #[command(flatten)]
    block: OneBlock,
}

#[derive(Debug, Serialize)]
struct Listed {
    database: String,
    #[serde(flatten)]
    backups: Backups,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &BackupsArgs) -> Result<Exit, CommandError> {
    let project = Project::read(context.global)?;
    let chosen = Blocks::of([project.one_block(&args.block)?.block.clone()]);
    let mut databases = databases::bind(context, &project, &chosen, Warnings::Leave)?;
    let database = databases.pop().ok_or_else(|| CommandError::not_found("no block was chosen"))?;
    let backups = targets::wait_for(database.provider.backups(&database.spec))??;
    if context.printer.is_json() {
        context.printer.json(&Listed { database: database.spec.name, backups })?;
    } else {
        context.printer.result(&words(&backups))?;
    }
    Ok(Exit::Done)
}

fn words(backups: &Backups) -> String {
    let width = backups.kept.iter().map(|backup| backup.name.len()).max().unwrap_or_default();
    let mut words: String = backups.kept.iter().map(|backup| line(backup, width)).collect();
    if words.is_empty() {
        words.push_str("no backups\n");
    }
    if let Some(range) = &backups.restorable {
        let from = range.from.map_or(String::new(), |from| format!(" from {}", time(from)));
        words.push_str(&format!("restorable to any moment{from} to {}\n", time(range.to)));
    }
    words
}

/// `orders-20261122t183000z  2026-11-22 18:30:00Z  available  kept  PostgreSQL 17.11, encrypted`
fn line(backup: &Backup, width: usize) -> String {
    let Backup { name, automatic, state, taken_at, bytes, engine_version, encrypted, region } = backup;
    let taken = taken_at.map_or_else(|| "being taken".to_owned(), time);
    let kept = if *automatic { "automatic" } else { "kept" };
    let mut more: Vec<String> = Vec::new();
    more.extend(engine_version.as_ref().map(|version| format!("PostgreSQL {version}")));
    more.extend(bytes.map(text::bytes));
    more.extend(encrypted.map(|encrypted| if encrypted { "encrypted" } else { "not encrypted" }.to_owned()));
    more.extend(region.as_ref().map(|region| format!("in {region}")));
    format!("{name:<width$}  {taken:<20}  {state}  {kept}  {}\n", more.join(", "))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
