//! `pgherd backups`.

use clap::Args;
use jiff::Timestamp;
use pgherd_core::report::{Backup, Backups, Restorable};
use pgherd_core::text;
use pgherd_engine::provider::{ErrorKind, Events, ProviderError};
use pgherd_local::provider::tell;
use pgherd_local::supervisor::messages::{CheckReport, CopyReport, Stored};
use serde::Serialize;

use super::Context;
use crate::args::{Change, OneBlock};
use crate::carrying::{self, Carrier, Ending};
use crate::confirm::confirm_loss;
use crate::databases::{self, Database, Warnings};
use crate::error::{CommandError, Exit};
use crate::project::Project;
use crate::reports::copied;
use crate::targets;

/// List the backups of a database, and the moments it can be restored to
///
/// Oldest first, times in UTC. Also of a database that is gone, as long as its block is at hand. On this machine --check reads back
/// everything that is stored and says what is damaged, missing or foreign, with exit code 1; --delete deletes one that somebody asked for,
/// or lets go of what restore --replace put aside. --all lists every database that something is stored of on this machine, those without a
/// block too: a block with such a name restores it.
#[derive(Debug, Args)]
#[command(mut_arg("yes", |flag| flag.hide(true)), mut_arg("dry_run", |flag| flag.requires("deleted")))]
pub struct BackupsArgs {
    #[command(flatten)]
    block: OneBlock,

    /// List all that something is stored of, with the last backup of each, whether or not there is a block of it (local)
    #[arg(long, conflicts_with_all = ["block", "by_flag", "check", "deleted"])]
    all: bool,

    /// Read back everything that is stored, and say what is wrong with it (local)
    #[arg(long)]
    check: bool,

    /// Delete this backup, or let go of what was put aside under this name (local)
    #[arg(id = "deleted", long = "delete", value_name = "BACKUP", conflicts_with = "check")]
    delete: Option<String>,

    #[command(flatten)]
    change: Change,

    /// Answer the question for the name of the backup, which --delete asks
    #[arg(long, value_name = "BACKUP", requires = "deleted")]
    confirm: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Listed {
    database: String,
    #[serde(flatten)]
    backups: Backups,
    /// The copy in the second repository of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    second_copy: Option<CopyReport>,
}

#[derive(Debug, Serialize)]
struct Checked {
    database: String,
    #[serde(flatten)]
    report: CheckReport,
}

#[derive(Debug, Serialize)]
struct Deleted {
    database: String,
    /// What is deleted.
    backup: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &BackupsArgs) -> Result<Exit, CommandError> {
    if args.all {
        return list_all(context);
    }
    let project = Project::read(context.global)?;
    let chosen = databases::one_of(context, &project, &args.block)?;
    let mut databases = databases::bind(context, &project, &chosen, Warnings::Leave)?;
    let database = databases.pop().ok_or_else(|| CommandError::not_found("no block was chosen"))?;
    if args.check {
        return check(context, args, &database);
    }
    if let Some(backup) = &args.delete {
        return delete(context, args, &database, backup);
    }
    let backups = targets::wait_for(database.provider.backups(&database.spec))??;
    let second_copy = if database.is_here() { second_copy(context, &database.spec.name)? } else { None };
    if context.printer.is_json() {
        context.printer.json(&Listed { database: database.spec.name, backups, second_copy })?;
    } else {
        let copy = second_copy.map_or(String::new(), |copy| format!("copy  {}\n", copied(&copy, Timestamp::now())));
        context.printer.result(&(words(&backups) + &copy))?;
    }
    Ok(Exit::Done)
}

/// Everything stored on this machine.
fn list_all(context: &Context<'_>) -> Result<Exit, CommandError> {
    let stored =
        targets::wait_for(async { databases::agent(context).await?.stored().await.map_err(CommandError::from) })??;
    if context.printer.is_json() {
        context.printer.json(&stored)?;
        return Ok(Exit::Done);
    }
    let width = stored.iter().map(|one| one.name.len()).max().unwrap_or_default();
    let mut words: String = stored.iter().map(|one| line_of(one, width)).collect();
    if words.is_empty() {
        words.push_str("nothing is stored\n");
    }
    context.printer.result(&words)?;
    Ok(Exit::Done)
}

/// `orders  gone  3 backups, the last orders-final of 2026-11-22 18:30:00Z, restorable to 2026-11-22 18:31:00Z`
fn line_of(stored: &Stored, width: usize) -> String {
    let Stored { name, is_there, backups, last, restorable_to, failure } = stored;
    let count = text::count(usize::try_from(*backups).unwrap_or(usize::MAX), "backup", "backups");
    let last = last.as_ref().map(|last| format!("the last {} of {}", last.name, time(last.taken_at)));
    let more = [last, restorable_to.map(|to| format!("restorable to {}", time(to))), failure.clone()];
    let words: Vec<String> = std::iter::once(count).chain(more.into_iter().flatten()).collect();
    format!("{name:<width$}  {}  {}\n", if *is_there { "here" } else { "gone" }, words.join(", "))
}

/// How the copy of a database is doing that is there and has one.
fn second_copy(context: &Context<'_>, name: &str) -> Result<Option<CopyReport>, CommandError> {
    targets::wait_for(async {
        let Some(agent) = targets::local(context.global)?.agent_to_look().await? else { return Ok(None) };
        match agent.status(name).await {
            Ok(status) => Ok(status.second_copy),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CommandError::from(error)),
        }
    })?
}

fn check(context: &Context<'_>, args: &BackupsArgs, database: &Database) -> Result<Exit, CommandError> {
    let name = &database.spec.name;
    refuse_elsewhere(database, "look over what is stored")?;
    let ending = carrying::watch(context.printer, &args.change, 1, Carrier::Agent, |sender| async move {
        let events = Events::new(name.clone(), sender);
        let agent = databases::agent(context).await?;
        agent.check(name, |line| tell(&events, line)).await.map_err(CommandError::from)
    })?;
    let Ending::Done(report) = ending else { return Ok(Exit::Pending) };
    let report = report?;
    let wrong = report.findings.len();
    if context.printer.is_json() {
        context.printer.json(&Checked { database: name.clone(), report })?;
        return Ok(if wrong == 0 { Exit::Done } else { Exit::Failed });
    }
    let found: String =
        report.findings.iter().map(|one| format!("{}  {}: {}\n", one.trouble, one.at, one.message)).collect();
    let CheckReport { backups, segments, bytes, .. } = report;
    let count = |count: u64, one, several| text::count(usize::try_from(count).unwrap_or(usize::MAX), one, several);
    let looked = format!("{} and {} of the log", count(backups, "backup", "backups"), count(segments, "file", "files"));
    match wrong {
        0 => {
            context.printer.result(&format!("{looked} were read back, {}: nothing is wrong\n", text::bytes(bytes)))?;
            Ok(Exit::Done)
        }
        _ => {
            context.printer.result(&found)?;
            let things = text::count(wrong, "thing is", "things are");
            Err(CommandError::failed(format!("{things} wrong with what is stored of {name} ({looked})"))
                .hint("pgherd backup takes a good one now; pgherd drill tells what can be restored"))
        }
    }
}

fn delete(context: &Context<'_>, args: &BackupsArgs, database: &Database, backup: &str) -> Result<Exit, CommandError> {
    let (printer, name) = (context.printer, &database.spec.name);
    refuse_elsewhere(database, "delete a backup")?;
    let kept = targets::wait_for(database.provider.backups(&database.spec))??.kept;
    let copy = second_copy(context, name)?;
    let is_here = kept.iter().any(|known| known.name == backup);
    if !is_here && !copy.as_ref().is_some_and(|copy| copy.only_there.iter().any(|known| known == backup)) {
        return Err(CommandError::not_found(format!("there is no backup {backup} of {name}"))
            .hint(format!("pgherd backups{} lists what there is", context.same_project())));
    }
    let deleted = |done| Deleted { database: name.clone(), backup: backup.to_owned(), done };
    if args.change.dry_run {
        printer.say(&format!("would delete {backup}"));
        return ended(context, &deleted(false), Exit::Done);
    }
    confirm_loss(printer, &args.confirm, backup, &format!("delete {backup} of {name} for good"))?;
    let ending = carrying::watch(printer, &args.change, 1, Carrier::Agent, |sender| async move {
        let events = Events::new(name.clone(), sender);
        let agent = databases::agent(context).await?;
        agent.delete_backup(name, backup, |line| tell(&events, line)).await.map_err(CommandError::from)
    })?;
    match ending {
        Ending::Accepted => ended(context, &deleted(false), Exit::Pending),
        Ending::Done(done) => {
            done?;
            if let Some(copy) = copy.filter(|_| is_here) {
                printer.next(&format!("what {} has of it stays; the same command again deletes that", copy.place));
            }
            ended(context, &deleted(true), Exit::Done)
        }
    }
}

fn ended(context: &Context<'_>, deleted: &Deleted, exit: Exit) -> Result<Exit, CommandError> {
    if context.printer.is_json() {
        context.printer.json(deleted)?;
    } else if deleted.done {
        context.printer.result(&format!("{} is deleted\n", deleted.backup))?;
    }
    Ok(exit)
}

fn refuse_elsewhere(database: &Database, what: &str) -> Result<(), CommandError> {
    if database.is_here() {
        return Ok(());
    }
    let message = format!("this version of pgherd cannot {what} on {}", database.spec.target);
    Err(ProviderError::new(ErrorKind::Unsupported, message).help("the cloud's own console or command does").into())
}

fn words(backups: &Backups) -> String {
    let width = backups.kept.iter().map(|backup| backup.name.len()).max().unwrap_or_default();
    let mut words: String = backups.kept.iter().map(|backup| line(backup, width)).collect();
    if words.is_empty() {
        words.push_str("no backups\n");
    }
    let span = |range: &Restorable| {
        let from = range.from.map_or(String::new(), |from| format!(" from {}", time(from)));
        format!("{from} to {}", time(range.to))
    };
    // Of one backup alone there is a line already.
    for range in backups.also_restorable.iter().filter(|range| range.from.is_none_or(|from| from < range.to)) {
        words.push_str(&format!("restorable also{}\n", span(range)));
    }
    if let Some(range) = &backups.restorable {
        words.push_str(&format!("restorable to any moment{}\n", span(range)));
    }
    words
}

/// `orders-20261122t183000z  2026-11-22 18:30:00Z  available  kept  PostgreSQL 17.11, 4.1 MiB, encrypted, at 0/5000028, verified …`
fn line(backup: &Backup, width: usize) -> String {
    let Backup { name, automatic, state, taken_at, bytes, engine_version, encrypted, region, .. } = backup;
    let taken = taken_at.map_or_else(|| "being taken".to_owned(), time);
    let kept = match (automatic, backup.last) {
        (true, _) => "automatic",
        (false, Some(true)) => "final",
        (false, _) => "kept",
    };
    let mut more: Vec<String> = Vec::new();
    more.extend(engine_version.as_ref().map(|version| format!("PostgreSQL {version}")));
    more.extend(bytes.map(text::bytes));
    more.extend(encrypted.map(|encrypted| if encrypted { "encrypted" } else { "not encrypted" }.to_owned()));
    more.extend(region.as_ref().map(|region| format!("in {region}")));
    more.extend(backup.lsn.as_ref().map(|lsn| format!("at {lsn}")));
    more.extend(backup.base.as_ref().map(|base| format!("changes since {base}")));
    let verified = backup.verified_at.map(|at| format!("verified {}", time(at)));
    more.extend(verified.or(backup.lsn.as_ref().map(|_| "never verified".to_owned())));
    format!("{name:<width$}  {taken:<20}  {state}  {kept}  {}\n", more.join(", "))
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
