//! Text to inputs, remembering where each value was written.
//!
//! Invariant: whatever the bytes, reading ends, never panics, and every span lies inside its text.

mod arguments;
mod constraint;
mod declared;
mod document;
mod given;
mod guard;
mod layout;
mod locals;
mod masked;
mod sensitive;
mod source;
mod syntax;

use crate::diagnostic::{At, Diagnostic};
use crate::eval::{Fuel, Scope};

pub use document::{Document, Foreign};
pub use given::{Argument, Given};
pub(crate) use sensitive::without;
pub use source::{MAX_SOURCE_BYTES, Source, Sources};

/// Reads all files as one configuration, the way Terraform reads a folder.
///
/// Every problem of every file is in [`Document::diagnostics`]; what could be read is there beside them.
pub fn read(sources: &Sources, given: &Given) -> Document {
    let fuel = Fuel::new();
    let mut document = Document { diagnostics: sources.problems(), ..Document::default() };
    let bodies = parse(sources, given, &mut document.diagnostics);
    let layout = layout::sort_out(&bodies, sources, &mut document);

    let mut scope = Scope::default();
    declared::give(&layout, sources, given, &fuel, &mut scope, &mut document.diagnostics);
    locals::evaluate(&layout, sources, &fuel, &mut scope, &mut document.diagnostics);
    declared::validate(&layout, sources, &fuel, &scope, &mut document.diagnostics);
    for block in &layout.blocks {
        arguments::read_block(block, sources, &fuel, &scope, &mut document);
    }
    document.shown = sensitive::shown(sources, given);
    sensitive::silence(&mut document, sources);
    in_order(&mut document);
    document
}

/// A configuration file, parsed.
struct Body {
    file: usize,
    body: hcl_edit::structure::Body,
}

fn parse(sources: &Sources, given: &Given, diagnostics: &mut Vec<Diagnostic>) -> Vec<Body> {
    let mut bodies = Vec::new();
    for (file, source) in sources.files.iter().enumerate() {
        if source.problem.is_some() || given::holds_values(source, file, given) {
            continue;
        }
        match syntax::parse(file, &source.text) {
            Ok(body) => bodies.push(Body { file, body }),
            Err(diagnostic) => diagnostics.push(diagnostic),
        }
    }
    bodies
}

/// Sorts the diagnostics by where they point, those at nothing first.
fn in_order(document: &mut Document) {
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    diagnostics.sort_by_key(|diagnostic| place(document, &diagnostic.at));
    document.diagnostics = diagnostics;
}

fn place(document: &Document, at: &At) -> Option<(usize, usize)> {
    document.span(at).map(|(file, span)| (file, span.start))
}
