//! What Azure refuses beyond the shape of a request, what it fills in, and how it tells a server.

use pgherd_core::catalogue::sizes;
use pgherd_core::cloud::Cloud;
use serde_json::{Value as Json, json};

use super::catalogue::LOCATIONS;
use super::server::Server;
use super::{Azure, GROUP, Refusal};

/// Sizes of premium disks, GiB.
const SIZES: [i64; 12] = [32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16_384, 32_767];
/// Majors that are made.
pub(super) const VERSIONS: [&str; 5] = ["14", "15", "16", "17", "18"];

/// A region in one spelling.
pub(super) fn location(text: &str) -> String {
    text.replace(' ', "").to_ascii_lowercase()
}

/// Puts what is sent into what is there. Tags are taken whole.
pub(super) fn merge(there: &mut Json, sent: &Json) {
    let Some(entries) = sent.as_object() else { return };
    for (name, value) in entries {
        if name == "autoGrow"
            && value == "Disabled"
            && let Some(storage) = there.as_object_mut()
        {
            storage.remove("autoGrowMaxThresholdMb");
        }
        match value {
            _ if name == "tags" => there[name] = value.clone(),
            Json::Object(_) if there[name].is_object() => merge(&mut there[name], value),
            value => there[name] = value.clone(),
        }
    }
}

/// Puts a value at a path, `/properties/storage`.
pub(super) fn put(json: &mut Json, path: &str, value: Json) {
    let mut at = json;
    for part in path.trim_start_matches('/').split('/') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

pub(super) fn name(name: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_right =
        (3..=63).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('-') && !name.ends_with('-');
    if is_right { Ok(()) } else { Err(Refusal::new(400, "InvalidServerName", format!("'{name}' is no server name."))) }
}

/// Fills in what is not sent.
pub(super) fn completed(json: &mut Json, name: &str) -> Result<(), Refusal> {
    let defaults = json!({
        "version": "18",
        "storage": { "storageSizeGB": 32, "autoGrow": "Disabled", "type": "" },
        "backup": { "backupRetentionDays": 7, "geoRedundantBackup": "Disabled" },
        "network": { "publicNetworkAccess": "Enabled" },
        "authConfig": { "activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled" },
        "availabilityZone": "1",
        "replicationRole": "Primary",
    });
    let mut properties = defaults;
    let is_private = json.pointer("/properties/network/delegatedSubnetResourceId").is_some();
    merge(&mut properties, &json["properties"]);
    if is_private && json.pointer("/properties/network/publicNetworkAccess").is_none() {
        properties["network"]["publicNetworkAccess"] = "Disabled".into();
    }
    json["properties"] = properties;
    let location = json["location"].as_str().unwrap_or_default().to_lowercase().replace(' ', "");
    let known = LOCATIONS.iter().find(|(id, _)| *id == location);
    let known = known.ok_or_else(|| {
        Refusal::new(400, "LocationNotAvailableForResourceType", format!("The location '{location}' is not available."))
    })?;
    // What was sent as eastus is told as East US.
    json["location"] = known.1.into();
    json["name"] = name.into();
    json["type"] = "Microsoft.DBforPostgreSQL/flexibleServers".into();
    json["id"] =
        format!("/subscriptions/s/resourceGroups/{GROUP}/providers/Microsoft.DBforPostgreSQL/flexibleServers/{name}")
            .into();
    json["properties"]["fullyQualifiedDomainName"] = format!("{name}.postgres.database.azure.com").into();
    Ok(())
}

/// As it is told: nothing secret, nothing that was only asked.
pub(super) fn told(json: &mut Json) {
    let is_replica = json["properties"]["replicationRole"].as_str().is_some_and(|role| role.ends_with("AsyncReplica"));
    let Some(of) = json["properties"].as_object_mut() else { return };
    for name in ["administratorLoginPassword", "createMode", "pointInTimeUTC", "replica"] {
        of.remove(name);
    }
    let mode = of.get("highAvailability").and_then(|it| it["mode"].as_str()).unwrap_or("Disabled").to_owned();
    let standby =
        of.get("highAvailability").and_then(|it| it["standbyAvailabilityZone"].as_str()).unwrap_or("2").to_owned();
    let high = match mode.as_str() {
        "Disabled" => json!({ "mode": "Disabled", "state": "NotEnabled" }),
        mode => json!({ "mode": mode, "state": "Healthy", "standbyAvailabilityZone": standby }),
    };
    of.insert("highAvailability".to_owned(), high);
    of.insert("minorVersion".to_owned(), "4".into());
    if is_replica {
        of.insert("replica".to_owned(), json!({ "role": of["replicationRole"], "replicationState": "Active" }));
    }
    if of["storage"]["type"] == "" || of["storage"]["type"] == "Premium_LRS" {
        let (tier, iops) =
            if of["storage"]["storageSizeGB"].as_i64() > Some(128) { ("P15", 1100) } else { ("P10", 500) };
        (of["storage"]["tier"], of["storage"]["iops"]) = (tier.into(), iops.into());
    }
}

/// Refuses a server that there cannot be.
pub(super) fn check(json: &Json) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let of = &json["properties"];
    let (sku, tier) =
        (json["sku"]["name"].as_str().unwrap_or_default(), json["sku"]["tier"].as_str().unwrap_or_default());
    let size = sizes::find(sku).filter(|size| size.cloud == Cloud::Azure);
    let size = size.ok_or_else(|| Refusal::new(400, "InvalidSku", format!("The SKU '{sku}' is not available.")))?;
    let short = match tier {
        "Burstable" => "B_",
        "MemoryOptimized" => "MO_",
        _ => "GP_",
    };
    if !size.name.starts_with(short) {
        return refused("The SKU is none of that tier.");
    }
    if !VERSIONS.contains(&of["version"].as_str().unwrap_or_default()) {
        return Err(Refusal::new(400, "ServerVersionNotSupported", "The version is not supported."));
    }
    let mode = of["highAvailability"]["mode"].as_str().unwrap_or("Disabled");
    if mode != "Disabled" && tier == "Burstable" {
        return refused("High availability is not supported for Burstable tier.");
    }
    if !(7..=35).contains(&of["backup"]["backupRetentionDays"].as_i64().unwrap_or_default()) {
        return refused("Backup retention is between 7 and 35 days.");
    }
    storage(&of["storage"], tier)?;
    let network = &of["network"];
    if network["delegatedSubnetResourceId"].is_string() && network["publicNetworkAccess"] == "Enabled" {
        return refused("A server in a virtual network has no public access.");
    }
    let key = &of["dataEncryption"];
    if key["primaryKeyURI"].is_string()
        && (key["type"] != "AzureKeyVault"
            || !key["primaryUserAssignedIdentityId"].is_string()
            || json["identity"].is_null())
    {
        return refused("A key needs a type and an identity.");
    }
    if of["authConfig"]["activeDirectoryAuth"] == "Enabled" && !of["authConfig"]["tenantId"].is_string() {
        return refused("Microsoft Entra authentication needs a tenant.");
    }
    let window = &of["maintenanceWindow"];
    let within = |name: &str, most: i64| (0..=most).contains(&window[name].as_i64().unwrap_or(-1));
    if window["customWindow"] == "Enabled"
        && !(within("dayOfWeek", 6) && within("startHour", 23) && within("startMinute", 59))
    {
        return refused("The maintenance window is invalid.");
    }
    if json["tags"].as_object().is_some_and(|tags| tags.len() > 50) {
        return refused("There are too many tags.");
    }
    Ok(())
}

fn storage(of: &Json, tier: &str) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let size = of["storageSizeGB"].as_i64().unwrap_or_default();
    if of["type"] == "PremiumV2_LRS" {
        if tier == "Burstable"
            || of["autoGrow"] == "Enabled"
            || of["iops"].is_null()
            || of["throughput"].is_null()
            || size < 32
        {
            return refused("Premium SSD v2 takes IOPS and throughput, no growth and no Burstable tier.");
        }
        return Ok(());
    }
    if !SIZES.contains(&size) {
        return refused("The storage size is none of the supported ones.");
    }
    if of["autoGrowMaxThresholdMb"].as_i64().is_some_and(|most| most < size * 1024 || of["autoGrow"] != "Enabled") {
        return refused("The threshold of growth is not below the size, and takes growth.");
    }
    Ok(())
}

/// Refuses a network that is not prepared.
pub(super) fn network(azure: &Azure, json: &Json) -> Result<(), Refusal> {
    let network = &json["properties"]["network"];
    if !network["delegatedSubnetResourceId"].is_string() {
        return Ok(());
    }
    let zone = network["privateDnsZoneArmResourceId"].as_str().unwrap_or_default();
    let name = zone.rsplit('/').next().unwrap_or_default();
    match azure.zones.contains_key(name) && name.ends_with(".postgres.database.azure.com") {
        true => Ok(()),
        false => Err(Refusal::invalid("A server in a virtual network needs a private DNS zone.")),
    }
}

/// Refuses administrators that there cannot be.
pub(super) fn administrator(json: &Json) -> Result<(), Refusal> {
    let of = &json["properties"];
    let login = of["administratorLogin"].as_str().unwrap_or_default();
    let reserved = ["azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"];
    if login.is_empty() || reserved.contains(&login) || login.starts_with("pg_") {
        return Err(Refusal::invalid("The administrator login is invalid."));
    }
    password(of["administratorLoginPassword"].as_str().unwrap_or_default())
}

/// Refuses passwords of too few kinds of signs.
pub(super) fn password(password: &str) -> Result<(), Refusal> {
    let has = |kind: fn(char) -> bool| usize::from(password.chars().any(kind));
    let kinds = has(|c| c.is_ascii_lowercase())
        + has(|c| c.is_ascii_uppercase())
        + has(|c| c.is_ascii_digit())
        + has(|c| !c.is_alphanumeric());
    match (8..=128).contains(&password.len()) && kinds >= 3 {
        true => Ok(()),
        false => Err(Refusal::new(400, "PasswordNotComplex", "The password is not complex enough.")),
    }
}

/// Refuses changes that are none, or none together.
pub(super) fn changes(before: &Server, sent: &Json, after: &Json, followers: usize) -> Result<(), Refusal> {
    let refused = |message: &str| Err(Refusal::invalid(message));
    let differs = |path: &str| before.json.pointer(path) != after.pointer(path);
    let version = |json: &Json| json["properties"]["version"].as_str().and_then(|it| it.parse::<u32>().ok());
    let sorts: usize = [
        differs("/properties/version"),
        differs("/properties/storage"),
        differs("/properties/highAvailability/mode"),
        differs("/sku"),
    ]
    .into_iter()
    .map(usize::from)
    .sum();
    if sorts > 1 {
        return refused("The emulator changes version, storage, high availability and compute one after another.");
    }
    let is_right =
        version(after) >= version(&before.json) && followers == 0 && sent["properties"]["createMode"] == "Update";
    if differs("/properties/version") && !is_right {
        return refused("A major version upgrade goes up, by an update, and of a server without replicas.");
    }
    let gib = |json: &Json| json["properties"]["storage"]["storageSizeGB"].as_i64();
    if gib(after) < gib(&before.json) {
        return refused("The storage cannot be made smaller.");
    }
    let fixed = [
        "/properties/storage/type",
        "/properties/network/delegatedSubnetResourceId",
        "/properties/dataEncryption/type",
    ];
    if fixed.iter().any(|path| differs(path)) {
        return refused("That is decided when a server is made.");
    }
    let mode = |json: &Json| json["properties"]["highAvailability"]["mode"].as_str().unwrap_or("Disabled").to_owned();
    let modes = [mode(&before.json), mode(after)];
    if modes[0] != modes[1] && !modes.contains(&"Disabled".to_owned()) {
        return refused("High availability is turned off before it is turned on otherwise.");
    }
    if after["sku"]["tier"] == "Burstable" && followers > 0 {
        return refused("A server with replicas is not Burstable.");
    }
    Ok(())
}
