//! What is in a cluster: roles, databases, pools, settings and who may come in.

use pgherd_core::secret::Secret;
use serde_json::{Map, Value as Json, json};

use super::cluster::Connection;
use super::text;
use crate::call::segment;
use crate::error::DoError;
use crate::session::Session;

/// A role.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) name: String,
    /// `None`: the token may not see it.
    pub(crate) password: Option<Secret>,
}

impl User {
    pub(crate) fn read(told: &Json) -> Option<Self> {
        Some(Self { name: text(told, "name")?, password: text(told, "password").map(Secret::new) })
    }
}

/// A pool of connections.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    pub(crate) name: String,
    pub(crate) mode: String,
    pub(crate) size: i64,
    pub(crate) database: String,
    /// `None`: whoever logs in.
    pub(crate) user: Option<String>,
    pub(crate) connection: Connection,
    pub(crate) private_connection: Connection,
}

impl Pool {
    pub(super) fn read(told: &Json) -> Option<Self> {
        Some(Self {
            name: text(told, "name")?,
            mode: text(told, "mode").unwrap_or_default(),
            size: told["size"].as_i64().unwrap_or_default(),
            database: text(told, "db").unwrap_or_default(),
            user: text(told, "user"),
            connection: Connection::read(&told["connection"]),
            private_connection: Connection::read(&told["private_connection"]),
        })
    }
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// `ip_addr`, or the kind of another thing of DigitalOcean's.
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    /// What DigitalOcean calls a rule that is there.
    pub(crate) uuid: Option<String>,
}

/// The roles of a cluster.
pub(crate) async fn users(session: &Session, id: &str) -> Result<Vec<User>, DoError> {
    Ok(session.whole(&at(id, "/users"), "users").await?.iter().filter_map(User::read).collect())
}

/// Makes a role.
pub(crate) async fn add_user(session: &Session, id: &str, name: &str) -> Result<(), DoError> {
    session.post(&at(id, "/users"), &json!({ "name": name })).await.map(drop)
}

/// Gives a role another password, and says which.
pub(crate) async fn reset_auth(session: &Session, id: &str, name: &str) -> Result<Option<Secret>, DoError> {
    let told = session.post(&at(id, &format!("/users/{}/reset_auth", segment(name))), &json!({})).await?;
    Ok(User::read(&told["user"]).and_then(|user| user.password))
}

/// The databases of a cluster.
pub(crate) async fn databases(session: &Session, id: &str) -> Result<Vec<String>, DoError> {
    Ok(session.whole(&at(id, "/dbs"), "dbs").await?.iter().filter_map(|db| text(db, "name")).collect())
}

/// Makes a database.
pub(crate) async fn add_database(session: &Session, id: &str, name: &str) -> Result<(), DoError> {
    session.post(&at(id, "/dbs"), &json!({ "name": name })).await.map(drop)
}

/// The pools of a cluster.
pub(crate) async fn pools(session: &Session, id: &str) -> Result<Vec<Pool>, DoError> {
    let told = session.whole(&at(id, "/pools"), "pools").await?;
    Ok(told.iter().filter_map(Pool::read).collect())
}

/// Makes a pool.
pub(crate) async fn add_pool(session: &Session, id: &str, pool: &Pool) -> Result<(), DoError> {
    let mut body = settings(pool);
    body["name"] = pool.name.as_str().into();
    session.post(&at(id, "/pools"), &body).await.map(drop)
}

/// Changes a pool.
pub(crate) async fn update_pool(session: &Session, id: &str, pool: &Pool) -> Result<(), DoError> {
    session.put(&at(id, &format!("/pools/{}", segment(&pool.name))), &settings(pool)).await.map(drop)
}

/// Removes a pool.
pub(crate) async fn delete_pool(session: &Session, id: &str, name: &str) -> Result<(), DoError> {
    session.delete(&at(id, &format!("/pools/{}", segment(name))), None).await
}

fn settings(pool: &Pool) -> Json {
    let mut body = json!({ "mode": pool.mode, "size": pool.size, "db": pool.database });
    if let Some(user) = &pool.user {
        body["user"] = user.as_str().into();
    }
    body
}

/// The settings that are set.
pub(crate) async fn config(session: &Session, id: &str) -> Result<Map<String, Json>, DoError> {
    let mut told = session.get(&at(id, "/config")).await?;
    match told["config"].take() {
        Json::Object(config) => Ok(config),
        _ => Err(DoError::unread(&format!("GET {}", at(id, "/config")))),
    }
}

/// Sets some.
pub(crate) async fn patch_config(session: &Session, id: &str, config: Map<String, Json>) -> Result<(), DoError> {
    session.patch(&at(id, "/config"), &json!({ "config": config })).await.map(drop)
}

/// Who may come in.
pub(crate) async fn firewall(session: &Session, id: &str) -> Result<Vec<Rule>, DoError> {
    let told = session.whole(&at(id, "/firewall"), "rules").await?;
    let rule = |told: &Json| {
        Some(Rule {
            kind: text(told, "type")?,
            value: text(told, "value")?,
            description: text(told, "description"),
            uuid: text(told, "uuid"),
        })
    };
    Ok(told.iter().filter_map(rule).collect())
}

/// Has those come in and nobody else.
pub(crate) async fn set_firewall(session: &Session, id: &str, rules: &[Rule]) -> Result<(), DoError> {
    assert!(!rules.is_empty(), "without a rule everybody may come in");
    let rules: Vec<Json> = rules.iter().map(Rule::sent).collect();
    session.put(&at(id, "/firewall"), &json!({ "rules": rules })).await.map(drop)
}

impl Rule {
    /// The rule as it is sent.
    pub(crate) fn sent(&self) -> Json {
        let mut sent = json!({ "type": self.kind, "value": self.value });
        for (name, text) in [("uuid", &self.uuid), ("description", &self.description)] {
            if let Some(text) = text {
                sent[name] = text.as_str().into();
            }
        }
        sent
    }
}

fn at(id: &str, what: &str) -> String {
    format!("/v2/databases/{}{what}", segment(id))
}
