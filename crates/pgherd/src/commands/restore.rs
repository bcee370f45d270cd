//! `pgherd restore`.

use clap::Args;
use jiff::Timestamp;
use pgherd_engine::provider::{Operation, Point};
use serde::Serialize;

use super::Context;
use crate::another::{self, Place};
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::{Weight, confirm, confirm_loss};
use crate::databases::Database;
use crate::error::{CommandError, Exit};
use crate::targets;

/// Make a database of a backup
///
/// The database that was backed up is not touched, and may be gone. The new one is as the block says, under its own name and with a
/// password of its own; pgherd backups lists what it can be made of. With --replace it takes the place and the password of the old one,
/// and nothing is deleted: on aws the old one goes on under another name; on this machine what it held is put aside, --backup with its
/// name puts it back, and pgherd backups --delete lets go of it. Repeating the command goes on where it stopped.
#[derive(Debug, Args)]
#[command(mut_arg("yes", |flag| flag.long_help("Do not ask; with --replace only --confirm answers")))]
pub struct RestoreArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Name of the new database
    #[arg(long = "as", value_name = "NAME", required_unless_present = "replace", conflicts_with = "replace")]
    to: Option<String>,

    /// Put it in the place of the database, which is put aside as NAME-before-TIME
    #[arg(long)]
    replace: bool,

    /// As of this moment, such as 2026-11-21T22:00:00Z [default: the latest there is]
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["backup", "lsn"])]
    at: Option<Timestamp>,

    /// Everything before this place in the log and nothing after it, such as 0/3000148 (local)
    #[arg(long, value_name = "LSN", value_parser = place_in_log, conflicts_with = "backup")]
    lsn: Option<String>,

    /// From this backup, as pgherd backups names it
    #[arg(long, value_name = "BACKUP")]
    backup: Option<String>,

    #[command(flatten)]
    change: Change,

    /// Answer the question for the name of the database, which --replace asks
    #[arg(long, value_name = "NAME")]
    confirm: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Restored {
    /// Whose backup it is.
    database: String,
    /// The new one; the same with --replace.
    restored: String,
    /// `latest`, a time, a place in the log, or the name of a backup.
    from: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
    #[serde(flatten)]
    place: Place,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write a time with its zone, such as 2026-11-21T22:00:00Z".to_owned())
}

fn place_in_log(text: &str) -> Result<String, String> {
    let half = |half: &str| (1..=8).contains(&half.len()) && half.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_one = text.split_once('/').is_some_and(|(upper, lower)| half(upper) && half(lower));
    is_one.then(|| text.to_owned()).ok_or_else(|| "write a place in the log such as 0/3000148".to_owned())
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &RestoreArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (project, database) = another::of_block(context, &args.block)?;
    let name = &database.spec.name;
    let to = match &args.to {
        Some(to) => another::called(context, &project, &database.spec, to)?,
        None => database.spec.clone(),
    };
    let is_there = !database.is_here() || is_here(context, name)?;
    if args.replace && !is_there {
        return Err(CommandError::not_found(format!("{name} does not exist on this machine"))
            .hint(format!("pgherd restore --as {name}{} makes it of its backups", context.same_project())));
    }
    if to.name == *name && !args.replace && is_there {
        return Err(CommandError::failed(format!("{name} is the name of the database itself"))
            .hint("choose another name, or --replace puts the restored one in its place"));
    }
    let (point, from) = point(args);
    let what = words(&point, name);
    let doing = match args.replace {
        true if database.is_here() => format!("put {what} in the place of {name}, and what it holds now aside"),
        true => format!("put {what} in the place of {name}, and {name} aside under another name"),
        false => format!("restore {what} as {}", to.name),
    };
    let restored =
        |done, place| Restored { database: name.clone(), restored: to.name.clone(), from: from.clone(), done, place };
    let operation = |name| Operation::Restore { name, to: Box::new(to.clone()), point: point.clone() };
    database.provider.can(&operation(name.clone()))?;
    match args.replace {
        true => printer.say(&another::replaced(&database, &point)?),
        false => another::show(context, &project, &to)?,
    }
    if args.change.dry_run {
        if database.is_here() {
            another::would_use(context, name, &to, &point)?;
        }
        printer.say(&format!("would {doing}"));
        return ended(context, &database, &what, &restored(false, Place::default()), Exit::Done);
    }
    match args.replace {
        true => confirm_loss(printer, &args.confirm, name, &doing)?,
        false => confirm(printer, &args.change, Weight::Change, &doing)?,
    }
    let exit = applying::operate(context, &args.change, &[&database], operation)?;
    let place = if exit == Exit::Done { another::place(&database, &to)? } else { Place::default() };
    ended(context, &database, &what, &restored(exit == Exit::Done, place), exit)
}

/// Whether there is a database of this name. One that is gone, with its machine or on purpose, may be restored under its own name.
fn is_here(context: &Context<'_>, name: &str) -> Result<bool, CommandError> {
    let known = targets::wait_for(async {
        match targets::local(context.global)?.agent_to_look().await? {
            Some(agent) => Ok::<_, CommandError>(agent.known_instance(name).await?),
            None => Ok(None),
        }
    });
    Ok(known??.is_some())
}

fn point(args: &RestoreArgs) -> (Point, String) {
    match (&args.at, &args.lsn, &args.backup) {
        (Some(at), ..) => (Point::At(*at), at.to_string()),
        (None, Some(lsn), _) => (Point::Lsn(lsn.clone()), lsn.clone()),
        (None, None, Some(backup)) => (Point::Backup(backup.clone()), backup.clone()),
        (None, None, None) => (Point::Latest, "latest".to_owned()),
    }
}

fn words(point: &Point, name: &str) -> String {
    match point {
        Point::Latest => format!("what {name} held last"),
        Point::At(at) => format!("what {name} held at {at}"),
        Point::Lsn(lsn) => format!("what {name} held at {lsn}"),
        Point::Backup(backup) => format!("the backup {backup} of {name}"),
    }
}

fn ended(
    context: &Context<'_>,
    database: &Database,
    what: &str,
    restored: &Restored,
    exit: Exit,
) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let Restored { database: _, restored: new, from: _, done, place } = restored;
    if printer.is_json() {
        printer.json(restored)?;
    } else if *done {
        printer.result(&format!("{new} holds {what}{}\n", place.words()))?;
        next(context, database, new);
    }
    Ok(exit)
}

/// What to do with a new database.
pub fn next(context: &Context<'_>, database: &Database, new: &str) {
    let spec = &database.spec;
    if spec.name == new && database.is_here() {
        context.printer.next(&format!(
            "pgherd status{} shows what was put aside, and how it goes back or away",
            context.same_project()
        ));
    } else if spec.name == new {
        context.printer.next("the one that was put aside goes on and is paid for: look at it, and delete it when it is not needed any more");
    } else {
        context.printer.next(&format!(
            "a block with name = \"{new}\", otherwise like {}, lets pgherd change or destroy it",
            spec.block
        ));
    }
}
