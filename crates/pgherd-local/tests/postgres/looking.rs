//! What is seen of a node in whatever state it is, and the write probe.

use std::time::Duration;

use pgherd_core::ha::{CommitLevel, Data, Disk, LastRole, Names, Pending, Probe, Process, Server};
use pgherd_local::postgres::replication::look::{Eyes, look};
use pgherd_local::postgres::replication::probe::Prober;
use pgherd_local::postgres::replication::role::RoleConf;
use pgherd_local::postgres::replication::{fence, start, sync};
use pgherd_local::postgres::{control, processes};
use rustix::process::Signal;

use crate::nodes::{
    kill_postmaster, pair, primary, run, seen, servers, session, signal, start_of, start_primary, stop, until,
};
use crate::world::{DEADLINE, MAJORS, World, server};

/// Nothing here is told by how long it takes.
const SOON: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_tells_the_same_as_pg_controldata() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let (_world, n1, n2) = pair(&server).await;
        for (place, state, role) in
            [(&n1, "shut down", LastRole::Primary), (&n2, "shut down in recovery", LastRole::Standby)]
        {
            stop(place).await;
            let told = control::read(&server, &place.run_as, &place.layout.data).expect("control data");
            let node = seen(place).await;
            let found = node.control().expect("a data directory");
            assert_eq!((found.system_id, found.timeline), (told.system_identifier, told.timeline), "{major}");
            assert_eq!((told.state.as_str(), found.clean, found.last_role), (state, true, role), "{major}");
            assert!(found.end.is_some(), "{major}");
            assert_eq!((node.process, node.server.is_none(), node.disk), (Process::Dead, true, Disk::Well));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_server_left_orphans_or_nothing() {
    for server in servers() {
        let (_world, n1) = primary(&server).await;
        kill_postmaster(&n1).await;
        fence::kill(&n1.layout).await.expect("ended");
        let node = seen(&n1).await;
        assert_eq!((node.process, node.server, node.pending), (Process::Dead, None, Pending::Unknown));
        let found = match &node.data {
            Data::Present(found) => found,
            other => panic!("{other:?}"),
        };
        assert_eq!((found.last_role, found.clean, found.end, found.made_by), (LastRole::Primary, false, None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_start_is_told_from_the_one_before() {
    let Some(server) = servers().pop() else { return };
    let (_world, n1) = primary(&server).await;
    let begin = jiff::Timestamp::now();
    stop(&n1).await;
    start_primary(&n1).await;
    let first = seen(&n1).await;
    assert!(
        matches!(first.process, Process::Running { since, ready: true, .. } if since >= begin - Duration::from_millis(50))
    );
    stop(&n1).await;
    start_primary(&n1).await;
    assert_ne!(start_of(&first), start_of(&seen(&n1).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_runs_and_is_not_ready() {
    for server in servers() {
        let (_world, n1) = primary(&server).await;
        stop(&n1).await;
        // Cut off before it can get ready.
        let postmaster = start::start(&n1, &RoleConf::default(), false, DEADLINE).await.expect("starts");
        signal(postmaster.pid(), Signal::STOP);
        let process = fence::process(&n1.layout, false);
        let ready = postmaster.status() == Some(pgherd_local::postgres::pidfile::Status::Ready);
        assert!(matches!(process, Process::Running { ready: found, .. } if found == ready), "{process:?}");
        signal(postmaster.pid(), Signal::CONT);
        postmaster.ready(DEADLINE).await.expect("is ready");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_runs_and_says_nothing() {
    for server in servers() {
        let (_world, n1) = primary(&server).await;
        let mut eyes = Eyes::default();
        let awake = look(&n1, &mut eyes, CommitLevel::On, false, DEADLINE).await;
        assert!(awake.is_serving_primary());
        let frozen = processes::of(&n1.layout.data);
        for pid in &frozen {
            signal(*pid, Signal::STOP);
        }
        let node = look(&n1, &mut eyes, CommitLevel::On, false, SOON).await;
        assert_eq!((start_of(&node), node.server, node.pending), (start_of(&awake), None, Pending::Unknown));
        assert!(matches!(node.data, Data::Present(_)) && node.names == Names::Nobody);
        for pid in &frozen {
            signal(*pid, Signal::CONT);
        }
        let node = look(&n1, &mut eyes, CommitLevel::On, false, DEADLINE).await;
        assert!(node.is_serving_primary(), "and is asked anew");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_database_is_left_alone() {
    let Some(server) = servers().pop() else { return };
    let mut world = World::new(&server);
    let n1 = world.first_node(&[]);
    let n2 = world.node(2, &[]);
    assert_eq!(seen(&n2).await.data, Data::Absent);
    std::fs::create_dir(&n2.layout.data).expect("made");
    assert_eq!(seen(&n2).await.data, Data::Foreign, "a place where nothing is mounted");
    std::fs::write(n2.layout.data.join("holiday.jpg"), "x").expect("written");
    assert_eq!(seen(&n2).await.data, Data::Foreign);
    let control = n1.layout.data.join("global/pg_control");
    let mut bytes = std::fs::read(&control).expect("read");
    bytes[40] ^= 1;
    std::fs::write(&control, bytes).expect("written");
    assert_eq!(seen(&n1).await.data, Data::Foreign, "a damaged one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_changed_by_hand_is_not_known() {
    let Some(server) = servers().pop() else { return };
    let (_world, n1) = primary(&server).await;
    sync::set_sync(&n1, Some(pgherd_core::ha::NodeId(2)), DEADLINE).await.expect("in force");
    std::fs::write(n1.layout.role_conf(), "synchronous_standby_names = '*'\n").expect("written");
    assert_eq!(seen(&n1).await.names, Names::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_restart_is_seen_and_what_must_not_get_lower() {
    for server in servers() {
        let (world, n1) = primary(&server).await;
        assert_eq!(seen(&n1).await.pending, Pending::Nothing);
        let wait = async |parameters: &[(&str, &str)], expected: Pending| {
            world.reconfigure(&n1, parameters);
            let postmaster = pgherd_local::postgres::process::adopt(&n1.layout.data).expect("looked").expect("runs");
            postmaster.reload().expect("told");
            until(&n1, |node| node.pending == expected).await;
        };
        wait(&[("max_connections", "500")], Pending::Restart).await;
        wait(&[("max_connections", "20")], Pending::Lowers).await;
        wait(&[("shared_buffers", "16MB"), ("max_worker_processes", "8")], Pending::Restart).await;
        wait(&[("max_wal_senders", "5")], Pending::Lowers).await;
        wait(&[], Pending::Nothing).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_is_answered_though_commits_wait_for_a_standby_that_is_not_there() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let (_world, n1) = primary(&server).await;
        sync::set_sync(&n1, Some(pgherd_core::ha::NodeId(2)), DEADLINE).await.expect("in force");
        let before = seen(&n1).await.as_primary().map(|primary| primary.lsn);
        let prober = Prober::start(&n1);
        until(&n1, |_| prober.now() == Probe::Answered).await;
        let node = seen(&n1).await;
        assert!(matches!(node.server, Some(Server::Primary(primary)) if Some(primary.lsn) > before), "{major}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_primary_has_a_probe_wait_and_a_dead_one_refuses_it() {
    for server in servers() {
        let (_world, n1) = primary(&server).await;
        let mut prober = Prober::start(&n1);
        until(&n1, |_| prober.now() == Probe::Answered).await;
        let frozen = processes::of(&n1.layout.data);
        for pid in &frozen {
            signal(*pid, Signal::STOP);
        }
        prober.overdue(SOON).await;
        assert!(matches!(prober.now(), Probe::Waiting { .. }), "{:?}", prober.now());
        fence::kill(&n1.layout).await.expect("ended");
        until(&n1, |_| matches!(prober.now(), Probe::Refused { .. })).await;
        start_primary(&n1).await;
        until(&n1, |_| prober.now() == Probe::Answered).await;
        let names = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'";
        drop(prober);
        let alone = session(&n1).await;
        while alone.one(names, &[]).await.expect("a row").get::<_, i64>(0) > 1 {}
        run(&n1, "SELECT 1").await;
    }
}
