//! What kinds of blocks a configuration has: ours, those that declare names, and those of others.

use std::collections::BTreeMap;
use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Structure};

use super::{Body, Document, Foreign, Sources};
use crate::diagnostic::Diagnostic;
use crate::variables::closest;

/// Blocks of Terraform that say nothing about a database of ours.
const FOREIGN: &[&str] = &[
    "resource",
    "data",
    "output",
    "provider",
    "terraform",
    "moved",
    "import",
    "removed",
    "check",
    "ephemeral",
    "action",
];

/// The label of a file that is only a block's arguments.
const FRAGMENT: &str = "database";

/// A configuration, sorted out.
#[derive(Default)]
pub(super) struct Layout<'a> {
    /// Our blocks; no label twice.
    pub blocks: Vec<OurBlock<'a>>,
    /// `variable` blocks: file, name, block.
    pub variables: Vec<(usize, &'a str, &'a Block)>,
    /// Arguments of `locals` blocks.
    pub locals: Vec<(usize, &'a Attribute)>,
}

/// A block of ours.
pub(super) struct OurBlock<'a> {
    pub label: &'a str,
    pub file: usize,
    pub header: Range<usize>,
    pub content: Vec<&'a Structure>,
}

/// Sorts every top-level structure of every file into its kind, telling what has none.
pub(super) fn sort_out<'a>(bodies: &'a [Body], sources: &Sources, document: &mut Document) -> Layout<'a> {
    let mut layout = Layout::default();
    for Body { file, body } in bodies {
        let text = &sources.files[*file].text;
        let has_modules = body.blocks().any(|block| block.has_ident("module"));
        let stray: Vec<&Structure> = body.iter().filter(|structure| structure.is_attribute()).collect();
        if has_modules {
            document.diagnostics.extend(stray.iter().filter_map(|structure| outside(structure.as_attribute()?, *file)));
        } else if let Some(first) = stray.first().and_then(|structure| structure.as_attribute()) {
            let header = first.key.span().unwrap_or_default();
            layout.blocks.push(OurBlock { label: FRAGMENT, file: *file, header, content: stray });
        }
        for block in body.blocks() {
            sort_in(block, *file, text, &mut layout, document);
        }
    }
    without_repetitions(&mut layout, sources, document);
    layout
}

fn outside(attribute: &Attribute, file: usize) -> Option<Diagnostic> {
    let name = attribute.key.as_str();
    let diagnostic = Diagnostic::error("outside-block", format!("`{name}` stands outside of any block"));
    Some(
        diagnostic
            .at_source(file, attribute.key.span()?)
            .help("move it into the `module` block it belongs to, or into `locals`"),
    )
}

fn sort_in<'a>(block: &'a Block, file: usize, text: &str, layout: &mut Layout<'a>, document: &mut Document) {
    let header = header(block, text);
    let labels: Vec<&str> = block.labels.iter().map(|label| label.as_str()).collect();
    let mut error = |code, message: String, help: String| {
        document.diagnostics.push(Diagnostic::error(code, message).at_source(file, header.clone()).help(help));
    };
    match (block.ident.as_str(), labels.as_slice()) {
        ("module", [label]) if is_ours(block) => {
            layout.blocks.push(OurBlock { label, file, header, content: block.body.iter().collect() });
        }
        ("variable", [name]) => layout.variables.push((file, name, block)),
        ("locals", []) => layout.locals.extend(block.body.attributes().map(|attribute| (file, attribute))),
        ("module" | "variable", _) => {
            let kind = block.ident.as_str();
            if kind == "module" && !is_ours(block) {
                document.foreign.push(Foreign { header: text[header.clone()].to_owned(), file, span: header });
            } else {
                error(
                    "wrong-label",
                    format!("a `{kind}` block has one name"),
                    format!("write {kind} \"name\" {{ … }}"),
                );
            }
        }
        ("locals", _) => {
            error("wrong-label", "a `locals` block has no name".to_owned(), "write locals { … }".to_owned());
        }
        (kind, _) if FOREIGN.contains(&kind) => {
            document.foreign.push(Foreign { header: text[header.clone()].to_owned(), file, span: header });
        }
        (kind, _) => {
            let known = ["module", "variable", "locals"].into_iter().chain(FOREIGN.iter().copied());
            let help = closest(kind, known).map_or_else(
                || "write module \"label\" { … } for a database".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            error("unknown-block", format!("there are no `{kind}` blocks"), help);
        }
    }
}

/// Whether a `module` block is a database of pgherd: its source is our module, or it has none.
fn is_ours(block: &Block) -> bool {
    let Some(source) = block.body.get_attribute("source") else { return true };
    let Expression::String(source) = &source.value else { return false };
    let path = source.value().split('?').next().unwrap_or_default().trim_end_matches('/');
    path.ends_with("database") || path.ends_with("database_postgres")
}

/// `module "database"`: a block up to its opening brace.
fn header(block: &Block, text: &str) -> Range<usize> {
    let start = block.span().map_or(0, |span| span.start);
    let last = block.labels.last().and_then(|label| label.span()).or_else(|| block.ident.span());
    let end = last.map_or(start, |span| span.end).clamp(start, text.len());
    start..end
}

/// Of several of our blocks with one label, and several variables of one name, the first stays.
fn without_repetitions(layout: &mut Layout<'_>, sources: &Sources, document: &mut Document) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let diagnostics = &mut document.diagnostics;
    layout.blocks.retain(|block| {
        let Some(first) = seen.get(block.label) else {
            seen.insert(block.label, block.file);
            return true;
        };
        let message = format!("there is already a block \"{}\" in `{}`", block.label, sources.files[*first].name);
        let diagnostic = Diagnostic::error("duplicate-block", message).at_source(block.file, block.header.clone());
        diagnostics.push(diagnostic.help("give each block a label of its own"));
        false
    });
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    layout.variables.retain(|(file, name, block)| {
        let Some(first) = seen.get(name) else {
            seen.insert(name, *file);
            return true;
        };
        let message = format!("variable `{name}` is already declared in `{}`", sources.files[*first].name);
        let diagnostic =
            Diagnostic::error("duplicate-block", message).at_source(*file, block.ident.span().unwrap_or_default());
        diagnostics.push(diagnostic.help("keep one of the two"));
        false
    });
}
