//! Day-2 verbs, and what is told of a database that exists.

use pgherd_core::report::LogAsked;
use pgherd_engine::provider::{ErrorKind, Operation, ProviderError};

use crate::world::{LARGE, SMALL, World, events, spec, with};

async fn world(block: &str) -> World {
    let world = World::whole(20).await;
    world.apply(block).await;
    world.forget_what_was_asked();
    world
}

async fn done(world: &World, operation: Operation) -> Result<(), ProviderError> {
    let (sender, _heard) = events();
    world.provider().operate(&operation, &sender).await
}

fn failover() -> Operation {
    Operation::Failover { name: "orders".to_owned(), accept_loss: false }
}

fn pair() -> String {
    with(SMALL, &[("multi_az", "true")])
}

async fn last_lines(world: &World, lines: usize) -> Vec<String> {
    let mut told = Vec::new();
    let asked = LogAsked { lines, follow: false };
    world.provider().log(&spec(SMALL), &asked, &mut |line| told.push(line)).await.expect("there is a log");
    told.iter().map(|line| line.split("LOG:  ").last().unwrap_or_default().to_owned()).collect()
}

fn zone(world: &World) -> String {
    world.region(|region| region.instances["orders"].set.zone.clone())
}

#[tokio::test]
async fn the_last_lines_come_from_as_many_files_as_it_takes() {
    let world = world(SMALL).await;
    world.pass(7200);
    done(&world, Operation::Restart { name: "orders".to_owned() }).await.expect("it restarts");
    assert_eq!(last_lines(&world, 2).await, ["Finished DB Instance backup", "DB instance restarted"]);
    assert_eq!(last_lines(&world, 1).await, ["DB instance restarted"]);
    assert_eq!(last_lines(&world, 0).await, [""; 0]);
    // More than a piece holds: files are read from their beginnings.
    assert_eq!(last_lines(&world, 20_000).await.len(), 3);
}

#[tokio::test]
async fn whoever_follows_a_log_goes_on_in_the_next_file() {
    let world = world(SMALL).await;
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (provider, block) = (world.provider(), spec(SMALL));
    let mut on_line = |line: String| told.send(line).expect("somebody listens");
    let asked = LogAsked { lines: 1, follow: true };
    let following = provider.log(&block, &asked, &mut on_line);
    let watching = async {
        let first = heard.recv().await.expect("a line");
        assert!(first.ends_with("Finished DB Instance backup"), "{first}");
        world.pass(7200);
        done(&world, Operation::Restart { name: "orders".to_owned() }).await.expect("it restarts");
        heard.recv().await.expect("a line")
    };
    tokio::select! {
        ended = following => panic!("it ended: {ended:?}"),
        line = watching => assert!(line.ends_with("DB instance restarted"), "{line}"),
    }
}

#[tokio::test]
async fn a_failover_that_nobody_answered_for_is_not_done_twice() {
    let world = world(&pair()).await;
    let before = zone(&world);
    world.fault(r#"{"action": "RebootDBInstance", "fault": "lost"}"#);
    done(&world, failover()).await.expect("it fails over");
    assert_ne!(zone(&world), before);
    assert_eq!(world.writes_of_all().iter().filter(|call| call.starts_with("RebootDBInstance")).count(), 1);
}

#[tokio::test]
async fn only_a_pair_fails_over() {
    let world = world(SMALL).await;
    let refused = done(&world, failover()).await.expect_err("there is no standby");
    assert_eq!(refused.kind, ErrorKind::Protected);
    assert_eq!(world.writes_of_all(), [""; 0]);
}

#[tokio::test]
async fn a_backup_that_nobody_answered_for_is_found() {
    let world = world(SMALL).await;
    world.fault(r#"{"action": "CreateDBSnapshot", "fault": "lost"}"#);
    let backup = || Operation::Backup { name: "orders".to_owned(), label: Some("kept".to_owned()) };
    done(&world, backup()).await.expect("it is taken");
    let kept = world.provider().backups(&spec(SMALL)).await.expect("are told").kept;
    assert_eq!(
        kept.iter().map(|one| (one.name.as_str(), one.state.as_str())).collect::<Vec<_>>(),
        [("kept", "available")]
    );
    let refused = done(&world, backup()).await.expect_err("the name is taken");
    assert_eq!(refused.kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn what_may_not_be_read_is_left_out_of_a_report_and_said() {
    let world = world(LARGE).await;
    world.fault(r#"{"action": "DescribeAlarms", "fault": "denied"}"#);
    let report = world.provider().report(&spec(LARGE)).await.expect("the rest is told");
    assert_eq!(report.alarms, []);
    assert!(report.warnings.len() == 1 && report.warnings[0].starts_with("its alarms cannot be read"), "{report:?}");
}
