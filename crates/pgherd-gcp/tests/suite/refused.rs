//! What is refused, and in which words.

use pgherd_core::diagnostic::Severity;
use pgherd_core::lint::Intent;
use pgherd_engine::provider::{ErrorKind, Operation, Provider as _};
use pgherd_engine::run;
use pgherd_engine::suite::World as _;
use serde_json::json;

use crate::verbs::{apply, apply_said, operate};
use crate::world::{Google, SMALL, WHOLE, spec, with};

/// What is said of a plan, code and words a line.
async fn said(world: &Google, block: &str, least: Severity) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    let told = planned.expect("a look").plan.diagnostics;
    let told = told.iter().filter(|told| least == Severity::Note || told.severity == Severity::Error);
    told.map(|told| format!("{}: {}", told.code, told.message)).collect()
}

#[tokio::test]
async fn what_cloud_sql_would_refuse_after_minutes_is_refused_before() {
    let world = Google::new().await;
    let check = async |changes: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(said(&world, &with(SMALL, changes), Severity::Error).await, expected);
    };
    let far = "class-not-offered: Cloud SQL does not offer db-f1-micro in us-west8";
    check(&[("gcp_region", "\"us-west8\""), ("instance_class", "\"db-f1-micro\"")], &[far]).await;
    let unknown = "[{ name = \"archive_command\", value = \"x\" }]";
    let flag = "flag-refused: Cloud SQL has no flag archive_command for PostgreSQL 18";
    check(&[("parameters", unknown)], &[flag]).await;
    assert!(world.writes().is_empty(), "nothing is sent that changes anything");
}

#[tokio::test]
async fn what_is_left_out_is_told() {
    let world = Google::new().await;
    let block = with(WHOLE, &[("create_dashboard", "true"), ("alarm_targets", "[]"), ("subnet_ids", "[\"a\"]")]);
    let told = said(&world, &block, Severity::Note).await.join("\n");
    insta::assert_snapshot!(told, @r"
    unchecked: that the network is connected to Google's by private services access is not checked beforehand
    cidr-not-used: no packet from 10.0.0.0/8 comes over the internet, so they are left out
    subnets-not-used: subnet_ids is not used: an instance of Cloud SQL is in a network of Google's
    no-dashboard: this version makes no dashboard on Google Cloud
    alarms: Cloud SQL has no metric of read latency for PostgreSQL, so no alarm of it is made
    alarms: how many connections there can be is not known, so no alarm of them is made
    alarms: nobody is told of an alarm: it is seen in the console only
    ");
}

#[tokio::test]
async fn what_cannot_be_changed_and_what_is_not_ours() {
    let mut world = Google::new().await;
    apply(&world, WHOLE).await;
    let check = async |world: &Google, changes: &[(&str, &str)], expected: &str| {
        let told = said(world, &with(WHOLE, changes), Severity::Error).await;
        assert!(told.first().is_some_and(|told| told.starts_with(expected)), "{told:?}");
    };
    check(&world, &[("gcp_region", "\"us-east4\"")], "fixed-field: region of instance orders").await;
    let stays = "network-stays: orders stays in projects/learning/global/networks/default";
    let replicas = [("create_read_replica", "false"), ("read_replica_count", ""), ("vpc_id", "\"other\"")];
    check(&world, &replicas, stays).await;
    world.accepted.clear();
    check(&world, &[("engine_version", "\"17\"")], "major-upgrade: PostgreSQL 16 becomes 17").await;
    let own = "[{ name = \"cloudsql.enable_pgaudit\", value = \"on\" }]";
    let restart = [("parameters", own), ("apply_immediately", "false")];
    check(&world, &restart, "interrupts-now: Cloud SQL changes databaseFlags.cloudsql.enable_pgaudit at once").await;
    let later = [("instance_class", "\"db-custom-4-16384\""), ("apply_immediately", "false")];
    check(&world, &later, "interrupts-now: Cloud SQL changes tier at once").await;
    let body = json!({ "name": "others", "databaseVersion": "POSTGRES_15", "settings": { "tier": "db-f1-micro" } });
    world.tamper("POST", "/v1/projects/learning/instances", &body);
    world.rest();
    let foreign = "not-ours: instance others exists and is not pgherd's: it has no label pgherd_block=others";
    assert_eq!(said(&world, &with(SMALL, &[("name", "\"others\"")]), Severity::Error).await, [foreign]);
}

#[tokio::test]
async fn nothing_is_deleted_that_somebody_wanted_to_keep() {
    let world = Google::new().await;
    apply(&world, &with(WHOLE, &[("enable_deletion_protection", "true")])).await;
    let destroy = async |block: &str| {
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(block)).await.expect("a look");
        let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused());
        errors.map(|told| told.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(destroy(WHOLE).await, ["instance orders is protected against deletion"]);
    apply(&world, WHOLE).await;
    assert_eq!(destroy(WHOLE).await, [""; 0]);
    let body = json!({
        "name": "reporting", "masterInstanceName": "orders", "databaseVersion": "POSTGRES_16", "instanceType": "READ_REPLICA_INSTANCE",
        "settings": { "tier": "db-custom-2-7680", "edition": "ENTERPRISE", "dataDiskSizeGb": "50" },
    });
    world.tamper("POST", "/v1/projects/learning/instances", &body);
    world.rest();
    assert_eq!(destroy(WHOLE).await, ["the replica reporting of orders is not pgherd's"]);
}

/// What somebody else changes between plan and apply is not written over.
#[tokio::test]
async fn a_change_of_somebody_else_meanwhile_ends_it_and_a_busy_instance_is_waited_for() {
    let world = Google::new().await;
    apply(&world, SMALL).await;
    let patch = |settings: serde_json::Value| {
        world.tamper("PATCH", "/v1/projects/learning/instances/orders", &json!({ "settings": settings }));
    };
    let (provider, wanted) = (world.provider(), spec(&with(SMALL, &[("instance_class", "\"db-custom-4-16384\"")])));
    let timing = run::timing(&wanted, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &wanted, &timing, Intent::default()).await.expect("a look");
    // Another field: both are done.
    patch(json!({ "maintenanceWindow": { "day": 3, "hour": 3 } }));
    let outcome = crate::verbs::carried_out(&world, &wanted, &planned).await;
    assert!(outcome.is_success(), "{outcome:?}");
    apply(&world, SMALL).await;
    // The same field: it is told.
    let planned = run::observe_and_plan(provider.as_ref(), &wanted, &timing, Intent::default()).await.expect("a look");
    patch(json!({ "tier": "db-custom-2-7680" }));
    let outcome = crate::verbs::carried_out(&world, &wanted, &planned).await;
    let words = outcome.failed.iter().map(|(_, error)| error.message.clone()).collect::<Vec<_>>();
    assert_eq!(words, ["tier of orders is db-custom-2-7680 by now, and was db-custom-1-3840 when it was planned"]);
}

/// An operation that is taken may fail after minutes.
#[tokio::test]
async fn a_network_that_is_not_connected_is_told_in_googles_words() {
    let world = Google::new().await;
    let block = with(SMALL, &[("vpc_id", "\"lonely\"")]);
    let error = apply_said(&world, &block).await.expect_err("it fails");
    assert!(error.contains("NETWORK_NOT_PEERED: Failed to create subnetwork"), "{error}");
    assert!(apply_said(&world, &block).await.is_err(), "it has to be deleted");
}

#[tokio::test]
async fn a_name_that_google_keeps_is_told() {
    let world = Google::new().await;
    world.emulator.with(|google| google.reserved.insert("orders".to_owned()));
    let error = apply_said(&world, SMALL).await.expect_err("it is kept");
    assert!(error.contains("you can't reuse the name"), "{error}");
}

#[tokio::test]
async fn what_it_has_no_way_to_do() {
    let world = Google::new().await;
    let name = || "orders".to_owned();
    for verb in [Operation::Switchover { name: name() }, Operation::Drill { name: name() }] {
        let error = operate(&world, &verb).await.expect_err("it has none");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert_eq!(world.gcp().can(&verb).map_err(|error| error.message), Err(error.message));
    }
    assert_eq!(world.calls(), 0, "nothing is asked for that");
    world.fault(r#"{"action":"sql.instances.get","fault":"denied"}"#);
    let error = world.gcp().observe(&world.gcp().desired(&spec(SMALL))).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(
        error.message.starts_with("Google Cloud: GET v1/projects/learning/instances/orders: forbidden:"),
        "{}",
        error.message
    );
    assert!(error.help.contains("roles/cloudsql.admin"), "{}", error.help);
}

/// A gateway that has no such page says nothing about a database: its secret would go with it.
#[tokio::test]
async fn a_page_of_somebody_else_is_no_word_that_something_is_gone() {
    let world = Google::new().await;
    apply(&world, SMALL).await;
    world.fault(r#"{"action":"sql.instances.get","fault":"no_such_page","times":1000}"#);
    let error = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(SMALL)).await.expect_err("who knows?");
    assert_eq!(error.kind, ErrorKind::Unavailable, "{error}");
}

/// One that worked once may hold years of data, whatever it says of itself now; one that was never made holds nothing.
#[tokio::test]
async fn what_failed_after_it_was_used_goes_with_a_last_backup() {
    let world = Google::new().await;
    let block = with(SMALL, &[("skip_final_snapshot", "false")]);
    let destroy = async |block: &str| {
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(block)).await.expect("a look");
        crate::verbs::carried_out(&world, &spec(block), &planned).await
    };
    apply(&world, &block).await;
    world.emulator.with(|google| google.instances.get_mut("orders").expect("it").json["state"] = "FAILED".into());
    world.fault(r#"{"action":"sql.instances.delete","fault":"error","status":400}"#);
    let refused = destroy(&block).await;
    let help: Vec<&str> = refused.failed.iter().map(|(_, error)| error.help.as_str()).collect();
    assert_eq!(help, ["without a last backup it can be deleted: write skip_final_snapshot = true"]);
    assert!(destroy(&block).await.is_success());
    assert_eq!(world.things(), ["last backup of \"orders\""]);
    let other = with(&block, &[("vpc_id", "\"lonely\""), ("name", "\"lonely\"")]);
    apply_said(&world, &other).await.expect_err("it fails");
    assert!(destroy(&other).await.is_success());
    assert_eq!(world.things(), ["last backup of \"orders\""]);
}

/// Whoever copies an alarm in the console copies its labels.
#[tokio::test]
async fn a_copy_of_an_alarm_changes_nothing_and_goes_with_it() {
    let world = Google::new().await;
    let block = with(SMALL, &[("alarm_targets", "[\"ops@example.com\"]")]);
    apply(&world, &block).await;
    let copied = |mut one: serde_json::Value| {
        one.as_object_mut().expect("an object").remove("name");
        one["displayName"] = "another".into();
        one
    };
    let (alarms, channels) = world.emulator.with(|google| {
        let of = |all: &std::collections::BTreeMap<u64, serde_json::Value>| all.values().cloned().collect::<Vec<_>>();
        (of(&google.policies), of(&google.channels))
    });
    for one in alarms {
        world.tamper("POST", "/v3/projects/learning/alertPolicies", &copied(one));
    }
    for one in channels {
        world.tamper("POST", "/v3/projects/learning/notificationChannels", &copied(one));
    }
    assert_eq!(crate::verbs::left(&world, &block).await, [""; 0]);
    let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(&block)).await.expect("a look");
    assert!(crate::verbs::carried_out(&world, &spec(&block), &planned).await.is_success());
    assert_eq!(world.things(), [""; 0]);
}
