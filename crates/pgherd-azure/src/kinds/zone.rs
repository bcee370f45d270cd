//! The private zone in which a server in a subnet has its name, and its link to the network of that subnet. Azure makes no such server
//! without, and does not look whether the link is there.

use pgherd_core::resource::{Equality, Field, Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{props, server, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "zone";

/// The field with its path.
pub const PATH: &str = "id";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[Field { equality: Equality::IgnoreCase, ..set("virtualNetwork", Impact::Reconnect) }],
};

/// The id of a spec's zone.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, names::zone(&spec.name))
}

/// The zone a spec wants, for a server in a subnet.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let network = match server::subnet(spec)? {
        Value::Text(subnet) => Value::Text(network(&subnet).to_owned()),
        other => other,
    };
    Some(Resource { id: id(spec), props: props([("virtualNetwork", network)]), needs: Vec::new() })
}

/// The network of a subnet: the path before it.
pub fn network(subnet: &str) -> &str {
    let end = subnet.to_ascii_lowercase().rfind("/subnets/");
    end.map_or(subnet, |end| &subnet[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_of_a_subnet() {
        let network_path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n";
        assert_eq!(network(&format!("{network_path}/subnets/db")), network_path);
        assert_eq!(network(&format!("{network_path}/Subnets/db")), network_path);
    }
}
