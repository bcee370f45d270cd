//! What help says, and the reference that is made of it.

use crate::sandbox::Sandbox;

#[track_caller]
fn reference(page: &str) -> String {
    Sandbox::new().run(&["reference", page]).with_code(0).stdout
}

#[test]
fn the_reference_of_the_command_line() {
    insta::assert_snapshot!("reference-cli", reference("cli"));
}

#[test]
fn the_reference_of_exit_codes() {
    insta::assert_snapshot!(reference("exit-codes"));
}

/// The pages of the book are these, byte for byte; `cargo xtask generate` writes them.
#[test]
fn the_pages_of_the_book_are_fresh() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference");
    for page in ["cli", "variables", "clouds", "outputs", "checks", "functions", "exit-codes"] {
        let kept = std::fs::read_to_string(folder.join(format!("{page}.md"))).unwrap_or_default();
        assert!(kept == reference(page), "docs/src/reference/{page}.md is stale: run cargo xtask generate");
    }
}

#[test]
fn help_names_every_verb_and_hides_what_is_for_us() {
    insta::assert_snapshot!(Sandbox::new().run(&["--help"]).transcript());
}

#[test]
fn without_a_verb_there_is_help() {
    let ran = Sandbox::new().run(&[]).with_code(1);
    assert!(ran.stderr.contains("Usage: pgherd"), "{}", ran.transcript());
}

#[test]
fn the_version_is_a_result() {
    insta::assert_snapshot!(Sandbox::new().run(&["--version"]).transcript());
}
