//! RDS Proxy, as far as moto has it.

use pgherd_aws::{Form, Service};

use crate::world::World;

/// A block with a proxy, in the subnets that moto has in every region: it tells none of an instance without a subnet group.
async fn block(world: &World) -> String {
    let told = world.query(Service::Ec2, Form::new("DescribeSubnets")).await;
    let ids: Vec<String> =
        told.list("subnetSet", "item").filter_map(|one| Some(format!("{:?}", one.text("subnetId")?))).collect();
    format!(
        "allowed_cidr_blocks = [\"10.0.0.0/8\"]\nsubnet_ids = [{}]\nenable_proxy = true\nparameters = [{{ name = \"max_connections\", value = \"200\" }}]\n",
        ids.join(", ")
    )
}

#[tokio::test]
async fn a_proxy_is_made_once_and_goes_with_its_block() {
    let Some(world) = World::new("ap-east-2").await else { return };
    let block = block(&world).await;
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, "");
    let asked = world.asked();
    let created = asked.iter().find(|asked| asked.action == "CreateDBProxy").expect("it was made");
    let field = |name: &str| created.field(name).unwrap_or_default();
    assert_eq!((field("EngineFamily"), field("RequireTLS")), ("POSTGRESQL".to_owned(), "true".to_owned()));
    assert!(field("Auth.member.1.SecretArn").contains(":secret:pgherd/orders/master-"), "{}", created.body());
    assert!(field("VpcSubnetIds.member.2").starts_with("subnet-"), "{}", created.body());
    assert!(field("VpcSecurityGroupIds.member.1").starts_with("sg-"), "{}", created.body());
    let order = ["CreateDBInstance", "CreateDBProxy", "ModifyDBProxyTargetGroup", "RegisterDBProxyTargets"];
    let made: Vec<&str> = asked.iter().map(|asked| asked.action.as_str()).filter(|it| order.contains(it)).collect();
    assert_eq!(made, order);
    world.destroy(&block).await;
    let gone = world.actions(&["DeregisterDBProxyTargets", "DeleteDBProxy", "DeleteDBInstance"]);
    assert_eq!(gone, ["DeregisterDBProxyTargets", "DeleteDBProxy", "DeleteDBInstance"]);
}

#[tokio::test]
async fn a_pool_that_somebody_changed_is_put_right() {
    let Some(world) = World::new("ap-southeast-6").await else { return };
    let block = block(&world).await;
    world.apply(&block).await;
    let theirs = Form::new("ModifyDBProxyTargetGroup")
        .set("DBProxyName", "orders-proxy")
        .set("TargetGroupName", "default")
        .set("ConnectionPoolConfig", Form::part().set("MaxConnectionsPercent", 50_i64));
    world.query(Service::Rds, theirs).await;
    assert_eq!(world.left(&block).await, "update proxy orders-proxy: MaxConnectionsPercent, MaxIdleConnectionsPercent");
    world.apply(&block).await;
    assert_eq!(world.left(&block).await, "");
}

#[tokio::test]
async fn killed_anywhere_a_proxy_is_finished_and_there_once() {
    let Some(world) = World::new("us-gov-east-1").await else { return };
    let block = block(&world).await;
    world.apply("").await;
    world.asked();
    let mut number = 0;
    while world.apply_cut(&block, number).await {
        number += 1;
    }
    assert_eq!(world.left(&block).await, "");
    assert_eq!(
        world.actions(&["CreateDBProxy", "RegisterDBProxyTargets"]),
        ["CreateDBProxy", "RegisterDBProxyTargets"]
    );
}
