//! What remains of databases that are deleted: their last backups, told before and after.

use pgherd_core::plan::document::Document;
use pgherd_core::spec::Spec;
use pgherd_engine::ending::{self, Left};
use serde::Serialize;

use crate::commands::Context;
use crate::databases::Database;
use crate::error::{CommandError, Exit};
use crate::planning::Plans;
use crate::targets;

/// A last backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastBackup {
    /// Whose.
    pub database: String,
    /// What it is called.
    pub name: String,
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
    for Database { spec, .. } in lost(plans) {
        match ending::left(spec, context.now) {
            Left::Backup(name) => context.printer.say(&format!("{}: a last backup {name} is taken first", spec.name)),
            Left::Nothing { message, help } => {
                context.printer.warn("no-last-backup", &format!("{}: {message}", spec.name), help);
            }
        }
    }
}

/// Says where the last backups are, once the databases are gone.
pub fn tell(context: &Context<'_>, plans: &Plans) -> Result<(), CommandError> {
    for backup in last_backups(context, plans, When::Afterwards)? {
        let LastBackup { database, name } = backup;
        context.printer.result(&format!("the last backup of {database} is {name}\n"))?;
    }
    Ok(())
}

/// When somebody is told of last backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before anything is done, so by the names they are to have.
    Beforehand,
    /// Once the databases are gone, so by the names they have.
    Afterwards,
}

impl When {
    /// The moment after a run that ended so.
    pub fn after(exit: Exit) -> Self {
        if exit == Exit::Done { Self::Afterwards } else { Self::Beforehand }
    }
}

/// The document of a verb that deletes.
pub fn document(context: &Context<'_>, plans: &Plans, when: When) -> Result<Ended, CommandError> {
    Ok(Ended { plans: plans.document(), last_backups: last_backups(context, plans, when)? })
}

fn last_backups(context: &Context<'_>, plans: &Plans, when: When) -> Result<Vec<LastBackup>, CommandError> {
    let backups = lost(plans).filter_map(|one| Some((one, last_backup(context, &one.spec)?)));
    let named = backups.map(|(one, backup)| match when {
        When::Afterwards => Ok(name_in_the_end(one, &backup.name)?.map(|name| LastBackup { name, ..backup })),
        When::Beforehand => Ok(Some(backup)),
    });
    named.filter_map(Result::transpose).collect()
}

/// What a target calls the last backup of a database that is gone: it gives it another name where somebody has taken the one that was
/// asked for. `None`: there is none, because the database was never finished.
fn name_in_the_end(database: &Database, asked: &str) -> Result<Option<String>, CommandError> {
    let backups = targets::wait_for(database.provider.backups(&database.spec))?;
    // Without being told of them nobody knows.
    let kept = backups.map(|backups| backups.kept).unwrap_or_default();
    let known = ending::newest_of(&kept, asked).map(str::to_owned);
    if database.is_here() {
        return Ok(known);
    }
    Ok(Some(known.unwrap_or_else(|| format!("{asked}, unless another name was told above"))))
}

fn lost(plans: &Plans) -> impl Iterator<Item = &Database> {
    plans.each.iter().filter(|one| one.loses_data()).map(|one| &one.database)
}

fn last_backup(context: &Context<'_>, spec: &Spec) -> Option<LastBackup> {
    let name = ending::last_backup(spec, context.now)?;
    Some(LastBackup { database: spec.name.clone(), name })
}
