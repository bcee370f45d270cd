//! Who may reach a server. An empty list lets everybody in on DigitalOcean, so there always is a rule: without any in the block one
//! for the server itself, which lets nobody in.
//!
//! Only addresses are ours. Droplets, clusters of Kubernetes, apps and tags that somebody let in are kept.

use std::collections::BTreeSet;

use ipnet::IpNet;
use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{listed, props};

/// Its name in an [`Id`].
pub const NAME: &str = "firewall";

/// The type of rules that are ours.
pub const ADDRESS: &str = "ip_addr";

/// Nobody: no packet from there ever arrives.
pub const NOBODY: &str = "127.0.0.1";

/// The port a block speaks of, and the one DigitalOcean listens on.
const PORTS: [u16; 2] = [5432, 25060];

/// The kind.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[listed("rules", Impact::NewConnections)] };

/// The rules of a server of a database.
pub fn wanted(spec: &Spec, server: &Id) -> Resource {
    Resource {
        id: Id::new(NAME, &server.name),
        props: props([("rules", Value::List(rules(spec)))]),
        needs: vec![server.clone()],
    }
}

/// The addresses that may come in, as DigitalOcean takes them.
pub fn rules(spec: &Spec) -> Vec<Value> {
    let of_rules =
        spec.network.rules.iter().filter(|rule| rule.ingress && opens(rule)).flat_map(|rule| &rule.cidr_blocks);
    let mut known = BTreeSet::new();
    let mut unknown = Vec::new();
    for block in spec.network.allowed_cidr_blocks.iter().chain(of_rules) {
        match block {
            Setting::Known(text) => known.extend(address(text)),
            Setting::Unknown(reference) => unknown.push(Value::Unknown(reference.clone())),
            Setting::Unset => {}
        }
    }
    if known.is_empty() && unknown.is_empty() {
        known.insert(NOBODY.to_owned());
    }
    known.into_iter().map(Value::Text).chain(unknown).collect()
}

fn opens(rule: &pgherd_core::spec::SecurityRule) -> bool {
    rule.protocol == "-1" || PORTS.iter().any(|port| (rule.from_port..=rule.to_port).contains(port))
}

/// An address or a network in one spelling: `10.0.0.0/8`, `198.51.100.7`. What is none has been said by the checks.
pub fn address(text: &str) -> Option<String> {
    match text.parse::<IpNet>() {
        Ok(IpNet::V4(net)) if net.prefix_len() == 32 => Some(net.addr().to_string()),
        Ok(net @ IpNet::V4(_)) => Some(net.trunc().to_string()),
        Ok(IpNet::V6(_)) => None,
        Err(_) => text.parse::<std::net::Ipv4Addr>().ok().map(|address| address.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(address("10.0.0.1/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(address("198.51.100.7/32").as_deref(), Some("198.51.100.7"));
        assert_eq!(address("198.51.100.7").as_deref(), Some("198.51.100.7"));
        assert_eq!(address("fd00::/8"), None);
    }
}
