//! Databases on Google Cloud through the program alone, on `pgherd emulate gcp`.

use crate::emulate::Emulating;
use crate::sandbox::Sandbox;

const BLOCK: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "gcp"
  gcp_region                 = "us-central1"
  name                       = "orders"
  engine_version             = "16"
  instance_class             = "db-custom-2-7680"
  database_name              = "shop"
  master_username            = "app"
  publicly_accessible        = true
  allowed_cidr_blocks        = ["198.51.100.7/32"]
  multi_az                   = true
  create_read_replica        = true
  backup_retention_period    = 7
  final_snapshot_identifier  = "orders-last"
  enable_deletion_protection = false
  parameters                 = [{ name = "max_connections", value = "200" }]
}
"#;

/// A sandbox with a project of its own, in which a day takes a second.
fn cloud() -> (Sandbox, Emulating) {
    let mut sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate gcp --listen 127.0.0.1:0 --speed 100000 --json");
    let told = emulating.json();
    let text = |field: &str| told[field].as_str().expect("it is told").to_owned();
    sandbox
        .set("PGHERD_GCP_ENDPOINT", &text("endpoint_url"))
        .set("PGHERD_GCP_TOKEN", &text("token"))
        .set("GOOGLE_CLOUD_PROJECT", &text("project"))
        .set("PGHERD_NOW", "");
    sandbox.write("database.hcl", BLOCK);
    (sandbox, emulating)
}

#[test]
fn a_project_and_credentials_are_asked_for_before_anything_else() {
    let mut sandbox = Sandbox::new();
    sandbox.write("database.hcl", BLOCK);
    // A port of the privileged ones, which nobody listens on: this machine is none of Google's.
    sandbox.set("GCE_METADATA_HOST", "127.0.0.1:1");
    insta::assert_snapshot!("gcp_no_project", sandbox.run(&["plan"]).transcript());
    sandbox.set("GOOGLE_CLOUD_PROJECT", "learning");
    let refused = sandbox.run(&["plan"]).with_code(1);
    assert!(refused.stderr.contains("no token is to be had"), "{}", refused.stderr);
    sandbox.set("PGHERD_GCP_ENDPOINT", "http://sql.example.com").set("PGHERD_GCP_TOKEN", "t");
    let clear = sandbox.run(&["plan"]).with_code(1);
    assert!(clear.stderr.contains("the token would be read by all on the way"), "{}", clear.stderr);
}

#[test]
fn a_database_from_plan_to_its_last_backup_and_back() {
    let (sandbox, emulating) = cloud();
    let run = |arguments: &[&str]| sandbox.run(arguments);
    insta::assert_snapshot!("gcp_planned", run(&["plan"]).with_code(0).transcript());
    insta::assert_snapshot!("gcp_missing", run(&["output"]).with_code(5).transcript());
    let applied = run(&["apply", "--yes"]).with_code(0);
    assert!(applied.stderr.contains("instance orders: created in"), "{}", applied.stderr);
    let kept = run(&["apply", "--yes"]).with_code(0);
    assert!(kept.stdout.contains("nothing to do"), "{}", kept.stdout);
    let outputs = run(&["output", "--json"]).with_code(0);
    assert!(outputs.stdout.contains("projects/learning/secrets/orders-credentials"), "{}", outputs.stdout);
    let status = run(&["status"]).with_code(0);
    assert!(status.stdout.contains("orders-replica-1") && status.stdout.contains("standby"), "{}", status.stdout);
    drop(run(&["rotate", "--yes"]).with_code(0));
    let failed_over = run(&["failover", "--yes"]).with_code(0);
    assert!(failed_over.stderr.contains("orders is in us-central1-b"), "{}", failed_over.stderr);
    drop(run(&["backup", "--as", "before", "--yes"]).with_code(0));
    let backups = run(&["backups", "--json"]).with_code(0);
    assert!(backups.stdout.contains("taken_at") && backups.stdout.contains("restorable"), "{}", backups.stdout);
    let params = run(&["params", "--json"]).with_code(0);
    assert!(params.stdout.contains("max_connections"), "{}", params.stdout);
    for arguments in [
        &["restore", "--as", "old", "--backup", "before", "--yes"][..],
        &["clone", "--as", "copy", "--yes"],
        &["forget", "--yes"],
        &["adopt", "--yes"],
        &["apply", "--yes"],
        &["promote", "--as", "orders-replica-1", "--confirm", "orders"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.transcript());
    }
    insta::assert_snapshot!("gcp_verbs", ["logs", "switchover"].map(|verb| run(&[verb]).transcript()).join("\n"));
    let destroyed = run(&["destroy", "--yes", "--confirm", "orders"]).with_code(0);
    assert!(destroyed.stdout.contains("the last backup of orders is orders-last"), "{}", destroyed.transcript());
    assert_eq!(run(&["output"]).with_code(5).stdout, "");
    let left = run(&["backups"]).with_code(0);
    assert!(left.stdout.contains("orders-last"), "{}", left.stdout);
    let again = run(&["restore", "--as", "again", "--backup", "orders-last", "--yes"]).with_code(0);
    assert!(again.stderr.contains("again is made of the backup"), "{}", again.stderr);
    drop(emulating);
}

#[test]
fn a_promise_that_it_does_not_keep_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", BLOCK.replace("multi_az                   = true", "dr_read_replica = true"));
    insta::assert_snapshot!("gcp_second_region", sandbox.run(&["plan"]).transcript());
}

#[test]
fn the_emulator_tells_a_shell_what_programs_need() {
    let sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate gcp --listen 127.0.0.1:0");
    let (code, said) = emulating.ends(rustix::process::Signal::INT);
    assert_eq!(code, Some(0));
    let port = said.lines().next().and_then(|line| line.rsplit(':').next()).expect("a port").to_owned();
    insta::assert_snapshot!(said.replace(&port, "[PORT]"), @"
    export PGHERD_GCP_ENDPOINT=http://127.0.0.1:[PORT]
    export PGHERD_GCP_TOKEN=emulated
    export GOOGLE_CLOUD_PROJECT=learning
    export GCE_METADATA_HOST=127.0.0.1:[PORT]
    export GCE_METADATA_IP=127.0.0.1:[PORT]
    export CLOUDSDK_CORE_PROJECT=learning
    export CLOUDSDK_API_ENDPOINT_OVERRIDES_SQLADMIN=http://127.0.0.1:[PORT]/
    ");
}
