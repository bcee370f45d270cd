//! The instance: a primary with its standby, storage, backups and who may come in.
//!
//! Seconds are ours: Cloud SQL promises "a few seconds" to "60 seconds" by edition, and names no figure for most changes.

use std::net::IpAddr;

use ipnet::IpNet;
use pgherd_core::resource::{Differs, Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::{SecurityRule, Setting, Spec};
use pgherd_core::value::{Props, Value};

use super::{fixed, int, listed, props, set, setting, theirs};
use crate::fields::{FLAGS, LABELS, NETWORKS, POOL_FLAGS, address, network, window_at};
use crate::{labels, parameters};

/// Its name in an [`Id`].
pub const NAME: &str = "instance";

/// The port it listens on.
pub const PORT: u16 = 5432;

/// The port that its pooler listens on (Cloud SQL documentation, "Managed Connection Pooling").
pub const POOLER_PORT: u16 = 6432;

/// The port that programs connect to.
pub fn port(spec: &Spec) -> u16 {
    if spec.proxy.is_some() { POOLER_PORT } else { PORT }
}

/// The field with the address that the block has programs connect to.
pub const PUBLIC: &str = "address.public";
/// The same, of the private network.
pub const PRIVATE: &str = "address.private";

/// The field with the password where one is written: kept in the secret from then on.
pub const PASSWORD: &str = "rootPassword";

const RESTART: Impact = Impact::Restart { about_s: 60 };

const NEW: &str = "clone it or restore a backup under a new name";

/// The fields that a replica has, too.
pub(super) const OF_BOTH: [Field; 13] = [
    Field {
        name: "databaseVersion",
        owner: Owner::Floor,
        equality: Equality::Version,
        impact: ImpactRule::AtOnce(Impact::Unknown),
    },
    // Where the block names no version: what it was made with, which is never drift afterwards.
    theirs("newestVersion"),
    fixed("region", NEW),
    fixed("kmsKeyName", NEW),
    fixed("dataDiskType", NEW),
    set("tier", RESTART),
    set("edition", RESTART),
    // It moves in a failover.
    theirs("zone"),
    Field { owner: Owner::Floor, ..set("dataDiskSizeGb", Impact::None) },
    set("storageAutoResize", Impact::None),
    set("storageAutoResizeLimit", Impact::None),
    set("sslMode", Impact::NewConnections),
    set("ipv4Enabled", Impact::Reconnect),
];

const OF_PRIMARY: [Field; 15] = [
    set("availabilityType", RESTART),
    set("privateNetwork", RESTART),
    listed(NETWORKS, Impact::NewConnections),
    Field { impact: ImpactRule::ParameterAtOnce(RESTART), ..set("databaseFlags.*", Impact::None) },
    set("userLabels.*", Impact::None),
    set("backupsEnabled", Impact::None),
    set("retainedBackups", Impact::None),
    set("backupStartTime", Impact::None),
    Field { impact: ImpactRule::ByAtOnce(switched_on), ..set("pointInTimeRecoveryEnabled", Impact::None) },
    set("transactionLogRetentionDays", Impact::None),
    set("maintenanceWindow", Impact::None),
    set("deletionProtectionEnabled", Impact::None),
    set("queryInsightsEnabled", Impact::None),
    set("connectionPoolingEnabled", Impact::Reconnect),
    set("poolFlags.*", Impact::Reconnect),
];

const FIELDS: [Field; 29] = {
    let mut all = [theirs(PASSWORD); 29];
    let mut at = 0;
    while at < OF_BOTH.len() {
        all[at] = OF_BOTH[at];
        at += 1;
    }
    while at < OF_BOTH.len() + OF_PRIMARY.len() {
        all[at] = OF_PRIMARY[at - OF_BOTH.len()];
        at += 1;
    }
    all
};

/// The kind.
pub const KIND: Kind = Kind { name: NAME, holds_data: true, outlives: false, fields: &FIELDS };

/// Archiving of the log begins with a restart, and ends without one.
fn switched_on(differs: &Differs<'_>) -> Impact {
    if differs.to.as_bool() == Some(true) { RESTART } else { Impact::None }
}

/// The id of a spec's instance.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, &spec.name)
}

/// The instance a spec wants.
pub fn wanted(spec: &Spec, project: &str) -> Resource {
    let mut props = of_both(spec);
    let days = spec.backup.retention_days;
    let pools = spec.proxy.as_ref();
    props.extend(self::props([
        ("availabilityType", if spec.multi_az { "REGIONAL" } else { "ZONAL" }.into()),
        (FLAGS, Value::Map(parameters::of(spec))),
        (LABELS, labels::wanted(spec)),
        (NETWORKS, Value::List(if spec.network.publicly_accessible { networks(spec) } else { Vec::new() })),
        ("backupsEnabled", (days > 0).into()),
        ("backupStartTime", start(spec.backup.window.start_min).into()),
        ("pointInTimeRecoveryEnabled", restores_to_any_second(spec).into()),
        ("maintenanceWindow", window_at(spec.maintenance_window.start_min).into()),
        ("deletionProtectionEnabled", spec.deletion_protection.into()),
        ("queryInsightsEnabled", spec.monitoring.insights.into()),
        ("connectionPoolingEnabled", pools.is_some().into()),
    ]));
    let pool = pools.map(|pool| {
        self::props([
            ("pool_mode", pool.pool_mode.as_str().into()),
            ("max_pool_size", pool.default_pool_size.to_string().into()),
            ("max_client_connections", pool.max_client_conn.to_string().into()),
        ])
    });
    let optional = [
        ("retainedBackups", (days > 0).then(|| int(days))),
        ("transactionLogRetentionDays", restores_to_any_second(spec).then(|| int(log_days(spec)))),
        (POOL_FLAGS, pool.map(Value::Map)),
        ("privateNetwork", private_network(spec, project)),
        ("zone", setting(&spec.place.zone)),
        (PASSWORD, spec.master_password.known().map(|password| Value::Secret(password.clone()))),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Resource { id: id(spec), props, needs: Vec::new() }
}

/// What a primary and its replicas have.
pub(super) fn of_both(spec: &Spec) -> Props {
    let storage = &spec.storage;
    let grows = storage.max_gib.is_some();
    let mut props = props([
        ("tier", spec.size.name.as_str().into()),
        ("edition", edition(spec).into()),
        ("dataDiskSizeGb", int(storage.allocated_gib)),
        ("dataDiskType", disk_type(spec).into()),
        // On unless it is said.
        ("storageAutoResize", grows.into()),
        ("sslMode", "ENCRYPTED_ONLY".into()),
        ("ipv4Enabled", spec.network.publicly_accessible.into()),
    ]);
    let optional = [
        ("databaseVersion", spec.engine_version.map(|version| version.major.to_string().into())),
        (
            "newestVersion",
            spec.newest_major.filter(|_| spec.engine_version.is_none()).map(|major| major.to_string().into()),
        ),
        ("region", setting(&spec.place.region)),
        ("kmsKeyName", setting(&spec.encryption.kms_key_id)),
        ("storageAutoResizeLimit", storage.max_gib.map(int)),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    props
}

/// Without one the API takes another for PostgreSQL 16 and newer, which has none of the smaller tiers.
fn edition(spec: &Spec) -> String {
    spec.place.gcp_edition.clone().unwrap_or_else(|| "ENTERPRISE".to_owned())
}

/// The machines of the series C4A have one kind of storage.
fn disk_type(spec: &Spec) -> String {
    let is_c4a = spec.size.name.starts_with("db-c4a-");
    let written = spec.storage.kind.clone().unwrap_or_else(|| "PD_SSD".to_owned());
    if is_c4a { "HYPERDISK_BALANCED".to_owned() } else { written }
}

/// Whether the log is archived.
pub fn restores_to_any_second(spec: &Spec) -> bool {
    spec.backup.retention_days > 0 && spec.backup.point_in_time
}

/// How far back it can be restored to any second.
fn log_days(spec: &Spec) -> u32 {
    let most = if edition(spec) == "ENTERPRISE_PLUS" { 35 } else { 7 };
    spec.backup.retention_days.min(most)
}

/// The start of a window within a day: `03:00`. Cloud SQL knows no end, and takes four hours.
fn start(start_min: u32) -> String {
    let minute = start_min % (24 * 60);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

pub(super) fn private_network(spec: &Spec, project: &str) -> Option<Value> {
    match setting(&spec.network.vpc_id)? {
        Value::Text(text) => Some(Value::Text(network(&text, project))),
        other => Some(other),
    }
}

/// The addresses that may come in from the internet. Private ones never come from there.
pub fn networks(spec: &Spec) -> Vec<Value> {
    let of_rules =
        spec.network.rules.iter().filter(|rule| rule.ingress && opens(rule)).flat_map(|rule| &rule.cidr_blocks);
    let all = spec.network.allowed_cidr_blocks.iter().chain(of_rules);
    let mut seen = std::collections::BTreeSet::new();
    let value = |block: &Setting<String>| match block {
        Setting::Known(text) => {
            Some(address(text)).filter(|one| !is_private(one) && seen.insert(one.clone())).map(Value::Text)
        }
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        Setting::Unset => None,
    };
    all.filter_map(value).collect()
}

/// Whether packets from there never arrive over the internet.
pub fn is_private(network: &str) -> bool {
    match network.parse::<IpNet>().map(|net| net.addr()) {
        Ok(IpAddr::V4(ip)) => (ip.is_private() || ip.is_loopback() || ip.is_link_local()) && !ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => false,
    }
}

fn opens(rule: &SecurityRule) -> bool {
    rule.protocol == "-1" || (rule.from_port..=rule.to_port).contains(&PORT)
}
