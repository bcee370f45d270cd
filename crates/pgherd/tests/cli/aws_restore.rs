//! What is made of backups and replicas on AWS, and whose a database is: through the program alone, on an emulated RDS.

use std::time::Instant;

use pgherd_emulate::wire::{Body, Form};
use pgherd_emulate::{Emulator, Options, Running, Speed};
use tokio::runtime::Runtime;

use crate::sandbox::{Ran, Sandbox};

/// A block of this name.
fn block(name: &str, more: &str) -> String {
    format!(
        r#"
module "{name}" {{
  source         = "./modules/database_postgres"
  cloud_provider = "aws"
  aws_region     = "eu-central-1"
  name           = "{name}"
  engine_version = "17"
  database_name  = "shop"
{more}}}
"#
    )
}

/// A sandbox with an account of its own, in which a database is, and a backup of it. The emulator ends with it.
struct Cloud {
    sandbox: Sandbox,
    emulator: Running,
    _beside: Runtime,
}

impl Cloud {
    fn with(block: &str) -> Self {
        let beside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let beside = beside.expect("a runtime");
        let options = Options { speed: Speed::PerCall { seconds: 200 }, ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).expect("it listens");
        let mut sandbox = Sandbox::new();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", emulator.url().as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-nobodys"),
            ("PGHERD_NOW", ""),
        ] {
            sandbox.set(name, value);
        }
        sandbox.write("database.hcl", block);
        let cloud = Self { sandbox, emulator, _beside: beside };
        let _ = cloud.run(&["apply", "--yes"]).with_code(0);
        cloud.tamper("CreateDBSnapshot", &[("DBSnapshotIdentifier", "orders-1"), ("DBInstanceIdentifier", "orders")]);
        cloud.emulator.advance(jiff::SignedDuration::from_hours(1));
        cloud
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.sandbox.run(arguments)
    }

    /// Does something as somebody else would.
    fn tamper(&self, action: &str, parameters: &[(&str, &str)]) {
        let body = Body::Form(Form::of(std::iter::once(("Action", action)).chain(parameters.iter().copied())));
        let done = self
            .emulator
            .with(|emulation| emulation.tamper("rds", "eu-central-1", action, &body, Instant::now()).map(drop));
        assert!(done.is_ok(), "{done:?}");
    }
}

/// What a command said, without what depends on how long it took.
fn result(ran: &Ran) -> String {
    assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
    format!("{}\n{}", ran.transcript().lines().next().unwrap_or_default(), ran.stdout)
}

#[test]
fn a_backup_becomes_another_database_and_is_asked_about_before() {
    let cloud = Cloud::with(&block("orders", ""));
    let refused: [&[&str]; 6] = [
        &["restore", "--as", "copy"],
        &["restore", "--as", "orders", "--yes"],
        &["restore", "--as", "Copy", "--yes"],
        &["restore", "--as", "copy", "--backup", "orders-2", "--yes"],
        &["restore", "--replace", "--yes"],
        &["restore", "--as", "copy", "--at", "yesterday"],
    ];
    let refused = refused.map(|arguments| cloud.run(arguments).transcript());
    // Up to when is a matter of how often was asked.
    let refused = refused.join("\n");
    let (before, after) = refused.split_once("what was written after 2026-01-01T").expect("the last moment is told");
    let refused = format!("{before}what was written after [TIME]{}", &after["06:55:00Z".len()..]);
    insta::assert_snapshot!("restore_refused", refused);
    insta::assert_snapshot!(
        "restore_dry",
        cloud.run(&["restore", "--as", "copy", "--dry-run"]).with_code(0).transcript()
    );
    let restored = cloud.run(&["restore", "--as", "copy", "--backup", "orders-1", "--yes"]).with_code(0);
    let cloned = cloud.run(&["clone", "--as", "twin", "--yes", "--json"]).with_code(0);
    insta::assert_snapshot!("restored", [result(&restored), result(&cloned)].join("\n"));
    let again = cloud.run(&["restore", "--as", "copy", "--backup", "orders-1", "--yes"]).with_code(1);
    assert!(again.stderr.contains("there is an instance copy already"), "{}", again.stderr);
    cloud.sandbox.write("database.hcl", block("copy", "") + &block("twin", "") + &block("orders", ""));
    let planned = cloud.run(&["plan", "--detailed-exitcode"]).with_code(0);
    insta::assert_snapshot!("planned_after_restore", planned.stdout);
}

#[test]
fn a_backup_takes_the_place_of_its_database_which_is_put_aside() {
    let cloud = Cloud::with(&block("orders", ""));
    let restored = cloud.run(&["restore", "--replace", "--backup", "orders-1", "--confirm", "orders"]).with_code(0);
    assert!(restored.stderr.contains("orders goes on as orders-before-"), "{}", restored.stderr);
    insta::assert_snapshot!(result(&restored));
    let _ = cloud.run(&["plan", "--detailed-exitcode"]).with_code(0);
}

#[test]
fn a_replica_becomes_a_database_with_a_block_of_its_own() {
    let more = "  create_read_replica = true\n";
    let cloud = Cloud::with(&block("orders", more));
    let promoted = cloud.run(&["promote", "--as", "copy", "--confirm", "orders"]).with_code(0);
    insta::assert_snapshot!("promoted", result(&promoted));
    let misses = cloud.run(&["plan", "--detailed-exitcode"]).with_code(2);
    assert!(misses.stdout.contains("orders-r1"), "{}", misses.stdout);
    cloud.sandbox.write("database.hcl", block("copy", ""));
    let _ = cloud.run(&["plan", "--detailed-exitcode"]).with_code(0);
}

#[test]
fn a_database_is_left_alone_and_taken_back() {
    let cloud = Cloud::with(&block("orders", ""));
    let forgotten = cloud.run(&["forget", "--yes"]).with_code(0);
    let _ = cloud.run(&["plan"]).with_code(1);
    let missing = cloud.run(&["forget", "--yes"]).with_code(5);
    cloud.sandbox.write("database.hcl", block("orders", "  instance_class = \"db.t3.small\"\n"));
    let refused = cloud.run(&["adopt", "--yes"]).with_code(4);
    cloud.sandbox.write("database.hcl", block("orders", ""));
    let unread = cloud.run(&["adopt", "--yes", "--password-file", "missing"]).with_code(1);
    let adopted = cloud.run(&["adopt", "--yes"]).with_code(0);
    let said = [result(&forgotten), missing.transcript(), refused.transcript(), unread.transcript(), result(&adopted)];
    insta::assert_snapshot!("forgotten_and_adopted", said.join("\n"));
    let _ = cloud.run(&["plan", "--detailed-exitcode"]).with_code(0);
}

#[test]
fn this_machine_adopts_only_what_it_made() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", block("orders", "").replace("\"aws\"", "\"local\""));
    insta::assert_snapshot!(sandbox.run(&["adopt", "--yes"]).with_code(5).transcript());
}
