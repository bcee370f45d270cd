//! What remains of databases that are deleted: their last backups, told before and after.

use pgherd_core::cloud::Cloud;
use pgherd_core::plan::document::Document;
use pgherd_core::report::Backup;
use pgherd_core::spec::Spec;
use pgherd_engine::run;
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
        match last_backup(context, spec) {
            Some(backup) => {
                context.printer.say(&format!("{}: a last backup {} is taken first", spec.name, backup.name));
            }
            None => {
                // They are deleted with the instance, so not even a moment before is left.
                let kept = spec.target != Cloud::Aws && spec.backup.retention_days == 0;
                let more = if kept { "" } else { ", and its automated backups go with it" };
                let (why, help) = match takes_one(spec) {
                    true => (" (skip_final_snapshot)", "skip_final_snapshot = false takes one"),
                    false => ("", "DigitalOcean has none; keep a pg_dump"),
                };
                let message = format!("{}: no last backup is taken{why}{more}", spec.name);
                context.printer.warn("no-last-backup", &message, help);
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
    let known = newest_of(&kept, asked).map(str::to_owned);
    if database.is_here() {
        return Ok(known);
    }
    Ok(Some(known.unwrap_or_else(|| format!("{asked}, unless another name was told above"))))
}

/// The newest of the backups, which are listed from the oldest on, that are called as was asked for or after it.
fn newest_of<'a>(kept: &'a [Backup], asked: &str) -> Option<&'a str> {
    let asked = asked.to_lowercase();
    let is_time =
        |rest: &str| rest.len() == 15 && rest.starts_with('-') && rest[1..].bytes().all(|byte| byte.is_ascii_digit());
    let is_it = |name: &str| name.strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || is_time(rest));
    kept.iter().map(|backup| backup.name.as_str()).rfind(|name| is_it(name))
}

fn lost(plans: &Plans) -> impl Iterator<Item = &Database> {
    plans.each.iter().filter(|one| one.loses_data()).map(|one| &one.database)
}

/// Whether its target has last backups at all.
fn takes_one(spec: &Spec) -> bool {
    spec.target != Cloud::DigitalOcean
}

fn last_backup(context: &Context<'_>, spec: &Spec) -> Option<LastBackup> {
    if !takes_one(spec) {
        return None;
    }
    let name = run::deletion(spec, context.now).final_backup?;
    Some(LastBackup { database: spec.name.clone(), name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kept: &[&str], asked: &str, expected: Option<&str>) {
        let backup = |name: &&str| Backup {
            name: (*name).to_owned(),
            automatic: false,
            state: "available".to_owned(),
            taken_at: None,
            bytes: None,
            engine_version: None,
            encrypted: None,
            region: None,
        };
        let kept: Vec<Backup> = kept.iter().map(backup).collect();
        assert_eq!(newest_of(&kept, asked), expected);
    }

    #[test]
    fn the_newest_of_a_name_or_after_it() {
        check(&["orders-last"], "orders-last", Some("orders-last"));
        check(&["ORDERS", "orders-last"], "Orders-Last", Some("orders-last"));
        let other = "orders-last-20261122183000";
        check(&["orders-last", other], "orders-last", Some(other));
        check(&["orders-last", "orders-last-week", "orders-last-2026"], "orders-last", Some("orders-last"));
        check(&["before"], "orders-last", None);
    }
}
