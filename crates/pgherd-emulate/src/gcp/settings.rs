//! What Cloud SQL refuses of an instance, and what it adds.

use ipnet::IpNet;
use jiff::Timestamp;
use pgherd_core::catalogue::sizes;
use pgherd_core::cloud::Cloud;
use serde_json::{Value as Json, json};

use super::Refusal;
use super::catalogue;
use super::instance::network_told;

/// A change put over what is there; `null` takes away.
pub(super) fn merge(there: &mut Json, change: &Json) {
    match (there, change) {
        (Json::Object(there), Json::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    there.remove(name);
                } else {
                    merge(there.entry(name.clone()).or_insert(Json::Null), value);
                }
            }
        }
        (there, change) => {
            *there = match change {
                Json::String(text) if text.starts_with("projects/") && text.contains("/global/networks/") => {
                    network_told(text).into()
                }
                change => change.clone(),
            }
        }
    }
}

pub(super) fn name(body: &Json) -> Result<String, Refusal> {
    let name = body["name"].as_str().unwrap_or_default();
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_right = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(fits) && name.len() <= 84;
    if is_right { Ok(name.to_owned()) } else { Err(Refusal::invalid(format!("Invalid instance name ({name})."))) }
}

/// What is made, with what is added where nothing is said.
pub(super) fn completed(body: &Json) -> Result<Json, Refusal> {
    let version = body["databaseVersion"].as_str().ok_or_else(|| Refusal::invalid("databaseVersion is missing"))?;
    let edition = if major(version) >= 16 { "ENTERPRISE_PLUS" } else { "ENTERPRISE" };
    let mut whole = json!({
        "instanceType": "CLOUD_SQL_INSTANCE",
        "region": "us-central1",
        "settings": {
            "edition": edition,
            "activationPolicy": "ALWAYS",
            "availabilityType": "ZONAL",
            "pricingPlan": "PER_USE",
            "dataDiskType": "PD_SSD",
            "dataDiskSizeGb": "10",
            "storageAutoResize": true,
            "storageAutoResizeLimit": "0",
            "ipConfiguration": { "ipv4Enabled": true, "requireSsl": false, "sslMode": "ALLOW_UNENCRYPTED_AND_ENCRYPTED" },
            "backupConfiguration": { "enabled": false, "startTime": "08:00" },
            "userLabels": {},
        },
    });
    merge(&mut whole, body);
    if let Some(entries) = whole.as_object_mut() {
        entries.remove("rootPassword");
    }
    Ok(whole)
}

/// The same as it is told from then on.
pub(super) fn told(mut json: Json, project: &str, now: Timestamp) -> Json {
    let (name, region) =
        (json["name"].as_str().unwrap_or_default().to_owned(), json["region"].as_str().unwrap_or_default().to_owned());
    let zone =
        json["settings"]["locationPreference"]["zone"].as_str().map_or_else(|| format!("{region}-a"), str::to_owned);
    let second = if zone.ends_with("-b") { "c" } else { "b" };
    let base = format!("https://sqladmin.googleapis.com/v1/projects/{project}");
    json["kind"] = "sql#instance".into();
    json["state"] = "PENDING_CREATE".into();
    json["backendType"] = "SECOND_GEN".into();
    json["project"] = project.into();
    json["selfLink"] = format!("{base}/instances/{name}").into();
    json["connectionName"] = format!("{project}:{region}:{name}").into();
    json["createTime"] = now.to_string().into();
    json["databaseInstalledVersion"] = format!("{}_4", json["databaseVersion"].as_str().unwrap_or_default()).into();
    json["secondaryGceZone"] = format!("{region}-{second}").into();
    json["gceZone"] = zone.into();
    json["settings"]["settingsVersion"] = "1".into();
    json["settings"]["kind"] = "sql#settings".into();
    json
}

pub(super) fn major(version: &str) -> u32 {
    version.strip_prefix("POSTGRES_").and_then(|major| major.parse().ok()).unwrap_or_default()
}

/// Refuses settings that do not go together.
pub(super) fn check(json: &Json) -> Result<(), Refusal> {
    let refused = |message: String| Err(Refusal::invalid(message));
    let settings = &json["settings"];
    let text = |name: &str| settings[name].as_str().unwrap_or_default();
    let version = json["databaseVersion"].as_str().unwrap_or_default();
    if !(11..=18).contains(&major(version)) {
        return refused(format!("Invalid database version ({version})."));
    }
    let (tier, edition) = (text("tier"), text("edition"));
    let size = sizes::find(tier).filter(|size| size.cloud == Cloud::Gcp && size.name == tier);
    let Some(size) = size.filter(|size| size.edition.as_deref() == Some(edition)) else {
        return refused(format!(
            "Invalid Tier ({tier}) for ({edition}) Edition. Use a predefined Tier like db-perf-optimized-N-2 instead."
        ));
    };
    let (disk, gb) = (text("dataDiskType"), text("dataDiskSizeGb").parse::<i64>().unwrap_or_default());
    let is_c4a = size.name.starts_with("db-c4a-");
    if is_c4a != (disk == "HYPERDISK_BALANCED") || gb < if is_c4a { 20 } else { 10 } {
        return refused(format!("Invalid disk ({disk}, {gb} GB) for tier {tier}."));
    }
    let limit = text("storageAutoResizeLimit").parse::<i64>().unwrap_or_default();
    if limit != 0 && limit < gb {
        return refused("The limit of automatic storage increase is less than the size of the disk.".to_owned());
    }
    let network = &settings["ipConfiguration"];
    if network["ipv4Enabled"] != true && !network["privateNetwork"].is_string() {
        return refused("At least one of Public IP, Private IP or PSC connectivity must be enabled.".to_owned());
    }
    for entry in network["authorizedNetworks"].as_array().into_iter().flatten() {
        let value = entry["value"].as_str().unwrap_or_default();
        match value.parse::<IpNet>() {
            Ok(IpNet::V4(net)) if net.trunc() == net && (!net.addr().is_private() || net.prefix_len() == 0) => {}
            Ok(IpNet::V6(net)) if net.trunc() == net => {}
            _ => return refused(format!("Non-routable or private authorized network ({value}).")),
        }
    }
    backups(settings, edition)?;
    let window = &settings["maintenanceWindow"];
    if window.is_object()
        && !((1..=7).contains(&window["day"].as_i64().unwrap_or_default())
            && (0..=23).contains(&window["hour"].as_i64().unwrap_or(-1)))
    {
        return refused("Invalid maintenance window.".to_owned());
    }
    for (key, value) in settings["userLabels"].as_object().into_iter().flatten() {
        let fits = |text: &str| {
            text.len() <= 63 && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c))
        };
        let is_right =
            key.starts_with(|c: char| c.is_ascii_lowercase()) && fits(key) && value.as_str().is_some_and(fits);
        if !is_right {
            return refused(format!("Invalid label ({key}: {value})."));
        }
    }
    if settings["connectionPoolConfig"]["connectionPoolingEnabled"] == true && edition != "ENTERPRISE_PLUS" {
        return refused("Managed Connection Pooling is only supported on Enterprise Plus edition.".to_owned());
    }
    settings["databaseFlags"]
        .as_array()
        .into_iter()
        .flatten()
        .try_for_each(|flag| catalogue::takes(flag, major(version)))
}

fn backups(settings: &Json, edition: &str) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let backups = &settings["backupConfiguration"];
    let (is_on, to_any_second) = (backups["enabled"] == true, backups["pointInTimeRecoveryEnabled"] == true);
    if backups["binaryLogEnabled"] == true {
        return refused("Binary log can only be enabled for MySQL instances.");
    }
    if to_any_second && !is_on {
        return refused("Point-in-time recovery requires automated backups.");
    }
    if settings["availabilityType"] == "REGIONAL" && !(is_on && to_any_second) {
        return refused("Automated backups and point-in-time recovery are required for a regional instance.");
    }
    let most = if edition == "ENTERPRISE_PLUS" { 35 } else { 7 };
    if backups["transactionLogRetentionDays"].as_i64().is_some_and(|days| !(1..=most).contains(&days)) {
        return refused("The transaction log retention days is out of range for the edition.");
    }
    if backups["backupRetentionSettings"]["retainedBackups"].as_i64().is_some_and(|kept| !(1..=365).contains(&kept)) {
        return refused("The number of retained backups must be between 1 and 365.");
    }
    match backups["startTime"].as_str().and_then(|time| time.split_once(':')) {
        Some((hour, minute)) if hour.len() == 2 && minute.len() == 2 => Ok(()),
        Some(_) | None => refused("Invalid start time of backups."),
    }
}

/// Refuses changes that are none.
pub(super) fn changes(before: &Json, sent: &Json, after: &Json, has_replicas: bool) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let differs = |path: &str| before.pointer(path) != after.pointer(path);
    let fixed = ["/region", "/settings/dataDiskType", "/diskEncryptionConfiguration", "/masterInstanceName", "/name"];
    if let Some(path) = fixed.iter().find(|path| differs(path)) {
        return refused(&format!("{path} cannot be changed."));
    }
    let others = || {
        let mut names = sent["settings"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        names.any(|name| !["settingsVersion", "edition", "tier", "dataCacheConfig"].contains(&name))
    };
    let version = |json: &Json| major(json["databaseVersion"].as_str().unwrap_or_default());
    if differs("/databaseVersion") {
        let only_version =
            sent["settings"].as_object().is_none_or(|it| it.keys().all(|name| name == "settingsVersion"));
        if version(after) <= version(before) || !only_version {
            return refused("A major version upgrade goes up, and alone.");
        }
        if has_replicas && sent["includeReplicasForMajorVersionUpgrade"] != true {
            return refused("The instance has read replicas, which have to be upgraded with it.");
        }
    }
    if differs("/settings/edition") && others() {
        return refused("An edition is changed alone.");
    }
    let network = "/settings/ipConfiguration/privateNetwork";
    if before.pointer(network).is_some() && differs(network) {
        return refused("The private network of an instance cannot be changed or removed.");
    }
    if !sent["settings"]["ipConfiguration"]["requireSsl"].is_null() {
        return refused("requireSsl and sslMode conflict.");
    }
    if !sent["settings"]["connectionPoolConfig"].is_null() && sent["databaseVersion"].is_null() {
        return refused("databaseVersion is required to change the connection pool.");
    }
    let gb = |json: &Json| json["settings"]["dataDiskSizeGb"].as_str().and_then(|gb| gb.parse::<i64>().ok());
    if gb(after) < gb(before) {
        return refused("The disk cannot be made smaller.");
    }
    if has_replicas && after["settings"]["backupConfiguration"]["pointInTimeRecoveryEnabled"] != true {
        return refused("Read replicas need automated backups and point-in-time recovery of their primary.");
    }
    Ok(())
}

/// Refuses a replica that does not fit its primary.
pub(super) fn follows(replica: &Json, primary: &Json) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let gb = |json: &Json| json["settings"]["dataDiskSizeGb"].as_str().and_then(|gb| gb.parse::<i64>().ok());
    if primary["state"] != "RUNNABLE" || primary["masterInstanceName"].is_string() {
        return refused("The primary cannot be replicated.");
    }
    if primary["settings"]["backupConfiguration"]["pointInTimeRecoveryEnabled"] != true {
        return refused("The primary needs automated backups and point-in-time recovery.");
    }
    if replica["databaseVersion"] != primary["databaseVersion"] || replica["instanceType"] != "READ_REPLICA_INSTANCE" {
        return refused("A replica has the version of its primary, and is called one.");
    }
    if gb(replica) < gb(primary) {
        return refused("The disk of a replica is at least as large as that of its primary.");
    }
    if primary["replicaNames"].as_array().is_some_and(|names| names.len() >= 20) {
        return refused("There are too many replicas.");
    }
    holds(replica, primary)
}

/// Refuses a replica that holds fewer connections than its primary, which PostgreSQL would not start.
pub(super) fn holds(replica: &Json, primary: &Json) -> Result<(), Refusal> {
    if connections(replica) >= connections(primary) {
        return Ok(());
    }
    Err(Refusal::invalid("max_connections of a read replica must not be lower than that of its primary."))
}

/// How many there can be: as a flag says, else more with more memory.
fn connections(json: &Json) -> i64 {
    let settings = &json["settings"];
    let mut flags = settings["databaseFlags"].as_array().into_iter().flatten();
    let written = flags.find(|flag| flag["name"] == "max_connections").and_then(|flag| flag["value"].as_str());
    let memory = || settings["tier"].as_str().and_then(sizes::find).map_or(0, |size| size.memory_mib);
    let by_memory = || match memory() {
        0..1024 => 25,
        1024..3840 => 50,
        3840..6144 => 100,
        6144..7680 => 200,
        7680..15360 => 400,
        15360..30720 => 500,
        30720..61440 => 600,
        61440..122_880 => 800,
        _ => 1000,
    };
    written.and_then(|text| text.parse().ok()).unwrap_or_else(by_memory)
}
