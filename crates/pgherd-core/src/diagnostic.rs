//! What the user should be told, collected and never thrown.

use std::ops::Range;

use serde::Serialize;

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
}
