//! Plans of databases that do not exist yet, saved plans, and the questions before an apply.

use crate::sandbox::{Ran, Sandbox, without_server};

const DEV: &str = r#"
module "orders_dev" {
  source         = "./modules/database_postgres"
  cloud_provider = "local"
  name           = "orders-dev"
  preset         = "dev"
  parameters     = [{ name = "max_connections", value = "50" }]
}
"#;

const TEST: &str = r#"
module "orders_test" {
  source         = "./modules/database_postgres"
  cloud_provider = "local"
  name           = "orders-test"
  preset         = "dev"
}
"#;

fn sandbox(text: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", text);
    sandbox
}

/// What a target says about this machine, such as that its disk is not encrypted, is left out: it differs by machine.
#[track_caller]
fn stdout(ran: Ran, code: i32) -> String {
    without_server(&ran.with_code(code).stdout)
}

#[test]
fn a_new_database() {
    insta::assert_snapshot!(stdout(sandbox(DEV).run(&["plan"]), 0));
}

#[test]
fn a_new_database_with_every_field() {
    insta::assert_snapshot!(stdout(sandbox(DEV).run(&["plan", "-v"]), 0));
}

#[test]
fn several_databases_are_planned_together() {
    insta::assert_snapshot!(stdout(sandbox(&format!("{DEV}{TEST}")).run(&["plan"]), 0));
}

#[test]
fn one_of_several_is_planned_alone() {
    let alone = stdout(sandbox(&format!("{DEV}{TEST}")).run(&["plan", "orders_test"]), 0);
    assert!(alone.contains("orders-test") && !alone.contains("orders-dev"), "{alone}");
}

#[test]
fn a_plan_is_one_json_document() {
    let mut json = sandbox(DEV).run(&["plan", "--json"]).with_code(0).json();
    json["diagnostics"] = "[of this machine]".into();
    json["result"]["plans"][0]["diagnostics"] = "[of this machine]".into();
    insta::assert_json_snapshot!(json);
}

#[test]
fn changes_are_an_exit_code_when_asked() {
    let _ = sandbox(DEV).run(&["plan", "--detailed-exitcode"]).with_code(2);
    let _ = sandbox(DEV).run(&["plan"]).with_code(0);
}

#[test]
fn apply_asks_and_says_which_flag_answers() {
    // Not encrypted, so that no warning depends on this machine's disk.
    let plain = DEV.replace("\n}", "\n  storage_encrypted = false\n}");
    let ran = sandbox(&plain).run(&["apply"]).with_code(4);
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn a_dry_run_asks_nothing() {
    for verb in ["apply", "up", "destroy"] {
        let _ = sandbox(DEV).run(&[verb, "--dry-run"]).with_code(0);
    }
}

#[test]
fn a_saved_plan_is_refused_when_the_block_has_changed() {
    let sandbox = sandbox(DEV);
    let _ = sandbox.run(&["plan", "-o", "saved"]).with_code(0);
    sandbox.write("database.hcl", DEV.replace("50", "60"));
    let ran = sandbox.run(&["apply", "saved", "--yes"]).with_code(4);
    insta::assert_snapshot!(ran.stderr);
}

#[test]
fn a_file_that_is_no_plan_is_not_applied() {
    let sandbox = sandbox(DEV);
    sandbox.write("saved", "{}");
    insta::assert_snapshot!(sandbox.run(&["apply", "saved", "--yes"]).transcript());
}

#[test]
fn destroying_nothing_is_done_already() {
    insta::assert_snapshot!(sandbox(DEV).run(&["destroy"]).transcript());
}

#[test]
fn what_does_not_exist_cannot_be_looked_at() {
    for verb in ["down", "env", "connect", "logs", "params", "rotate", "output"] {
        let ran = sandbox(DEV).run(&[verb]).with_code(5);
        assert!(ran.stderr.contains("orders-dev does not exist on this machine"), "{}", ran.transcript());
    }
}

/// Wherever a block may be named, it may be named by flag.
#[test]
fn every_verb_takes_its_block_in_both_ways() {
    let verbs = ["validate", "explain", "plan", "apply", "up", "down", "status", "destroy"];
    let of_one = ["output", "env", "connect", "logs", "params", "rotate"];
    for verb in verbs.iter().chain(&of_one) {
        let by_flag = sandbox(&format!("{DEV}{TEST}")).run(&[verb, "-b", "orders"]).with_code(5);
        assert!(by_flag.stderr.starts_with("error: no block is called `orders`\n"), "{}", by_flag.transcript());
        let help = Sandbox::new().run(&[verb, "--help"]).with_code(0).stdout;
        assert!(help.contains("[BLOCK") && help.contains("-b, --block <BLOCK>"), "{help}");
    }
    for verb in of_one {
        let words: &[&str] = if ["output", "params"].contains(&verb) { &["orders", "port"] } else { &["orders"] };
        let word = sandbox(&format!("{DEV}{TEST}")).run(&[&[verb], words].concat());
        let expected = if verb == "output" { "no output is called `port`" } else { "no block is called `orders`" };
        assert!(word.with_code(5).stderr.contains(expected));
    }
}

/// A flag that answers a question is listed where the question is asked.
#[test]
fn the_name_is_confirmed_where_data_may_go() {
    for (verb, expected) in [("apply", true), ("destroy", true), ("up", false), ("down", false), ("rotate", false)] {
        let help = Sandbox::new().run(&[verb, "--help"]).with_code(0).stdout;
        assert_eq!(help.contains("--confirm"), expected, "{help}");
        assert_eq!(help.contains("--yes"), verb != "destroy", "{help}");
    }
}

#[test]
fn the_status_of_what_does_not_exist() {
    insta::assert_snapshot!(sandbox(&format!("{DEV}{TEST}")).run(&["status"]).transcript());
}

#[test]
fn every_setting_explained() {
    insta::assert_snapshot!(stdout(sandbox(DEV).run(&["explain"]), 0));
}

/// Whatever cloud they name, our examples are valid as they stand and can be planned here.
#[test]
fn our_examples_are_valid_and_run_here() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("examples").map(|entry| entry.expect("an entry").path()) {
        if entry.extension().is_some_and(|extension| extension == "hcl") {
            let path = entry.to_str().expect("is text");
            let _ = Sandbox::new().run(&["validate", "-f", path]).with_code(0);
            let accepted = ["unencrypted-storage", "geo-redundant-backup-unavailable"];
            let mut arguments = vec!["plan", "--provider", "local", "-f", path];
            arguments.extend(accepted.iter().flat_map(|code| ["--accept", code]));
            let _ = Sandbox::new().run(&arguments).with_code(0);
            seen += 1;
        }
    }
    assert!(seen > 0, "no *.hcl in {}", folder.display());
}
