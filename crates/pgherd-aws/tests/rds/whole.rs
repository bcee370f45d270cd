//! A whole block: an instance, its replica, and everything that stands around them, on one emulated AWS.

use pgherd_engine::run;
use pgherd_engine::stop::Stop;

use crate::world::{World, changes, events, hangs, spec, with};

const WHOLE: &str = r#"
    name                = "orders"
    engine_version      = "16.13"
    instance_class      = "db.t3.micro"
    allocated_storage   = 20
    vpc_id              = "vpc-default"
    subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
    allowed_cidr_blocks = ["10.0.0.0/16"]
    create_read_replica = true
    monitoring_interval = 60
    enable_logging      = true
    create_dashboard    = true
    alarm_targets       = ["ann@example.org"]
    tags                = { Owner = "ann" }
"#;

#[tokio::test]
async fn everything_is_made_once_and_then_nothing_is_done() {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    let plan = world.plan(WHOLE).await;
    assert_eq!((changes(&plan), plan.plan.diagnostics.as_slice()), (Vec::new(), [].as_slice()));
    world.forget_what_was_asked();
    world.apply(WHOLE).await;
    assert_eq!(world.writes_of_all(), [""; 0]);
}

#[tokio::test]
async fn what_is_destroyed_leaves_what_was_logged_and_a_last_snapshot() {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    let outcome = world.destroy(WHOLE).await;
    assert!(outcome.is_success(), "{outcome:?}");
    let left = world.plan_destroy(WHOLE).await;
    assert_eq!(changes(&left), [""; 0]);
    let remains: Vec<_> = left.remains.iter().map(ToString::to_string).collect();
    assert!(!remains.is_empty() && remains.iter().all(|id| id.starts_with("log_group ")), "{remains:?}");
    assert_eq!(world.instances(), [""; 0]);
    assert_eq!(world.region(|region| region.snapshots.len()), 1);
}

/// The password of what is made anew under a name is that of its secret, which was kept.
#[tokio::test]
async fn killed_after_any_call_of_a_creation_it_ends_well() {
    let mut nth = 1;
    loop {
        let world = World::whole(300).await;
        let planned = world.plan(WHOLE).await;
        world.forget_what_was_asked();
        world.fault(&format!(r#"{{"nth":{nth},"fault":"hang"}}"#));
        let (events, _heard) = events();
        let (provider, spec, now, stop) = (world.provider(), spec(WHOLE), world.now(), Stop::never());
        tokio::select! {
            outcome = run::apply(provider.as_ref(), &spec, &planned, now, &events, &stop) => {
                assert!(outcome.is_success(), "{outcome:?}");
                break;
            }
            () = hangs(&world) => {}
        }
        world.apply(WHOLE).await;
        assert_eq!(world.instances(), ["orders", "orders-r1"], "killed after call {nth}");
        assert_eq!(world.left(WHOLE).await, [""; 0], "killed after call {nth}");
        nth += 1;
    }
    assert!(nth > 30, "only {nth} calls");
}

/// Tags are compared on the servers and carried to the rest.
#[tokio::test]
async fn a_tag_that_changes_is_carried_to_everything_around() {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    let block = with(WHOLE, &[("tags", "{ Owner = \"bob\" }")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    let of_rds = world.region(|region| {
        let owners = region.tags.iter().map(|(arn, tags)| (arn.clone(), tags.get("Owner").cloned()));
        owners.filter(|(_, owner)| owner.as_deref() != Some("bob")).map(|(arn, _)| arn).collect::<Vec<_>>()
    });
    assert_eq!(of_rds, [""; 0]);
}
