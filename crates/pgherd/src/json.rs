//! The documents of `--json`: one a verb, versioned, the same envelope for all.

use pgherd_core::diagnostic::Severity;
use pgherd_core::event::Event;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::CommandError;

/// Version of the envelope and of every result in it. Fields are only ever added within a version.
pub const FORMAT: u32 = 1;

/// A diagnostic with the place in the user's own text where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Located {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable name, listed in the reference.
    pub code: &'static str,
    /// What is true.
    pub message: String,
    /// What to do, or empty.
    pub help: String,
    /// Block it is about, where it is about one.
    pub block: Option<String>,
    /// Variable it is about, with the path inside it.
    pub variable: Option<String>,
    /// Where it was written.
    pub place: Option<Place>,
    /// The text around, for drawing.
    #[serde(skip)]
    pub source: Option<std::rc::Rc<str>>,
}

impl Located {
    /// One that points at nothing the user wrote.
    pub fn nowhere(severity: Severity, code: &'static str, message: &str, help: &str) -> Self {
        Self {
            severity,
            code,
            message: message.to_owned(),
            help: help.to_owned(),
            block: None,
            variable: None,
            place: None,
            source: None,
        }
    }
}

/// A range of a file the user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Column of the first character, from 1.
    pub column: usize,
    /// Byte range in the file.
    pub span: std::ops::Range<usize>,
}

/// The document of a verb that came to a result.
pub fn document(verb: &str, result: &impl Serialize, diagnostics: &[Located]) -> String {
    text(&success(verb, result, diagnostics))
}

/// The same on one line, for a verb that goes on and prints more of them (`status --watch`, `logs --follow`).
pub fn line(verb: &str, result: &impl Serialize, diagnostics: &[Located]) -> String {
    format!("{}\n", success(verb, result, diagnostics))
}

fn success(verb: &str, result: &impl Serialize, diagnostics: &[Located]) -> Value {
    json!({ "format": FORMAT, "verb": verb, "result": result, "diagnostics": diagnostics })
}

/// Something that happens before that, on one line.
pub fn event(verb: &str, event: &Event) -> String {
    format!("{}\n", json!({ "format": FORMAT, "verb": verb, "event": event }))
}

/// The document of a verb that came to none.
pub fn failure(verb: &str, error: &CommandError, diagnostics: &[Located]) -> String {
    let CommandError { kind, message, chain, hints } = error;
    text(&json!({
        "format": FORMAT,
        "verb": verb,
        "error": { "kind": kind.name(), "message": message, "causes": chain, "hints": hints },
        "diagnostics": diagnostics,
    }))
}

fn text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a JSON value can be written");
    text.push('\n');
    text
}
