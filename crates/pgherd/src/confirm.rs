//! Asking before something is done: the less it can be undone, the more has to be typed.
//!
//! `--yes` answers every question but the one for a name, which only `--confirm NAME` answers.

use std::io::{self, BufRead as _};

use crate::args::{self, Change};
use crate::error::CommandError;
use crate::printer::Printer;

/// How much has to be typed for what can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// A change nobody notices: `y`.
    Change,
    /// Clients notice: the word `yes`.
    Interruption,
}

/// Returns when the user agrees, by flag or by typing.
///
/// `question` says what is about to happen: `apply these 3 changes`.
pub fn confirm(printer: &Printer, change: &Change, weight: Weight, question: &str) -> Result<(), CommandError> {
    if change.yes {
        return Ok(());
    }
    let expected = match weight {
        Weight::Change => "[y/N]",
        Weight::Interruption => "type yes",
    };
    ask(printer, question, expected, "--yes", |answer| weight.agrees(answer))
}

impl Weight {
    /// Whether what was typed is a yes.
    fn agrees(self, answer: &str) -> bool {
        let short_is_enough = self == Self::Change;
        answer.eq_ignore_ascii_case("yes") || short_is_enough && answer.eq_ignore_ascii_case("y")
    }
}

/// The same for what cannot be undone: the name of the database has to be typed, or to be among those that flags confirm.
pub fn confirm_loss(printer: &Printer, confirmed: &[String], name: &str, question: &str) -> Result<(), CommandError> {
    if confirmed.iter().any(|one| one == name) {
        return Ok(());
    }
    ask(printer, question, &format!("type {name}"), &format!("--confirm {name}"), |answer| answer == name)
}

fn ask(
    printer: &Printer,
    question: &str,
    expected: &str,
    flag: &str,
    agrees: impl Fn(&str) -> bool,
) -> Result<(), CommandError> {
    if !args::can_ask() {
        return Err(CommandError::refused(format!("cannot ask whether to {question}: there is no terminal"))
            .hint(format!("add {flag} to agree, or run it on a terminal")));
    }
    printer.ask(&format!("{question}? {expected}: "));
    let mut answer = String::new();
    let length = io::stdin().lock().read_line(&mut answer);
    if length.map_err(|cause| CommandError::io("the answer cannot be read", &cause))? == 0 {
        // Ctrl-D ends no line, and what follows deserves one of its own.
        printer.ask("\n");
    }
    if agrees(answer.trim()) { Ok(()) } else { Err(CommandError::refused("not confirmed, nothing was done")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_takes_the_whole_word() {
        let agree = |weight: Weight| {
            ["y", "Y", "yes", "YES", "", "n", "no", "ye", "yes please"].map(|typed| weight.agrees(typed))
        };
        assert_eq!(agree(Weight::Change), [true, true, true, true, false, false, false, false, false]);
        assert_eq!(agree(Weight::Interruption), [false, false, true, true, false, false, false, false, false]);
    }
}
