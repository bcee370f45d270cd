//! A primary and its standby through the program alone: made, exchanged, failed over, told, deleted.

use serde_json::Value;

use crate::live::{block, live};

fn pair(name: &str) -> String {
    block(name, "").replace("parameters ", "multi_az = true\n  parameters ")
}

#[test]
fn a_pair_changes_roles_and_tells_of_it() {
    let Some(live) = live("a_pair_changes_roles_and_tells_of_it") else { return };
    live.0.write("database.hcl", pair("orders"));
    let _ = live.run("apply --yes").with_code(0);
    assert_eq!(live.sql("create table t (id int); insert into t values (1)"), "CREATE TABLE\nINSERT 0 1\n");
    let status = live.run("status").with_code(0).stdout;
    assert!(status.contains("\n  primary   n1  :") && status.contains("\n  standby   n2  :"), "{status}");
    assert!(status.contains("\n  commits   wait for n2, which takes over by itself\n"), "{status}");
    assert!(status.contains("  synchronous, ") && status.contains("\n  writes    :"), "{status}");

    // Past the one port, for clients that look for the primary themselves.
    let each = live.run("env --each-server --json").json()["result"].clone();
    let url = each["DATABASE_URL"].as_str().expect("text");
    let ports: Vec<&str> = each["PGPORT"].as_str().expect("text").split(',').collect();
    assert!(url.contains(&format!("@localhost:{},localhost:{}/", ports[0], ports[1])), "{url}");
    let hosts = format!("host=localhost,localhost port={} target_session_attrs=read-write", ports.join(","));
    let who = "select pg_is_in_recovery(), inet_server_port()";
    let found = live.0.run(&["connect", "--", "-At", "-d", &hosts, "-c", who]).with_code(0).stdout;
    assert_eq!(found, format!("f|{}\n", ports[0]));

    let asks = live.run("failover").with_code(4);
    assert!(asks.stderr.contains("add --yes to agree"), "{}", asks.transcript());
    assert_eq!(live.run("switchover --dry-run").with_code(0).stdout, "");
    let exchanged = live.run("switchover orders --yes").with_code(0);
    assert!(exchanged.stdout.starts_with("orders has another primary: n2 instead of n1"), "{}", exchanged.transcript());
    assert_eq!(live.sql("select count(*) from t"), "1\n");

    while live.run("status --json").json()["result"][0]["report"]["commits_wait_for"] != "n1" {}
    let failed_over = live.run("failover -b orders --yes --json --drill").with_code(0).json();
    let drill = &failed_over["result"]["drill"];
    assert_eq!([&drill["lost"], &drill["doubled"], &drill["clients"]], [0, 0, 4]);
    assert!(drill["acknowledged"].as_u64() >= Some(80) && drill["write_gap_ms"].as_u64() > Some(0), "{drill}");
    assert_eq!(live.sql("select count(*) from pg_namespace where nspname = 'pgherd_drill'"), "0\n");
    let takeover = &failed_over["result"]["takeover"];
    assert_eq!(
        [&takeover["from"], &takeover["to"], &takeover["whole"], &takeover["planned"]],
        [&Value::from("n2"), &Value::from("n1"), &Value::from(true), &Value::from(false)]
    );
    assert_eq!(live.sql("insert into t values (2); select count(*) from t"), "INSERT 0 1\n2\n");
    let status = live.run("status").with_code(0).stdout;
    // The drill writes on: what the old primary had and nobody was told of may be gone, and is said to be.
    let is_told =
        ["asked for; no ", "had not been acknowledged and did not survive"].iter().any(|told| status.contains(told));
    assert!(status.contains(" from n2 to n1: asked for; ") && is_told, "{status}");

    let events = live.run("events").with_code(0).stdout;
    for expected in ["switchover from n1 to n2, which holds every", "failover from n2 to n1, which holds every"] {
        assert!(events.contains(expected), "{expected} is not in\n{events}");
    }
    assert_eq!(live.run("events -n 1 --json").json()["result"].as_array().map(Vec::len), Some(1));
    let _ = live.run("destroy --confirm orders").with_code(0);
    let port = live.0.work().join("database.hcl");
    let text = std::fs::read_to_string(port).expect("our file");
    let port = text.lines().find_map(|line| line.trim().strip_prefix("port")?.split('=').nth(1)).expect("a port");
    let address = format!("127.0.0.1:{}", port.trim());
    assert!(std::net::TcpListener::bind(&address).is_ok(), "something still holds {address}");
    let gone = live.run("events orders").with_code(0).stdout;
    assert!(gone.contains("failover from n2 to n1"), "{gone}");
}

#[test]
fn nobody_takes_over_from_a_single_server() {
    let Some(live) = live("nobody_takes_over_from_a_single_server") else { return };
    live.0.write("database.hcl", block("orders", ""));
    let _ = live.run("up").with_code(0);
    let one = live.run("env --each-server").with_code(1);
    assert!(one.stderr.contains("orders has one server"), "{}", one.transcript());
    for verb in ["failover --yes", "switchover --yes"] {
        let refused = live.run(verb).with_code(4);
        let reason = "no standby is known to hold every acknowledged commit";
        assert!(refused.stderr.contains(reason), "{}", refused.transcript());
        assert!(refused.stderr.contains("write multi_az = true"), "{}", refused.transcript());
    }
}

#[test]
fn a_replica_becomes_a_database_of_its_own() {
    let Some(live) = live("a_replica_becomes_a_database_of_its_own") else { return };
    let alone = block("orders", "");
    live.0.write("database.hcl", alone.replace("parameters ", "create_read_replica = true\n  parameters "));
    let _ = live.run("apply --yes").with_code(0);
    assert_eq!(live.sql("create table t (id int)"), "CREATE TABLE\n");
    let asks = live.run("promote --as orders-trial --yes").with_code(4);
    assert!(asks.stderr.contains("add --confirm orders to agree"), "{}", asks.transcript());
    assert_eq!(live.run("promote --as orders-trial --dry-run").with_code(0).stdout, "");
    let promoted = live.run("promote --as orders-trial --confirm orders").with_code(0);
    let said = "orders-trial is a database of its own: postgresql://localhost:";
    assert!(promoted.stdout.starts_with(said), "{}", promoted.transcript());
    let next = "write create_read_replica = false in the block orders, or the next apply makes a replica in place of";
    assert!(promoted.stderr.contains(next), "{}", promoted.transcript());

    // Repeated it is through already. With a block that says so, nothing is left to be planned.
    let again = live.run("promote --as orders-trial --confirm orders --json").with_code(0).json();
    let port = again["result"]["port"].as_u64().expect("a port");
    let trial = alone
        .replace("\"orders\"", "\"orders-trial\"")
        .replace("orders-trial\" {", "orders_trial\" {")
        .replace("parameters ", "database_name = \"orders\"\n  parameters ");
    let trial: String =
        trial.lines().filter(|line| !line.contains("port ")).fold(String::new(), |text, line| text + line + "\n");
    live.0.write("database.hcl", format!("{alone}{trial}"));
    let _ = live.run("plan --detailed-exitcode").with_code(0);
    let connect = ["connect", "orders_trial", "--", "-Atc", "insert into t values (1); show port"];
    assert_eq!(live.0.run(&connect).with_code(0).stdout, format!("INSERT 0 1\n{port}\n"));
    let _ = live.run("destroy orders_trial --confirm orders-trial").with_code(0);
    assert_eq!(live.0.run(&["connect", "orders", "--", "-Atc", "select count(*) from t"]).with_code(0).stdout, "0\n");
}
