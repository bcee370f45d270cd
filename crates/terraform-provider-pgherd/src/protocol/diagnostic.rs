//! What is said to whoever runs Terraform.

use super::wire;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the run stops.
    pub is_error: bool,
    /// What is true, one line.
    pub summary: String,
    /// More of it, and what to do.
    pub detail: String,
    /// The attribute it is about; `None`: the whole.
    ///
    /// Of an attribute inside of another Terraform cannot find the line (its issue 33491), so there is only the outermost.
    pub attribute: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { is_error: true, summary: summary.into(), detail: detail.into(), attribute: None }
    }

    /// A warning.
    pub fn warning(summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { is_error: false, ..Self::error(summary, detail) }
    }

    /// Points it at an attribute.
    #[must_use]
    pub fn at(mut self, attribute: impl Into<String>) -> Self {
        self.attribute = Some(attribute.into());
        self
    }

    /// As it is sent.
    pub fn to_wire(&self) -> wire::Diagnostic {
        let severity = if self.is_error { wire::Severity::Error } else { wire::Severity::Warning };
        let attribute = self.attribute.as_ref().map(|name| wire::AttributePath {
            steps: vec![wire::PathStep { selector: Some(wire::Selector::Attribute(name.clone())) }],
        });
        wire::Diagnostic {
            severity: severity.into(),
            summary: self.summary.clone(),
            detail: self.detail.clone(),
            attribute,
        }
    }
}

/// Whether the run stops at one of these.
pub fn has_error(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|one| one.is_error)
}
