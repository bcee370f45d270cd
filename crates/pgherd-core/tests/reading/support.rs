//! What tests of reading share: reading a text, and showing what came of it.

use jiff::civil::Date;
use pgherd_core::checks::check;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::{Diagnostic, Severity};
use pgherd_core::hcl::{Document, Given, Sources, read};
use pgherd_core::spec::{Origin, resolve};
use pgherd_core::variables::variable;

/// The day of these tests: PostgreSQL 14 has left community support nine days ago.
const TODAY: Date = jiff::civil::date(2026, 11, 21);

/// One file, read.
pub fn read_text(text: &str) -> (Sources, Document) {
    let sources = Sources::from_bytes("db.hcl", text.as_bytes().to_vec());
    let document = read(&sources, &Given::default());
    (sources, document)
}

/// `error[code] 3:12 "text there": message | help`
pub fn one_line(sources: &Sources, document: &Document, diagnostic: &Diagnostic) -> String {
    let Diagnostic { severity, code, at, message, help } = diagnostic;
    let severity = match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let place = document.span(at).map_or_else(String::new, |(file, span)| {
        let (before, there) = (&sources.files[file].text[..span.start], &sources.files[file].text[span]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!(" {line}:{column} `{there}`")
    });
    format!("{severity}[{code}]{place}: {message} | {help}")
}

/// Everything to tell about a text, a line each.
pub fn told(sources: &Sources, document: &Document) -> String {
    document.diagnostics.iter().map(|diagnostic| one_line(sources, document, diagnostic) + "\n").collect()
}

/// What every block means on `target`, or where it says itself: the settings somebody chose, and what is said of them.
pub fn meaning(sources: &Sources, document: &Document, target: Option<Cloud>) -> String {
    let mut out = String::new();
    for inputs in &document.blocks {
        let (spec, mut diagnostics) = resolve(inputs, target);
        let spec = spec.expect("the block names a target that exists");
        diagnostics.extend(check(inputs, &spec, TODAY));
        out += &format!("{} on {}\n", spec.block, spec.target);
        // Other spellings only repeat.
        let canonical = |name: &str| variable(name).is_some_and(|variable| variable.canonical.is_none());
        for (name, effective) in spec.effective.iter().filter(|(name, _)| canonical(name)) {
            let value = &effective.value;
            match effective.origin {
                Origin::CommandLine => out += &format!("  {name} = {value}  (command line)\n"),
                Origin::Written => out += &format!("  {name} = {value}\n"),
                Origin::Alias(other) => out += &format!("  {name} = {value}  (as {other})\n"),
                Origin::Follows(other) => out += &format!("  {name} = {value}  (follows {other})\n"),
                Origin::Preset(preset) => out += &format!("  {name} = {value}  (preset {})\n", preset.name()),
                Origin::CloudDefault(_) | Origin::Newest(_) | Origin::Default | Origin::Target | Origin::NoEffect => {}
            }
        }
        for diagnostic in &diagnostics {
            out += &format!("  {}\n", one_line(sources, document, diagnostic));
        }
    }
    out
}

/// Everything said when every block is read, resolved and checked.
pub fn all_said(document: &Document, target: Option<Cloud>) -> Vec<Diagnostic> {
    let mut said = document.diagnostics.clone();
    for inputs in &document.blocks {
        let (spec, resolved) = resolve(inputs, target);
        said.extend(resolved);
        said.extend(spec.iter().flat_map(|spec| check(inputs, spec, TODAY)));
    }
    said
}
