//! A whole block: an instance, its replica, and everything that stands around them, on one emulated AWS.

use crate::world::{World, with};

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
