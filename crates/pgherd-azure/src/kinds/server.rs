//! The server: a primary with its standby, storage and backups.
//!
//! Seconds are ours: Azure promises "60 to 120 seconds" for a failover, and names no figure for most changes.

use pgherd_core::resource::{Differs, Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};

use super::{fixed, int, props, set, setting, theirs, zone};
use crate::around::Around;
use crate::fields::{IDENTITY, WINDOW, window_at};
use crate::names::location;
use crate::tags::{self, TAGS};

/// Its name in an [`Id`].
pub const NAME: &str = "server";

/// The port it listens on.
pub const PORT: u16 = 5432;
/// The port of its pooler.
pub const POOLER_PORT: u16 = 6432;

/// The field with the name that programs connect to.
pub const HOST: &str = "fullyQualifiedDomainName";

/// The field with the password where one is written: kept in the secret from then on.
pub const PASSWORD: &str = "administratorLoginPassword";

pub(super) const RESTART: Impact = Impact::Restart { about_s: 90 };

const NEW: &str = "restore it under a new name";

/// Sizes that Azure makes, GiB. 4096 is one more, and nothing above 4095 grows without an interruption.
const SIZES_GIB: [u64; 11] = [32, 64, 128, 256, 512, 1024, 2048, 4095, 8192, 16_384, 32_767];

/// What storage whose speed is bought has at least: Azure takes none without both.
const LEAST_IOPS: u64 = 3000;
const LEAST_MB_S: u64 = 125;

/// The fields that a replica has, too.
pub(super) const OF_BOTH: [Field; 12] = [
    fixed("location", NEW),
    set("sku", RESTART),
    set("tier", RESTART),
    Field { owner: Owner::Floor, impact: ImpactRule::ByAtOnce(grown), ..set("storageSizeGB", Impact::None) },
    set("autoGrow", Impact::None),
    set("autoGrowMaxThresholdMb", Impact::None),
    set("publicNetworkAccess", Impact::Reconnect),
    Field { equality: Equality::IgnoreCase, ..fixed("delegatedSubnetResourceId", NEW) },
    fixed("encryption", NEW),
    set("primaryKeyURI", Impact::None),
    Field { equality: Equality::IgnoreCase, ..set(IDENTITY, Impact::None) },
    set("tags.*", Impact::None),
];

const OF_PRIMARY: [Field; 15] = [
    Field {
        name: "version",
        owner: Owner::Floor,
        equality: Equality::Version,
        impact: ImpactRule::AtOnce(Impact::Unknown),
    },
    // Where the block names no version: what it was made with, which is never drift afterwards.
    theirs("newestVersion"),
    fixed("administratorLogin", "make another role with SQL"),
    fixed("storageType", NEW),
    set("iops", Impact::None),
    theirs("throughput"),
    // They are exchanged in a failover.
    theirs("availabilityZone"),
    theirs("privateDnsZoneArmResourceId"),
    set("highAvailability", RESTART),
    set("backupRetentionDays", Impact::None),
    fixed("geoRedundantBackup", "Azure decides that when a server is made: restore it under a new name"),
    set(WINDOW, Impact::None),
    set("activeDirectoryAuth", Impact::None),
    theirs("tenantId"),
    theirs(PASSWORD),
];

const FIELDS: [Field; 27] = {
    let mut all = [theirs(PASSWORD); 27];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < OF_BOTH.len() { OF_BOTH[at] } else { OF_PRIMARY[at - OF_BOTH.len()] };
        at += 1;
    }
    all
};

/// The kind.
pub const KIND: Kind = Kind { name: NAME, holds_data: true, outlives: false, fields: &FIELDS };

/// A disk that reaches 4 TiB is another one, to which the server has to move.
fn grown(differs: &Differs<'_>) -> Impact {
    let is_large = |value: &Value| value.as_int().is_some_and(|gib| gib >= 4096);
    if is_large(differs.to) && !is_large(differs.from) { RESTART } else { Impact::None }
}

/// The port that applications connect to: the pooler's where there is one.
pub fn clients(spec: &Spec) -> u16 {
    if spec.proxy.is_some() { POOLER_PORT } else { PORT }
}

/// The id of a spec's server.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, &spec.name)
}

/// The server a spec wants.
pub fn wanted(spec: &Spec, around: &Around) -> Resource {
    let mut props = of_both(spec, around);
    let has_entra = spec.iam_authentication;
    props.extend(self::props([
        ("administratorLogin", spec.master_username.as_str().into()),
        ("storageType", kind_of_storage(spec).into()),
        ("highAvailability", if spec.multi_az { "ZoneRedundant" } else { "Disabled" }.into()),
        ("backupRetentionDays", int(spec.backup.retention_days)),
        ("geoRedundantBackup", spec.backup.geo_redundant.into()),
        (WINDOW, window_at(spec.maintenance_window.start_min).into()),
        ("activeDirectoryAuth", has_entra.into()),
    ]));
    let is_private = subnet(spec).is_some();
    let newest = spec.newest_major.filter(|_| spec.engine_version.is_none());
    let optional = [
        ("version", spec.engine_version.map(|version| version.major.to_string().into())),
        ("newestVersion", newest.map(|major| major.to_string().into())),
        ("location", place(&spec.place.region).or_else(|| around.location.as_deref().map(|at| location(at).into()))),
        ("iops", is_provisioned(spec).then(|| int(spec.storage.iops.unwrap_or(LEAST_IOPS)))),
        ("throughput", is_provisioned(spec).then(|| int(LEAST_MB_S))),
        ("availabilityZone", setting(&spec.place.zone)),
        ("privateDnsZoneArmResourceId", is_private.then(|| Value::output(zone::id(spec), zone::PATH.to_owned()))),
        ("tenantId", around.tenant.as_deref().filter(|_| has_entra).map(Value::text)),
        (PASSWORD, spec.master_password.known().map(|password| Value::Secret(password.clone()))),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    let needs = if is_private { vec![zone::id(spec)] } else { Vec::new() };
    Resource { id: id(spec), props, needs }
}

/// What a primary and its replicas have.
pub(super) fn of_both(spec: &Spec, around: &Around) -> Props {
    let storage = &spec.storage;
    let (sku, tier) = sku(&spec.size.name);
    let mut props = props([
        ("sku", sku.into()),
        ("tier", tier.into()),
        ("storageSizeGB", int(size_gib(spec))),
        ("autoGrow", grows(spec).into()),
        (TAGS, tags::wanted(spec)),
    ]);
    let subnet = subnet(spec);
    // A server in a subnet is nowhere else, and does not say so.
    if subnet.is_none() {
        props.insert("publicNetworkAccess".to_owned(), spec.network.publicly_accessible.into());
    }
    let key = setting(&spec.encryption.kms_key_id);
    let optional = [
        ("autoGrowMaxThresholdMb", storage.max_gib.filter(|_| grows(spec)).map(|gib| int(gib * 1024))),
        ("delegatedSubnetResourceId", subnet),
        ("encryption", key.is_some().then(|| "AzureKeyVault".into())),
        (IDENTITY, key.is_some().then(|| around.identity.as_deref().map(Value::text)).flatten()),
        ("primaryKeyURI", key),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    props
}

/// `GP_Standard_D2ds_v5` is `Standard_D2ds_v5` of the general purpose.
pub fn sku(size: &str) -> (&str, &'static str) {
    match size.split_once("_Standard_") {
        Some(("B", _)) => (&size[2..], "Burstable"),
        Some(("MO", _)) => (&size[3..], "MemoryOptimized"),
        Some(("GP", _)) => (&size[3..], "GeneralPurpose"),
        _ if size.starts_with("Standard_B") => (size, "Burstable"),
        _ if size.starts_with("Standard_E") => (size, "MemoryOptimized"),
        _ => (size, "GeneralPurpose"),
    }
}

/// The size that Azure makes of what is asked for: the next one up.
pub fn size_gib(spec: &Spec) -> u64 {
    let asked = spec.storage.allocated_gib;
    if is_provisioned(spec) {
        return asked.max(32);
    }
    SIZES_GIB.into_iter().find(|size| *size >= asked).unwrap_or(asked)
}

fn kind_of_storage(spec: &Spec) -> String {
    spec.storage.kind.clone().unwrap_or_else(|| "Premium_LRS".to_owned())
}

fn is_provisioned(spec: &Spec) -> bool {
    spec.storage.kind.as_deref() == Some("PremiumV2_LRS")
}

/// Storage whose speed is bought does not grow by itself.
fn grows(spec: &Spec) -> bool {
    !is_provisioned(spec) && (spec.storage.auto_grow || spec.storage.max_gib.is_some())
}

/// A region in one spelling.
fn place(region: &Setting<String>) -> Option<Value> {
    match setting(region)? {
        Value::Text(text) => Some(Value::Text(location(&text))),
        other => Some(other),
    }
}

/// The subnet that is delegated to the server, if it is to be in one.
pub fn subnet(spec: &Spec) -> Option<Value> {
    match &spec.network.subnet_ids {
        Setting::Unset => None,
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        Setting::Known(ids) => setting(ids.first()?),
    }
}
