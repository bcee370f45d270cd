//! Copies, roles and promotion of several nodes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use pgherd_core::ha::{Data, LastRole, Lsn, Names, NodeId, Process, Slot};
use pgherd_local::postgres::replication::{Place, fence, follow, making, promote, rewind, role, slots, sync, tools};
use pgherd_local::postgres::template;

use rustix::process::Signal;

use crate::nodes::{
    kill_postmaster, milliseconds, number, pair, primary, run, seen, servers, session, signal, standby, start_of,
    start_standby, stop, streams, synchronous, until,
};
use crate::world::{DEADLINE, MAJORS, World, server};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_streams_and_commits_wait_for_it() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        synchronous(&n1, &n2).await;
        run(&n1, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id").await;
        let node = seen(&n1).await;
        let view = node.as_primary().expect("a primary").clone();
        assert_eq!((node.names, view.timeline, view.fork), (Names::Node(NodeId(2)), 1, None));
        assert_eq!(view.slots, [(NodeId(2), Slot::Well)].into());
        assert!(view.senders[&NodeId(2)].streaming && view.senders[&NodeId(2)].held >= view.lsn);
        let copy = seen(&n2).await;
        let standby = copy.as_standby().expect("a standby").clone();
        assert_eq!((standby.timeline, standby.follows, standby.slots), (1, Some(NodeId(1)), BTreeSet::new()));
        assert_eq!(copy.control().and_then(|control| control.made_by), Some(1));
        let systems = [&node, &copy].map(|node| node.control().map(|control| control.system_id));
        assert_eq!(systems[0], systems[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_of_a_new_primary_grows_from_what_that_was_made_of() {
    for server in servers() {
        let (mut world, n1) = primary(&server).await;
        run(&n1, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS id").await;
        let mut seed = seed(&world, &n1, &world.paths.templates());
        seed.sown =
            Some(making::Sown::begin(seed.template.clone(), world.run_as.clone(), n1.layout.scratch.join("seed")));
        let n2 = grown(&mut world, 2, &n1, seed).await;
        assert!(!n1.layout.scratch.join("seed").exists(), "what was unpacked before was not taken");
        assert_eq!(seen(&n2).await.control().map(|control| control.last_role), Some(LastRole::Standby));
        start_standby(&n2, Some(&n1)).await;
        streams(&n2).await;
        assert!(!was_copied(&n2), "it was copied");
        synchronous(&n1, &n2).await;
        run(&n1, "INSERT INTO t VALUES (0)").await;
        kill_postmaster(&n1).await;
        fence::kill(&n1.layout).await.expect("ended");
        promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted");
        assert_eq!(number(&n2, "SELECT count(*) FROM t").await, 1001);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_has_recycled_its_first_log_is_copied() {
    for server in servers() {
        let (mut world, n1) = primary(&server).await;
        let first = n1.layout.data.join("pg_wal").join(wal_names(&n1).first().expect("a segment"));
        while first.exists() {
            run(&n1, "SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal(); CHECKPOINT").await;
        }
        let seed = seed(&world, &n1, &world.paths.templates());
        let n2 = grown(&mut world, 2, &n1, seed).await;
        start_standby(&n2, Some(&n1)).await;
        streams(&n2).await;
        assert!(was_copied(&n2), "what it lacks is not there any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_of_another_template_is_copied() {
    for server in servers() {
        let (mut world, n1) = primary(&server).await;
        let others = world.paths.state.join("others");
        template::pack(&server, &world.run_as, &others).expect("packed");
        let seed = seed(&world, &n1, &others);
        let n2 = grown(&mut world, 2, &n1, seed).await;
        assert!(n2.layout.data.join("backup_label").exists(), "it was not copied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sown_is_unpacked_when_it_is_needed() {
    let Some(server) = servers().pop() else { return };
    let (mut world, n1) = primary(&server).await;
    let mut seed = seed(&world, &n1, &world.paths.templates());
    let nowhere = world.paths.state.join("a/folder/that/is/not/there");
    seed.sown = Some(making::Sown::begin(seed.template.clone(), world.run_as.clone(), nowhere));
    let n2 = grown(&mut world, 2, &n1, seed).await;
    start_standby(&n2, Some(&n1)).await;
    streams(&n2).await;
    assert!(!was_copied(&n2), "it was copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_database_is_not_moved_away() {
    let Some(server) = servers().pop() else { return };
    let (mut world, n1) = primary(&server).await;
    let n2 = world.node(2, &[]);
    template::create(&server, &world.run_as, &world.paths.templates(), &world.paths.prepared(), &n2.layout.data)
        .expect("another database");
    let before = seen(&n2).await.control().map(|control| control.system_id);
    let refused = making::clone(&n2, &n1.upstream(), 1, true, None).await.expect_err("refused");
    assert!(refused.message.ends_with(&format!("holds another database, {}", before.expect("one"))), "{refused}");
    let refused = rewind::rewind(&n2, &n1.upstream(), 2).await.expect_err("refused");
    assert!(refused.message.ends_with(&format!("holds another database, {}", before.expect("one"))), "{refused}");
    assert!(!n2.layout.torn().exists());
    assert_eq!(seen(&n2).await.control().map(|control| control.system_id), before);
}

/// A node made from the seed of a primary, where that can be.
async fn grown(world: &mut World, number: u16, of: &Place, seed: making::Seed) -> Place {
    let place = world.node(number, &[("autovacuum", "off")]);
    slots::keep(of, &[NodeId(number)].into(), DEADLINE).await.expect("slots");
    making::clone(&place, &of.upstream(), 1, false, Some(seed)).await.expect("made");
    place
}

/// What a primary was made of, if it was of one of these templates.
fn seed(world: &World, primary: &Place, templates: &Path) -> making::Seed {
    let template = template::of(&world.server, templates).expect("a template");
    making::Seed { template, primary: primary.layout.data.clone(), sown: None, on_disk: making::OnDisk::default() }
}

fn wal_names(place: &Place) -> BTreeSet<String> {
    let entries = std::fs::read_dir(place.layout.data.join("pg_wal")).expect("a folder").flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| name.len() == 24).collect()
}

/// Whether it began as a base backup.
fn was_copied(place: &Place) -> bool {
    place.layout.data.join("backup_label.old").exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_standby_holds_commits_up_until_they_are_told_not_to_wait() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        synchronous(&n1, &n2).await;
        stop(&n2).await;
        let writer = session(&n1).await;
        let commit = tokio::spawn(async move { writer.run("CREATE TABLE waited ()").await });
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while number(&n1, waits).await == 0 {}
        assert!(!commit.is_finished());
        sync::set_sync(&n1, None, DEADLINE).await.expect("in force");
        commit.await.expect("joined").expect("committed");
        assert_eq!(seen(&n1).await.names, Names::Nobody);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_seen_to_wait_once_the_checkpointer_has_read_the_names() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        let set = async |to| sync::set_sync(&n1, to, DEADLINE).await.expect("in force");
        let pid = "SELECT pid::int8 FROM pg_stat_activity WHERE backend_type = 'checkpointer'";
        let checkpointer = i32::try_from(number(&n1, pid).await).expect("a pid");
        signal(checkpointer, Signal::STOP);
        assert!(!set(Some(n2.id)).await, "{}: its names are in force, and nobody waits yet", server.banner);
        signal(checkpointer, Signal::CONT);
        // Told to go on, it does so when it is its turn.
        while !set(Some(n2.id)).await {}
        stop(&n2).await;
        // What waits is seen though it waits in vain.
        while !set(Some(n2.id)).await {}
        let left = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        while number(&n1, left).await > 0 {}
        assert!(!set(None).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_killed_at_any_moment_is_no_copy_and_is_made_anew() {
    for server in servers() {
        let (mut world, n1) = primary(&server).await;
        run(&n1, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS id").await;
        let n2 = world.node(2, &[]);
        let at = |name: &str| n2.layout.making().join(name);
        let moments: [&dyn Fn() -> bool; 4] = [
            &|| true,
            &|| at("base").exists(),
            &|| at("pg_wal").read_dir().is_ok_and(|mut files| files.next().is_some()),
            &|| at("global/pg_control").exists(),
        ];
        for come in moments {
            // The last file is there for a moment only: on a busy machine the copy may be whole before anybody has looked.
            let mut tries = 0..20;
            while !killed_when(&n1, &n2, come).await {
                assert!(tries.next().is_some(), "it was always whole before");
                std::fs::remove_dir_all(&n2.layout.data).expect("the whole copy is gone");
            }
            let node = seen(&n2).await;
            assert_eq!((node.process, node.data), (Process::Dead, Data::Absent));
        }
        making::clone(&n2, &n1.upstream(), 2, false, None).await.expect("copied");
        slots::keep(&n1, &[n2.id].into(), DEADLINE).await.expect("slots");
        start_standby(&n2, Some(&n1)).await;
        streams(&n2).await;
        assert_eq!(number(&n2, "SELECT count(*) FROM t").await, 300_000);
    }
}

/// Begins a copy, and ends it with its tools when a moment has come. `false`: it was whole before.
async fn killed_when(source: &Place, to: &Place, come: &dyn Fn() -> bool) -> bool {
    let is_killed = {
        let from = source.upstream();
        let copy = making::clone(to, &from, 1, false, None);
        tokio::pin!(copy);
        // What an earlier attempt left is gone once its tool is at work.
        let watch = async {
            while tools::of(&to.layout).is_empty() || !come() {
                tokio::task::yield_now().await;
            }
        };
        // Dropped with whatever it is in the middle of.
        tokio::select! {
            done = &mut copy => { done.expect("copied"); false }
            () = watch => true,
        }
    };
    tools::kill(&to.layout).await.expect("ended");
    is_killed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_another_daemon_started_is_found_and_ended() {
    let Some(server) = servers().pop() else { return };
    let (mut world, n1) = primary(&server).await;
    run(&n1, "CREATE TABLE t AS SELECT generate_series(1, 300000) AS id").await;
    let n2 = world.node(2, &[]);
    let (to, from) = (n2.clone(), n1.upstream());
    let copy = tokio::spawn(async move { making::clone(&to, &from, 1, false, None).await });
    let found = loop {
        let found = tools::of(&n2.layout);
        if !found.is_empty() {
            break found;
        }
    };
    // It shall not be done before it is looked at.
    for pid in found {
        let pid = rustix::process::Pid::from_raw(pid).expect("a number");
        rustix::process::kill_process(pid, Signal::STOP).expect("ours");
    }
    assert_eq!(fence::process(&n2.layout, false), Process::Orphans, "a daemon that did not start it");
    assert_eq!(fence::process(&n2.layout, true), Process::Dead, "the one that did");
    assert!(fence::kill(&n2.layout).await.expect("ended") > 0);
    assert_eq!(fence::process(&n2.layout, false), Process::Dead);
    let error = copy.await.expect("joined").expect_err("killed");
    // Either of the two that wait for it may be told of its end.
    assert!(error.message.contains("pg_basebackup"), "{error}");
    assert!(matches!(seen(&n1).await.process, Process::Running { ready: true, .. }), "others are left alone");
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what was measured has to be seen")]
async fn a_promoted_standby_has_everything_and_takes_writes() {
    for server in servers() {
        let mut took = Vec::new();
        let (mut world, mut n1, mut n2) = pair(&server).await;
        run(&n1, "CREATE TABLE t (id int)").await;
        for round in 1..=10_u32 {
            synchronous(&n1, &n2).await;
            run(&n1, &format!("INSERT INTO t VALUES ({round})")).await;
            kill_postmaster(&n1).await;
            fence::kill(&n1.layout).await.expect("ended");
            let begin = Instant::now();
            assert!(promote::promote(&n2, None, round, DEADLINE).await.expect("promoted"));
            took.push(begin.elapsed());
            run(&n2, "INSERT INTO t VALUES (0)").await;
            assert_eq!(number(&n2, "SELECT count(*) FROM t").await, i64::from(2 * round));
            let view = seen(&n2).await.as_primary().expect("a primary").clone();
            assert_eq!(view.timeline, round + 1);
            assert!(view.fork.is_some_and(|fork| fork > Lsn(0) && fork < view.lsn));
            std::mem::swap(&mut n1, &mut n2);
            making::clone(&n2, &n1.upstream(), u64::from(round) + 10, true, None).await.expect("copied");
            making::discard(&n2.layout).expect("discarded");
            slots::keep(&n1, &[n2.id].into(), DEADLINE).await.expect("slots");
            start_standby(&n2, Some(&n1)).await;
            streams(&n2).await;
        }
        eprintln!("{}: promotion {}", server.banner, milliseconds(took));
        drop(world.node(9, &[]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_is_after_every_one_that_was_given_away() {
    for major in MAJORS {
        let Some(server) = server(major) else { continue };
        let (mut world, n1, n2) = pair(&server).await;
        let n3 = standby(&mut world, 3, &n1).await;
        fence::kill(&n1.layout).await.expect("ended");
        assert!(promote::promote(&n2, None, 4, DEADLINE).await.expect("promoted"));
        let view = seen(&n2).await.as_primary().expect("a primary").clone();
        assert_eq!(view.timeline, 5, "PostgreSQL {major}");
        run(&n2, "CREATE TABLE t ()").await;
        slots::keep(&n2, &[n3.id].into(), DEADLINE).await.expect("slots");
        follow::follow(&n3, &n2.upstream(), DEADLINE).await.expect("in force");
        until(&n3, |node| node.as_standby().is_some_and(|s| s.streaming && s.timeline == 5)).await;
        assert_eq!(seen(&n3).await.control().map(|control| control.timeline), Some(5), "PostgreSQL {major}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promotion_sets_the_names_before_the_first_write() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        fence::kill(&n1.layout).await.expect("ended");
        assert!(promote::promote(&n2, Some(NodeId(3)), 1, DEADLINE).await.expect("promoted"));
        assert_eq!(seen(&n2).await.names, Names::Node(NodeId(3)));
        let names: String = session(&n2).await.one("SHOW synchronous_standby_names", &[]).await.expect("a row").get(0);
        assert_eq!(names, "FIRST 1 (\"n3\")");
        assert!(promote::promote(&n2, Some(NodeId(3)), 1, DEADLINE).await.expect("again"), "twice is once");
        assert!(!n2.layout.data.join("promote").exists());
        assert_eq!(seen(&n2).await.as_primary().map(|primary| primary.timeline), Some(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stderr, reason = "what was measured has to be seen")]
async fn a_replica_follows_the_new_primary_without_a_restart() {
    for server in servers() {
        let (mut world, n1, n2) = pair(&server).await;
        let n3 = standby(&mut world, 3, &n1).await;
        let before = start_of(&seen(&n3).await);
        fence::kill(&n1.layout).await.expect("ended");
        assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
        run(&n2, "CREATE TABLE t AS SELECT 1 AS id").await;
        slots::keep(&n2, &[n3.id].into(), DEADLINE).await.expect("slots");
        let begin = Instant::now();
        follow::follow(&n3, &n2.upstream(), DEADLINE).await.expect("in force");
        let in_force = begin.elapsed();
        let is_there = |node: &pgherd_core::ha::Node| {
            node.as_standby().is_some_and(|s| s.streaming && s.timeline == 2 && s.follows == Some(NodeId(2)))
        };
        let after = until(&n3, is_there).await;
        eprintln!("{}: follow in force {in_force:.0?}, streams {:.0?}", server.banner, begin.elapsed());
        assert_eq!(start_of(&after), before);
        assert_eq!(role::read(&n3.layout).and_then(|role| role.upstream), Some(n2.upstream()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_are_exactly_those_asked_for_and_lost_ones_are_made_anew() {
    for server in servers() {
        let (world, n1) = primary(&server).await;
        let slots_of = |nodes: &[u16]| nodes.iter().map(|node| NodeId(*node)).collect::<BTreeSet<_>>();
        run(&n1, "SELECT pg_create_physical_replication_slot('theirs')").await;
        slots::keep(&n1, &slots_of(&[2, 3]), DEADLINE).await.expect("kept");
        slots::keep(&n1, &slots_of(&[3, 4]), DEADLINE).await.expect("kept");
        let all = "SELECT string_agg(slot_name, ' ' ORDER BY slot_name)::text FROM pg_replication_slots";
        let names: String = session(&n1).await.one(all, &[]).await.expect("a row").get(0);
        assert_eq!(names, "n3 n4 theirs");
        world.reconfigure(&n1, &[("max_slot_wal_keep_size", "1MB"), ("wal_keep_size", "0"), ("max_wal_size", "32MB")]);
        stop(&n1).await;
        crate::nodes::start_primary(&n1).await;
        for _ in 0..6 {
            run(&n1, "CREATE TABLE x (); DROP TABLE x; SELECT pg_switch_wal()").await;
        }
        run(&n1, "CHECKPOINT").await;
        let lost = seen(&n1).await.as_primary().expect("a primary").slots.clone();
        assert_eq!(lost, [(NodeId(3), Slot::Lost), (NodeId(4), Slot::Lost)].into());
        slots::keep(&n1, &slots_of(&[3]), DEADLINE).await.expect("kept");
        assert_eq!(seen(&n1).await.as_primary().expect("a primary").slots, [(NodeId(3), Slot::Well)].into());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_of_a_node_that_still_streams_is_dropped_all_the_same() {
    let Some(server) = servers().pop() else { return };
    let (_world, n1, _n2) = pair(&server).await;
    slots::keep(&n1, &BTreeSet::new(), DEADLINE).await.expect("dropped");
    assert_eq!(seen(&n1).await.as_primary().expect("a primary").slots, [].into());
}
