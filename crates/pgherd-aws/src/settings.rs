//! The PostgreSQL settings of an instance, as its parameter group has them. RDS tells no more: what a session or a role has set for
//! itself stands in the database.

use pgherd_core::catalogue::parameters::{self, Context, Parameter};
use pgherd_core::report::{LiveParameter, TakesEffect};
use pgherd_core::value::Value;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ErrorKind, ProviderError};

use crate::api::rds::{self, Setting};
use crate::provider::Aws;

/// All settings, by name.
pub(crate) async fn settings(aws: &Aws, name: &str) -> Result<Vec<LiveParameter>, ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    let seen = rds::instance(session, region, name).await?;
    let seen = seen.ok_or_else(|| ProviderError::new(ErrorKind::NotFound, format!("{name} does not exist")))?;
    let version = seen.props.get("EngineVersion").and_then(Value::as_text).and_then(Version::parse);
    let major = version.map(|version| version.major).unwrap_or_default();
    let waits = seen.settings == "pending-reboot";
    let mut settings = rds::settings(session, region, &seen.parameter_group).await?;
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(settings.into_iter().map(|setting| parameter(setting, major, waits)).collect())
}

/// A setting. Whether one waits for a restart RDS tells of the group only: of those that take one, any may.
fn parameter(setting: Setting, major: u32, waits: bool) -> LiveParameter {
    let known = parameters::find(&setting.name, major);
    let is_set = setting.source == "user";
    LiveParameter {
        unit: known.and_then(|known| known.unit.clone()),
        is_set,
        context: known.map(|known| context(known).to_owned()),
        takes_effect: match (setting.is_modifiable, setting.is_static) {
            (false, _) => TakesEffect::Never,
            (true, true) => TakesEffect::AtRestart,
            (true, false) => TakesEffect::AtOnce,
        },
        pending_restart: waits && is_set && setting.is_static,
        description: match known {
            Some(known) if setting.description.is_empty() => known.words.clone(),
            _ => setting.description,
        },
        name: setting.name,
        value: setting.value,
        source: setting.source,
        allowed: setting.allowed,
    }
}

fn context(known: &Parameter) -> &'static str {
    match known.context {
        Context::Internal => "internal",
        Context::Postmaster => "postmaster",
        Context::Sighup => "sighup",
        Context::Backend => "backend",
        Context::SuperuserBackend => "superuser-backend",
        Context::Superuser => "superuser",
        Context::User => "user",
    }
}
