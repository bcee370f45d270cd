//! The order of steps: after what they need, deletes in reverse, the same whatever the order of the lists.

use pgherd_core::plan::{self, Plan};
use pgherd_core::resource::{Id, Observed, Resource};
use pgherd_core::value::Value;
use proptest::prelude::*;

use super::{KINDS, live, planned, wanted};

fn named(kind: &str, name: &str, needs: &[&Id]) -> Resource {
    Resource { id: Id::new(kind, name), needs: needs.iter().map(|id| (*id).clone()).collect(), ..wanted(kind, []) }
}

fn existing(kind: &str, name: &str, needs: &[&Id]) -> Observed {
    Observed { id: Id::new(kind, name), needs: needs.iter().map(|id| (*id).clone()).collect(), ..live(kind, []) }
}

/// `delete replica r after delete database d`, a line for each step.
fn order(plan: &Plan) -> String {
    let step = |step: &plan::Step| {
        let needs: Vec<_> = step.needs.iter().map(|id| id.name.as_str()).collect();
        format!("{} {} after [{}]", step.action.verb(), step.id.name, needs.join(" "))
    };
    plan.steps.iter().map(step).collect::<Vec<_>>().join("\n")
}

#[test]
fn steps_come_after_what_they_need() {
    let (network, settings, database) = (Id::new("network", "n"), Id::new("settings", "s"), Id::new("database", "d"));
    let desired = [
        named("replica", "r2", &[&database]),
        named("database", "d", &[&network, &settings]),
        named("replica", "r1", &[&database]),
        named("settings", "s", &[]),
        named("network", "n", &[]),
    ];
    insta::assert_snapshot!(order(&planned(&desired, &[])), @r"
    create n after []
    create s after []
    create d after [n s]
    create r1 after [d]
    create r2 after [d]
    ");
}

#[test]
fn a_need_that_is_already_met_hands_on_its_own() {
    let (settings, database) = (Id::new("settings", "s"), Id::new("database", "d"));
    let desired =
        [named("replica", "r", &[&database]), named("database", "d", &[&settings]), named("settings", "s", &[])];
    insta::assert_snapshot!(order(&planned(&desired, &[existing("database", "d", &[])])), @r"
    create s after []
    create r after [s]
    ");
}

#[test]
fn a_value_of_another_resource_is_a_need() {
    let network = named("network", "n", &[]);
    let mut database = named("database", "d", &[]);
    database.props.insert("address".to_owned(), Value::output(network.id.clone(), "address".to_owned()));
    insta::assert_snapshot!(order(&planned(&[database, network], &[])), @r"
    create n after []
    create d after [n]
    ");
}

#[test]
fn deletes_come_in_reverse_and_after_whoever_used_the_thing() {
    let (network, settings, database) = (Id::new("network", "n"), Id::new("settings", "s"), Id::new("database", "d"));
    let observed = [
        existing("network", "n", &[]),
        existing("settings", "s", &[]),
        existing("database", "d", &[&network, &settings]),
        existing("replica", "r", &[&database]),
    ];
    insta::assert_snapshot!(order(&plan::plan_destroy(&KINDS, "dev", &observed)), @r"
    delete r after []
    delete d after [r]
    delete s after [d]
    delete n after [d]
    ");
    let mut kept = named("database", "d", &[]);
    kept.props.insert("port".to_owned(), 5433.into());
    insta::assert_snapshot!(order(&planned(&[kept], &observed)), @r"
    update d after []
    delete r after []
    delete s after [d]
    delete n after [d]
    ");
}

#[test]
#[should_panic(expected = "the needs of these resources go in a circle: network a, network b")]
fn a_circle_is_our_bug() {
    let (a, b) = (Id::new("network", "a"), Id::new("network", "b"));
    planned(&[named("network", "a", &[&b]), named("network", "b", &[&a])], &[]);
}

#[test]
#[should_panic(expected = "something needs network nowhere, which the provider does not want")]
fn a_need_that_nobody_meets_is_our_bug() {
    planned(&[named("network", "a", &[&Id::new("network", "nowhere")])], &[]);
}

#[test]
#[should_panic(expected = "a network has a field colour that its table does not list")]
fn a_field_that_is_not_declared_is_our_bug() {
    planned(&[wanted("network", [("colour", "red".into())])], &[live("network", [])]);
}

#[test]
#[should_panic(expected = "network dev is listed twice")]
fn one_id_for_two_resources_is_our_bug() {
    planned(&[wanted("network", []), wanted("network", [])], &[]);
}

proptest! {
    #[test]
    fn the_order_of_the_lists_does_not_matter(
        desired in Just(sample_desired()).prop_shuffle(),
        observed in Just(sample_observed()).prop_shuffle(),
    ) {
        prop_assert_eq!(planned(&desired, &observed), planned(&sample_desired(), &sample_observed()));
    }
}

fn sample_desired() -> Vec<Resource> {
    let (network, settings, database) = (Id::new("network", "n"), Id::new("settings", "s"), Id::new("database", "d"));
    vec![
        named("network", "n", &[]),
        named("settings", "s", &[]),
        named("database", "d", &[&network, &settings]),
        named("replica", "r1", &[&database]),
        named("replica", "r2", &[&database]),
    ]
}

fn sample_observed() -> Vec<Observed> {
    let old = Id::new("database", "old");
    vec![
        existing("settings", "s", &[]),
        existing("network", "old", &[]),
        existing("database", "old", &[&Id::new("network", "old")]),
        existing("replica", "old1", &[&old]),
        existing("replica", "old2", &[&old]),
    ]
}
