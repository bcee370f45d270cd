//! Security groups and log groups.

use pgherd_aws::{Form, Service};
use pgherd_core::value::Value;
use serde_json::json;

use crate::world::World;

const BLOCK: &str = r#"
    allowed_cidr_blocks  = ["10.0.0.0/8", "2001:db8::/32"]
    security_group_rules = [{ type = "ingress", from_port = 5432, to_port = 5432, protocol = "tcp", cidr_blocks = ["192.0.2.0/24"], description = "office" }]
    tags                 = { Owner = "ann" }
"#;

const RULES: &str = "Rules.ingress tcp 5432";

async fn group_id(world: &World) -> String {
    let seen = world.seen(BLOCK, "security_group").await.expect("a group");
    seen.props["GroupId"].as_text().expect("an id").to_owned()
}

fn rule(cidr: &str, description: &str) -> Form {
    let range = Form::part().set("CidrIp", cidr).set("Description", description);
    let rule = Form::part().set("IpProtocol", "tcp").set("FromPort", 5432_u32).set("ToPort", 5432_u32);
    rule.flat("IpRanges", [range])
}

#[tokio::test]
async fn a_security_group_is_made_changed_and_taken_away() {
    let Some(world) = World::new("eu-central-1").await else { return };
    world.create(&world.resource(BLOCK, "security_group")).await.expect("made");
    let left = world.left(BLOCK).await;
    assert!(!left.contains("security_group"), "{left}");
    world.asked();
    let other = BLOCK
        .replace("10.0.0.0/8", "10.1.0.0/16")
        .replace("office", "our office")
        .replace("ann", "bob")
        .replace("tags ", "allowed_security_group_ids = []\n tags ");
    world.create(&world.resource(&other, "security_group")).await.expect("changed");
    let doings = ["Authorize", "Revoke", "UpdateSecurity"];
    assert_eq!(
        world.actions(&doings),
        ["AuthorizeSecurityGroupIngress", "UpdateSecurityGroupRuleDescriptionsIngress", "RevokeSecurityGroupIngress"]
    );
    let left = world.left(&other).await;
    assert!(left.contains("update security_group orders-db: Tags.Owner\n"), "{left}");
    world.try_apply(&other).await.expect("applied");
    assert_eq!(world.left(&other).await, "");
    world.destroy(&other).await;
    assert!(world.seen(&other, "security_group").await.is_none());
}

#[tokio::test]
async fn the_way_out_is_closed_once_it_is_written() {
    let Some(world) = World::new("eu-central-2").await else { return };
    let egress = r#"security_group_rules = [{ type = "egress", from_port = 443, to_port = 443, protocol = "tcp", cidr_blocks = ["10.0.0.0/8"] }]"#;
    world.create(&world.resource("", "security_group")).await.expect("made");
    let group = world.seen("", "security_group").await.expect("a group");
    assert_eq!(group.props["Rules"], Value::Map([].into()));
    world.asked();
    let left = world.left(egress).await;
    assert!(
        left.contains(
            "update security_group orders-db: Rules.egress -1 all 0.0.0.0/0, Rules.egress tcp 443 10.0.0.0/8"
        ),
        "{left}"
    );
    world.apply(egress).await;
    assert_eq!(world.actions(&["Authorize", "Revoke"]), ["AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"]);
    assert_eq!(world.left(egress).await, "");
}

#[tokio::test]
async fn what_others_do_to_a_security_group_is_put_right() {
    let Some(world) = World::new("eu-west-1").await else { return };
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
    let group = group_id(&world).await;
    let on = |action: &str| Form::new(action).set("GroupId", &group);
    let open = on("AuthorizeSecurityGroupIngress").flat("IpPermissions", [rule("0.0.0.0/0", "")]);
    world.query(Service::Ec2, open).await;
    let close = on("RevokeSecurityGroupIngress").flat("IpPermissions", [rule("10.0.0.0/8", "")]);
    world.query(Service::Ec2, close).await;
    let describe =
        on("UpdateSecurityGroupRuleDescriptionsIngress").flat("IpPermissions", [rule("192.0.2.0/24", "mine")]);
    world.query(Service::Ec2, describe).await;
    let tag = Form::part().set("Key", "Owner").set("Value", "eve");
    world.query(Service::Ec2, Form::new("CreateTags").flat("ResourceId", [&group]).flat("Tag", [tag])).await;
    let expected = format!(
        "update security_group orders-db: {RULES} 0.0.0.0/0, {RULES} 10.0.0.0/8, {RULES} 192.0.2.0/24, Tags.Owner"
    );
    assert_eq!(world.left(BLOCK).await, expected);
    world.apply(BLOCK).await;
    assert_eq!(world.left(BLOCK).await, "");
}

#[tokio::test]
async fn a_group_of_somebody_else_is_left_alone() {
    let Some(world) = World::new("eu-west-2").await else { return };
    let vpcs = world.query(Service::Ec2, Form::new("DescribeVpcs")).await;
    let vpc = vpcs.at("vpcSet/item").and_then(|vpc| vpc.text("vpcId")).expect("a default network");
    let form = Form::new("CreateSecurityGroup").set("GroupName", "orders-db").set("GroupDescription", "mine");
    world.query(Service::Ec2, form.set("VpcId", vpc)).await;
    let left = world.left(BLOCK).await;
    let words =
        "not-ours: security_group orders-db exists and is not pgherd's: it has no tag pgherd:block of this database";
    assert!(left.starts_with(words) && !left.contains("create security_group"), "{left}");
    let group = world.resource(BLOCK, "security_group");
    world.asked();
    let error = world.create(&group).await.expect_err("somebody else's");
    assert!(error.message.contains("is not pgherd's"), "{error}");
    world.delete(&group.id).await.expect("nothing of ours is there");
    assert_eq!(world.actions(&["Delete", "Authorize", "Revoke", "CreateTags"]), [""; 0]);
}

#[tokio::test]
async fn a_group_that_another_one_names_stays_and_says_which() {
    let Some(world) = World::new("eu-west-3").await else { return };
    let group = world.resource("", "security_group");
    world.create(&group).await.expect("made");
    let ours = group_id(&world).await;
    let form = Form::new("CreateSecurityGroup").set("GroupName", "application").set("GroupDescription", "theirs");
    let theirs = world.query(Service::Ec2, form).await;
    let theirs = theirs.text("groupId").expect("an id");
    let member = Form::part().set("GroupId", &ours);
    let rule = Form::part().set("IpProtocol", "tcp").set("FromPort", 80_u32).set("ToPort", 80_u32);
    let admit = Form::new("AuthorizeSecurityGroupIngress").set("GroupId", theirs);
    world.query(Service::Ec2, admit.flat("IpPermissions", [rule.flat("Groups", [member])])).await;
    world.refuse("DeleteSecurityGroup", "DependencyViolation", 20_000);
    let error = world.delete(&group.id).await.expect_err("still named");
    assert!(error.help.contains(&format!("{theirs} (application)")), "{error:?}");
}

#[tokio::test]
async fn what_is_not_known_everywhere_yet_or_still_in_use_is_tried_again() {
    let Some(world) = World::new("af-south-1").await else { return };
    let group = world.resource(BLOCK, "security_group");
    world.refuse("AuthorizeSecurityGroupIngress", "InvalidGroup.NotFound", 2);
    world.create(&group).await.expect("made");
    assert!(!world.left(BLOCK).await.contains("security_group"));
    world.refuse("DeleteSecurityGroup", "DependencyViolation", 2);
    world.delete(&group.id).await.expect("deleted");
    assert!(world.seen(BLOCK, "security_group").await.is_none());
}

#[tokio::test]
async fn a_rule_that_somebody_else_makes_meanwhile_is_none_the_worse() {
    let Some(world) = World::new("ap-southeast-4").await else { return };
    world.refuse("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", 2);
    world.create(&world.resource(BLOCK, "security_group")).await.expect("made");
    // All were refused together, then the first alone; the others were not.
    let left = world.left(BLOCK).await;
    assert!(left.contains(&format!("update security_group orders-db: {RULES} 10.0.0.0/8")), "{left}");
    assert_eq!(left.matches(RULES).count(), 1, "{left}");
}

#[tokio::test]
async fn log_groups_are_made_with_an_end_and_never_deleted() {
    let Some(world) = World::new("eu-north-1").await else { return };
    let logs = "enable_logging = true\n";
    world.apply(logs).await;
    assert_eq!(world.left(logs).await, "");
    let name = "/aws/rds/instance/orders/postgresql";
    let shorter = json!({ "logGroupName": name, "retentionInDays": 7 });
    world.json(Service::Logs, "PutRetentionPolicy", &shorter).await;
    assert_eq!(world.left(logs).await, format!("update log_group {name}: retentionInDays"));
    world.apply(logs).await;
    assert_eq!(world.left(logs).await, "");
    let longer = json!({ "logGroupName": name, "retentionInDays": 365 });
    world.json(Service::Logs, "PutRetentionPolicy", &longer).await;
    assert_eq!(world.left(logs).await, "");
    world.json(Service::Logs, "DeleteLogGroup", &json!({ "logGroupName": name })).await;
    assert_eq!(world.left(logs).await, format!("create log_group {name}"));
    world.apply(logs).await;
    world.destroy(logs).await;
    assert_eq!(world.observe(logs).await.iter().filter(|seen| seen.id.kind == "log_group").count(), 2);
    let id = world.resource(logs, "log_group").id;
    assert_eq!(world.delete(&id).await.expect_err("kept").message, "pgherd deletes no logs");
}
