//! What the program writes for users to keep: a first file, manual pages, completions.

use crate::sandbox::Sandbox;

#[track_caller]
fn written(arguments: &[&str]) -> String {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(arguments).with_code(0);
    let text = std::fs::read_to_string(sandbox.work().join("database.hcl")).expect("it was written");
    format!("{}\n{text}", ran.transcript())
}

#[test]
fn init_writes_a_commented_file() {
    insta::assert_snapshot!(written(&["init"]));
}

#[test]
fn init_takes_flags_for_answers() {
    let flags = ["init", "--preset", "prod", "--name", "learning-assistant", "--cloud", "azure", "--version", "16"];
    insta::assert_snapshot!(written(&flags));
}

#[test]
fn init_never_overwrites() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", "# mine\n");
    insta::assert_snapshot!(sandbox.run(&["init"]).transcript());
    assert_eq!(std::fs::read_to_string(sandbox.work().join("database.hcl")).expect("is there"), "# mine\n");
}

/// What every preset and cloud writes is valid as it stands.
#[test]
fn init_writes_what_validate_accepts() {
    for preset in ["dev", "staging", "prod"] {
        for cloud in ["local", "aws", "gcp", "azure", "digitalocean"] {
            let sandbox = Sandbox::new();
            let _ = sandbox.run(&["init", "--preset", preset, "--cloud", cloud]).with_code(0);
            let _ = sandbox.run(&["validate"]).with_code(0);
        }
    }
}

#[test]
fn a_manual_page_for_each_verb() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["man", "man1", "--json"]).with_code(0);
    insta::assert_snapshot!(ran.transcript());
    let page = std::fs::read_to_string(sandbox.work().join("man1/pgherd-plan.1")).expect("it was written");
    assert!(page.contains("detailed\\-exitcode"), "{page}");
}

#[test]
fn completions_name_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = Sandbox::new().run(&["completions", shell]).with_code(0);
        assert!(ran.stdout.contains("validate") && ran.stdout.contains("doctor"), "{}", ran.transcript());
    }
}

#[test]
fn a_unit_for_systemd() {
    insta::assert_snapshot!(Sandbox::new().run(&["agent", "--systemd"]).transcript());
}
