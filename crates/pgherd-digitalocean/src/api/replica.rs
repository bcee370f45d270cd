//! Read replicas: named within their cluster, and clusters of their own by their id.

use serde_json::{Value as Json, json};

use super::cluster::Connection;
use super::{text, texts};
use crate::call::segment;
use crate::error::DoError;
use crate::session::Session;
use crate::tags;

/// A replica, as it is told.
#[derive(Debug, Clone)]
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) size: Option<String>,
    pub(crate) region: String,
    pub(crate) vpc: Option<String>,
    pub(crate) storage_mib: Option<i64>,
    /// `None`: not told.
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) connection: Connection,
    pub(crate) private_connection: Connection,
}

impl Replica {
    /// Whether it is pgherd's, of a database. One of which no tags are told is nobody's that we know of.
    pub(crate) fn is_of(&self, database: &str) -> bool {
        self.tags.as_deref().is_some_and(|worn| tags::are_ours(worn, database))
    }

    pub(super) fn read(told: &Json) -> Option<Self> {
        Some(Self {
            id: text(told, "id").unwrap_or_default(),
            name: text(told, "name")?,
            status: text(told, "status").unwrap_or_default(),
            size: text(told, "size"),
            region: text(told, "region").unwrap_or_default(),
            vpc: text(told, "private_network_uuid"),
            storage_mib: told["storage_size_mib"].as_i64(),
            tags: texts(told, "tags"),
            connection: Connection::read(&told["connection"]),
            private_connection: Connection::read(&told["private_connection"]),
        })
    }
}

/// The replicas of a cluster.
pub(crate) async fn replicas(session: &Session, cluster: &str) -> Result<Vec<Replica>, DoError> {
    Ok(session.whole(&at(cluster, ""), "replicas").await?.iter().filter_map(Replica::read).collect())
}

/// Has one made, and says its id.
pub(crate) async fn create_replica(session: &Session, cluster: &str, body: &Json) -> Result<Option<String>, DoError> {
    Ok(text(&session.post(&at(cluster, ""), body).await?["replica"], "id"))
}

/// Deletes one.
pub(crate) async fn delete_replica(session: &Session, cluster: &str, name: &str) -> Result<(), DoError> {
    session.delete(&at(cluster, &format!("/{}", segment(name))), None).await
}

/// Makes one a cluster of its own.
pub(crate) async fn promote_replica(session: &Session, cluster: &str, name: &str) -> Result<(), DoError> {
    session.put(&at(cluster, &format!("/{}/promote", segment(name))), &json!({})).await.map(drop)
}

fn at(cluster: &str, what: &str) -> String {
    format!("/v2/databases/{}/replicas{what}", segment(cluster))
}
