//! What is restored takes the place of the database, and goes back.

use pgherd_core::ha::NodeId;
use pgherd_core::value::Value;
use pgherd_engine::provider::{ErrorKind, Operation, Point};

use pgherd_local::postgres::session::Session;

use crate::backups::restore;
use crate::world::{Arguments, DEADLINE, NAME, World};

#[tokio::test]
async fn in_its_own_place_a_database_holds_the_first_of_two_commits_and_goes_back() {
    let world = World::new();
    world.apply(&[]).await;
    world.back_up("first").await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    let (at, lsn) = world.here().await;
    world.sql("INSERT INTO t VALUES (2)").await;
    let (endpoint, secret) = (world.status().await.endpoint, world.secret().await);
    let password = secret["password"].as_str().expect("a password").to_owned();

    // Only told.
    let mut how =
        pgherd_local::provider::restore_how(&world.spec(&[]), pgherd_local::supervisor::messages::RestorePoint::At(at));
    how.dry_run = true;
    world.agent().await.restore(NAME, &how, |_| {}).await.expect("told");
    assert_eq!((world.rows(NAME).await.as_str(), world.status().await.aside.len()), ("2", 0));

    world.operate(restore(&world, NAME, Point::At(at))).await;
    assert_eq!(world.rows(NAME).await, "1");
    // The same way in, a server and an archive of its own, and nothing to change.
    let status = world.status().await;
    assert_eq!((status.endpoint, world.secret().await), (endpoint.clone(), secret));
    world.log_in(&password).await.expect("the password is the same");
    assert_eq!(world.differences(&[]).await, [""; 0]);
    assert_eq!(status.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["n2"]);
    let [aside] = status.aside.as_slice() else { panic!("{:?}", status.aside) };
    assert!(aside.name.starts_with("db-before-2") && aside.bytes > Some(1 << 20), "{aside:?}");
    world.sql("INSERT INTO t VALUES (10), (11)").await;
    world.back_up("second").await;
    assert!(world.paths.repository().join(NAME).join("0002").exists());
    world.operate(restore(&world, "db-copy", Point::Latest)).await;
    assert_eq!(world.rows("db-copy").await, "3");

    // While it is kept it is not destroyed with the rest.
    let refused = world.delete(None).await.expect_err("refused");
    assert!(refused.kind == ErrorKind::Protected && refused.message.contains(&aside.name), "{refused}");
    // To a place in the log of before, although another generation has begun by now.
    world.operate(restore(&world, NAME, Point::Backup(aside.name.clone()))).await;
    assert_eq!((world.rows(NAME).await.as_str(), world.status().await.endpoint), ("2", endpoint));
    assert_eq!(world.differences(&[]).await, [""; 0]);
    let status = world.status().await;
    assert!(status.aside.len() == 1 && status.aside[0].name != aside.name, "{:?}", status.aside);
    let refused = world.refused(restore(&world, NAME, Point::Backup(aside.name.clone()))).await;
    assert_eq!(refused.message, format!("there is no backup {} of db", aside.name));
    assert_eq!(world.rows(NAME).await, "2");
    let name = status.aside[0].name.clone();
    world.agent().await.delete_backup(NAME, &name, |_| {}).await.expect("gone");
    assert!(world.status().await.aside.is_empty() && !world.paths.instance(NAME).root.join("aside").exists());
    world.operate(restore(&world, "db-lsn", Point::Lsn(lsn))).await;
    assert_eq!(world.rows("db-lsn").await, "1");
    world.delete(None).await.expect("deleted");
    assert!(!world.paths.instance(NAME).root.exists());
}

/// A pair with a replica and a pooler: all of them are of the restored primary afterwards.
#[tokio::test]
async fn standby_and_replica_are_made_anew_of_what_was_restored() {
    let world = World::new();
    let all: Arguments<'_> = &[
        ("multi_az", Value::Bool(true)),
        ("create_read_replica", Value::Bool(true)),
        ("enable_proxy", Value::Bool(true)),
    ];
    world.apply(all).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    world.sql("INSERT INTO t VALUES (2)").await;
    let before = world.status().await;
    let restored = Operation::Restore {
        name: NAME.to_owned(),
        to: Box::new(world.spec(all)),
        point: Point::Backup("first".to_owned()),
    };
    world.operate(restored).await;
    let status = world.status().await;
    assert_eq!(
        (&status.endpoint.port, &status.endpoint.pooler_port, &status.read_port),
        (&before.endpoint.port, &before.endpoint.pooler_port, &before.read_port)
    );
    let roles: Vec<&str> = status.nodes.iter().map(|node| node.role.as_str()).collect();
    assert_eq!(roles, ["primary", "standby", "replica"], "{:?}", status.nodes);
    assert!(status.commits_wait_for.is_some() && status.aside.len() == 1);
    assert_eq!(world.differences(all).await, [""; 0]);
    for port in status.nodes.iter().map(|node| node.port) {
        assert_eq!(world.rows_at(port).await, "1", "at {port}");
    }
    assert!(!world.paths.instance(NAME).node(NodeId(1)).folder().exists());
}

/// Wherever it is cut short, one of the two is served, and asking again ends with the restored one.
#[tokio::test]
async fn a_restore_in_place_survives_the_agent() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    let back = || restore(&world, NAME, Point::Backup("first".to_owned()));
    let phases = ["unpacking", "replaying", "stopping", "putting the restored", "starting", "setting role"];
    for (number, phase) in phases.into_iter().enumerate() {
        world.sql(&format!("INSERT INTO t VALUES ({})", number + 2)).await;
        world.operate_until(back(), phase).await;
        world.kill_agent().await;
        world.becomes(|status| status.status == pgherd_core::resource::Status::Available).await;
        assert!(["1", "2"].contains(&world.rows(NAME).await.as_str()), "{phase}");
        world.operate(back()).await;
        assert_eq!(world.rows(NAME).await, "1", "{phase}");
        let status = world.status().await;
        let scratch = std::fs::read_dir(world.paths.instance(NAME).scratch).expect("a folder").flatten();
        let left: Vec<_> = scratch.map(|entry| entry.file_name()).filter(|name| name != "backup").collect();
        assert!(left.is_empty(), "{phase}: {left:?}");
        for aside in status.aside {
            world.agent().await.delete_backup(NAME, &aside.name, |_| {}).await.expect("gone");
        }
        assert_eq!(world.differences(&[]).await, [""; 0], "{phase}");
    }
}

/// The database that cannot start any more is the one that is to be restored.
#[tokio::test]
async fn a_database_whose_files_are_broken_or_gone_is_restored_in_its_place() {
    let world = World::new();
    world.apply(&[]).await;
    world.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)").await;
    world.back_up("first").await;
    world.sql("INSERT INTO t VALUES (2); SELECT pg_switch_wal()").await;
    world.becomes(|status| status.archive.as_ref().is_some_and(|archive| archive.waiting == 0)).await;
    // What is in no finished segment is in no archive.
    world.sql("INSERT INTO t VALUES (3)").await;
    let data = world.data();
    crate::world::kill(world.postmaster_pid()).await;
    std::fs::rename(data.join("global"), data.join("lost")).expect("renamed");
    world.operate(restore(&world, NAME, Point::Latest)).await;
    assert_eq!(world.rows(NAME).await, "3");
    let aside = world.status().await.aside.pop().expect("what is left of it is kept");
    assert!(aside.path.join("data/lost").exists(), "{aside:?}");
    // Without anything of it there is nothing to keep.
    world.back_up("second").await;
    world.sql("SELECT pg_switch_wal()").await;
    let data = world.paths.instance(NAME).node(NodeId(2)).data;
    let pid = world.node_pid(NodeId(2));
    crate::world::kill(pid).await;
    std::fs::rename(&data, world.paths.state.join("elsewhere")).expect("renamed");
    world.operate(restore(&world, NAME, Point::Backup("second".to_owned()))).await;
    assert_eq!((world.rows(NAME).await.as_str(), world.status().await.aside.len()), ("3", 1));
}

impl World {
    async fn rows_at(&self, port: u16) -> String {
        let session = Session::connect(&self.paths.sockets(), port, "postgres", DEADLINE).await.expect("a session");
        session.one("SELECT count(*)::text FROM t", &[]).await.expect("a row").get(0)
    }
}
