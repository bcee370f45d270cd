//! Where secrets stand in a text: behind telling names, in the defaults and values of sensitive variables, in `sensitive(…)`.

use std::collections::BTreeSet;
use std::ops::Range;

use super::given::{self, Given};
use super::masked::{HiddenLine, hidden_lines, masked};
use super::{Document, Sources};
use crate::diagnostic::Diagnostic;
use crate::eval::short;

/// Words in the name of an argument or variable whose value is nobody's business.
const TELLING: &[&str] = &["password", "secret", "token"];

/// Below this a word is a number or a switch, which hides nothing, and stands in half of all messages.
const SHORTEST_WORD: usize = 4;

/// Above this a message is replaced as a whole: looking for each word of a long line in each message about it takes minutes.
const MOST_WORDS: usize = 50;

/// What is sensitive in one text.
#[derive(Default)]
pub(super) struct Sensitive {
    /// Names whose values are, telling or not.
    names: BTreeSet<String>,
    /// `variable` blocks whose defaults are.
    variables: Vec<Range<usize>>,
}

impl Sensitive {
    /// Of a configuration.
    pub(super) fn of(text: &str) -> Self {
        let sensitive = variables(text).into_iter().filter(|variable| variable.is_sensitive);
        Self { names: BTreeSet::new(), variables: sensitive.map(|variable| variable.span).collect() }
    }

    /// Of a file of values: those of these variables.
    pub(super) fn values(names: BTreeSet<String>) -> Self {
        Self { names, variables: Vec::new() }
    }
}

/// Every file as it may be shown.
pub(super) fn shown(sources: &Sources, given: &Given) -> Vec<String> {
    let all = sources.files.iter().flat_map(|source| variables(&source.text));
    let names: BTreeSet<String> = all.filter(|variable| variable.is_sensitive).map(|variable| variable.name).collect();
    let each = sources.files.iter().enumerate().map(|(file, source)| {
        let is_values = given::holds_values(source, file, given);
        masked(&source.text, &if is_values { Sensitive::values(names.clone()) } else { Sensitive::of(&source.text) })
    });
    each.collect()
}

/// Takes what is hidden in the lines that diagnostics point at out of their words.
pub(super) fn silence(document: &mut Document, sources: &Sources) {
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    let files = sources.files.iter().zip(&document.shown);
    let hidden: Vec<Vec<HiddenLine>> = files.map(|(source, shown)| hidden_lines(&source.text, shown)).collect();
    for diagnostic in &mut diagnostics {
        let Some((file, span)) = document.span(&diagnostic.at) else { continue };
        let lines = &hidden[file];
        let first = lines.partition_point(|line| line.span.end <= span.start);
        for HiddenLine { words, .. } in lines[first..].iter().take_while(|line| line.span.start <= span.end) {
            if words.len() > MOST_WORDS {
                diagnostic.message = "something in this secret cannot be read".to_owned();
                diagnostic.help = "write it as a string".to_owned();
                break;
            }
            let long = words.iter().map(String::as_str).filter(|word| word.len() >= SHORTEST_WORD);
            let mut words: Vec<&str> = long.collect();
            without(diagnostic, &mut words);
        }
    }
    document.diagnostics = diagnostics;
}

/// Takes secrets out of what a diagnostic says, the longest first: one may be part of another. A long one is quoted shortened.
pub(crate) fn without(diagnostic: &mut Diagnostic, secrets: &mut [&str]) {
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in secrets {
        let quoted = short(secret);
        for secret in [*secret, quoted.trim_end_matches('…')] {
            for words in [&mut diagnostic.message, &mut diagnostic.help] {
                if words.contains(secret) {
                    *words = words.replace(secret, "(secret)");
                }
            }
        }
    }
}

/// Where the first secret value of a line begins. `start` is where the line stands in its text.
pub(super) fn value_of_secret(line: &str, start: usize, sensitive: &Sensitive) -> Option<usize> {
    let named = line.match_indices(['=', ':']).map(|(at, _)| at).find(|at| {
        let name = name_before(&line[..*at]);
        let is_default = || name == "default" && sensitive.variables.iter().any(|span| span.contains(&(start + at)));
        is_telling(name) || sensitive.names.contains(name) || is_default()
    });
    let said = line.match_indices("sensitive(").find(|(at, _)| !line[..*at].ends_with(is_of_name));
    named.map(|at| at + 1).into_iter().chain(said.map(|(at, called)| at + called.len())).min()
}

/// The name a text ends in, perhaps in quotes.
fn name_before(before: &str) -> &str {
    let before = before.trim_end_matches(|c: char| c.is_whitespace() || c == '"');
    let start = before.char_indices().rev().take_while(|(_, c)| is_of_name(*c)).last();
    start.map_or("", |(at, _)| &before[at..])
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Whether the value of such a name is nobody's business.
pub(super) fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    TELLING.iter().any(|word| name.contains(word))
}

/// A `variable` block in a text that need not be HCL.
struct Variable {
    name: String,
    span: Range<usize>,
    is_sensitive: bool,
}

fn variables(text: &str) -> Vec<Variable> {
    let mut found: Vec<Variable> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(rest) = line.trim_start().strip_prefix("variable") else { continue };
        if !rest.starts_with([' ', '\t', '"']) || found.last().is_some_and(|last| last.span.contains(&start)) {
            continue;
        }
        let name = rest.trim_start_matches([' ', '\t', '"']).split(|c| !is_of_name(c)).next().unwrap_or_default();
        let span = start..end_of_block(text, start);
        let is_sensitive = is_telling(name) || says_sensitive(&text[span.clone()]);
        found.push(Variable { name: name.to_owned(), span, is_sensitive });
    }
    found
}

/// Where the braces opened from here on are closed again, or the next block starts, or the text ends.
fn end_of_block(text: &str, start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    for line in text[start..].split_inclusive('\n') {
        if at > start && line.starts_with(|c: char| c.is_alphabetic()) {
            return at;
        }
        let mut quoted = false;
        for c in line.chars() {
            at += c.len_utf8();
            match c {
                '"' => quoted = !quoted,
                '{' if !quoted => depth += 1,
                '}' if !quoted && depth <= 1 => return at,
                '}' if !quoted => depth -= 1,
                _ => {}
            }
        }
    }
    at
}

/// Whether a block has `sensitive = …` and not `sensitive = false`.
fn says_sensitive(block: &str) -> bool {
    block.match_indices("sensitive").any(|(at, word)| {
        let value = block[at + word.len()..].trim_start().strip_prefix('=').map(str::trim_start);
        value.is_some_and(|value| !value.starts_with("false"))
    })
}
