//! AWS's own clients drive the emulator, unmodified: boto3 and the command line.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use jiff::SignedDuration;
use pgherd_emulate::rds::{self, backed::Backed};
use pgherd_emulate::wire::{Body, Form};
use pgherd_emulate::{Emulator, Options, Running, Speed};
use tempfile::TempDir;
use tokio::process::Command;

/// A program of the checkout's tools, else the one on the path, if it answers.
async fn tool(name: &str, asked: &[&str]) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin").join(name);
    for program in [tools, PathBuf::from(name)] {
        let mut command = Command::new(&program);
        command.args(asked).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().await.is_ok_and(|status| status.success()) {
            return Some(program);
        }
    }
    None
}

/// Each call takes half a minute of the emulator's time, so that nobody's waiters wait for anything.
async fn emulator() -> Running {
    let options = Options { speed: Speed::PerCall { seconds: 30 }, ..Options::default() };
    Emulator::start(options).await.unwrap()
}

/// Has a client know nothing but the emulator: no profile, endpoint or proxy of whoever runs the test.
fn sealed(command: &mut Command, emulator: &Running, home: &TempDir) {
    command
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("HOME", home.path())
        .env("AWS_ENDPOINT_URL", emulator.url())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", home.path().join("config"))
        .env("AWS_SHARED_CREDENTIALS_FILE", home.path().join("credentials"))
        .env("AWS_PAGER", "")
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null());
}

/// Said aloud where a tool is absent, and an error where it must not be.
fn skipped(what: &str) {
    assert!(std::env::var_os("PGHERD_REQUIRE_MOTO").is_none(), "{what} is required here and absent");
    eprintln!("SKIPPED {what}: it is neither in target/tools nor on the path");
}

/// An instance in Ireland whose server does not start with its parameters.
fn broken(emulator: &Running) {
    let sent = [
        ("Action", "CreateDBInstance"),
        ("DBInstanceIdentifier", "broken"),
        ("Engine", "postgres"),
        ("DBInstanceClass", "db.t3.micro"),
        ("AllocatedStorage", "20"),
        ("MasterUsername", "orders"),
        ("MasterUserPassword", "correct-horse"),
    ];
    let body = Body::Form(Form::of(sent));
    emulator.with(|emulation| {
        emulation.tamper("rds", "eu-west-1", "CreateDBInstance", &body, Instant::now()).map(drop).unwrap();
        let mut behind = Backed::default();
        behind.failed = Some("incompatible-parameters");
        emulation.region("eu-west-1").instances.get_mut("broken").unwrap().backed = Some(behind);
    });
}

/// What a script of boto3 says; nothing without boto3. What it asked of RDS, and was not refused, is added.
async fn boto3(script: &str, driven: &mut BTreeSet<String>) -> Option<String> {
    let Some(python) = tool("python3", &["-c", "import boto3"]).await else {
        skipped("boto3");
        return None;
    };
    let (emulator, home) = (emulator().await, tempfile::tempdir().unwrap());
    broken(&emulator);
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certified").join(script)).arg(emulator.url());
    sealed(&mut command, &emulator, &home);
    let ended = command.output().await.unwrap();
    let asked = emulator.asked().into_iter().filter(|asked| asked.service == "rds" && asked.outcome == "ok");
    driven.extend(asked.map(|asked| asked.action));
    emulator.stop().await;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    Some(said)
}

/// Both scripts together ask for every action there is: who adds one has boto3 drive it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_lives_a_whole_life_and_leaves_no_action_out() {
    let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
    let (life, rest) = tokio::join!(boto3("life.py", &mut first), boto3("rest.py", &mut second));
    if let (Some(life), Some(rest)) = (life, rest) {
        insta::assert_snapshot!("boto3_lives_a_whole_life", life);
        insta::assert_snapshot!("boto3_does_the_rest", rest);
        let missing: Vec<_> = rds::actions().filter(|it| !first.contains(*it) && !second.contains(*it)).collect();
        assert_eq!(missing, [""; 0]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_uses_what_stands_around() {
    if let Some(said) = boto3("around.py", &mut BTreeSet::new()).await {
        insta::assert_snapshot!(said);
    }
}

/// What the command line says; what it is refused, by its last line.
async fn aws(program: &Path, emulator: &Running, home: &TempDir, arguments: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments.split(' ')).args(["--output", "text"]);
    sealed(&mut command, emulator, home);
    // In us-east-1 the first version of the command line goes to rds.amazonaws.com, whatever AWS_ENDPOINT_URL says.
    command.env("AWS_DEFAULT_REGION", "eu-west-1");
    let ended = command.output().await.unwrap();
    let said = if ended.status.success() { &ended.stdout } else { &ended.stderr };
    let said = String::from_utf8_lossy(said).trim().to_owned();
    format!("$ aws {arguments}\n{said}\n")
}

const COMMANDS: &[&str] = &[
    "sts get-caller-identity --query Arn",
    "ec2 create-security-group --group-name orders-db --description orders --vpc-id vpc-default --query GroupId",
    "ec2 authorize-security-group-ingress --group-id sg-00000000000000003 --protocol tcp --port 5432 --cidr 10.0.0.0/8 --query SecurityGroupRules[].CidrIpv4",
    "ec2 authorize-security-group-ingress --group-id sg-00000000000000003 --protocol tcp --port 5432 --cidr 10.0.0.0/8",
    "secretsmanager create-secret --name orders --secret-string first --query Name",
    "secretsmanager put-secret-value --secret-id orders --secret-string second --query VersionStages",
    "secretsmanager get-secret-value --secret-id orders --query SecretString",
    "secretsmanager get-secret-value --secret-id orders --version-stage AWSPREVIOUS --query SecretString",
    "rds create-db-instance --db-instance-identifier orders --engine postgres --db-instance-class db.t3.micro --allocated-storage 20 --master-username orders --master-user-password correct-horse --query DBInstance.DBInstanceStatus",
    "rds describe-db-instances --db-instance-identifier orders --query DBInstances[].DBInstanceStatus",
    "rds wait db-instance-available --db-instance-identifier orders",
    "rds modify-db-instance --db-instance-identifier orders --db-instance-class db.t3.small --apply-immediately --query DBInstance.PendingModifiedValues.DBInstanceClass",
    "rds wait db-instance-available --db-instance-identifier orders",
    "rds create-db-snapshot --db-instance-identifier orders --db-snapshot-identifier before --query DBSnapshot.Status",
    "rds wait db-snapshot-available --db-snapshot-identifier before",
    "rds restore-db-instance-from-db-snapshot --db-instance-identifier copy --db-snapshot-identifier before --query DBInstance.[DBInstanceStatus,DBInstanceClass]",
    "rds delete-db-instance --db-instance-identifier orders --skip-final-snapshot --query DBInstance.DBInstanceStatus",
    "rds wait db-instance-deleted --db-instance-identifier orders",
    "rds describe-db-instances --query DBInstances[].[DBInstanceIdentifier,DBInstanceStatus]",
    "cloudwatch put-metric-alarm --alarm-name orders-cpu --namespace AWS/RDS --metric-name CPUUtilization --dimensions Name=DBInstanceIdentifier,Value=orders --statistic Average --period 300 --evaluation-periods 2 --threshold 80 --comparison-operator GreaterThanThreshold",
    "cloudwatch describe-alarms --alarm-name-prefix orders- --query MetricAlarms[].[AlarmName,Threshold,StateValue]",
    "logs create-log-group --log-group-name /aws/rds/instance/orders/postgresql",
    "logs put-retention-policy --log-group-name /aws/rds/instance/orders/postgresql --retention-in-days 30",
    "logs describe-log-groups --query logGroups[].[logGroupName,retentionInDays]",
    "sns create-topic --name orders-alarms --query TopicArn",
    "kms describe-key --key-id alias/aws/rds --query KeyMetadata.[KeyManager,KeyState]",
    "iam create-role --role-name orders-monitoring --assume-role-policy-document {\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"monitoring.rds.amazonaws.com\"},\"Action\":\"sts:AssumeRole\"}} --query Role.Arn",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_drives_it() {
    let Some(program) = tool("aws", &["--version"]).await else {
        return skipped("the command line of AWS");
    };
    let (emulator, home) = (emulator().await, tempfile::tempdir().unwrap());
    let mut said = String::new();
    for arguments in COMMANDS {
        if arguments.contains(" wait ") {
            // Its waiters look every half a minute, and once is enough.
            emulator.advance(SignedDuration::from_hours(1));
        }
        said += &aws(&program, &emulator, &home, arguments).await;
    }
    emulator.stop().await;
    insta::assert_snapshot!(said);
}
