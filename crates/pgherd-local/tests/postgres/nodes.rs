//! What the tests of several nodes share.

use std::time::Duration;

use pgherd_core::ha::{self, CommitLevel, NodeId};
use pgherd_local::postgres::process::Postmaster;
use pgherd_local::postgres::processes;
use pgherd_local::postgres::replication::look::{Eyes, look};
use pgherd_local::postgres::replication::role::RoleConf;
use pgherd_local::postgres::replication::{Place, making, slots, start, sync};
use pgherd_local::postgres::server::Server;
use pgherd_local::postgres::session::Session;

use crate::world::{DEADLINE, World, server};

/// Where answers may differ from major to major.
pub fn servers() -> Vec<Server> {
    [15, 18].into_iter().filter_map(server).collect()
}

/// A primary n1 that runs and does nothing by itself.
pub async fn primary(server: &Server) -> (World, Place) {
    processes::become_reaper().expect("a reaper");
    let mut world = World::new(server);
    let place = world.first_node(&[("autovacuum", "off")]);
    start_primary(&place).await;
    (world, place)
}

/// A primary n1 and a standby n2 that streams from it.
pub async fn pair(server: &Server) -> (World, Place, Place) {
    let (mut world, primary) = primary(server).await;
    let standby = standby(&mut world, 2, &primary).await;
    (world, primary, standby)
}

/// A new standby that streams.
pub async fn standby(world: &mut World, number: u16, of: &Place) -> Place {
    let place = world.node(number, &[("autovacuum", "off")]);
    let all = (2..=number).map(NodeId).collect();
    slots::keep(of, &all, DEADLINE).await.expect("slots");
    making::clone(&place, &of.upstream(), 1, false, None).await.expect("copied");
    start_standby(&place, Some(of)).await;
    streams(&place).await;
    place
}

pub async fn start_primary(place: &Place) -> Postmaster {
    let postmaster = start::start(place, &RoleConf::default(), false, DEADLINE).await.expect("starts");
    postmaster.ready(DEADLINE).await.expect("is ready");
    postmaster
}

pub async fn start_standby(place: &Place, of: Option<&Place>) -> Postmaster {
    let role = RoleConf { upstream: of.map(Place::upstream), sync: None };
    let postmaster = start::start(place, &role, true, DEADLINE).await.expect("starts");
    postmaster.ready(DEADLINE).await.expect("is ready");
    postmaster
}

pub async fn stop(place: &Place) {
    start::stop(place, DEADLINE).await.expect("stops");
}

pub async fn session(place: &Place) -> Session {
    Session::connect(&place.layout.socket, place.port, "postgres", DEADLINE).await.expect("a session")
}

/// One number.
pub async fn number(place: &Place, sql: &str) -> i64 {
    session(place).await.one(sql, &[]).await.expect("a row").get(0)
}

pub async fn run(place: &Place, sql: &str) {
    session(place).await.run(sql).await.expect("runs");
}

/// A look without anything kept from before.
pub async fn seen(place: &Place) -> ha::Node {
    look(place, &mut Eyes::default(), CommitLevel::On, false, DEADLINE).await
}

/// Looks until it is so.
pub async fn until(place: &Place, is_so: impl Fn(&ha::Node) -> bool) -> ha::Node {
    let mut eyes = Eyes::default();
    let mut node = look(place, &mut eyes, CommitLevel::On, false, DEADLINE).await;
    let looking = async {
        while !is_so(&node) {
            node = look(place, &mut eyes, CommitLevel::On, false, DEADLINE).await;
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, looking).await.is_ok();
    assert!(
        in_time,
        "{} with {} did not become what it should: {node:#?}\nit said:\n{}",
        place.id,
        place.server.banner,
        said(place)
    );
    node
}

/// What a server has said, as far as it matters for why a test fails.
fn said(place: &Place) -> String {
    let files = std::fs::read_dir(&place.layout.log).into_iter().flatten().flatten().map(|file| file.path());
    let all: String = files.map(|file| std::fs::read_to_string(file).unwrap_or_default()).collect();
    let lines: Vec<&str> = all.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

pub async fn streams(place: &Place) -> ha::Standby {
    let node = until(place, |node| node.as_standby().is_some_and(|standby| standby.streaming)).await;
    node.as_standby().expect("it is one").clone()
}

/// Has commits wait for the standby, and waits until it is the synchronous one.
pub async fn synchronous(primary: &Place, standby: &Place) {
    sync::set_sync(primary, Some(standby.id), DEADLINE).await.expect("in force");
    until(primary, |node| {
        node.as_primary().is_some_and(|primary| primary.senders.get(&standby.id).is_some_and(|sender| sender.sync))
    })
    .await;
}

/// Which start of a server it was.
pub fn start_of(node: &ha::Node) -> u64 {
    match node.process {
        ha::Process::Running { start, .. } => start,
        other => panic!("it does not run: {other:?}"),
    }
}

/// SIGKILL of the postmaster alone; returns when it has ended.
pub async fn kill_postmaster(place: &Place) {
    let postmaster = pgherd_local::postgres::process::adopt(&place.layout.data).expect("looked").expect("it runs");
    signal(postmaster.pid(), rustix::process::Signal::KILL);
    postmaster.ended().await;
}

pub fn signal(pid: i32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, signal).expect("signalled");
}

pub fn milliseconds(mut of: Vec<Duration>) -> String {
    of.sort();
    let ms = |duration: &Duration| format!("{:.0}", duration.as_secs_f64() * 1000.0);
    format!("{} / {} / {} ms (n={})", ms(&of[0]), ms(&of[of.len() / 2]), ms(&of[of.len() - 1]), of.len())
}
