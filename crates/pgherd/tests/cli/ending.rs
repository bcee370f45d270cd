//! How real databases end: what is asked, what remains, and that what remains can be used.

use crate::live::{block, live};

/// `orders`, whose end leaves a last backup.
fn kept() -> String {
    block("orders", "").replace("parameters", "skip_final_snapshot = false\n  parameters")
}

#[test]
fn a_last_backup_is_named_and_restored() {
    let Some(live) = live("a_last_backup_is_named_and_restored") else { return };
    live.0.write("database.hcl", kept());
    let _ = live.run("up").with_code(0);
    live.sql("create table kept (id int); insert into kept values (7)");
    let dry = live.run("destroy --dry-run").with_code(0);
    assert!(dry.stderr.contains("orders: a last backup orders-final-"), "{}", dry.transcript());
    let ended = live.run("destroy --confirm orders").with_code(0);
    let name = ended.stdout.lines().last().and_then(|line| line.strip_prefix("the last backup of orders is "));
    let name = name.unwrap_or_else(|| panic!("{}", ended.transcript()));

    // Its remains are in nobody's way, and become a database again.
    let _ = live.run("up").with_code(0);
    assert_eq!(live.sql("select count(*) from pg_class where relname = 'kept'"), "0\n");
    let restored = live.run(&format!("restore --as orders-again --backup {name} --yes")).with_code(0);
    assert!(restored.stdout.contains("orders-again holds the backup "), "{}", restored.transcript());
    let again = "name               = \"orders-again\"\n  database_name      = \"orders\"";
    let block = kept().replace("name               = \"orders\"", again);
    // The port is the first one's.
    let lines = block.lines().filter(|line| !line.trim_start().starts_with("port ")).collect::<Vec<_>>();
    live.0.write("database.hcl", lines.join("\n"));
    assert_eq!(live.sql("select id from kept"), "7\n");
}

#[test]
fn without_a_last_backup_the_document_warns() {
    let Some(live) = live("without_a_last_backup_the_document_warns") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let ended = live.run("destroy --confirm orders --json").with_code(0);
    let document = ended.json();
    assert_eq!(document["diagnostics"][0]["code"], "no-last-backup", "{}", ended.transcript());
    assert_eq!(document["diagnostics"][0]["severity"], "warning");
    assert_eq!(document["result"]["last_backups"], serde_json::json!([]));
    assert!(ended.stderr.contains("warning: orders: no last backup is taken"), "{}", ended.transcript());
}

#[test]
fn the_document_names_last_backups() {
    let Some(live) = live("the_document_names_last_backups") else { return };
    live.0.write("database.hcl", kept());
    let _ = live.run("up").with_code(0);
    let ended = live.run("destroy --confirm orders --json").with_code(0);
    let backups = &ended.json()["result"]["last_backups"];
    assert_eq!(backups[0]["database"], "orders", "{}", ended.transcript());
    let name = backups[0]["name"].as_str().expect("a name").to_owned();
    assert!(live.run("backups").with_code(0).stdout.starts_with(&name));
}
