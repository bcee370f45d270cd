//! Clusters: made, looked at, resized, moved, upgraded, tagged, deleted.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::within::User;
use super::{text, texts};
use crate::call::segment;
use crate::error::DoError;
use crate::session::Session;

const PATH: &str = "/v2/databases";

/// What DigitalOcean calls a cluster where it tags things. The description of the API leaves it out, its own Terraform provider has it.
const TAGGED: &str = "database";

/// A cluster, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) engine: String,
    pub(crate) status: String,
    pub(crate) version: String,
    /// With the minor, where it is told.
    pub(crate) semantic_version: Option<String>,
    pub(crate) version_end_of_life: Option<String>,
    pub(crate) size: String,
    pub(crate) num_nodes: i64,
    pub(crate) region: String,
    pub(crate) vpc: Option<String>,
    pub(crate) storage_mib: Option<i64>,
    pub(crate) tags: Vec<String>,
    /// Databases; `None`: not told.
    pub(crate) databases: Option<Vec<String>>,
    /// Roles; `None`: not told.
    pub(crate) users: Option<Vec<User>>,
    /// Day and hour: `sunday 04:00`.
    pub(crate) maintenance: Option<String>,
    /// Whether something waits for the window, and what.
    pub(crate) maintenance_pending: Option<Vec<String>>,
    pub(crate) connection: Connection,
    pub(crate) private_connection: Connection,
    pub(crate) standby: Connection,
    pub(crate) metrics: Option<String>,
}

/// Where something is reached; nothing of it is known before it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
}

impl Connection {
    pub(crate) fn read(told: &Json) -> Self {
        let port = told["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { host: text(told, "host"), port: port.filter(|port| *port > 0) }
    }
}

impl Cluster {
    pub(super) fn read(told: &Json) -> Option<Self> {
        let window = &told["maintenance_window"];
        let pending = window["pending"].as_bool().unwrap_or_default();
        let metrics = &told["metrics_endpoints"][0];
        Some(Self {
            id: text(told, "id")?,
            name: text(told, "name")?,
            engine: text(told, "engine").unwrap_or_default(),
            status: text(told, "status").unwrap_or_default(),
            version: text(told, "version").unwrap_or_default(),
            semantic_version: text(told, "semantic_version"),
            version_end_of_life: text(told, "version_end_of_life"),
            size: text(told, "size").unwrap_or_default(),
            num_nodes: told["num_nodes"].as_i64().unwrap_or_default(),
            region: text(told, "region").unwrap_or_default(),
            vpc: text(told, "private_network_uuid"),
            storage_mib: told["storage_size_mib"].as_i64(),
            tags: texts(told, "tags").unwrap_or_default(),
            databases: texts(told, "db_names"),
            users: told["users"].as_array().map(|users| users.iter().filter_map(User::read).collect()),
            maintenance: text(window, "day").zip(text(window, "hour")).map(|(day, hour)| window_of(&day, &hour)),
            maintenance_pending: pending.then(|| texts(window, "description").unwrap_or_default()),
            connection: Connection::read(&told["connection"]),
            private_connection: Connection::read(&told["private_connection"]),
            standby: Connection::read(&told["standby_connection"]),
            metrics: text(metrics, "host").map(|host| format!("{host}:{}", metrics["port"].as_u64().unwrap_or(9273))),
        })
    }
}

/// `sunday 04:00`: seconds are told and not taken.
fn window_of(day: &str, hour: &str) -> String {
    let hour: Vec<&str> = hour.split(':').take(2).collect();
    format!("{} {}", day.to_lowercase(), hour.join(":"))
}

/// All clusters of the account that run PostgreSQL, and of those that are called so also others.
pub(crate) async fn clusters(session: &Session) -> Result<Vec<Cluster>, DoError> {
    Ok(session.list(PATH, "databases").await?.iter().filter_map(Cluster::read).collect())
}

/// One by its id.
pub(crate) async fn cluster(session: &Session, id: &str) -> Result<Option<Cluster>, DoError> {
    let Some(found) = session.find(&at(id, "")).await? else { return Ok(None) };
    // What cannot be read is not gone.
    Cluster::read(&found["database"]).map(Some).ok_or_else(|| DoError::unread(&format!("GET {}", at(id, ""))))
}

/// Has one made, and says its id.
pub(crate) async fn create_cluster(
    session: &Session,
    body: &Json,
    note: impl Fn() -> Result<(), String>,
) -> Result<Option<String>, DoError> {
    Ok(text(&session.post_noted(PATH, body, note).await?["database"], "id"))
}

/// Deletes one, and its backups with it.
pub(crate) async fn delete_cluster(session: &Session, id: &str) -> Result<(), DoError> {
    session.delete(&at(id, ""), None).await
}

/// Other machines, more or fewer of them, more storage.
pub(crate) async fn resize(
    session: &Session,
    id: &str,
    size: &str,
    num_nodes: i64,
    storage_mib: Option<i64>,
) -> Result<(), DoError> {
    let mut body = json!({ "size": size, "num_nodes": num_nodes });
    if let Some(mib) = storage_mib {
        body["storage_size_mib"] = mib.into();
    }
    session.put(&at(id, "/resize"), &body).await.map(drop)
}

/// Another region.
pub(crate) async fn migrate(session: &Session, id: &str, region: &str) -> Result<(), DoError> {
    session.put(&at(id, "/migrate"), &json!({ "region": region })).await.map(drop)
}

/// A newer major.
pub(crate) async fn upgrade(session: &Session, id: &str, version: &str) -> Result<(), DoError> {
    session.put(&at(id, "/upgrade"), &json!({ "version": version })).await.map(drop)
}

/// Another window: `sunday 04:00`.
pub(crate) async fn set_maintenance(session: &Session, id: &str, window: &str) -> Result<(), DoError> {
    let (day, hour) = window.split_once(' ').unwrap_or((window, "00:00"));
    session.put(&at(id, "/maintenance"), &json!({ "day": day, "hour": hour })).await.map(drop)
}

/// Whether storage grows by itself: how full it may get, percent, and by how many GiB then.
pub(crate) async fn autoscale(session: &Session, id: &str) -> Result<Option<(i64, i64)>, DoError> {
    let found = session.find(&at(id, "/autoscale")).await?.unwrap_or_default();
    let storage = &found["autoscale"]["storage"];
    let is_on = storage["enabled"].as_bool().unwrap_or_default();
    let number = |name: &str| storage[name].as_i64().unwrap_or_default();
    Ok(is_on.then(|| (number("threshold_percent"), number("increment_gib"))))
}

/// Turns growth on or off.
pub(crate) async fn set_autoscale(session: &Session, id: &str, on: Option<(i64, i64)>) -> Result<(), DoError> {
    let storage = match on {
        Some((percent, gib)) => json!({ "enabled": true, "threshold_percent": percent, "increment_gib": gib }),
        None => json!({ "enabled": false }),
    };
    session.put(&at(id, "/autoscale"), &json!({ "storage": storage })).await.map(drop)
}

/// Times of backups with their sizes in GB, oldest first, as DigitalOcean spells them.
pub(crate) async fn backups(session: &Session, id: &str) -> Result<Vec<(String, Option<f64>)>, DoError> {
    let items = session.whole(&at(id, "/backups"), "backups").await?;
    let backup = |item: &Json| Some((text(item, "created_at")?, item["size_gigabytes"].as_f64()));
    let mut all: Vec<_> = items.iter().filter_map(backup).collect();
    all.sort_by_key(|(at, _)| at.parse::<Timestamp>().ok());
    Ok(all)
}

/// What happened: when and what, oldest first.
pub(crate) async fn events(session: &Session, id: &str) -> Result<Vec<(Timestamp, String, String)>, DoError> {
    let items = session.whole(&at(id, "/events"), "events").await?;
    let mut all: Vec<_> = items
        .iter()
        .filter_map(|item| {
            let when = text(item, "create_time")?.parse().ok()?;
            Some((when, text(item, "cluster_name").unwrap_or_default(), text(item, "event_type")?))
        })
        .collect();
    all.sort();
    Ok(all)
}

/// The certificate of the authority that signs for the cluster, as PEM.
pub(crate) async fn certificate(session: &Session, id: &str) -> Result<Option<Vec<u8>>, DoError> {
    use base64::Engine as _;
    let told = session.get(&at(id, "/ca")).await?;
    let encoded = text(&told["ca"], "certificate").unwrap_or_default();
    Ok(base64::engine::general_purpose::STANDARD.decode(encoded).ok().filter(|pem| !pem.is_empty()))
}

/// Has a cluster wear a tag, which is made where there is none of the name.
pub(crate) async fn tag(session: &Session, id: &str, tag: &str) -> Result<(), DoError> {
    let path = format!("/v2/tags/{}/resources", segment(tag));
    let body = json!({ "resources": [{ "resource_id": id, "resource_type": TAGGED }] });
    match session.post_again(&path, &body).await {
        Err(error) if error.is_absent() => {
            match session.post_again("/v2/tags", &json!({ "name": tag })).await {
                // Somebody else was first.
                Err(error) if !matches!(error.status, Some(409 | 422)) => return Err(error),
                Ok(_) | Err(_) => {}
            }
            session.post_again(&path, &body).await.map(drop)
        }
        answer => answer.map(drop),
    }
}

/// Takes a tag off a cluster. The tag itself stays in the account: others may wear it.
pub(crate) async fn untag(session: &Session, id: &str, tag: &str) -> Result<(), DoError> {
    let body = json!({ "resources": [{ "resource_id": id, "resource_type": TAGGED }] });
    session.delete(&format!("/v2/tags/{}/resources", segment(tag)), Some(&body)).await
}

fn at(id: &str, what: &str) -> String {
    format!("{PATH}/{}{what}", segment(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_told_with_seconds_and_taken_without() {
        assert_eq!(window_of("Sunday", "04:00:00"), "sunday 04:00");
        assert_eq!(window_of("sunday", "04:00"), "sunday 04:00");
    }

    /// Fields of next year change nothing, and fields that a token may not see are none.
    #[test]
    fn what_is_not_told_is_unknown() {
        let told =
            json!({ "id": "9cc1", "name": "orders", "status": "a-word-of-next-year", "new": [1], "users": null });
        let cluster = Cluster::read(&told).expect("a cluster");
        assert_eq!((cluster.status.as_str(), cluster.storage_mib), ("a-word-of-next-year", None));
        assert!(cluster.users.is_none());
        assert_eq!(cluster.connection, Connection::default());
    }
}
