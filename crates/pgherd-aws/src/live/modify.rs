//! Changes of an instance as the calls of ModifyDBInstance they take, in order. Pure.
//!
//! What is safe rides together and first; storage, the rest that the flag decides, and the engine each go alone (RDS refuses some of
//! them together, and every half-way point is one to stay at). `ApplyImmediately` is always said: true also fires all that waits, so
//! only a call whose changes need it says so.

use pgherd_core::plan::{Change, When};
use pgherd_core::value::Value;
use pgherd_core::version::Version;

/// How a field gets into force, by ModifyDBInstance of botocore 1.43.11 ("Applied immediately" or with the flag).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rides {
    /// Not by ModifyDBInstance: tags have calls of their own.
    Tags,
    /// At once, whatever the flag says.
    AtOnce,
    /// With the flag, else in the window; storage goes alone, it may be refused for hours after another change of it.
    Storage,
    /// With the flag, else in the window.
    Flag,
    /// The same, and alone.
    Engine,
    /// Attached at once, in force after a reboot.
    Reboot,
}

/// How a field rides. `None`: it never changes.
pub fn rides(field: &str) -> Option<Rides> {
    let rides = match field {
        "AutoMinorVersionUpgrade"
        | "MaxAllocatedStorage"
        | "VpcSecurityGroupIds"
        | "PubliclyAccessible"
        | "Port"
        | "PreferredBackupWindow"
        | "PreferredMaintenanceWindow"
        | "DeletionProtection"
        | "CopyTagsToSnapshot"
        | "EnablePerformanceInsights"
        | "DatabaseInsightsMode"
        | "PerformanceInsightsRetentionPeriod"
        | "MonitoringInterval"
        | "MonitoringRoleArn"
        | "EnableCloudwatchLogsExports" => Rides::AtOnce,
        "AllocatedStorage" | "StorageType" | "Iops" | "StorageThroughput" => Rides::Storage,
        "DBInstanceClass"
        | "MultiAZ"
        | "BackupRetentionPeriod"
        | "EnableIAMDatabaseAuthentication"
        | "OptionGroupName" => Rides::Flag,
        "EngineVersion" => Rides::Engine,
        "DBParameterGroupName" => Rides::Reboot,
        _ if field.starts_with("Tags.") || field == "Tags" => Rides::Tags,
        _ => return None,
    };
    Some(rides)
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Modify {
    /// Fields and what they should be, in our names.
    pub fields: Vec<(String, Value)>,
    /// `ApplyImmediately`.
    pub immediately: bool,
    /// Whether a reboot is to follow, which alone brings what was attached.
    pub reboot: bool,
    /// Whether it is for the window, so that nobody waits for it.
    pub is_for_window: bool,
}

/// The calls that changes take, in order; tags and what is fixed are left to others.
///
/// A major upgrade needs the parameter group of the new family in its own call, whenever that is for. An instance whose storage is full
/// takes nothing before it has more of it.
pub fn calls(changes: &[Change], is_full: bool) -> Vec<Modify> {
    let of = |wanted: Rides| move |change: &&Change| rides_now(change) == Some(wanted);
    let is_later = |change: &&Change| matches!(change.when, When::Window { .. }) && is_deferrable(change);
    let now =
        |wanted: Rides| -> Vec<&Change> { changes.iter().filter(of(wanted)).filter(|one| !is_later(one)).collect() };
    let mut later: Vec<&Change> = changes.iter().filter(is_later).collect();
    let (mut engine, mut at_once, attached) = (now(Rides::Engine), now(Rides::AtOnce), now(Rides::Reboot));
    let mut reboots = false;
    if !engine.is_empty() {
        engine.extend(attached);
    } else if later.iter().any(|change| is_major(change)) {
        later.extend(attached);
    } else {
        reboots = attached.iter().any(|change| change.when == When::Now);
        at_once.extend(attached);
    }
    let storage = call(now(Rides::Storage), true);
    let at_once = Modify { reboot: reboots, ..call(at_once, false) };
    let mut calls = if is_full { vec![storage, at_once] } else { vec![at_once, storage] };
    calls.extend([call(now(Rides::Flag), true), call(engine, true)]);
    calls.push(Modify { is_for_window: true, ..call(later, false) });
    calls.retain(|call| !call.fields.is_empty());
    calls
}

/// Whether a change is one to another major.
pub(crate) fn is_major(change: &Change) -> bool {
    let major = |value: &Value| value.as_text().and_then(Version::parse).map(|version| version.major);
    change.field == "EngineVersion" && major(&change.from) != major(&change.to)
}

/// How a change rides: another number of days that backups are kept is in force at once; none, or some again, only with the flag, of an
/// instance that nobody uses yet too.
fn rides_now(change: &Change) -> Option<Rides> {
    let keeps = |days: &Value| days.as_int().map(|days| days > 0);
    match rides(&change.field) {
        Some(Rides::Flag) if change.field == "BackupRetentionPeriod" && keeps(&change.from) == keeps(&change.to) => {
            Some(Rides::AtOnce)
        }
        rides => rides,
    }
}

/// Whether the window can do it; what rides at once or at a reboot does not wait for one.
fn is_deferrable(change: &Change) -> bool {
    matches!(rides(&change.field), Some(Rides::Storage | Rides::Flag | Rides::Engine))
}

fn call(changes: Vec<&Change>, immediately: bool) -> Modify {
    let fields = changes.into_iter().map(|change| (change.field.clone(), change.to.clone())).collect();
    Modify { fields, immediately, reboot: false, is_for_window: false }
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::{Impact, Owner};

    use super::*;
    use crate::kinds::{instance, replica};

    const WINDOW: When = When::Window { opens: jiff::Timestamp::UNIX_EPOCH };

    fn change(field: &str, when: &When) -> Change {
        let (from, to) = (Value::text("16.13"), Value::text("16.14"));
        Change { field: field.to_owned(), from, to, impact: Impact::None, when: when.clone() }
    }

    #[track_caller]
    fn check(changes: &[(&str, When)], expected: &[&str]) {
        let changes: Vec<Change> = changes.iter().map(|(field, when)| change(field, when)).collect();
        let shown: Vec<String> = calls(&changes, false).iter().map(shown).collect();
        assert_eq!(shown, expected);
    }

    fn shown(call: &Modify) -> String {
        let fields: Vec<&str> = call.fields.iter().map(|(field, _)| field.as_str()).collect();
        let immediately = if call.immediately { " immediately" } else { "" };
        let reboot = if call.reboot { ", then reboot" } else { "" };
        format!("{}{immediately}{reboot}", fields.join(" "))
    }

    #[test]
    fn every_field_that_may_change_rides_somehow() {
        for kind in [&instance::KIND, &replica::KIND] {
            for field in kind.fields {
                let changes = matches!(field.owner, Owner::Set | Owner::Floor);
                assert_eq!(rides(field.name).is_some(), changes, "{} {}", kind.name, field.name);
            }
        }
    }

    #[test]
    fn what_is_safe_goes_first_and_the_rest_one_after_another() {
        check(
            &[
                ("EngineVersion", When::Now),
                ("DBInstanceClass", When::Now),
                ("MultiAZ", When::Now),
                ("AllocatedStorage", When::Now),
                ("Iops", When::Now),
                ("DeletionProtection", When::Now),
                ("Tags.Owner", When::Now),
            ],
            &[
                "DeletionProtection",
                "AllocatedStorage Iops immediately",
                "DBInstanceClass MultiAZ immediately",
                "EngineVersion immediately",
            ],
        );
    }

    #[test]
    fn what_waits_for_the_window_goes_last_and_without_the_flag() {
        check(
            &[("DBInstanceClass", WINDOW), ("MultiAZ", When::Now), ("EngineVersion", WINDOW)],
            &["MultiAZ immediately", "DBInstanceClass EngineVersion"],
        );
    }

    #[test]
    fn a_group_of_settings_is_attached_and_waits_for_a_restart() {
        check(&[("DBParameterGroupName", When::Restart)], &["DBParameterGroupName"]);
        check(&[("DBParameterGroupName", When::Now)], &["DBParameterGroupName, then reboot"]);
    }

    #[test]
    fn an_upgrade_takes_its_group_of_settings_along() {
        check(
            &[("EngineVersion", When::Now), ("DBParameterGroupName", When::Restart)],
            &["EngineVersion DBParameterGroupName immediately"],
        );
    }

    #[test]
    fn another_major_takes_it_along_into_the_window() {
        let upgrade = Change { to: Value::text("17.7"), ..change("EngineVersion", &WINDOW) };
        let changes = [change("DBParameterGroupName", &When::Restart), upgrade, change("Port", &When::Now)];
        let shown: Vec<String> = calls(&changes, false).iter().map(shown).collect();
        assert_eq!(shown, ["Port", "EngineVersion DBParameterGroupName"]);
        // A minor one does not change the family, so the group is attached at once.
        check(
            &[("EngineVersion", WINDOW), ("DBParameterGroupName", When::Restart)],
            &["DBParameterGroupName", "EngineVersion"],
        );
    }

    #[test]
    fn full_storage_grows_before_anything_else() {
        let fields = ["MaxAllocatedStorage", "AllocatedStorage", "MultiAZ"];
        let changes = fields.map(|field| change(field, &When::Now));
        let shown: Vec<String> = calls(&changes, true).iter().map(shown).collect();
        assert_eq!(shown, ["AllocatedStorage immediately", "MaxAllocatedStorage", "MultiAZ immediately"]);
    }

    #[test]
    fn backups_begin_with_the_flag_whoever_uses_the_instance() {
        let days = |from, to| Change {
            from: Value::Int(from),
            to: Value::Int(to),
            ..change("BackupRetentionPeriod", &When::Now)
        };
        let shown = |change| calls(&[change], false).iter().map(shown).collect::<Vec<_>>();
        assert_eq!(shown(days(0, 7)), ["BackupRetentionPeriod immediately"]);
        assert_eq!(shown(days(7, 14)), ["BackupRetentionPeriod"]);
    }

    #[test]
    fn tags_alone_take_no_call() {
        check(&[("Tags.Owner", When::Now)], &[]);
    }
}
