//! Read replicas, in the region of the cluster or in a second one.

use pgherd_core::resource::{Field, Id, Impact, Kind, Owner, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{cluster, fixed, props, set, setting, theirs};
use crate::{names, tags};

/// Its name in an [`Id`].
pub const NAME: &str = "replica";

const PLACE: &str = "a replica stays where it is: take it out of the block, apply, and write it again";

/// The kind: what is in it is its cluster's.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("size", Impact::Restart { about_s: 120 }),
        fixed("region", PLACE),
        fixed("private_network_uuid", PLACE),
        Field { owner: Owner::Floor, ..set("storage_size_mib", Impact::None) },
        // DigitalOcean gives them at creation; that they change later is described of clusters only.
        theirs("tags"),
        // Told right after the creation, which takes none; kept by a kind of its own.
        theirs("rules"),
    ],
};

/// The replicas a spec wants.
pub fn wanted(spec: &Spec) -> Vec<Resource> {
    let near = (1..=spec.replicas)
        .map(|number| of(spec, names::replica(&spec.name, number), &spec.place.region, &spec.network.vpc_id));
    let far = spec.dr.iter().filter(|dr| dr.read_replica);
    let far = far.map(|dr| of(spec, names::recovery(&spec.name), &dr.region, &dr.vpc_id));
    near.chain(far).collect()
}

fn of(spec: &Spec, name: String, region: &Setting<String>, vpc: &Setting<String>) -> Resource {
    let mut props = props([
        ("size", Value::text(&spec.size.name)),
        ("tags", tags::wanted(spec)),
        ("rules", Value::List(super::firewall::rules(spec))),
    ]);
    let optional = [
        ("region", setting(region)),
        ("private_network_uuid", setting(vpc)),
        ("storage_size_mib", cluster::storage(spec)),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Resource { id: Id::new(NAME, name), props, needs: vec![cluster::id(spec)] }
}
