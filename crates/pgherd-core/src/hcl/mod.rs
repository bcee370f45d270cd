//! Text to inputs, remembering where each value was written.
//!
//! Invariant: whatever the bytes, reading ends, never panics, and every span lies inside its text.

mod document;
mod given;
mod source;

pub use document::{Document, Foreign};
pub use given::{Argument, Given};
pub use source::{MAX_SOURCE_BYTES, Source, Sources};

use hcl_edit::Span as _;

/// Reads all files as one configuration, the way Terraform reads a folder.
///
/// Every problem of every file is in [`Document::diagnostics`]; what could be read is there beside them.
pub fn read(sources: &Sources, given: &Given) -> Document {
    let _ = given;
    let mut document = Document::default();
    document.diagnostics.extend(sources.problems());
    for (file, source) in sources.files.iter().enumerate() {
        let Ok(body) = hcl_edit::parser::parse_body(&source.text) else { continue };
        for block in body.blocks() {
            let (Some(span), Some(label)) = (block.span(), block.labels.first()) else { continue };
            document.spans.insert(label.as_str(), "", file, span);
        }
    }
    document
}
