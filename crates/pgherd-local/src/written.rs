//! What a block would write to have an instance of this machine as it is: the way from a spec to an instance, backwards. Pure.

use pgherd_core::value::{Props, Value};

/// What was asked for, beside what there is, among the props of an observed instance.
pub(crate) const ASKED: &str = "asked";

/// Variables with the fields that they become as they are.
const FIELDS: &[(&str, &str)] = &[
    ("instance_class", "instance_class"),
    ("allocated_storage", "allocated_storage_gib"),
    ("max_allocated_storage", "max_allocated_storage_gib"),
    ("auto_grow_enabled", "storage_auto_grow"),
    ("database_name", "database_name"),
    ("master_username", "master_username"),
    ("allowed_cidr_blocks", "allowed_cidrs"),
    ("publicly_accessible", "publicly_accessible"),
    ("port", "port"),
    ("tags", "tags"),
    ("maintenance_window", "maintenance_window"),
    ("enable_deletion_protection", "deletion_protection"),
    ("skip_final_snapshot", "skip_final_backup"),
    ("final_snapshot_identifier", "final_backup_name"),
    ("copy_tags_to_snapshot", "copy_tags_to_backup"),
    ("backup_retention_period", "backup_retention_days"),
    ("enable_binary_log_backup", "point_in_time"),
    ("backup_window", "backup_window"),
    ("enable_backup_encryption", "backup_encrypted"),
    ("kms_key_id", "backup_key_file"),
    ("geo_redundant_backup", "geo_redundant_backup"),
    ("enable_logging", "logging"),
    ("multi_az", "multi_az"),
    ("local_sync", "local_sync"),
    ("read_replica_count", "read_replicas"),
    ("enable_proxy", "enable_proxy"),
];

/// The same where what was asked for counts: another version may run in its place, and the disk is whoever's it is.
const ASKED_FIELDS: &[(&str, &str)] = &[
    ("engine_version", "engine_version"),
    ("storage_encrypted", "storage_encrypted"),
    ("proxy_config", "proxy_config"),
];

/// By variable, from the props of an observed instance.
pub(crate) fn inputs(seen: &Props) -> Props {
    let nothing = Props::new();
    let asked = seen.get(ASKED).and_then(Value::as_map).unwrap_or(&nothing);
    let of = |fields: &[(&str, &str)], props: &Props| -> Vec<(String, Value)> {
        let field = |(variable, field): &(&str, &str)| Some(((*variable).to_owned(), props.get(*field)?.clone()));
        fields.iter().filter_map(field).filter(|(_, value)| !value.is_null()).collect()
    };
    let mut inputs: Props = asked.get("written").and_then(Value::as_map).cloned().unwrap_or_default();
    inputs.extend(of(FIELDS, seen));
    inputs.extend(of(ASKED_FIELDS, asked));
    if !asked.contains_key("engine_version") {
        inputs.extend(of(&[("engine_version", "engine_version_actual")], seen));
    }
    let parameters = seen.get("parameters").and_then(Value::as_map).into_iter().flatten();
    let parameter = |(name, value): (&String, &Value)| {
        Value::Map([("name".to_owned(), Value::text(name)), ("value".to_owned(), value.clone())].into())
    };
    inputs.insert("parameters".to_owned(), Value::List(parameters.map(parameter).collect()));
    if let Some(count) = seen.get("read_replicas").and_then(Value::as_int) {
        inputs.insert("create_read_replica".to_owned(), (count > 0).into());
    }
    let tags = seen.get("tags").and_then(Value::as_map);
    inputs.extend(tags.and_then(|tags| Some(("environment".to_owned(), tags.get("Environment")?.clone()))));
    inputs
}

#[cfg(test)]
mod tests {
    use pgherd_core::cloud::Cloud;
    use pgherd_core::inputs::Inputs;
    use pgherd_core::spec::{Spec, resolve};

    use super::*;
    use crate::desired::desired;

    fn spec(values: Props) -> Spec {
        let inputs = Inputs { block: "db".to_owned(), values: values.into_iter().collect() };
        resolve(&inputs, Some(Cloud::Local)).0.expect("the target is given")
    }

    /// An instance that is as it was asked for is read back as a block that asks for the same.
    #[track_caller]
    fn check(written: &[(&str, Value)]) {
        let written: Props = written.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let wanted = desired(&spec(written)).swap_remove(0).props;
        let mut seen = wanted.clone();
        seen.insert(ASKED.to_owned(), Value::Map(wanted.clone()));
        let again = desired(&spec(inputs(&seen))).swap_remove(0).props;
        assert_eq!(again, wanted);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let list = |items: &[&str]| Value::List(items.iter().map(|item| Value::text(*item)).collect());
        let map = |pairs: &[(&str, Value)]| {
            Value::Map(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
        };
        check(&[]);
        check(&[("preset", "prod".into()), ("backup_retention_period", Value::Int(0)), ("port", Value::Int(6000))]);
        check(&[("enable_proxy", false.into()), ("proxy_config", map(&[("default_pool_size", Value::Int(7))]))]);
        check(&[
            ("engine_version", "14.9".into()),
            ("environment", "prod".into()),
            ("tags", map(&[("Team", "shop".into())])),
            ("parameters", Value::List(vec![map(&[("name", "work_mem".into()), ("value", "8MB".into())])])),
            ("allowed_cidr_blocks", list(&["10.0.0.0/8", "192.0.2.0/24"])),
            ("enable_proxy", true.into()),
            ("proxy_config", map(&[("pool_mode", "session".into())])),
            ("create_read_replica", true.into()),
            ("read_replica_count", Value::Int(2)),
            ("max_allocated_storage", Value::Int(100)),
            ("storage_encrypted", false.into()),
            ("subnet_ids", list(&["subnet-1"])),
            ("alarms", map(&[("cpu_percent", Value::Int(90))])),
            ("apply_immediately", true.into()),
            ("final_snapshot_identifier", "last".into()),
            ("geo_redundant_backup", true.into()),
        ]);
        // A key file that is used, one that is not, and a key of a cloud, which is none of this machine's.
        check(&[("kms_key_id", "/etc/key".into())]);
        check(&[("kms_key_id", "/etc/key".into()), ("enable_backup_encryption", false.into())]);
        check(&[("kms_key_id", "arn:aws:kms:eu-west-1:1:key/1".into())]);
    }
}
