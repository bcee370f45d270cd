//! Day-2 verbs, and what is told of a database that exists.

use pgherd_core::report::LogAsked;
use pgherd_emulate::rds::maintenance::Maintenance;
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

/// A password that RDS changes every week is not in pgherd's secret, and nobody can give the instance another one.
#[tokio::test]
async fn a_password_that_rds_manages_is_told_and_none_is_given() {
    let world = world(SMALL).await;
    world.region(|region| region.instances.get_mut("orders").expect("it is there").is_password_managed = true);
    let planned = world.plan(SMALL).await;
    let codes: Vec<_> = planned.plan.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, ["password-managed"]);
    let refused = done(&world, Operation::Rotate { name: "orders".to_owned() }).await.expect_err("RDS would refuse");
    assert_eq!(refused.kind, ErrorKind::Protected);
    assert_eq!(world.writes_of_all(), [""; 0], "nothing is pending that could not be given");
    world.region(|region| region.instances.get_mut("orders").expect("it is there").is_password_managed = false);
    done(&world, Operation::Rotate { name: "orders".to_owned() }).await.expect("it is given one");
    assert!(world.secret_opens("orders", "orders"));
}

#[tokio::test]
async fn a_new_password_waits_until_rds_takes_it() {
    // Time enough that it is still at it when it is asked.
    let world = World::whole(1).await;
    world.apply(SMALL).await;
    world.pass(7200);
    let snapshot = [("DBInstanceIdentifier", "orders"), ("DBSnapshotIdentifier", "by-hand")];
    world.tamper("CreateDBSnapshot", &snapshot);
    done(&world, Operation::Rotate { name: "orders".to_owned() }).await.expect("it is given one");
    let asked = world.emulator.asked();
    assert!(asked.iter().any(|asked| asked.outcome == "InvalidDBInstanceState"), "it was at something else");
    assert!(world.secret_opens("orders", "orders"));
    assert_eq!(world.left(SMALL).await, [""; 0]);
}

#[tokio::test]
async fn a_replica_that_stopped_is_told_of() {
    let block = with(SMALL, &[("create_read_replica", "true"), ("backup_retention_period", "1")]);
    let world = world(&block).await;
    assert_eq!(world.plan(&block).await.plan.diagnostics, []);
    world.region(|region| region.instances.get_mut("orders-r1").expect("it is there").replication_error = true);
    let said = "the replica orders-r1 does not follow its source: error";
    let planned = world.plan(&block).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.message.as_str()).collect::<Vec<_>>(), [said]);
    let report = world.provider().report(&spec(&block)).await.expect("it is told");
    assert_eq!(report.warnings, [said]);
}

/// What RDS itself will do is told with its day, and nothing else changes.
#[tokio::test]
async fn what_rds_will_do_by_itself_is_told() {
    let world = world(SMALL).await;
    let at = |text: &str| Some(text.parse().expect("a time"));
    world.region(|region| {
        let update = Maintenance {
            action: "system-update".to_owned(),
            description: "New Operating System update is available".to_owned(),
            after: at("2026-02-01T00:00:00Z"),
            forced: at("2026-03-01T00:00:00Z"),
        };
        let optional = Maintenance {
            action: "ca-certificate-rotation".to_owned(),
            description: String::new(),
            after: None,
            forced: None,
        };
        region.maintenance.insert("orders".to_owned(), vec![update, optional]);
    });
    let report = world.provider().report(&spec(SMALL)).await.expect("it is told");
    let told: Vec<String> =
        report.maintenance.iter().map(|one| format!("{} waits for {}", one.field, one.waits_for)).collect();
    assert!(report.pending.is_empty(), "{:?}", report.pending);
    insta::assert_snapshot!(told.join("\n"), @r"
    system-update of orders (New Operating System update is available) waits for the first window from 2026-02-01 on, when RDS does it; at the latest on 2026-03-01, window or not
    ca-certificate-rotation of orders waits for somebody to ask for it (`aws rds apply-pending-maintenance-action`)
    ");
    assert_eq!(world.left(SMALL).await, [""; 0]);
    world.fault(r#"{"action":"DescribePendingMaintenanceActions","times":10,"fault":"denied"}"#);
    let report = world.provider().report(&spec(SMALL)).await.expect("the rest is told");
    assert!(
        report.maintenance.is_empty() && report.warnings.iter().any(|said| said.contains("maintenance")),
        "{:?}",
        report.warnings
    );
}
