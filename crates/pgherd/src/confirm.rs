//! Asking before something is done: the less it can be undone, the more has to be typed.

use std::io::{self, BufRead as _};

use crate::args::{self, Change};
use crate::error::CommandError;
use crate::printer::Printer;

/// How much has to be typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight<'a> {
    /// A change nobody notices: `y`.
    Change,
    /// Clients notice: the word `yes`.
    Interruption,
    /// Cannot be undone: the name of the database.
    Loss {
        /// Name to type.
        name: &'a str,
    },
}

/// Returns when the user agrees, by flag or by typing.
///
/// `question` says what is about to happen: `apply these 3 changes`.
pub fn confirm(printer: &Printer, change: &Change, weight: Weight<'_>, question: &str) -> Result<(), CommandError> {
    if agreed_by_flag(change, weight) {
        return Ok(());
    }
    if !args::can_ask() {
        return Err(CommandError::refused(format!("cannot ask whether to {question}: there is no terminal"))
            .hint(format!("add {} to agree, or run it on a terminal", flag(weight))));
    }
    printer.ask(&format!("{question}? {}: ", expected(weight)));
    let mut answer = String::new();
    let length = io::stdin().lock().read_line(&mut answer);
    if length.map_err(|cause| CommandError::io("the answer cannot be read", &cause))? == 0 {
        // Ctrl-D ends no line, and what follows deserves one of its own.
        printer.ask("\n");
    }
    if agrees(weight, answer.trim()) { Ok(()) } else { Err(CommandError::refused("not confirmed, nothing was done")) }
}

/// `--yes` answers every question but the one for a name.
fn agreed_by_flag(change: &Change, weight: Weight<'_>) -> bool {
    match weight {
        Weight::Change | Weight::Interruption => change.yes,
        Weight::Loss { name } => change.confirm.iter().any(|confirmed| confirmed == name),
    }
}

fn agrees(weight: Weight<'_>, answer: &str) -> bool {
    match weight {
        Weight::Change => answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes"),
        Weight::Interruption => answer.eq_ignore_ascii_case("yes"),
        Weight::Loss { name } => answer == name,
    }
}

fn flag(weight: Weight<'_>) -> String {
    match weight {
        Weight::Change | Weight::Interruption => "--yes".to_owned(),
        Weight::Loss { name } => format!("--confirm {name}"),
    }
}

fn expected(weight: Weight<'_>) -> String {
    match weight {
        Weight::Change => "[y/N]".to_owned(),
        Weight::Interruption => "type yes".to_owned(),
        Weight::Loss { name } => format!("type {name}"),
    }
}
