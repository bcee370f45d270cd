//! A text as it may be shown beside a diagnostic: without the secrets written in it.
//!
//! It goes by names and lines, not by what is parsed: a text with a syntax error is shown, too.

use std::collections::BTreeSet;
use std::ops::Range;

use super::sensitive::{Sensitive, value_of_secret};
use crate::text::unquoted;

/// The text with `*` in the place of every secret, byte for byte, so that spans stay what they are.
pub(super) fn masked(text: &str, sensitive: &Sensitive) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<Mask> = None;
    for line in text.split_inclusive('\n') {
        let start = match &open {
            Some(_) => Some(0),
            None => value_of_secret(line, out.len(), sensitive),
        };
        let Some(start) = start else {
            out.push_str(line);
            continue;
        };
        let (before, value) = line.split_at(start);
        let mut mask = open.take().unwrap_or_else(|| Mask::of(value));
        out.push_str(before);
        mask.line(value, &mut out);
        open = Some(mask).filter(Mask::is_open);
    }
    out
}

/// A line with something hidden in it.
pub(super) struct HiddenLine {
    /// Where it stands.
    pub span: Range<usize>,
    /// What is hidden: strings as they are meant, and words.
    pub words: BTreeSet<String>,
}

/// The lines of a text in which something is hidden.
pub(super) fn hidden_lines(text: &str, shown: &str) -> Vec<HiddenLine> {
    let is_hidden = |at: usize| shown.as_bytes()[at] == b'*' && text.as_bytes()[at] != b'*';
    let mut lines = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let span = start..start + line.len();
        start = span.end;
        if shown[span.clone()] == *line {
            continue;
        }
        let pieces = pieces(line).into_iter().filter(|(at, piece)| !piece.is_empty() && is_hidden(span.start + at));
        let words = pieces.map(|(_, piece)| unquoted(&format!("\"{piece}\""))).collect();
        lines.push(HiddenLine { span, words });
    }
    lines
}

/// What stands between double quotes and, outside of them, the words; and where.
fn pieces(line: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let word = rest.split(|c| !is_word(c)).next().unwrap_or_default();
        at += if c == '"' {
            let length = length_of_string(rest);
            pieces.push((at + 1, rest[1..length].strip_suffix('"').unwrap_or(&rest[1..length])));
            length
        } else if !word.is_empty() {
            pieces.push((at, word));
            word.len()
        } else {
            c.len_utf8()
        };
    }
    pieces
}

/// How long a string in double quotes at the start of a text is, up to its end or that of the line.
fn length_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if matches!(c, '\n' | '\r') {
            return at;
        }
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// A secret value on its way over its lines.
struct Mask {
    /// It starts with a reference or a function, which show nothing and say where to look: only literals are hidden.
    reference: bool,
    /// How many brackets are open.
    depth: usize,
    /// The word that ends the heredoc it is in.
    heredoc: Option<String>,
}

impl Mask {
    fn of(value: &str) -> Self {
        let word = value.trim_start().split(|c| !is_word(c)).next().unwrap_or_default();
        let behind = value.trim_start()[word.len()..].chars().next();
        let reference = is_name(word) && (matches!(behind, Some('.' | '(' | '[')) || is_keyword(word));
        Self { reference, depth: 0, heredoc: None }
    }

    fn is_open(&self) -> bool {
        self.depth > 0 || self.heredoc.is_some()
    }

    fn line(&mut self, line: &str, out: &mut String) {
        if let Some(end) = &self.heredoc {
            if line.trim() == end {
                self.heredoc = None;
                out.push_str(line);
            } else {
                line.chars().for_each(|c| hide_unless(matches!(c, '\n' | '\r'), c, out));
            }
            return;
        }
        let mut rest = line;
        let mut last_shown = false;
        // Whether the line so far is a string that has ended: what may follow is a comment.
        let mut is_string = false;
        while let Some(c) = rest.chars().next() {
            let word = if self.reference { rest.split(|c| !is_word(c)).next().unwrap_or_default() } else { "" };
            let is_comment = (self.reference || is_string) && (c == '#' || rest.starts_with("//"));
            is_string &= c.is_whitespace();
            let taken = if c == '"' {
                let length = length_of_string(rest);
                is_string = self.depth == 0;
                rest[..length].char_indices().for_each(|(at, c)| {
                    hide_unless(at == 0 || at + 1 == length && c == '"', c, out);
                });
                length
            } else if let Some(end) = heredoc(rest) {
                self.heredoc = Some(end.to_owned());
                out.push_str(rest);
                rest.len()
            } else if is_comment {
                out.push_str(rest);
                rest.len()
            } else if !word.is_empty() {
                let behind = rest[word.len()..].chars().next();
                let follows = out.ends_with('.') && last_shown;
                last_shown = follows || is_name(word) && (matches!(behind, Some('.' | '(' | '[')) || is_keyword(word));
                word.chars().for_each(|c| hide_unless(last_shown, c, out));
                word.len()
            } else {
                match c {
                    '[' | '(' | '{' => self.depth += 1,
                    ']' | ')' | '}' => self.depth = self.depth.saturating_sub(1),
                    _ => {}
                }
                hide_unless(self.reference || c.is_whitespace(), c, out);
                c.len_utf8()
            };
            rest = &rest[taken..];
        }
    }
}

/// The end word of a heredoc that starts here.
fn heredoc(text: &str) -> Option<&str> {
    let word = text.strip_prefix("<<")?;
    let word = word.strip_prefix('-').unwrap_or(word).trim_end();
    (is_name(word) && word.chars().all(is_word)).then_some(word)
}

fn hide_unless(shown: bool, c: char, out: &mut String) {
    if shown {
        out.push(c);
    } else {
        out.extend(std::iter::repeat_n('*', c.len_utf8()));
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn is_keyword(word: &str) -> bool {
    matches!(word, "true" | "false" | "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(masked(text, &Sensitive::of(text)), expected);
        assert_eq!(text.len(), expected.len(), "spans stay what they are");
    }

    #[test]
    fn a_password_in_quotes() {
        check(
            "name = \"a\"\n  master_password = \"hunter2\" # no\n",
            "name = \"a\"\n  master_password = \"*******\" # no\n",
        );
        check("master_password = \"a\" + b # no", "master_password = \"*\" * * * **");
        check("module \"db\" { master_password = \"p w\" }", "module \"db\" { master_password = \"***\" *");
        check("master_password=\"p\u{e4}\"\r\n", "master_password=\"***\"\r\n");
        check("master_password = \"a\\\"b=c\"", "master_password = \"******\"");
    }

    #[test]
    fn a_password_that_is_not_closed_or_no_string() {
        check("master_password = \"hunter2", "master_password = \"*******");
        check("master_password = 'hunter2'", "master_password = *********");
        check("master_password = hunter2\n", "master_password = *******\n");
        check("master_password = 12345678", "master_password = ********");
        check("master_password = [\"hunter2\"]", "master_password = *\"*******\"*");
    }

    #[test]
    fn a_password_over_several_lines() {
        check(
            "master_password = <<EOT\nhunter2 ${x}\n  EOT\nname = \"a\"\n",
            "master_password = <<EOT\n************\n  EOT\nname = \"a\"\n",
        );
        check("master_password = [\n  hunter2,\n]\nport = 1\n", "master_password = *\n  ********\n*\nport = 1\n");
        check(
            "master_password = join(\n  \"a b\", 12)\nport = 1\n",
            "master_password = join(\n  \"***\", **)\nport = 1\n",
        );
    }

    #[test]
    fn a_value_of_a_variable() {
        check("db_password = \"hunter2\"", "db_password = \"*******\"");
        check("{\"db_password\": \"hunter2\"}", "{\"db_password\": \"*******\"*");
        check("API_TOKEN = \"x\"", "API_TOKEN = \"*\"");
    }

    #[test]
    fn the_default_of_a_sensitive_variable() {
        check(
            "variable \"a\" {\n  default = \"hunter2\"\n  sensitive = true\n}\ndefault = \"b\"\n",
            "variable \"a\" {\n  default = \"*******\"\n  sensitive = true\n}\ndefault = \"b\"\n",
        );
        check(
            "variable \"a\" {\n  sensitive   = true\n  default = {\n    b = 5\n  }\n}\n",
            "variable \"a\" {\n  sensitive   = true\n  default = *\n    * * *\n  *\n}\n",
        );
        check(
            "variable \"a\" {\n  sensitive = false\n  default = \"b\"\n}\n",
            "variable \"a\" {\n  sensitive = false\n  default = \"b\"\n}\n",
        );
        check("variable \"my_secret\" { default = \"b\" }\n", "variable \"my_secret\" { default = \"*\" *\n");
        // Not closed: what follows is not known to belong to another block.
        check(
            "variable \"a\" {\n  sensitive = true\n  default = \"hunter2\n\nmodule \"b\" {\n",
            "variable \"a\" {\n  sensitive = true\n  default = \"*******\n\nmodule \"b\" {\n",
        );
    }

    #[test]
    fn what_is_said_to_be_sensitive() {
        check("x = sensitive(\"hunter2\")", "x = sensitive(\"*******\"*");
        check("x = sensitive(var.y)", "x = sensitive(var.y)");
        check("x = nonsensitive(\"a\")", "x = nonsensitive(\"a\")");
    }

    #[test]
    fn values_of_sensitive_variables() {
        let sensitive = Sensitive::values(["a".to_owned()].into());
        let text = "a = \"hunter2\"\nb = \"a\"\n";
        assert_eq!(masked(text, &sensitive), "a = \"*******\"\nb = \"a\"\n");
        assert_eq!(masked("{\"a\": \"b\"}", &sensitive), "{\"a\": \"*\"*");
    }

    #[test]
    fn references_and_other_lines_are_shown() {
        check("master_password = var.password # that", "master_password = var.password # that");
        check("master_password = format(\"a%s\", var.x)", "master_password = format(\"***\", var.x)");
        check("master_password = true ? var.x : hunter.two[12]", "master_password = true ? var.x : hunter.two[**]");
        check("name = \"a\"", "name = \"a\"");
        check("variable \"password\" {", "variable \"password\" {");
    }

    #[test]
    fn the_words_of_what_is_hidden() {
        let text = "a = 1\nmaster_password = x(\"a \\\"b\", \"c\", hunter2) + \"d\nb = 2\n";
        let shown = masked(text, &Sensitive::of(text));
        let lines: Vec<_> = hidden_lines(text, &shown).into_iter().map(|line| (line.span, line.words)).collect();
        assert_eq!(lines, [(6..54, ["a \"b", "c", "d", "hunter2"].map(str::to_owned).into())]);
    }
}
