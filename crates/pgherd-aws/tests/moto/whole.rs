//! All of it at once.

use pgherd_aws::{Form, Service};

use crate::world::World;

const BLOCK: &str = r#"
    allowed_cidr_blocks        = ["10.0.0.0/8"]
    enable_enhanced_monitoring = true
    enable_logging             = true
    create_dashboard           = true
    alarm_targets              = ["ann@example.com"]
    tags                       = { Owner = "ann" }
"#;

#[tokio::test]
async fn a_block_is_made_once_and_leaves_nothing_but_its_logs() {
    let Some(world) = World::new("me-south-1").await else { return };
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    world.asked();
    world.apply(BLOCK).await;
    let looks = ["Describe", "Get", "List"];
    let writes: Vec<String> = world
        .asked()
        .into_iter()
        .map(|asked| asked.action)
        .filter(|action| !looks.iter().any(|look| action.starts_with(look)))
        .collect();
    assert_eq!(writes, [""; 0]);
    world.destroy(BLOCK).await;
    let remaining: Vec<String> = world.observe(BLOCK).await.iter().map(|seen| seen.id.to_string()).collect();
    assert_eq!(
        remaining,
        ["log_group /aws/rds/instance/orders/postgresql", "log_group /aws/rds/instance/orders/upgrade"]
    );
}

/// Killed when moto has done what any request asks: the next run does the rest, and nothing is there twice.
#[tokio::test]
async fn what_was_cut_short_anywhere_is_finished() {
    let Some(world) = World::new("me-central-1").await else { return };
    // What moto does not take twice of the instance itself is held on the emulator.
    world.apply("").await;
    world.asked();
    let mut number = 0;
    while world.apply_cut(BLOCK, number).await {
        number += 1;
    }
    assert_eq!(world.left(BLOCK).await, "");
    let creations = ["CreateRole", "CreateLogGroup", "CreateSecurityGroup", "CreateSecret"];
    let mut made = world.actions(&creations);
    made.sort_unstable();
    assert_eq!(made, ["CreateLogGroup", "CreateLogGroup", "CreateRole"]);
}

#[tokio::test]
async fn a_look_asks_for_what_is_wanted_and_no_more() {
    let Some(world) = World::new("ap-southeast-5").await else { return };
    let theirs = Form::new("CreateSecurityGroup").set("GroupName", "theirs").set("GroupDescription", "theirs");
    let group = world.query(Service::Ec2, theirs).await;
    let group = group.text("groupId").expect("an id");
    // What other tools make of an instance: the groups are there already.
    let bare = format!("create_security_group = false\nsecurity_group_ids = [\"{group}\"]\n");
    world.apply(&bare).await;
    world.asked();
    assert_eq!(world.left(&bare).await, "");
    let mut asked = world.actions(&["DescribeS", "DescribeA", "Get", "List"]);
    asked.sort_unstable();
    assert_eq!(asked, ["DescribeAlarms", "DescribeSecret", "GetSecretValue"]);
}
