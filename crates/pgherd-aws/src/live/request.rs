//! Fields as the calls of RDS take them. Pure.

use std::collections::BTreeSet;

use pgherd_core::resource::Resource;
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;

use super::modify::Modify;
use super::spelling::{GP3_IOPS, GP3_THROUGHPUT};
use crate::api::rds::{DbInstance, LOGS};
use crate::kinds::tags;
use crate::protocol::form::Form;

/// Where gp3 takes figures of its own (Amazon RDS User Guide, "Amazon RDS DB instance storage").
const LARGE_GIB: i64 = 400;

/// The fields of a creation. What is not wanted is not sent.
pub(crate) fn creation<'a>(props: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Form {
    props.into_iter().fold(Form::part(), |form, (name, value)| match (name.as_str(), value) {
        ("Tags", Value::Map(tags)) => form.list("Tags", "Tag", tagged(tags)),
        // It is there anyhow, and CreateDBInstance has no such name for it.
        ("DBName", Value::Text(name)) if name == "postgres" => form,
        ("NewestEngineVersion", value) => put(form, "EngineVersion", value),
        (LOGS, Value::List(logs)) => form.list(LOGS, "member", texts(logs)),
        (name, value) => put(form, name, value),
    })
}

fn tagged(tags: &Props) -> Vec<Form> {
    let props = Props::from([("Tags".to_owned(), Value::Map(tags.clone()))]);
    tags::sent(&props).iter().map(|(key, value)| Form::part().set("Key", key).set("Value", value)).collect()
}

/// The fields of one ModifyDBInstance; `None`: nothing of it can be said to RDS, so there is no call.
///
/// Some fields are said with others that have not changed, because RDS wants them together (botocore 1.43.11): a role with its
/// interval, figures of storage with its size.
pub(crate) fn modification(call: &Modify, resource: &Resource, seen: &DbInstance) -> Option<Form> {
    let mut fields: Props = call.fields.iter().cloned().collect();
    let wanted = |name: &str| resource.props.get(name).filter(|value| !value.is_null()).cloned();
    let has = |fields: &Props, names: &[&str]| names.iter().any(|name| fields.contains_key(*name));
    if has(&fields, &["MonitoringInterval", "MonitoringRoleArn"]) && wanted("MonitoringInterval") != Some(Value::Int(0))
    {
        complete(&mut fields, &["MonitoringInterval", "MonitoringRoleArn"], wanted);
    }
    let insights = ["EnablePerformanceInsights", "PerformanceInsightsRetentionPeriod", "PerformanceInsightsKMSKeyId"];
    if has(&fields, &insights[..2]) && wanted(insights[0]) == Some(Value::Bool(true)) {
        complete(&mut fields, &insights, wanted);
    }
    // One of another family cannot stay, also where the group was accepted before with the version that waits.
    if fields.get("EngineVersion").is_some_and(|version| is_major(version, seen)) {
        complete(&mut fields, &["DBParameterGroupName"], wanted);
    }
    if has(&fields, &["AllocatedStorage", "StorageType", "Iops", "StorageThroughput"]) {
        storage(&mut fields, resource, seen);
    }
    let form = fields.iter().fold(Form::part(), |form, (name, value)| match (name.as_str(), value) {
        ("Port", value) => put(form, "DBPortNumber", value),
        // No growth is growth up to what there is.
        ("MaxAllocatedStorage", Value::Null) => put(form, name, seen.props.get("AllocatedStorage").unwrap_or(value)),
        (LOGS, Value::List(logs)) => exports(form, logs, seen),
        ("EngineVersion", value) if is_major(value, seen) => {
            put(form, name, value).set("AllowMajorVersionUpgrade", true)
        }
        (name, value) => put(form, name, value),
    });
    (!form.is_empty()).then_some(form)
}

/// Adds what is wanted of some fields.
fn complete(fields: &mut Props, names: &[&str], wanted: impl Fn(&str) -> Option<Value>) {
    for name in names {
        if let Some(value) = wanted(name) {
            fields.entry((*name).to_owned()).or_insert(value);
        }
    }
}

/// Figures of storage go with its size, and operations a second with every growth. One that is not wanted any more becomes what RDS
/// gives without being asked.
fn storage(fields: &mut Props, resource: &Resource, seen: &DbInstance) {
    let accepted = |name: &str| seen.pending.get(name).or(seen.props.get(name));
    let kind = resource.props.get("StorageType").or(accepted("StorageType")).and_then(Value::as_text);
    // It may have grown beyond what is wanted, or be about to.
    let sizes = [&resource.props, &seen.props, &seen.pending].map(|props| props.get("AllocatedStorage"));
    let gib = sizes.into_iter().flatten().filter_map(Value::as_int).max().unwrap_or(0);
    let is_gp3 = kind == Some("gp3");
    let takes_figures = is_gp3 && gib >= LARGE_GIB || matches!(kind, Some("io1" | "io2"));
    for (name, [_, given]) in [("Iops", GP3_IOPS), ("StorageThroughput", GP3_THROUGHPUT)] {
        let is_changed = fields.remove(name).is_some();
        if !takes_figures {
            continue;
        }
        let wanted = resource.props.get(name).and_then(Value::as_int);
        // What it has stays, unless that was given to it while it was small.
        let kept = accepted(name).and_then(Value::as_int).filter(|figure| !is_changed && (!is_gp3 || *figure >= given));
        let is_said = is_changed || name == "Iops";
        let figure = wanted.or_else(|| kept.or(is_gp3.then_some(given)).filter(|_| is_said));
        fields.extend(figure.map(|figure| (name.to_owned(), Value::Int(figure))));
    }
    if takes_figures || fields.contains_key("AllocatedStorage") {
        fields.insert("AllocatedStorage".to_owned(), Value::Int(gib));
    }
}

/// Exports are changed by what is turned on and what off.
fn exports(form: Form, wanted: &[Value], seen: &DbInstance) -> Form {
    let wanted: BTreeSet<&str> = texts(wanted).collect();
    let live: BTreeSet<&str> = seen.props.get(LOGS).and_then(Value::as_list).map(texts).into_iter().flatten().collect();
    let part = Form::part().list("EnableLogTypes", "member", wanted.difference(&live).copied()).list(
        "DisableLogTypes",
        "member",
        live.difference(&wanted).copied(),
    );
    form.set("CloudwatchLogsExportConfiguration", part)
}

/// Whether a version is of another major than the one that runs.
pub(crate) fn is_major(version: &Value, seen: &DbInstance) -> bool {
    let major = |value: &Value| Version::parse(value.as_text()?).map(|version| version.major);
    seen.props.get("EngineVersion").and_then(major) != major(version)
}

fn put(form: Form, name: &str, value: &Value) -> Form {
    match value {
        Value::Bool(on) => form.set(name, *on),
        Value::Int(number) => form.set(name, *number),
        Value::Float(number) => form.set(name, *number),
        Value::Text(text) => form.set(name, text),
        Value::List(items) if name == "VpcSecurityGroupIds" => form.list(name, "VpcSecurityGroupId", texts(items)),
        // No other field of an instance is one of these.
        Value::Null | Value::List(_) | Value::Map(_) | Value::Secret(_) | Value::Unknown(_) | Value::Output(..) => form,
    }
}

fn texts(values: &[Value]) -> impl Iterator<Item = &str> {
    values.iter().filter_map(Value::as_text)
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::Id;

    use super::*;
    use crate::kinds::instance;
    use crate::wait;

    fn props(pairs: &[(&str, Value)]) -> Props {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// The fields of a ModifyDBInstance that changes some of what is wanted, of an instance that is seen so.
    #[track_caller]
    fn check(changed: &[&str], wanted: &[(&str, Value)], seen: &[(&str, Value)], expected: &str) {
        let resource = Resource { id: Id::new(instance::NAME, "orders"), props: props(wanted), needs: Vec::new() };
        let seen = DbInstance { props: props(seen), ..wait::tests::seen("available", "in-sync", &[]) };
        let value = |field: &str| resource.props.get(field).cloned().unwrap_or(Value::Null);
        let fields = changed.iter().map(|field| ((*field).to_owned(), value(field))).collect();
        let call = Modify { fields, immediately: true, reboot: false, is_for_window: false };
        let form = modification(&call, &resource, &seen).map(|form| form.encode("v")).unwrap_or_default();
        assert_eq!(form.trim_start_matches("Action=&Version=v").trim_start_matches('&'), expected);
    }

    #[test]
    fn some_fields_are_called_otherwise() {
        check(&["Port"], &[("Port", Value::Int(5433))], &[], "DBPortNumber=5433");
    }

    #[test]
    fn exports_are_turned_on_and_off() {
        let wanted = Value::List(vec!["upgrade".into(), "iam-db-auth-error".into()]);
        let seen = Value::List(vec!["upgrade".into(), "postgresql".into()]);
        check(
            &[LOGS],
            &[(LOGS, wanted)],
            &[(LOGS, seen)],
            "CloudwatchLogsExportConfiguration.EnableLogTypes.member.1=iam-db-auth-error\
             &CloudwatchLogsExportConfiguration.DisableLogTypes.member.1=postgresql",
        );
    }

    #[test]
    fn no_growth_is_growth_up_to_what_there_is() {
        check(&["MaxAllocatedStorage"], &[], &[("AllocatedStorage", Value::Int(120))], "MaxAllocatedStorage=120");
    }

    #[test]
    fn another_major_is_allowed_for() {
        let version = |version: &str| [("EngineVersion", Value::text(version))];
        check(
            &["EngineVersion"],
            &version("17.7"),
            &version("16.13"),
            "EngineVersion=17.7&AllowMajorVersionUpgrade=true",
        );
        check(&["EngineVersion"], &version("16.14"), &version("16.13"), "EngineVersion=16.14");
    }

    #[test]
    fn another_major_brings_the_group_of_its_family() {
        let group = ("DBParameterGroupName", Value::text("orders-pg17"));
        let version = |version: &str| ("EngineVersion", Value::text(version));
        check(
            &["EngineVersion"],
            &[version("17.7"), group.clone()],
            &[version("16.13")],
            "DBParameterGroupName=orders-pg17&EngineVersion=17.7&AllowMajorVersionUpgrade=true",
        );
        check(&["EngineVersion"], &[version("16.14"), group], &[version("16.13")], "EngineVersion=16.14");
    }

    #[test]
    fn figures_of_storage_go_with_its_size() {
        let kind = |kind: &str| ("StorageType", Value::text(kind));
        let size = |gib: i64| ("AllocatedStorage", Value::Int(gib));
        let iops = |iops: i64| ("Iops", Value::Int(iops));
        check(&["Iops"], &[kind("gp3"), size(500), iops(16_000)], &[size(500)], "AllocatedStorage=500&Iops=16000");
        // It has grown by itself.
        check(&["Iops"], &[kind("gp3"), size(500), iops(16_000)], &[size(700)], "AllocatedStorage=700&Iops=16000");
        check(&["Iops"], &[kind("gp3"), size(500)], &[size(500)], "AllocatedStorage=500&Iops=12000");
        check(&["AllocatedStorage"], &[kind("gp3"), size(30)], &[size(20)], "AllocatedStorage=30");
        check(&["StorageType"], &[kind("gp3"), size(20)], &[size(20)], "StorageType=gp3");
        // Every growth says operations a second: those it is to have or has, or those that large storage is given.
        check(&["AllocatedStorage"], &[kind("gp3"), size(600)], &[size(500)], "AllocatedStorage=600&Iops=12000");
        let grown = [kind("gp3"), size(600), iops(16_000)];
        check(&["AllocatedStorage"], &grown, &[size(500)], "AllocatedStorage=600&Iops=16000");
        check(
            &["AllocatedStorage"],
            &[kind("io1"), size(300)],
            &[size(200), iops(2000)],
            "AllocatedStorage=300&Iops=2000",
        );
        let small = [size(300), iops(3000)];
        check(&["AllocatedStorage"], &[kind("gp3"), size(500)], &small, "AllocatedStorage=500&Iops=12000");
        // There is nothing to be said of what small gp3 is given anyhow.
        check(&["Iops"], &[kind("gp3"), size(20)], &[size(20)], "");
    }

    /// Otherwise a growth that waits for the window would be taken back.
    #[test]
    fn storage_that_is_about_to_grow_stays_so() {
        let wanted = [("StorageType", Value::text("gp3")), ("AllocatedStorage", Value::Int(500))];
        let mut fields = Props::from([("StorageThroughput".to_owned(), Value::Null)]);
        let resource = Resource { id: Id::new(instance::NAME, "orders"), props: props(&wanted), needs: Vec::new() };
        let pending = props(&[("AllocatedStorage", Value::Int(700)), ("Iops", Value::Int(20_000))]);
        let live = props(&[("AllocatedStorage", Value::Int(500)), ("Iops", Value::Int(16_000))]);
        let seen = DbInstance { props: live, pending, ..wait::tests::seen("available", "in-sync", &[]) };
        storage(&mut fields, &resource, &seen);
        let expected = [("AllocatedStorage", 700), ("Iops", 20_000), ("StorageThroughput", 500)]
            .map(|(name, figure)| (name, Value::Int(figure)));
        assert_eq!(fields, props(&expected));
    }

    #[test]
    fn what_rds_wants_together_is_said_together() {
        let role = ("MonitoringRoleArn", Value::text("arn"));
        check(
            &["MonitoringInterval"],
            &[("MonitoringInterval", Value::Int(30)), role],
            &[],
            "MonitoringInterval=30&MonitoringRoleArn=arn",
        );
        check(&["MonitoringInterval"], &[("MonitoringInterval", Value::Int(0))], &[], "MonitoringInterval=0");
        check(
            &["EnablePerformanceInsights"],
            &[("EnablePerformanceInsights", true.into()), ("PerformanceInsightsRetentionPeriod", Value::Int(31))],
            &[],
            "EnablePerformanceInsights=true&PerformanceInsightsRetentionPeriod=31",
        );
    }

    #[test]
    fn a_creation_says_what_is_wanted_in_rds_words() {
        let tags = Value::Map(props(&[("Owner", "ann".into()), ("Team", Value::Unknown("var.team".to_owned()))]));
        let wanted = props(&[
            ("DBName", "postgres".into()),
            ("NewestEngineVersion", "18".into()),
            ("MaxAllocatedStorage", Value::Null),
            ("VpcSecurityGroupIds", Value::List(vec!["sg-1".into()])),
            ("Tags", tags),
        ]);
        assert_eq!(
            creation(&wanted).encode("v"),
            "Action=&Version=v&EngineVersion=18&Tags.Tag.1.Key=Owner&Tags.Tag.1.Value=ann\
             &VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1"
        );
    }
}
