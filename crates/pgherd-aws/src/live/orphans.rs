//! What nobody wants any more of what stands around a database. It is looked for only where something that is there refers to it, so
//! that a plan without a change asks nothing for it; and by name when there is no instance, which is what most of it is told by.

use std::collections::BTreeMap;

use futures_util::future::{try_join, try_join_all};
use pgherd_core::resource::{Id, Observed, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_engine::provider::{ErrorKind, ProviderError};

use super::marks::{self, Mark};
use super::{left, ours};
use crate::kinds::{alarm, dashboard, instance, proxy, replica, role, security_group, topic};
use crate::provider::Aws;
use crate::{alarms, names};

/// What is there of a block that is not among what is wanted, and ours.
pub(super) async fn observe(aws: &Aws, wanted: &[Resource], seen: &[Observed]) -> Result<Vec<Observed>, ProviderError> {
    let Some(database) = ours::database(wanted) else { return Ok(Vec::new()) };
    let bare = |id: Id| Resource { id, props: Props::new(), needs: Vec::new() };
    let (marked, told): (Vec<_>, Vec<_>) =
        suspects(database, aws.region(), wanted, seen).into_iter().partition(|(_, by)| *by == By::Mark);
    let told: Vec<Resource> = told.into_iter().map(|(id, _)| bare(id)).collect();
    let marked = marked.into_iter().map(|(id, _)| async {
        match super::around(aws, &[bare(id)]).await {
            // The mark does not say what is left: whoever may not look there plans all the same.
            Err(error) if error.kind == ErrorKind::Denied => Ok(Vec::new()),
            found => found,
        }
    });
    let (told, marked) = try_join(super::around(aws, &told), try_join_all(marked)).await?;
    let found = told.into_iter().chain(marked.into_iter().flatten());
    Ok(found.filter(|seen| !matches!(seen.status, Status::Foreign(_))).collect())
}

/// What tells that something may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// What refers to it; or that there is no instance.
    Reference,
    /// Only that its database lets go of something.
    Mark,
}

/// What may be there of a database although nobody wants it.
fn suspects(database: &str, region: &str, wanted: &[Resource], seen: &[Observed]) -> BTreeMap<Id, By> {
    let of = |kind: &'static str| seen.iter().filter(move |seen| seen.id.kind == kind);
    let is_ours = |seen: &&Observed| !matches!(seen.status, Status::Foreign(_));
    // What follows nobody any more may use things of ours as its own.
    let servers = || of(instance::NAME).chain(of(replica::NAME).filter(is_ours));
    let is_known = of(instance::NAME).any(|seen| is_ours(&seen));
    let (monitoring, reading) = (names::monitoring_role(database, region), names::proxy_role(database, region));
    let (topic, dashboard) = (names::topic(database), names::dashboard(database, region));
    let monitors = ends(&monitoring, '/', servers().filter_map(|seen| seen.props.get("MonitoringRoleArn")));
    let tells = ends(&topic, ':', of(alarm::NAME).flat_map(|seen| list(seen, "AlarmActions")));
    let mut descriptions = of(alarm::NAME).filter_map(|seen| seen.props.get("AlarmDescription")?.as_text());
    let shows = descriptions.any(|words| left::shows(words, &dashboard));
    let written: Vec<&Value> = wanted.iter().flat_map(|one| list_of(&one.props, "VpcSecurityGroupIds")).collect();
    let is_in_another = servers().flat_map(|seen| list(seen, "VpcSecurityGroupIds")).any(|id| !written.contains(&id));
    let marked = of(instance::NAME).flat_map(|seen| marks::read(seen.props.get(marks::FIELD))).collect::<Vec<_>>();
    let (has_proxy, lets_go) = (marked.contains(&Mark::Proxy), marked.contains(&Mark::Left));
    let there = marked.iter().filter_map(|mark| match mark {
        Mark::Region(region) => Some(there(database, region)),
        Mark::Proxy | Mark::Left => None,
    });
    // Where alarms are wanted, all of ours are told.
    let is_told = |id: &Id| {
        let of = |id: &Id| names::place(&id.kind, &id.name).0;
        wanted.iter().any(|one| one.id.kind == alarm::NAME && id.kind == alarm::NAME && of(&one.id) == of(id))
    };
    let there: Vec<(Id, bool, bool)> = there.flatten().filter(|id| !is_told(id)).map(|id| (id, true, false)).collect();
    let possible = [
        (Id::new(role::NAME, monitoring), monitors, lets_go),
        (Id::new(role::NAME, reading), has_proxy, false),
        (Id::new(proxy::NAME, names::proxy(database)), has_proxy, false),
        (Id::new(topic::NAME, topic), tells, lets_go),
        (Id::new(dashboard::NAME, dashboard), shows, lets_go),
        (Id::new(security_group::NAME, names::security_group(database)), is_in_another, lets_go),
    ];
    let is_wanted = |id: &Id| wanted.iter().any(|resource| resource.id == *id);
    let suspect = |(id, is_told, is_marked): (Id, bool, bool)| {
        let by = if is_told || !is_known { By::Reference } else { By::Mark };
        ((by == By::Reference || is_marked) && !is_wanted(&id)).then_some((id, by))
    };
    possible.into_iter().chain(there).filter_map(suspect).collect()
}

/// What may be in a second region of a database, beside its replica and the groups that RDS tells of.
pub(super) fn there(database: &str, region: &str) -> Vec<Id> {
    let server = names::recovery(database);
    let group = (security_group::NAME, names::security_group(&server));
    let alarms = alarms::ABOUT.iter().map(|about| (alarm::NAME, names::alarm(&server, about)));
    let all = std::iter::once(group).chain(alarms);
    all.map(|(kind, name)| Id::new(kind, names::elsewhere(region, &name))).collect()
}

fn list<'a>(seen: &'a Observed, field: &str) -> &'a [Value] {
    list_of(&seen.props, field)
}

fn list_of<'a>(props: &'a Props, field: &str) -> &'a [Value] {
    props.get(field).and_then(Value::as_list).unwrap_or_default()
}

/// Whether one of some ARNs is of a thing of this name.
fn ends<'a>(name: &str, before: char, arns: impl Iterator<Item = &'a Value>) -> bool {
    arns.filter_map(Value::as_text).any(|arn| arn.rsplit(before).next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::props;

    fn seen(kind: &str, name: &str, fields: Vec<(&'static str, Value)>) -> Observed {
        ours::seen(&Id::new(kind, name), props(fields), Status::Available)
    }

    fn wanted(groups: &[&str]) -> Vec<Resource> {
        let groups = groups.iter().map(|group| Value::text(*group)).collect();
        let props = props([("VpcSecurityGroupIds", Value::List(groups))]);
        vec![Resource { id: Id::new(instance::NAME, "orders"), props, needs: Vec::new() }]
    }

    #[track_caller]
    fn check(seen: &[Observed], expected: &[&str]) {
        let found = suspects("orders", "eu-central-1", &wanted(&["sg-9"]), seen);
        assert_eq!(found.keys().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nothing_is_looked_for_that_nothing_refers_to() {
        let groups = Value::List(vec!["sg-9".into()]);
        check(&[seen(instance::NAME, "orders", vec![("VpcSecurityGroupIds", groups)])], &[]);
    }

    #[test]
    fn whatever_refers_to_a_thing_tells_of_it() {
        let arn = "arn:aws:iam::123456789012:role/pgherd-orders-eu-central-1-monitoring";
        let groups = Value::List(vec!["sg-9".into(), "sg-1".into()]);
        let marks = Value::List(vec!["pgherd:proxy".into()]);
        let told = vec![("MonitoringRoleArn", arn.into()), ("VpcSecurityGroupIds", groups), (marks::FIELD, marks)];
        let instance = seen(instance::NAME, "orders", told);
        let actions = Value::List(vec!["arn:aws:sns:eu-central-1:123456789012:orders-alarms".into()]);
        let words = "CPUUtilization of orders, on the dashboard orders-eu-central-1, kept by pgherd";
        let alarm =
            seen(alarm::NAME, "orders-cpu", vec![("AlarmActions", actions), ("AlarmDescription", words.into())]);
        check(
            &[instance, alarm],
            &[
                "dashboard orders-eu-central-1",
                "proxy orders-proxy",
                "role pgherd-orders-eu-central-1-monitoring",
                "role pgherd-orders-eu-central-1-proxy",
                "security_group orders-db",
                "topic orders-alarms",
            ],
        );
    }

    #[test]
    fn without_an_instance_everything_is_looked_for() {
        assert_eq!(suspects("orders", "eu-central-1", &wanted(&[]), &[]).len(), 6);
    }
}
