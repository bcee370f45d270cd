//! All of it at once.

use std::collections::BTreeMap;

use pgherd_aws::{Form, Service};
use serde_json::json;

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
    world.asked();
    world.destroy(BLOCK).await;
    // Nobody is woken by what is being taken away, and what opens it or leads to it goes after it.
    let deleted = world.actions(&["Delete"]);
    let of = |action: &str| deleted.iter().rposition(|deleted| deleted == action).expect("it was deleted");
    let instance = of("DeleteDBInstance");
    assert!(["DeleteAlarms", "DeleteDashboards"].iter().all(|action| of(action) < instance), "{deleted:?}");
    let after = ["DeleteSecret", "DeleteSecurityGroup", "DeleteRole"];
    assert!(after.iter().all(|action| of(action) > instance), "{deleted:?}");
    assert!(of("DeleteTopic") > of("DeleteAlarms"), "{deleted:?}");
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
    assert_eq!(asked, ["DescribeAlarms", "DescribeSecret"]);
}

#[tokio::test]
async fn tags_that_no_look_tells_are_carried_along_with_those_of_the_instance() {
    let Some(world) = World::new("us-gov-west-1").await else { return };
    let block =
        "enable_logging = true\nalarm_targets = [\"ann@example.com\"]\ntags = { Owner = \"ann\", Team = \"shop\" }\n";
    world.apply(block).await;
    let topic = world.seen(block, "topic").await.expect("a topic");
    let topic = topic.props["TopicArn"].as_text().expect("an ARN").to_owned();
    world.apply_only(&block.replace("\"ann\", Team = \"shop\"", "\"bob\""), "instance").await;
    let on_topic = world.query(Service::Sns, Form::new("ListTagsForResource").set("ResourceArn", &topic)).await;
    let alarms = world.query(Service::CloudWatch, Form::new("DescribeAlarms")).await;
    let alarm = alarms.at("MetricAlarms/member").and_then(|alarm| alarm.text("AlarmArn")).expect("an alarm");
    let on_alarm = world.query(Service::CloudWatch, Form::new("ListTagsForResource").set("ResourceARN", alarm)).await;
    for told in [on_topic, on_alarm] {
        let tags: BTreeMap<_, _> =
            told.list("Tags", "member").map(|tag| (tag.text("Key"), tag.text("Value"))).collect();
        assert_eq!((tags.get(&Some("Owner")), tags.get(&Some("Team"))), (Some(&Some("bob")), None));
    }
    let named = json!({ "logGroupNamePrefix": "/aws/rds/instance/orders/" });
    let groups = world.json(Service::Logs, "DescribeLogGroups", &named).await;
    let arn =
        groups["logGroups"][0]["logGroupArn"].as_str().or(groups["logGroups"][0]["arn"].as_str()).expect("an ARN");
    let of = json!({ "resourceArn": arn.trim_end_matches(":*") });
    let tags = world.json(Service::Logs, "ListTagsForResource", &of).await;
    assert_eq!((&tags["tags"]["Owner"], &tags["tags"]["Team"]), (&json!("bob"), &json!(null)));
}
