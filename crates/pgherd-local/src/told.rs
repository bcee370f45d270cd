//! What the agent tells of a database, in the words that every target has.

use std::fs;
use std::io;
use std::path::Path;

use pgherd_core::report::{Backup, LiveParameter, TakesEffect};
use pgherd_core::secret::Secret;
use pgherd_engine::provider::{ErrorKind, ProviderError};
use zeroize::Zeroizing;

use crate::supervisor::messages;

/// A setting as `pg_settings` tells it.
pub(crate) fn parameter(parameter: messages::Parameter) -> LiveParameter {
    // `source` also knows what the connection that asks has set for itself; that is nobody's setting.
    let in_a_file = ["configuration file", "command line", "database", "user", "database user"];
    let takes_effect = match parameter.context.as_str() {
        "postmaster" => TakesEffect::AtRestart,
        "internal" => TakesEffect::Never,
        _ => TakesEffect::AtOnce,
    };
    LiveParameter {
        name: parameter.name,
        value: Some(parameter.value),
        unit: parameter.unit,
        is_set: in_a_file.contains(&parameter.source.as_str()),
        source: parameter.source,
        context: Some(parameter.context),
        takes_effect,
        pending_restart: parameter.pending_restart,
        allowed: String::new(),
        description: parameter.description,
    }
}

/// A backup in the state folder. There is one only once it is complete.
pub(crate) fn backup(backup: messages::Backup) -> Backup {
    Backup {
        name: backup.name,
        automatic: backup.automatic,
        state: if backup.damaged { "damaged" } else { "available" }.to_owned(),
        taken_at: Some(backup.taken_at),
        bytes: Some(backup.bytes),
        engine_version: backup.engine_version,
        encrypted: backup.encrypted,
        region: None,
        last: Some(backup.is_final),
        lsn: backup.start_lsn,
        verified_at: backup.verified_at,
        base: backup.base,
        generation: backup.generation,
    }
}

/// What was put aside is no backup, and restored by its name like one.
pub(crate) fn aside(aside: messages::AsideReport) -> Backup {
    Backup {
        name: aside.name,
        automatic: false,
        state: if aside.bytes.is_some() { "put aside" } else { "not there any more" }.to_owned(),
        taken_at: Some(aside.at),
        bytes: aside.bytes,
        ..Backup::default()
    }
}

/// The password of a secret, `{username,password,host,port,dbname}`.
pub(crate) fn password(secret_file: &Path) -> Result<Secret, ProviderError> {
    let file = secret_file.display();
    let text = fs::read_to_string(secret_file).map(Zeroizing::new).map_err(|cause| {
        let kind = match cause.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Unavailable,
        };
        ProviderError::new(kind, format!("the secret {file} cannot be read: {cause}"))
    })?;
    let secret: Option<serde_json::Value> = serde_json::from_str(&text).ok();
    let password = secret.as_ref().and_then(|secret| secret.get("password")?.as_str().map(Secret::new));
    password.ok_or_else(|| ProviderError::new(ErrorKind::Invalid, format!("the secret {file} holds no password")))
}
