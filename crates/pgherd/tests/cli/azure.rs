//! Databases on Azure through the program alone, on `pgherd emulate azure`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::emulate::Emulating;
use crate::sandbox::{Ran, Sandbox};

const BLOCK: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "azure"
  location                   = "Canada Central"
  resource_group_name        = "databases"
  name                       = "orders"
  engine_version             = "16"
  instance_class             = "GP_Standard_D2ds_v5"
  database_name              = "shop"
  master_username            = "app"
  publicly_accessible        = true
  allowed_cidr_blocks        = ["198.51.100.7/32"]
  multi_az                   = true
  create_read_replica        = true
  enable_proxy               = true
  backup_retention_period    = 7
  enable_deletion_protection = true
  parameters                 = [{ name = "work_mem", value = "16MB" }]
}
"#;

/// A sandbox with a subscription of its own, in which a day takes a second.
fn cloud() -> (Sandbox, Emulating) {
    let mut sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate azure --listen 127.0.0.1:0 --speed 100000 --json");
    let told = emulating.json();
    let text = |field: &str| told[field].as_str().expect("it is told").to_owned();
    sandbox
        .set("PGHERD_AZURE_ENDPOINT", &text("endpoint_url"))
        .set("PGHERD_AZURE_TOKEN", &text("token"))
        .set("PGHERD_AZURE_VAULT_TOKEN", &text("vault_token"))
        .set("PGHERD_AZURE_KEY_VAULT", &text("key_vault"))
        .set("AZURE_SUBSCRIPTION_ID", &text("subscription"))
        .set("PGHERD_NOW", "");
    sandbox.write("database.hcl", BLOCK);
    (sandbox, emulating)
}

/// The password of a database, as its vault has it.
fn password(emulating: &Emulating, database: &str) -> String {
    let told = emulating.json();
    let (at, token) = (told["endpoint_url"].as_str(), told["vault_token"].as_str());
    let (at, token) = (at.expect("an address"), token.expect("a token"));
    let mut stream = TcpStream::connect(at.trim_start_matches("http://")).expect("it listens");
    let vault = told["key_vault"].as_str().expect("a vault");
    let path = format!("/{vault}.vault.azure.net/secrets/{database}-credentials?api-version=7.5");
    let head = format!("GET {path} HTTP/1.1\r\nhost: e\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    let secret: serde_json::Value = serde_json::from_str(body).expect("a secret");
    let document: serde_json::Value =
        serde_json::from_str(secret["value"].as_str().expect("a value")).expect("a document");
    document["password"].as_str().expect("a password").to_owned()
}

#[test]
fn a_vault_and_credentials_are_asked_for_before_anything_else() {
    let mut sandbox = Sandbox::new();
    sandbox.write("database.hcl", BLOCK);
    insta::assert_snapshot!("azure_no_subscription", sandbox.run(&["plan"]).transcript());
    sandbox.set("AZURE_SUBSCRIPTION_ID", "s");
    sandbox.set("PGHERD_AZURE_ENDPOINT", "http://management.example.com").set("PGHERD_AZURE_TOKEN", "t");
    let clear = sandbox.run(&["plan"]).with_code(1);
    assert!(clear.stderr.contains("the token would be read by all on the way"), "{}", clear.stderr);
    let (mut sandbox, emulating) = cloud();
    sandbox.set("PGHERD_AZURE_VAULT_TOKEN", "");
    let refused = sandbox.run(&["plan"]).with_code(1);
    assert!(refused.stderr.contains("there is none for the key vault"), "{}", refused.stderr);
    sandbox.set("PGHERD_AZURE_KEY_VAULT", "");
    insta::assert_snapshot!("azure_no_vault", sandbox.run(&["plan"]).transcript());
    drop(emulating);
}

#[test]
fn a_database_from_plan_to_its_end() {
    let (sandbox, emulating) = cloud();
    let mut printed = String::new();
    let mut run = |arguments: &[&str]| {
        let ran: Ran = sandbox.run(arguments);
        printed.push_str(&ran.transcript());
        ran
    };
    insta::assert_snapshot!("azure_planned", run(&["plan"]).with_code(0).transcript());
    insta::assert_snapshot!("azure_missing", run(&["output"]).with_code(5).transcript());
    let applied = run(&["apply", "--yes"]).with_code(0);
    assert!(applied.stderr.contains("server orders: created in"), "{}", applied.stderr);
    let kept = run(&["apply", "--yes"]).with_code(0);
    assert!(kept.stdout.contains("nothing to do"), "{}", kept.stdout);
    insta::assert_snapshot!("azure_outputs", run(&["output"]).with_code(0).transcript());
    let status = run(&["status"]).with_code(0);
    let shown = ["orders-replica-1", "standby", "pooler", ":6432"];
    assert!(shown.iter().all(|word| status.stdout.contains(word)), "{}", status.stdout);
    let first = password(&emulating, "orders");
    drop(run(&["rotate", "--yes"]).with_code(0));
    let second = password(&emulating, "orders");
    assert_ne!(first, second);
    let failed_over = run(&["failover", "--yes"]).with_code(0);
    assert!(failed_over.stderr.contains("orders is in zone"), "{}", failed_over.stderr);
    drop(run(&["switchover", "--yes"]).with_code(0));
    drop(run(&["backup", "--as", "before", "--yes"]).with_code(0));
    let backups = run(&["backups", "--json"]).with_code(0);
    assert!(backups.stdout.contains("before") && backups.stdout.contains("restorable"), "{}", backups.stdout);
    let params = run(&["params", "--json"]).with_code(0);
    assert!(params.stdout.contains("work_mem"), "{}", params.stdout);
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
    let third = password(&emulating, "orders");
    let refused = ["logs", "events", "drill"].map(|verb| run(&[verb]).transcript());
    insta::assert_snapshot!("azure_verbs", refused.join("\n"));
    insta::assert_snapshot!("azure_protected", run(&["destroy", "--yes", "--confirm", "orders"]).transcript());
    // What was promoted is another database by now, and the lock goes by an apply.
    let alone = BLOCK.replace("create_read_replica        = true", "create_read_replica        = false");
    sandbox.write(
        "database.hcl",
        alone.replace("enable_deletion_protection = true", "enable_deletion_protection = false"),
    );
    drop(run(&["apply", "--yes"]).with_code(0));
    let kept = run(&["destroy", "--yes", "--confirm", "orders"]);
    assert!(kept.code != Some(0) && kept.stderr.contains("no-last-backup"), "{}", kept.transcript());
    let last = run(&["destroy", "--yes", "--confirm", "orders", "--accept", "no-last-backup"]);
    assert_eq!(last.code, Some(0), "{}", last.transcript());
    assert_eq!(run(&["output"]).with_code(5).stdout, "");
    for secret in [first, second, third] {
        assert!(!printed.contains(&secret), "a password was printed");
    }
    drop(emulating);
}

#[test]
fn what_azure_refuses_for_sure_needs_nobody_asked() {
    let sandbox = Sandbox::new();
    let block = BLOCK
        .replace("publicly_accessible        = true", "alarm_targets = [\"arn:aws:sns:us-east-1:1:ops\"]")
        .replace("GP_Standard_D2ds_v5", "B_Gen5_1")
        .replace("engine_version             = \"16\"", "server_version = \"11\"")
        .replace("backup_retention_period    = 7", "storage_mb = 5120");
    sandbox.write("database.hcl", block);
    insta::assert_snapshot!("azure_refused", sandbox.run(&["validate"]).transcript());
}

#[test]
fn the_emulator_tells_a_shell_what_programs_need() {
    let sandbox = Sandbox::new();
    let emulating = Emulating::start(&sandbox, "emulate azure --listen 127.0.0.1:0");
    let (code, said) = emulating.ends(rustix::process::Signal::INT);
    assert_eq!(code, Some(0));
    let port = said.lines().next().and_then(|line| line.rsplit(':').next()).expect("a port").to_owned();
    let said: Vec<String> = said.lines().map(|line| line.replace(&port, "[PORT]")).collect();
    let (authority, said) = said.split_last().expect("lines");
    assert!(authority.starts_with("export REQUESTS_CA_BUNDLE=") && authority.ends_with("/ca/ca.crt"), "{authority}");
    insta::assert_snapshot!(said.join("\n"), @"
    export PGHERD_AZURE_ENDPOINT=http://127.0.0.1:[PORT]
    export PGHERD_AZURE_TOKEN=emulated
    export PGHERD_AZURE_VAULT_TOKEN=emulated-vault
    export PGHERD_AZURE_KEY_VAULT=learning-vault
    export AZURE_SUBSCRIPTION_ID=s
    export AZURE_AUTHORITY_HOST=https://127.0.0.1:[PORT]
    export AZURE_TENANT_ID=learning
    export AZURE_CLIENT_ID=emulated
    export AZURE_CLIENT_SECRET=emulated
    ");
}
