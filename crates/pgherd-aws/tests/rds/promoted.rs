//! Replicas that become databases of their own.

use pgherd_engine::provider::Operation;

use crate::cut::Doing;
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
    AddTagsToResource copy
    CreateDBParameterGroup copy-pg16
    ModifyDBParameterGroup copy-pg16
    ModifyDBInstance copy
    RebootDBInstance copy
    RemoveTagsFromResource copy
    ModifyDBInstance copy
    RemoveTagsFromResource copy
    "#);
    is_done(&world, &world.left(&copy()).await, &world.left(&source()).await);
    let refused = world.operate(&promote(Some("orders-r2"))).await.expect_err("the name is taken");
    assert_eq!(refused.message, "there is an instance copy already");
}

#[tokio::test]
async fn killed_after_any_call_of_a_promotion_it_ends_well() {
    let operation = promote(Some("orders-r1"));
    let then = async |world: World, nth| {
        if !world.was_the_last_call("pgherd:becomes") {
            world.operate(&operation).await.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        }
        is_done(&world, &world.left(&copy()).await, &world.left(&source()).await);
    };
    Doing::Verb(&operation).killed_anywhere(&world(300).await, 21, then).await;
}

#[tokio::test]
async fn whichever_answer_is_lost_a_promotion_ends_well() {
    let then = async |world: World, _| is_done(&world, &world.left(&copy()).await, &world.left(&source()).await);
    Doing::Verb(&promote(Some("orders-r1"))).answers_lost(&world(300).await, 20, then).await;
}

/// The new name comes with whatever waits, and a class is another server.
#[tokio::test]
async fn a_replica_whose_new_name_would_bring_what_waits_is_left_alone() {
    let world = world(20).await;
    world.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", "orders-r1"), ("DBInstanceClass", "db.t3.small")]);
    let refused = world.operate(&promote(Some("orders-r1"))).await.expect_err("a class waits");
    let message = "giving orders-r1 another name also does what waits for the window: DBInstanceClass";
    assert_eq!((refused.message.as_str(), world.writes_of_all()), (message, Vec::new()));
    world.operate(&promote(Some("orders-r2"))).await.expect("nothing waits at the other one");
}

/// A world in which a replica wears the tag that says what it becomes, and follows its source still.
async fn hardly_begun() -> World {
    let (world, mut nth) = (world(300).await, 1);
    while world.left(&source()).await.is_empty() {
        assert!(Doing::Verb(&promote(Some("orders-r1"))).killed_after(&world, nth).await);
        nth += 1;
    }
    world
}

/// Nobody takes the other replica because the first one is on its way.
#[tokio::test]
async fn what_becomes_one_database_becomes_no_other() {
    let world = hardly_begun().await;
    let others = |replica: Option<&str>| Operation::Promote {
        name: "orders".to_owned(),
        replica: replica.map(str::to_owned),
        to: Box::new(spec(&with(SOURCE, &[("name", "\"other\"")]))),
    };
    world.forget_what_was_asked();
    for replica in [None, Some("orders-r1")] {
        let refused = world.operate(&others(replica)).await.expect_err("it is becoming another one");
        assert_eq!(
            (refused.message.as_str(), world.writes_of_all()),
            ("orders-r1 is becoming copy already", Vec::new())
        );
    }
    world.operate(&others(Some("orders-r2"))).await.expect("that one is free");
}

/// Whoever gives a promotion up before the replica has left applies the block as ever.
#[tokio::test]
async fn an_apply_of_the_source_gives_up_what_has_hardly_begun() {
    let world = hardly_begun().await;
    assert_eq!(world.left(&source()).await, ["update replica orders-r1: Tags.pgherd:becomes copy -> (none)"]);
    world.apply(&source()).await;
    assert_eq!(world.left(&source()).await, [""; 0]);
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
