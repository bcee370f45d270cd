//! What becomes of a primary that was given up, and of a replica that is ahead.

use pgherd_core::ha::{Data, Examined, LastRole, Lsn, NodeId, Process};
use pgherd_local::postgres::processes;
use pgherd_local::postgres::replication::{Place, examine, fence, follow, making, promote, rewind, slots};
use pgherd_local::postgres::server::Server;
use rustix::process::Signal;

use crate::nodes::{
    kill_postmaster, number, pair, run, seen, servers, session, signal, standby, start_standby, stop, streams, until,
};
use crate::world::{DEADLINE, World};

/// Commits that only the old primary has.
const BEHIND_THE_FORK: u64 = 17;

/// n1 died with commits that n2, which was promoted, never got.
async fn failed_over(server: &Server) -> (World, Place, Place) {
    let (world, n1, n2) = pair(server).await;
    run(&n1, "CREATE TABLE t AS SELECT generate_series(1, 100) AS id").await;
    until_everything_is_on(&n1, &n2).await;
    stop(&n2).await;
    for _ in 0..BEHIND_THE_FORK {
        run(&n1, "INSERT INTO t VALUES (0)").await;
    }
    run(&n1, "BEGIN; INSERT INTO t VALUES (0); ROLLBACK").await;
    // As the write probe does.
    session(&n1).await.one("SELECT pg_logical_emit_message(true, 'pgherd', '')::text", &[]).await.expect("written");
    kill_postmaster(&n1).await;
    fence::kill(&n1.layout).await.expect("ended");
    start_standby(&n2, None).await;
    assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
    run(&n2, "INSERT INTO t SELECT generate_series(101, 150)").await;
    slots::keep(&n2, &[n1.id].into(), DEADLINE).await.expect("slots");
    (world, n1, n2)
}

async fn until_everything_is_on(primary: &Place, standby: &Place) {
    let view = seen(primary).await;
    let lsn = view.as_primary().expect("a primary").lsn;
    until(standby, |node| node.as_standby().is_some_and(|standby| standby.flushed >= lsn)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_known_exactly_how_many_commits_did_not_survive() {
    for server in servers() {
        let (_world, n1, n2) = failed_over(&server).await;
        let fork = seen(&n2).await.as_primary().and_then(|primary| primary.fork).expect("a fork");
        let Examined { end, lost_commits } = examine::examine(&n1, &n2.layout).await.expect("examined");
        assert_eq!(lost_commits, Some(BEHIND_THE_FORK));
        assert!(end > fork);
        let twice = examine::examine(&n1, &n2.layout).await.expect("examined");
        assert_eq!(twice, Examined { end, lost_commits }, "nothing was changed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_behind_the_fork_nothing_was_lost() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        run(&n1, "CREATE TABLE t ()").await;
        stop(&n1).await;
        let end = seen(&n1).await.control().and_then(|control| control.end).expect("it was shut down properly");
        until(&n2, |node| node.as_standby().is_some_and(|standby| standby.replayed >= end)).await;
        assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
        let fork = seen(&n2).await.as_primary().and_then(|primary| primary.fork);
        assert_eq!(fork, Some(end), "a proper shutdown hands everything over");
        let examined = examine::examine(&n1, &n2.layout).await.expect("examined");
        assert_eq!(examined, Examined { end, lost_commits: Some(0) });
        // And it is started as a standby as it is.
        slots::keep(&n2, &[n1.id].into(), DEADLINE).await.expect("slots");
        start_standby(&n1, Some(&n2)).await;
        // It may stream before it has found its way to the new timeline.
        until(&n1, |node| node.as_standby().is_some_and(|standby| standby.streaming && standby.timeline == 2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_up_primary_is_rewound_and_follows() {
    for server in servers() {
        let (_world, n1, n2) = failed_over(&server).await;
        run(&n2, "SELECT pg_create_physical_replication_slot('of_another')").await;
        rewind::rewind(&n1, &n2.upstream(), 7).await.expect("rewound");
        let node = seen(&n1).await;
        let control = node.control().expect("a data directory");
        assert_eq!((control.made_by, control.torn, control.last_role), (Some(7), false, LastRole::Standby));
        assert_eq!(std::fs::read_dir(n1.layout.data.join("pg_replslot")).expect("a folder").count(), 0);
        rewind::rewind(&n1, &n2.upstream(), 7).await.expect("done already");
        // Nobody recovers what is a standby now: it would write where the source has written something else.
        let refused = rewind::rewind(&n1, &n2.upstream(), 8).await.expect_err("no primary's");
        assert!(refused.message.ends_with("is a standby's that did not end properly, which cannot be rewound"));
        assert!(seen(&n1).await.control().is_some_and(|control| control.made_by == Some(7) && !control.torn));
        start_standby(&n1, Some(&n2)).await;
        streams(&n1).await;
        until_everything_is_on(&n2, &n1).await;
        assert_eq!(number(&n2, "SELECT count(*) FROM t").await, 150);
        until(&n1, |node| node.as_standby().is_some_and(|standby| standby.replayed >= standby.flushed)).await;
        assert_eq!(number(&n1, "SELECT count(*) FROM t").await, 150);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_postmaster_that_nobody_reaps_is_in_nobodys_way() {
    for server in servers() {
        let (_world, n1, n2) = failed_over(&server).await;
        let mut dead = unreaped(&n1);
        name_in_lock_files(&n1, &dead);
        rewind::rewind(&n1, &n2.upstream(), 7).await.expect("rewound");
        assert_eq!(seen(&n1).await.control().and_then(|control| control.made_by), Some(7));
        name_in_lock_files(&n1, &dead);
        start_standby(&n1, Some(&n2)).await;
        streams(&n1).await;
        dead.wait().expect("reaped");
    }
}

/// A process of the server's user that has ended and is not reaped.
fn unreaped(place: &Place) -> std::process::Child {
    use std::os::unix::process::CommandExt as _;
    let mut command = std::process::Command::new("true");
    if place.run_as.drops {
        command.uid(place.run_as.uid).gid(place.run_as.gid);
    }
    let child = command.spawn().expect("true runs");
    let pid = rustix::process::Pid::from_child(&child);
    let look = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), look).expect("ended");
    child
}

fn name_in_lock_files(place: &Place, process: &std::process::Child) {
    let layout = &place.layout;
    let text = format!("{}\n{}\n0\n{}\n", process.id(), layout.data.display(), place.port);
    for lock in [layout.postmaster_pid(), layout.socket.join(format!(".s.PGSQL.{}.lock", place.port))] {
        std::fs::write(lock, &text).expect("written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewind_that_does_not_end_leaves_a_torn_directory_that_is_not_started() {
    let Some(server) = servers().pop() else { return };
    let (_world, n1, n2) = failed_over(&server).await;
    let is_torn = |node: &pgherd_core::ha::Node| node.control().is_some_and(|control| control.torn);
    {
        let from = n2.upstream();
        let rewind = rewind::rewind(&n1, &from, 7);
        tokio::pin!(rewind);
        let begins = async {
            while !fence::left(&n1.layout).iter().any(|pid| is_single_user(*pid)) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            done = &mut rewind => panic!("it ended before: {done:?}"),
            () = begins => assert_eq!(fence::process(&n1.layout, true), Process::Dead),
        }
    }
    fence::kill(&n1.layout).await.expect("ended");
    let node = seen(&n1).await;
    assert!(is_torn(&node) && node.process == Process::Dead);
    let error = pgherd_local::postgres::replication::start::start(&n1, &Default::default(), true, DEADLINE).await;
    assert!(error.expect_err("refused").message.ends_with("was being rewound, which did not end"));
    making::clone(&n1, &n2.upstream(), 8, true, None).await.expect("copied");
    let node = seen(&n1).await;
    assert_eq!((is_torn(&node), node.evidence), (false, Some(true)));
    start_standby(&n1, Some(&n2)).await;
    streams(&n1).await;
}

/// pg_rewind has a server recover the directory first.
fn is_single_user(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|text| text.split(|byte| *byte == 0).any(|a| a == b"--single"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_directory_is_kept_as_evidence_and_evidence_is_never_overwritten() {
    for server in servers() {
        let (_world, n1, n2) = failed_over(&server).await;
        let refused = making::clone(&n1, &n2.upstream(), 7, false, None).await.expect_err("not to be replaced");
        assert!(refused.message.ends_with("is there and is not to be replaced"), "{refused}");
        assert_eq!(seen(&n1).await.evidence, Some(false));
        for serial in [7, 8, 9, 10, 10] {
            making::clone(&n1, &n2.upstream(), serial, true, None).await.expect("copied");
        }
        let mut kept: Vec<String> = std::fs::read_dir(n1.layout.evidence())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        kept.sort();
        // The old primary, and the first and the last of the copies.
        assert_eq!(kept, ["before-0000000007-0", "before-0000000008-0", "before-0000000010-0"]);
        let old = Place { layout: n1.layout.clone(), ..n1.clone() };
        let end = seen(&old).await;
        assert_eq!((end.control().and_then(|control| control.made_by), end.evidence), (Some(10), Some(true)));
        making::discard(&n1.layout).expect("discarded");
        assert_eq!(seen(&n1).await.evidence, Some(false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_node_is_gone_whole() {
    let Some(server) = servers().pop() else { return };
    let (world, n1, n2) = pair(&server).await;
    assert!(making::remove(&n2.layout).is_err(), "while it runs");
    stop(&n2).await;
    making::remove(&n2.layout).expect("removed");
    making::remove(&n2.layout).expect("twice");
    assert_eq!(seen(&n2).await.data, Data::Absent);
    let mut names: Vec<_> =
        std::fs::read_dir(&n1.layout.root).expect("a folder").map(|e| e.expect("one").file_name()).collect();
    names.sort();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("n2")), "{names:?}");
    let whole = making::remove(&world.layout).expect_err("an instance");
    assert!(whole.message.ends_with("is a whole instance, not one of its nodes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_ahead_of_the_new_primary_is_told_from_one_that_is_not() {
    for server in servers() {
        let (mut world, n1, n2) = pair(&server).await;
        let n3 = standby(&mut world, 3, &n1).await;
        run(&n1, "CREATE TABLE t (id int)").await;
        until_everything_is_on(&n1, &n2).await;
        stop(&n2).await;
        run(&n1, "INSERT INTO t SELECT generate_series(1, 100000)").await;
        until_everything_is_on(&n1, &n3).await;
        fence::kill(&n1.layout).await.expect("ended");
        start_standby(&n2, None).await;
        assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
        let fork = seen(&n2).await.as_primary().and_then(|primary| primary.fork).expect("a fork");
        run(&n2, "INSERT INTO t SELECT generate_series(1, 200000)").await;
        slots::keep(&n2, &[n3.id].into(), DEADLINE).await.expect("slots");
        follow::follow(&n3, &n2.upstream(), DEADLINE).await.expect("in force");
        // Its receiver asks for the history, and is refused.
        let has_history = n3.layout.data.join("pg_wal/00000002.history");
        let ahead = until(&n3, |_| has_history.exists()).await;
        let ahead = ahead.as_standby().expect("a standby").clone();
        assert_eq!((ahead.timeline, ahead.follows), (1, Some(NodeId(2))));
        assert!(ahead.received > fork, "{} is not beyond {fork}", ahead.received);
        stop(&n3).await;
        making::clone(&n3, &n2.upstream(), 9, true, None).await.expect("copied");
        start_standby(&n3, Some(&n2)).await;
        let standby = streams(&n3).await;
        assert_eq!(standby.timeline, 2);
        // Also while it does not stream it is not taken for one that is ahead.
        fence::kill(&n2.layout).await.expect("ended");
        let alone = until(&n3, |node| node.as_standby().is_some_and(|standby| !standby.streaming)).await;
        let alone = alone.as_standby().expect("a standby").clone();
        assert!(alone.timeline == 2 && alone.received > fork, "{alone:?}");
        assert!(alone.received > Lsn(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_in_flight_is_not_answered_after_the_fence() {
    for server in servers() {
        let (_world, n1, n2) = pair(&server).await;
        run(&n1, "CREATE TABLE t (id bigint)").await;
        let busy = session(&n1).await;
        let backend: i32 = busy.one("SELECT pg_backend_pid()", &[]).await.expect("a row").get(0);
        let work = tokio::spawn(async move {
            busy.run("INSERT INTO t SELECT count(*) FROM generate_series(1, 100000000000)").await
        });
        let active = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {backend} AND state = 'active'");
        while number(&n1, &active).await == 0 {}
        kill_postmaster(&n1).await;
        assert_eq!(fence::process(&n1.layout, false), Process::Orphans, "the backend goes on");
        assert!(fence::kill(&n1.layout).await.expect("ended") > 0);
        assert_eq!(fence::process(&n1.layout, false), Process::Dead);
        assert!(processes::of(&n1.layout.data).is_empty());
        assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
        assert!(work.await.expect("joined").is_err(), "it was never answered");
        assert_eq!(number(&n2, "SELECT count(*) FROM t").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_primary_is_ended_and_does_not_answer_when_it_would_wake() {
    let Some(server) = servers().pop() else { return };
    let (_world, n1, n2) = pair(&server).await;
    run(&n1, "CREATE TABLE t ()").await;
    until_everything_is_on(&n1, &n2).await;
    let client = session(&n1).await;
    let frozen = processes::of(&n1.layout.data);
    for pid in &frozen {
        signal(*pid, Signal::STOP);
    }
    let write = tokio::spawn(async move { client.run("INSERT INTO t DEFAULT VALUES").await });
    fence::kill(&n1.layout).await.expect("ended");
    assert_eq!(fence::process(&n1.layout, false), Process::Dead);
    assert!(write.await.expect("joined").is_err());
    assert!(promote::promote(&n2, None, 1, DEADLINE).await.expect("promoted"));
}
