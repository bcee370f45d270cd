//! Databases on DigitalOcean through the program alone, on `pgherd emulate digitalocean`.

use crate::emulate::Emulating;
use crate::sandbox::Sandbox;

const BLOCK: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "digitalocean"
  do_region                  = "fra1"
  name                       = "orders"
  engine_version             = "16"
  instance_class             = "db-s-1vcpu-2gb"
  database_name              = "shop"
  master_username            = "app"
  create_read_replica        = true
  allowed_cidr_blocks        = ["198.51.100.7/32"]
  skip_final_snapshot        = true
  enable_deletion_protection = false
}
"#;

/// A sandbox with an account of its own, in which a day takes a second.
fn cloud() -> (Sandbox, Emulating) {
    let mut sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate digitalocean --listen 127.0.0.1:0 --speed 100000 --json");
    let told = emulating.json();
    let text = |field: &str| told[field].as_str().expect("it is told").to_owned();
    sandbox
        .set("DIGITALOCEAN_API_URL", &text("endpoint_url"))
        .set("DIGITALOCEAN_TOKEN", &text("token"))
        .set("PGHERD_NOW", "");
    sandbox.write("database.hcl", BLOCK);
    (sandbox, emulating)
}

#[test]
fn without_a_token_nothing_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", BLOCK);
    insta::assert_snapshot!(sandbox.run(&["plan"]).transcript());
}

#[test]
fn a_database_from_plan_to_destroy() {
    let (sandbox, _emulating) = cloud();
    let run = |arguments: &[&str]| sandbox.run(arguments);
    insta::assert_snapshot!("do_planned", run(&["plan"]).with_code(0).transcript());
    insta::assert_snapshot!("do_missing", run(&["output"]).with_code(5).transcript());
    let applied = run(&["apply", "--yes"]).with_code(0);
    assert!(applied.stderr.contains("cluster orders: created in"), "{}", applied.stderr);
    let kept = run(&["apply", "--yes"]).with_code(0);
    assert!(kept.stdout.contains("nothing to do"), "{}", kept.stdout);
    let outputs = run(&["output", "--json"]).with_code(0);
    assert!(outputs.stdout.contains("do:dbaas:") && !outputs.stdout.contains("AVNS"), "{}", outputs.stdout);
    let status = run(&["status"]).with_code(0);
    assert!(status.stdout.contains("orders-r1"), "{}", status.stdout);
    drop(run(&["rotate", "--yes"]).with_code(0));
    let backups = run(&["backups", "--json"]).with_code(0);
    assert!(backups.stdout.contains("taken_at"), "{}", backups.stdout);
    let restored = run(&["restore", "--as", "copy", "--yes"]).with_code(0);
    assert!(restored.stderr.contains("copy is made of orders"), "{}", restored.stderr);
    insta::assert_snapshot!(
        "do_verbs",
        ["failover", "logs", "backup"].map(|verb| run(&[verb]).transcript()).join("\n")
    );
    let destroyed = run(&["destroy", "--yes", "--confirm", "orders"]).with_code(0);
    assert!(destroyed.stderr.contains("cluster orders: deleted in"), "{}", destroyed.stderr);
    assert_eq!(run(&["output"]).with_code(5).stdout, "");
}

/// What opens it to everybody is an error until that is accepted by name, and what ends without a backup, too.
#[test]
fn what_gives_a_promise_up_is_accepted_by_name() {
    let (sandbox, _emulating) = cloud();
    let open = BLOCK
        .replace("198.51.100.7/32", "0.0.0.0/0")
        .replace("create_read_replica        = true", "create_read_replica        = false")
        .replace("skip_final_snapshot        = true", "skip_final_snapshot        = false");
    sandbox.write("database.hcl", &open);
    let run = |arguments: &[&str]| sandbox.run(arguments);
    insta::assert_snapshot!("do_open", run(&["plan"]).transcript());
    drop(run(&["apply", "--yes", "--accept", "open-to-internet"]).with_code(0));
    let destroy = ["destroy", "--yes", "--confirm", "orders", "--accept", "open-to-internet"];
    insta::assert_snapshot!("do_no_last_backup", run(&destroy).transcript());
    let destroyed = run(&[&destroy[..], &["--accept", "no-last-backup"]].concat()).with_code(0);
    assert!(
        !destroyed.stdout.contains("last backup") && destroyed.stderr.contains("no last backup"),
        "{}",
        destroyed.stderr
    );
}

/// Nobody is asked, and no token is needed.
#[test]
fn one_block_on_several_targets_side_by_side() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "database.hcl",
        r#"
module "orders" {
  source                  = "./modules/database_postgres"
  name                    = "orders"
  instance_class          = "db.m5.large"
  multi_az                = true
  allocated_storage       = 100
  storage_type            = "gp3"
  aws_region              = "eu-central-1"
  do_region               = "fra1"
  allowed_cidr_blocks     = ["10.0.0.0/16"]
  backup_retention_period = 14
  kms_key_id              = "arn:aws:kms:eu-central-1:123456789012:key/5a4981aa-9653-4bd1-bef5-d6bff52042e4"
}
"#,
    );
    let all = ["plan", "--provider", "aws,gcp,azure,digitalocean"];
    insta::assert_snapshot!("do_side_by_side", sandbox.run(&all).with_code(0).transcript());
    let json = sandbox.run(&["plan", "--provider", "aws,digitalocean", "--json"]).with_code(0);
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("a document");
    let targets = &document["result"]["blocks"][0]["targets"];
    assert_eq!(targets[0]["refused"].as_array().map(Vec::len), Some(0), "{targets}");
    let refused: Vec<&str> =
        targets[1]["refused"].as_array().into_iter().flatten().filter_map(|one| one["variable"].as_str()).collect();
    assert!(refused.contains(&"kms_key_id"), "{refused:?}");
    let now = sandbox.run(&["plan", "--provider", "aws,digitalocean", "--now"]);
    assert!(now.stderr.contains("nothing of that is timed"), "{}", now.stderr);
    let apply = sandbox.run(&["apply", "--provider", "aws,digitalocean"]);
    assert!(apply.stderr.contains("one target is meant here"), "{}", apply.stderr);
}
