//! What RDS tells of an instance, as the block that wants it spells it: so that only what differs is a difference. Pure.

use std::collections::BTreeMap;

use pgherd_core::resource::{Pending, Resource, Status};
use pgherd_core::value::{Props, Value};
use pgherd_core::version::Version;

use crate::api::rds::DbInstance;
use crate::kinds::{instance, tags};
use crate::status;

/// Keys of KMS as somebody writes them, and the ARN of each. RDS tells ARNs only.
pub(crate) type Keys = BTreeMap<String, String>;

/// What follows a server, whoever it belongs to: names and, of other regions, ARNs.
pub(crate) const REPLICAS: &str = "ReadReplicaDBInstanceIdentifiers";

/// Fields that hold a key.
pub(crate) const KEYS: [&str; 2] = ["KmsKeyId", "PerformanceInsightsKMSKeyId"];

/// What RDS gives gp3 that asks for nothing, below 400 GiB and from there on (Amazon RDS User Guide, "Amazon RDS DB instance storage").
pub(crate) const GP3_IOPS: [i64; 2] = [3000, 12_000];
/// The same in MiB a second.
pub(crate) const GP3_THROUGHPUT: [i64; 2] = [125, 500];

/// What most of what was accepted waits for.
pub(crate) const WINDOW: &str = "the maintenance window";

/// The fields of an instance or a replica. What was accepted and does not hold yet counts as what is.
pub(crate) fn props(seen: &DbInstance, wanted: Option<&Resource>, keys: &Keys) -> Props {
    let nothing = Props::new();
    let is_instance = wanted.is_some_and(|wanted| wanted.id.kind == instance::NAME);
    let wanted = wanted.map_or(&nothing, |wanted| &wanted.props);
    let mut props = seen.props.clone();
    props.extend(seen.pending.clone());
    // Growth up to what there is, is none; where a limit is wanted, it may have been reached.
    let is_limited = wanted.get("MaxAllocatedStorage").is_some_and(|most| !most.is_null());
    if !is_limited && props.get("MaxAllocatedStorage") == props.get("AllocatedStorage") {
        props.remove("MaxAllocatedStorage");
    }
    // The group of the new family comes with the version, in the same call.
    if let Some(group) = wanted.get("DBParameterGroupName").filter(|_| is_about_to_be_another_major(seen)) {
        props.insert("DBParameterGroupName".to_owned(), group.clone());
    }
    for (field, baseline) in [("Iops", GP3_IOPS), ("StorageThroughput", GP3_THROUGHPUT)] {
        let is_given = is_given(&props, field, &baseline);
        if is_given && wanted.get(field).is_none_or(Value::is_null) {
            props.remove(field);
        }
    }
    // The database that is always there is told by no name.
    props.entry("DBName".to_owned()).or_insert_with(|| "postgres".into());
    props.entry("MonitoringInterval".to_owned()).or_insert(Value::Int(0));
    for field in KEYS {
        if let (Some(written), Some(arn)) = (wanted.get(field).and_then(Value::as_text), text(&props, field))
            && is_same_key(written, &arn, keys)
        {
            props.insert(field.to_owned(), written.into());
        }
    }
    // What is off has no key, and takes any once it is turned on.
    if props.get("EnablePerformanceInsights") == Some(&Value::Bool(false)) {
        let key = wanted.get("PerformanceInsightsKMSKeyId").cloned().unwrap_or(Value::Null);
        props.insert("PerformanceInsightsKMSKeyId".to_owned(), key);
    }
    let version = props.get("EngineVersion").cloned().unwrap_or(Value::Null);
    let running = seen.props.get("EngineVersion").cloned().unwrap_or(Value::Null);
    let wanted_tags = wanted.get("Tags").and_then(Value::as_map).unwrap_or(&nothing);
    let mut compared = tags::compared(&seen.tags, wanted_tags);
    if let (Value::Map(compared), true) = (&mut compared, is_instance) {
        compared.extend(tags::written_compared(&seen.tags, wanted_tags));
    }
    props.extend(
        [
            ("NewestEngineVersion", version),
            ("engine_version_actual", running),
            ("Tags", compared),
            (REPLICAS, Value::List(seen.replicas.iter().map(Value::text).collect())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    props
}

/// Whether another major was accepted, and waits or is under way.
fn is_about_to_be_another_major(seen: &DbInstance) -> bool {
    let major = |props: &Props| Version::parse(props.get("EngineVersion")?.as_text()?).map(|version| version.major);
    major(&seen.pending).is_some_and(|accepted| major(&seen.props) != Some(accepted))
}

/// A replica whose source is about to be of another major, as which it counts: RDS takes it along.
pub(crate) fn taken_along(props: &mut Props, seen: &DbInstance, source: &DbInstance, wanted: Option<&Resource>) {
    let is_busy = matches!(status::of(&seen.status), Status::Busy(_));
    let of_source = source.pending.get("EngineVersion").or(source.props.get("EngineVersion").filter(|_| is_busy));
    let major = |value: &Value| Version::parse(value.as_text()?).map(|version| version.major);
    let own = seen.props.get("EngineVersion").and_then(major);
    let Some(version) = of_source.filter(|version| major(version) > own) else { return };
    props.insert("EngineVersion".to_owned(), version.clone());
    let group = wanted.and_then(|wanted| wanted.props.get("DBParameterGroupName"));
    props.extend(group.map(|group| ("DBParameterGroupName".to_owned(), group.clone())));
}

/// What was accepted and waits: for the window, or for a restart that no window brings.
pub(crate) fn pending(seen: &DbInstance) -> Vec<Pending> {
    // While RDS is at it, it waits for nothing any more.
    if matches!(status::of(&seen.status), Status::Busy(_) | Status::Incomplete(_)) {
        return Vec::new();
    }
    let of = |field: &str, waits_for: &str| Pending { field: field.to_owned(), waits_for: waits_for.to_owned() };
    let settings = (seen.settings == "pending-reboot").then(|| of("DBParameterGroupName", "a restart"));
    seen.pending.keys().map(|field| of(field, WINDOW)).chain(settings).collect()
}

/// What it is doing; what does not wear our tag is not ours.
pub(crate) fn status(seen: &DbInstance, block: &str) -> Status {
    match foreign(&seen.tags, block) {
        Some(reason) => Status::Foreign(reason),
        None => status::of(&seen.status),
    }
}

/// How one can tell that what wears these tags is not pgherd's for a block; `None`: it is.
pub(crate) fn foreign(live: &BTreeMap<String, String>, block: &str) -> Option<String> {
    match live.get(tags::BLOCK) {
        _ if tags::are_ours(live, block) => None,
        Some(other) => Some(format!("its tag {} says {other}", tags::BLOCK)),
        None => Some(format!("it has no tag {}", tags::BLOCK)),
    }
}

/// Whether a figure of storage is one that nobody asked for.
fn is_given(props: &Props, field: &str, baseline: &[i64]) -> bool {
    match text(props, "StorageType").as_deref() {
        Some("gp3") => props.get(field).and_then(Value::as_int).is_some_and(|figure| baseline.contains(&figure)),
        Some("io1" | "io2") => false,
        _ => true,
    }
}

/// Whether a key as somebody writes it is the one with this ARN.
pub(crate) fn is_same_key(written: &str, arn: &str, keys: &Keys) -> bool {
    written == arn || arn.ends_with(&format!(":key/{written}")) || keys.get(written).is_some_and(|known| known == arn)
}

fn text(props: &Props, field: &str) -> Option<String> {
    props.get(field).and_then(Value::as_text).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use pgherd_core::resource::Id;

    use super::*;
    use crate::wait;

    const ARN: &str = "arn:aws:kms:eu-central-1:123456789012:key/0f1e";

    fn of(pairs: &[(&str, Value)]) -> Props {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// A field of an instance that tells these, where the block wants those.
    #[track_caller]
    fn check(told: &[(&str, Value)], wanted: &[(&str, Value)], field: &str, expected: &Value) {
        let seen = DbInstance { props: of(told), ..wait::tests::seen("available", "in-sync", &[]) };
        let wanted = Resource { id: Id::new(instance::NAME, "orders"), props: of(wanted), needs: Vec::new() };
        let keys = Keys::from([("alias/orders".to_owned(), ARN.to_owned())]);
        let found = props(&seen, Some(&wanted), &keys).remove(field).unwrap_or(Value::Null);
        assert_eq!(found, *expected);
    }

    #[test]
    fn a_key_is_told_as_it_is_written() {
        let told = [("KmsKeyId", Value::text(ARN))];
        for written in [ARN, "0f1e", "alias/orders"] {
            check(&told, &[("KmsKeyId", written.into())], "KmsKeyId", &written.into());
        }
        check(&told, &[("KmsKeyId", "alias/others".into())], "KmsKeyId", &ARN.into());
    }

    #[test]
    fn figures_that_nobody_asked_for_are_none() {
        let told = |kind: &str, iops: i64| [("StorageType", Value::text(kind)), ("Iops", Value::Int(iops))];
        check(&told("gp3", 3000), &[], "Iops", &Value::Null);
        check(&told("gp3", 12_000), &[("Iops", Value::Null)], "Iops", &Value::Null);
        check(&told("gp3", 12_000), &[("Iops", Value::Int(12_000))], "Iops", &Value::Int(12_000));
        check(&told("gp3", 16_000), &[], "Iops", &Value::Int(16_000));
        check(&told("gp2", 1500), &[], "Iops", &Value::Null);
        check(&told("io1", 3000), &[], "Iops", &Value::Int(3000));
    }

    #[test]
    fn growth_up_to_what_there_is_is_none() {
        let told = |most: i64| [("AllocatedStorage", Value::Int(100)), ("MaxAllocatedStorage", Value::Int(most))];
        check(&told(100), &[], "MaxAllocatedStorage", &Value::Null);
        check(&told(200), &[], "MaxAllocatedStorage", &Value::Int(200));
        // It has grown up to its limit, and that is no difference.
        let limit = [("MaxAllocatedStorage", Value::Int(100))];
        check(&told(100), &limit, "MaxAllocatedStorage", &Value::Int(100));
    }

    /// An instance or a replica at these versions, and the group it counts as using where `orders-pg17` is wanted.
    #[track_caller]
    fn check_upgrade(runs: &str, accepted: &str, expected: &str) {
        let wanted = of(&[("DBParameterGroupName", "orders-pg17".into())]);
        let wanted = Resource { id: Id::new(instance::NAME, "orders"), props: wanted, needs: Vec::new() };
        let told = of(&[("EngineVersion", runs.into()), ("DBParameterGroupName", "orders-pg16".into())]);
        let mut seen = DbInstance { props: told, ..wait::tests::seen("available", "in-sync", &[]) };
        if !accepted.is_empty() {
            seen.pending.insert("EngineVersion".to_owned(), accepted.into());
        }
        assert_eq!(props(&seen, Some(&wanted), &Keys::new())["DBParameterGroupName"], expected.into());
    }

    #[test]
    fn the_group_of_another_major_comes_with_it() {
        check_upgrade("16.13", "17.7", "orders-pg17");
        check_upgrade("16.10", "16.13", "orders-pg16");
        check_upgrade("16.13", "", "orders-pg16");
    }

    /// A replica of 16.13, and the version it counts as.
    #[track_caller]
    fn check_along(status: &str, source: (&str, &str), expected: &str) {
        let version = |version: &str| of(&[("EngineVersion", version.into())]);
        let replica = DbInstance { props: version("16.13"), ..wait::tests::seen(status, "in-sync", &[]) };
        let mut of_source = wait::tests::seen("available", "in-sync", &[]);
        of_source.props = version(source.0);
        if !source.1.is_empty() {
            of_source.pending = version(source.1);
        }
        let mut found = replica.props.clone();
        taken_along(&mut found, &replica, &of_source, None);
        assert_eq!(found["EngineVersion"], expected.into(), "{status} {source:?}");
    }

    #[test]
    fn a_replica_goes_along_with_its_source() {
        check_along("available", ("16.13", ""), "16.13");
        check_along("available", ("16.13", "17.7"), "17.7");
        check_along("upgrading", ("17.7", ""), "17.7");
        // It was left behind.
        check_along("available", ("17.7", ""), "16.13");
        check_along("available", ("16.14", ""), "16.13");
        check_along("available", ("16.13", "16.14"), "16.13");
    }

    #[test]
    fn what_is_not_told_is_what_it_means() {
        check(&[], &[], "DBName", &"postgres".into());
        check(&[], &[], "MonitoringInterval", &Value::Int(0));
    }

    /// Otherwise a key that is written could never be turned on.
    #[test]
    fn what_is_off_has_whatever_key() {
        let off = [("EnablePerformanceInsights", Value::Bool(false))];
        let field = "PerformanceInsightsKMSKeyId";
        check(&off, &[(field, "alias/orders".into())], field, &"alias/orders".into());
    }

    #[test]
    fn what_was_accepted_is_what_is_and_waits() {
        let mut seen = wait::tests::seen("available", "pending-reboot", &["DBInstanceClass"]);
        seen.props.insert("DBInstanceClass".to_owned(), Value::Int(0));
        assert_eq!(props(&seen, None, &Keys::new())["DBInstanceClass"], Value::Int(1));
        let waits: Vec<_> = pending(&seen).into_iter().map(|one| (one.field, one.waits_for)).collect();
        let of = |field: &str, waits_for: &str| (field.to_owned(), waits_for.to_owned());
        assert_eq!(waits, [of("DBInstanceClass", "the maintenance window"), of("DBParameterGroupName", "a restart")]);
        seen.status = "modifying".to_owned();
        assert_eq!(pending(&seen), []);
    }

    #[test]
    fn what_wears_no_tag_of_ours_is_foreign() {
        let mut seen = wait::tests::seen("available", "in-sync", &[]);
        assert_eq!(status(&seen, "orders"), Status::Foreign("it has no tag pgherd:block".to_owned()));
        seen.tags.insert("pgherd:block".to_owned(), "others".to_owned());
        assert_eq!(status(&seen, "orders"), Status::Foreign("its tag pgherd:block says others".to_owned()));
        seen.tags.insert("pgherd:block".to_owned(), "orders".to_owned());
        assert_eq!(status(&seen, "orders"), Status::Available);
    }
}
