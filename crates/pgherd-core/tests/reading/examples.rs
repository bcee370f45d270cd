//! Our own examples are read and resolved without anything to complain about.

use std::path::PathBuf;

use jiff::civil::{Date, date};
use pgherd_core::checks::check as check_block;
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Severity;
use pgherd_core::hcl::{Given, Sources, read};

use pgherd_core::spec::resolve;

use crate::support::{all_said, meaning, told};

/// The day the examples were written: what a version's age is told by.
const TODAY: Date = date(2026, 11, 21);

/// What the files mean, where they say and on this machine; nothing in it may be worse than a note.
#[track_caller]
fn check(files: &[&str]) -> String {
    let mut sources = Sources::default();
    for name in files {
        sources.add(*name, bytes(name));
    }
    let document = read(&sources, &Given::default());
    for target in [None, Some(Cloud::Local)] {
        let checked =
            document.blocks.iter().filter_map(|inputs| Some(check_block(inputs, &resolve(inputs, target).0?, TODAY)));
        let complaints: Vec<_> = checked.flatten().filter(|diagnostic| diagnostic.severity > Severity::Note).collect();
        assert_eq!(complaints, []);
        let worst = all_said(&document, target).iter().map(|diagnostic| diagnostic.severity).max();
        assert!(worst <= Some(Severity::Note), "{}{}", told(&sources, &document), meaning(&sources, &document, target));
    }
    meaning(&sources, &document, None)
}

#[expect(clippy::disallowed_methods, reason = "the test reads the examples, the core does not")]
fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    std::fs::read(path).expect("the example is part of the repository")
}

#[test]
fn development() {
    insta::assert_snapshot!(check(&["dev.hcl"]));
}

#[test]
fn staging() {
    insta::assert_snapshot!(check(&["staging.hcl"]));
}

#[test]
fn production() {
    insta::assert_snapshot!(check(&["production.hcl"]));
}

#[test]
fn pooling() {
    insta::assert_snapshot!(check(&["pooling.hcl"]));
}

#[test]
fn tuning() {
    insta::assert_snapshot!(check(&["tuning.hcl"]));
}

#[test]
fn one_for_each_cloud() {
    let files = ["aws.hcl", "gcp.hcl", "azure.hcl", "digitalocean.hcl"];
    insta::assert_snapshot!(files.map(|file| check(&[file])).concat());
}

#[test]
fn the_one_for_terraform() {
    insta::assert_snapshot!(check(&["database/main.tf", "database/variables.tf", "database/outputs.tf"]));
}
