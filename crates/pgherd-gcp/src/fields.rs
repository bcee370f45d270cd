//! Where each field of an instance stands in what the API tells and takes: one table, read to look, to make and to change. Pure.
//!
//! Lists of flags, networks and labels are taken whole, and so is each object within the settings: what of it is not ours is sent back
//! as it was told.

use pgherd_core::value::{Props, Value};
use serde_json::{Value as Json, json};

/// The field with the flags.
pub const FLAGS: &str = "databaseFlags";
/// The field with the labels.
pub const LABELS: &str = "userLabels";
/// The field with who may come in.
pub const NETWORKS: &str = "authorizedNetworks";
/// The field with the settings of the pooler.
pub const POOL_FLAGS: &str = "poolFlags";

/// How a field is written in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    /// A number as a text, which is how Google writes 64 bits.
    Long,
    Int,
    Bool,
    /// `POSTGRES_16` is 16.
    Version,
    /// `{ day: 7, hour: 4 }` is `sunday 04:00`.
    Window,
    /// A network in any spelling.
    Network,
    /// `[{ name, value }]`.
    Pairs,
    Networks,
    Labels,
}

const TABLE: &[(&str, &str, Shape)] = &[
    ("databaseVersion", "databaseVersion", Shape::Version),
    ("region", "region", Shape::Text),
    ("kmsKeyName", "diskEncryptionConfiguration/kmsKeyName", Shape::Text),
    ("tier", "settings/tier", Shape::Text),
    ("edition", "settings/edition", Shape::Text),
    ("availabilityType", "settings/availabilityType", Shape::Text),
    ("zone", "settings/locationPreference/zone", Shape::Text),
    ("dataDiskSizeGb", "settings/dataDiskSizeGb", Shape::Long),
    ("dataDiskType", "settings/dataDiskType", Shape::Text),
    ("storageAutoResize", "settings/storageAutoResize", Shape::Bool),
    ("storageAutoResizeLimit", "settings/storageAutoResizeLimit", Shape::Long),
    ("ipv4Enabled", "settings/ipConfiguration/ipv4Enabled", Shape::Bool),
    ("privateNetwork", "settings/ipConfiguration/privateNetwork", Shape::Network),
    ("sslMode", "settings/ipConfiguration/sslMode", Shape::Text),
    (NETWORKS, "settings/ipConfiguration/authorizedNetworks", Shape::Networks),
    ("backupsEnabled", "settings/backupConfiguration/enabled", Shape::Bool),
    ("retainedBackups", "settings/backupConfiguration/backupRetentionSettings/retainedBackups", Shape::Int),
    ("backupStartTime", "settings/backupConfiguration/startTime", Shape::Text),
    ("pointInTimeRecoveryEnabled", "settings/backupConfiguration/pointInTimeRecoveryEnabled", Shape::Bool),
    ("transactionLogRetentionDays", "settings/backupConfiguration/transactionLogRetentionDays", Shape::Int),
    ("maintenanceWindow", "settings/maintenanceWindow", Shape::Window),
    ("deletionProtectionEnabled", "settings/deletionProtectionEnabled", Shape::Bool),
    ("queryInsightsEnabled", "settings/insightsConfig/queryInsightsEnabled", Shape::Bool),
    ("connectionPoolingEnabled", "settings/connectionPoolConfig/connectionPoolingEnabled", Shape::Bool),
    (POOL_FLAGS, "settings/connectionPoolConfig/flags", Shape::Pairs),
    (FLAGS, "settings/databaseFlags", Shape::Pairs),
    (LABELS, "settings/userLabels", Shape::Labels),
];

/// What is told and not taken, or taken no more, within objects that are sent back.
const NOT_TAKEN: [&str; 6] = [
    "requireSsl",
    "backupTier",
    "transactionalLogStorageState",
    "replicationLogArchivingEnabled",
    "poolerCount",
    "kind",
];

/// Every field as an instance has it. Labels are left to whoever knows which of them are ours.
pub fn read(told: &Json) -> Props {
    let fields = TABLE.iter().filter(|(_, _, shape)| *shape != Shape::Labels);
    fields.map(|(name, path, shape)| ((*name).to_owned(), value(told.pointer(&format!("/{path}")), *shape))).collect()
}

/// The body of a request that makes an instance with these fields.
pub fn creation(props: &Props) -> Json {
    let mut body = json!({});
    for (name, path, shape) in TABLE {
        if let Some(written) = props.get(*name).and_then(|value| written(value, *shape, None)) {
            put(&mut body, path, written);
        }
    }
    if props.contains_key("retainedBackups") {
        put(&mut body, "settings/backupConfiguration/backupRetentionSettings/retentionUnit", "COUNT".into());
    }
    body
}

/// The body of a request that gives an instance, as it is told to be, other values for these fields.
pub fn patch(told: &Json, fields: &Props) -> Json {
    let mut body = json!({});
    for (name, path, shape) in TABLE {
        let Some(value) = fields.get(*name) else { continue };
        let Some(written) = written(value, *shape, told.pointer(&format!("/{path}"))) else { continue };
        let parts: Vec<&str> = path.split('/').collect();
        // An object within the settings is taken whole.
        if let ["settings", object, _, ..] = parts.as_slice()
            && body["settings"][*object].is_null()
            && told["settings"][*object].is_object()
        {
            put(&mut body, &format!("settings/{object}"), taken(&told["settings"][*object]));
        }
        put(&mut body, path, written);
        if *name == "retainedBackups" {
            put(&mut body, "settings/backupConfiguration/backupRetentionSettings/retentionUnit", "COUNT".into());
        }
    }
    body
}

/// A copy without what is not taken.
fn taken(object: &Json) -> Json {
    match object {
        Json::Object(entries) => entries
            .iter()
            .filter(|(name, _)| !NOT_TAKEN.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), taken(value)))
            .collect(),
        Json::Array(items) => items.iter().map(taken).collect(),
        other => other.clone(),
    }
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
        Shape::Long => text().and_then(|text| text.parse().ok()).map_or(Value::Null, Value::Int),
        Shape::Int => told.and_then(Json::as_i64).map_or(Value::Null, Value::Int),
        // What is off may be left out.
        Shape::Bool => told.and_then(Json::as_bool).unwrap_or_default().into(),
        Shape::Version => text().and_then(major).map_or(Value::Null, Value::Text),
        Shape::Window => told.and_then(window).map_or(Value::Null, Value::Text),
        Shape::Network => text().map(|text| network(text, "")).into(),
        Shape::Pairs => {
            let pairs = told.and_then(Json::as_array).into_iter().flatten();
            let pair = |pair: &Json| Some((pair["name"].as_str()?.to_owned(), Value::text(pair["value"].as_str()?)));
            Value::Map(pairs.filter_map(pair).collect())
        }
        Shape::Networks => {
            let networks = told.and_then(Json::as_array).into_iter().flatten();
            Value::List(networks.filter_map(|one| one["value"].as_str()).map(|one| Value::Text(address(one))).collect())
        }
        Shape::Labels => {
            let labels = told.and_then(Json::as_object).into_iter().flatten();
            Value::Map(labels.filter_map(|(key, one)| Some((key.clone(), Value::text(one.as_str()?)))).collect())
        }
    }
}

/// A value as it is sent; `told` is what is there. `None`: it is not known.
fn written(value: &Value, shape: Shape, told: Option<&Json>) -> Option<Json> {
    let text = value.as_text();
    Some(match shape {
        Shape::Text | Shape::Network => text?.into(),
        Shape::Long => value.as_int()?.to_string().into(),
        Shape::Int => value.as_int()?.into(),
        Shape::Bool => value.as_bool()?.into(),
        Shape::Version => format!("POSTGRES_{}", text?.replace('.', "_")).into(),
        Shape::Window => {
            let mut window = window_of(text?)?;
            // Which updates come first is somebody's choice, too.
            if let Some(track) = told.and_then(|told| told.get("updateTrack")) {
                window["updateTrack"] = track.clone();
            }
            window
        }
        Shape::Pairs => {
            let pairs = value.as_map()?.iter();
            let pair = |(name, value): (&String, &Value)| Some(json!({ "name": name, "value": value.as_text()? }));
            pairs.filter_map(pair).collect()
        }
        Shape::Networks => {
            // Names and ends of those that are there are somebody's.
            let there = told.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            let entry = |value: &Value| {
                let wanted = value.as_text()?;
                let same = |one: &&Json| one["value"].as_str().is_some_and(|told| address(told) == wanted);
                Some(there.iter().find(same).map_or_else(|| json!({ "name": "pgherd", "value": wanted }), taken))
            };
            value.as_list()?.iter().map(entry).collect::<Option<Vec<Json>>>()?.into()
        }
        Shape::Labels => {
            // Nothing takes a label off: the others stay, whether they are sent or not.
            let sent = |(key, value): (&String, &Value)| match value {
                Value::Null => Some((key.clone(), Json::Null)),
                value => Some((key.clone(), value.as_text()?.into())),
            };
            Json::Object(value.as_map()?.iter().filter_map(sent).collect())
        }
    })
}

/// `POSTGRES_16` is 16, `POSTGRES_9_6` is 9.6.
fn major(version: &str) -> Option<String> {
    version.strip_prefix("POSTGRES_").map(|major| major.replace('_', "."))
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// A window in words: Monday is 1 and Sunday 7; without a day it is any.
fn window(told: &Json) -> Option<String> {
    let day = usize::try_from(told["day"].as_u64()?).ok()?.checked_sub(1)?;
    Some(format!("{} {:02}:00", DAYS.get(day)?, told["hour"].as_u64().unwrap_or_default()))
}

fn window_of(words: &str) -> Option<Json> {
    let (day, hour) = words.split_once(' ')?;
    let day = DAYS.iter().position(|known| *known == day)? + 1;
    Some(json!({ "day": day, "hour": hour.get(..2)?.parse::<u64>().ok()?, "updateTrack": "stable" }))
}

/// The day and hour of a window that begins so many minutes into the week, Monday first.
pub fn window_at(start_min: u32) -> String {
    let (day, minute) = (start_min / (24 * 60), start_min % (24 * 60));
    format!("{} {:02}:00", DAYS.get(day as usize).unwrap_or(&"sunday"), minute / 60)
}

/// A network in one spelling: `projects/p/global/networks/n`. A bare name is one of `project`.
pub fn network(text: &str, project: &str) -> String {
    match text.find("projects/") {
        Some(at) => text[at..].to_owned(),
        None if text.contains('/') || project.is_empty() => text.to_owned(),
        None => format!("projects/{project}/global/networks/{text}"),
    }
}

/// An address or a network in one spelling: `10.0.0.0/8`, `198.51.100.7/32`. What is none is shown as it is.
pub fn address(text: &str) -> String {
    let net = text.parse::<ipnet::IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(ipnet::IpNet::from));
    net.map_or_else(|_| text.to_owned(), |net| net.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sunday_is_seven_and_midnight_is_said() {
        assert_eq!(window_of("sunday 04:00"), Some(json!({ "day": 7, "hour": 4, "updateTrack": "stable" })));
        assert_eq!(window_of("monday 00:00"), Some(json!({ "day": 1, "hour": 0, "updateTrack": "stable" })));
        assert_eq!(window(&json!({ "day": 7, "hour": 4, "kind": "x" })).as_deref(), Some("sunday 04:00"));
        assert_eq!(window(&json!({ "kind": "x" })), None);
        assert_eq!(window_at(6 * 24 * 60 + 4 * 60), "sunday 04:00");
    }

    #[test]
    fn a_network_has_one_spelling() {
        let whole = "projects/p/global/networks/n";
        assert_eq!(network("n", "p"), whole);
        assert_eq!(network(whole, "other"), whole);
        assert_eq!(network("https://www.googleapis.com/compute/v1/projects/p/global/networks/n", ""), whole);
        assert_eq!(address("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(address("198.51.100.7"), "198.51.100.7/32");
    }

    /// What somebody else set within the same object is sent back, and what is not taken is not.
    #[test]
    fn a_change_sends_the_object_it_is_in() {
        let told = json!({ "settings": {
            "ipConfiguration": {
                "ipv4Enabled": true, "requireSsl": false, "allocatedIpRange": "r",
                "authorizedNetworks": [{ "kind": "sql#aclEntry", "name": "office", "value": "192.0.2.0/24" }],
            },
            "tier": "db-f1-micro",
        } });
        let networks = Value::List(vec!["192.0.2.0/24".into(), "203.0.113.9/32".into()]);
        let labels = Props::from([("owner".to_owned(), Value::Null), ("team".to_owned(), "shop".into())]);
        let fields = Props::from([
            (NETWORKS.to_owned(), networks),
            ("tier".to_owned(), "db-g1-small".into()),
            (LABELS.to_owned(), Value::Map(labels)),
        ]);
        let expected = json!({ "settings": {
            "tier": "db-g1-small",
            "userLabels": { "owner": null, "team": "shop" },
            "ipConfiguration": {
                "ipv4Enabled": true, "allocatedIpRange": "r",
                "authorizedNetworks": [
                    { "name": "office", "value": "192.0.2.0/24" }, { "name": "pgherd", "value": "203.0.113.9/32" },
                ],
            },
        } });
        assert_eq!(patch(&told, &fields), expected);
    }
}
