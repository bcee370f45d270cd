//! Starting a server as what it is to be.

use std::time::Duration;

use pgherd_core::ha::{NodeId, Role};
use pgherd_engine::provider::ProviderError;
use sha2::{Digest as _, Sha256};

use crate::postgres::replication::role::RoleConf;
use crate::postgres::replication::{Place, fence, start};
use crate::postgres::{folders, processes};
use crate::supervisor::configure::{self, Candidate};
use crate::supervisor::jobs::choose_server;
use crate::supervisor::keeper::Keeper;
use crate::supervisor::observe;
use crate::supervisor::requests::Watcher;
use crate::supervisor::retention;
use crate::supervisor::site::{Site, blocking, chosen};
use crate::{limits, ports};

/// How long a server may take to name itself in its directory.
const BEGIN_DEADLINE: Duration = Duration::from_secs(10);

/// Starts a server and returns when it runs, not when it takes connections.
pub(super) async fn start(keeper: &mut Keeper, node: NodeId, role: Role) -> Result<(), ProviderError> {
    let site = keeper.site.clone();
    let layout = site.node(node);
    keeper.live(node).drop_server();
    // Nothing of a dead postmaster may work on: a busy backend goes on, commits and answers its client.
    let left = fence::kill(&layout).await?;
    if left > 0 {
        site.note(format!("ended {left} processes that a dead server of {node} had left"));
    }
    // Not open any more. Whether it is long or not, the server starts.
    let _ = retention::begin_anew(&layout.start_log());
    make_whole(keeper, node).await?;
    // In memory: gone after a reboot.
    folders::make_sockets(&site.agent.options.paths, &site.agent.run_as)?;
    let mut started = start_server(keeper, node, role).await;
    // A port that nobody knows of yet may still be another one, when somebody was quicker to take it.
    while started.is_err() && is_first_start(keeper) && ensure_free(keeper, node).is_err() {
        move_to_another_port(keeper, node).await?;
        started = start_server(keeper, node, role).await;
    }
    started?;
    hold_to_size(keeper, node).await;
    Ok(())
}

/// What the server is to be, where PostgreSQL reads it.
fn conf(keeper: &Keeper, role: Role) -> Result<RoleConf, ProviderError> {
    Ok(match role {
        Role::Primary { sync } => RoleConf { upstream: None, sync },
        Role::Standby { of: None } => RoleConf::default(),
        Role::Standby { of: Some(of) } => RoleConf { upstream: Some(keeper.place(of)?.upstream()), sync: None },
    })
}

async fn start_server(keeper: &mut Keeper, node: NodeId, role: Role) -> Result<(), ProviderError> {
    if keeper.record()?.port_of(node) == keeper.record()?.port {
        keeper.ways.let_go_of_port(&keeper.site, keeper.record()?).await?;
    }
    ensure_free(keeper, node)?;
    // The port it is to have; a dead server's own word may be of an earlier one.
    let place = keeper.place(node)?;
    let place = Place { port: keeper.record()?.port_of(node).unwrap_or(place.port), ..place };
    let standby = matches!(role, Role::Standby { .. });
    let postmaster = start::begin(&place, &conf(keeper, role)?, standby).await?;
    let live = keeper.live(node);
    // Until it names itself in its directory it could be taken for dead.
    let begun = postmaster.begun(BEGIN_DEADLINE).await;
    live.start_failed = begun.is_err();
    begun?;
    live.take(postmaster);
    live.is_ready = false;
    live.started_at = Some(jiff::Timestamp::now());
    Ok(())
}

/// What a server needs beside its data may be gone or elsewhere since it last ran: its programs after an upgrade of packages,
/// configuration and certificate after the state folder was moved, or somebody deleted them. A new one has none of it yet.
async fn make_whole(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    find_programs(keeper).await?;
    let site = keeper.site.clone();
    let layout = site.node(node);
    site.reserve_node_ports(keeper.record_mut()?)?;
    let candidate = Candidate::of(&site, keeper.record()?, node)?;
    // Of a new pair the files are written while others may be, and the last to write may have been told of an earlier port.
    let is_stale = !keeper.record()?.memory.made && !candidate.is_in_force();
    if is_stale || !configure::is_for(&layout) {
        let (paths, run_as) = (site.agent.options.paths.clone(), site.agent.run_as.clone());
        blocking(move || folders::make(&paths, &layout, &run_as)).await?;
        candidate.put_in_force().await?;
        site.note(format!("wrote the configuration of {node}"));
    } else if configure::certificate(&layout).is_none() {
        candidate.certify().await?;
        site.note("made a new server certificate: there was none");
    }
    Ok(())
}

async fn find_programs(keeper: &mut Keeper) -> Result<(), ProviderError> {
    let known = chosen(keeper.record()?)?.clone();
    let found = blocking({
        let known = known.clone();
        move || Ok(known.now().ok())
    });
    match found.await?.filter(|found| found.major() == known.major() && found.missing.is_empty()) {
        Some(found) if found == known => {}
        Some(found) => {
            keeper.site.note(format!("{} takes the place of {}", found.banner, known.banner));
            keeper.record_mut()?.server = Some(found);
        }
        None => {
            keeper.site.note(format!("{} is not there any more", known.bin.display()));
            let mut next = keeper.record()?.clone();
            choose_server(&keeper.site.agent.clone(), &mut next, &Watcher::nobody()).await?;
            *keeper.record_mut()? = next;
        }
    }
    Ok(())
}

/// Holds a server to the CPU and memory of its size, as far as the machine lets us.
pub async fn hold_to_size(keeper: &mut Keeper, node: NodeId) {
    let Ok(record) = keeper.record() else { return };
    let (group, size) = (group(&keeper.site, node), configure::size(&record.wanted));
    let data = keeper.site.node(node).data;
    let applied = blocking(move || Ok(limits::apply(&group, &size, &processes::of(&data)))).await;
    keeper.limits = applied.map(|applied| observe::limit_words(&applied)).unwrap_or_default();
}

/// Name of a server's control group. Two state folders may have instances of one name.
pub fn group(site: &Site, node: NodeId) -> String {
    let digest = Sha256::digest(site.layout.root.as_os_str().as_encoded_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{node}-{short}", site.name)
}

fn is_first_start(keeper: &Keeper) -> bool {
    keeper.record().is_ok_and(|record| !record.memory.made && record.wanted.port.is_none())
}

fn ensure_free(keeper: &Keeper, node: NodeId) -> Result<(), ProviderError> {
    let record = keeper.record()?;
    let Some(port) = record.port_of(node) else { return Ok(()) };
    if record.wanted.publicly_accessible {
        ports::ensure_free(port)
    } else {
        ports::ensure_free_at(&ports::LOOPBACK, port)
    }
}

async fn move_to_another_port(keeper: &mut Keeper, node: NodeId) -> Result<(), ProviderError> {
    let site = keeper.site.clone();
    site.agent.release_ports(&site.name);
    let record = keeper.record_mut()?;
    record.port = Some(site.agent.reserve_port(&site.name, None, &[])?);
    record.node_ports.clear();
    site.reserve_node_ports(record)?;
    keeper.save()?;
    Candidate::of(&site, keeper.record()?, node)?.put_in_force().await
}
