//! One or two calls of each service against moto, which was written for other clients: it takes our signatures, reads our forms and
//! JSON, and writes its answers as it believes AWS does.

use std::sync::Arc;
use std::time::Duration;

use pgherd_aws::{AwsError, Element, Fixed, Form, Service, Session};
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use pgherd_http::{Policy, Safety};
use serde_json::{Value, json};

#[path = "../moto/server.rs"]
mod server;

/// A region for each test, so that none sees what another made.
fn session(region: &str) -> Option<Arc<Session>> {
    Some(Session::of(Fixed {
        region: region.to_owned(),
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret"),
        session_token: None,
        endpoint: Some(server::url()?),
        policy: Policy { first_wait: Duration::from_millis(1), ..Policy::default() },
        answer_within: Duration::from_secs(30),
    }))
}

async fn query(session: &Session, service: Service, form: Form) -> Result<Element, AwsError> {
    session.query(service, session.region(), form, Safety::Repeatable).await
}

async fn ask(session: &Session, service: Service, action: &str, body: Value) -> Value {
    session.json(service, session.region(), action, &body, Safety::Repeatable).await.expect("an answer")
}

#[tokio::test]
async fn rds_makes_and_shows_an_instance() {
    let Some(session) = session("eu-central-1") else { return };
    let form = Form::new("CreateDBInstance")
        .set("DBInstanceIdentifier", "orders")
        .set("DBInstanceClass", "db.t4g.micro")
        .set("Engine", "postgres")
        .set("AllocatedStorage", 20_u32)
        .set("MasterUsername", "postgres")
        .set("MasterUserPassword", &Secret::new("a pass+word%"))
        .set("DeletionProtection", true)
        .set("KmsKeyId", None::<&str>)
        .list("EnableCloudwatchLogsExports", "member", ["postgresql", "upgrade"])
        .list("Tags", "Tag", [Form::part().set("Key", "pgherd:block").set("Value", "orders & ärger")]);
    let made = session.query(Service::Rds, "eu-central-1", form, Safety::LookFirst).await.expect("made");
    assert_eq!(made.text("DBInstance/DBInstanceIdentifier"), Some("orders"));
    let filter = Form::part().set("Name", "db-instance-id").list("Values", "Value", ["orders", "orders-r1"]);
    let shown =
        query(&session, Service::Rds, Form::new("DescribeDBInstances").list("Filters", "Filter", [filter])).await;
    let shown = shown.expect("shown");
    let found: Vec<_> = shown.list("DBInstances", "DBInstance").collect();
    let [instance] = found[..] else { panic!("{found:?}") };
    assert_eq!((instance.int("AllocatedStorage"), instance.bool("DeletionProtection")), (Some(20), Some(true)));
    assert_eq!(
        instance.list("TagList", "Tag").map(|tag| tag.text("Value")).collect::<Vec<_>>(),
        [Some("orders & ärger")]
    );
    let exported = instance.list("EnabledCloudwatchLogsExports", "member");
    assert_eq!(exported.map(|export| export.text.as_str()).collect::<Vec<_>>(), ["postgresql", "upgrade"]);
    assert!(instance.time("InstanceCreateTime").is_some());
    assert_eq!(session.calls(), 2);
}

#[tokio::test]
async fn rds_refuses_with_a_code_and_an_id() {
    let Some(session) = session("eu-west-1") else { return };
    let form = Form::new("DescribeDBInstances").set("DBInstanceIdentifier", "nobody");
    let error = query(&session, Service::Rds, form).await.expect_err("not there");
    assert!(error.is("DBInstanceNotFound") && error.is("DBInstanceNotFoundFault"), "{error}");
    assert_eq!((error.kind(), error.maybe_done), (ErrorKind::NotFound, false));
    assert!(!error.request_id.is_empty(), "{error:?}");
}

#[tokio::test]
async fn an_action_that_moto_lacks_is_unsupported_and_asked_twice() {
    let Some(session) = session("eu-west-2") else { return };
    let error = query(&session, Service::Rds, Form::new("DescribeDBEngineVersions")).await.expect_err("a page");
    assert_eq!((ProviderError::from(error).kind, session.calls()), (ErrorKind::Unsupported, 2));
}

#[tokio::test]
async fn ec2_makes_and_shows_a_security_group() {
    let Some(session) = session("eu-west-3") else { return };
    let vpcs = query(&session, Service::Ec2, Form::new("DescribeVpcs")).await.expect("networks");
    let vpc = vpcs.at("vpcSet/item").and_then(|vpc| vpc.text("vpcId")).expect("a default network");
    let tag = Form::part().set("Key", "pgherd:block").set("Value", "orders");
    let form = Form::new("CreateSecurityGroup")
        .set("GroupName", "orders-db")
        .set("GroupDescription", "orders")
        .set("VpcId", vpc)
        .flat("TagSpecification", [Form::part().set("ResourceType", "security-group").flat("Tag", [tag])]);
    let made = query(&session, Service::Ec2, form).await.expect("made");
    let group = made.text("groupId").expect("an id");
    let range = Form::part().set("CidrIp", "10.0.0.0/8").set("Description", "inside");
    let rule = Form::part()
        .set("IpProtocol", "tcp")
        .set("FromPort", 5432_u32)
        .set("ToPort", 5432_u32)
        .flat("IpRanges", [range]);
    let form = Form::new("AuthorizeSecurityGroupIngress").set("GroupId", group).flat("IpPermissions", [rule]);
    query(&session, Service::Ec2, form).await.expect("allowed");
    let filter = |name: &str, value: &str| Form::part().set("Name", name).flat("Value", [value]);
    let filters = [filter("group-name", "orders-db"), filter("vpc-id", vpc)];
    let shown = query(&session, Service::Ec2, Form::new("DescribeSecurityGroups").flat("Filter", filters)).await;
    let shown = shown.expect("shown");
    let found = shown.at("securityGroupInfo/item").expect("the group");
    assert_eq!(found.text("ipPermissions/item/ipRanges/item/cidrIp"), Some("10.0.0.0/8"));
    assert_eq!(found.text("tagSet/item/value"), Some("orders"));
    let form = Form::new("DeleteSecurityGroup").set("GroupId", "sg-00000000000000000");
    let error = query(&session, Service::Ec2, form).await.expect_err("not there");
    assert!(error.is("InvalidGroup.NotFound") && error.kind() == ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn sts_says_who_asks() {
    let Some(session) = session("us-east-2") else { return };
    let who = query(&session, Service::Sts, Form::new("GetCallerIdentity")).await.expect("somebody");
    assert_eq!(who.text("Account"), Some("123456789012"));
}

#[tokio::test]
async fn iam_makes_and_shows_a_role() {
    let Some(session) = session("us-west-2") else { return };
    let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
    let form = Form::new("CreateRole").set("RoleName", "wire").set("AssumeRolePolicyDocument", &trust);
    query(&session, Service::Iam, form).await.expect("made");
    let policy = "arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";
    let form = Form::new("AttachRolePolicy").set("RoleName", "wire").set("PolicyArn", policy);
    query(&session, Service::Iam, form).await.expect("attached");
    let shown = query(&session, Service::Iam, Form::new("GetRole").set("RoleName", "wire")).await.expect("shown");
    assert_eq!(shown.text("Role/RoleName"), Some("wire"));
    let error = query(&session, Service::Iam, Form::new("GetRole").set("RoleName", "nobody")).await.expect_err("no");
    assert!(error.is("NoSuchEntity") && error.kind() == ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn sns_makes_a_topic() {
    let Some(session) = session("us-west-1") else { return };
    let made =
        query(&session, Service::Sns, Form::new("CreateTopic").set("Name", "orders-alarms")).await.expect("made");
    assert_eq!(made.text("TopicArn"), Some("arn:aws:sns:us-west-1:123456789012:orders-alarms"));
}

#[tokio::test]
async fn cloudwatch_keeps_an_alarm_by_the_query_protocol() {
    let Some(session) = session("sa-east-1") else { return };
    let dimension = Form::part().set("Name", "DBInstanceIdentifier").set("Value", "orders");
    let form = Form::new("PutMetricAlarm")
        .set("AlarmName", "orders-cpu")
        .set("Namespace", "AWS/RDS")
        .set("MetricName", "CPUUtilization")
        .set("Statistic", "Average")
        .set("ComparisonOperator", "GreaterThanThreshold")
        .set("Threshold", 80.5)
        .set("Period", 300_u32)
        .set("EvaluationPeriods", 2_u32)
        .list("Dimensions", "member", [dimension]);
    query(&session, Service::CloudWatch, form).await.expect("kept");
    let shown =
        query(&session, Service::CloudWatch, Form::new("DescribeAlarms").set("AlarmNamePrefix", "orders-")).await;
    let shown = shown.expect("shown");
    let alarm = shown.list("MetricAlarms", "member").next().expect("the alarm");
    assert_eq!((alarm.float("Threshold"), alarm.int("Period")), (Some(80.5), Some(300)));
    assert_eq!(alarm.text("Dimensions/member/Value"), Some("orders"));
}

#[tokio::test]
async fn secrets_manager_keeps_a_secret() {
    let Some(session) = session("ca-central-1") else { return };
    let text = json!({ "username": "app", "password": "p\"w" }).to_string();
    ask(
        &session,
        Service::SecretsManager,
        "CreateSecret",
        json!({ "Name": "pgherd/orders/master", "SecretString": text }),
    )
    .await;
    let read =
        ask(&session, Service::SecretsManager, "GetSecretValue", json!({ "SecretId": "pgherd/orders/master" })).await;
    assert_eq!(read["SecretString"], json!(text));
    let wanted = json!({ "SecretId": "nothing" });
    let error =
        session.json(Service::SecretsManager, "ca-central-1", "GetSecretValue", &wanted, Safety::Repeatable).await;
    let error = error.expect_err("not there");
    assert!(error.is("ResourceNotFoundException") && error.kind() == ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn kms_and_logs_speak_json() {
    let Some(session) = session("ap-south-1") else { return };
    let key = ask(&session, Service::Kms, "CreateKey", json!({})).await;
    let id = key["KeyMetadata"]["KeyId"].clone();
    let shown = ask(&session, Service::Kms, "DescribeKey", json!({ "KeyId": id })).await;
    assert_eq!(shown["KeyMetadata"]["KeyState"], json!("Enabled"));
    let name = "/aws/rds/instance/orders/postgresql";
    ask(&session, Service::Logs, "CreateLogGroup", json!({ "logGroupName": name })).await;
    ask(&session, Service::Logs, "PutRetentionPolicy", json!({ "logGroupName": name, "retentionInDays": 30 })).await;
    let groups =
        ask(&session, Service::Logs, "DescribeLogGroups", json!({ "logGroupNamePrefix": "/aws/rds/instance/orders/" }))
            .await;
    assert_eq!(groups["logGroups"][0]["retentionInDays"], json!(30));
    let again = json!({ "logGroupName": name });
    let error = session.json(Service::Logs, "ap-south-1", "CreateLogGroup", &again, Safety::LookFirst).await;
    let error = error.expect_err("there already");
    assert!(error.is("ResourceAlreadyExistsException") && error.kind() == ErrorKind::Conflict, "{error}");
}
