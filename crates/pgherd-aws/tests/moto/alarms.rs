//! Alarms, the topic they go to, and the dashboard.

use pgherd_aws::{Form, Service};

use crate::world::World;

const BLOCK: &str = "alarm_targets = [\"ann@example.com\", \"bob@example.com\"]\ntags = { Owner = \"ann\" }\n";

fn alarm(name: &str, instance: &str) -> Form {
    let dimension = Form::part().set("Name", "DBInstanceIdentifier").set("Value", instance);
    Form::new("PutMetricAlarm")
        .set("AlarmName", name)
        .set("Namespace", "AWS/RDS")
        .set("MetricName", "FreeableMemory")
        .set("Statistic", "Maximum")
        .set("ComparisonOperator", "LessThanThreshold")
        .set("Threshold", 1.5)
        .set("Period", 60_u32)
        .set("EvaluationPeriods", 5_u32)
        .set("TreatMissingData", "breaching")
        .list("Dimensions", "member", [dimension])
}

#[tokio::test]
async fn alarms_are_made_put_right_and_taken_away() {
    let Some(world) = World::new("us-west-2").await else { return };
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    // The tags stay with an alarm that is put anew.
    world.query(Service::CloudWatch, alarm("orders-cpu", "orders").set("AlarmDescription", "mine")).await;
    let fields = "AlarmActions, AlarmDescription, ComparisonOperator, EvaluationPeriods, MetricName, Period, Statistic, Threshold, \
                  TreatMissingData";
    assert_eq!(world.left(BLOCK).await, format!("update alarm orders-cpu: {fields}"));
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    world.query(Service::CloudWatch, alarm("orders-cpu", "others")).await;
    assert!(world.left(BLOCK).await.contains("Dimensions.DBInstanceIdentifier"));
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    world.destroy(BLOCK).await;
    let left = world.query(Service::CloudWatch, Form::new("DescribeAlarms")).await;
    assert_eq!(left.list("MetricAlarms", "member").count(), 0);
}

#[tokio::test]
async fn alarms_of_others_are_left_alone() {
    let Some(world) = World::new("ca-central-1").await else { return };
    // One of ours that was there first, a name that begins like ours, and one that a replica of ours would have.
    let theirs = [("orders-cpu", "orders"), ("orders-eu-cpu", "orders-eu"), ("orders-r1-cpu", "orders-r1")];
    for (name, instance) in theirs {
        world.query(Service::CloudWatch, alarm(name, instance)).await;
    }
    let left = world.left("").await;
    let words = "not-ours: alarm orders-cpu exists and is not pgherd's: it has no tag pgherd:block of this database";
    assert!(left.starts_with(words) && !left.contains("orders-eu") && !left.contains("orders-r1"), "{left}");
    assert!(left.contains("create alarm orders-connections") && !left.contains("create alarm orders-cpu"), "{left}");
    let resources = world.resources("");
    let ours = resources.iter().find(|one| one.id.name == "orders-cpu").expect("wanted");
    assert!(world.create(ours).await.is_err() && world.delete(&ours.id).await.is_err());
    world.apply("").await;
    world.destroy("").await;
    let left = world.query(Service::CloudWatch, Form::new("DescribeAlarms")).await;
    let names: Vec<_> = left.list("MetricAlarms", "member").filter_map(|alarm| alarm.text("AlarmName")).collect();
    assert_eq!(names, theirs.map(|(name, _)| name));
}

#[tokio::test]
async fn the_alarms_of_a_replica_go_with_it() {
    let Some(world) = World::new("ca-west-1").await else { return };
    let with = "create_read_replica = true\nread_replica_count = 1\n";
    world.apply(with).await;
    assert_eq!(world.left(with).await, "");
    let left = world.left("").await;
    let deleted: Vec<&str> = left.lines().filter(|line| line.starts_with("delete alarm orders-r1-")).collect();
    assert_eq!(deleted.len(), left.lines().count(), "{left}");
    assert!(deleted.contains(&"delete alarm orders-r1-replica-lag"), "{left}");
}

#[tokio::test]
async fn the_topic_tells_who_is_written() {
    let Some(world) = World::new("sa-east-1").await else { return };
    world.apply(BLOCK).await;
    let topic = world.seen(BLOCK, "topic").await.expect("a topic");
    let arn = topic.props["TopicArn"].as_text().expect("an ARN").to_owned();
    let subscribe = |protocol: &str, endpoint: &str| {
        Form::new("Subscribe").set("TopicArn", &arn).set("Protocol", protocol).set("Endpoint", endpoint)
    };
    world.query(Service::Sns, subscribe("email", "eve@example.com")).await;
    world.query(Service::Sns, subscribe("https", "https://example.com/")).await;
    assert_eq!(world.left(BLOCK).await, "update topic orders-alarms: Endpoints");
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    let told = world.query(Service::Sns, Form::new("ListSubscriptionsByTopic").set("TopicArn", &arn)).await;
    let mut told: Vec<_> = told.list("Subscriptions", "member").filter_map(|one| one.text("Endpoint")).collect();
    told.sort_unstable();
    assert_eq!(told, ["ann@example.com", "bob@example.com", "https://example.com/"]);
    let fewer = BLOCK.replace(", \"bob@example.com\"", "");
    assert_eq!(world.left(&fewer).await, "update topic orders-alarms: Endpoints");
    // Nobody is to be told any more: the alarms still go there, and tell that it is there.
    let nobody = "tags = { Owner = \"ann\" }\n";
    let left = world.left(nobody).await;
    assert!(
        left.ends_with("delete topic orders-alarms") && left.contains("update alarm orders-cpu: AlarmActions"),
        "{left}"
    );
    world.apply(nobody).await;
    assert_eq!(world.left(nobody).await, "");
    assert!(world.seen(BLOCK, "topic").await.is_none());
}

#[tokio::test]
async fn a_topic_of_somebody_else_is_left_alone() {
    let Some(world) = World::new("ap-east-1").await else { return };
    world.query(Service::Sns, Form::new("CreateTopic").set("Name", "orders-alarms")).await;
    let left = world.left(BLOCK).await;
    assert!(left.starts_with("not-ours: topic orders-alarms exists and is not pgherd's"), "{left}");
    let topic = world.resource(BLOCK, "topic");
    assert!(world.create(&topic).await.is_err() && world.delete(&topic.id).await.is_err());
}

#[tokio::test]
async fn the_dashboard_is_compared_as_what_it_shows() {
    let Some(world) = World::new("ap-south-1").await else { return };
    let block = "create_dashboard = true\n";
    world.apply(block).await;
    assert_eq!(world.left(block).await, "");
    let put =
        |body: &str| Form::new("PutDashboard").set("DashboardName", "orders-ap-south-1").set("DashboardBody", body);
    let seen = world.seen(block, "dashboard").await.expect("a dashboard");
    let body: serde_json::Value =
        serde_json::from_str(seen.props["DashboardBody"].as_text().expect("a text")).expect("JSON");
    world.query(Service::CloudWatch, put(&format!("{body:#}"))).await;
    assert_eq!(world.left(block).await, "");
    world.query(Service::CloudWatch, put(r#"{"widgets":[]}"#)).await;
    assert_eq!(world.left(block).await, "update dashboard orders-ap-south-1: DashboardBody");
    world.apply(block).await;
    let left = world.left("").await;
    assert!(left.starts_with("update alarm orders-burst-credits: AlarmDescription"), "{left}");
    assert!(left.ends_with("\ndelete dashboard orders-ap-south-1"), "{left}");
    world.apply("").await;
    assert_eq!(world.left("").await, "");
    assert!(world.seen(block, "dashboard").await.is_none());
    world.query(Service::CloudWatch, put(r#"{"widgets":[{"type":"text"}]}"#)).await;
    let words = "not-ours: dashboard orders-ap-south-1 exists and is not pgherd's: none of its widgets shows orders\n";
    assert!(world.left(block).await.starts_with(words));
    let dashboard = world.resource(block, "dashboard");
    assert!(world.create(&dashboard).await.is_err() && world.delete(&dashboard.id).await.is_err());
}
