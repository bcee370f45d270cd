//! What a database lets go of is found again, should a run end before it is deleted. Role, topic, dashboard and groups are found by what
//! refers to them; so before the last reference goes, the instance is marked, and the mark goes with the last thing that nothing refers to.

use futures_util::future::try_join3;
use pgherd_core::plan::Change;
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::marks::{self, Mark};
use super::spelling;
use crate::alarms;
use crate::api::cloudwatch::{self, Alarm};
use crate::api::rds::{self, DbInstance};
use crate::kinds::security_group::GROUP_ID;
use crate::kinds::{alarm, dashboard, instance, parameter_group, replica, role, security_group, topic};
use crate::names;
use crate::provider::Aws;

/// Before a thing changes.
pub(super) async fn before(aws: &Aws, id: &Id, changes: &[Change]) -> Result<(), ProviderError> {
    let Some(database) = database(aws.region(), id) else { return Ok(()) };
    let left = groups_left(changes);
    let lets_go = lets_go(aws.region(), &database, changes)
        || !left.is_empty() && own_group(aws, &database).await?.is_some_and(|own| left.contains(&&own));
    if lets_go { marks::set(aws, &database, &Mark::Left).await } else { Ok(()) }
}

/// The security groups that changes take away.
fn groups_left(changes: &[Change]) -> Vec<&Value> {
    let groups = changes.iter().filter(|change| change.field == "VpcSecurityGroupIds");
    let left = groups.flat_map(|Change { from, to, .. }| {
        let stays = to.as_list().unwrap_or_default();
        from.as_list().unwrap_or_default().iter().filter(|group| !stays.contains(group))
    });
    left.collect()
}

/// The id of the security group of a database, if there is one of its own.
async fn own_group(aws: &Aws, database: &str) -> Result<Option<Value>, ProviderError> {
    let id = Id::new(security_group::NAME, names::security_group(database));
    let seen = super::one(aws, &id).await?.filter(|seen| !matches!(seen.status, Status::Foreign(_)));
    Ok(seen.and_then(|seen| seen.props.get(GROUP_ID).cloned()))
}

/// Before an alarm is deleted: the last one that tells of topic or dashboard.
pub(super) async fn before_deletion(aws: &Aws, id: &Id, there: &Alarm) -> Result<(), ProviderError> {
    let Some(database) = database(aws.region(), id) else { return Ok(()) };
    let all = cloudwatch::alarms(aws.session(), aws.region(), &names::alarm(&database, "")).await?;
    let others = || all.iter().filter(|other| other.name != there.name);
    let is_last = |tells: &dyn Fn(&Alarm) -> bool| tells(there) && !others().any(tells);
    let topic = is_last(&|alarm| tells(alarm, &database));
    match topic || is_last(&|alarm| shows(&alarm.description, &names::dashboard(&database, aws.region()))) {
        true => marks::set(aws, &database, &Mark::Left).await,
        false => Ok(()),
    }
}

/// After a thing was changed or deleted: takes the mark off once nothing is left that nothing refers to.
pub(super) async fn after(aws: &Aws, id: &Id) -> Result<(), ProviderError> {
    let Some(database) = database(aws.region(), id) else { return Ok(()) };
    let Some(seen) = rds::instance(aws.session(), aws.region(), &database).await? else { return Ok(()) };
    if !marks::read(Some(&marks::told(&seen.tags))).contains(&Mark::Left) {
        return Ok(());
    }
    match is_anything_left(aws, &database).await {
        Ok(false) => {}
        Ok(true) => return Ok(()),
        // What was done is done: whoever may not look leaves the mark.
        Err(error) if error.kind == ErrorKind::Denied => return Ok(()),
        Err(error) => return Err(error),
    }
    marks::clear(aws, &database, &Mark::Left).await
}

/// Whether changes take away what a thing of ours is found by.
fn lets_go(region: &str, database: &str, changes: &[Change]) -> bool {
    let own = |group: &Value| group.as_text().and_then(names::owner_of_parameter_group) == Some(database);
    let ends =
        |value: &Value, name: &str| value.as_text().is_some_and(|arn| arn.rsplit(['/', ':']).next() == Some(name));
    let of = |value: &Value, name: &str| value.as_list().unwrap_or_default().iter().any(|one| ends(one, name));
    let topic = names::topic(database);
    let dashboard = names::dashboard(database, region);
    changes.iter().any(|Change { field, from, to, .. }| match field.as_str() {
        "MonitoringRoleArn" => ends(from, &names::monitoring_role(database, region)),
        // Where another one of its own is wanted, all of them are told.
        "DBParameterGroupName" => own(from) && !own(to),
        "AlarmActions" => of(from, &topic) && !of(to, &topic),
        "AlarmDescription" => {
            let shown = |value: &Value| value.as_text().is_some_and(|words| shows(words, &dashboard));
            shown(from) && !shown(to)
        }
        _ => false,
    })
}

/// Whether an alarm's words name a dashboard.
pub(super) fn shows(words: &str, dashboard: &str) -> bool {
    words.split([' ', ',']).any(|word| word == dashboard)
}

fn tells(alarm: &Alarm, database: &str) -> bool {
    alarm.actions.iter().any(|arn| arn.rsplit(':').next() == Some(names::topic(database).as_str()))
}

/// The database in whose own region a thing is.
fn database(region: &str, id: &Id) -> Option<String> {
    let (elsewhere, name) = names::place(&id.kind, &id.name);
    if elsewhere.is_some() {
        return None;
    }
    let source = |server: &str| names::source_of_replica(server).unwrap_or(server).to_owned();
    match id.kind.as_str() {
        instance::NAME => Some(name),
        replica::NAME => Some(source(&name)),
        alarm::NAME => alarms::ABOUT.iter().find_map(|about| name.strip_suffix(&format!("-{about}"))).map(source),
        topic::NAME => name.strip_suffix("-alarms").map(str::to_owned),
        dashboard::NAME => name.strip_suffix(&format!("-{region}")).map(str::to_owned),
        security_group::NAME => names::database_of_security_group(&name).map(str::to_owned),
        parameter_group::NAME => names::owner_of_parameter_group(&name).map(str::to_owned),
        // One whose name was too long to be written out is found by whatever is deleted next.
        role::NAME => {
            let name = name.strip_prefix("pgherd-")?.strip_suffix("-monitoring")?;
            name.strip_suffix(&format!("-{region}")).map(str::to_owned)
        }
        _ => None,
    }
}

/// Whether there is a thing of ours that nothing refers to any more.
async fn is_anything_left(aws: &Aws, database: &str) -> Result<bool, ProviderError> {
    let (session, region) = (aws.session(), aws.region());
    let bare = [
        (role::NAME, names::monitoring_role(database, region)),
        (topic::NAME, names::topic(database)),
        (dashboard::NAME, names::dashboard(database, region)),
        (security_group::NAME, names::security_group(database)),
    ];
    let bare = bare.map(|(kind, name)| Resource { id: Id::new(kind, name), props: Props::new(), needs: Vec::new() });
    let ids = names::instances(database);
    let servers = async { Ok::<_, ProviderError>(rds::instances(session, region, &ids).await?) };
    let alarms =
        async { Ok::<_, ProviderError>(cloudwatch::alarms(session, region, &names::alarm(database, "")).await?) };
    let (servers, alarms, around) = try_join3(servers, alarms, super::around(aws, &bare)).await?;
    let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
    if around.iter().filter(is_ours).any(|seen| !is_referred_to(seen, database, region, &servers, &alarms)) {
        return Ok(true);
    }
    let (groups, used) = (rds::parameter_groups(session, region).await?, |name: &str| {
        servers.iter().any(|server| server.parameter_group == name)
    });
    for group in groups {
        if names::owner_of_parameter_group(&group.name) == Some(database) && !used(&group.name) {
            let worn = aws.worn(rds::tags(session, region, &group.arn).await?);
            if spelling::foreign(&worn, database).is_none() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn is_referred_to(seen: &Observed, database: &str, region: &str, servers: &[DbInstance], alarms: &[Alarm]) -> bool {
    let ends = |arn: Option<&Value>| {
        arn.and_then(Value::as_text).is_some_and(|arn| arn.rsplit('/').next() == Some(seen.id.name.as_str()))
    };
    let is_member = |server: &DbInstance| {
        let groups = server.props.get("VpcSecurityGroupIds").and_then(Value::as_list).unwrap_or_default();
        seen.props.get(GROUP_ID).is_some_and(|id| groups.contains(id))
    };
    match seen.id.kind.as_str() {
        role::NAME => servers.iter().any(|server| ends(server.props.get("MonitoringRoleArn"))),
        topic::NAME => alarms.iter().any(|alarm| tells(alarm, database)),
        dashboard::NAME => alarms.iter().any(|alarm| shows(&alarm.description, &names::dashboard(database, region))),
        _ => servers.iter().any(is_member),
    }
}

#[cfg(test)]
mod tests {
    use pgherd_core::plan::When;
    use pgherd_core::resource::Impact;

    use super::*;

    #[track_caller]
    fn check(field: &str, from: Value, to: Value, expected: bool) {
        let change = Change { field: field.to_owned(), from, to, impact: Impact::None, when: When::Now };
        assert_eq!(lets_go("eu-central-1", "orders", &[change]), expected, "{field}");
    }

    #[test]
    fn what_is_found_by_a_reference_is_let_go_of_with_it() {
        let role = "arn:aws:iam::123456789012:role/pgherd-orders-eu-central-1-monitoring";
        check("MonitoringRoleArn", role.into(), Value::Null, true);
        check("MonitoringRoleArn", "arn:aws:iam::123456789012:role/theirs".into(), Value::Null, false);
        check("DBParameterGroupName", "orders-pg16".into(), "shared".into(), true);
        check("DBParameterGroupName", "shared".into(), "orders-pg16".into(), false);
        let groups = |ids: &[&str]| Value::List(ids.iter().map(|id| Value::text(*id)).collect());
        check("DBParameterGroupName", "orders-pg16".into(), "orders-pg17".into(), false);
        let topic = "arn:aws:sns:eu-central-1:123456789012:orders-alarms";
        check("AlarmActions", groups(&[topic]), groups(&[]), true);
        check("AlarmActions", groups(&[topic, "arn:x"]), groups(&[topic]), false);
        let words = |shown: &str| Value::text(format!("CPUUtilization of orders{shown}, kept by pgherd"));
        check("AlarmDescription", words(", on the dashboard orders-eu-central-1"), words(""), true);
        check("Threshold", Value::Float(1.0), Value::Float(2.0), false);
    }

    #[test]
    fn whose_a_thing_is() {
        let of = |kind: &str, name: &str| database("eu-central-1", &Id::new(kind, name));
        let all = [
            (role::NAME, "pgherd-orders-eu-central-1-monitoring"),
            (topic::NAME, "orders-alarms"),
            (dashboard::NAME, "orders-eu-central-1"),
            (security_group::NAME, "orders-db"),
            (parameter_group::NAME, "orders-pg16"),
            (alarm::NAME, "orders-r2-cpu"),
            (replica::NAME, "orders-r1"),
            (instance::NAME, "orders"),
        ];
        for (kind, name) in all {
            assert_eq!(of(kind, name).as_deref(), Some("orders"), "{name}");
        }
        assert_eq!(of(alarm::NAME, "eu-west-1/orders-dr-cpu"), None);
    }
}
