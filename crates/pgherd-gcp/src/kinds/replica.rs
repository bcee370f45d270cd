//! Read replicas: instances of their own that follow another.

use pgherd_core::resource::{Field, Id, Impact, ImpactRule, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{fixed, instance, set};
use crate::fields::{FLAGS, LABELS, NETWORKS};
use crate::{labels, names, parameters};

/// Its name in an [`Id`].
pub const NAME: &str = "replica";

const OF_REPLICA: [Field; 4] = [
    fixed("privateNetwork", "a replica stays in its network: take it out of the block, apply, and write it again"),
    super::listed(NETWORKS, Impact::NewConnections),
    Field {
        impact: ImpactRule::ParameterAtOnce(Impact::Restart { about_s: 60 }),
        ..set("databaseFlags.*", Impact::None)
    },
    set("userLabels.*", Impact::None),
];

const FIELDS: [Field; 17] = {
    let mut all = [instance::OF_BOTH[0]; 17];
    let mut at = 0;
    while at < instance::OF_BOTH.len() {
        all[at] = instance::OF_BOTH[at];
        at += 1;
    }
    while at < all.len() {
        all[at] = OF_REPLICA[at - instance::OF_BOTH.len()];
        at += 1;
    }
    all
};

/// The kind: what is in it is its primary's.
pub const KIND: Kind = Kind { name: NAME, holds_data: false, outlives: false, fields: &FIELDS };

/// The replicas a spec wants.
pub fn wanted(spec: &Spec, project: &str) -> Vec<Resource> {
    let one = |number: u32| {
        let mut props = instance::of_both(spec);
        // The major is the primary's, whose upgrade takes replicas along.
        props.remove("databaseVersion");
        props.remove("newestVersion");
        props.insert(FLAGS.to_owned(), Value::Map(parameters::of(spec)));
        props.insert(LABELS.to_owned(), labels::wanted(spec));
        let networks = if spec.network.publicly_accessible { instance::networks(spec) } else { Vec::new() };
        props.insert(NETWORKS.to_owned(), Value::List(networks));
        if let Some(network) = instance::private_network(spec, project) {
            props.insert("privateNetwork".to_owned(), network);
        }
        Resource { id: Id::new(NAME, names::replica(&spec.name, number)), props, needs: vec![instance::id(spec)] }
    };
    (1..=spec.replicas).map(one).collect()
}
