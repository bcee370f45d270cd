//! What RDS has accepted and not done yet, and which calls would set it off. Pure.
//!
//! `ApplyImmediately` brings everything that waits, and so does a maintenance window that is moved to now (botocore 1.43.11,
//! ModifyDBInstance). Whatever is not known to be harmless counts as interrupting: what RDS can have pending is an open list.

use jiff::Timestamp;
use pgherd_core::plan::{Change, When};
use pgherd_core::resource::{Kind, Owner};
use pgherd_core::value::Value;
use pgherd_core::window::Window;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::modify::Modify;
use crate::api::rds::{DbInstance, LOGS};
use crate::kinds::instance;

/// Refuses a call that would set off what waits and interrupts, unless these changes say that just that happens now.
pub(super) fn refused(
    call: &Modify,
    changes: &[Change],
    seen: &DbInstance,
    now: Timestamp,
) -> Result<(), ProviderError> {
    let is_said = |field: &str| changes.iter().any(|change| change.field == field && change.when == When::Now);
    match interrupting(seen).find(|field| !is_said(field)).filter(|_| sets_off(call, now)) {
        Some(field) => Err(refusal(call, field)),
        None => Ok(()),
    }
}

/// What waits and would end what clients are doing.
pub(super) fn interrupting(seen: &DbInstance) -> impl Iterator<Item = &str> {
    seen.pending.keys().map(String::as_str).filter(|field| !is_harmless(field, seen))
}

/// Whether pgherd compares a field, so that a plan with `--now` has it when it waits.
pub(super) fn is_planned(kind: &Kind, field: &str) -> bool {
    kind.field(field).is_some_and(|field| matches!(field.owner, Owner::Set | Owner::Floor))
}

/// Fields whose waiting change nobody notices (Amazon RDS User Guide, "Settings for DB instances").
const HARMLESS: [&str; 7] = [
    "AllocatedStorage",
    "Iops",
    "StorageThroughput",
    "MultiAZ",
    "EnableIAMDatabaseAuthentication",
    "MasterUserPassword",
    LOGS,
];

/// Fields of which that depends on what they are and what they become.
const SOMETIMES_HARMLESS: [&str; 2] = ["StorageType", "BackupRetentionPeriod"];

/// Whether it may be that nobody notices when that is done, as far as the name of a field tells.
pub(crate) fn may_be_harmless(field: &str) -> bool {
    HARMLESS.contains(&field) || SOMETIMES_HARMLESS.contains(&field)
}

/// Whether nobody notices when that is done.
fn is_harmless(field: &str, seen: &DbInstance) -> bool {
    let (from, to) = (seen.props.get(field), seen.pending.get(field));
    match field {
        _ if HARMLESS.contains(&field) => true,
        // From and to magnetic storage takes a restart.
        "StorageType" => {
            let is_ssd = |kind: Option<&Value>| kind.and_then(Value::as_text).is_some_and(|kind| kind != "standard");
            is_ssd(from) && is_ssd(to)
        }
        // Turning backups on or off suspends the instance for a while.
        "BackupRetentionPeriod" => {
            let is_on = |days: Option<&Value>| days.and_then(Value::as_int).is_some_and(|days| days > 0);
            is_on(from) && is_on(to)
        }
        _ => false,
    }
}

/// Whether a call also does what waits.
fn sets_off(call: &Modify, now: Timestamp) -> bool {
    call.immediately || moves_window_to(call, now)
}

/// A window that cannot be read may be open.
fn moves_window_to(call: &Modify, now: Timestamp) -> bool {
    let window = call.fields.iter().find(|(field, _)| field == "PreferredMaintenanceWindow").map(|(_, to)| to);
    window.is_some_and(|to| to.as_text().and_then(Window::parse_weekly).is_none_or(|window| window.is_open(now)))
}

fn refusal(call: &Modify, waiting: &str) -> ProviderError {
    let fields: Vec<&str> = call.fields.iter().map(|(field, _)| field.as_str()).collect();
    let message = match call.immediately {
        true => format!("changing {} now also does what waits for the window: {waiting}", fields.join(", ")),
        false => format!("the maintenance window it is to have is open now, and does what waits for it: {waiting}"),
    };
    ProviderError::new(ErrorKind::Conflict, message).help(help(waiting, "does both"))
}

/// What somebody can do in whose way something is that waits; `apply --now` of it does what the words say.
pub(super) fn help(waiting: &str, does: &str) -> String {
    match is_planned(&instance::KIND, waiting) {
        true => format!("`apply --now` {does}; or wait for the maintenance window"),
        false => {
            "pgherd did not ask for that and never does it: wait for the maintenance window, or have RDS do it first"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::Impact;

    use super::*;
    use crate::wait;

    /// A Sunday, 04:30 UTC.
    const NOW: Timestamp = Timestamp::constant(1_767_241_800 + 3 * 86_400, 0);

    fn seen(pending: &[(&str, Value, Value)]) -> DbInstance {
        let mut seen = wait::tests::seen("available", "in-sync", &[]);
        for (field, from, to) in pending {
            seen.props.insert((*field).to_owned(), from.clone());
            seen.pending.insert((*field).to_owned(), to.clone());
        }
        seen
    }

    #[track_caller]
    fn check_harmless(field: &str, from: Value, to: Value, expected: bool) {
        let seen = seen(&[(field, from, to)]);
        assert_eq!(interrupting(&seen).next().is_none(), expected, "{field}");
    }

    #[test]
    fn what_nobody_notices_interrupts_nothing() {
        for field in ["AllocatedStorage", "Iops", "StorageThroughput", "MultiAZ", "MasterUserPassword", LOGS] {
            check_harmless(field, Value::Null, Value::Int(1), true);
        }
        check_harmless("StorageType", "gp2".into(), "gp3".into(), true);
        check_harmless("BackupRetentionPeriod", Value::Int(1), Value::Int(7), true);
        assert!(HARMLESS.iter().chain(&SOMETIMES_HARMLESS).all(|field| may_be_harmless(field)));
        assert!(!may_be_harmless("DBInstanceClass"));
    }

    #[test]
    fn everything_else_interrupts_what_nobody_has_heard_of_included() {
        for field in [
            "CACertificateIdentifier",
            "DBInstanceClass",
            "DBInstanceIdentifier",
            "DBSubnetGroupName",
            "DedicatedLogVolume",
            "Engine",
            "EngineVersion",
            "LicenseModel",
            "Port",
            "ProcessorFeatures",
            "AFieldOfNextYear",
        ] {
            check_harmless(field, Value::Null, Value::Int(1), false);
        }
        check_harmless("StorageType", "standard".into(), "gp3".into(), false);
        check_harmless("StorageType", Value::Null, "gp3".into(), false);
        check_harmless("StorageType", "gp2".into(), "standard".into(), false);
        check_harmless("BackupRetentionPeriod", Value::Int(0), Value::Int(7), false);
        check_harmless("BackupRetentionPeriod", Value::Int(7), Value::Int(0), false);
        check_harmless("BackupRetentionPeriod", Value::Null, Value::Int(7), false);
    }

    fn change(field: &str, when: When) -> Change {
        Change { field: field.to_owned(), from: Value::Null, to: Value::Int(1), impact: Impact::Unknown, when }
    }

    #[track_caller]
    fn check(fields: &[(&str, Value)], immediately: bool, changes: &[Change], waits: &str, expected: &str) {
        let fields = fields.iter().map(|(field, to)| ((*field).to_owned(), to.clone())).collect();
        let call = Modify { fields, immediately, reboot: false, is_for_window: false };
        let found = refused(&call, changes, &seen(&[(waits, Value::Null, Value::Int(1))]), NOW).err();
        assert_eq!(found.map(|error| format!("{error}; {}", error.help)).unwrap_or_default(), expected);
    }

    #[test]
    fn only_what_is_said_to_happen_now_is_set_off() {
        let storage = [("AllocatedStorage", Value::Int(30))];
        let refused = "changing AllocatedStorage now also does what waits for the window: DBInstanceClass; \
                       `apply --now` does both; or wait for the maintenance window";
        let window = When::Window { opens: NOW };
        check(&storage, true, &[change("AllocatedStorage", When::Now)], "DBInstanceClass", refused);
        // That something else interrupts now is no leave for this.
        check(&storage, true, &[change("Port", When::Now)], "DBInstanceClass", refused);
        check(&storage, true, &[change("DBInstanceClass", window)], "DBInstanceClass", refused);
        check(&storage, true, &[change("DBInstanceClass", When::Now)], "DBInstanceClass", "");
        check(&storage, false, &[], "DBInstanceClass", "");
        check(&storage, true, &[], "MultiAZ", "");
    }

    #[test]
    fn what_pgherd_never_does_is_for_others() {
        check(
            &[("MultiAZ", true.into())],
            true,
            &[change("MultiAZ", When::Now)],
            "CACertificateIdentifier",
            "changing MultiAZ now also does what waits for the window: CACertificateIdentifier; \
             pgherd did not ask for that and never does it: wait for the maintenance window, or have RDS do it first",
        );
    }

    #[test]
    fn a_window_that_is_moved_to_now_sets_off_what_waits() {
        let moved = |to: &str| [("PreferredMaintenanceWindow", Value::text(to))];
        let refused = "the maintenance window it is to have is open now, and does what waits for it: DBInstanceClass; \
                       `apply --now` does both; or wait for the maintenance window";
        check(&moved("sun:04:00-sun:05:00"), false, &[], "DBInstanceClass", refused);
        check(&moved("a word of next year"), false, &[], "DBInstanceClass", refused);
        check(&moved("sun:05:00-sun:06:00"), false, &[], "DBInstanceClass", "");
        check(&moved("sun:04:00-sun:05:00"), false, &[change("DBInstanceClass", When::Now)], "DBInstanceClass", "");
    }
}
