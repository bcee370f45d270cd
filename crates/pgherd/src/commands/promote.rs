//! `pgherd promote`.

use clap::Args;
use pgherd_core::spec::Spec;
use pgherd_engine::provider::Operation;
use serde::Serialize;

use super::Context;
use crate::another::{self, Place};
use crate::applying;
use crate::args::{Change, OneBlock};
use crate::confirm::confirm_loss;
use crate::databases::{self, Database};
use crate::error::{CommandError, Exit};
use crate::targets;

/// Make a read replica a database of its own
///
/// It takes writes from then on, has its own name, port and password, and goes on from the last commit it had received. The
/// database it was a replica of goes on with one replica less; the next apply makes another unless the block asks for one less.
/// It cannot become a replica again. Repeating the command goes on where it stopped.
#[derive(Debug, Args)]
// A question for a name is not answered by --yes; whoever gives it is told what does.
#[command(mut_arg("yes", |flag| flag.hide(true)))]
pub struct PromoteArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Name of the new database
    #[arg(long = "as", value_name = "NAME")]
    to: String,

    /// Which replica, as status names it; needed when there are several
    #[arg(long, value_name = "REPLICA")]
    replica: Option<String>,

    #[command(flatten)]
    change: Change,

    /// Answer the question for the name of the database
    #[arg(long, value_name = "NAME")]
    confirm: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Promoted {
    /// The database that has one replica less.
    database: String,
    /// The new one.
    promoted: String,
    /// `false`: only shown (--dry-run), or still going on (--no-wait).
    done: bool,
    /// Where it takes connections, once it does.
    host: Option<String>,
    port: Option<u16>,
    database_name: Option<String>,
    /// How many replicas the database has now that it had the new one for.
    replicas_left: Option<u32>,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &PromoteArgs) -> Result<Exit, CommandError> {
    let printer = context.printer;
    let (project, database) = another::of_block(context, &args.block)?;
    // A replica in a second region is there although the database itself is not.
    let database = match database.is_here() {
        true => databases::existing(context, vec![database])?.remove(0),
        false => database,
    };
    let name = &database.spec.name;
    let which = args.replica.as_deref().unwrap_or("the read replica");
    let doing = format!("make {which} of {name} a database of its own, {}", args.to);
    let to = match database.is_here() {
        // Its agent knows what names it takes.
        true => database.spec.called(&args.to),
        false => another::called(context, &project, &database.spec, &args.to)?,
    };
    let to = Spec { replicas: 0, ..to };
    if !database.is_here() {
        another::show(context, &project, &to)?;
    }
    if args.change.dry_run {
        printer.say(&format!("would {doing}"));
        return ended(context, &database, &unfinished(name, &args.to), Exit::Done);
    }
    confirm_loss(printer, &args.confirm, name, &doing)?;
    let operation = |name| Operation::Promote { name, replica: args.replica.clone(), to: Box::new(to.clone()) };
    let exit = applying::operate(context, &args.change, &[&database], operation)?;
    let promoted = if exit == Exit::Done { found(context, &database, &to)? } else { unfinished(name, &args.to) };
    ended(context, &database, &promoted, exit)
}

fn unfinished(name: &str, to: &str) -> Promoted {
    Promoted {
        database: name.to_owned(),
        promoted: to.to_owned(),
        done: false,
        host: None,
        port: None,
        database_name: None,
        replicas_left: None,
    }
}

fn found(context: &Context<'_>, database: &Database, to: &Spec) -> Result<Promoted, CommandError> {
    let (name, replicas) = (&database.spec.name, database.spec.replicas);
    if !database.is_here() {
        let Place { host, port, database_name } = another::place(database, to)?;
        let replicas_left = Some(replicas.saturating_sub(1));
        let promoted = to.name.clone();
        return Ok(Promoted { database: name.clone(), promoted, done: true, host, port, database_name, replicas_left });
    }
    let to = to.name.as_str();
    targets::wait_for(async {
        let (old, new) = (databases::instance(context, name).await?, databases::instance(context, to).await?);
        Ok::<_, CommandError>(Promoted {
            database: name.to_owned(),
            promoted: to.to_owned(),
            done: true,
            host: Some(new.endpoint.host),
            port: Some(new.endpoint.port),
            database_name: Some(new.endpoint.database),
            replicas_left: Some(old.wanted.read_replicas),
        })
    })?
}

fn ended(context: &Context<'_>, database: &Database, promoted: &Promoted, exit: Exit) -> Result<Exit, CommandError> {
    let printer = context.printer;
    if printer.is_json() {
        printer.json(promoted)?;
    } else if let Promoted {
        promoted, host: Some(host), port: Some(port), database_name: Some(database_name), ..
    } = promoted
    {
        printer
            .result(&format!("{promoted} is a database of its own: postgresql://{host}:{port}/{database_name}\n"))?;
        let shown = if database.is_here() { "; pgherd status --all shows it" } else { "" };
        printer.next(&format!(
            "a block with name = \"{promoted}\" and database_name = \"{database_name}\", otherwise like {}, lets pgherd change or \
             destroy it{shown}",
            database.spec.block
        ));
    }
    if let Some(left) = promoted.replicas_left.filter(|left| *left < database.spec.replicas) {
        let less = match left {
            0 => "create_read_replica = false".to_owned(),
            // A cloud's replicas have numbers: fewer of them is another one less than the one that left.
            _ if !database.is_here() => {
                printer.next("the next apply makes a replica in place of the one that left");
                return Ok(exit);
            }
            left => format!("read_replica_count = {left}"),
        };
        printer.next(&format!(
            "write {less} in the block {}, or the next apply makes a replica in place of the one that left",
            database.spec.block
        ));
    }
    Ok(exit)
}
