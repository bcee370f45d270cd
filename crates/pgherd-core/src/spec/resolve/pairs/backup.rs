//! Pairs about backups and encryption.

use crate::cloud::Cloud;
use crate::diagnostic::Severity;
use crate::spec::Origin;
use crate::value::Value;

use super::super::draft::Draft;

const RETENTION: &str = "backup_retention_period";

/// The switch is another way to say whether retention is above 0.
pub(super) fn switch_and_retention(draft: &mut Draft) {
    const SWITCH: &str = "enable_backup";
    let written = draft.written_whole(RETENTION);
    let name = draft.name_of(RETENTION);
    match (draft.written_bool(SWITCH), written) {
        (Some(false), Some(days @ 1..)) => {
            let message = format!("`{SWITCH}` is false, but `{name}` is {days}");
            draft.say(Severity::Error, "backup-and-retention", SWITCH, message, "leave one of the two out");
        }
        (Some(true), Some(0)) => {
            let message = format!("`{SWITCH}` is true, but `{name}` is 0, which turns backups off");
            draft.say(Severity::Error, "backup-and-retention", SWITCH, message, "leave one of the two out");
        }
        (Some(false), None) => draft.settle(RETENTION, Value::Int(0), Origin::Follows(SWITCH)),
        (Some(false), Some(0)) | (Some(true), Some(1..) | None) => {}
        (None, _) => {
            let on = draft.whole(RETENTION) != Some(0);
            draft.settle(SWITCH, on, Origin::Follows(RETENTION));
        }
    }
}

/// Restoring to any moment needs the backups it starts from.
pub(super) fn point_in_time(draft: &mut Draft) {
    const SWITCH: &str = "enable_binary_log_backup";
    let backups = draft.whole(RETENTION) != Some(0);
    match draft.written_bool(SWITCH) {
        Some(true) if !backups => {
            let message = format!("`{SWITCH}` is true, but there are no backups to restore from");
            let help = "write a backup_retention_period above 0";
            draft.say(Severity::Error, "point-in-time-without-backups", SWITCH, message, help);
        }
        Some(_) => {}
        None => draft.settle(SWITCH, backups, Origin::Follows(RETENTION)),
    }
}

/// A name for a backup that is not taken.
pub(super) fn final_snapshot(draft: &mut Draft) {
    const NAME: &str = "final_snapshot_identifier";
    if draft.written(NAME).is_some() && draft.is_on("skip_final_snapshot") {
        let message = format!("`{NAME}` names a last backup, but `skip_final_snapshot` is true: none is taken");
        draft.say(
            Severity::Warning,
            "final-snapshot-skipped",
            NAME,
            message,
            "write skip_final_snapshot = false to have it taken",
        );
    }
}

/// A key for storage that is not encrypted.
pub(super) fn key_and_encryption(draft: &mut Draft) {
    const KEY: &str = "kms_key_id";
    if draft.written.contains_key(KEY) && draft.written_bool("storage_encrypted") == Some(false) {
        let message = format!("`{KEY}` is written, but `{}` is false", draft.name_of("storage_encrypted"));
        draft.say(Severity::Error, "key-without-encryption", KEY, message, "encrypt the storage, or leave the key out");
    }
}

/// Backups inherit the encryption of the storage on AWS and here; elsewhere they are always encrypted.
pub(super) fn backup_encryption(draft: &mut Draft) {
    const BACKUPS: &str = "enable_backup_encryption";
    let storage = draft.is_on("storage_encrypted");
    match draft.written_bool(BACKUPS) {
        Some(true) if !storage && matches!(draft.target, Cloud::Aws | Cloud::Local) => {
            let message = format!("`{BACKUPS}` is true, but `{}` is false", draft.name_of("storage_encrypted"));
            let help = "encrypt the storage too: backups are as encrypted as what they are made of";
            draft.say(Severity::Error, "backup-encryption", BACKUPS, message, help);
        }
        Some(_) => {}
        None => draft.settle(BACKUPS, storage, Origin::Follows("storage_encrypted")),
    }
}
