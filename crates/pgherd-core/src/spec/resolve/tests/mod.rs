//! What resolving promises, rule by rule.

mod blocks;
mod pairs;
mod properties;
mod rules;
mod unknown;

use std::fmt::Write as _;

use serde_json::json;

use super::resolve;
use crate::cloud::Cloud;
use crate::diagnostic::{At, Diagnostic, Severity};
use crate::inputs::Inputs;
use crate::spec::{Origin, Spec};
use crate::testing::block;

/// Everything said, one a line: `error[code] path: message; help`.
fn said(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for Diagnostic { severity, code, at, message, help } in diagnostics {
        let severity = match severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let At::Variable { path, .. } = at else { panic!("every diagnostic points at a variable: {message}") };
        let help = if help.is_empty() { String::new() } else { format!("; {help}") };
        writeln!(text, "{severity}[{code}] {path}: {message}{help}").expect("a string takes everything");
    }
    text
}

/// The origin in the words of a test.
fn origin(origin: &Origin) -> String {
    match origin {
        Origin::CommandLine => "command line".to_owned(),
        Origin::Written => "written".to_owned(),
        Origin::Alias(name) => format!("as {name}"),
        Origin::Follows(name) => format!("follows {name}"),
        Origin::Preset(preset) => format!("preset {}", preset.name()),
        Origin::CloudDefault(cloud) => format!("{cloud} default"),
        Origin::Newest(cloud) => format!("newest on {cloud}"),
        Origin::Default => "default".to_owned(),
        Origin::Target => "target".to_owned(),
        Origin::NoEffect => "no effect".to_owned(),
    }
}

/// The full effective block, one variable a line, and what was said.
fn shown(inputs: &Inputs, target: Option<Cloud>) -> String {
    let (spec, diagnostics) = resolve(inputs, target);
    let spec = spec.expect("the target is known");
    let mut text = said(&diagnostics);
    for (name, effective) in &spec.effective {
        let line = format!("{name} = {}", effective.value);
        writeln!(text, "{line:<70} # {}", origin(&effective.origin)).expect("a string takes everything");
    }
    text
}

/// The Spec as a plan compares it: what holds, whoever decided it.
fn without_origins(mut spec: Spec) -> Spec {
    spec.effective.values_mut().for_each(|effective| effective.origin = Origin::Default);
    spec
}

/// What is said about a block, and the effective values of some variables as `value # origin`.
#[track_caller]
fn check(json: serde_json::Value, variables: &[(&str, &str)], expected: &str) {
    check_on(None, json, variables, expected);
}

#[track_caller]
fn check_on(target: Option<Cloud>, json: serde_json::Value, variables: &[(&str, &str)], expected: &str) {
    let (spec, diagnostics) = resolve(&block(json), target);
    assert_eq!(said(&diagnostics).trim_end(), expected);
    for (name, expected) in variables {
        let effective = &spec.as_ref().expect("the target is known").effective[*name];
        assert_eq!(format!("{} # {}", effective.value, origin(&effective.origin)), *expected, "{name}");
    }
}
