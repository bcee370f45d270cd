//! Which server a connection is led to, and whether an established one may stay. Pure.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use super::protocol::{Listen, Set};

/// For what a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Write,
    Read,
}

pub(super) const WAYS: [Way; 2] = [Way::Write, Way::Read];

/// Where this way listens.
pub(super) fn addresses(set: &Set, way: Way) -> Vec<SocketAddr> {
    let listen: Option<&Listen> = match way {
        Way::Write => Some(&set.write),
        Way::Read => set.read.as_ref(),
    };
    listen.map_or_else(Vec::new, |Listen { addresses, port }| {
        addresses.iter().map(|address| SocketAddr::new(*address, *port)).collect()
    })
}

/// Servers a new connection may be led to, the least busy first; empty: it has to wait.
pub(super) fn candidates(set: &Set, way: Way, connected: &BTreeMap<u16, u32>) -> Vec<u16> {
    match way {
        Way::Write if set.lead.paused => Vec::new(),
        Way::Write => set.lead.write.into_iter().collect(),
        Way::Read => {
            let mut ports = set.lead.read.clone();
            ports.sort_by_key(|port| connected.get(port).copied().unwrap_or_default());
            ports
        }
    }
}

/// Whether a connection to the server at `port` may go on.
///
/// A reader may stay with a server that is not for reading any more as long as it is one of the instance: what it reads there
/// is as fresh, and it would only be disturbed.
pub(super) fn stays(set: &Set, way: Way, port: u16) -> bool {
    match way {
        Way::Write => set.lead.write == Some(port),
        Way::Read => set.read.is_some() && (set.lead.read.contains(&port) || set.lead.write == Some(port)),
    }
}

/// Whether a client at this address may connect.
pub(super) fn may_connect(allowed: &[IpNet], client: IpAddr) -> bool {
    // An IPv4 client of an IPv6 socket.
    let client = client.to_canonical();
    client.is_loopback() || allowed.iter().any(|network| network.contains(&client))
}

#[cfg(test)]
mod tests {
    use super::super::protocol::{Lead, Limits};
    use super::*;

    fn set(write: Option<u16>, read: &[u16], paused: bool) -> Set {
        let listen = |port| Listen { addresses: vec![IpAddr::from([127, 0, 0, 1])], port };
        let lead = Lead { write, read: read.to_vec(), paused };
        Set { write: listen(1), read: Some(listen(2)), allowed: vec![], lead, limits: Limits::default() }
    }

    #[track_caller]
    fn leads(set: &Set, way: Way, connected: &[(u16, u32)], expected: &[u16]) {
        assert_eq!(candidates(set, way, &connected.iter().copied().collect()), expected);
    }

    #[test]
    fn writers_are_led_to_the_primary_and_wait_without_one_or_while_paused() {
        leads(&set(Some(11), &[12], false), Way::Write, &[], &[11]);
        leads(&set(Some(11), &[12], true), Way::Write, &[], &[]);
        leads(&set(None, &[12], false), Way::Write, &[], &[]);
    }

    #[test]
    fn readers_are_led_to_the_least_busy_and_do_not_care_for_pauses() {
        leads(&set(None, &[12, 13, 14], true), Way::Read, &[(12, 3), (13, 1), (14, 2)], &[13, 14, 12]);
        leads(&set(Some(11), &[], false), Way::Read, &[], &[]);
    }

    #[track_caller]
    fn stay(set: &Set, way: Way, port: u16, expected: bool) {
        assert_eq!(stays(set, way, port), expected);
    }

    #[test]
    fn a_writer_stays_with_the_primary_only_paused_or_not() {
        stay(&set(Some(11), &[], true), Way::Write, 11, true);
        stay(&set(Some(12), &[11], false), Way::Write, 11, false);
        stay(&set(None, &[11], true), Way::Write, 11, false);
    }

    #[test]
    fn a_reader_stays_until_the_server_leaves() {
        stay(&set(Some(11), &[12], false), Way::Read, 11, true);
        stay(&set(Some(11), &[12], false), Way::Read, 12, true);
        stay(&set(Some(11), &[12], false), Way::Read, 13, false);
        stay(&Set { read: None, ..set(Some(11), &[12], false) }, Way::Read, 12, false);
    }

    #[track_caller]
    fn admits(allowed: &[&str], client: &str, expected: bool) {
        let allowed: Vec<IpNet> = allowed.iter().map(|text| text.parse().expect("a network")).collect();
        assert_eq!(may_connect(&allowed, client.parse().expect("an address")), expected);
    }

    #[test]
    fn loopback_may_always_and_others_when_their_network_is_named() {
        admits(&[], "127.0.0.2", true);
        admits(&[], "::1", true);
        admits(&[], "10.0.0.5", false);
        admits(&["10.0.0.0/24"], "10.0.0.5", true);
        admits(&["10.0.0.0/24"], "::ffff:10.0.0.5", true);
        admits(&["10.0.0.0/24"], "10.0.1.5", false);
        admits(&["::/0"], "10.0.0.5", false);
    }
}
