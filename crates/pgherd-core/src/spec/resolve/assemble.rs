//! Settled settings put where a Spec has them. No decision is made here.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::ha::SyncMode;
use crate::spec::{
    Backup, Encryption, Monitoring, Network, Origin, Place, Proxy, Recovery, SecurityRule, Setting, Size, Spec, Storage,
};
use crate::value::{Props, Value};
use crate::version::Version;
use crate::window::{DAY_MIN, WEEK_MIN, Window};

use super::draft::Draft;
use super::effective::effective;

pub(super) fn assemble(draft: &Draft, size: Size) -> Spec {
    let text = |name: &str| draft.text(name).map(str::to_owned);
    let has_proxy = draft.value("proxy_config").as_map().is_some();
    let version = draft.text("engine_version").and_then(Version::parse);
    let is_newest = matches!(draft.settled["engine_version"].origin, Origin::Newest(_));
    Spec {
        block: draft.block.to_owned(),
        name: text("name").unwrap_or_default(),
        target: draft.target,
        preset: draft.preset,
        environment: text("environment"),
        tags: tags(draft),
        engine_version: version.filter(|_| !is_newest),
        newest_major: version.filter(|_| is_newest).map(|version| version.major),
        size,
        storage: storage(draft),
        database_name: text("database_name").unwrap_or_default(),
        master_username: text("master_username").unwrap_or_default(),
        master_password: match draft.value("master_password") {
            Value::Secret(secret) => Setting::Known(secret.clone()),
            Value::Unknown(reference) => Setting::Unknown(reference.clone()),
            _ => Setting::Unset,
        },
        network: network(draft),
        place: place(draft),
        multi_az: draft.is_on("multi_az"),
        local_sync: draft.text("local_sync").and_then(SyncMode::from_name).unwrap_or_default(),
        replicas: number(draft, "read_replica_count"),
        dr: recovery(draft),
        backup: backup(draft),
        maintenance_window: weekly(draft.text("maintenance_window")),
        apply_immediately: draft.value("apply_immediately").as_bool(),
        deletion_protection: draft.is_on("enable_deletion_protection"),
        encryption: Encryption {
            storage: draft.is_on("storage_encrypted"),
            kms_key_id: setting(draft.value("kms_key_id")),
        },
        iam_authentication: draft.is_on("iam_database_authentication_enabled"),
        parameters: parameters(draft),
        parameter_group_name: text("parameter_group_name"),
        parameter_group_family: text("parameter_group_family"),
        option_group_name: text("option_group_name"),
        monitoring: monitoring(draft),
        proxy: draft.is_on("enable_proxy").then(|| proxy(draft)),
        proxy_kept: (!draft.is_on("enable_proxy") && has_proxy).then(|| proxy(draft)),
        effective: effective(draft),
        settled: settled(draft),
    }
}

/// Every setting that may be shown.
fn settled(draft: &Draft) -> Props {
    let shown = draft.settled.iter().filter(|(name, settled)| {
        !draft.hidden.contains(*name) && !settled.value.has_secret() && **name != "master_password"
    });
    shown.map(|(name, settled)| ((*name).to_owned(), settled.value.clone())).collect()
}

fn storage(draft: &Draft) -> Storage {
    Storage {
        allocated_gib: draft.whole("allocated_storage").unwrap_or_default(),
        max_gib: draft.whole("max_allocated_storage"),
        auto_grow: draft.is_on("auto_grow_enabled") || draft.whole("max_allocated_storage").is_some(),
        kind: draft.text("storage_type").map(str::to_owned),
        iops: draft.whole("storage_iops"),
        throughput_mibps: draft.whole("storage_throughput"),
    }
}

fn network(draft: &Draft) -> Network {
    Network {
        vpc_id: setting(draft.value("vpc_id")),
        subnet_ids: subnets(draft.value("subnet_ids")),
        allowed_cidr_blocks: settings(draft.value("allowed_cidr_blocks")),
        publicly_accessible: draft.is_on("publicly_accessible"),
        port: draft.whole("port").and_then(|port| port.try_into().ok()),
        create_security_group: draft.is_on("create_security_group"),
        security_group_ids: settings(draft.value("security_group_ids")),
        allowed_security_group_ids: settings(draft.value("allowed_security_group_ids")),
        rules: maps(draft.value("security_group_rules")).map(rule).collect(),
    }
}

fn rule(rule: &Props) -> SecurityRule {
    let text = |name: &str| rule.get(name).and_then(Value::as_text).map(str::to_owned);
    let port = |name: &str| rule.get(name).and_then(Value::as_int).and_then(|port| port.try_into().ok());
    SecurityRule {
        ingress: text("type").as_deref() == Some("ingress"),
        from_port: port("from_port").unwrap_or_default(),
        to_port: port("to_port").unwrap_or_default(),
        protocol: text("protocol").unwrap_or_default(),
        cidr_blocks: rule.get("cidr_blocks").map(settings).unwrap_or_default(),
        description: text("description"),
    }
}

fn place(draft: &Draft) -> Place {
    let region = match draft.target {
        Cloud::Aws => setting(draft.value("aws_region")),
        Cloud::Gcp => setting(draft.value("gcp_region")),
        Cloud::Azure => setting(draft.value("location")),
        Cloud::DigitalOcean => setting(draft.value("do_region")),
        Cloud::Local => Setting::Unset,
    };
    Place {
        region,
        zone: setting(draft.value("availability_zone")),
        gcp_project: setting(draft.value("gcp_project")),
        resource_group: setting(draft.value("resource_group_name")),
        azure_subscription_id: setting(draft.value("azure_subscription_id")),
        gcp_edition: draft.text("gcp_edition").map(str::to_owned),
        key_vault: setting(draft.value("key_vault_name")),
        key_identity: setting(draft.value("key_identity_id")),
        log_workspace: setting(draft.value("log_analytics_workspace_id")),
    }
}

/// The second region, where one is named.
fn recovery(draft: &Draft) -> Option<Recovery> {
    let region = setting(draft.value("dr_region"));
    (region != Setting::Unset).then(|| Recovery {
        region,
        read_replica: draft.is_on("dr_read_replica"),
        vpc_id: setting(draft.value("dr_vpc_id")),
        subnet_ids: subnets(draft.value("dr_subnet_ids")),
        security_group_ids: settings(draft.value("dr_security_group_ids")),
        kms_key_id: setting(draft.value("dr_kms_key_id")),
    })
}

fn backup(draft: &Draft) -> Backup {
    Backup {
        retention_days: number(draft, "backup_retention_period"),
        point_in_time: draft.is_on("enable_binary_log_backup"),
        window: daily(draft.text("backup_window")),
        encrypted: draft.is_on("enable_backup_encryption"),
        copy_tags: draft.is_on("copy_tags_to_snapshot"),
        geo_redundant: draft.is_on("geo_redundant_backup"),
        skip_final: draft.is_on("skip_final_snapshot"),
        final_name: draft.text("final_snapshot_identifier").map(str::to_owned),
    }
}

fn monitoring(draft: &Draft) -> Monitoring {
    let alarms = draft.value("alarms").as_map();
    let alarm = |name: &str| match alarms?.get(name)? {
        Value::Float(float) => Some(*float),
        #[expect(clippy::cast_precision_loss, reason = "a threshold beyond 2^53 is no threshold of anything")]
        Value::Int(int) => Some(*int as f64),
        _ => None,
    };
    Monitoring {
        insights: draft.is_on("enable_performance_insights"),
        insights_retention_days: number(draft, "performance_insights_retention_period"),
        insights_kms_key_id: setting(draft.value("performance_insights_kms_key_id")),
        interval_s: number(draft, "monitoring_interval"),
        enhanced: draft.is_on("enable_enhanced_monitoring"),
        role_arn: setting(draft.value("monitoring_role_arn")),
        logging: draft.is_on("enable_logging"),
        log_exports: texts(draft.value("enabled_cloudwatch_logs_exports")),
        alarm_cpu_percent: alarm("cpu_percent"),
        alarm_connections: alarm("connections"),
        alarm_free_storage_percent: alarm("free_storage_percent"),
        alarm_read_latency_s: alarm("read_latency_seconds"),
        alarm_targets: settings(draft.value("alarm_targets")),
        dashboard: draft.is_on("create_dashboard"),
    }
}

fn proxy(draft: &Draft) -> Proxy {
    let config = draft.value("proxy_config").as_map();
    let size = |name: &str| config?.get(name)?.as_int()?.try_into().ok();
    let mode = config.and_then(|config| config.get("pool_mode")?.as_text());
    Proxy {
        pool_mode: mode.unwrap_or_default().to_owned(),
        default_pool_size: size("default_pool_size").unwrap_or_default(),
        max_client_conn: size("max_client_conn").unwrap_or_default(),
    }
}

fn tags(draft: &Draft) -> BTreeMap<String, Setting<String>> {
    let tags = draft.value("tags").as_map();
    tags.into_iter().flatten().map(|(key, value)| (key.clone(), setting(value))).collect()
}

fn parameters(draft: &Draft) -> BTreeMap<String, String> {
    let text = |parameter: &Props, name: &str| parameter.get(name).and_then(Value::as_text).map(str::to_owned);
    maps(draft.value("parameters")).filter_map(|p| Some((text(p, "name")?, text(p, "value")?))).collect()
}

fn number(draft: &Draft, name: &str) -> u32 {
    draft.whole(name).and_then(|whole| whole.try_into().ok()).unwrap_or_default()
}

fn setting(value: &Value) -> Setting<String> {
    match value {
        Value::Text(text) => Setting::Known(text.clone()),
        Value::Unknown(reference) => Setting::Unknown(reference.clone()),
        _ => Setting::Unset,
    }
}

/// No subnets are the network's own.
fn subnets(value: &Value) -> Setting<Vec<Setting<String>>> {
    match value {
        Value::List(list) if list.is_empty() => Setting::Unset,
        Value::List(list) => Setting::Known(list.iter().map(setting).collect()),
        Value::Unknown(reference) => Setting::Unknown(reference.clone()),
        _ => Setting::Unset,
    }
}

/// The elements of a list; a list that is itself unknown counts as one element that is.
fn settings(value: &Value) -> Vec<Setting<String>> {
    match value {
        Value::List(list) => list.iter().map(setting).collect(),
        Value::Unknown(reference) => vec![Setting::Unknown(reference.clone())],
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_text).map(str::to_owned).collect()
}

fn maps(value: &Value) -> impl Iterator<Item = &Props> {
    value.as_list().unwrap_or_default().iter().filter_map(Value::as_map)
}

/// The settled window; it is in normal form, or the default.
fn daily(text: Option<&str>) -> Window {
    let default = Window { start_min: 3 * 60, length_min: 60, period_min: DAY_MIN };
    text.and_then(Window::parse_daily).unwrap_or(default)
}

fn weekly(text: Option<&str>) -> Window {
    let default = Window { start_min: WEEK_MIN - 20 * 60, length_min: 60, period_min: WEEK_MIN };
    text.and_then(Window::parse_weekly).unwrap_or(default)
}
