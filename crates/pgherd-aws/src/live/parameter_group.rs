//! The group of PostgreSQL's settings. What only a restart brings waits for one, unless the plan says now.

use pgherd_core::plan::{Change, When};
use pgherd_core::resource::{Id, Resource};
use pgherd_core::value::Value;
use pgherd_core::version::Version;
use pgherd_engine::provider::{ApplyNow, Deletion, ErrorKind, Events, ProviderError};

use super::change::{self, not_ours};
use super::servers::At;
use super::{made, spelling, users};
use crate::api::rds::{self, DbInstance, ParameterGroup};
use crate::kinds::tags;
use crate::names;
use crate::parameters::is_static;
use crate::protocol::error::AwsError;
use crate::provider::Aws;
use crate::wait;

/// So many settings a call takes (botocore 1.43.11, ModifyDBParameterGroup).
const MOST: usize = 20;

/// Settings of which a standby needs at least as much as its primary (PostgreSQL documentation, "Hot Standby", "Administrator's
/// Overview").
const AT_LEAST_AS_ON_PRIMARY: [&str; 5] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_wal_senders",
    "max_worker_processes",
];

/// The field of a family that a block says.
const FAMILY: &str = "DBParameterGroupFamily";

/// Makes it with everything in it.
pub(super) async fn create(
    aws: &Aws,
    resource: &Resource,
    _now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    let look = || rds::parameter_group(aws.session(), &at.region, &at.name);
    let of_instance = family_of_instance(aws, &at, resource).await?;
    let family = of_instance.as_deref().map_or_else(|| family(resource), Ok)?;
    let found = match look().await? {
        Some(found) => Some(found),
        None => {
            let description = resource.props.get("Description").and_then(Value::as_text).unwrap_or(&at.name);
            let tags = tags::sent(&resource.props);
            let make = || rds::create_parameter_group(aws.session(), &at.region, &at.name, family, description, &tags);
            made::once("DBParameterGroupAlreadyExists", make, look).await?
        }
    };
    if let Some(found) = found {
        only_ours(aws, &at, &found).await?;
    }
    let live = rds::parameters(aws.session(), &at.region, &at.name).await?.unwrap_or_default();
    let wanted = resource.props.get("Parameters").and_then(Value::as_map).into_iter().flatten();
    let wanted = wanted.filter_map(|(name, value)| Some((name.as_str(), value.as_text()?)));
    let missing: Vec<_> = wanted.filter(|(name, value)| live.get(*name).is_none_or(|live| live != value)).collect();
    write(aws, &at, family, &missing, events).await
}

/// Changes what is in it, and restarts what uses it where the plan says so.
pub(super) async fn update(
    aws: &Aws,
    resource: &Resource,
    changes: &[Change],
    now: ApplyNow,
    events: &Events,
) -> Result<(), ProviderError> {
    let at = At::of(aws, &resource.id);
    match rds::parameter_group(aws.session(), &at.region, &at.name).await? {
        Some(found) => only_ours(aws, &at, &found).await?,
        None => {
            let message = format!("the parameter group {} is not there any more", at.name);
            return Err(ProviderError::new(ErrorKind::NotFound, message).help("plan again"));
        }
    }
    let family = family(resource)?;
    let named = changes.iter().filter_map(|change| Some((change.field.strip_prefix("Parameters.")?, &change.to)));
    let (mut written, mut reset) = (Vec::new(), Vec::new());
    for (name, to) in named {
        match to.as_text() {
            Some(value) => written.push((name, value)),
            None => reset.push(name),
        }
    }
    write(aws, &at, family, &written, events).await?;
    forget(aws, &at, family, &reset, events).await?;
    let is_restarted = |change: &&Change| change.when == When::Now && change.impact.interrupts();
    if now.0 && changes.iter().any(|change| is_restarted(&change)) {
        restart_users(aws, &at, changes, events).await?;
    }
    Ok(())
}

/// Removes it once nobody uses it any more.
pub(super) async fn delete(aws: &Aws, id: &Id, _how: &Deletion, events: &Events) -> Result<(), ProviderError> {
    let at = At::of(aws, id);
    let Some(found) = rds::parameter_group(aws.session(), &at.region, &at.name).await? else { return Ok(()) };
    only_ours(aws, &at, &found).await?;
    users::nobody_stays(aws, &at.region, id, None).await?;
    let attempt = || rds::delete_parameter_group(aws.session(), &at.region, &at.name);
    Ok(wait::tried(aws, aws.patience().letting_go, events, is_in_use, attempt).await?)
}

/// Removes a group of ours that an instance has used, unless somebody else still does.
pub(super) async fn tidy(aws: &Aws, at: &At, group: &str) -> Result<(), ProviderError> {
    if names::owner_of_parameter_group(group) != Some(&at.name) {
        return Ok(());
    }
    let Some(found) = rds::parameter_group(aws.session(), &at.region, group).await? else { return Ok(()) };
    let tags = rds::tags(aws.session(), &at.region, &found.arn).await?;
    if !tags::are_ours(&tags, &at.block) {
        return Ok(());
    }
    match rds::delete_parameter_group(aws.session(), &at.region, group).await {
        Err(error) if is_in_use(&error) => Ok(()),
        done => Ok(done?),
    }
}

/// The family a group is of: as it is written or, where the block names no version, as it is made with.
fn family(resource: &Resource) -> Result<&str, ProviderError> {
    let fields = [FAMILY, "NewestDBParameterGroupFamily"];
    fields.into_iter().find_map(|field| resource.props.get(field)?.as_text()).ok_or_else(|| {
        ProviderError::new(ErrorKind::Invalid, format!("nobody knows which family {} should be of", resource.id))
            .help("write engine_version")
    })
}

/// The family that a server which exists needs of a group made only now, where the block names no version.
async fn family_of_instance(aws: &Aws, at: &At, resource: &Resource) -> Result<Option<String>, ProviderError> {
    let server = names::owner_of_parameter_group(&at.name).filter(|_| !resource.props.contains_key(FAMILY));
    let Some(server) = server else { return Ok(None) };
    let seen = rds::instance(aws.session(), &at.region, server).await?;
    let version = seen.as_ref().and_then(|seen| Version::parse(seen.props.get("EngineVersion")?.as_text()?));
    Ok(version.map(|version| format!("postgres{}", version.major)))
}

async fn only_ours(aws: &Aws, at: &At, found: &ParameterGroup) -> Result<(), ProviderError> {
    let tags = rds::tags(aws.session(), &at.region, &found.arn).await?;
    match spelling::foreign(&tags, &at.block) {
        Some(reason) => Err(not_ours(&format!("the parameter group {}", at.name), &reason)),
        None => Ok(()),
    }
}

/// Sets some settings. Whether one takes a restart is RDS's to say; the catalogue only guesses so that one call is enough.
async fn write(
    aws: &Aws,
    at: &At,
    family: &str,
    settings: &[(&str, &str)],
    events: &Events,
) -> Result<(), ProviderError> {
    for some in settings.chunks(MOST) {
        let all_wait: Vec<_> = some.iter().map(|(name, value)| (*name, *value, true)).collect();
        let guessed: Vec<_> = some.iter().map(|(name, value)| (*name, *value, waits(name, family))).collect();
        let attempt = |settings: Vec<(_, _, _)>| async move {
            let attempt = || rds::modify_parameters(aws.session(), &at.region, &at.name, &settings);
            wait::tried(aws, aws.patience().letting_go, events, is_in_use, attempt).await
        };
        match attempt(guessed).await {
            Err(error) if is_about_static(&error) => attempt(all_wait).await?,
            done => done?,
        }
    }
    Ok(())
}

/// Gives some settings back to RDS's default.
async fn forget(aws: &Aws, at: &At, family: &str, settings: &[&str], events: &Events) -> Result<(), ProviderError> {
    for some in settings.chunks(MOST) {
        let all_wait: Vec<_> = some.iter().map(|name| (*name, true)).collect();
        let guessed: Vec<_> = some.iter().map(|name| (*name, waits(name, family))).collect();
        let attempt = |settings: Vec<(_, _)>| async move {
            let attempt = || rds::reset_parameters(aws.session(), &at.region, &at.name, &settings);
            wait::tried(aws, aws.patience().letting_go, events, is_in_use, attempt).await
        };
        match attempt(guessed).await {
            Err(error) if is_about_static(&error) => attempt(all_wait).await?,
            done => done?,
        }
    }
    Ok(())
}

fn waits(name: &str, family: &str) -> bool {
    is_static(name, family.strip_prefix("postgres").and_then(|major| major.parse().ok()))
}

fn is_about_static(error: &AwsError) -> bool {
    error.is("InvalidParameterCombination") && error.message.contains("static")
}

fn is_in_use(error: &AwsError) -> bool {
    error.is("InvalidDBParameterGroupState")
}

/// Restarts whatever uses a group and has not taken its settings up yet, one after the other.
async fn restart_users(aws: &Aws, at: &At, changes: &[Change], events: &Events) -> Result<(), ProviderError> {
    let owner = names::owner_of_parameter_group(&at.name).unwrap_or(&at.name);
    let mut users = rds::instances(aws.session(), &at.region, &names::instances(owner)).await?;
    users.retain(|user| user.parameter_group == at.name && tags::are_ours(&user.tags, &at.block));
    users.sort_by_key(|user| user.source.is_some() == is_primary_first(changes));
    for DbInstance { id, .. } in users {
        let user = At { name: id, ..at.clone() };
        change::restart_where_it_waits(aws, &user, events).await?;
    }
    Ok(())
}

/// Whether the primary restarts before its replicas. A standby must never have less than its primary of some settings: without them it does
/// not start, while one whose primary has more waits for its own restart. So replicas go first only where all that matters is known to be
/// raised; what RDS's default is, nobody knows.
fn is_primary_first(changes: &[Change]) -> bool {
    let number = |value: &Value| value.as_text().and_then(|text| text.parse::<f64>().ok());
    changes.iter().any(|change| {
        let name = change.field.strip_prefix("Parameters.").unwrap_or_default();
        let is_raised = number(&change.to).zip(number(&change.from)).is_some_and(|(to, from)| to >= from);
        AT_LEAST_AS_ON_PRIMARY.contains(&name) && !is_raised
    })
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::Impact;

    use super::*;

    #[track_caller]
    fn check(changes: &[(&str, &str, &str)], is_first: bool) {
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::text(text) };
        let change = |(name, from, to): &(&str, &str, &str)| Change {
            field: format!("Parameters.{name}"),
            from: value(from),
            to: value(to),
            impact: Impact::None,
            when: When::Now,
        };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        assert_eq!(is_primary_first(&changes), is_first, "{changes:?}");
    }

    #[test]
    fn replicas_go_first_where_a_limit_is_known_to_be_raised() {
        check(&[("max_connections", "100", "200")], false);
        check(&[("shared_buffers", "32768", "16384")], false);
    }

    #[test]
    fn the_primary_goes_first_where_one_is_lowered_or_nobody_knows() {
        check(&[("max_connections", "200", "100")], true);
        check(&[("max_connections", "100", "200"), ("max_wal_senders", "20", "10")], true);
        check(&[("max_connections", "", "200")], true);
        check(&[("max_connections", "200", "")], true);
        check(&[("max_connections", "LEAST({DBInstanceClassMemory/9531392},5000)", "200")], true);
    }
}
