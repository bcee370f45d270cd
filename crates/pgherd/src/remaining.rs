//! What remains of databases that are deleted: their last backups, told before and after.

use std::path::PathBuf;

use pgherd_core::cloud::Cloud;
use pgherd_core::plan::document::Document;
use pgherd_core::spec::Spec;
use pgherd_engine::run;
use serde::Serialize;

use crate::commands::Context;
use crate::error::CommandError;
use crate::planning::Plans;
use crate::targets;

/// A last backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastBackup {
    /// Whose.
    pub database: String,
    /// What it is called.
    pub name: String,
    /// The folder it is in; `None`: the target keeps it.
    pub path: Option<PathBuf>,
}

/// The plans as `--json` shows them, and what remains when they are carried out.
#[derive(Debug, Serialize)]
pub struct Ended {
    #[serde(flatten)]
    plans: Document,
    /// The last backup of each database whose data goes.
    last_backups: Vec<LastBackup>,
}

/// Says which backup will remain of each database, or that none will.
pub fn announce(context: &Context<'_>, plans: &Plans) {
    for spec in lost(plans) {
        match last_backup(context, spec) {
            Some(backup) => {
                context.printer.say(&format!("{}: a last backup {} is taken first", spec.name, backup.name));
            }
            None => {
                let message = format!("{}: no last backup is taken (skip_final_snapshot)", spec.name);
                context.printer.warn("no-last-backup", &message, "skip_final_snapshot = false takes one");
            }
        }
    }
}

/// Says where the last backups are, once the databases are gone.
pub fn tell(context: &Context<'_>, plans: &Plans) -> Result<(), CommandError> {
    for backup in last_backups(context, plans) {
        let LastBackup { database, name, path } = backup;
        // A database that was never finished has nothing to be kept.
        if path.as_ref().is_some_and(|path| !path.exists()) {
            continue;
        }
        let place = path.map_or(name, |path| path.display().to_string());
        context.printer.result(&format!("the last backup of {database} is {place}\n"))?;
    }
    Ok(())
}

/// The document of a verb that deletes.
pub fn document(context: &Context<'_>, plans: &Plans) -> Ended {
    Ended { plans: plans.document(), last_backups: last_backups(context, plans) }
}

fn last_backups(context: &Context<'_>, plans: &Plans) -> Vec<LastBackup> {
    lost(plans).filter_map(|spec| last_backup(context, spec)).collect()
}

fn lost(plans: &Plans) -> impl Iterator<Item = &Spec> {
    plans.each.iter().filter(|one| one.loses_data()).map(|one| &one.database.spec)
}

fn last_backup(context: &Context<'_>, spec: &Spec) -> Option<LastBackup> {
    let name = run::deletion(spec, context.now).final_backup?;
    let path = match spec.target {
        Cloud::Local => Some(targets::paths(context.global).instance(&spec.name).backups.join(&name)),
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean => None,
    };
    Some(LastBackup { database: spec.name.clone(), name, path })
}
