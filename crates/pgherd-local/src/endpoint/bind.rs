//! The listening sockets of a forwarder: bound when they can be, tried again when not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::protocol::{Set, Unbound};
use super::route::{self, WAYS, Way};
use crate::ports;

/// How often a taken port is tried again: its holder may be the primary that is about to move out of the way.
const TAKEN: Duration = Duration::from_millis(100);
/// How often an address is tried again that this machine does not have now.
const ABSENT: Duration = Duration::from_secs(2);
/// How long to leave the clients in the queue of the kernel when there are no descriptors left.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// Connections the kernel keeps ready before they are accepted.
const BACKLOG: u32 = 4096;

/// A connection that was accepted.
pub(super) struct Accepted {
    pub way: Way,
    pub stream: TcpStream,
    pub client: SocketAddr,
}

/// All sockets of a forwarder.
pub(super) struct Sockets {
    accepted: mpsc::Sender<Accepted>,
    wanted: BTreeMap<SocketAddr, Way>,
    bound: BTreeMap<SocketAddr, Bound>,
    unbound: BTreeMap<SocketAddr, std::io::Error>,
}

struct Bound {
    way: Way,
    accepting: JoinHandle<()>,
}

impl Sockets {
    /// None yet. What comes in is sent to `accepted`.
    pub(super) fn new(accepted: mpsc::Sender<Accepted>) -> Self {
        Self { accepted, wanted: BTreeMap::new(), bound: BTreeMap::new(), unbound: BTreeMap::new() }
    }

    /// Listens where `set` says and nowhere else, as far as that can be done at once. Connections that were accepted stay.
    pub(super) async fn arrange(&mut self, set: &Set) {
        self.wanted = WAYS
            .into_iter()
            .flat_map(|way| route::addresses(set, way).into_iter().map(move |address| (address, way)))
            .collect();
        let wanted = &self.wanted;
        let unwanted: Vec<SocketAddr> = self
            .bound
            .iter()
            .filter(|(address, bound)| wanted.get(*address) != Some(&bound.way))
            .map(|(address, _)| *address)
            .collect();
        for address in unwanted {
            let Some(bound) = self.bound.remove(&address) else { continue };
            bound.accepting.abort();
            // The socket is closed when the task is gone; another may be waiting for its address.
            drop(bound.accepting.await);
        }
        self.unbound.retain(|address, _| wanted.contains_key(address));
        self.try_again();
    }

    /// Tries to bind what is not bound.
    pub(super) fn try_again(&mut self) {
        for (address, way) in &self.wanted {
            if self.bound.contains_key(address) {
                continue;
            }
            match bind(*address) {
                Ok(listener) => {
                    tracing::info!("listens on {address}");
                    let accepting = tokio::spawn(accept(listener, *way, self.accepted.clone()));
                    self.unbound.remove(address);
                    self.bound.insert(*address, Bound { way: *way, accepting });
                }
                Err(error) => {
                    if self.unbound.insert(*address, error).is_none() {
                        tracing::warn!("cannot listen on {address} yet: {}", self.unbound[address]);
                    }
                }
            }
        }
    }

    /// How long to wait until the next [`Sockets::try_again`]; `None`: all is bound.
    pub(super) fn try_again_in(&self) -> Option<Duration> {
        let taken = |error: &std::io::Error| error.kind() == std::io::ErrorKind::AddrInUse;
        let wait = |error| if taken(error) { TAKEN } else { ABSENT };
        self.unbound.values().map(wait).min()
    }

    /// Where it listens for this way.
    pub(super) fn bound(&self, way: Way) -> Vec<SocketAddr> {
        self.bound.iter().filter(|(_, bound)| bound.way == way).map(|(address, _)| *address).collect()
    }

    /// Where it does not listen for this way although it should.
    pub(super) fn unbound(&self, way: Way) -> Vec<Unbound> {
        let mine = self.unbound.iter().filter(|(address, _)| self.wanted.get(address) == Some(&way));
        mine.map(|(address, error)| Unbound { address: *address, why: why(*address, error) }).collect()
    }
}

fn why(address: SocketAddr, error: &std::io::Error) -> String {
    let holder = (error.kind() == std::io::ErrorKind::AddrInUse).then(|| ports::holder(address.port())).flatten();
    match holder {
        Some(holder) => format!("the port is in use by {holder}"),
        None => error.to_string(),
    }
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() {
        // `::` would otherwise take IPv4 as well, and `0.0.0.0` beside it fail.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
    }
    // Connections of the last forwarder that are on their way out do not keep the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: TcpListener, way: Way, accepted: mpsc::Sender<Accepted>) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                if accepted.send(Accepted { way, stream, client }).await.is_err() {
                    return;
                }
            }
            // The client hung up before it was accepted.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}
