//! `doctor` on the machine that runs the tests, which may be any.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sandbox::Sandbox;

const DATABASE: &str = r#"
module "orders" {
  source            = "./modules/database_postgres"
  cloud_provider    = "local"
  name              = "orders"
  preset            = "dev"
  storage_encrypted = true
}
"#;

/// The findings by subject.
fn findings(sandbox: &Sandbox, arguments: &[&str]) -> BTreeMap<String, Value> {
    by_subject(sandbox.run(arguments).json())
}

fn by_subject(mut document: Value) -> BTreeMap<String, Value> {
    let Value::Array(findings) = document["result"].take() else { panic!("no list of findings: {document}") };
    findings.into_iter().map(|finding| (finding["subject"].as_str().expect("a subject").to_owned(), finding)).collect()
}

/// The control groups of this machine that this doctor made and that are still there.
fn left_behind(folder: &Path, doctor: u32) -> Vec<PathBuf> {
    let below = fs::read_dir(folder).into_iter().flatten().flatten();
    let folders = below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders
        .flat_map(|entry| match entry.file_name().to_string_lossy() == format!("pgherd-doctor-{doctor}") {
            true => vec![entry.path()],
            false => left_behind(&entry.path(), doctor),
        })
        .collect()
}

#[test]
fn a_state_folder_on_no_device_cannot_be_told_to_be_encrypted() {
    // Of all file systems this one is on every Linux, and on no device.
    let found = findings(&Sandbox::new(), &["doctor", "--json", "--state-dir", "/proc/pgherd"]);
    insta::assert_json_snapshot!(found["disk encryption"], @r#"
    {
      "found": "cannot be told: its file system is not on one block device",
      "help": "storage_encrypted = true needs it: keep the state folder (--state-dir) on a LUKS device, write storage_encrypted = false, or accept it with --accept unencrypted-storage",
      "state": "missing",
      "subject": "disk encryption"
    }
    "#);
}

#[test]
fn what_is_found_of_encryption_is_what_a_plan_goes_by() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", DATABASE);
    let is_ok = findings(&sandbox, &["doctor", "--json"])["disk encryption"]["state"] == "ok";
    let planned = sandbox.run(&["plan"]).with_code(0);
    assert_eq!(planned.stderr.contains("unencrypted-storage"), !is_ok, "{}", planned.transcript());
}

#[test]
fn limits_are_tried_and_nothing_of_the_trial_is_left() {
    let sandbox = Sandbox::new();
    let doctor = sandbox.command(&["doctor", "--json"]).stdout(std::process::Stdio::piped()).spawn().expect("it runs");
    let pid = doctor.id();
    let output = doctor.wait_with_output().expect("it ends");
    let found = by_subject(serde_json::from_slice(&output.stdout).expect("JSON"));
    for subject in ["CPU limit", "memory limit"] {
        let Value::Object(finding) = &found[subject] else { panic!("no {subject}: {found:?}") };
        let text = |field: &str| finding[field].as_str().expect("a text");
        // What holds says by what; what does not says why, and what to do.
        assert!(!text("found").is_empty(), "{finding:?}");
        match text("state") {
            "ok" => assert_eq!(text("help"), ""),
            state => assert!(state == "missing" && text("help").contains("runs as root"), "{finding:?}"),
        }
    }
    assert_eq!(left_behind(Path::new("/sys/fs/cgroup"), pid), Vec::<PathBuf>::new());
}
