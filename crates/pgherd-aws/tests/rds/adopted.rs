//! Databases that pgherd leaves alone, and ones that it takes over.

use pgherd_engine::provider::{ErrorKind, Operation};

use crate::cut::Doing;
use crate::restored::SOURCE;
use crate::world::{World, changes, spec, with};

fn block() -> String {
    let more = [
        ("create_read_replica", "true"),
        ("alarm_targets", "[\"ann@example.org\"]"),
        // What only a tag tells.
        ("skip_final_snapshot", "true"),
        ("preset", "\"dev\""),
    ];
    with(SOURCE, &more)
}

fn forget() -> Operation {
    Operation::Forget { spec: Box::new(spec(&block())) }
}

fn adopt(block: &str) -> Operation {
    Operation::Adopt { spec: Box::new(spec(block)) }
}

/// A world with a database that nobody keeps.
async fn forgotten(seconds: i64) -> World {
    let world = World::whole(seconds).await;
    world.apply(&block()).await;
    world.operate(&forget()).await.expect("it is left alone");
    world.forget_what_was_asked();
    world
}

/// Everything of RDS that wears a tag of pgherd's.
fn worn(world: &World) -> Vec<String> {
    world.region(|region| {
        let ours = region.tags.iter().filter(|(_, tags)| tags.keys().any(|key| key.starts_with("pgherd:")));
        ours.map(|(arn, _)| arn.clone()).collect()
    })
}

#[tokio::test]
async fn what_is_forgotten_goes_on_and_is_nobodys() {
    let world = forgotten(20).await;
    assert_eq!(world.instances(), ["orders", "orders-r1"]);
    assert_eq!(worn(&world), [""; 0]);
    let owners = world.region(|region| region.tags[&region.arn("db", "orders")].get("Owner").cloned());
    assert_eq!(owners.as_deref(), Some("ann"), "other tags stay");
    let planned = world.plan(&block()).await;
    let codes: Vec<_> = planned.plan.diagnostics.iter().map(|said| said.code.to_string()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| code == "not-ours"), "{codes:?}");
    // Logs and alarms are told by their names.
    world.operate(&forget()).await.expect("it is left alone once more");
}

/// What is half done is another verb's to end.
#[tokio::test]
async fn what_is_half_restored_is_not_forgotten() {
    let world = World::whole(20).await;
    world.apply(&block()).await;
    let arn = world.region(|region| region.arn("db", "orders"));
    let tag = [("ResourceName", arn.as_str()), ("Tags.Tag.1.Key", "pgherd:restoring"), ("Tags.Tag.1.Value", "sales")];
    world.tamper("AddTagsToResource", &tag);
    world.forget_what_was_asked();
    let refused = world.operate(&forget()).await.expect_err("it is half done");
    assert_eq!(refused.kind, ErrorKind::Conflict, "{refused:?}");
    assert_eq!(world.writes_of_all(), [""; 0]);
}

/// RDS has more classes than the catalogue.
#[tokio::test]
async fn a_database_of_a_class_that_only_rds_knows_is_made_and_adopted() {
    let world = World::whole(20).await;
    let block = with(&block(), &[("instance_class", "\"db.r6gd.xlarge\"")]);
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, [""; 0]);
    let alarms: Vec<String> = world.plan(&block).await.desired.iter().map(|one| one.id.name.clone()).collect();
    assert!(alarms.contains(&"orders-cpu".to_owned()), "{alarms:?}");
    assert!(
        !alarms.iter().any(|name| name.ends_with("-connections") || name.ends_with("-burst-credits")),
        "{alarms:?}"
    );
    world.operate(&Operation::Forget { spec: Box::new(spec(&block)) }).await.expect("it is left alone");
    world.operate(&adopt(&block)).await.expect("it is taken over");
    assert_eq!(world.left(&block).await, [""; 0]);
}

#[tokio::test]
async fn what_was_forgotten_is_adopted_and_then_there_is_nothing_to_do() {
    let world = forgotten(20).await;
    world.operate(&adopt(&block())).await.expect("it is as its block says");
    let writes = world.writes_of_all();
    let other: Vec<_> = writes.iter().filter(|call| !is_about_tags(call)).collect();
    assert!(other.is_empty(), "{other:?}");
    assert_eq!(world.left(&block()).await, [""; 0]);
}

fn is_about_tags(call: &str) -> bool {
    ["AddTags", "CreateTags", "TagResource", "TagRole"].iter().any(|action| call.starts_with(action))
}

#[tokio::test]
async fn what_is_not_as_its_block_says_is_left_alone() {
    let world = forgotten(20).await;
    let other = with(&block(), &[("instance_class", "\"db.t3.small\""), ("enable_performance_insights", "false")]);
    let refused = world.operate(&adopt(&other)).await.expect_err("it is another class");
    assert_eq!(refused.kind, ErrorKind::Protected);
    insta::assert_snapshot!(format!("{}\n{}", refused.message, refused.help), @r#"
    orders is not as its block says: DBInstanceClass of instance orders is db.t3.micro, the block says db.t3.small; EnablePerformanceInsights of instance orders is true, the block says false; DBInstanceClass of replica orders-r1 is db.t3.micro, the block says db.t3.small; EnablePerformanceInsights of replica orders-r1 is true, the block says false; Threshold of alarm orders-connections is 59, the block says 144; Threshold of alarm orders-r1-connections is 59, the block says 144
    write the block as the database is, then adopt it
    "#);
    let missing = world.operate(&adopt(&with(&block(), &[("name", "\"other\"")]))).await;
    assert_eq!(missing.expect_err("there is none").message, "there is no instance other to be adopted");
    assert_eq!(world.writes_of_all(), [""; 0]);
}

/// What another block has is not taken.
#[tokio::test]
async fn another_blocks_database_is_not_adopted() {
    let world = forgotten(20).await;
    let arn = world.region(|region| region.arn("db", "orders"));
    let tag = [("ResourceName", arn.as_str()), ("Tags.Tag.1.Key", "pgherd:block"), ("Tags.Tag.1.Value", "others")];
    world.tamper("AddTagsToResource", &tag);
    let refused = world.operate(&adopt(&block())).await.expect_err("it is another block's");
    assert!(refused.message.contains("its tag pgherd:block says others"), "{refused:?}");
    assert_eq!(world.writes_of_all(), [""; 0]);
}

/// A password that nobody wrote down has to be said; it is believed, and never changed.
#[tokio::test]
async fn a_database_without_a_secret_takes_its_password_from_whoever_adopts_it() {
    let world = World::whole(20).await;
    let block = with(&block(), &[("master_password", "\"a-password-of-somebodys\"")]);
    world.apply(&block).await;
    world.operate(&forget()).await.expect("it is left alone");
    world.lose_secret("orders");
    world.forget_what_was_asked();
    let without = with(&block, &[("master_password", "")]);
    let refused = world.operate(&adopt(&without)).await.expect_err("nobody says the password");
    assert!(refused.message.ends_with("there is no secret pgherd/orders/master"), "{refused:?}");
    assert!(refused.help.contains("--password-file"), "{refused:?}");
    assert_eq!(world.writes_of_all(), [""; 0]);
    world.operate(&adopt(&block)).await.expect("it is said");
    assert!(world.secret_opens("orders", "orders"));
    assert_eq!(world.left(&block).await, [""; 0]);
    assert_eq!(world.writes().iter().filter(|call| call.starts_with("Modify")).count(), 0);
}

/// Which of two passwords is meant nobody knows: that of the secret comes back with it.
#[tokio::test]
async fn a_secret_that_is_scheduled_for_deletion_hides_no_password_that_is_given() {
    let world = World::whole(20).await;
    let block = with(&block(), &[("master_password", "\"a-password-of-somebodys\"")]);
    world.apply(&block).await;
    world.operate(&forget()).await.expect("it is left alone");
    world.schedule_secret("orders");
    world.forget_what_was_asked();
    let refused = world.operate(&adopt(&block)).await.expect_err("it is scheduled for deletion");
    insta::assert_snapshot!(format!("{}\n{}", refused.message, refused.help));
    assert_eq!(world.writes_of_all(), [""; 0]);
    world.lose_secret("orders");
    world.operate(&adopt(&block)).await.expect("there is room for it");
    assert!(world.secret_opens("orders", "orders"));
    assert_eq!(world.left(&block).await, [""; 0]);
}

/// Nobody would look for either otherwise, once it is taken out of the block.
#[tokio::test]
async fn a_proxy_and_a_second_region_are_adopted_with_their_instance_and_found_again() {
    let more = [
        ("create_read_replica", ""),
        ("enable_proxy", "true"),
        ("storage_encrypted", "true"),
        ("geo_redundant_backup", "true"),
        ("dr_region", "\"eu-west-1\""),
        ("dr_read_replica", "true"),
        ("dr_vpc_id", "\"vpc-default\""),
        ("dr_subnet_ids", "[\"subnet-a\", \"subnet-b\"]"),
        ("parameters", "[{ name = \"max_connections\", value = \"200\" }]"),
    ];
    let block = with(&block(), &more);
    let world = World::whole(100).await;
    world.apply(&block).await;
    world.operate(&Operation::Forget { spec: Box::new(spec(&block)) }).await.expect("it is left alone");
    assert_eq!(worn(&world), [""; 0]);
    world.operate(&adopt(&block)).await.expect("it is as its block says");
    assert_eq!(world.left(&block).await, [""; 0]);
    let is_beside = |name: &str| ["dr_", "geo_", "enable_proxy"].iter().any(|begin| name.starts_with(begin));
    let taken_out: Vec<_> = more.iter().filter(|(name, _)| is_beside(name)).map(|(name, _)| (*name, "")).collect();
    let without = with(&block, &taken_out);
    world.apply(&without).await;
    assert_eq!(world.left(&without).await, [""; 0]);
    let elsewhere = world.emulator.with(|emulation| emulation.region("eu-west-1").instances.len());
    assert_eq!((world.region(|region| region.proxies.len()), elsewhere), (0, 0));
}

#[tokio::test]
async fn killed_after_any_call_either_ends_well() {
    let then = async |world: World, nth| {
        world.operate(&adopt(&block())).await.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        assert_eq!(changes(&world.plan(&block()).await), [""; 0], "killed after call {nth}");
    };
    let nobodys = forgotten(300).await;
    Doing::Verb(&adopt(&block())).killed_anywhere(&nobodys, 11, then).await;
    nobodys.operate(&adopt(&block())).await.expect("it is adopted");
    let then = async |world: World, nth| {
        world.operate(&forget()).await.unwrap_or_else(|error| panic!("killed after call {nth}: {error:?}"));
        assert_eq!(worn(&world), [""; 0], "killed after call {nth}");
    };
    Doing::Verb(&forget()).killed_anywhere(&nobodys, 11, then).await;
}
