//! Who does it, and how.

use std::path::Path;
use std::process::Command;

use super::account::Account;
use super::{Cost, answers};
use crate::bench::Measured;

/// What is done with the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// It is made, and waited for.
    Create,
    /// It is looked at, and there is nothing to do.
    Noop,
    /// Its backups are kept for another number of days, and that is waited for.
    Modify,
}

/// Who does it.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// What its figures are called: wall, CPU, memory and requests of making, looking and changing.
    rows: [[&'static str; 4]; 3],
}

/// pgherd, and what it is measured against: each with tools of the checkout, or else from the path. Ansible's modules for AWS are part of
/// PyPI's `ansible`, and want boto3 beside it.
pub(super) const CLIENTS: &[Client] = &[
    Client {
        name: "pgherd",
        rows: [
            [
                "aws: create: pgherd: wall",
                "aws: create: pgherd: CPU",
                "aws: create: pgherd: memory",
                "aws: create: pgherd: requests",
            ],
            [
                "aws: no-op: pgherd: wall",
                "aws: no-op: pgherd: CPU",
                "aws: no-op: pgherd: memory",
                "aws: no-op: pgherd: requests",
            ],
            [
                "aws: modify: pgherd: wall",
                "aws: modify: pgherd: CPU",
                "aws: modify: pgherd: memory",
                "aws: modify: pgherd: requests",
            ],
        ],
    },
    Client {
        name: "boto3",
        rows: [
            [
                "aws: create: boto3: wall",
                "aws: create: boto3: CPU",
                "aws: create: boto3: memory",
                "aws: create: boto3: requests",
            ],
            [
                "aws: no-op: boto3: wall",
                "aws: no-op: boto3: CPU",
                "aws: no-op: boto3: memory",
                "aws: no-op: boto3: requests",
            ],
            [
                "aws: modify: boto3: wall",
                "aws: modify: boto3: CPU",
                "aws: modify: boto3: memory",
                "aws: modify: boto3: requests",
            ],
        ],
    },
    Client {
        name: "aws",
        rows: [
            [
                "aws: create: aws CLI: wall",
                "aws: create: aws CLI: CPU",
                "aws: create: aws CLI: memory",
                "aws: create: aws CLI: requests",
            ],
            [
                "aws: no-op: aws CLI: wall",
                "aws: no-op: aws CLI: CPU",
                "aws: no-op: aws CLI: memory",
                "aws: no-op: aws CLI: requests",
            ],
            [
                "aws: modify: aws CLI: wall",
                "aws: modify: aws CLI: CPU",
                "aws: modify: aws CLI: memory",
                "aws: modify: aws CLI: requests",
            ],
        ],
    },
    Client {
        name: "ansible",
        rows: [
            [
                "aws: create: Ansible: wall",
                "aws: create: Ansible: CPU",
                "aws: create: Ansible: memory",
                "aws: create: Ansible: requests",
            ],
            [
                "aws: no-op: Ansible: wall",
                "aws: no-op: Ansible: CPU",
                "aws: no-op: Ansible: memory",
                "aws: no-op: Ansible: requests",
            ],
            [
                "aws: modify: Ansible: wall",
                "aws: modify: Ansible: CPU",
                "aws: modify: Ansible: memory",
                "aws: modify: Ansible: requests",
            ],
        ],
    },
];

impl Client {
    /// Whether it is installed.
    pub(super) fn is_there(&self) -> bool {
        match self.name {
            "boto3" => answers(&tool("python3"), &["-c", "import boto3"]),
            "aws" => answers(&tool("aws"), &["--version"]),
            "ansible" => answers(&tool("ansible-doc"), &["--list", "amazon.aws"]),
            _ => true,
        }
    }

    /// Its figures. Bars are of what they are held against, further down.
    pub(super) fn rows(&self, costs: &[Cost; 3]) -> Vec<Measured> {
        let of = |(names, cost): (&[&'static str; 4], &Cost)| {
            let figures = [(cost.wall_s, "s"), (cost.cpu_s, "s"), (cost.peak_mib, "MiB"), (cost.requests, "")];
            let row = |(what, (figure, unit)): (&&'static str, (f64, &'static str))| Measured {
                what,
                figure,
                bar: f64::INFINITY,
                unit,
            };
            names.iter().zip(figures).map(row).collect::<Vec<_>>()
        };
        self.rows.iter().zip(costs).flat_map(of).collect()
    }

    /// The programs it takes, one after another.
    pub(super) fn commands(&self, account: &Account, doing: Doing) -> Result<Vec<Command>, String> {
        match self.name {
            "pgherd" => Ok(vec![match doing {
                Doing::Create => account.pgherd(&["apply", "--yes"], 7)?,
                Doing::Noop => account.pgherd(&["plan"], 7)?,
                Doing::Modify => account.pgherd(&["apply", "--yes"], 8)?,
            }]),
            "boto3" => {
                let mut command = account.command(&tool("python3"));
                command.args(["-c", include_str!("block.py"), doing.word()]);
                Ok(vec![command])
            }
            "ansible" => {
                let days = if doing == Doing::Modify { 8 } else { 7 };
                Ok(vec![account.ansible(&tool("ansible-playbook"), include_str!("block.yml"), days)?])
            }
            _ => Ok(of_command_line(doing)
                .map(|line| {
                    let mut command = account.command(&tool("aws"));
                    command.args(line.split_whitespace());
                    command
                })
                .collect()),
        }
    }
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Noop => "noop",
            Self::Modify => "modify",
        }
    }
}

/// A tool of the checkout, else the one on the path.
fn tool(name: &str) -> String {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/bin").join(name);
    if ours.exists() { ours.to_string_lossy().into_owned() } else { name.to_owned() }
}

/// What AWS's command line is told: a line each, as there is no blank in any argument.
fn of_command_line(doing: Doing) -> impl Iterator<Item = String> {
    const SECRET: &str = "pgherd/orders/master";
    let alarm = |(name, metric): (&str, &str)| {
        format!(
            "cloudwatch put-metric-alarm --alarm-name orders-{name} --namespace AWS/RDS --metric-name {metric} \
             --dimensions Name=DBInstanceIdentifier,Value=orders --statistic Average --period 300 --evaluation-periods 2 \
             --threshold 80 --comparison-operator GreaterThanThreshold"
        )
    };
    let text = |text: &str| text.to_owned();
    let wait = text("rds wait db-instance-available --db-instance-identifier orders");
    let secret = |action: &str, id: &str| {
        format!(
            "secretsmanager {action} {id} {SECRET} --secret-string {{\"username\":\"orders\",\"password\":\"correct-horse\"}}"
        )
    };
    let lines = match doing {
        Doing::Create => {
            let create = "rds create-db-instance --db-instance-identifier orders --engine postgres --engine-version 16.13 \
                          --db-instance-class db.t3.micro --allocated-storage 20 --storage-type gp3 --storage-encrypted \
                          --master-username orders --master-user-password correct-horse --backup-retention-period 7 \
                          --db-parameter-group-name default.postgres16 --vpc-security-group-ids sg-default \
                          --no-publicly-accessible";
            let first =
                [secret("create-secret", "--name"), text(create), wait, secret("put-secret-value", "--secret-id")];
            first.into_iter().chain(ALARMS.map(alarm)).collect()
        }
        Doing::Noop => vec![
            text("rds describe-db-instances --db-instance-identifier orders"),
            format!("secretsmanager get-secret-value --secret-id {SECRET}"),
            text("cloudwatch describe-alarms --alarm-name-prefix orders-"),
        ],
        Doing::Modify => vec![
            text(
                "rds modify-db-instance --db-instance-identifier orders --backup-retention-period 8 --apply-immediately",
            ),
            wait,
        ],
    };
    lines.into_iter()
}

const ALARMS: [(&str, &str); 5] = [
    ("cpu", "CPUUtilization"),
    ("connections", "DatabaseConnections"),
    ("storage", "FreeStorageSpace"),
    ("read-latency", "ReadLatency"),
    ("burst-credits", "CPUCreditBalance"),
];
