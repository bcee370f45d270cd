//! A database under another name: what `restore`, `clone` and `promote` make.

use pgherd_core::diagnostic::Severity;
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::Point;
use pgherd_engine::run;
use pgherd_local::provider;
use pgherd_local::supervisor::messages::{Line, RestoreHow};
use serde::Serialize;

use crate::args::OneBlock;
use crate::commands::Context;
use crate::databases::{self, Database, Warnings};
use crate::error::CommandError;
use crate::planning::{self, Goal};
use crate::project::Project;
use crate::targets;

/// The chosen block with its target, whether its database exists or not: a backup outlives it.
pub fn of_block(context: &Context<'_>, chosen: &OneBlock) -> Result<(Project, Database), CommandError> {
    let project = Project::read(context.global)?;
    let blocks = databases::one_of(context, &project, chosen)?;
    let database = databases::bind(context, &project, &blocks, Warnings::Leave)?.pop();
    Ok((project, database.ok_or_else(|| CommandError::not_found("no block was chosen"))?))
}

/// What a block means under another name, which must be one that can be given.
pub fn called(context: &Context<'_>, project: &Project, spec: &Spec, name: &str) -> Result<Spec, CommandError> {
    let called = spec.called(name);
    let said = project.checked(std::slice::from_ref(&called), context);
    let refused = said.into_iter().find(|one| one.code == "instance-name" && one.severity == Severity::Error);
    match refused {
        Some(refused) => Err(CommandError::failed(refused.message).hint(refused.help)),
        None => Ok(called),
    }
}

/// Shows everything that is made when a database of a name is made of another one, as the plan of its block. An error when something
/// stands in the way. What an earlier run began is gone on with, and was shown then.
pub fn show(context: &Context<'_>, project: &Project, to: &Spec) -> Result<(), CommandError> {
    let database = Database { spec: to.clone(), provider: targets::provider(context.global, to)? };
    let plans = planning::plan(context, vec![database], Goal::Apply { now: true })?;
    let is_begun =
        plans.each.iter().flat_map(|one| &one.planned.observed).any(|seen| INSTANCES.contains(&seen.id.kind.as_str()));
    if is_begun { Ok(()) } else { plans.show(context.printer, project) }
}

/// What clouds call that which holds the data and is promoted under its own name.
const INSTANCES: [&str; 2] = ["instance", "server"];

/// What putting a database back in its own place comes to: from which moment on nothing is in it any more, and what that costs.
pub fn replaced(database: &Database, point: &Point) -> Result<String, CommandError> {
    let (provider, name) = (&database.provider, &database.spec.name);
    let backups = targets::wait_for(provider.backups(&database.spec))??;
    let moment = match point {
        Point::At(at) => Some(*at),
        Point::Latest => backups.restorable.map(|range| range.to),
        Point::Lsn(_) => None,
        Point::Backup(asked) => backups.kept.into_iter().find(|one| one.name == *asked).and_then(|one| one.taken_at),
    };
    let since = moment.map_or_else(|| "since then".to_owned(), |moment| format!("after {moment}"));
    let replicas = match database.spec.replicas {
        0 => String::new(),
        _ => ", its read replicas are made anew".to_owned(),
    };
    if database.is_here() {
        return Ok(format!(
            "what was written {since} is only in what is put aside as {name}-before-TIME, on the same disk; \
             connections end while the data is exchanged, for some seconds"
        ));
    }
    Ok(format!(
        "what was written {since} is only in the old {name}, which goes on as {name}-before-TIME and is paid for until it is deleted; \
         connections end while names change, for some minutes{replicas}"
    ))
}

/// Tells which backup this machine would restore from.
pub fn would_use(context: &Context<'_>, name: &str, to: &Spec, point: &Point) -> Result<(), CommandError> {
    let how = RestoreHow { dry_run: true, ..provider::restore_how(to, provider::restore_point(point)) };
    let mut told = Vec::new();
    let asked = async {
        let agent = databases::agent(context).await?;
        let on_line = |line| {
            if let Line::Said { message } = line {
                told.push(message);
            }
        };
        agent.restore(name, &how, on_line).await.map_err(CommandError::from)
    };
    targets::wait_for(asked)??;
    told.iter().for_each(|message| context.printer.say(message));
    Ok(())
}

/// Where a new database takes connections.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Place {
    /// Its host, once it has one.
    pub host: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Its database.
    pub database_name: Option<String>,
}

/// Asks its target where that is.
pub fn place(database: &Database, to: &Spec) -> Result<Place, CommandError> {
    let outputs: Props = targets::wait_for(run::outputs(&*database.provider, to))??;
    let text = |name: &str| outputs.get(name).and_then(Value::as_text).map(str::to_owned);
    let port = outputs.get("db_instance_port").and_then(Value::as_int);
    Ok(Place {
        host: text("db_instance_endpoint"),
        port: port.and_then(|port| u16::try_from(port).ok()),
        database_name: text("db_instance_name"),
    })
}

impl Place {
    /// `: postgresql://host:5432/shop`, as far as it is known.
    pub fn words(&self) -> String {
        match self {
            Self { host: Some(host), port: Some(port), database_name: Some(name) } => {
                format!(": postgresql://{host}:{port}/{name}")
            }
            Self { .. } => String::new(),
        }
    }
}
