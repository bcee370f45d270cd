//! Replicas that become databases of their own.

use pgherd_engine::provider::Operation;

use crate::restored::SOURCE;
use crate::world::{World, spec, with};

fn source() -> String {
    with(SOURCE, &[("create_read_replica", "true"), ("read_replica_count", "2")])
}

/// The block of what one of them becomes.
fn copy() -> String {
    with(SOURCE, &[("name", "\"copy\"")])
}

fn promote(replica: Option<&str>) -> Operation {
    Operation::Promote { name: "orders".to_owned(), replica: replica.map(str::to_owned), to: Box::new(spec(&copy())) }
}

async fn world(seconds: i64) -> World {
    let world = World::whole(seconds).await;
    world.apply(&source()).await;
    world.pass(3600);
    world.forget_what_was_asked();
    world
}

#[track_caller]
fn is_done(world: &World, left: &[String], of_source: &[String]) {
    assert_eq!(left, [""; 0]);
    assert_eq!(of_source, ["create replica orders-r1"], "the source goes on and misses a replica");
    assert_eq!(world.instances(), ["copy", "orders", "orders-r2"]);
    assert!(world.secret_opens("copy", "copy") && world.secret_opens("orders", "orders"));
    assert_eq!(world.region(|region| region.instances["copy"].source.clone()), None);
}

#[tokio::test]
async fn a_replica_becomes_a_database_whose_own_block_asks_for_nothing_more() {
    let world = world(20).await;
    let several = world.operate(&promote(None)).await.expect_err("there are two");
    assert_eq!(several.message, "orders has several read replicas");
    assert_eq!(world.writes_of_all(), [""; 0]);
    world.operate(&promote(Some("orders-r1"))).await.expect("it is promoted");
    insta::assert_snapshot!(world.writes().join("\n"), @r#"
    AddTagsToResource orders-r1
    PromoteReadReplica orders-r1
    ModifyDBInstance orders-r1 now
    AddTagsToResource copy
    CreateDBSubnetGroup copy
    CreateDBParameterGroup copy-pg16
    ModifyDBParameterGroup copy-pg16
    ModifyDBInstance copy
    RebootDBInstance copy
    ModifyDBInstance copy
    RemoveTagsFromResource copy
    "#);
    is_done(&world, &world.left(&copy()).await, &world.left(&source()).await);
    let refused = world.operate(&promote(Some("orders-r2"))).await.expect_err("the name is taken");
    assert_eq!(refused.message, "there is an instance copy already");
}

#[tokio::test]
async fn killed_after_any_call_of_a_promotion_it_ends_well() {
    let undisturbed = world(300).await;
    undisturbed.operate(&promote(Some("orders-r1"))).await.expect("it is promoted");
    let numbers = undisturbed.numbers_of_writes();
    assert!(numbers.len() > 20, "only {numbers:?}");
    for nth in numbers {
        let world = world(300).await;
        assert!(world.operation_killed_after(&promote(Some("orders-r1")), nth).await);
        if !world.was_the_last_call("pgherd:becomes") {
            let again = world.operate(&promote(Some("orders-r1"))).await;
            again.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        }
        is_done(&world, &world.left(&copy()).await, &world.left(&source()).await);
    }
}

/// What is in the way is known before the replica leaves its source.
#[tokio::test]
async fn somebody_elses_things_under_the_new_name_are_found_beforehand() {
    let world = world(20).await;
    let group = [
        ("DBSubnetGroupName", "copy"),
        ("DBSubnetGroupDescription", "somebody's"),
        ("SubnetIds.SubnetIdentifier.1", "subnet-a"),
        ("SubnetIds.SubnetIdentifier.2", "subnet-b"),
    ];
    world.tamper("CreateDBSubnetGroup", &group);
    let refused = world.operate(&promote(Some("orders-r1"))).await.expect_err("the group is somebody's");
    assert_eq!(refused.message, "subnet_group copy exists and is not pgherd's: it has no tag pgherd:block");
    assert_eq!(world.writes_of_all(), [""; 0]);
}
