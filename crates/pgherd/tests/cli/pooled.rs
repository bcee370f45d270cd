//! A database with a pooler in front, through the program alone: planned, made, reached both ways, changed, deleted.

use std::net::TcpListener;

use serde_json::Value;

use crate::live::{block, live};

fn pooled(more: &str) -> String {
    block("orders", "").replace("parameters ", &format!("enable_proxy = true\n  {more}\n  parameters "))
}

#[test]
fn applications_get_the_poolers_port_and_psql_the_servers() {
    let Some(live) = live("applications_get_the_poolers_port_and_psql_the_servers") else { return };
    live.0.write("database.hcl", pooled(""));
    let planned = live.run("plan");
    if planned.stderr.contains("[pooler-missing]") {
        assert!(planned.stderr.contains("pgherd doctor --fix installs it"), "{}", planned.transcript());
        return crate::live::skipped("applications_get_the_poolers_port_and_psql_the_servers");
    }
    let _ = live.run("up").with_code(0);
    let status = live.run("status --json").json();
    let report = &status["result"][0]["report"];
    let (pooler, server) = (&report["pooler"]["port"], &report["endpoint"]["port"]);
    let text = live.run("status").with_code(0).stdout;
    assert!(
        text.contains(&format!("\n  pooler        :{pooler}  running  transaction, 20 per pool, no clients\n")),
        "{text}"
    );
    assert!(text.lines().next().is_some_and(|line| line.contains(&format!("localhost:{pooler}/"))), "{text}");
    let environment = live.run("env --json").json()["result"].clone();
    assert_eq!([&environment["PGPORT"], &environment["DB_PORT"]], [&Value::from(pooler.to_string()); 2]);
    assert_eq!(live.run("output db_instance_port").with_code(0).stdout, format!("db_instance_port = {pooler}\n"));
    // psql is past the pooler, and libpq finds the password on both ways.
    assert_eq!(live.sql("select inet_server_port()").trim(), server.to_string());
    let through = format!("connect -- -At -p {pooler} -c");
    let words: Vec<&str> = through.split(' ').chain(["show ssl"]).collect();
    assert_eq!(live.0.run(&words).with_code(0).stdout, "on\n");

    live.0.write("database.hcl", pooled("proxy_config = { default_pool_size = 5 }"));
    let plan = live.run("plan").with_code(0).stdout;
    assert!(plan.contains("~ proxy_config.default_pool_size  20 -> 5   now   no impact"), "{plan}");
    let _ = live.run("apply --yes").with_code(0);
    let text = live.run("status").with_code(0).stdout;
    assert!(text.contains("transaction, 5 per pool"), "{text}");
    let _ = live.run("plan --detailed-exitcode").with_code(0);

    live.0.write("database.hcl", block("orders", ""));
    let plan = live.run("plan").with_code(0).stdout;
    assert!(plan.contains("~ enable_proxy  true -> false ") && plan.contains("Z   reconnect\n"), "{plan}");
    // Its clients would be cut off: that waits for the window.
    let _ = live.run("apply --yes").with_code(3);
    let text = live.run("status").with_code(0).stdout;
    assert!(
        text.contains("\n  pooler ") && text.contains("\n  pending   enable_proxy waits for reconnect, "),
        "{text}"
    );
    assert_eq!(live.run("env --json").json()["result"]["PGPORT"], server.to_string());
    let _ = live.run("plan --detailed-exitcode").with_code(0);
    let _ = live.run("apply --yes --now").with_code(0);
    assert!(!live.run("status").with_code(0).stdout.contains("pooler"));
    let address = format!("127.0.0.1:{pooler}");
    assert!(TcpListener::bind(&address).is_ok(), "something still holds {address}");
}
