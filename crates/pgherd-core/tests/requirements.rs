//! Every HCL block of both requirement documents, as it stands there, is read.

use std::fmt::Write as _;
use std::path::PathBuf;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::hcl::{Document, Given, Sources, read};

/// A fence of a requirement document.
struct Fence {
    line: usize,
    heading: String,
    text: String,
}

#[expect(clippy::disallowed_methods, reason = "the test reads the documents, the core does not")]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn document(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/requirements").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED {name}: ../shared is absent");
    }
    text
}

/// The fences marked `hcl`, or nothing, visibly, where the documents are absent.
fn fences(name: &str) -> Vec<Fence> {
    let text = document(name).unwrap_or_default();
    let (mut fences, mut heading, mut open) = (Vec::new(), String::new(), None);
    for (index, line) in text.lines().enumerate() {
        if let Some(title) = line.strip_prefix("##") {
            heading = title.trim_matches(['#', '*', ' ']).to_owned();
        }
        match (&mut open, line) {
            (None, "```hcl") => open = Some(Fence { line: index + 1, heading: heading.clone(), text: String::new() }),
            (Some(_), "```") => fences.extend(open.take()),
            (Some(fence), line) => {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
            (None, _) => {}
        }
    }
    fences
}

fn read_text(text: &str) -> (Sources, Document) {
    let sources = Sources::from_bytes("example.hcl", text.as_bytes().to_vec());
    let document = read(&sources, &Given::default());
    (sources, document)
}

fn shown(fences: &[Fence]) -> String {
    let mut out = String::new();
    for fence in fences {
        let (sources, document) = read_text(&fence.text);
        writeln!(out, "## {} (line {})", fence.heading, fence.line).expect("a string takes everything");
        show(&mut out, &sources, &document).expect("a string takes everything");
    }
    out
}

fn show(out: &mut String, sources: &Sources, document: &Document) -> std::fmt::Result {
    for inputs in &document.blocks {
        writeln!(out, "{}", inputs.block)?;
        for (name, value) in &inputs.values {
            writeln!(out, "  {name} = {value}")?;
        }
    }
    for foreign in &document.foreign {
        writeln!(out, "not pgherd's: {}", foreign.header)?;
    }
    for diagnostic in &document.diagnostics {
        writeln!(out, "{}", one_line(sources, document, diagnostic))?;
    }
    writeln!(out)
}

fn one_line(sources: &Sources, document: &Document, diagnostic: &Diagnostic) -> String {
    let place = document.span(&diagnostic.at).map_or_else(String::new, |(file, span)| {
        let text = &sources.files[file].text;
        format!(" at {}:`{}`", text[..span.start].lines().count(), &text[span])
    });
    format!("{:?} {}{place}: {} | {}", diagnostic.severity, diagnostic.code, diagnostic.message, diagnostic.help)
}

#[test]
fn every_fence_of_the_documentation_is_read() {
    let fences = fences("database-module-documentation.md");
    if fences.is_empty() {
        return;
    }
    insta::assert_snapshot!("documentation", shown(&fences));
    let documents: Vec<Document> = fences.iter().map(|fence| read_text(&fence.text).1).collect();
    assert_eq!(documents.iter().map(|document| document.blocks.len()).sum::<usize>(), 18, "module blocks");
    assert_eq!(
        documents.iter().filter(|document| document.blocks.is_empty()).count(),
        3,
        "fences of foreign resources"
    );
    assert!(documents.iter().all(|document| document.diagnostics.is_empty()), "nothing to complain about");
}

#[test]
fn every_fence_of_the_summary_is_read() {
    let fences = fences("database-module-summary.md");
    if fences.is_empty() {
        return;
    }
    insta::assert_snapshot!("summary", shown(&fences));
}
