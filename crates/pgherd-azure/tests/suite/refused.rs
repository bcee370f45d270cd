//! What is refused, and in which words.

use pgherd_core::diagnostic::Severity;
use pgherd_core::lint::Intent;
use pgherd_engine::provider::{ErrorKind, Operation, Provider as _};
use pgherd_engine::run;
use pgherd_engine::suite::World as _;
use serde_json::json;

use crate::verbs::{apply, apply_said, carried_out, operate};
use crate::world::{Cloudy, PRIVATE, SMALL, WHOLE, path, spec, with};

/// What is said of a plan, code and words a line.
async fn said(world: &Cloudy, block: &str, least: Severity) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    let told = planned.expect("a look").plan.diagnostics;
    let told = told.iter().filter(|told| least == Severity::Note || told.severity == Severity::Error);
    told.map(|told| format!("{}: {}", told.code, told.message)).collect()
}

#[tokio::test]
async fn what_azure_would_refuse_after_minutes_is_refused_before() {
    let mut world = Cloudy::new().await;
    let check = async |world: &Cloudy, changes: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(said(world, &with(SMALL, changes), Severity::Error).await, expected);
    };
    let alone = "no-way-in: nobody could reach the server: it is in no subnet, and has no public address";
    check(&world, &[("publicly_accessible", "false")], &[alone]).await;
    let far = [("location", "\"northeurope\""), ("instance_class", "\"GP_Standard_D2ds_v5\""), ("multi_az", "true")];
    let expected = [
        "class-not-offered: Azure does not offer Standard_D2ds_v5 in northeurope",
        "no-standby: northeurope has no standbys in other zones",
    ];
    check(&world, &far, &expected).await;
    let key = "no-key-identity: there is no identity by which Azure could use the key";
    check(&world, &[("kms_key_id", "\"https://v.vault.azure.net/keys/k\"")], &[key]).await;
    world.emulator.with(|azure| azure.taken.push("orders".to_owned()));
    let taken = "name-taken: the name orders is not to be had on Azure: Specified server name is already used.";
    check(&world, &[], &[taken]).await;
    world.emulator.with(|azure| azure.taken.clear());
    world.around.vault = None;
    check(&world, &[], &["no-vault: there is no key vault to keep the credentials in"]).await;
    assert!(world.writes().is_empty(), "nothing is sent that changes anything");
}

#[tokio::test]
async fn settings_that_azure_does_not_take_are_told_before() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let check = async |name: &str, value: &str, expected: &str| {
        let parameters = format!("[{{ name = \"{name}\", value = \"{value}\" }}]");
        assert_eq!(said(&world, &with(SMALL, &[("parameters", &parameters)]), Severity::Error).await, [expected]);
    };
    check("archive_mode", "always", "setting-refused: Azure lets nobody set archive_mode").await;
    check("no_such_thing", "1", "setting-refused: Azure has no setting no_such_thing").await;
    let much = "setting-refused: Azure does not take max_connections = 999999999: it takes 1 to 262143";
    check("max_connections", "999999999", much).await;
}

#[tokio::test]
async fn what_is_left_out_is_told() {
    let world = Cloudy::new().await;
    let changes = [
        ("create_dashboard", "true"),
        ("alarm_targets", "[]"),
        ("iam_database_authentication_enabled", "true"),
        ("allocated_storage", "100"),
    ];
    let told = said(&world, &with(WHOLE, &changes), Severity::Note).await.join("\n");
    insta::assert_snapshot!(told, @r"
    cidr-not-used: no packet from 10.0.0.0/8 comes over the internet, so they are left out
    iam-login: nobody of Entra ID logs in before somebody is made an administrator of the server
    storage-size: Azure makes 128 GiB of 100
    left-out: the logs are kept on the server for a few days, since no workspace is named
    left-out: this version makes no dashboard on Azure
    alarms: Azure has no metric of read latency, so no alarm of it is made
    alarms: nobody is told of an alarm: it is seen in the portal only
    alarms: an alarm is about the average of 15 minutes: Azure counts no periods in a row
    ");
    let told =
        said(&world, &with(PRIVATE, &[("allowed_cidr_blocks", "[\"10.0.0.0/8\"]")]), Severity::Note).await.join("\n");
    insta::assert_snapshot!(told, @r"
    unchecked: that the subnet is delegated to Microsoft.DBforPostgreSQL/flexibleServers, and holds nothing else, is not checked beforehand
    cidr-not-used: a server in a subnet has no firewall of its own: who reaches the subnet comes in
    alarms: Azure has no metric of read latency, so no alarm of it is made
    alarms: nobody is told of an alarm: it is seen in the portal only
    alarms: an alarm is about the average of 15 minutes: Azure counts no periods in a row
    ");
}

#[tokio::test]
async fn what_cannot_be_changed_and_what_is_not_ours() {
    let mut world = Cloudy::new().await;
    apply(&world, WHOLE).await;
    let check = async |world: &Cloudy, changes: &[(&str, &str)], expected: &str| {
        let told = said(world, &with(WHOLE, changes), Severity::Error).await;
        assert!(told.iter().any(|told| told.starts_with(expected)), "{told:?}");
    };
    check(&world, &[("location", "\"eastus\"")], "fixed-field: location of server orders").await;
    check(&world, &[("geo_redundant_backup", "true")], "fixed-field: geoRedundantBackup of server orders").await;
    check(&world, &[("master_username", "\"ann\"")], "fixed-field: administratorLogin of server orders").await;
    check(&world, &[("engine_version", "\"17\"")], "replicas-in-the-way: Azure upgrades no server").await;
    world.accepted.clear();
    check(&world, &[("engine_version", "\"17\"")], "major-upgrade: PostgreSQL 16 becomes 17").await;
    let later = [("instance_class", "\"GP_Standard_D4ds_v5\""), ("apply_immediately", "false")];
    check(&world, &later, "interrupts-now: Azure changes sku at once").await;
    let body = json!({ "location": "eastus", "sku": { "name": "Standard_B1ms", "tier": "Burstable" },
        "properties": { "administratorLogin": "eve", "administratorLoginPassword": "Long-enough1" } });
    world.tamper("PUT", &path("others", ""), &body);
    world.rest();
    let foreign = "not-ours: server others exists and is not pgherd's: it has no tag pgherd_block=others";
    assert_eq!(said(&world, &with(SMALL, &[("name", "\"others\"")]), Severity::Error).await, [foreign]);
}

#[tokio::test]
async fn nothing_is_deleted_that_somebody_wanted_to_keep() {
    let world = Cloudy::new().await;
    apply(&world, &with(WHOLE, &[("enable_deletion_protection", "true")])).await;
    let destroy = async |block: &str| {
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(block)).await.expect("a look");
        let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused());
        errors.map(|told| told.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(destroy(WHOLE).await, ["server orders is protected against deletion"]);
    apply(&world, WHOLE).await;
    assert_eq!(destroy(WHOLE).await, [""; 0]);
    let last = with(WHOLE, &[("skip_final_snapshot", "false")]);
    assert_eq!(destroy(&last).await, ["nothing remains of orders: Azure deletes the backups of a server with it"]);
    // A lock of somebody else's keeps it, too.
    let lock = json!({ "properties": { "level": "CanNotDelete" } });
    world.tamper(
        "PUT",
        &path("orders", "/providers/Microsoft.Authorization/locks/auditors?api-version=2020-05-01"),
        &lock,
    );
    assert_eq!(destroy(WHOLE).await, ["server orders is protected against deletion"]);
    world.emulator.with(|azure| azure.servers.get_mut("orders").expect("it is there").locks.clear());
    let source = path("orders", "");
    let body = json!({ "location": "canadacentral", "sku": { "name": "Standard_D2ds_v5", "tier": "GeneralPurpose" },
        "properties": { "createMode": "Replica", "sourceServerResourceId": source } });
    world.tamper("PUT", &path("reporting", ""), &body);
    world.rest();
    assert_eq!(destroy(WHOLE).await, ["the replica reporting of orders is not pgherd's"]);
}

/// A 404 of a proxy's, and a block that looks in the wrong place, delete no credentials of a database that lives.
#[tokio::test]
async fn what_is_not_found_by_mistake_loses_no_password() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let destroyed = async || {
        let spec = spec(SMALL);
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec).await?;
        Ok::<_, pgherd_engine::provider::ProviderError>(carried_out(&world, &spec, &planned).await)
    };
    world.fault(r#"{"action":"Servers.get","fault":"no_such_page","times":9}"#);
    let error = destroyed().await.expect_err("somebody else's 404 is no answer");
    assert_eq!(error.kind, ErrorKind::Unavailable);
    world.calm();
    // As if its resource group were another.
    let hidden = world.emulator.with(|azure| {
        azure.taken.push("orders".to_owned());
        azure.servers.remove("orders").expect("it is there")
    });
    let outcome = destroyed().await.expect("a look");
    let words: Vec<&str> = outcome.failed.iter().map(|(_, error)| error.message.as_str()).collect();
    assert!(words.iter().any(|words| words.contains("is left")), "{words:?}");
    world.emulator.with(|azure| drop(azure.servers.insert("orders".to_owned(), hidden)));
    let kept = world.azure().password(&spec(SMALL)).await.expect("it is there");
    assert!(world.emulator.with(|azure| azure.servers["orders"].password.clone()).as_deref() == kept.reveal());
}

/// What somebody else changes between plan and apply is not written over, and firewall rules of others are left alone.
#[tokio::test]
async fn a_change_of_somebody_else_meanwhile_ends_it() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let (provider, wanted) = (world.provider(), spec(&with(SMALL, &[("instance_class", "\"B_Standard_B2s\"")])));
    let timing = run::timing(&wanted, world.now());
    let planned = run::observe_and_plan(provider.as_ref(), &wanted, &timing, Intent::default()).await.expect("a look");
    // Another field: both are done.
    let days = json!({ "properties": { "backup": { "backupRetentionDays": 30 } } });
    world.tamper("PATCH", &path("orders", ""), &days);
    let outcome = carried_out(&world, &wanted, &planned).await;
    assert!(outcome.is_success(), "{outcome:?}");
    apply(&world, SMALL).await;
    // The same field: it is told.
    let planned = run::observe_and_plan(provider.as_ref(), &wanted, &timing, Intent::default()).await.expect("a look");
    world.rest();
    world.tamper("PATCH", &path("orders", ""), &json!({ "sku": { "name": "Standard_B2ms", "tier": "Burstable" } }));
    let outcome = carried_out(&world, &wanted, &planned).await;
    let words = outcome.failed.iter().map(|(_, error)| error.message.clone()).collect::<Vec<_>>();
    assert_eq!(words, ["sku of orders is Standard_B2ms by now, and was Standard_B1ms when it was planned"]);
    apply(&world, SMALL).await;
    world.rest();
    let rule = json!({ "properties": { "startIpAddress": "203.0.113.9", "endIpAddress": "203.0.113.9" } });
    world.tamper("PUT", &path("orders", "/firewallRules/office"), &rule);
    world.rest();
    apply(&world, &with(SMALL, &[("allowed_cidr_blocks", "[]")])).await;
    let rules = world.emulator.with(|azure| azure.servers["orders"].rules.keys().cloned().collect::<Vec<_>>());
    assert_eq!(rules, ["office"]);
}

/// An operation that is taken may fail after a while, in words that are none.
#[tokio::test]
async fn what_is_taken_and_fails_is_told() {
    let world = Cloudy::new().await;
    apply(&world, SMALL).await;
    let mut accepting = world;
    accepting.accepted.insert("setting-refused".to_owned());
    let block = with(SMALL, &[("parameters", "[{ name = \"archive_mode\", value = \"always\" }]")]);
    let error = apply_said(&accepting, &block).await.expect_err("it fails");
    assert!(
        error.contains(
            "archive_mode of orders: Azure: it was taken and failed: OperationFailed: the operation is Failed"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn what_it_has_no_way_to_do() {
    let world = Cloudy::new().await;
    let name = || "orders".to_owned();
    let verb = Operation::Drill { name: name() };
    let error = operate(&world, &verb).await.expect_err("it has none");
    assert_eq!(error.kind, ErrorKind::Unsupported);
    assert_eq!(world.azure().can(&verb).map_err(|error| error.message), Err(error.message));
    assert_eq!(world.calls(), 0, "nothing is asked for that");
    world.fault(r#"{"action":"Servers.get","fault":"denied"}"#);
    let error = world.azure().observe(&world.azure().desired(&spec(SMALL))).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    let words = format!("Azure: GET {}: AuthorizationFailed:", path("orders", "").trim_start_matches('/'));
    assert!(error.message.starts_with(&words), "{}", error.message);
    assert!(error.help.contains("Contributor"), "{}", error.help);
}
