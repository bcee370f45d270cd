//! Which differences of one resource make a change, by owner and equality.

use insta::assert_snapshot;
use pgherd_core::resource::{Observed, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::Value;

use super::{list, live, map, planned, printed, wanted};

/// One field of the database, wanted and found; nothing is printed but what differs.
#[track_caller]
fn check(name: &str, want: impl Into<Value>, found: impl Into<Value>, differs: bool) {
    let plan = planned(&[wanted("database", [(name, want.into())])], &[live("database", [(name, found.into())])]);
    assert_eq!(!plan.steps.is_empty(), differs, "{}", printed(&plan));
    assert!(!plan.is_refused(), "{}", printed(&plan));
}

fn print(desired: Resource, observed: Observed) -> String {
    printed(&planned(&[desired], &[observed]))
}

#[test]
fn what_is_as_wanted_is_left_alone() {
    check("class", "small", "small", false);
    check("port", 5432, Value::Float(5432.0), false);
    check("address", Value::Null, Value::Null, false);
    check("class", "small", "large", true);
    check("class", "small", Value::Null, true);
    check("address", Value::Null, "10.0.0.1", true);
}

#[test]
fn lists_and_maps_are_compared_whole() {
    let numbers = |numbers: &[f64]| Value::List(numbers.iter().copied().map(Value::Float).collect());
    check("address", Value::List(vec![1.into(), 2.into()]), numbers(&[1.0, 2.0]), false);
    check("address", list(["a", "b"]), list(["b", "a"]), true);
    check("address", list(["a", "b"]), list(["a"]), true);
    check("address", list(["a"]), list(["a", "b"]), true);
    check("address", Value::List(vec![1.into(), 2.into()]), numbers(&[1.0, 3.0]), true);
    let both = |first: &str, second: &str| Value::List(vec![map([(first, second)])]);
    check("address", both("a", "b"), both("a", "b"), false);
    check("address", both("a", "b"), both("a", "c"), true);
    check("address", both("a", "b"), both("b", "b"), true);
}

#[test]
fn only_wanted_fields_are_compared() {
    let found = live("database", [("class", "small".into()), ("colour", "red".into())]);
    assert_snapshot!(print(wanted("database", [("class", "small".into())]), found), @"No changes.");
}

#[test]
fn storage_that_grew_by_itself_is_no_difference() {
    check("storage_gib", 100, 120, false);
    check("storage_gib", 100, 100, false);
    check("storage_gib", 100, 80, true);
}

#[test]
fn a_version_that_was_patched_is_no_difference() {
    check("version", "15", "15.18", false);
    check("version", "15.4", "15.18", false);
    check("version", "15.18", "15.4", true);
    check("version", "16", "15.18", true);
    check("version", 16, "16.3", false);
}

#[test]
fn a_lower_major_is_refused() {
    let (want, found) =
        (wanted("database", [("version", "15".into())]), live("database", [("version", "16.3".into())]));
    assert_snapshot!(print(want, found), @r"
    error[downgrade]: database dev runs version 16.3 and cannot go back to 15
      help: write 16.3, or restore a dump of it into a new database of version 15
    Nothing can be applied: 1 error.
    ");
}

#[test]
fn the_zone_after_a_failover_is_theirs() {
    check("zone", "a", "b", false);
    check("zone", "a", Value::Null, false);
}

#[test]
fn what_is_fixed_at_creation_is_refused_with_the_way_to_get_there() {
    let want = wanted("database", [("class", "large".into()), ("dbname", "new".into())]);
    let found = live("database", [("class", "small".into()), ("dbname", "old".into())]);
    assert_snapshot!(print(want, found), @r"
      ~ class  small -> large   Sun 04:00Z   failover ~60 s
    error[fixed-field]: dbname of database dev is fixed at creation: it is old and cannot become new
      help: dump it and restore it under the new name
    1 change, 0 destroyed. 0 now, 1 at Sun 2026-11-22 04:00 UTC. Nothing of it can be applied: 1 error.
    ");
}

#[test]
fn texts_without_case_and_json_without_order() {
    check("engine", "Postgres", "postgres", false);
    check("engine", "Postgres", "mysql", true);
    check("policy", r#"{"a": 1, "b": [2]}"#, r#"{"b":[2],"a":1}"#, false);
    check("policy", r#"{"a": 1}"#, r#"{"a": 2}"#, true);
    check("policy", "not json", "not json", false);
    check("policy", "{}", "not json", true);
}

#[test]
fn lists_as_sets() {
    #[track_caller]
    fn check<const N: usize, const M: usize>(want: [&str; N], found: [&str; M], differs: bool) {
        let plan = planned(&[wanted("network", [("cidrs", list(want))])], &[live("network", [("cidrs", list(found))])]);
        assert_eq!(!plan.steps.is_empty(), differs, "{}", printed(&plan));
    }
    check(["a", "b"], ["b", "a"], false);
    check(["a", "b", "a"], ["b", "a"], false);
    check(["a", "b"], ["a"], true);
    check(["a"], ["a", "b"], true);
    let absent = planned(&[wanted("network", [("cidrs", list([]))])], &[live("network", [])]);
    assert!(absent.steps.is_empty(), "an absent list is an empty one");
}

#[test]
fn maps_key_by_key_and_foreign_keys_are_removed() {
    let want =
        wanted("settings", [("parameters", map([("max_connections", "200"), ("work_mem", "64MB"), ("jit", "off")]))]);
    let found = live(
        "settings",
        [("parameters", map([("max_connections", "100"), ("work_mem", "64MB"), ("shared_buffers", "1GB")]))],
    );
    assert_snapshot!(print(want, found), @r"
      ~ parameters.jit              (default) -> off   now          no impact
      ~ parameters.max_connections  100 -> 200         Sun 04:00Z   restart ~20 s
      ~ parameters.shared_buffers   1GB -> (default)   Sun 04:00Z   restart ~20 s
    3 changes, 0 destroyed. 1 now, 2 at Sun 2026-11-22 04:00 UTC.
    ");
}

#[test]
fn settings_are_the_same_in_any_unit_and_spelling() {
    #[track_caller]
    fn check(name: &str, want: impl Into<Value>, found: impl Into<Value>, differs: bool) {
        let parameters = |value: Value| Value::Map([(name.to_owned(), value)].into());
        let want = wanted("settings", [("parameters", parameters(want.into()))]);
        let plan = planned(&[want], &[live("settings", [("parameters", parameters(found.into()))])]);
        assert_eq!(!plan.steps.is_empty(), differs, "{}", printed(&plan));
    }
    check("shared_buffers", "256MB", "262144kB", false);
    check("shared_buffers", "256MB", "32768", false);
    check("shared_buffers", "256MB", "257MB", true);
    check("jit", "on", "true", false);
    check("jit", true, "on", false);
    check("max_connections", 100, "100", false);
    check("auto_explain.log_min_duration", "1s", "1000ms", false);
    check("jit", Value::Secret(Secret::new("a")), Value::Secret(Secret::new("b")), true);
}

#[test]
fn a_map_that_is_absent_has_no_keys() {
    let want = wanted("database", [("tags", map([]))]);
    assert_snapshot!(print(want, live("database", [])), @"No changes.");
    let want = wanted("database", [("tags", map([("Owner", "ops")]))]);
    assert_snapshot!(print(want, live("database", [])), @r"
      ~ tags.Owner  (none) -> ops   now   no impact
    1 change, 0 destroyed. 1 now.
    ");
    let want = wanted("database", [("tags", Value::Null)]);
    assert_snapshot!(print(want, live("database", [("tags", map([("Owner", "ops")]))])), @r"
      ~ tags.Owner  ops -> (none)   now   no impact
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn a_password_is_compared_with_the_verifier_and_never_shown() {
    let found = Value::Secret(Secret::Verifier(Secret::scram_verifier("hunter2", b"0123456789abcdef")));
    check("password", Value::Secret(Secret::new("hunter2")), found.clone(), false);
    let want = wanted("database", [("password", Value::Secret(Secret::new("hunter3")))]);
    assert_snapshot!(print(want, live("database", [("password", found)])), @r"
      ~ password  (secret) -> (secret)   now   new connections
    1 change, 0 destroyed. 1 now.
    ");
}

#[test]
fn what_nobody_knows_is_not_compared() {
    check("address", Value::Unknown("module.network.vpc_id".to_owned()), "10.0.0.1", false);
    let unknown = Value::List(vec!["a".into(), Value::Unknown("var.b".to_owned())]);
    check("address", unknown, "10.0.0.1", false);
    let tags = Value::Map(
        [("Owner".to_owned(), Value::Unknown("var.owner".to_owned())), ("Team".to_owned(), "db".into())].into(),
    );
    check("tags", tags, map([("Owner", "ops"), ("Team", "db")]), false);
    check("tags", Value::Unknown("var.tags".to_owned()), map([("Owner", "ops")]), false);
}
