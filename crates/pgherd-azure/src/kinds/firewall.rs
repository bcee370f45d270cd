//! Who may come in from the internet, to a primary or a replica: one rule for each range. Rules wear no tags, so ours are known by
//! their names, and those of others are left alone.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{SecurityRule, Setting, Spec};
use pgherd_core::value::Value;

use super::{listed, props, server};

/// Its name in an [`Id`].
pub const NAME: &str = "firewall";

/// The field with the ranges.
pub const RANGES: &str = "ranges";

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[listed(RANGES, Impact::NewConnections)] };

/// The firewall of a server, unless it is in a subnet, where there is none, or somebody else keeps it.
pub fn of(spec: &Spec, of: &Id) -> Option<Resource> {
    let is_ours = spec.network.create_security_group && server::subnet(spec).is_none();
    is_ours.then(|| Resource {
        id: Id::new(NAME, &of.name),
        props: props([(RANGES, Value::List(ranges(spec)))]),
        needs: vec![of.clone()],
    })
}

/// The ranges that may come in. Private ones never come from the internet.
fn ranges(spec: &Spec) -> Vec<Value> {
    if !spec.network.publicly_accessible {
        return Vec::new();
    }
    let rules = spec.network.rules.iter().filter(|rule| rule.ingress && opens(rule));
    let all = spec.network.allowed_cidr_blocks.iter().chain(rules.flat_map(|rule| &rule.cidr_blocks));
    let mut seen = std::collections::BTreeSet::new();
    let value = |block: &Setting<String>| match block {
        Setting::Known(text) => range(text).filter(|one| seen.insert(one.clone())).map(Value::Text),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        Setting::Unset => None,
    };
    all.filter_map(value).collect()
}

/// A range as it is compared: `198.51.100.0-198.51.100.255`. `None`: nobody comes from there.
pub fn range(text: &str) -> Option<String> {
    let net = network(text).filter(|_| !is_private(text))?;
    Some(format!("{}-{}", net.network(), net.broadcast()))
}

fn network(text: &str) -> Option<Ipv4Net> {
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
        Ok(IpNet::V4(net)) => Some(net),
        Ok(IpNet::V6(_)) | Err(_) => None,
    }
}

/// Whether packets from there never arrive over the internet.
pub fn is_private(text: &str) -> bool {
    let private = |ip: Ipv4Addr| (ip.is_private() || ip.is_loopback() || ip.is_link_local()) && !ip.is_unspecified();
    network(text).is_some_and(|net| private(net.addr()) && net.prefix_len() > 4)
}

fn opens(rule: &SecurityRule) -> bool {
    rule.protocol == "-1" || (rule.from_port..=rule.to_port).contains(&server::PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_its_first_and_last_address() {
        assert_eq!(range("198.51.100.0/24").as_deref(), Some("198.51.100.0-198.51.100.255"));
        assert_eq!(range("198.51.100.7").as_deref(), Some("198.51.100.7-198.51.100.7"));
        assert_eq!(range("0.0.0.0/0").as_deref(), Some("0.0.0.0-255.255.255.255"));
        assert_eq!(range("10.1.0.0/16"), None);
        assert_eq!(range("fd00::/8"), None);
    }
}
