//! What a database lets go of, and the mark that tells of it.

use futures_util::future::join_all;
use pgherd_core::resource::Id;
use pgherd_engine::provider::{ApplyNow, Deletion};

use crate::world::{SMALL, WHOLE, World, changes, events, hangs, with};

const MARK: &str = "pgherd:leaves";
const ARN: &str = "arn:aws:rds:eu-central-1:123456789012:db:orders";

fn is_marked(world: &World) -> bool {
    world.region(|region| region.tags.get(ARN).is_some_and(|worn| worn.contains_key(MARK)))
}

async fn whole() -> World {
    let world = World::whole(20).await;
    world.apply(WHOLE).await;
    world
}

fn less() -> String {
    with(WHOLE, &[("monitoring_interval", "0"), ("create_dashboard", ""), ("alarm_targets", "")])
}

fn nothing_kept() -> Deletion {
    Deletion { final_backup: None }
}

#[tokio::test]
async fn a_database_is_marked_while_it_lets_go_of_something_and_not_longer() {
    let world = whole().await;
    assert!(!is_marked(&world));
    world.forget_what_was_asked();
    world.apply_now(&less()).await;
    let was_marked = world
        .emulator
        .asked()
        .iter()
        .any(|asked| asked.action == "AddTagsToResource" && asked.parameters.values().any(|value| value == MARK));
    assert!(was_marked);
    assert!(!is_marked(&world));
    assert_eq!(world.left(&less()).await, [""; 0]);
}

/// A step that ends while another one is about to let go of something leaves the mark to that.
#[tokio::test]
async fn a_step_that_ends_leaves_the_mark_to_its_neighbour() {
    let world = whole().await;
    let planned = world.plan(&less()).await;
    let replica = Id::new("replica", "orders-r1");
    let step = planned.plan.steps.iter().find(|step| step.id == replica).expect("it lets go of its role");
    let resource = planned.desired.iter().find(|one| one.id == replica).expect("it is wanted");
    let (provider, (events, _heard)) = (world.provider(), events());
    let dashboard = Id::new("dashboard", "orders-eu-central-1");
    // The first look is the mark's, before anything is let go of; the second one is never answered.
    world.fault(r#"{"action":"DescribeDBInstances","nth":2,"fault":"hang"}"#);
    let letting_go = provider.update(resource, step.action.changes(), ApplyNow(true), &events);
    let neighbour = async {
        hangs(&world).await;
        assert!(is_marked(&world));
        provider.delete(&dashboard, &nothing_kept(), &events).await.expect("it is deleted");
        // Nothing is there that nothing refers to, yet.
        assert!(is_marked(&world));
    };
    tokio::select! {
        ended = letting_go => panic!("it ended: {ended:?}"),
        () = neighbour => {}
    }
}

/// Whichever goes last was the last one that told of the topic.
#[tokio::test]
async fn alarms_that_go_at_the_same_moment_leave_a_mark() {
    let world = whole().await;
    let planned = world.plan(WHOLE).await;
    let (provider, (events, _heard)) = (world.provider(), events());
    let alarms: Vec<&Id> = planned.desired.iter().map(|one| &one.id).filter(|id| id.kind == "alarm").collect();
    assert!(alarms.len() > 2);
    let nothing = nothing_kept();
    for gone in join_all(alarms.iter().map(|id| provider.delete(id, &nothing, &events))).await {
        gone.expect("it is deleted");
    }
    assert!(is_marked(&world));
    let left = world.left(&with(&less(), &[("alarms", "")])).await;
    assert!(left.contains(&"delete topic orders-alarms".to_owned()), "{left:?}");
}

/// A run that was cut short right before the mark went.
#[tokio::test]
async fn a_mark_for_nothing_is_taken_off_by_the_next_apply() {
    let world = World::with(SMALL).await;
    let tag = [("ResourceName", ARN), ("Tags.Tag.1.Key", MARK), ("Tags.Tag.1.Value", "orders")];
    world.tamper("AddTagsToResource", &tag);
    let planned = world.apply(SMALL).await;
    assert_eq!(changes(&planned), ["update instance orders: Tags.pgherd:leaves orders -> (none)"]);
    assert!(!is_marked(&world));
    assert_eq!(world.left(SMALL).await, [""; 0]);
}

/// Only groups that are named are asked for, so what was made for an upgrade that nobody wants any more is told by the mark.
#[tokio::test]
async fn a_group_that_nobody_came_to_use_is_found_although_groups_are_asked_for_by_name() {
    let world = World::with(SMALL).await;
    world.forget_what_was_asked();
    assert_eq!(world.left(SMALL).await, [""; 0]);
    let asked = world.emulator.asked();
    let mut groups = asked.iter().filter(|asked| asked.action == "DescribeDBParameterGroups");
    let named = groups.next().and_then(|asked| asked.parameters.get("DBParameterGroupName"));
    assert_eq!(named.map(String::as_str), Some("orders-pg16"));
    assert!(groups.next().is_none());
    let newer = with(SMALL, &[("engine_version", "\"17.9\"")]);
    let planned = world.plan(&newer).await;
    let group = planned.desired.iter().find(|one| one.id.kind == "parameter_group").expect("it is wanted");
    let (events, _heard) = events();
    world.provider().create(group, ApplyNow(false), &events).await.expect("it is made");
    assert_eq!(changes(&world.apply(SMALL).await), ["delete parameter_group orders-pg17"]);
    assert!(!is_marked(&world));
    assert_eq!(world.left(SMALL).await, [""; 0]);
}

/// Another major needs no role: who may not look at roles goes on after it, as before it.
#[tokio::test]
async fn whoever_may_not_look_at_roles_goes_on_after_another_major() {
    let mut world = World::whole(20).await;
    world.accepted.insert("major-upgrade".to_owned());
    let block = with(SMALL, &[("deletion_protection", "false"), ("skip_final_snapshot", "true")]);
    world.apply(&block).await;
    world.fault(r#"{"action":"GetRole","fault":"denied","times":100000}"#);
    let newer = with(&block, &[("engine_version", "\"17.9\"")]);
    world.apply_now(&newer).await;
    assert!(is_marked(&world), "whether something is left is not known");
    assert_eq!(world.left(&newer).await, [""; 0]);
    let outcome = world.destroy(&newer).await;
    assert!(outcome.is_success(), "{outcome:?}");
}
