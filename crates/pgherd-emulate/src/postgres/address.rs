//! Addresses: each server has one of this machine's own, so that each can have the port that was asked for.
//!
//! All of 127.0.0.0/8 is this machine on Linux, without anybody setting anything up.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// How many are tried.
const MOST: u16 = 1024;

/// An address that nobody else's emulator gives away, as long as this is held.
#[derive(Debug)]
pub struct Address {
    /// `127.54.0.1`.
    pub ip: Ipv4Addr,
    #[expect(dead_code, reason = "its name is held as long as it is open")]
    claim: UnixDatagram,
}

impl Address {
    /// The first that is free and on which nobody listens at this port; `None` when somebody does on all of them, as whoever
    /// listens on 0.0.0.0.
    pub fn free(port: u16) -> Option<Self> {
        (1..=MOST).find_map(|n| {
            let [high, low] = n.to_be_bytes();
            let ip = Ipv4Addr::new(127, 54, high, low);
            let claim = claim(ip)?;
            TcpListener::bind((ip, port)).ok().map(|_| Self { ip, claim })
        })
    }
}

/// A name in the abstract namespace of sockets: it belongs to one process, and ends with it however that ends.
fn claim(ip: Ipv4Addr) -> Option<UnixDatagram> {
    let name = SocketAddr::from_abstract_name(format!("pgherd-emulate-{ip}")).ok()?;
    UnixDatagram::bind_addr(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_have_two_addresses_and_one_port() {
        // Somewhere nobody else listens on all addresses.
        let first = 20_000 + u16::try_from(std::process::id() % 48 * 100).unwrap();
        let (port, _) =
            pgherd_local::ports::allocate(None, first..=24_999, &std::collections::BTreeSet::new()).unwrap();
        let (one, two) = (Address::free(port).unwrap(), Address::free(port).unwrap());
        assert_ne!(one.ip, two.ip);
        let (ip, _) = (one.ip, drop(one));
        let held = TcpListener::bind((ip, port)).unwrap();
        assert_ne!(Address::free(port).unwrap().ip, ip);
        drop(held);
    }

    #[test]
    fn whoever_listens_everywhere_leaves_no_address() {
        let all = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        assert!(Address::free(all.local_addr().unwrap().port()).is_none());
    }
}
