//! What is said of a command line that cannot be understood, and of one that asks for help.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::error::{CommandError, Exit};
use crate::json;

/// Prints help, the version, or what is wrong with the usage. Whoever asked for `--json` gets that as a document, too.
pub fn explain(usage: &clap::Error, typed: impl Iterator<Item = OsString>) -> ExitCode {
    let typed: Vec<String> = typed.skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    // A reader that left is no reason to stop.
    match usage.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            drop(usage.print());
            return Exit::Done.code();
        }
        // clap counts a variable of the environment as a flag that was typed, and would complain rather than help.
        ErrorKind::MissingSubcommand if typed.is_empty() => {
            drop(write!(io::stderr(), "{}", Cli::command().render_help()));
        }
        _ => drop(usage.print()),
    }
    if typed.iter().take_while(|word| *word != "--").any(|word| word == "--json") {
        drop(write!(io::stdout(), "{}", json::failure(&verb(&typed), &error(usage), &[])));
    }
    Exit::Failed.code()
}

/// The verb that was typed, or nothing.
fn verb(typed: &[String]) -> String {
    let command = Cli::command();
    typed.iter().find(|word| command.find_subcommand(word).is_some()).cloned().unwrap_or_default()
}

/// clap's words as ours: the first paragraph is what is true, its tips are what to do.
fn error(usage: &clap::Error) -> CommandError {
    let text = usage.render().to_string();
    let (message, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    let message = message.trim().strip_prefix("error: ").unwrap_or(message);
    let words: Vec<&str> = message.split_whitespace().collect();
    let tips = rest.lines().filter_map(|line| line.trim().strip_prefix("tip: "));
    tips.fold(CommandError::failed(words.join(" ")), CommandError::hint)
}
