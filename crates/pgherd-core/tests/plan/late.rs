//! Late values: what another resource has counts as soon as it is known, and what it will get once that is made.

use insta::assert_snapshot;
use pgherd_core::plan::{Action, Plan, Step};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::{Props, Value};

use super::{list, live, map, planned, printed, wanted};

fn output(kind: &str, field: &str) -> Value {
    Value::output(Id::new(kind, "dev"), field.to_owned())
}

/// A database that wants a value of its network, and both as they are found; `None`: there is no network.
fn plan(field: &str, want: Value, found: Value, network: Option<&[(&str, Value)]>) -> Plan {
    let fields = |fields: &[(&str, Value)]| {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Props>()
    };
    let network = network.map(|found| Observed { props: fields(found), ..live("network", []) });
    let observed: Vec<Observed> = network.into_iter().chain([live("database", [(field, found)])]).collect();
    planned(&[wanted("database", [(field, want)]), wanted("network", [])], &observed)
}

/// The network's address is what the database has, or not.
#[track_caller]
fn check(want: Value, found: impl Into<Value>, address: impl Into<Value>, differs: bool) {
    let plan = plan("address", want, found.into(), Some(&[("address", address.into())]));
    assert_eq!(!plan.steps.is_empty(), differs, "{}", printed(&plan));
}

#[test]
fn a_value_that_is_stale_is_a_change() {
    let stale = plan("address", output("network", "address"), "sg-1".into(), Some(&[("address", "sg-2".into())]));
    assert_snapshot!(printed(&stale), @r"
      ~ address  sg-1 -> sg-2   now   no impact
    1 change, 0 destroyed. 1 now.
    ");
    let Action::Update { resource, .. } = &stale.steps[0].action else { panic!("{stale:?}") };
    assert_eq!(resource.props["address"], "sg-2".into());
}

#[test]
fn a_value_that_holds_is_none_wherever_it_stands() {
    check(output("network", "address"), "sg-1", "sg-1", false);
    let both = |first: Value| Value::List(vec![first, "sg-9".into()]);
    check(both(output("network", "address")), list(["sg-1", "sg-9"]), "sg-1", false);
    check(both(output("network", "address")), list(["sg-1", "sg-9"]), "sg-2", true);
    let entry = |value: Value| Value::Map([("id".to_owned(), value)].into());
    check(entry(output("network", "address")), map([("id", "sg-1")]), "sg-1", false);
    check(entry(output("network", "address")), map([("id", "sg-1")]), "sg-2", true);
}

#[test]
fn what_the_target_does_not_tell_is_not_compared() {
    check(output("network", "address"), "sg-1", Value::Null, false);
    check(output("network", "colour"), "sg-1", "sg-2", false);
    let half = Value::List(vec![output("network", "address"), Value::Unknown("var.b".to_owned())]);
    check(half, list(["sg-1"]), "sg-2", false);
}

/// Else it would take a second apply to get there, or the first would lack half of what belongs together.
#[test]
fn what_a_step_before_makes_is_a_change_to_what_that_gives() {
    let plan = plan("address", output("network", "address"), "sg-1".into(), None);
    assert_snapshot!(printed(&plan), @r"
      + network dev  created                                            now
      ~ address      sg-1 -> (known after apply: network dev.address)   now   no impact
    1 created, 1 change, 0 destroyed. 2 now.
    ");
    assert_eq!(plan.steps[1].needs, [Id::new("network", "dev")]);
}

#[test]
fn only_what_is_ours_to_set_is_a_change_before_it_is_known() {
    for field in ["zone", "dbname", "storage_gib"] {
        let plan = plan(field, output("network", "address"), "sg-1".into(), None);
        assert_eq!((plan.steps.len(), plan.is_refused()), (1, false), "{}", printed(&plan));
    }
    let unknown = Value::List(vec![output("network", "address"), Value::Unknown("var.b".to_owned())]);
    assert_eq!(plan("address", unknown, list(["sg-1"]), None).steps.len(), 1);
}

#[test]
fn what_is_made_only_in_part_is_not_compared() {
    let both = Value::List(vec![output("network", "address"), output("settings", "colour")]);
    let wants = [wanted("database", [("address", both)]), wanted("network", []), wanted("settings", [])];
    let plan = planned(&wants, &[live("database", [("address", list(["sg-1"]))]), live("settings", [])]);
    assert_eq!(plan.steps.iter().map(|step| step.id.kind.as_str()).collect::<Vec<_>>(), ["network"]);
}

#[test]
fn what_a_step_before_changes_is_late_until_then() {
    let replica = wanted("replica", [("class", output("database", "class"))]);
    let class = |class: &str| [("class", class.into())];
    let printed_for = |replica_has: &[Observed]| {
        let observed: Vec<_> = replica_has.iter().cloned().chain([live("database", class("small"))]).collect();
        printed(&planned(&[wanted("database", class("large")), replica.clone()], &observed))
    };
    assert_snapshot!(printed_for(&[live("replica", class("small"))]), @r"
      ~ database dev class  small -> large                                     Sun 04:00Z   failover ~60 s
      ~ replica dev class   small -> (known after apply: database dev.class)   Sun 04:00Z   failover ~60 s
    2 changes, 0 destroyed. 0 now, 2 at Sun 2026-11-22 04:00 UTC.
    ");
    assert_snapshot!(printed_for(&[]), @r"
      ~ class        small -> large   Sun 04:00Z   failover ~60 s
      + replica dev  created          now
    1 created, 1 change, 0 destroyed. 1 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

/// What is made is made with what is known, after the same steps as before it was known.
#[test]
fn what_is_created_gets_what_is_known_and_keeps_its_turn() {
    let replica = wanted("replica", [("class", output("database", "arn"))]);
    let database = live("database", [("class", "small".into()), ("arn", "arn:dev".into())]);
    let plan = planned(&[wanted("database", [("class", "large".into())]), replica], &[database]);
    let Some(Step { action: Action::Create { resource }, needs, .. }) = plan.steps.last() else { panic!("{plan:?}") };
    assert_eq!((&resource.props["class"], &needs[..]), (&"arn:dev".into(), &[Id::new("database", "dev")][..]));
}

#[test]
fn what_comes_of_what_comes_of_another_is_followed() {
    let chain = [
        wanted("replica", [("class", output("database", "address"))]),
        wanted("database", [("address", output("network", "address"))]),
        wanted("network", []),
    ];
    let observed = |network: &str| {
        [
            live("network", [("address", network.into())]),
            live("database", [("address", "a".into())]),
            live("replica", [("class", "a".into())]),
        ]
    };
    assert_snapshot!(printed(&planned(&chain, &observed("a"))), @"No changes.");
    assert_snapshot!(printed(&planned(&chain, &observed("b"))), @r"
      ~ database dev address  a -> b                                           now          no impact
      ~ replica dev class     a -> (known after apply: database dev.address)   Sun 04:00Z   failover ~60 s
    2 changes, 0 destroyed. 1 now, 1 at Sun 2026-11-22 04:00 UTC.
    ");
}

#[test]
fn resources_that_want_values_of_each_other_are_our_bug() {
    let one = Resource {
        id: Id::new("network", "a"),
        ..wanted("network", [("cidrs", Value::output(Id::new("network", "b"), "x".to_owned()))])
    };
    let other = Resource {
        id: Id::new("network", "b"),
        ..wanted("network", [("cidrs", Value::output(Id::new("network", "a"), "x".to_owned()))])
    };
    let told = std::panic::catch_unwind(|| planned(&[one, other], &[])).expect_err("a circle");
    assert!(told.downcast_ref::<String>().is_some_and(|told| told.contains("in a circle")));
}
