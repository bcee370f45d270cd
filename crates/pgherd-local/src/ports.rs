//! TCP ports: found by trying to bind, so that a port taken by anybody is noticed before a server fails on it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use pgherd_engine::provider::{ErrorKind, ProviderError};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};

/// Where ports come from unless one is asked for.
pub const RANGE: RangeInclusive<u16> = 5432..=5999;

/// Where the ports of poolers come from: PgBouncer's own is the first.
pub const POOLER_RANGE: RangeInclusive<u16> = 6432..=6499;

/// Where the ports of servers come from that nobody but a forwarder connects to.
pub const NODE_RANGE: RangeInclusive<u16> = 6500..=7499;

/// How often, and how long after each other, a port that was asked for is claimed.
const CLAIMS: usize = 10;
const CLAIM_EVERY: Duration = Duration::from_millis(20);

/// A port for a new instance: `asked`, or the first of `range` that is neither in `taken` (other instances' of this agent, running
/// or not) nor another agent's nor in use. Keep it with the instance: the next look may give another.
pub fn allocate(
    asked: Option<u16>,
    mut range: RangeInclusive<u16>,
    taken: &BTreeSet<u16>,
) -> Result<(u16, Claim), ProviderError> {
    if let Some(port) = asked {
        if taken.contains(&port) {
            let message = format!("port {port} belongs to another database of pgherd");
            return Err(ProviderError::new(ErrorKind::Conflict, message).help("write another port, or none"));
        }
        ensure_free(port)?;
        // One that was just given back may be held for a moment by what was started meanwhile.
        let claim = (0..CLAIMS).find_map(|nth| {
            std::thread::sleep(CLAIM_EVERY * u32::from(nth > 0));
            Claim::of(port)
        });
        return claim.map(|claim| (port, claim)).ok_or_else(|| claimed(port));
    }
    let all_in_use = format!("all ports from {} to {} are in use", range.start(), range.end());
    // Claimed before it is tried: nobody tries to bind what another agent is about to listen on.
    let of_nobody = |port| Claim::of(port).filter(|_| is_free(port)).map(|claim| (port, claim));
    range
        .find_map(|port| (!taken.contains(&port)).then_some(port).and_then(of_nobody))
        .ok_or_else(|| ProviderError::new(ErrorKind::Conflict, all_in_use).help("write a port in the block"))
}

/// A port held for a database that may not be running: no other agent of this machine gives it to one of its own.
///
/// It is the name of a socket in the abstract namespace (unix(7)): it belongs to one process, ends with it however that ends,
/// leaves no file behind, and is seen by every user who shares our ports.
#[derive(Debug)]
pub struct Claim {
    #[expect(dead_code, reason = "its name is held as long as it is open")]
    socket: UnixDatagram,
}

impl Claim {
    /// Holds a port; `None` when another agent does.
    pub fn of(port: u16) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("pgherd-port-{port}")).ok()?;
        UnixDatagram::bind_addr(&name).ok().map(|socket| Self { socket })
    }
}

/// Every address of this machine.
const EVERYWHERE: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
/// Where servers listen that are not for others.
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// An error that says who holds the port on any address, when somebody does.
pub fn ensure_free(port: u16) -> Result<(), ProviderError> {
    ensure_free_at(&EVERYWHERE, port)
}

/// The same of these addresses alone: who listens on another one is in nobody's way.
pub fn ensure_free_at(addresses: &[IpAddr], port: u16) -> Result<(), ProviderError> {
    if is_free_at(addresses, port) {
        return Ok(());
    }
    let who = holder(port).map(|who| format!(" by {who}")).unwrap_or_default();
    let error = ProviderError::new(ErrorKind::Conflict, format!("port {port} is in use{who}"));
    Err(error.help("write another port in the block, or end that program"))
}

/// The error for a port that another agent claims.
fn claimed(port: u16) -> ProviderError {
    let message = format!("port {port} belongs to a database of another agent of this machine");
    ProviderError::new(ErrorKind::Conflict, message).help("write another port, or none")
}

/// Whether nobody listens on the port on any address. A machine without IPv6 is asked about IPv4 only.
pub fn is_free(port: u16) -> bool {
    is_free_at(&EVERYWHERE, port)
}

fn is_free_at(addresses: &[IpAddr], port: u16) -> bool {
    // One at a time: the wildcard of IPv6 takes IPv4 as well.
    addresses.iter().all(|address| !matches!(bound(*address, port), Err(Errno::ADDRINUSE | Errno::ACCESS)))
}

/// Binds without listening: with `SO_REUSEADDR` on both sides that stands in nobody's way (socket(7)), and fails where somebody
/// listens. Whoever listened for this moment would take the port from a server that starts on it just then.
fn bound(address: IpAddr, port: u16) -> rustix::io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &std::net::SocketAddr::new(address, port))?;
    Ok(socket)
}

/// Who listens on a port, `postgres (pid 4242)`, as far as `/proc` tells.
pub fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let inode = tables.iter().find_map(|table| listening_inode(table, port))?;
    let socket = format!("socket:[{inode}]");
    let pid = std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let mut descriptors = std::fs::read_dir(entry.path().join("fd")).ok()?.flatten();
        let holds = |path: &Path| std::fs::read_link(path).is_ok_and(|target| target == Path::new(&socket));
        descriptors.any(|descriptor| holds(&descriptor.path())).then_some(pid)
    })?;
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(format!("{} (pid {pid})", name.trim()))
}

/// Reads `/proc/net/tcp`: `sl local_address rem_address st … inode`; state 0A listens.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&suffix) && *fields.get(3)? == "0A";
        listens.then(|| fields.get(9)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn occupied() -> (TcpListener, u16) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let port = listener.local_addr().expect("it is bound").port();
        (listener, port)
    }

    #[test]
    fn an_occupied_port_is_refused_with_its_holder() {
        let (_listener, port) = occupied();
        let error = allocate(Some(port), RANGE, &BTreeSet::new()).expect_err("it is in use");
        let me = std::process::id();
        assert!(error.message.starts_with(&format!("port {port} is in use by ")), "{error}");
        assert!(error.message.ends_with(&format!("(pid {me})")), "{error}");
    }

    #[test]
    fn occupied_and_kept_ports_are_passed_over() {
        let (_listener, port) = occupied();
        let end = port.saturating_add(20);
        let taken = BTreeSet::from([port.saturating_add(1)]);
        let (found, _claim) = allocate(None, port..=end, &taken).expect("one of twenty is free");
        assert!(found > port + 1, "{found} beyond {port}");
    }

    #[test]
    fn a_port_is_claimed_by_one_and_free_again_after_that() {
        let (_listener, port) = occupied();
        let claim = Claim::of(port);
        assert!(claim.is_some() && Claim::of(port).is_none());
        drop(claim);
        assert!(Claim::of(port).is_some());
    }

    #[test]
    fn a_port_that_another_agent_claims_is_passed_over_or_refused() {
        let port = occupied().1;
        let _claim = Claim::of(port).expect("free");
        let end = port.saturating_add(20);
        let (found, _another) = allocate(None, port..=end, &BTreeSet::new()).expect("one of twenty is free");
        assert!(found > port, "{found} beyond {port}");
        let error = allocate(Some(port), RANGE, &BTreeSet::new()).expect_err("it is claimed");
        assert_eq!(error.message, format!("port {port} belongs to a database of another agent of this machine"));
    }

    #[test]
    fn who_listens_elsewhere_is_in_nobodys_way() {
        let elsewhere = TcpListener::bind((Ipv4Addr::new(127, 53, 9, 9), 0)).expect("some port is free");
        let port = elsewhere.local_addr().expect("it is bound").port();
        assert!(ensure_free(port).is_err() && ensure_free_at(&LOOPBACK, port).is_ok());
    }

    #[test]
    fn looking_takes_a_port_from_nobody() {
        let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let look = bound(any, 0).expect("some port is free");
        let port = rustix::net::getsockname(&look).ok().and_then(|name| std::net::SocketAddr::try_from(name).ok());
        let port = port.expect("it has an address").port();
        let server = TcpListener::bind((any, port)).expect("nobody listens");
        assert_eq!(bound(any, port).err(), Some(Errno::ADDRINUSE), "now somebody does");
        drop((look, server));
    }

    #[test]
    fn a_port_of_another_database_is_refused() {
        let error = allocate(Some(5432), RANGE, &BTreeSet::from([5432])).expect_err("it is kept");
        assert_eq!(error.message, "port 5432 belongs to another database of pgherd");
    }

    #[test]
    fn a_listening_socket_is_found_in_the_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:1538 0100007F:0001 01 00000000:00000000 00:00000000 00000000 0 0 11 1\n\
                     1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n";
        assert_eq!(listening_inode(table, 5432), Some(77));
        assert_eq!(listening_inode(table, 5433), None);
    }
}
