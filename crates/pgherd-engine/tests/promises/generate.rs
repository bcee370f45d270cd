//! Random providers and random wishes: tables of kinds, and resources that fit them.

use std::collections::BTreeSet;

use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::secret::Secret;
use pgherd_core::value::{Props, Value};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// A table of kinds, what was wanted of it first, and what is wanted now.
#[derive(Debug, Clone)]
pub struct Wishes {
    pub kinds: &'static [Kind],
    pub before: Vec<Resource>,
    pub after: Vec<Resource>,
}

pub fn wishes() -> impl Strategy<Value = Wishes> {
    kinds().prop_flat_map(|kinds| {
        let ids = ids(kinds);
        let needs = |weight| prop::collection::vec(prop::bool::weighted(weight), ids.len() * ids.len());
        (needs(0.3), needs(0.3)).prop_flat_map(move |(needs, more)| {
            // What is there may come to need what is not there yet.
            let later: Vec<bool> = needs.iter().zip(more).map(|(need, more)| *need || more).collect();
            (resources(kinds, graph(&ids, &needs)), resources(kinds, graph(&ids, &later)))
                .prop_map(move |(before, after)| Wishes { kinds, before, after })
        })
    })
}

/// Leaked, as providers' tables are static; a few hundred bytes a case.
pub fn kinds() -> impl Strategy<Value = &'static [Kind]> {
    let kinds = prop::collection::vec((any::<bool>(), prop::collection::vec(field(), 1..5)), 1..4);
    (kinds, prop::bool::weighted(0.2)).prop_map(|(kinds, logs)| {
        let kind = |(number, (holds_data, fields)): (usize, (bool, Vec<FieldOf>))| {
            let named = fields.into_iter().enumerate().map(|(number, field)| field.named(number)).collect::<Vec<_>>();
            let name = ["network", "database", "replica"][number];
            // What outlives all else must need nothing of it, so it is the kind that others need.
            Kind { name, holds_data, outlives: logs && number == 0, fields: Box::leak(named.into()) }
        };
        &*Box::leak(kinds.into_iter().enumerate().map(kind).collect())
    })
}

/// A field that has no name yet.
#[derive(Debug, Clone, Copy)]
struct FieldOf {
    owner: Owner,
    equality: Equality,
    impact: ImpactRule,
    keyed: bool,
}

fn field() -> impl Strategy<Value = FieldOf> {
    let owner = prop_oneof![
        4 => Just(Owner::Set),
        1 => Just(Owner::Floor),
        1 => Just(Owner::Theirs),
        1 => Just(Owner::Fixed { migration: "restore it under a new name" }),
    ];
    let others =
        vec![Equality::Unordered, Equality::IgnoreCase, Equality::Parameter, Equality::Version, Equality::Json];
    // Values of other resources stand in such fields.
    let equality = prop_oneof![Just(Equality::Exact), select(others)];
    let impact = select(vec![
        Impact::None,
        Impact::NewConnections,
        Impact::Reconnect,
        Impact::Restart { about_s: 20 },
        Impact::Failover { about_s: 60 },
        Impact::Unknown,
    ]);
    let impact = prop_oneof![
        4 => impact.clone().prop_map(ImpactRule::Always),
        1 => impact.prop_map(ImpactRule::UntilRestart),
    ];
    (owner, equality, impact, any::<bool>()).prop_map(|(owner, equality, impact, keyed)| {
        let equality = match (owner, equality) {
            (Owner::Floor, Equality::Version) => Equality::Version,
            (Owner::Floor, _) => Equality::Exact,
            (_, equality) => equality,
        };
        // Settings of PostgreSQL have names of their own, so they are always keys of a map.
        let keyed = (keyed || equality == Equality::Parameter) && !matches!(owner, Owner::Fixed { .. });
        FieldOf { owner, equality, impact, keyed }
    })
}

impl FieldOf {
    fn named(self, number: usize) -> Field {
        let names = if self.keyed { ["a.*", "b.*", "c.*", "d.*"] } else { ["a", "b", "c", "d"] };
        let Self { owner, equality, impact, .. } = self;
        Field { name: names[number], owner, equality, impact }
    }
}

fn ids(kinds: &[Kind]) -> Vec<Id> {
    kinds.iter().flat_map(|kind| ["one", "two"].map(|name| Id::new(kind.name, name))).collect()
}

/// What each resource needs, always earlier ones.
type Graph = Vec<(Id, Vec<Id>)>;

fn graph(ids: &[Id], needs: &[bool]) -> Graph {
    let earlier = |index: usize| (0..index).filter(move |other| needs[index * ids.len() + other]);
    ids.iter()
        .enumerate()
        .map(|(index, id)| (id.clone(), earlier(index).map(|other| ids[other].clone()).collect()))
        .collect()
}

/// Some of the graph, with whatever that needs.
fn resources(kinds: &'static [Kind], graph: Graph) -> impl Strategy<Value = Vec<Resource>> {
    let count = graph.len();
    subsequence(graph.clone(), 0..=count).prop_flat_map(move |chosen| {
        let mut wanted: BTreeSet<&Id> = chosen.iter().map(|(id, _)| id).collect();
        // Backwards, since needs are always earlier.
        for (id, needs) in graph.iter().rev() {
            if wanted.contains(id) {
                wanted.extend(needs);
            }
        }
        let resources: Vec<_> = graph
            .iter()
            .filter(|(id, _)| wanted.contains(id))
            .map(|(id, needs)| resource(kinds, id.clone(), needs.clone()))
            .collect();
        resources
    })
}

fn resource(kinds: &'static [Kind], id: Id, needs: Vec<Id>) -> impl Strategy<Value = Resource> {
    let kind = kinds.iter().find(|kind| kind.name == id.kind).expect("ids are made from the kinds");
    let fields: Vec<_> = kind
        .fields
        .iter()
        .map(|field| {
            let name = field.name.trim_end_matches(".*").to_owned();
            // What is fixed at creation and first wanted later would be refused, which is a test of its own.
            let value = prop(field, &needs);
            let written = match field.owner {
                Owner::Fixed { .. } => value.prop_map(Some).boxed(),
                Owner::Set | Owner::Floor | Owner::Theirs => prop::option::weighted(0.8, value).boxed(),
            };
            (Just(name), written)
        })
        .collect();
    fields.prop_map(move |fields| {
        let props: Props = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        Resource { id: id.clone(), props, needs: needs.clone() }
    })
}

fn prop(field: &Field, needs: &[Id]) -> BoxedStrategy<Value> {
    if !field.name.ends_with(".*") {
        let may_be_late = !needs.is_empty() && field.owner == Owner::Set && field.equality == Equality::Exact;
        return if may_be_late {
            let late = select(needs.to_vec()).prop_map(|need| Value::output(need, "arn".to_owned()));
            prop_oneof![1 => value(field), 1 => late].boxed()
        } else {
            value(field)
        };
    }
    let entry = |key: &str| (Just(key.to_owned()), value(field));
    let entries = vec![entry("jit"), entry("enable_sort"), entry("fsync")];
    (entries, subsequence(vec![0, 1, 2], 0..=3))
        .prop_map(|(entries, kept)| Value::Map(kept.into_iter().map(|index: usize| entries[index].clone()).collect()))
        .boxed()
}

fn value(field: &Field) -> BoxedStrategy<Value> {
    let texts = |texts: &[&str]| select(texts.iter().map(|text| Value::from(*text)).collect::<Vec<_>>()).boxed();
    match (field.owner, field.equality) {
        (Owner::Fixed { .. }, Equality::Unordered) => Just(Value::List(vec!["fixed".into()])).boxed(),
        (Owner::Fixed { .. }, _) => Just(Value::from("15.4")).boxed(),
        // Lower majors would be refused, which is a test of its own.
        (Owner::Floor, Equality::Version) => texts(&["15", "15.4", "15.6"]),
        (Owner::Floor, _) => (10..40_i64).prop_map(Value::Int).boxed(),
        (_, Equality::Exact) => prop_oneof![
            (0..3_i64).prop_map(Value::Int),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Float(1.0)),
            select(vec!["", "x", "two words"]).prop_map(Value::from),
            Just(Value::Unknown("module.network.vpc_id".to_owned())),
            select(vec!["hunter2", "hunter3"]).prop_map(|text| Value::Secret(Secret::new(text))),
            prop::collection::vec((0..3_i64).prop_map(Value::Int), 0..3).prop_map(Value::List),
        ]
        .boxed(),
        (_, Equality::Unordered) => subsequence(vec!["a", "b", "c"], 0..=3)
            .prop_map(|list| Value::List(list.into_iter().map(Value::from).collect()))
            .boxed(),
        (_, Equality::IgnoreCase) => texts(&["small", "Small", "LARGE"]),
        (_, Equality::Parameter) => texts(&["on", "true", "off"]),
        (_, Equality::Version) => texts(&["15", "15.4", "16"]),
        (_, Equality::Json) => texts(&[r#"{"a":1,"b":2}"#, r#"{ "b": 2, "a": 1 }"#, "[]"]),
    }
}
