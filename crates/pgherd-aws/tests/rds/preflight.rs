//! What is looked into before anything is done: only what a plan makes or changes, and never in the way when nobody may look.

use pgherd_core::diagnostic::Severity;
use pgherd_core::lint::Intent;
use pgherd_engine::run;

use crate::world::{SMALL, World, changes, spec, with};

/// The actions that a plan asks for beside the look itself, in order of their names.
async fn asked(world: &World, block: &str) -> Vec<String> {
    world.forget_what_was_asked();
    world.plan(block).await;
    let mut asked: Vec<String> = world.emulator.asked().into_iter().map(|asked| asked.action).collect();
    asked.sort();
    asked.dedup();
    asked.retain(|action| ASKED.contains(&action.as_str()));
    asked
}

/// What only a look ahead asks for.
const ASKED: [&str; 9] = [
    "DescribeAccountAttributes",
    "DescribeDBEngineVersions",
    "DescribeEngineDefaultParameters",
    "DescribeInternetGateways",
    "DescribeKey",
    "DescribeOrderableDBInstanceOptions",
    "DescribeRouteTables",
    "DescribeSubnets",
    "DescribeVpcAttribute",
];

/// What is said of a plan, a line each.
async fn said(world: &World, block: &str) -> Vec<String> {
    let planned = world.plan(block).await;
    planned.plan.diagnostics.iter().map(|told| format!("{:?} {}: {}", told.severity, told.code, told.message)).collect()
}

#[tokio::test]
async fn what_is_made_is_looked_into() {
    let world = World::new().await;
    let made = [
        "DescribeAccountAttributes",
        "DescribeDBEngineVersions",
        "DescribeEngineDefaultParameters",
        "DescribeOrderableDBInstanceOptions",
        "DescribeSubnets",
    ];
    assert_eq!(asked(&world, SMALL).await, made);
    assert_eq!(said(&world, SMALL).await, [""; 0]);
    let open = with(SMALL, &[("publicly_accessible", "true"), ("kms_key_id", "\"alias/aws/rds\"")]);
    assert_eq!(asked(&world, &open).await, ASKED);
    assert_eq!(said(&world, &open).await, [""; 0]);
}

/// As the Terraform provider plans them, whose calls would else be as many.
#[tokio::test]
async fn what_rds_offers_everybody_is_asked_once_for_all_databases() {
    let world = World::new().await;
    let provider = world.provider();
    let plans = (1..=5).map(|number| {
        let spec = spec(&with(SMALL, &[("name", &format!("\"orders-{number}\""))]));
        let timing = run::timing(&spec, world.now());
        let provider = &provider;
        async move { run::observe_and_plan(provider.as_ref(), &spec, &timing, Intent::default()).await }
    });
    for planned in futures_util::future::join_all(plans).await {
        assert_eq!(planned.expect("nothing is in the way").plan.diagnostics, []);
    }
    for action in ["DescribeDBEngineVersions", "DescribeOrderableDBInstanceOptions", "DescribeEngineDefaultParameters"]
    {
        // A long list comes page by page.
        let asked = world.emulator.asked();
        let begun = asked.iter().filter(|asked| asked.action == action && !asked.parameters.contains_key("Marker"));
        assert_eq!(begun.count(), 1, "{action}");
    }
}

#[tokio::test]
async fn what_is_not_touched_is_not() {
    let world = World::with(SMALL).await;
    // Whether the key that the block does not name is RDS's own choice, nothing else tells.
    let key = "DescribeKey";
    assert_eq!(asked(&world, SMALL).await, [""; 0]);
    let block = with(SMALL, &[("kms_key_id", "\"of-alias-aws-rds\"")]);
    assert_eq!(asked(&world, &block).await, [""; 0]);
    let block = with(SMALL, &[("backup_retention_period", "9")]);
    assert_eq!(asked(&world, &block).await, [key]);
    let block = with(SMALL, &[("instance_class", "\"db.t3.small\"")]);
    assert_eq!(asked(&world, &block).await, [key, "DescribeOrderableDBInstanceOptions", "DescribeSubnets"]);
    let block = with(SMALL, &[("parameters", "[{ name = \"work_mem\", value = \"8MB\" }]")]);
    assert_eq!(asked(&world, &block).await, ["DescribeEngineDefaultParameters", key]);
    let block = with(SMALL, &[("engine_version", "\"16.14\"")]);
    assert_eq!(asked(&world, &block).await, ["DescribeDBEngineVersions", key]);
}

#[tokio::test]
async fn a_destroy_asks_nothing_ahead() {
    let world = World::with(SMALL).await;
    world.forget_what_was_asked();
    world.plan_destroy(SMALL).await;
    let asked: Vec<_> = world.emulator.asked().into_iter().map(|asked| asked.action).collect();
    assert!(asked.iter().all(|action| !ASKED.contains(&action.as_str())), "{asked:?}");
}

/// A plan where every call ahead meets a fault.
async fn without_answers(fault: &str) -> Vec<String> {
    let world = World::new().await;
    for action in ASKED {
        world.fault(&format!(r#"{{"action":"{action}","times":1000,{fault}}}"#));
    }
    let block = with(SMALL, &[("publicly_accessible", "true"), ("kms_key_id", "\"0f1e\"")]);
    let planned = world.plan(&block).await;
    assert!(
        planned.plan.diagnostics.iter().all(|told| told.severity == Severity::Note && told.code == "could-not-check")
    );
    assert!(!planned.plan.steps.is_empty());
    let mut said: Vec<_> = planned.plan.diagnostics.into_iter().map(|told| told.message).collect();
    said.sort();
    said
}

#[tokio::test]
async fn who_may_not_look_is_told_so_once_for_each_call() {
    insta::assert_snapshot!(without_answers(r#""fault":"denied""#).await.join("\n"), @r"
    pgherd may not ec2:DescribeSubnets; the network was not checked
    pgherd may not ec2:DescribeVpcAttribute; the way from the internet was not checked
    pgherd may not kms:DescribeKey; the key was not checked
    pgherd may not rds:DescribeAccountAttributes; the quota was not checked
    pgherd may not rds:DescribeDBEngineVersions; the version was not checked
    pgherd may not rds:DescribeEngineDefaultParameters; no parameter was checked
    pgherd may not rds:DescribeOrderableDBInstanceOptions; the class was not checked
    ");
}

#[tokio::test]
async fn a_service_that_cannot_look_is_no_reason_to_stop() {
    let said = without_answers(r#""fault":"html""#).await;
    assert_eq!(said.len(), 7, "{said:?}");
    assert!(said.iter().all(|message| message.ends_with(" checked")), "{said:?}");
}

#[tokio::test]
async fn a_version_that_is_gone_is_made_as_the_newest_of_its_major_when_that_is_accepted() {
    let mut world = World::new().await;
    let block = with(SMALL, &[("engine_version", "\"14.9\"")]);
    let codes: Vec<_> = world.plan(&block).await.plan.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, ["version-not-offered"]);
    world.accepted.insert("version-unavailable".to_owned());
    assert_eq!(
        said(&world, &block).await,
        ["Warning version-unavailable: RDS creates no PostgreSQL 14.9; orders is made with 14.24"]
    );
    world.apply(&block).await;
    assert_eq!(world.region(|region| region.instances["orders"].set.version.clone()), "14.24");
    assert_eq!(changes(&world.plan(&block).await), [""; 0]);
}

#[tokio::test]
async fn a_version_that_nobody_may_look_up_is_taken_for_gone() {
    let mut world = World::new().await;
    let block = with(SMALL, &[("engine_version", "\"14.9\"")]);
    world.accepted.insert("version-unavailable".to_owned());
    world.fault(r#"{"action":"DescribeDBEngineVersions","times":1000,"fault":"denied"}"#);
    let said = said(&world, &block).await;
    assert_eq!(
        said,
        ["Warning could-not-check: pgherd may not rds:DescribeDBEngineVersions; the version was not checked"]
    );
    world.apply(&block).await;
    assert_eq!(world.region(|region| region.instances["orders"].set.version.clone()), "14.24");
}

#[tokio::test]
async fn a_network_that_will_not_do_is_refused_before_anything_is_made() {
    let world = World::new().await;
    world.region(|region| {
        region.around.add_subnet("subnet-lonely", "eu-central-1a", "vpc-lonely", "10.0.0.0/24".to_owned());
        region.around.add_subnet("subnet-too", "eu-central-1a", "vpc-lonely", "10.0.1.0/24".to_owned());
    });
    let subnets = [
        ("subnet_ids", "[\"subnet-lonely\", \"subnet-too\"]"),
        ("vpc_id", "\"vpc-other\""),
        ("publicly_accessible", "true"),
    ];
    let planned = world.plan(&with(SMALL, &subnets)).await;
    let codes: Vec<_> = planned.plan.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, ["subnets-one-zone", "subnets-vpc", "no-internet-gateway", "vpc-dns"]);
    let missing = world.plan(&with(SMALL, &[("subnet_ids", "[\"subnet-a\", \"subnet-z\"]")])).await;
    let codes: Vec<_> = missing.plan.diagnostics.iter().map(|told| told.code).collect();
    assert_eq!(codes, ["subnets-missing"]);
}

#[tokio::test]
async fn storage_is_not_changed_while_rds_is_at_the_last_change() {
    let world = World::with(SMALL).await;
    world.apply(&with(SMALL, &[("allocated_storage", "30")])).await;
    let planned = world.plan(&with(SMALL, &[("allocated_storage", "40")])).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["storage-busy"]);
}

/// A group of somebody else's that lets clients in without TLS is no group to begin with, and one that is told of where it goes on.
#[tokio::test]
async fn a_group_that_does_not_ask_for_tls_has_to_be_accepted() {
    let mut world = World::new().await;
    let (name, family) = (("DBParameterGroupName", "shared"), ("DBParameterGroupFamily", "postgres16"));
    world.tamper("CreateDBParameterGroup", &[name, family, ("Description", "of all")]);
    let open = [
        name,
        ("Parameters.Parameter.1.ParameterName", "rds.force_ssl"),
        ("Parameters.Parameter.1.ParameterValue", "0"),
        ("Parameters.Parameter.1.ApplyMethod", "immediate"),
    ];
    world.tamper("ModifyDBParameterGroup", &open);
    let block = with(SMALL, &[("parameter_group_name", "\"shared\"")]);
    let refused = world.plan(&block).await.plan;
    assert_eq!(
        refused.diagnostics.iter().map(|told| (told.severity, told.code)).collect::<Vec<_>>(),
        [(Severity::Error, "tls-required")]
    );
    world.accepted.insert("tls-required".to_owned());
    world.apply(&block).await;
    world.accepted.clear();
    let newer = world.plan(&with(&block, &[("engine_version", "\"16.14\"")])).await.plan;
    assert_eq!(
        newer.diagnostics.iter().map(|told| (told.severity, told.code)).collect::<Vec<_>>(),
        [(Severity::Warning, "tls-required")]
    );
}

/// Regions that take nothing of each other are told before the database is made.
#[tokio::test]
async fn a_second_region_that_takes_no_copies_is_refused_before_anything_is_made() {
    let world = World::whole(20).await;
    world.region_in("eu-west-1", |region| assert!(region.unreached.insert("eu-central-1".to_owned())));
    let more = [("geo_redundant_backup", "true"), ("dr_region", "\"eu-west-1\""), ("backup_retention_period", "7")];
    let planned = world.plan(&with(SMALL, &more)).await;
    let errors = planned.plan.diagnostics.iter().filter(|told| told.severity == Severity::Error);
    assert_eq!(errors.map(|told| told.code).collect::<Vec<_>>(), ["regions-apart"]);
    assert_eq!(world.writes_of_all(), [""; 0]);
}

/// RDS is asked for a class that the catalogue does not have.
#[tokio::test]
async fn a_class_that_rds_does_not_have_either_is_refused() {
    let world = World::new().await;
    let planned = world.plan(&with(SMALL, &[("instance_class", "\"db.r6gd.12xlarge\"")])).await;
    assert_eq!(planned.plan.diagnostics.iter().map(|told| told.code).collect::<Vec<_>>(), ["class-not-offered"]);
}
