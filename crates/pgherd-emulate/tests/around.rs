//! What stands around RDS, as it goes over the wire, for machines without a client of AWS.

use std::time::Instant;

use jiff::SignedDuration;
use pgherd_emulate::Speed;
use pgherd_emulate::emulation::{Emulation, Reply};
use pgherd_emulate::wire::Sent;

struct World {
    emulation: Emulation,
    real: Instant,
}

impl World {
    fn new() -> Self {
        let real = Instant::now();
        Self { emulation: Emulation::new(Speed::Still, real), real }
    }

    /// The body of an answer, or of a refusal.
    fn send(&mut self, service: &str, target: Option<&str>, body: &str) -> Result<String, String> {
        let scope = format!("AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, Signature=0");
        let sent = Sent { path: "/", authorization: Some(&scope), target, body: body.as_bytes() };
        let Reply::Answer(answer) = self.emulation.reply(sent, self.real) else { return Err("nothing".to_owned()) };
        let body = String::from_utf8(answer.written.body).unwrap();
        if answer.status == 200 { Ok(body) } else { Err(body) }
    }

    #[track_caller]
    fn ok(&mut self, service: &str, body: &str) -> String {
        self.send(service, None, body).unwrap_or_else(|refusal| panic!("{body}: {refusal}"))
    }

    #[track_caller]
    fn refused(&mut self, service: &str, body: &str, code: &str) {
        let refusal = self.send(service, None, body).expect_err(body);
        assert!(refusal.contains(&format!("<Code>{code}</Code>")), "{body}: {refusal}");
    }

    /// An action of Secrets Manager; refusals begin with their code.
    fn secret(&mut self, action: &str, body: &str) -> String {
        let said = self.send("secretsmanager", Some(&format!("secretsmanager.{action}")), body);
        said.unwrap_or_else(|refusal| {
            let refusal: serde_json::Value = serde_json::from_str(&refusal).unwrap();
            refusal["__type"].as_str().unwrap().to_owned()
        })
    }
}

const RULE: &str = "&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=5432&IpPermissions.1.ToPort=5432&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8";

#[test]
fn a_security_group_is_held_by_what_refers_to_it() {
    let mut world = World::new();
    let made = world.ok("ec2", "Action=CreateSecurityGroup&GroupName=db&GroupDescription=d&VpcId=vpc-default");
    let id = made.split("<groupId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let create = format!(
        "Action=CreateDBInstance&DBInstanceIdentifier=orders&Engine=postgres&DBInstanceClass=db.t3.micro&AllocatedStorage=20&MasterUsername=u&MasterUserPassword=correct-horse&VpcSecurityGroupIds.VpcSecurityGroupId.1={id}"
    );
    world.ok("rds", &create);
    world.refused("ec2", &format!("Action=DeleteSecurityGroup&GroupId={id}"), "DependencyViolation");
    world.ok("rds", "Action=DeleteDBInstance&DBInstanceIdentifier=orders&SkipFinalSnapshot=true");
    world.emulation.clock.advance(SignedDuration::from_hours(1), world.real);
    world.ok("ec2", &format!("Action=DeleteSecurityGroup&GroupId={id}"));
}

#[test]
fn rules_are_opened_all_together_or_not_at_all() {
    let mut world = World::new();
    let open = format!("Action=AuthorizeSecurityGroupIngress&GroupId=sg-default{RULE}");
    world.ok("ec2", &open);
    world.refused("ec2", &open, "InvalidPermission.Duplicate");
    let both = format!("{open}&IpPermissions.1.IpRanges.2.CidrIp=192.168.0.0%2F16");
    world.refused("ec2", &both, "InvalidPermission.Duplicate");
    assert!(!world.ok("ec2", "Action=DescribeSecurityGroups").contains("192.168"));
    let unknown = format!("Action=AuthorizeSecurityGroupIngress&GroupId=sg-absent{RULE}");
    world.refused("ec2", &unknown, "InvalidGroup.NotFound");
}

#[test]
fn a_secret_keeps_the_password_in_force_at_every_step_of_a_rotation() {
    let mut world = World::new();
    let (one, two) = ("1".repeat(32), "2".repeat(32));
    let create = format!(r#"{{"Name":"s","ClientRequestToken":"{one}","SecretString":"old"}}"#);
    assert_eq!(world.secret("CreateSecret", &create), world.secret("CreateSecret", &create));
    assert_eq!(world.secret("CreateSecret", &create.replace("old", "other")), "ResourceExistsException");
    assert_eq!(world.secret("CreateSecret", r#"{"Name":"t","SecretString":"x"}"#), "InvalidParameterException");
    let pending = format!(
        r#"{{"SecretId":"s","ClientRequestToken":"{two}","SecretString":"new","VersionStages":["AWSPENDING"]}}"#
    );
    world.secret("PutSecretValue", &pending);
    assert!(world.secret("GetSecretValue", r#"{"SecretId":"s"}"#).contains("old"));
    let move_to = format!(r#"{{"SecretId":"s","VersionStage":"AWSCURRENT","MoveToVersionId":"{two}"}}"#);
    assert_eq!(world.secret("UpdateSecretVersionStage", &move_to), "InvalidParameterException");
    let both = move_to.replace('}', &format!(r#","RemoveFromVersionId":"{one}"}}"#));
    world.secret("UpdateSecretVersionStage", &both);
    assert!(world.secret("GetSecretValue", r#"{"SecretId":"s"}"#).contains("new"));
    assert!(world.secret("GetSecretValue", r#"{"SecretId":"s","VersionStage":"AWSPREVIOUS"}"#).contains("old"));
}

#[test]
fn an_alarm_is_the_same_in_a_form_and_in_json() {
    let mut world = World::new();
    let put = "Action=PutMetricAlarm&AlarmName=cpu&Namespace=AWS%2FRDS&MetricName=CPUUtilization&Statistic=Average&Period=300&EvaluationPeriods=2&Threshold=80&ComparisonOperator=GreaterThanThreshold&Dimensions.member.1.Name=DBInstanceIdentifier&Dimensions.member.1.Value=orders";
    world.ok("monitoring", put);
    let form = world.ok("monitoring", "Action=DescribeAlarms&AlarmNamePrefix=c");
    assert!(
        form.contains("<Threshold>80.0</Threshold>") && form.contains("<StateUpdatedTimestamp>2026-01-01T00:00:00Z<"),
        "{form}"
    );
    let target = Some("GraniteServiceVersion20100801.DescribeAlarms");
    let json = world.send("monitoring", target, r#"{"AlarmNames":["cpu"]}"#).unwrap();
    assert!(json.contains(r#""Threshold":80.0"#) && json.contains(r#""Value":"orders""#), "{json}");
    world.refused("monitoring", &put.replace("Period=300", "Period=45"), "ValidationError");
}

#[test]
fn a_role_with_policies_cannot_be_deleted() {
    let mut world = World::new();
    let trust = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22*%22%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D";
    world.ok("iam", &format!("Action=CreateRole&RoleName=m&AssumeRolePolicyDocument={trust}"));
    let policy = "PolicyArn=arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole";
    world.ok("iam", &format!("Action=AttachRolePolicy&RoleName=m&{policy}"));
    world.refused("iam", "Action=DeleteRole&RoleName=m", "DeleteConflict");
    world.ok("iam", &format!("Action=DetachRolePolicy&RoleName=m&{policy}"));
    world.ok("iam", "Action=DeleteRole&RoleName=m");
    world.refused("iam", "Action=GetRole&RoleName=m", "NoSuchEntity");
}
