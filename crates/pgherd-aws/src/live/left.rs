//! What a database lets go of is found again, should a run end before it is deleted. Role, topic, dashboard and groups are found by what
//! refers to them; so before the last reference goes, the instance is marked, and the mark goes with the last thing that nothing refers to.
//!
//! Steps of one database run side by side. So each that lets go of something is known as long as it is at work, the mark stays while one
//! is, and nobody looks whether it may go while another is about to set it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

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
use crate::kinds::tags::LEAVES;
use crate::kinds::{alarm, dashboard, instance, parameter_group, replica, role, security_group, topic};
use crate::names;
use crate::provider::Aws;

/// The steps of a provider that let go of something and are at work.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// Taken by whoever sets the mark or takes it off, from before it looks whether it should.
    turn: tokio::sync::Mutex<()>,
    /// By a number that no other one has had.
    all: Mutex<BTreeMap<u64, Step>>,
    /// How many there have been.
    begun: AtomicU64,
}

/// A step at work.
#[derive(Debug, Clone)]
struct Step {
    database: String,
    /// What it changes or deletes.
    id: Id,
    /// Whether the database is marked for its sake: when it ends, it looks whether the mark may go.
    has_marked: bool,
}

impl Leaving {
    /// A step is at work until what is returned is dropped.
    fn begins(&self, database: &str, id: &Id) -> LettingGo<'_> {
        let step = Step { database: database.to_owned(), id: id.clone(), has_marked: false };
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        self.steps(|steps| steps.insert(number, step));
        LettingGo { leaving: self, number }
    }

    /// Whether a step of a database is at work that the mark is for.
    fn is_awaited(&self, database: &str) -> bool {
        self.steps(|steps| steps.values().any(|step| step.database == database && step.has_marked))
    }

    /// What the steps of a database that are at work change or delete.
    fn at_work(&self, database: &str) -> Vec<Id> {
        let of = |step: &&Step| step.database == database;
        self.steps(|steps| steps.values().filter(of).map(|step| step.id.clone()).collect())
    }

    fn steps<T>(&self, then: impl FnOnce(&mut BTreeMap<u64, Step>) -> T) -> T {
        then(&mut self.all.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// That a step lets go of something, as long as it is at work, however it ends.
#[derive(Debug)]
pub(super) struct LettingGo<'a> {
    leaving: &'a Leaving,
    number: u64,
}

impl LettingGo<'_> {
    /// Ends, and takes the mark off where it was set for this step and may go.
    pub(super) async fn ended(self, aws: &Aws) -> Result<(), ProviderError> {
        let step = self.leaving.steps(|steps| steps.remove(&self.number));
        match step.filter(|step| step.has_marked) {
            Some(step) => after_any(aws, &step.database).await,
            None => Ok(()),
        }
    }

    /// The database is marked for the sake of this step.
    fn marks(&self) {
        self.leaving.steps(|steps| steps.get_mut(&self.number).map(|step| step.has_marked = true));
    }
}

impl Drop for LettingGo<'_> {
    fn drop(&mut self) {
        self.leaving.steps(|steps| steps.remove(&self.number));
    }
}

/// Before a thing changes; `None` where nothing is let go of.
pub(super) async fn before<'a>(
    aws: &'a Aws,
    id: &Id,
    changes: &[Change],
) -> Result<Option<LettingGo<'a>>, ProviderError> {
    let Some(database) = database(aws.region(), id) else { return Ok(None) };
    let left = groups_left(changes);
    let lets_go = lets_go(aws.region(), &database, changes)
        || !left.is_empty() && own_group(aws, &database).await?.is_some_and(|own| left.contains(&&own));
    if lets_go { marked(aws, &database, id).await.map(Some) } else { Ok(None) }
}

/// Before a group of settings is made: nothing refers to it until an instance that is there uses it.
pub(super) async fn before_creation<'a>(aws: &'a Aws, id: &Id) -> Result<Option<LettingGo<'a>>, ProviderError> {
    match database(aws.region(), id).filter(|_| id.kind == parameter_group::NAME) {
        Some(database) => marked(aws, &database, id).await.map(Some),
        None => Ok(None),
    }
}

/// Marks a database, and has a step be at work.
async fn marked<'a>(aws: &'a Aws, database: &str, id: &Id) -> Result<LettingGo<'a>, ProviderError> {
    let _turn = aws.leaving().turn.lock().await;
    let at_work = aws.leaving().begins(database, id);
    marks::set(aws, database, &Mark::Left).await?;
    at_work.marks();
    Ok(at_work)
}

/// The changes of a step but for the mark, which [`after`] takes off where it may go.
pub(super) fn without_mark(changes: &[Change]) -> Vec<Change> {
    let is_mark = |change: &&Change| change.field.strip_prefix("Tags.") == Some(LEAVES);
    changes.iter().filter(|change| !is_mark(change)).cloned().collect()
}

/// Shows the mark of an instance as a tag that nobody wants, where nothing is left that it could be for: whoever set it was cut short before
/// it was taken off.
pub(crate) async fn shown(aws: &Aws, seen: &mut [Observed]) -> Result<(), ProviderError> {
    let is_ours = |seen: &&mut Observed| !matches!(seen.status, Status::Foreign(_));
    let Some(instance) = seen.iter_mut().filter(is_ours).find(|seen| seen.id.kind == instance::NAME) else {
        return Ok(());
    };
    let is_marked = marks::read(instance.props.get(marks::FIELD)).contains(&Mark::Left);
    let is_for_nothing = is_marked
        && match is_anything_left(aws, &instance.id.name).await {
            // Whoever may not look does not know.
            Err(error) if error.kind == ErrorKind::Denied => false,
            left => !left?,
        };
    if is_for_nothing && let Some(Value::Map(tags)) = instance.props.get_mut("Tags") {
        tags.insert(LEAVES.to_owned(), Value::text(&instance.id.name));
    }
    Ok(())
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

/// Before an alarm is deleted: the last one that tells of topic or dashboard marks them, whatever others go at the same moment.
pub(super) async fn before_deletion<'a>(
    aws: &'a Aws,
    id: &Id,
    there: &Alarm,
) -> Result<Option<LettingGo<'a>>, ProviderError> {
    let Some(database) = database(aws.region(), id) else { return Ok(None) };
    let leaving = aws.leaving();
    let _turn = leaving.turn.lock().await;
    let at_work = leaving.begins(&database, id);
    // Those that are at work now may be told all the same, and be gone when the answer is there.
    let going = leaving.at_work(&database);
    let all = cloudwatch::alarms(aws.session(), aws.region(), &names::alarm(&database, "")).await?;
    let stays = |alarm: &&Alarm| !going.contains(&Id::new(alarm::NAME, &alarm.name));
    let is_last = |tells: &dyn Fn(&Alarm) -> bool| tells(there) && !all.iter().filter(stays).any(tells);
    let dashboard = names::dashboard(&database, aws.region());
    if is_last(&|alarm| tells(alarm, &database)) || is_last(&|alarm| shows(&alarm.description, &dashboard)) {
        marks::set(aws, &database, &Mark::Left).await?;
        at_work.marks();
    }
    Ok(Some(at_work))
}

/// After a thing was changed or deleted: takes the mark off once nothing is left that nothing refers to.
pub(super) async fn after(aws: &Aws, id: &Id) -> Result<(), ProviderError> {
    match database(aws.region(), id) {
        Some(database) => after_any(aws, &database).await,
        None => Ok(()),
    }
}

/// The same of a thing whose name does not say its database.
pub(super) async fn after_any(aws: &Aws, database: &str) -> Result<(), ProviderError> {
    let _turn = aws.leaving().turn.lock().await;
    // Each of those looks once more when it is done, or the deletion does of what it lets go of. One that is about to mark waits its turn.
    if aws.leaving().is_awaited(database) {
        return Ok(());
    }
    let Some(seen) = rds::instance(aws.session(), aws.region(), database).await? else { return Ok(()) };
    if !marks::read(Some(&marks::told(&seen.tags))).contains(&Mark::Left) {
        return Ok(());
    }
    match is_anything_left(aws, database).await {
        Ok(false) => {}
        Ok(true) => return Ok(()),
        // What was done is done: whoever may not look leaves the mark.
        Err(error) if error.kind == ErrorKind::Denied => return Ok(()),
        Err(error) => return Err(error),
    }
    marks::clear(aws, database, &Mark::Left).await
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
        // Whether RDS still tells the role of one that is not watched any more, it does not say.
        "MonitoringInterval" => to.as_int() == Some(0),
        "MonitoringRoleArn" => ends(from, &names::monitoring_role(database, region)),
        "DBParameterGroupName" => own(from) && from != to,
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
        // One whose name was too long to be written out wears its database as a tag.
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
    let (servers, mut alarms, around) = try_join3(servers, alarms, super::around(aws, &bare)).await?;
    // One that is on its way out refers to nothing any more, though it may be told.
    let going = aws.leaving().at_work(database);
    alarms.retain(|alarm| !going.contains(&Id::new(alarm::NAME, &alarm.name)));
    let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
    if around.iter().filter(is_ours).any(|seen| !is_referred_to(seen, database, region, &servers, &alarms)) {
        return Ok(true);
    }
    // RDS lets go of one by itself, when it takes the replicas along to another major.
    let own = servers.iter().map(|server| server.parameter_group.as_str());
    let own: BTreeSet<&str> = own.filter(|name| names::owner_of_parameter_group(name) == Some(database)).collect();
    if own.len() > 1 {
        return Ok(true);
    }
    let (groups, used) = (rds::parameter_groups(session, region).await?, |name: &str| {
        servers.iter().any(|server| server.parameter_group == name)
    });
    for group in groups {
        if names::owner_of_parameter_group(&group.name) == Some(database) && !used(&group.name) {
            let worn = match rds::tags(session, region, &group.arn).await {
                // Somebody deleted it since it was listed.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                worn => aws.worn(worn?),
            };
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
        check("MonitoringInterval", Value::Int(60), Value::Int(0), true);
        check("MonitoringInterval", Value::Int(60), Value::Int(30), false);
        check("DBParameterGroupName", "orders-pg16".into(), "shared".into(), true);
        check("DBParameterGroupName", "shared".into(), "orders-pg16".into(), false);
        let groups = |ids: &[&str]| Value::List(ids.iter().map(|id| Value::text(*id)).collect());
        check("DBParameterGroupName", "orders-pg16".into(), "orders-pg17".into(), true);
        let topic = "arn:aws:sns:eu-central-1:123456789012:orders-alarms";
        check("AlarmActions", groups(&[topic]), groups(&[]), true);
        check("AlarmActions", groups(&[topic, "arn:x"]), groups(&[topic]), false);
        let words = |shown: &str| Value::text(format!("CPUUtilization of orders{shown}, kept by pgherd"));
        check("AlarmDescription", words(", on the dashboard orders-eu-central-1"), words(""), true);
        check("Threshold", Value::Float(1.0), Value::Float(2.0), false);
    }

    #[test]
    fn a_step_is_at_work_until_it_ends() {
        let leaving = Leaving::default();
        let id = |name: &str| Id::new(alarm::NAME, name);
        let (one, other) =
            (leaving.begins("orders", &id("orders-cpu")), leaving.begins("orders", &id("orders-storage")));
        drop(one);
        assert_eq!(leaving.at_work("orders"), [id("orders-storage")]);
        assert!(!leaving.is_awaited("orders"), "one that marked nothing looks for nothing when it ends");
        let marking = leaving.begins("orders", &id("orders-cpu"));
        marking.marks();
        assert!(leaving.is_awaited("orders") && !leaving.is_awaited("users"));
        drop(marking);
        assert!(!leaving.is_awaited("orders"));
        assert_eq!(leaving.at_work("users"), []);
        drop(other);
        assert_eq!(leaving.at_work("orders"), []);
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
