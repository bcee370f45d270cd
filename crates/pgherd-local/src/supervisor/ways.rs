//! The ways in to an instance: a forwarder that holds the ports of several servers, whoever is the primary behind them, and a
//! pooler in front of that, or of the only server.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use pgherd_core::ha::{NodeId, Route};
use pgherd_engine::provider::ProviderError;

use super::configure;
use super::ledger::Record;
use super::messages::{WayReport, WaysReport};
use super::pooled::{self, Pooled};
use super::site::Site;
use super::socket;
use super::upkeep::Goal;
use crate::endpoint::{Forwarder, Lead, Limits, Listen, Set, Start, State, WayState};
use crate::pooler;
use crate::postgres::folders;

/// What is at hand of the ways in.
#[derive(Default)]
pub struct Ways {
    forwarder: Option<Forwarder>,
    /// The pooler.
    pub pooled: Pooled,
    /// Where the brain wants connections to lead.
    wanted: Option<Route>,
    /// How the forwarder stood when it was last asked.
    seen: Option<State>,
}

impl Ways {
    /// Returns when something happened to them that is worth a look.
    pub async fn happens(&mut self) {
        let ended = async {
            match &self.forwarder {
                Some(forwarder) => forwarder.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = ended => (self.forwarder, self.seen) = (None, None),
            () = self.pooled.happens() => {}
        }
    }

    /// How the ports are held, as of the last look.
    pub fn report(&self, site: &Site, record: &Record) -> Option<WaysReport> {
        let state = self.seen.as_ref()?;
        let (set, route) = (state.set.as_ref()?, route(site, record, state));
        let write = way(set.write.port, &state.write, route.write.as_slice(), route.paused);
        let readers: Vec<NodeId> = route.read.iter().copied().collect();
        let read = set.read.as_ref().map(|read| way(read.port, &state.read, &readers, false));
        Some(WaysReport { write, read })
    }

    /// Where connections to the ports lead now; `None`: don't know. Starts what is missing and ends what is not needed any more.
    pub async fn look(&mut self, site: &Site, record: &Record, serves: bool) -> Option<Route> {
        let direct = !is_needed(site, record);
        let route = match direct {
            true => {
                self.end().await;
                // Nothing leads anywhere: clients reach the one server by its own port.
                self.wanted.clone()
            }
            false => match self.look_at_forwarder(site, record).await {
                Ok(state) => {
                    let route = route(site, record, &state);
                    lead_socket(site, record, &state);
                    self.seen = Some(state);
                    Some(route)
                }
                Err(error) => {
                    self.seen = None;
                    tracing::warn!(instance = site.name, "{error}");
                    None
                }
            },
        };
        self.pooled.keep(site, record, self.pooler_lead(site, record), serves);
        route
    }

    /// Leads connections there.
    pub async fn lead(&mut self, site: &Site, record: &Record, route: &Route) -> Result<(), ProviderError> {
        self.wanted = Some(route.clone());
        self.pooled.keep(site, record, self.pooler_lead(site, record), false);
        match &self.forwarder {
            Some(forwarder) => {
                let state = forwarder.set(&set(site, record, route)?).await?;
                lead_socket(site, record, &state);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The primary ended. Clients of a pooler that leads to it directly wait from now on, before anybody decides anything: they
    /// would be told that it is not there.
    pub fn primary_ended(&mut self, site: &Site, record: &Record) {
        if let Some(wanted) = &mut self.wanted {
            (wanted.write, wanted.paused) = (None, true);
        }
        self.pooled.keep(site, record, self.pooler_lead(site, record), false);
    }

    /// Whether the forwarder holds the port that the pooler leads to.
    fn is_in_front(&self, site: &Site, record: &Record) -> bool {
        self.forwarder.is_some() && holds_port(site, record)
    }

    /// Where the pooler is to lead. In front of a forwarder it holds its clients back only for an exchange of roles, so that open
    /// transactions end well: where nobody serves, the forwarder has its logins wait. (A pause would break those off, and PgBouncer
    /// fails everybody who comes after a login that failed, until another succeeds.)
    fn pooler_lead(&self, site: &Site, record: &Record) -> Option<pooler::Lead> {
        let route = self.wanted.as_ref()?;
        if self.is_in_front(site, record) {
            let held = self.pooled.told().is_some_and(|told| told.paused);
            return Some(pooler::Lead { to: record.port, paused: route.paused && (route.write.is_some() || held) });
        }
        let to = route.write.and_then(|node| site.running_port(record, node).ok());
        Some(pooler::Lead { to, paused: route.paused || to.is_none() })
    }

    /// Gives the instance's own port up, for a server that is to have it.
    pub async fn let_go_of_port(&self, site: &Site, record: &Record) -> Result<(), ProviderError> {
        let Some(forwarder) = &self.forwarder else { return Ok(()) };
        let mut set = set(site, record, &self.wanted.clone().unwrap_or_default())?;
        set.write.addresses.clear();
        forwarder.set(&set).await.map(drop)
    }

    /// Ends the forwarder. Connections through it are cut off.
    pub async fn end(&mut self) {
        self.seen = None;
        if let Some(forwarder) = self.forwarder.take()
            && let Err(error) = forwarder.stop().await
        {
            tracing::warn!("the forwarder does not end: {error}");
        }
    }

    async fn look_at_forwarder(&mut self, site: &Site, record: &Record) -> Result<State, ProviderError> {
        if self.forwarder.is_none() {
            self.forwarder = Some(start(site).await?);
        }
        let Some(forwarder) = &self.forwarder else { unreachable!("it was started a moment ago") };
        let state = forwarder.state().await?;
        let lead = state.set.as_ref().map(|told| told.lead.clone()).unwrap_or_default();
        // Who may connect, and where, may have changed since; where it leads is the brain's to say.
        let wanted = Set { lead, ..set(site, record, &Route::default())? };
        if state.set.as_ref() == Some(&wanted) { Ok(state) } else { forwarder.set(&wanted).await }
    }
}

/// Ends what runs, whoever started it: the instance goes. An error while a pooler may be left: its folder is how it is found.
pub async fn end_all(site: &Site) -> Result<(), ProviderError> {
    pooled::end_all(site).await?;
    if !control(site).exists() {
        return Ok(());
    }
    let ended = async { start(site).await?.stop().await };
    if let Err(error) = ended.await {
        tracing::warn!(instance = site.name, "{error}");
    }
    Ok(())
}

/// Whether the instance's port is not its only server's own.
fn is_needed(site: &Site, record: &Record) -> bool {
    // While it is removed, one that is started anew would outlive the instance and hold its port.
    if matches!(record.memory.goal, Goal::Gone { .. }) {
        return false;
    }
    record.port.is_some() && (record.wanted.read_replicas > 0 || holds_port(site, record))
}

/// Whether the instance's port is to be the forwarder's: the primary does not have it, nor is it to have it when it starts.
fn holds_port(site: &Site, record: &Record) -> bool {
    record.is_forwarded() || site.running_port(record, record.primary()).ok() != record.port
}

async fn start(site: &Site) -> Result<Forwarder, ProviderError> {
    folders::make_sockets(&site.agent.options.paths, &site.agent.run_as)?;
    Forwarder::adopt_or_start(&Start {
        program: std::path::Path::new("/proc/self/exe"),
        run_as: &site.agent.run_as,
        control: control(site),
        log: site.layout.endpoint_log(),
    })
    .await
}

fn control(site: &Site) -> PathBuf {
    site.agent.options.paths.endpoint_control(&site.layout.root)
}

fn set(site: &Site, record: &Record, route: &Route) -> Result<Set, ProviderError> {
    let addresses = addresses(record);
    let ports = ports(site, record);
    // The port of a server that is its own is left to it, above all while it starts.
    let held = if holds_port(site, record) { addresses.clone() } else { Vec::new() };
    Ok(Set {
        write: Listen { addresses: held, port: record.port.unwrap_or_default() },
        read: record.read_port.map(|port| Listen { addresses, port }),
        allowed: configure::networks(&record.wanted.allowed_cidrs)?,
        lead: Lead {
            write: route.write.and_then(|node| ports.get(&node).copied()),
            read: route.read.iter().filter_map(|node| ports.get(node).copied()).collect(),
            paused: route.paused,
        },
        limits: Limits::default(),
    })
}

/// Has the unix socket of the instance's port lead where the port does. What holds new connections back there is that there is
/// none.
fn lead_socket(site: &Site, record: &Record, state: &State) {
    let Some(Set { lead, .. }) = &state.set else { return };
    // The one server's own, or about to be.
    let is_own = !record.is_forwarded();
    let to = lead.write.filter(|_| !lead.paused && !is_own);
    if let Some(port) = record.port
        && let Err(error) = socket::lead(&site.layout.socket, port, to)
    {
        tracing::warn!(instance = site.name, "the socket of port {port}: {error}");
    }
}

/// The addresses that clients connect to.
pub(super) fn addresses(record: &Record) -> Vec<IpAddr> {
    match record.wanted.publicly_accessible {
        true => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        false => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
    }
}

/// Where the forwarder leads, as the brain says it.
fn route(site: &Site, record: &Record, state: &State) -> Route {
    let Some(told) = &state.set else { return Route::default() };
    let nodes: BTreeMap<u16, NodeId> = ports(site, record).into_iter().map(|(node, port)| (port, node)).collect();
    Route {
        write: told.lead.write.and_then(|port| nodes.get(&port).copied()),
        read: told.lead.read.iter().filter_map(|port| nodes.get(port).copied()).collect(),
        paused: told.lead.paused,
    }
}

fn way(port: u16, state: &WayState, leads_to: &[NodeId], paused: bool) -> WayReport {
    WayReport {
        port,
        leads_to: leads_to.iter().map(NodeId::to_string).collect(),
        paused,
        not_held: state.unbound.iter().map(|unbound| format!("{}: {}", unbound.address, unbound.why)).collect(),
        connected: state.connected,
        waiting: state.waiting,
        refused: state.refused,
        given_up: state.given_up,
    }
}

/// The ports that the servers really have.
fn ports(site: &Site, record: &Record) -> BTreeMap<NodeId, u16> {
    let nodes = record.nodes().into_iter();
    nodes.filter_map(|node| Some((node, site.running_port(record, node).ok()?))).collect()
}
