//! Where each field of a server stands in what Resource Manager tells and takes: one table, read to look, to make and to change. Pure.
//!
//! A change sends the object that a field is in, with what is told of the rest of it. Tags are taken whole: what of them is not ours is
//! sent back as it was told.

use pgherd_core::value::{Props, Value};
use serde_json::{Value as Json, json};

use crate::names::location;
use crate::tags::TAGS;

/// How a field is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Int,
    /// `Enabled` and `Disabled`.
    Switch,
    /// A region in any spelling.
    Location,
    /// The way a standby is kept; nothing and an empty text are none.
    Standby,
    /// Nothing and an empty text are the usual kind.
    Storage,
    /// `{ dayOfWeek: 0, startHour: 4 }` is `sunday 04:00`.
    Window,
    Tags,
}

const TABLE: &[(&str, &str, Shape)] = &[
    ("location", "location", Shape::Location),
    ("sku", "sku/name", Shape::Text),
    ("tier", "sku/tier", Shape::Text),
    ("version", "properties/version", Shape::Text),
    ("administratorLogin", "properties/administratorLogin", Shape::Text),
    ("storageSizeGB", "properties/storage/storageSizeGB", Shape::Int),
    ("storageType", "properties/storage/type", Shape::Storage),
    ("autoGrow", "properties/storage/autoGrow", Shape::Switch),
    ("autoGrowMaxThresholdMb", "properties/storage/autoGrowMaxThresholdMb", Shape::Int),
    ("iops", "properties/storage/iops", Shape::Int),
    ("throughput", "properties/storage/throughput", Shape::Int),
    ("publicNetworkAccess", "properties/network/publicNetworkAccess", Shape::Switch),
    ("delegatedSubnetResourceId", "properties/network/delegatedSubnetResourceId", Shape::Text),
    ("privateDnsZoneArmResourceId", "properties/network/privateDnsZoneArmResourceId", Shape::Text),
    ("availabilityZone", "properties/availabilityZone", Shape::Text),
    ("highAvailability", "properties/highAvailability/mode", Shape::Standby),
    ("backupRetentionDays", "properties/backup/backupRetentionDays", Shape::Int),
    ("geoRedundantBackup", "properties/backup/geoRedundantBackup", Shape::Switch),
    (WINDOW, "properties/maintenanceWindow", Shape::Window),
    ("activeDirectoryAuth", "properties/authConfig/activeDirectoryAuth", Shape::Switch),
    ("tenantId", "properties/authConfig/tenantId", Shape::Text),
    ("encryption", "properties/dataEncryption/type", Shape::Text),
    ("primaryKeyURI", "properties/dataEncryption/primaryKeyURI", Shape::Text),
    (IDENTITY, "properties/dataEncryption/primaryUserAssignedIdentityId", Shape::Text),
    (TAGS, "tags", Shape::Tags),
];

/// The field with the window, which is taken by a change and not when a server is made.
pub const WINDOW: &str = "maintenanceWindow";
/// The field with the identity that may use the key.
pub const IDENTITY: &str = "primaryUserAssignedIdentityId";

/// Objects that are sent with what is told of the rest of them.
const WHOLE: [&str; 4] = ["storage", "backup", "authConfig", "dataEncryption"];

/// What is told and not taken within them. What a premium disk does follows its size, and is told with it.
const NOT_TAKEN: [&str; 7] = [
    "earliestRestoreDate",
    "geoRedundantBackup",
    "primaryEncryptionKeyStatus",
    "geoBackupEncryptionKeyStatus",
    "tier",
    "iops",
    "throughput",
];

/// Every field as a server has it. Tags are left to whoever knows which of them are ours.
pub fn read(told: &Json) -> Props {
    let fields = TABLE.iter().filter(|(_, _, shape)| *shape != Shape::Tags);
    fields.map(|(name, path, shape)| ((*name).to_owned(), value(told.pointer(&format!("/{path}")), *shape))).collect()
}

/// The body of a request that makes a server with these fields.
pub fn creation(props: &Props) -> Json {
    let mut body = json!({});
    for (name, path, shape) in TABLE.iter().filter(|(name, _, _)| *name != WINDOW) {
        if let Some(written) = props.get(*name).and_then(|value| written(value, *shape)) {
            put(&mut body, path, written);
        }
    }
    identified(&mut body, props);
    body
}

/// The body of a request that gives a server, as it is told to be, other values for these fields.
pub fn patch(told: &Json, fields: &Props) -> Json {
    let mut body = json!({});
    for (name, path, shape) in TABLE {
        let Some(written) = fields.get(*name).and_then(|value| written(value, *shape)) else { continue };
        if let ["properties", object, _] = path.split('/').collect::<Vec<_>>().as_slice()
            && WHOLE.contains(object)
            && body["properties"][*object].is_null()
            && told["properties"][*object].is_object()
        {
            put(&mut body, &format!("properties/{object}"), taken(&told["properties"][*object]));
        }
        put(&mut body, path, written);
    }
    // What does not grow has no limit of growth.
    if let Some(storage) = body.pointer_mut("/properties/storage").and_then(Json::as_object_mut)
        && storage.get("autoGrow").is_some_and(|grows| grows == "Disabled")
    {
        storage.retain(|name, _| !["autoGrowMaxThresholdMb", "autoGrowIncrementPercent"].contains(&name.as_str()));
    }
    identified(&mut body, fields);
    body
}

/// A server has the identity that its key is used by.
fn identified(body: &mut Json, props: &Props) {
    if let Some(identity) = props.get(IDENTITY).and_then(Value::as_text) {
        body["identity"] = json!({ "type": "UserAssigned", "userAssignedIdentities": { identity: {} } });
    }
}

/// A copy without what is not taken.
fn taken(object: &Json) -> Json {
    let entries = object.as_object().into_iter().flatten();
    let provisioned = object["type"] == "PremiumV2_LRS";
    let is_taken = |name: &str| !NOT_TAKEN.contains(&name) || (provisioned && ["iops", "throughput"].contains(&name));
    entries
        .filter(|(name, value)| is_taken(name) && !value.is_null() && value.as_str() != Some(""))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn put(body: &mut Json, path: &str, value: Json) {
    let mut at = body;
    for part in path.split('/') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    *at = value;
}

fn value(told: Option<&Json>, shape: Shape) -> Value {
    let text = || told.and_then(Json::as_str).filter(|text| !text.is_empty());
    match shape {
        Shape::Text => text().map(str::to_owned).into(),
        Shape::Int => told.and_then(Json::as_i64).map_or(Value::Null, Value::Int),
        // What is off may be left out, and a word of next year is neither.
        Shape::Switch => match text() {
            Some("Enabled") => true.into(),
            Some("Disabled") | None => false.into(),
            Some(other) => Value::text(other),
        },
        Shape::Location => text().map(location).into(),
        Shape::Standby => Value::text(text().unwrap_or("Disabled")),
        Shape::Storage => Value::text(text().unwrap_or("Premium_LRS")),
        Shape::Window => told.and_then(window).map_or(Value::Null, Value::Text),
        Shape::Tags => {
            let tags = told.and_then(Json::as_object).into_iter().flatten();
            Value::Map(tags.filter_map(|(name, one)| Some((name.clone(), Value::text(one.as_str()?)))).collect())
        }
    }
}

/// A value as it is sent. `None`: it is not known.
fn written(value: &Value, shape: Shape) -> Option<Json> {
    Some(match shape {
        Shape::Text | Shape::Location | Shape::Standby | Shape::Storage => value.as_text()?.into(),
        Shape::Int => value.as_int()?.into(),
        Shape::Switch => if value.as_bool()? { "Enabled" } else { "Disabled" }.into(),
        Shape::Window => window_of(value.as_text()?)?,
        Shape::Tags => {
            let sent = |(name, value): (&String, &Value)| Some((name.clone(), value.as_text()?.into()));
            Json::Object(value.as_map()?.iter().filter_map(sent).collect())
        }
    })
}

const DAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// A window in words: Sunday is 0; one that Azure chooses is none.
fn window(told: &Json) -> Option<String> {
    (told["customWindow"] == "Enabled").then_some(())?;
    let day = usize::try_from(told["dayOfWeek"].as_u64().unwrap_or_default()).ok()?;
    let time = |name: &str| told[name].as_u64().unwrap_or_default();
    Some(format!("{} {:02}:{:02}", DAYS.get(day)?, time("startHour"), time("startMinute")))
}

fn window_of(words: &str) -> Option<Json> {
    let (day, time) = words.split_once(' ')?;
    let (hour, minute) = time.split_once(':')?;
    let day = DAYS.iter().position(|known| *known == day)?;
    Some(json!({
        "customWindow": "Enabled",
        "dayOfWeek": day,
        "startHour": hour.parse::<u64>().ok()?,
        "startMinute": minute.parse::<u64>().ok()?,
    }))
}

/// The day and time of a window that begins so many minutes into the week, Monday first.
pub fn window_at(start_min: u32) -> String {
    let (day, minute) = (start_min / (24 * 60), start_min % (24 * 60));
    let day = DAYS[(day as usize + 1) % DAYS.len()];
    format!("{day} {:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sunday_is_nought_and_midnight_is_said() {
        let sunday = json!({ "customWindow": "Enabled", "dayOfWeek": 0, "startHour": 4, "startMinute": 0 });
        assert_eq!(window_of("sunday 04:00"), Some(sunday.clone()));
        assert_eq!(window(&sunday).as_deref(), Some("sunday 04:00"));
        assert_eq!(window(&json!({ "customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0 })), None);
        assert_eq!(window_at(6 * 24 * 60 + 4 * 60), "sunday 04:00");
        assert_eq!(window_at(0), "monday 00:00");
        assert_eq!(window_of("monday 00:30").expect("a window")["dayOfWeek"], 1);
    }

    /// Words that no description has are told as they are: the first three were seen in answers.
    #[test]
    fn words_outside_of_the_description_are_read() {
        let told = json!({ "location": "Canada Central", "properties": {
            "highAvailability": { "mode": "Disabled", "state": "NotEnabled" },
            "storage": { "type": "", "storageSizeGB": 32, "autoGrow": "Perhaps" },
        } });
        let seen = read(&told);
        let expected = [
            ("location", "canadacentral"),
            ("highAvailability", "Disabled"),
            ("storageType", "Premium_LRS"),
            ("autoGrow", "Perhaps"),
        ];
        for (name, value) in expected {
            assert_eq!(seen[name], Value::text(value), "{name}");
        }
    }

    /// What somebody else set within the same object is sent back, and what is only told is not.
    #[test]
    fn a_change_sends_the_object_it_is_in() {
        let told = json!({ "tags": { "by": "hand" }, "properties": {
            "backup": { "backupRetentionDays": 7, "geoRedundantBackup": "Disabled", "earliestRestoreDate": "x", "immutableBackup": "Enabled" },
            "storage": { "type": "Premium_LRS", "storageSizeGB": 32, "tier": "P4", "iops": 120, "autoGrow": "Disabled" },
        } });
        let fields = Props::from([
            ("backupRetentionDays".to_owned(), Value::Int(9)),
            ("storageSizeGB".to_owned(), Value::Int(64)),
            ("highAvailability".to_owned(), "ZoneRedundant".into()),
        ]);
        let expected = json!({ "properties": {
            "backup": { "backupRetentionDays": 9, "immutableBackup": "Enabled" },
            "storage": { "type": "Premium_LRS", "storageSizeGB": 64, "autoGrow": "Disabled" },
            "highAvailability": { "mode": "ZoneRedundant" },
        } });
        assert_eq!(patch(&told, &fields), expected);
    }
}
