//! What the user should be told, collected and never thrown.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

/// How many of one kind are told in full: nobody reads more, and drawing 50,000 takes minutes.
pub const MAX_OF_A_KIND: usize = 20;

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Recorded and shown by `explain` and `status`; never on an ordinary run (rule A10).
    Note,
    /// Shown, never fails a run.
    Warning,
    /// The run stops before anything is touched.
    Error,
}

/// Where a diagnostic points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// At nothing the user wrote.
    Nowhere,
    /// At a variable of a block. The front end knows where it was written.
    Variable {
        /// Label of the `module` block.
        block: String,
        /// Path inside it: `multi_az`, `parameters[2].value`, `tags.Owner`. Empty for the block itself.
        path: String,
    },
    /// At a byte range of a source text.
    Source {
        /// Index into [`crate::hcl::Sources`].
        file: usize,
        /// Byte range in that file.
        span: Range<usize>,
    },
}

/// One thing to tell: what is true, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How much it weighs.
    pub severity: Severity,
    /// Stable kebab-case name, listed in the reference.
    pub code: &'static str,
    /// Where it points.
    pub at: At,
    /// What is true, in the present, lower case, no full stop.
    pub message: String,
    /// What to do. Empty when there is nothing to do.
    pub help: String,
}

impl Diagnostic {
    /// An error at nothing yet; see [`Diagnostic::at`].
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, at: At::Nowhere, message: message.into(), help: String::new() }
    }

    /// A warning at nothing yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// A note at nothing yet.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(code, message) }
    }

    /// Points it at a variable of a block.
    #[must_use]
    pub fn at(mut self, block: &str, path: impl Into<String>) -> Self {
        self.at = At::Variable { block: block.to_owned(), path: path.into() };
        self
    }

    /// Points it at source text.
    #[must_use]
    pub fn at_source(mut self, file: usize, span: Range<usize>) -> Self {
        self.at = At::Source { file, span };
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// The same after the user was asked: an error whose code is among `accepted` is a warning, and any other says how to
    /// accept it.
    #[must_use]
    pub fn acknowledged(mut self, accepted: &BTreeSet<String>) -> Self {
        match self.severity {
            Severity::Error if accepted.contains(self.code) => self.severity = Severity::Warning,
            Severity::Error => {
                let separator = if self.help.is_empty() { "" } else { "; or " };
                self.help += &format!("{separator}accept that with --accept {}", self.code);
            }
            Severity::Warning | Severity::Note => {}
        }
        self
    }
}

/// The same diagnostics in the same order, of each kind (severity and code) at most [`MAX_OF_A_KIND`], and behind the last
/// of a kind how many more there are.
pub fn shortened(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let kind = |one: &Diagnostic| (one.severity, one.code);
    let mut open: BTreeMap<(Severity, &str), usize> = BTreeMap::new();
    for one in &diagnostics {
        *open.entry(kind(one)).or_default() += 1;
    }
    let total = open.clone();
    let mut short = Vec::new();
    for one in diagnostics {
        let (all, left) = (total[&kind(&one)], open.entry(kind(&one)).or_default());
        let told = all - *left;
        *left -= 1;
        if told < MAX_OF_A_KIND || all == MAX_OF_A_KIND + 1 {
            short.push(one);
        } else if told == MAX_OF_A_KIND {
            let message = format!("{} more like the {MAX_OF_A_KIND} above, the first of them here", all - told);
            short.push(Diagnostic { message, help: "correct those first".to_owned(), ..one });
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: usize, expected_count: usize, expected_last: &str) {
        let many: Vec<_> = (0..count).map(|index| Diagnostic::error("kind", format!("message {index}"))).collect();
        let short = shortened(many);
        assert_eq!(short.len(), expected_count);
        assert_eq!(short.last().map_or("", |last| last.message.as_str()), expected_last);
    }

    #[track_caller]
    fn check_acknowledged(told: Diagnostic, accepted: &[&str], severity: Severity, help: &str) {
        let told = told.acknowledged(&accepted.iter().map(|code| (*code).to_owned()).collect());
        assert_eq!((told.severity, told.help.as_str()), (severity, help));
    }

    #[test]
    fn what_is_accepted_by_name_is_a_warning_and_the_rest_says_how() {
        let error = || Diagnostic::error("no-copy", "no copy is kept");
        let accepted_help = "keep one; or accept that with --accept no-copy";
        check_acknowledged(error(), &["no-copy"], Severity::Warning, "");
        check_acknowledged(error().help("keep one"), &["no-copy"], Severity::Warning, "keep one");
        check_acknowledged(error(), &["another"], Severity::Error, "accept that with --accept no-copy");
        check_acknowledged(error().help("keep one"), &[], Severity::Error, accepted_help);
        check_acknowledged(Diagnostic::warning("no-copy", ""), &[], Severity::Warning, "");
        check_acknowledged(Diagnostic::note("no-copy", ""), &["no-copy"], Severity::Note, "");
    }

    #[test]
    fn few_are_all_told() {
        check(0, 0, "");
        check(20, 20, "message 19");
    }

    #[test]
    fn one_more_is_told_rather_than_counted() {
        check(21, 21, "message 20");
    }

    #[test]
    fn of_many_the_rest_is_counted() {
        check(22, 21, "2 more like the 20 above, the first of them here");
        check(50_000, 21, "49980 more like the 20 above, the first of them here");
    }

    #[test]
    fn every_kind_is_counted_by_itself_and_the_order_stays() {
        let kinds = [Diagnostic::error("a", ""), Diagnostic::warning("a", ""), Diagnostic::error("b", "")];
        let many: Vec<_> = (0..60).map(|index| kinds[index % 3].clone()).collect();
        assert_eq!(shortened(many.clone()), many);
    }
}
