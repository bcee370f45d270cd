//! `pgherd reference`: the reference pages of the book, printed by the program itself so that they cannot drift.

use clap::{Args, ValueEnum};

use super::Context;
use crate::error::{CommandError, Exit};
use crate::reference;

/// Print a page of the reference as Markdown
#[derive(Debug, Args)]
#[command(hide = true)]
pub struct ReferenceArgs {
    /// Which page
    page: Page,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    Cli,
    Variables,
    Clouds,
    Outputs,
    Checks,
    Functions,
    ExitCodes,
}

/// Runs it.
pub fn run(context: &Context<'_>, args: &ReferenceArgs) -> Result<Exit, CommandError> {
    let page = match args.page {
        Page::Cli => reference::cli(),
        Page::Variables => reference::variables(),
        Page::Clouds => reference::clouds(),
        Page::Outputs => reference::outputs(),
        Page::Checks => reference::checks(),
        Page::Functions => reference::functions(),
        Page::ExitCodes => reference::exit_codes(),
    };
    context.printer.text(&page)?;
    Ok(Exit::Done)
}
