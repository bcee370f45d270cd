//! Draws diagnostics: code, the user's own line underlined, what is true, what to write instead.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use pgherd_core::diagnostic::Severity;

use crate::json::Located;

impl Located {
    /// The diagnostic as text for a terminal, a blank line behind it.
    pub fn draw(&self, colored: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let title = level.primary_title(&self.message).id(self.code);
        let mut group = Group::with_title(title);
        if let (Some(place), Some(source)) = (&self.place, &self.source) {
            group = group.element(
                Snippet::source(&**source)
                    .path(&place.file)
                    .annotation(AnnotationKind::Primary.span(first_line(source, place.span.clone()))),
            );
        }
        if !self.help.is_empty() {
            group = group.element(Level::HELP.message(&self.help));
        }
        let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
        format!("{}\n\n", renderer.render(&[group]))
    }
}

/// The part of a span that stands on its first line. A whole block or list underlined line by line hides what is meant.
fn first_line(source: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let end = source
        .get(span.clone())
        .and_then(|text| text.find(['\n', '\r']))
        .map_or(span.end, |length| span.start + length);
    span.start..end
}
