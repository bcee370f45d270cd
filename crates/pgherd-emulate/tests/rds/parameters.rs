//! Parameter groups: what they take, and when it takes effect.

use super::{PLAIN, World, changed};

fn group() -> World {
    let mut world = World::new();
    let sent =
        [("DBParameterGroupName", "orders-pg16"), ("DBParameterGroupFamily", "postgres16"), ("Description", "d")];
    world.ok("CreateDBParameterGroup", &sent);
    world
}

fn set<'a>(name: &'a str, value: &'a str, method: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("DBParameterGroupName", "orders-pg16"),
        ("Parameters.Parameter.1.ParameterName", name),
        ("Parameters.Parameter.1.ParameterValue", value),
        ("Parameters.Parameter.1.ApplyMethod", method),
    ]
}

#[track_caller]
fn check(name: &str, value: &str, method: &str, expected: &str) {
    let found = group().ask("ModifyDBParameterGroup", &set(name, value, method));
    assert_eq!(found.err().unwrap_or_else(|| "ok".to_owned()), expected, "{name} = {value}");
}

#[test]
fn numbers_are_bare_and_in_bounds() {
    check("shared_buffers", "32768", "pending-reboot", "ok");
    check("shared_buffers", "256MB", "pending-reboot", "InvalidParameterValue");
    check("shared_buffers", "{DBInstanceClassMemory/32768}", "pending-reboot", "ok");
    check("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)", "pending-reboot", "ok");
    check("max_connections", "0", "pending-reboot", "InvalidParameterValue");
    check("log_min_duration_statement", "-1", "immediate", "ok");
    check("random_page_cost", "1.1", "immediate", "ok");
}

#[test]
fn booleans_are_0_and_1() {
    check("log_connections", "1", "immediate", "ok");
    check("log_connections", "on", "immediate", "InvalidParameterValue");
    check("rds.force_ssl", "1", "immediate", "ok");
    check("rds.force_ssl", "2", "immediate", "InvalidParameterValue");
}

#[test]
fn words_are_those_of_the_server() {
    check("log_statement", "all", "immediate", "ok");
    check("log_statement", "some", "immediate", "InvalidParameterValue");
}

#[test]
fn what_is_static_cannot_be_immediate() {
    check("max_connections", "200", "immediate", "InvalidParameterCombination");
    check("work_mem", "8192", "pending-reboot", "ok");
}

#[test]
fn what_cannot_be_set() {
    check("ssl", "1", "immediate", "InvalidParameterValue");
    check("no_such_thing", "1", "immediate", "InvalidParameterValue");
    check("server_version", "16", "immediate", "InvalidParameterValue");
}

#[test]
fn twenty_at_a_time() {
    let sent: Vec<_> = (1..=21)
        .flat_map(|n| {
            let field = |field: &str| format!("Parameters.Parameter.{n}.{field}");
            [(field("ParameterName"), "work_mem"), (field("ParameterValue"), "64"), (field("ApplyMethod"), "immediate")]
        })
        .collect();
    let mut all = vec![("DBParameterGroupName", "orders-pg16")];
    all.extend(sent.iter().map(|(name, value)| (name.as_str(), *value)));
    assert_eq!(group().ask("ModifyDBParameterGroup", &all).unwrap_err(), "InvalidParameterValue");
}

#[test]
fn a_default_group_is_nobodys() {
    let sent = changed(&set("work_mem", "64", "immediate"), &[("DBParameterGroupName", "default.postgres16")]);
    assert_eq!(group().ask("ModifyDBParameterGroup", &sent).unwrap_err(), "InvalidParameterValue");
}

#[test]
fn only_a_reboot_brings_static_parameters() {
    let mut world = group();
    world.ok("CreateDBInstance", &changed(PLAIN, &[("DBParameterGroupName", "orders-pg16")]));
    world.pass(3600);
    world.ok("ModifyDBParameterGroup", &set("work_mem", "8192", "immediate"));
    assert_eq!(world.field("ParameterApplyStatus"), "in-sync");
    world.ok("ModifyDBParameterGroup", &set("max_connections", "200", "pending-reboot"));
    assert_eq!(world.field("ParameterApplyStatus"), "pending-reboot");
    // No window does.
    world.pass(8 * 86_400);
    assert_eq!(world.field("ParameterApplyStatus"), "pending-reboot");
    world.ok("RebootDBInstance", &[("DBInstanceIdentifier", "orders")]);
    world.pass(600);
    assert_eq!(world.field("ParameterApplyStatus"), "in-sync");
    let reset = [
        ("DBParameterGroupName", "orders-pg16"),
        ("ResetAllParameters", "false"),
        ("Parameters.Parameter.1.ParameterName", "max_connections"),
        ("Parameters.Parameter.1.ApplyMethod", "pending-reboot"),
    ];
    world.ok("ResetDBParameterGroup", &reset);
    assert_eq!(world.field("ParameterApplyStatus"), "pending-reboot");
}

#[test]
fn another_group_takes_effect_at_a_reboot() {
    let mut world = group();
    world.ok("CreateDBInstance", PLAIN);
    world.pass(3600);
    world.modify(&[("DBParameterGroupName", "orders-pg16")]);
    assert_eq!(world.field("ParameterApplyStatus"), "pending-reboot");
    assert_eq!(world.field("DBInstanceStatus"), "available");
}

#[test]
fn only_what_was_set_is_the_users() {
    let mut world = group();
    world.ok("ModifyDBParameterGroup", &set("work_mem", "8192", "immediate"));
    let sent = [("DBParameterGroupName", "orders-pg16"), ("Source", "user")];
    insta::assert_snapshot!(world.ok("DescribeDBParameters", &sent).replace("><", ">\n<"));
}

#[test]
fn a_group_is_kept_while_in_use() {
    let mut world = group();
    world.ok("CreateDBInstance", &changed(PLAIN, &[("DBParameterGroupName", "orders-pg16")]));
    let sent = [("DBParameterGroupName", "orders-pg16")];
    assert_eq!(world.ask("DeleteDBParameterGroup", &sent).unwrap_err(), "InvalidDBParameterGroupState");
}
