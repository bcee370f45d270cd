//! What is refused, and in which words.

use pgherd_core::lint::Intent;
use pgherd_engine::provider::{ErrorKind, Operation, Provider as _};
use pgherd_engine::run;
use pgherd_engine::suite::World as _;
use serde_json::json;

use crate::verbs::{apply, left, operate};
use crate::world::{Ocean, SMALL, WHOLE, spec, with};

/// What is said of a plan, code and words a line.
async fn said(world: &Ocean, block: &str) -> Vec<String> {
    let spec = spec(block);
    let timing = run::timing(&spec, world.now());
    let planned = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    let told = planned.expect("a look").plan.diagnostics;
    let errors = told.iter().filter(|told| told.severity == pgherd_core::diagnostic::Severity::Error);
    errors.map(|told| format!("{}: {}", told.code, told.message)).collect()
}

#[tokio::test]
async fn what_is_not_sold() {
    let world = Ocean::new().await;
    let check = async |changes: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(said(&world, &with(SMALL, changes)).await, expected);
    };
    check(&[("engine_version", "\"14\"")], &["version-unavailable: DigitalOcean makes no PostgreSQL 14"]).await;
    check(&[("do_region", "\"mars1\"")], &["region-unavailable: DigitalOcean has no PostgreSQL in mars1"]).await;
    let network = "55555555-5555-4555-8555-555555555555";
    check(&[("vpc_id", &format!("\"{network}\""))], &[&format!("network-unknown: there is no network {network}")])
        .await;
    let default = pgherd_emulate::digitalocean::NETWORK;
    check(
        &[("vpc_id", &format!("\"{default}\"")), ("do_region", "\"fra1\"")],
        &[&format!("network-elsewhere: the network {default} is in nyc3, and cluster orders shall be in fra1")],
    )
    .await;
}

#[tokio::test]
async fn growth_without_a_limit_and_ways_of_no_return_are_accepted_by_name() {
    let mut world = Ocean::new().await;
    apply(&world, &with(WHOLE, &[("max_allocated_storage", "")])).await;
    world.accepted.clear();
    let growth =
        "uncapped-growth: DigitalOcean grows storage without a limit, so that 100 GiB is not held, nor what it costs";
    assert_eq!(said(&world, WHOLE).await, [growth]);
    let newer = with(WHOLE, &[("max_allocated_storage", ""), ("engine_version", "\"17\"")]);
    assert_eq!(said(&world, &newer).await, ["major-upgrade: PostgreSQL 16 becomes 17, and there is no way back"]);
    let larger =
        [("max_allocated_storage", ""), ("instance_class", "\"gd-2vcpu-8gb\""), ("apply_immediately", "false")];
    let at_once = "interrupts-now: DigitalOcean changes size at once, and knows no waiting for the window";
    assert_eq!(said(&world, &with(WHOLE, &larger)).await, [at_once]);
}

#[tokio::test]
async fn what_cannot_be_changed_and_what_is_not_ours() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    let other = with(SMALL, &[("vpc_id", "\"99999999-9999-4999-8999-999999999999\"")]);
    assert!(said(&world, &other).await[0].starts_with("fixed-field: private_network_uuid of cluster orders"));
    let older = with(SMALL, &[("engine_version", "\"16\"")]);
    assert!(said(&world, &older).await[0].starts_with("downgrade:"));
    world.tamper(
        "POST",
        "/v2/databases",
        &json!({ "name": "others", "engine": "pg", "num_nodes": 1, "size": "db-s-1vcpu-2gb", "region": "nyc3" }),
    );
    world.age();
    let foreign = with(SMALL, &[("name", "\"others\"")]);
    let expected = "not-ours: cluster others exists and is not pgherd's: it has no tag pgherd:block:others";
    assert_eq!(said(&world, &foreign).await, [expected]);
}

/// A droplet that somebody let in stays in.
#[tokio::test]
async fn what_is_digitaloceans_own_is_let_in_still() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    let path = format!("/v2/databases/{}/firewall", world.id_of("orders"));
    let rules =
        json!({ "rules": [{ "type": "ip_addr", "value": "127.0.0.1" }, { "type": "droplet", "value": "1234" }] });
    world.tamper("PUT", &path, &rules);
    assert_eq!(left(&world, SMALL).await, [""; 0]);
    apply(&world, &with(SMALL, &[("allowed_cidr_blocks", "[\"10.0.0.0/8\"]")])).await;
    let kinds: Vec<String> = world.emulator.with(|ocean| {
        let all = ocean.clusters.values().flat_map(|one| one.rules.clone());
        all.map(|rule| format!("{} {}", rule["type"], rule["value"])).collect()
    });
    assert_eq!(kinds, ["\"droplet\" \"1234\"", "\"ip_addr\" \"10.0.0.0/8\""]);
}

#[tokio::test]
async fn nothing_is_deleted_that_somebody_wanted_to_keep() {
    let world = Ocean::new().await;
    let kept = with(SMALL, &[("skip_final_snapshot", "false")]);
    apply(&world, &kept).await;
    let destroy = async |block: &str| {
        let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &spec(block)).await.expect("a look");
        let errors = planned.plan.diagnostics.iter().filter(|_| planned.plan.is_refused());
        errors.map(|told| told.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(destroy(&kept).await, ["DigitalOcean deletes the backups of orders with it and takes no last one"]);
    assert_eq!(destroy(SMALL).await, [""; 0]);
    let protected = with(SMALL, &[("enable_deletion_protection", "true")]);
    apply(&world, &protected).await;
    assert!(!destroy(&protected).await.is_empty());
    // The tag holds for whoever has another block, too.
    assert!(!destroy(SMALL).await.is_empty());
    apply(&world, SMALL).await;
    let replica = json!({ "name": "reporting", "size": "db-s-1vcpu-2gb" });
    world.age();
    world.tamper("POST", &format!("/v2/databases/{}/replicas", world.id_of("orders")), &replica);
    assert_eq!(destroy(SMALL).await, ["the replica reporting of orders is not pgherd's"]);
}

#[tokio::test]
async fn two_of_one_name_end_it() {
    let world = Ocean::new().await;
    apply(&world, SMALL).await;
    world.emulator.with(|ocean| {
        let mut twin = ocean.clusters.values().next().expect("one").clone();
        twin.id = "another".to_owned();
        ocean.clusters.insert(twin.id.clone(), twin);
    });
    let spec = spec(SMALL);
    let timing = run::timing(&spec, world.now());
    let error = run::observe_and_plan(world.provider().as_ref(), &spec, &timing, Intent::default()).await;
    let error = error.expect_err("nobody knows which is meant");
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.starts_with("2 clusters are called orders and wear pgherd's tag"), "{}", error.message);
}

#[tokio::test]
async fn what_it_has_no_way_to_do() {
    let world = Ocean::new().await;
    let name = || "orders".to_owned();
    let verbs = [
        Operation::Failover { name: name(), accept_loss: true },
        Operation::Switchover { name: name() },
        Operation::Restart { name: name() },
        Operation::Start { name: name() },
        Operation::Stop { name: name() },
        Operation::Backup { name: name(), label: None },
        Operation::Drill { name: name() },
    ];
    let mut words = Vec::new();
    for verb in &verbs {
        let error = operate(&world, verb).await.expect_err("it has none");
        assert_eq!(error.kind, ErrorKind::Unsupported);
        assert_eq!(world.ocean().can(verb).map_err(|error| error.message.clone()), Err(error.message.clone()));
        words.push(format!("{}; {}", error.message, error.help));
    }
    assert_eq!(world.calls(), 0, "nothing is asked for that");
    insta::assert_snapshot!(words.join("\n"), @r"
    DigitalOcean has no way to ask for a failover; a standby takes over by itself when the primary is lost; pgherd events tells of it
    DigitalOcean has no way to exchange primary and standby; a standby takes over by itself when the primary is lost; pgherd events tells of it
    DigitalOcean has no way to ask for a restart; it restarts by itself for a setting that needs it
    DigitalOcean neither stops nor starts a cluster; a smaller instance_class costs less; destroy ends it with its backups
    DigitalOcean neither stops nor starts a cluster; a smaller instance_class costs less; destroy ends it with its backups
    DigitalOcean takes a backup a day by itself, and none that is asked for; pg_dump makes one that outlives the cluster
    a restore on DigitalOcean is a cluster of its own, which is billed; pgherd restore --as NAME makes one; destroy it when it was looked at
    ");
}

/// What a proxy, a wrong endpoint or half a list says is nobody's word that there is nothing: it would be made again.
#[tokio::test]
async fn what_is_not_told_is_not_gone() {
    let world = Ocean::new().await;
    apply(&world, WHOLE).await;
    let (ocean, block) = (world.ocean(), spec(WHOLE));
    let lists = [
        "databases_list_clusters",
        "databases_list_replicas",
        "databases_list_connectionPools",
        "databases_get_config",
        "databases_list_firewall_rules",
        "monitoring_list_alertPolicy",
    ];
    for (fault, actions) in [
        ("no_such_page", &lists[..]),
        ("hollow", &lists[..]),
        ("short", &["databases_list_clusters", "monitoring_list_alertPolicy"]),
    ] {
        for action in actions {
            world.fault(&format!(r#"{{"action":"{action}","times":9,"fault":"{fault}"}}"#));
            let told = ocean.observe(&ocean.desired(&block)).await.map_err(|error| error.kind);
            assert_eq!(told, Err(ErrorKind::Unavailable), "{action} {fault}");
            world.emulator.with(|ocean| ocean.faults.clear());
        }
    }
    // Nor is what is deleted gone because of such a page.
    world.fault(r#"{"action":"databases_get_cluster","times":5,"fault":"no_such_page"}"#);
    let planned = run::observe_and_plan_destroy(world.provider().as_ref(), &block).await.expect("a look");
    let events = pgherd_engine::provider::Events::new("database", tokio::sync::mpsc::unbounded_channel().0);
    let (now, never) = (world.now(), pgherd_engine::stop::Stop::never());
    let outcome = run::apply(world.provider().as_ref(), &block, &planned, now, &events, &never).await;
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(world.things(), [""; 0]);
    assert!(world.emulator.with(|ocean| ocean.faults.is_empty()), "it was met");
}

/// A token that sees databases and no account does everything.
#[tokio::test]
async fn nobody_needs_to_see_the_account() {
    let world = Ocean::new().await;
    world.fault(r#"{"action":"account_get","fault":"denied"}"#);
    assert_eq!(world.ocean().account().await.expect("no error"), None);
}

/// What came to nothing says so in DigitalOcean's words, and not in ours.
#[tokio::test]
async fn a_token_that_may_not_is_told_which_scope_it_lacks() {
    let world = Ocean::new().await;
    world.fault(r#"{"action":"databases_list_clusters","fault":"denied"}"#);
    let error = world.ocean().observe(&world.ocean().desired(&spec(SMALL))).await.expect_err("denied");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.message.starts_with("DigitalOcean: GET /v2/databases: forbidden:"), "{}", error.message);
    assert!(error.help.contains("view_credentials"), "{}", error.help);
}
