//! What a single value must be like.

use std::collections::BTreeSet;

use super::Call;
use super::instance::{Insights, Monitoring};
use super::state::Region;
use super::window::Window;
use crate::wire::{Form, Refusal};

/// The logs that can be exported.
pub const LOGS: [&str; 3] = ["postgresql", "upgrade", "iam-db-auth-error"];

/// Names that the server keeps for itself. `rdsadmin` and `admin` are AWS's; `pg_` is PostgreSQL's own rule.
const RESERVED: [&str; 4] = ["admin", "rdsadmin", "rdsrepladmin", "postgres_rds"];

/// An identifier of RDS: letters, digits and single hyphens, a letter first.
pub fn identifier(what: &str, id: &str, longest: usize) -> Result<(), Refusal> {
    let fits = (1..=longest).contains(&id.len())
        && id.starts_with(|first: char| first.is_ascii_alphabetic())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !id.contains("--")
        && !id.ends_with('-');
    fits.then_some(()).ok_or_else(|| {
        Refusal::value(format!(
            "The parameter {what} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
        ))
    })
}

/// A name for the master user.
pub fn username(name: &str) -> Result<(), Refusal> {
    let fits = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !fits {
        return Err(Refusal::value("The parameter MasterUsername is not a valid identifier."));
    }
    let lower = name.to_lowercase();
    match RESERVED.contains(&lower.as_str()) || lower.starts_with("pg_") {
        true => Err(Refusal::value(format!(
            "MasterUsername {name} cannot be used as it is a reserved word used by the engine"
        ))),
        false => Ok(()),
    }
}

/// A master password.
pub fn password(password: &str) -> Result<(), Refusal> {
    let is_printable = password.bytes().all(|byte| byte.is_ascii_graphic() && !b"/\"@".contains(&byte));
    if !is_printable {
        return Err(Refusal::value(
            "The parameter MasterUserPassword is not a valid password. Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.",
        ));
    }
    match password.len() {
        0..8 => Err(Refusal::value(
            "The parameter MasterUserPassword is not a valid password because it is shorter than 8 characters.",
        )),
        8..=128 => Ok(()),
        _ => Err(Refusal::value(
            "The parameter MasterUserPassword is not a valid password because it is longer than 128 characters.",
        )),
    }
}

/// A name for the first database.
pub fn database(name: &str) -> Result<(), Refusal> {
    let fits = (1..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then_some(())
        .ok_or_else(|| Refusal::value("DBName must begin with a letter and contain only alphanumeric characters."))
}

/// Days that backups are kept.
pub fn retention(days: i64) -> Result<(), Refusal> {
    (0..=35)
        .contains(&days)
        .then_some(())
        .ok_or_else(|| Refusal::value(format!("Invalid backup retention period: {days}. Must be between 0 and 35.")))
}

/// A port.
pub fn port(port: i64) -> Result<(), Refusal> {
    (1150..=65_535)
        .contains(&port)
        .then_some(())
        .ok_or_else(|| Refusal::value(format!("Invalid port: {port}. Must be between 1150 and 65535.")))
}

/// The two windows of an instance.
pub fn windows(backup: &str, maintenance: &str) -> Result<(), Refusal> {
    let of = |what: &str, text: &str, is_daily: bool| {
        let window: Option<Window> = text.parse().ok();
        let window = window.filter(|window| window.is_daily() == is_daily);
        let window = window.ok_or_else(|| Refusal::value(format!("Invalid {what} window format: {text}")))?;
        match window.minutes() {
            0..30 => Err(Refusal::value(format!("The {what} window must be at least 30 minutes: {text}"))),
            minutes if !is_daily && minutes > 24 * 60 => {
                Err(Refusal::value(format!("The {what} window must be less than 24 hours: {text}")))
            }
            _ => Ok(window),
        }
    };
    match of("backup", backup, true)?.overlaps(of("maintenance", maintenance, false)?) {
        true => Err(Refusal::value("The backup window and maintenance window must not overlap.")),
        false => Ok(()),
    }
}

/// Enhanced monitoring, where a request says something of it.
pub fn monitoring(form: &Form, before: &Monitoring, call: &Call) -> Result<Option<Monitoring>, Refusal> {
    let (interval, role) = (form.int("MonitoringInterval")?, form.text("MonitoringRoleArn"));
    if interval.is_none() && role.is_none() {
        return Ok(None);
    }
    let interval_s = interval.unwrap_or(before.interval_s);
    if ![0, 1, 5, 10, 15, 30, 60].contains(&interval_s) {
        return Err(Refusal::value(format!(
            "Invalid monitoring interval: {interval_s}. Valid values are 0, 1, 5, 10, 15, 30, 60."
        )));
    }
    match (interval_s, role.map(str::to_owned)) {
        (0, Some(_)) => Err(Refusal::combination(
            "You must specify a MonitoringInterval value other than 0 when you specify a MonitoringRoleARN value.",
        )),
        (0, None) => Ok(Some(Monitoring::default())),
        (_, role) => match role.or_else(|| before.role.clone()) {
            None => Err(Refusal::combination(
                "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
            )),
            Some(role) if !writes_samples(call, &role) => Err(Refusal::value(
                "The IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
            )),
            role => Ok(Some(Monitoring { interval_s, role })),
        },
    }
}

/// Whether the role of an ARN may write what enhanced monitoring sees.
fn writes_samples(call: &Call, role: &str) -> bool {
    let stream = "arn:aws:logs:us-east-1:123456789012:log-group:RDSOSMetrics:log-stream:any";
    call.roles.allows(role, "monitoring.rds.amazonaws.com", "logs:PutLogEvents", stream)
}

/// A key that data can be encrypted with.
pub fn key(region: &Region, named: &str) -> Result<(), Refusal> {
    match region.keys.encrypts(named) {
        true => Ok(()),
        false => Err(Refusal::of(
            "KMSKeyNotAccessibleFault",
            format!(
                "The specified KMS key [{named}] does not exist, is not enabled or you do not have permissions to access it."
            ),
        )),
    }
}

/// Performance Insights, where a request says something of it.
pub fn insights(
    region: &Region,
    form: &Form,
    before: Option<&Insights>,
    mode: &str,
) -> Result<Option<(Option<Insights>, String)>, Refusal> {
    let asked = form.bool("EnablePerformanceInsights")?;
    let retention = form.int("PerformanceInsightsRetentionPeriod")?;
    let key = form.text("PerformanceInsightsKMSKeyId");
    let new_mode = form.text("DatabaseInsightsMode");
    if asked.is_none() && retention.is_none() && key.is_none() && new_mode.is_none() {
        return Ok(None);
    }
    let mode = new_mode.unwrap_or(mode).to_owned();
    if !["standard", "advanced"].contains(&mode.as_str()) {
        return Err(Refusal::value(format!("Invalid DatabaseInsightsMode: {mode}")));
    }
    if !asked.unwrap_or(before.is_some()) {
        return match retention.is_some() || key.is_some() {
            true => {
                Err(Refusal::combination("Performance Insights must be enabled to set its retention period or key."))
            }
            false => Ok(Some((None, mode))),
        };
    }
    let retention_days = retention.or(before.map(|before| before.retention_days)).unwrap_or(7);
    let is_months = retention_days % 31 == 0 && (1..=23).contains(&(retention_days / 31));
    if !(retention_days == 7 || retention_days == 731 || is_months) {
        return Err(Refusal::value(format!("Invalid Performance Insights retention period: {retention_days}")));
    }
    if mode == "advanced" && retention_days < 465 {
        return Err(Refusal::combination(
            "Database Insights advanced mode needs a retention period of at least 465 days.",
        ));
    }
    if let Some(key) = key {
        self::key(region, key)?;
    }
    let kept = before.map(|before| before.kms_key.as_str());
    match (kept, key) {
        (Some(kept), Some(key)) if kept != key => {
            Err(Refusal::combination("The Performance Insights KMS key of an instance can't be changed."))
        }
        (kept, key) => {
            let kms_key = key.or(kept).unwrap_or("alias/aws/rds").to_owned();
            Ok(Some((Some(Insights { retention_days, kms_key }), mode)))
        }
    }
}

/// Log types that exist.
pub fn logs(types: Option<Vec<&str>>) -> Result<BTreeSet<String>, Refusal> {
    let types = types.unwrap_or_default();
    match types.iter().find(|kind| !LOGS.contains(kind)) {
        Some(kind) => {
            Err(Refusal::combination(format!("You cannot use the log types '{kind}' with engine version postgres.")))
        }
        None => Ok(types.into_iter().map(str::to_owned).collect()),
    }
}

/// Security groups that exist and are in the VPC.
pub fn security_groups(region: &Region, ids: &[&str], vpc: &str) -> Result<Vec<String>, Refusal> {
    for id in ids {
        match region.around.security_groups.get(*id) {
            None => return Err(Refusal::value(format!("Invalid security group , groupId= {id}, groupName=."))),
            Some(group) if group.vpc != vpc => {
                return Err(Refusal::of(
                    "InvalidVPCNetworkStateFault",
                    "The DB instance and EC2 security group are in different VPCs.",
                ));
            }
            Some(_) => {}
        }
    }
    Ok(ids.iter().map(|id| (*id).to_owned()).collect())
}
