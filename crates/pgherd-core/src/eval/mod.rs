//! Terraform expressions and functions, evaluated without the world.
//!
//! What cannot be followed is [`Value::Unknown`] and stays so through everything made of it; what is secret stays secret.
//! Invariant: evaluation ends. Every step and every value made is paid for from `Fuel`.

mod coerce;
mod expression;
mod for_expr;
mod fuel;
pub mod functions;
mod operators;
mod template;
mod traversal;

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::Span;

use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(crate) use coerce::{short, what_it_is};
pub(crate) use fuel::{Fuel, is_too_deep};
pub(crate) use functions::json_value;

/// What names mean.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// `var.x`
    pub variables: BTreeMap<String, Value>,
    /// `local.x`
    pub locals: BTreeMap<String, Value>,
}

/// An expression could not be evaluated; its diagnostics have been recorded.
#[derive(Debug)]
pub(crate) struct Failed;

/// A value, or nothing when diagnostics were recorded.
pub(crate) type Evaluated = Result<Value, Failed>;

/// Evaluates the expressions of one file.
pub(crate) struct Evaluator<'a> {
    scope: &'a Scope,
    file: usize,
    text: &'a str,
    fuel: &'a Fuel,
    /// Names bound by `for`, innermost last.
    bound: Vec<(String, Value)>,
    depth: usize,
    /// What went wrong so far.
    pub problems: Vec<Diagnostic>,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(scope: &'a Scope, file: usize, text: &'a str, fuel: &'a Fuel) -> Self {
        Self { scope, file, text, fuel, bound: Vec::new(), depth: 0, problems: Vec::new() }
    }

    /// Records an error at something written.
    fn fail(&mut self, at: &impl Span, diagnostic: Diagnostic) -> Failed {
        let span = self.span(at);
        self.problems.push(diagnostic.at_source(self.file, span));
        Failed
    }

    fn span(&self, at: &impl Span) -> Range<usize> {
        at.span().unwrap_or_default()
    }

    /// Something as it stands in the text, without the white space around it.
    fn written(&self, at: &impl Span) -> &'a str {
        self.text.get(self.span(at)).unwrap_or_default().trim()
    }

    /// Pays for a value.
    fn pay(&mut self, at: &impl Span, value: Value) -> Evaluated {
        if self.fuel.pay_for(&value) { Ok(value) } else { Err(self.out_of_fuel(at)) }
    }

    /// Said once: everything after it fails for the same reason.
    fn out_of_fuel(&mut self, at: &impl Span) -> Failed {
        if !self.fuel.say_once() {
            return Failed;
        }
        let diagnostic = Diagnostic::error("too-complex", "evaluating this takes more steps than pgherd allows")
            .help("make the lists, texts and for expressions it is built from smaller");
        self.fail(at, diagnostic)
    }
}

#[cfg(test)]
mod tests;
