//! Command line of pgherd: parse, run, turn the outcome into an exit code.

use std::process::ExitCode;

mod another;
mod applying;
mod args;
mod carrying;
mod commands;
mod confirm;
mod connection;
mod databases;
mod diagnostics;
mod error;
mod json;
mod naming;
mod panic;
mod passfile;
mod planning;
mod printer;
mod progress;
mod project;
mod reference;
mod remaining;
mod reports;
mod takeover;
mod targets;
mod usage;

use crate::error::Exit;
use crate::printer::Printer;

fn main() -> ExitCode {
    // PostgreSQL runs it for every segment of its log: nothing else is begun before.
    if let Some(code) = pgherd_local::supervisor::archive_helper(&std::env::args_os().collect::<Vec<_>>()) {
        return ExitCode::from(code);
    }
    panic::install();
    let mut cli = match args::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => return usage::explain(&usage, std::env::args_os()),
    };
    let printer = Printer::new(cli.verb.name(), &cli.global);
    cli.global.told = printer.teller();
    match commands::run(&printer, cli) {
        Ok(exit) => exit.code(),
        Err(error) => {
            printer.error(&error);
            Exit::from(error.kind).code()
        }
    }
}
