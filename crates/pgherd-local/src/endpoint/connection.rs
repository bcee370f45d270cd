//! One connection: waits for a server, is led to it, and ends when it must not go on.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::protocol::Set;
use super::route::{self, Way};

/// Between two rounds over servers that all refused.
const RETRY: Duration = Duration::from_millis(10);
/// A server of ours on this machine that has not accepted by then is stopped or overwhelmed.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// The first message of a PostgreSQL client is far smaller; what is more waits in the kernel.
const FIRST_BYTES: usize = 1024;
/// What is read at once in each direction: as much as PostgreSQL and libpq send at once (`PQ_SEND_BUFFER_SIZE` in pqcomm.c).
const CHUNK: usize = 8 * 1024;
/// A silent client is asked for a sign of life after so long, so often and so many times, then given up.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(10), 6);
/// A cancel request: 16 bytes, the second four of which are this (protocol-message-formats, "CancelRequest").
const CANCEL: [u8; 8] = [0, 0, 0, 16, 4, 210, 22, 46];
const CANCEL_LENGTH: usize = 16;

/// What all connections of one way share.
#[derive(Default)]
pub(super) struct Tally(Mutex<Counts>);

/// Numbers of one way.
#[derive(Default, Clone)]
pub(super) struct Counts {
    /// By port of the server.
    pub connected: BTreeMap<u16, u32>,
    pub waiting: u32,
    pub refused: u64,
    pub given_up: u64,
}

impl Tally {
    /// The numbers now.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        // Nothing in here can be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection from its first moment on. Says nothing about how it ends: that shows in the numbers, and at the client.
pub(super) async fn serve(
    way: Way,
    mut client: TcpStream,
    address: SocketAddr,
    set: watch::Receiver<Option<Set>>,
    tally: Arc<Tally>,
) {
    let Some(limits) = set.borrow().as_ref().map(|set| (set.limits, route::may_connect(&set.allowed, address.ip())))
    else {
        return;
    };
    let (limits, allowed) = limits;
    if !allowed {
        tally.counts().refused += 1;
        return;
    }
    let Some(waiting) = Waiting::begin(&tally, limits.waiting) else {
        tally.counts().given_up += 1;
        return;
    };
    prepare(&client);
    let led = lead(way, &mut client, set.clone(), &tally);
    let Ok(led) = tokio::time::timeout(Duration::from_millis(limits.wait_ms.into()), led).await else {
        tally.counts().given_up += 1;
        return;
    };
    drop(waiting);
    let Some(mut led) = led else { return };
    let copy = tokio::io::copy_bidirectional_with_sizes(&mut client, &mut led.server, CHUNK, CHUNK);
    tokio::select! {
        // First, so that nothing more goes to a server that is no longer led to.
        biased;
        () = must_end(way, led.counted.port, set) => {}
        // Which side ended it, and how, is theirs to know.
        _ = copy => {}
    }
}

/// A connection to a server.
struct Led {
    server: TcpStream,
    counted: Counted,
}

/// One of the connections to the server at this port.
struct Counted {
    port: u16,
    tally: Arc<Tally>,
}

impl Counted {
    fn begin(port: u16, tally: &Arc<Tally>) -> Self {
        *tally.counts().connected.entry(port).or_default() += 1;
        Self { port, tally: tally.clone() }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.tally.counts();
        let left = counts.connected.get(&self.port).map_or(0, |count| count.saturating_sub(1));
        match left {
            0 => drop(counts.connected.remove(&self.port)),
            left => drop(counts.connected.insert(self.port, left)),
        }
    }
}

/// A place among those that wait.
struct Waiting(Arc<Tally>);

impl Waiting {
    fn begin(tally: &Arc<Tally>, most: u32) -> Option<Self> {
        let mut counts = tally.counts();
        if counts.waiting >= most {
            return None;
        }
        counts.waiting += 1;
        Some(Self(tally.clone()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.counts().waiting -= 1;
    }
}

/// Waits for the client's first bytes and for a server that takes them; `None` when the client hung up, or when there is
/// nothing more to do.
///
/// Clients of PostgreSQL speak first. One that does not is no burden to the server, and one that hangs up while it waits is
/// noticed because it is read from.
async fn lead(
    way: Way,
    client: &mut TcpStream,
    mut set: watch::Receiver<Option<Set>>,
    tally: &Arc<Tally>,
) -> Option<Led> {
    let mut first = Vec::with_capacity(FIRST_BYTES);
    if client.read_buf(&mut first).await.unwrap_or(0) == 0 {
        return None;
    }
    if way == Way::Read && first.len() == CANCEL_LENGTH && first.starts_with(&CANCEL) {
        cancel_everywhere(&set, &first).await;
        return None;
    }
    loop {
        let connect = connect(way, &mut set, tally);
        tokio::select! {
            mut led = connect => {
                return led.server.write_all(&first).await.is_ok().then_some(led);
            }
            read = client.read_buf(&mut first), if first.len() < FIRST_BYTES => {
                if read.unwrap_or(0) == 0 {
                    return None;
                }
            }
        }
    }
}

/// A connection to a server, as soon as one takes it.
async fn connect(way: Way, set: &mut watch::Receiver<Option<Set>>, tally: &Arc<Tally>) -> Led {
    loop {
        let candidates = candidates(way, &set.borrow_and_update(), tally);
        let nobody = candidates.is_empty();
        for port in candidates {
            // Counted before it is connected, so that those that come at the same moment are spread, too.
            let counted = Counted::begin(port, tally);
            let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
            if let Ok(Ok(server)) = tokio::time::timeout(CONNECT_DEADLINE, server).await
                && self::candidates(way, &set.borrow(), tally).contains(&port)
            {
                prepare(&server);
                return Led { server, counted };
            }
        }
        let changed = set.changed();
        match nobody {
            // It fails when the forwarder ends, and this connection with it.
            true => drop(changed.await),
            false => drop(tokio::time::timeout(RETRY, changed).await),
        }
    }
}

fn candidates(way: Way, set: &Option<Set>, tally: &Tally) -> Vec<u16> {
    set.as_ref().map_or_else(Vec::new, |set| route::candidates(set, way, &tally.counts().connected))
}

/// Returns when a connection to the server at `port` must not go on.
async fn must_end(way: Way, port: u16, mut set: watch::Receiver<Option<Set>>) {
    while set.borrow_and_update().as_ref().is_some_and(|set| route::stays(set, way, port)) {
        if set.changed().await.is_err() {
            return;
        }
    }
}

/// Readers are spread, so nobody knows which server has the statement that is to be cancelled; the others ignore a key that is
/// none of theirs. (A cancel request inside TLS, as libpq 17 sends it, cannot be told from a connection.)
async fn cancel_everywhere(set: &watch::Receiver<Option<Set>>, request: &[u8]) {
    let ports = set.borrow().as_ref().map_or_else(Vec::new, |set| {
        set.lead
            .read
            .iter()
            .copied()
            .chain(set.lead.write)
            .collect::<std::collections::BTreeSet<u16>>()
            .into_iter()
            .collect()
    });
    for port in ports {
        if let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            drop(server.write_all(request).await);
            // The server closes when it has passed it on.
            drop(server.read(&mut [0]).await);
        }
    }
}

/// Small messages are sent at once, and a peer that is gone without a word is noticed.
fn prepare(stream: &TcpStream) {
    let (idle, between, times) = KEEPALIVE;
    let fd = stream.as_fd();
    let set = stream.set_nodelay(true).map_err(|error| error.to_string()).and_then(|()| {
        sockopt::set_socket_keepalive(fd, true)
            .and_then(|()| sockopt::set_tcp_keepidle(fd, idle))
            .and_then(|()| sockopt::set_tcp_keepintvl(fd, between))
            .and_then(|()| sockopt::set_tcp_keepcnt(fd, times))
            .map_err(|error| error.to_string())
    });
    if let Err(error) = set {
        // It works without, only worse.
        tracing::debug!("a connection keeps the system's defaults: {error}");
    }
}
