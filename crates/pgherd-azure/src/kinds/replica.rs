//! Read replicas: servers of their own that follow another, in its region.

use pgherd_core::resource::{Field, Id, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{server, theirs};
use crate::around::Around;
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "replica";

const FIELDS: [Field; 13] = {
    let mut all = [theirs("privateDnsZoneArmResourceId"); 13];
    let mut at = 0;
    while at < server::OF_BOTH.len() {
        all[at] = server::OF_BOTH[at];
        at += 1;
    }
    all
};

/// The kind: what is in it is its primary's.
pub const KIND: Kind = Kind { name: NAME, holds_data: false, outlives: false, fields: &FIELDS };

/// The replicas a spec wants.
pub fn wanted(spec: &Spec, around: &Around) -> Vec<Resource> {
    let one = |name: String| {
        let server = server::wanted(spec, around);
        let mut props = server::of_both(spec, around);
        for field in ["location", "privateDnsZoneArmResourceId"] {
            props.extend(server.props.get(field).map(|value| (field.to_owned(), value.clone())));
        }
        Resource { id: Id::new(NAME, name), props, needs: vec![server::id(spec)] }
    };
    (1..=spec.replicas).map(|number| one(names::replica(&spec.name, number))).collect()
}
