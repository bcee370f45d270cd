//! `pgherd env`.

use clap::Args;

use super::Context;
use crate::args::OneBlock;
use crate::connection;
use crate::databases;
use crate::error::{CommandError, Exit};
use crate::targets;

/// Print the environment of an application as shell commands
///
/// eval "$(pgherd env)" sets DB_SECRET_ARN and friends, and what libpq reads, so that psql and most drivers connect without an
/// argument. The password is named by file, on aws by its secret, never shown, unless --reveal is given.
#[derive(Debug, Args)]
pub struct EnvArgs {
    #[command(flatten)]
    block: OneBlock,

    /// Also print PGPASSWORD
    #[arg(long)]
    reveal: bool,

    /// Name every server of a pair instead of the one port in front of them, as a DATABASE_URL as well: libpq 10 and later
    /// looks for the one that takes writes
    #[arg(long)]
    each_server: bool,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &EnvArgs) -> Result<Exit, CommandError> {
    let database = databases::one_existing(context, &args.block)?;
    let connection = targets::wait_for(connection::find(context, &database))??;
    connection::tell_of_certificates(context, &database);
    let mut variables = connection.application.clone();
    let libpq = match args.each_server {
        true => connection.libpq_at_each_server().ok_or_else(|| {
            let name = &database.spec.name;
            match database.is_here() {
                true => {
                    CommandError::failed(format!("{name} has one server")).hint("multi_az = true makes a second one")
                }
                false => CommandError::failed(format!("{name} has one address, whichever server is the primary")),
            }
        })?,
        false => connection.libpq(),
    };
    variables.extend(libpq);
    if args.reveal {
        variables.insert("PGPASSWORD".to_owned(), targets::wait_for(connection::password(&database))??.to_string());
    }
    if context.printer.is_json() {
        context.printer.json(&variables)?;
        return Ok(Exit::Done);
    }
    let lines: String =
        variables.iter().map(|(name, value)| format!("export {name}={}\n", shell_quoted(value))).collect();
    context.printer.result(&lines)?;
    Ok(Exit::Done)
}

/// A word as every POSIX shell reads it.
fn shell_quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        assert_eq!(
            ["plain-1./:@", "", "a b", "it's", "$(x)"].map(shell_quoted),
            ["plain-1./:@", "''", "'a b'", r"'it'\''s'", "'$(x)'"]
        );
    }
}
