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
