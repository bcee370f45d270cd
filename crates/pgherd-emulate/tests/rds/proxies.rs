//! RDS Proxy: what it takes, how it lives, and what keeps it from its instance.

use serde_json::json;

use super::{World, changed, inside, trusted};

const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:orders-000001";

const PROXY: &[(&str, &str)] = &[
    ("DBProxyName", "orders-proxy"),
    ("EngineFamily", "POSTGRESQL"),
    ("Auth.member.1.SecretArn", SECRET),
    ("RoleArn", "arn:aws:iam::123456789012:role/proxy"),
    ("VpcSubnetIds.member.1", "subnet-a"),
    ("VpcSubnetIds.member.2", "subnet-b"),
];

const NAME: &[(&str, &str)] = &[("DBProxyName", "orders-proxy")];
const TARGET: &[(&str, &str)] = &[("DBProxyName", "orders-proxy"), ("DBInstanceIdentifiers.member.1", "orders")];

/// With a proxy that can be used, and leads nowhere yet.
fn with_proxy(more: &[(&str, &str)]) -> World {
    let mut world = World::with_orders(&[]);
    world.ok("CreateDBProxy", &changed(PROXY, more));
    world.pass(600);
    world
}

fn health(world: &mut World) -> String {
    let told = world.ok("DescribeDBProxyTargets", NAME);
    let field = |name| inside(&told, name).unwrap_or_default();
    format!("{} {}", field("State"), field("Reason")).trim_end().to_owned()
}

#[track_caller]
fn refused(action: &str, base: &[(&str, &str)], more: &[(&str, &str)], code: &str) {
    assert_eq!(with_proxy(&[]).ask(action, &changed(base, more)).unwrap_err(), code);
}

#[test]
fn what_create_does_not_take() {
    let new = [("DBProxyName", "other")];
    let with = |more: &[(&'static str, &'static str)]| [&new[..], more].concat();
    refused("CreateDBProxy", PROXY, &[], "DBProxyAlreadyExistsFault");
    refused("CreateDBProxy", PROXY, &[("DBProxyName", "1st")], "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("EngineFamily", "MYSQL")]), "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("Auth.member.1.SecretArn", "orders")]), "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("Auth.member.1.SecretArn", "")]), "MissingParameter");
    refused("CreateDBProxy", PROXY, &with(&[("Auth.member.1.IAMAuth", "ENABLED")]), "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("RoleArn", "proxy")]), "InvalidParameterValue");
    let of_monitoring = ("RoleArn", "arn:aws:iam::123456789012:role/m");
    refused("CreateDBProxy", PROXY, &with(&[of_monitoring]), "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("VpcSubnetIds.member.2", "")]), "InvalidSubnet");
    refused("CreateDBProxy", PROXY, &with(&[("VpcSubnetIds.member.2", "subnet-x")]), "InvalidSubnet");
    refused("CreateDBProxy", PROXY, &with(&[("IdleClientTimeout", "28801")]), "InvalidParameterValue");
    refused("CreateDBProxy", PROXY, &with(&[("VpcSecurityGroupIds.member.1", "sg-x")]), "InvalidParameterValue");
}

#[test]
fn what_the_pool_does_not_take() {
    let base = &[("DBProxyName", "orders-proxy"), ("TargetGroupName", "default")];
    let modify = "ModifyDBProxyTargetGroup";
    refused(modify, base, &[("TargetGroupName", "other")], "DBProxyTargetGroupNotFoundFault");
    refused(modify, base, &[("ConnectionPoolConfig.MaxConnectionsPercent", "101")], "InvalidParameterValue");
    let idle = ("ConnectionPoolConfig.MaxIdleConnectionsPercent", "20");
    refused(modify, base, &[idle], "InvalidParameterCombination");
    refused(modify, base, &[("ConnectionPoolConfig.MaxConnectionsPercent", "10"), idle], "InvalidParameterValue");
}

#[test]
fn it_takes_its_time() {
    let mut world = World::with_orders(&[]);
    assert_eq!(world.ask("DescribeDBProxies", NAME).unwrap_err(), "DBProxyNotFoundFault");
    world.ok("CreateDBProxy", PROXY);
    assert!(world.ok("DescribeDBProxies", NAME).contains("<Status>creating</Status>"));
    assert_eq!(world.ask("RegisterDBProxyTargets", TARGET).unwrap_err(), "InvalidDBProxyStateFault");
    world.pass(600);
    assert!(world.ok("DescribeDBProxies", NAME).contains("<Status>available</Status>"));
    world.ok("RegisterDBProxyTargets", TARGET);
    assert_eq!(health(&mut world), "REGISTERING");
    world.pass(90);
    assert_eq!(health(&mut world), "UNAVAILABLE PENDING_PROXY_CAPACITY");
    world.pass(60);
    assert_eq!(health(&mut world), "AVAILABLE");
    world.ok("DeleteDBProxy", NAME);
    assert_eq!(world.ask("DeleteDBProxy", NAME).unwrap_err(), "InvalidDBProxyStateFault");
    world.pass(600);
    assert_eq!(world.ask("DescribeDBProxies", NAME).unwrap_err(), "DBProxyNotFoundFault");
}

#[test]
fn a_change_holds_and_the_rest_stays() {
    let mut world = with_proxy(&[("RequireTLS", "true")]);
    world.ok("ModifyDBProxy", &changed(NAME, &[("IdleClientTimeout", "60")]));
    let told = world.ok("DescribeDBProxies", NAME);
    assert!(told.contains("<Status>modifying</Status>") && told.contains("<IdleClientTimeout>60</IdleClientTimeout>"));
    assert!(told.contains("<RequireTLS>true</RequireTLS>") && told.contains(SECRET));
    assert_eq!(world.ask("ModifyDBProxy", NAME).unwrap_err(), "InvalidDBProxyStateFault");
}

#[test]
fn half_of_the_pool_idles_unless_it_is_said() {
    let mut world = with_proxy(&[]);
    let sent = [("TargetGroupName", "default"), ("ConnectionPoolConfig.MaxConnectionsPercent", "30")];
    let told = world.ok("ModifyDBProxyTargetGroup", &changed(NAME, &sent));
    assert_eq!(inside(&told, "MaxIdleConnectionsPercent").as_deref(), Some("15"));
}

#[test]
fn it_leads_to_one_instance_that_is_no_replica() {
    let mut world = with_proxy(&[]);
    let replica = [("DBInstanceIdentifier", "orders-r1"), ("SourceDBInstanceIdentifier", "orders")];
    world.ok("CreateDBInstanceReadReplica", &replica);
    world.pass(3600);
    let mut register = |id: &str| {
        world.ask("RegisterDBProxyTargets", &changed(TARGET, &[("DBInstanceIdentifiers.member.1", id)])).unwrap_err()
    };
    assert_eq!(register("orders-r1"), "InvalidParameterValue");
    assert_eq!(register("others"), "DBInstanceNotFound");
    world.ok("RegisterDBProxyTargets", TARGET);
    assert_eq!(world.ask("RegisterDBProxyTargets", TARGET).unwrap_err(), "DBProxyTargetAlreadyRegisteredFault");
    world.ok("DeregisterDBProxyTargets", TARGET);
    assert_eq!(world.ask("DeregisterDBProxyTargets", TARGET).unwrap_err(), "DBProxyTargetNotFoundFault");
}

#[test]
fn a_proxy_that_no_rule_lets_in_reaches_nothing() {
    let mut world = World::with_orders(&[]);
    world.emulation.region("us-east-1").around.add_group("sg-other", "vpc-default");
    world.ok("CreateDBProxy", &changed(PROXY, &[("VpcSecurityGroupIds.member.1", "sg-other")]));
    world.pass(600);
    world.ok("RegisterDBProxyTargets", TARGET);
    world.pass(600);
    assert_eq!(health(&mut world), "UNAVAILABLE UNREACHABLE");
}

/// Whether `orders` is reached once something is otherwise.
#[track_caller]
fn reached(otherwise: impl FnOnce(&mut World), expected: &str) {
    let mut world = with_proxy(&[]);
    world.ok("RegisterDBProxyTargets", TARGET);
    world.pass(600);
    assert_eq!(health(&mut world), "AVAILABLE");
    otherwise(&mut world);
    assert_eq!(health(&mut world), expected);
}

#[test]
fn a_proxy_logs_in_with_what_its_role_may_read() {
    const NONE: &str = "UNAVAILABLE AUTH_FAILURE";
    let put = |text: &str| json!({ "SecretId": "orders", "ClientRequestToken": "2".repeat(32), "SecretString": text });
    let of = |text: &str| {
        let put = put(text);
        move |world: &mut World| world.json("secretsmanager", "PutSecretValue", put)
    };
    reached(of(r#"{"username":"orders","password":"battery-staple"}"#), NONE);
    reached(of(r#"{"username":"app","password":"correct-horse"}"#), NONE);
    reached(of("correct-horse"), NONE);
    reached(of(r#"{"username":"orders","password":"correct-horse","more":1}"#), "AVAILABLE");
    reached(|world| world.json("secretsmanager", "DeleteSecret", json!({ "SecretId": "orders" })), NONE);
    let policy = &[("RoleName", "proxy"), ("PolicyName", "secret")];
    reached(|world| world.iam("DeleteRolePolicy", policy), NONE);
    let other = trusted::READS.replace("secret:orders-??????", "secret:others-??????");
    let another = [policy[0], policy[1], ("PolicyDocument", other.as_str())];
    reached(|world| world.iam("PutRolePolicy", &another), NONE);
    let denied = trusted::READS.replace("Allow", "Deny");
    let more = [policy[0], ("PolicyName", "not"), ("PolicyDocument", denied.as_str())];
    reached(|world| world.iam("PutRolePolicy", &more), NONE);
    // What denies only where there is no TLS denies nothing.
    let plain = denied.replace(r#""Action""#, r#""Condition":{"Bool":{"aws:SecureTransport":"false"}},"Action""#);
    let more = [policy[0], ("PolicyName", "not"), ("PolicyDocument", plain.as_str())];
    reached(|world| world.iam("PutRolePolicy", &more), "AVAILABLE");
    // Under a key of the customer's the role has to be let use that, too.
    let under_a_key = |world: &mut World| {
        trusted::key(world, "SYMMETRIC_DEFAULT");
        let under = json!({ "SecretId": "orders", "KmsKeyId": "alias/orders", "ClientRequestToken": "3".repeat(32) });
        world.json("secretsmanager", "UpdateSecret", under);
    };
    reached(under_a_key, NONE);
    let decrypts = r#"{"Statement":[{"Effect":"Allow","Action":["kms:decrypt"],"Resource":["*"]}]}"#;
    let more = [policy[0], ("PolicyName", "key"), ("PolicyDocument", decrypts)];
    let both = |world: &mut World| {
        under_a_key(world);
        world.iam("PutRolePolicy", &more);
    };
    reached(both, "AVAILABLE");
}

#[test]
fn an_instance_that_is_gone_is_no_target() {
    let mut world = with_proxy(&[]);
    world.ok("RegisterDBProxyTargets", TARGET);
    world.ok("DeleteDBInstance", &[("DBInstanceIdentifier", "orders"), ("SkipFinalSnapshot", "true")]);
    world.pass(3600);
    assert!(!world.ok("DescribeDBProxyTargets", NAME).contains("TargetHealth"));
}
