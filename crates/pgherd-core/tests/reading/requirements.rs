//! Every HCL block of both requirement documents, as it stands there, is read and resolved.

use std::collections::BTreeSet;
use std::path::PathBuf;

use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Severity;
use pgherd_core::hcl::Document;

use crate::support::{all_said, meaning, read_text, told};

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

/// The fences marked `hcl`; none where the documents are absent.
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
            (Some(fence), line) => fence.text += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    fences
}

fn headline(fence: &Fence) -> String {
    format!("## {} (line {})\n", fence.heading, fence.line)
}

/// What was read from each fence.
fn inputs(fences: &[Fence]) -> String {
    let one = |fence: &Fence| {
        let (sources, document) = read_text(&fence.text);
        let mut out = headline(fence);
        for inputs in &document.blocks {
            out += &format!("{}\n", inputs.block);
            out.extend(inputs.values.iter().map(|(name, value)| format!("  {name} = {value}\n")));
        }
        out.extend(document.foreign.iter().map(|foreign| format!("not pgherd's: {}\n", foreign.header)));
        out + &told(&sources, &document) + "\n"
    };
    fences.iter().map(one).collect()
}

/// What each fence means.
fn meanings(fences: &[Fence], target: Option<Cloud>) -> String {
    let one = |fence: &Fence| {
        let (sources, document) = read_text(&fence.text);
        headline(fence) + &meaning(&sources, &document, target) + "\n"
    };
    fences.iter().map(one).collect()
}

fn documents(fences: &[Fence]) -> Vec<Document> {
    fences.iter().map(|fence| read_text(&fence.text).1).collect()
}

#[test]
fn every_fence_of_the_documentation_is_read() {
    let fences = fences("database-module-documentation.md");
    if fences.is_empty() {
        return;
    }
    insta::assert_snapshot!("documentation", inputs(&fences));
    let documents = documents(&fences);
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
    if !fences.is_empty() {
        insta::assert_snapshot!("summary", inputs(&fences));
    }
}

#[test]
fn every_block_resolves_where_it_says() {
    let fences = both();
    if fences.is_empty() {
        return;
    }
    insta::assert_snapshot!("as_written", meanings(&fences, None));
    // There the network and the account are needed, and the blocks refer to modules that are not here; RDS creates no
    // 14.9 any more; and the instance on Google has no network and no public address, so that nobody could reach it.
    assert_eq!(errors(&fences, None), BTreeSet::from(["no-way-in", "unknown-value", "version-unavailable"]));
}

#[test]
fn every_block_resolves_on_this_machine() {
    let fences = both();
    if fences.is_empty() {
        return;
    }
    insta::assert_snapshot!("on_local", meanings(&fences, Some(Cloud::Local)));
    assert_eq!(errors(&fences, Some(Cloud::Local)), BTreeSet::new());
}

/// All fences but the one that is a list of outputs.
fn both() -> Vec<Fence> {
    let mut all = fences("database-module-documentation.md");
    all.extend(fences("database-module-summary.md").into_iter().filter(|fence| fence.text.contains('=')));
    all
}

/// The codes of all errors.
fn errors(fences: &[Fence], target: Option<Cloud>) -> BTreeSet<&'static str> {
    let said = fences.iter().flat_map(|fence| all_said(&read_text(&fence.text).1, target));
    said.filter(|diagnostic| diagnostic.severity == Severity::Error).map(|diagnostic| diagnostic.code).collect()
}
