//! Roles.

use pgherd_aws::{Form, Service};
use serde_json::json;

use crate::world::World;

const BLOCK: &str = "enable_enhanced_monitoring = true\ntags = { Owner = \"ann\" }\n";
const MANAGED: &str = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";

fn on(action: &str, name: &str) -> Form {
    Form::new(action).set("RoleName", name)
}

#[tokio::test]
async fn a_role_is_made_put_right_and_taken_away() {
    let Some(world) = World::new("us-east-1").await else { return };
    let role = world.resource(BLOCK, "role");
    let name = role.id.name.clone();
    world.create(&role).await.expect("made");
    let is_left = async |words: &str| world.left(BLOCK).await.lines().any(|line| line == words);
    assert!(!world.left(BLOCK).await.contains(" role "));
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" }],
    });
    world.query(Service::Iam, on("UpdateAssumeRolePolicy", &name).set("PolicyDocument", trust.to_string())).await;
    world.query(Service::Iam, on("DetachRolePolicy", &name).set("PolicyArn", MANAGED)).await;
    let other = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    world.query(Service::Iam, on("AttachRolePolicy", &name).set("PolicyArn", other)).await;
    let may = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*" }],
    });
    let inside = on("PutRolePolicy", &name).set("PolicyName", "mine").set("PolicyDocument", may.to_string());
    world.query(Service::Iam, inside).await;
    let tag = Form::part().set("Key", "Owner").set("Value", "eve");
    world.query(Service::Iam, on("TagRole", &name).list("Tags", "member", [tag])).await;
    let fields = "AssumeRolePolicyDocument, ManagedPolicyArns, Policies.mine, Tags.Owner";
    assert!(is_left(&format!("update role {name}: {fields}")).await);
    world.asked();
    world.apply_only(BLOCK, "role").await;
    assert_eq!(world.actions(&["Attach", "Detach"]), ["AttachRolePolicy", "DetachRolePolicy"]);
    assert!(!world.left(BLOCK).await.contains(" role "));
    // Nobody wants it any more, and there is no instance that could tell of it.
    let without = "tags = { Owner = \"ann\" }\n";
    assert!(world.left(without).await.contains(&format!("delete role {name}")));
    world.apply_only(without, "role").await;
    assert!(!world.left(without).await.contains(" role "));
    assert!(world.seen(BLOCK, "role").await.is_none());
}

#[tokio::test]
async fn the_role_of_a_proxy_may_read_the_secret() {
    let Some(world) = World::new("us-east-2").await else { return };
    let block = "enable_proxy = true\n";
    let role = world.resource(block, "role");
    world.create(&role).await.expect("made");
    let left = world.left(block).await;
    assert!(!left.contains(" role "), "{left}");
    let name = &role.id.name;
    world.query(Service::Iam, on("DeleteRolePolicy", name).set("PolicyName", "secret")).await;
    let left = world.left(block).await;
    assert!(left.contains(&format!("update role {name}: Policies.secret")), "{left}");
    world.create(&role).await.expect("made anew");
    world.delete(&role.id).await.expect("deleted");
    world.delete(&role.id).await.expect("deleted already");
    assert!(world.seen(block, "role").await.is_none());
}

#[tokio::test]
async fn a_role_that_is_not_known_everywhere_yet_is_tried_again() {
    let Some(world) = World::new("mx-central-1").await else { return };
    let role = world.resource(BLOCK, "role");
    world.refuse("AttachRolePolicy", "NoSuchEntity", 2);
    world.create(&role).await.expect("made");
    assert!(!world.left(BLOCK).await.contains(" role "));
    world.refuse("DeleteRole", "DeleteConflict", 2);
    world.delete(&role.id).await.expect("deleted");
    assert!(world.seen(BLOCK, "role").await.is_none());
}

#[tokio::test]
async fn a_role_of_somebody_else_is_left_alone() {
    let Some(world) = World::new("us-west-1").await else { return };
    let role = world.resource(BLOCK, "role");
    let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    world.query(Service::Iam, on("CreateRole", &role.id.name).set("AssumeRolePolicyDocument", &trust)).await;
    let left = world.left(BLOCK).await;
    assert!(left.starts_with(&format!("not-ours: {} exists and is not pgherd's", role.id)), "{left}");
    world.asked();
    assert!(world.create(&role).await.is_err() && world.delete(&role.id).await.is_err());
    assert_eq!(world.actions(&["Delete", "Put", "Attach", "Detach", "Update", "Tag"]), [""; 0]);
}
