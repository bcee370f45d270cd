//! Parsing, and a syntax error in words of our own at its exact place.

use std::ops::Range;

use hcl_edit::expr::Expression;
use hcl_edit::parser::{self, Error};
use hcl_edit::structure::Body;

use super::guard;
use crate::diagnostic::Diagnostic;
use crate::variables;

/// A file's text as a body of arguments and blocks.
pub(super) fn parse(file: usize, text: &str) -> Result<Body, Diagnostic> {
    guard::check(file, text)?;
    parser::parse_body(text).map_err(|error| {
        let offset = error.location().offset();
        output_name(text, offset).map_or_else(
            || describe(&error, text).at_source(file, place(error.message(), text, offset)),
            |(diagnostic, start)| diagnostic.at_source(file, token(text, start)),
        )
    })
}

/// A value from outside the configuration, such as `["a", "b"]`.
pub(super) fn parse_value(text: &str) -> Result<Expression, Diagnostic> {
    parser::parse_expr(text).map_err(|error| describe(&error, text))
}

/// What is wrong, told from what stands where the parser stopped.
fn describe(error: &Error, text: &str) -> Diagnostic {
    let at = floor(text, error.location().offset());
    let (before, after) = text.split_at(at);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let word = line
        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    let message = error.message();

    if message.contains("unique attribute key") {
        return Diagnostic::error("duplicate-argument", format!("`{word}` is written twice"))
            .help("keep one of the two");
    }
    if message.contains("unique object key") {
        return Diagnostic::error("duplicate-key", "this key is written twice in the same map")
            .help("keep one of the two");
    }
    if message.contains("nesting depth") || message.contains("chained binary operators") {
        return Diagnostic::error("too-complex", "this expression is nested too deeply to be read")
            .help("give inner parts names in a `locals` block");
    }
    syntax(message, before, after, line)
}

/// The name of an output where an argument was expected: a list of outputs was taken for a configuration.
fn output_name(text: &str, offset: usize) -> Option<(Diagnostic, usize)> {
    let line_start = text[..floor(text, offset)].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[line_start..].lines().next().unwrap_or_default();
    let name =
        line.split_whitespace().next().filter(|name| variables::output(name).is_some() && !line.contains('='))?;
    let diagnostic = Diagnostic::error(
        "output-as-argument",
        format!("`{name}` is an output: something to read from a database, not to write"),
    );
    let start = line_start + line.find(name)?;
    Some((diagnostic.help("remove it; `pgherd output` prints the outputs"), start))
}

fn syntax(message: &str, before: &str, after: &str, line: &str) -> Diagnostic {
    let error = |message: String| Diagnostic::error("syntax", message);
    let first = after.chars().next();
    match first {
        Some('\'') => error("a string stands in double quotes, not single ones".to_owned()).help("write \"…\""),
        Some(':') => error("an argument is written with `=`, not `:`".to_owned()).help("write name = value"),
        Some('{') if before.trim().is_empty() => {
            error("this is JSON, not HCL".to_owned()).help("write module \"database\" { name = \"…\" }")
        }
        Some('<') if before.trim().is_empty() => {
            error("this is not HCL".to_owned()).help("write module \"database\" { name = \"…\" }")
        }
        Some(',') if message.contains("block body") || message.contains("newline") => {
            error("arguments are separated by line ends, not commas".to_owned())
                .help("write each argument on a line of its own")
        }
        Some(';') => error("arguments are separated by line ends, not semicolons".to_owned())
            .help("write each argument on a line of its own"),
        Some('=') if before.ends_with('=') => {
            error("an argument is written with one `=`".to_owned()).help("write name = value")
        }
        Some('\r' | '\n') | None if message.starts_with("invalid expression") => {
            error("a value is missing here".to_owned()).help("write one after the `=` or the operator")
        }
        _ if is_escape(message) => error("a backslash starts an escape, and this is none".to_owned())
            .help("write \\\\ for a backslash; the escapes are \\n \\r \\t \\\" \\\\ \\uNNNN \\UNNNNNNNN"),
        Some('e' | 'E') if before.ends_with(|c: char| c.is_ascii_digit()) => {
            error("this number is too large to be read".to_owned()).help("write a smaller one")
        }
        _ if message.contains("expected newline") => {
            error("the line goes on after its value has ended".to_owned()).help(after_value(before, line))
        }
        _ if message == "expected `{`" => {
            let word = line.split_whitespace().next().unwrap_or_default();
            let known = variables::variable(word).map(|variable| format!("write {} = …", variable.name));
            let help = known.unwrap_or_else(|| "write name = value, or module \"label\" { … }".to_owned());
            error("this is neither a block, which opens its `{` on the same line, nor an argument".to_owned())
                .help(help)
        }
        _ if message.contains("invalid structure") => error("this is neither an argument nor a block".to_owned())
            .help("write name = value, or module \"label\" { … }"),
        Some(found) => error(format!("`{}` is not expected here", found.escape_debug()))
            .help(expectation(message, "check the line above for something left open")),
        None => error("the file ends too early".to_owned()).help(expectation(message, "check for something left open")),
    }
}

fn after_value(before: &str, line: &str) -> &'static str {
    let value = line.split_once('=').map_or("", |(_, value)| value.trim_start());
    if value.starts_with(|c: char| c.is_ascii_digit()) && !before.ends_with(char::is_whitespace) {
        "a number with a unit is a string: put it in double quotes"
    } else if value.starts_with('"') {
        "write a double quote inside a string as \\\", and each argument on a line of its own"
    } else {
        "write each argument on a line of its own, and text in double quotes"
    }
}

/// The parser's own list of what could stand here, when it is short enough to help.
fn expectation(message: &str, otherwise: &str) -> String {
    match message.split_once("expected ") {
        Some((before, expected)) if expected.len() <= 60 && !before.ends_with("un") => format!("write {expected}"),
        _ => otherwise.to_owned(),
    }
}

/// What to underline: the escape that is none, otherwise where the parser stopped.
fn place(message: &str, text: &str, offset: usize) -> Range<usize> {
    let offset = floor(text, offset);
    match text[..offset].rfind('\\') {
        Some(backslash) if is_escape(message) => backslash..offset,
        Some(_) | None => token(text, offset),
    }
}

fn is_escape(message: &str) -> bool {
    message.contains("escape sequence") || message.contains("hex code")
}

/// The word or character at a place, for underlining.
fn token(text: &str, offset: usize) -> Range<usize> {
    let start = floor(text, offset);
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let word: usize = text[start..].chars().take_while(|c| is_word(*c)).map(char::len_utf8).sum();
    let one = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + word.max(one)
}

/// The start of the character a byte belongs to: at the end of a text the parser names its last byte.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
