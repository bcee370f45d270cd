//! Every kind of error, as the user sees it.

use std::io::Read as _;
use std::process::Stdio;

use crate::sandbox::Sandbox;

const BLOCK: &str = "module \"database_dev\" {\n  source = \"./modules/database_postgres\"\n  name   = \"dev\"\n}\n";

#[track_caller]
fn transcript(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let sandbox = Sandbox::new();
    for (name, text) in files {
        sandbox.write(name, text);
    }
    sandbox.run(arguments).transcript()
}

#[test]
fn an_unknown_verb_is_guessed() {
    insta::assert_snapshot!(transcript(&[], &["aply"]));
}

#[test]
fn an_unknown_flag_is_guessed() {
    insta::assert_snapshot!(transcript(&[], &["plan", "--jsn"]));
}

#[test]
fn an_unknown_cloud_names_those_there_are() {
    insta::assert_snapshot!(transcript(&[], &["plan", "--provider", "aws2"]));
}

#[test]
fn a_time_without_unit_says_how_to_write_it() {
    insta::assert_snapshot!(transcript(&[], &["apply", "--timeout", "90"]));
}

#[test]
fn a_variable_without_value_says_how_to_write_it() {
    insta::assert_snapshot!(transcript(&[], &["plan", "-var", "region"]));
}

#[test]
fn no_configuration_says_where_it_was_looked_for() {
    insta::assert_snapshot!(transcript(&[], &["plan"]));
}

#[test]
fn a_file_that_does_not_exist() {
    insta::assert_snapshot!(transcript(&[], &["plan", "-f", "db.hcl"]));
}

#[test]
fn a_file_without_a_block_of_ours() {
    insta::assert_snapshot!(transcript(&[("main.tf", "resource \"aws_vpc\" \"main\" {}\n")], &["plan"]));
}

#[test]
fn a_block_that_does_not_exist() {
    insta::assert_snapshot!(transcript(&[("database.hcl", BLOCK)], &["plan", "database_prod"]));
}

#[test]
fn one_of_several_blocks_has_to_be_named() {
    let two = format!("{BLOCK}{}", BLOCK.replace("dev", "test"));
    insta::assert_snapshot!(transcript(&[("database.hcl", &two)], &["connect"]));
}

#[test]
fn what_is_not_hcl_is_shown_at_its_line() {
    insta::assert_snapshot!(transcript(&[("database.hcl", "module \"a\" {\n  name = \n}\n")], &["validate"]));
}

/// A file that cannot be read has no blocks, which is not what is wrong with it.
#[test]
fn every_verb_about_one_database_shows_the_line_that_is_wrong() {
    let broken = [("database.hcl", "module \"a\" {\n  name = \n}\n")];
    for arguments in
        [&["backup"][..], &["backups"], &["restore", "--as", "b"], &["clone", "--as", "b"], &["drill"], &["events"]]
    {
        let said = transcript(&broken, arguments);
        assert!(said.contains("database.hcl:2:") && said.contains("1 error in the configuration"), "{said}");
    }
}

#[test]
fn several_mistakes_are_told_in_one_run() {
    let text = BLOCK.replace("name   =", "multi_azz = true\n  backup_retention_period = 36\n  name   =");
    insta::assert_snapshot!(transcript(&[("database.hcl", &text)], &["validate"]));
}

#[test]
fn mistakes_as_json() {
    let text = BLOCK.replace("name   =", "multi_azz = true\n  name   =");
    insta::assert_snapshot!(transcript(&[("database.hcl", &text)], &["validate", "--json"]));
}

#[test]
fn another_cloud_is_not_reached_yet() {
    let text = BLOCK.replace("name   =", "cloud_provider = \"gcp\"\n  name   =");
    insta::assert_snapshot!(transcript(&[("database.hcl", &text)], &["plan"]));
}

#[test]
fn what_does_not_exist_has_no_connection() {
    insta::assert_snapshot!(transcript(&[("database.hcl", BLOCK)], &["connect", "--provider", "local"]));
}

#[test]
fn an_error_is_a_json_document_too() {
    insta::assert_snapshot!(transcript(&[], &["plan", "--json"]));
}

#[test]
fn wrong_usage_is_a_json_document_too() {
    insta::assert_snapshot!(transcript(&[], &["plan", "--json", "--detailed-exitcodes"]));
}

#[test]
fn no_verb_at_all_is_answered_with_help() {
    // The environment of the sandbox sets flags; that is no reason to complain rather than help.
    let ran = Sandbox::new().run(&[]).with_code(1);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("Usage: pgherd") && ran.stderr.contains("  init"), "{ran:?}");
}

#[test]
fn a_plan_that_cannot_be_kept_is_one_document() {
    let sandbox = Sandbox::new();
    let ran = sandbox.write("database.hcl", BLOCK).run(&["plan", "--provider", "local", "--json", "-o", "no/where"]);
    assert_eq!(ran.with_code(1).json()["error"]["kind"], "failed");
}

#[test]
fn whatever_is_printed_is_a_document_when_asked_for() {
    let sandbox = Sandbox::new();
    for line in ["completions bash", "agent --systemd", "reference exit-codes"] {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let text = &sandbox.run(&words).with_code(0).json()["result"]["text"];
        assert!(text.as_str().is_some_and(|text| text.len() > 50), "{line}: {text}");
    }
    assert_eq!(sandbox.run(&["connect", "--json"]).with_code(1).json()["error"]["kind"], "failed");
}

#[test]
fn whoever_stops_reading_is_no_error() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // The script is longer than a pipe holds, so the writer meets the closed end.
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().expect("is piped").read_to_string(&mut stderr).expect("is text");
    let status = child.wait().expect("it ends");
    assert_eq!((stderr.as_str(), status.code()), ("", Some(0)));
}

#[test]
fn a_promise_is_given_up_by_name_only() {
    let block = format!(
        "{}  parameters = [{{ name = \"rds.force_ssl\", value = \"0\" }}]\n}}\n",
        BLOCK.trim_end_matches("}\n")
    );
    let files = [("database.hcl", block.as_str())];
    insta::assert_snapshot!("tls_is_promised", transcript(&files, &["validate"]));
    insta::assert_snapshot!("tls_is_given_up", transcript(&files, &["validate", "--accept", "tls-required"]));
}

/// A misspelt one would accept nothing, and say nothing.
#[test]
fn a_code_that_no_error_has_cannot_be_accepted() {
    let said = Sandbox::new().run(&["validate", "--accept", "unencryptd-storage"]).with_code(1);
    insta::assert_snapshot!(said.stderr, @"
    error: invalid value 'unencryptd-storage' for '--accept <CODE>'
      [possible values: class-not-offered, customer-key-unavailable, dr-region-missing, flag-refused, geo-redundant-backup-unavailable, interrupts-now, major-upgrade, no-last-backup, no-way-in, open-to-internet, parameter-allowed-values, parameter-not-modifiable, password-managed, password-replaced, port-restarts-now, quota, region-migration, setting-refused, tls-required, uncapped-growth, unencrypted-storage, upgrade-path, version-unavailable]

      tip: a similar value exists: 'unencrypted-storage'

    For more information, try '--help'.
    ");
}
