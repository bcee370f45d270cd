//! `pgherd connect`.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use super::Context;
use crate::args::OneBlock;
use crate::connection;
use crate::databases;
use crate::error::{CommandError, Exit};
use crate::passfile::{self, Login};
use crate::targets;

/// Open psql on a database
///
/// What stands behind -- goes to psql: pgherd connect -- -c 'select 1'. The password travels in a file, never on the command
/// line; where there is none on this machine, as on aws, in memory. Connects past the pooler, where there is one: what psql sets lasts as long as it runs.
#[derive(Debug, Args)]
pub struct ConnectArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Arguments for psql
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// Runs it: this process becomes psql.
pub fn run(context: &Context<'_>, args: &ConnectArgs) -> Result<Exit, CommandError> {
    if context.printer.is_json() {
        return Err(CommandError::failed("psql prints no JSON document").hint("pgherd env --json says how to connect"));
    }
    let database = databases::one_existing(context, &args.block)?;
    let connection = targets::wait_for(connection::find(context, &database))??;
    connection::tell_of_certificates(context, &database);
    let psql = psql(context);
    let mut variables = connection.libpq_past_pooler();
    // Where nobody keeps a file with the password, psql gets one of its own.
    if !variables.contains_key("PGPASSFILE") {
        let password = targets::wait_for(connection::password(&database))??;
        let of = |variable: &str| variables.get(variable).map(String::as_str).unwrap_or_default();
        let login = Login { host: of("PGHOST"), port: of("PGPORT"), user: of("PGUSER") };
        let file = passfile::in_memory(&login, &password)?;
        variables.insert("PGPASSFILE".to_owned(), file.display().to_string());
    }
    // What somebody has set for another database would win over what is said here.
    let others = ["PGSERVICE", "PGHOSTADDR", "PGPASSWORD"];
    let mut command = Command::new(&psql);
    for other in others {
        command.env_remove(other);
    }
    let cause = command.args(&args.arguments).envs(variables).exec();
    if cause.kind() == io::ErrorKind::NotFound {
        return Err(CommandError::failed("psql is not installed")
            .hint("install it (Debian: apt install postgresql-client)")
            .hint(format!("any client connects with {}", connection.url)));
    }
    Err(CommandError::io(format!("{} cannot be run", psql.display()), &cause))
}

/// psql on the search path, else that of the newest server found, else its bare name.
fn psql(context: &Context<'_>) -> PathBuf {
    let name = PathBuf::from("psql");
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(&name).is_file()) {
        return name;
    }
    let servers = targets::servers(context.global).servers;
    servers.iter().map(|server| server.program("psql")).find(|program| program.is_file()).unwrap_or(name)
}
