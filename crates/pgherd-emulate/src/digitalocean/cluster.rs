//! A cluster and its phases.

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use super::{Call, Cluster as This, NETWORK, Ocean, Refusal, Said, check};

/// Not to be seen right after it was asked for, seconds.
pub(super) const HIDDEN_S: i64 = 30;
const CREATE_S: i64 = 240;
const RESIZE_S: i64 = 300;
const MIGRATE_S: i64 = 600;
const UPGRADE_S: i64 = 300;
const DELETE_S: i64 = 40;
/// From the end of a creation to the first backup.
const FIRST_BACKUP_S: i64 = 180;
const DAY_S: i64 = 24 * 3600;
/// Backups are kept for so many days.
const KEPT_DAYS: i64 = 7;

/// A cluster, or a replica of one.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The major.
    pub version: String,
    /// Its size.
    pub size: String,
    /// How many nodes.
    pub num_nodes: i64,
    /// Where it is.
    pub region: String,
    /// The network it is in.
    pub vpc: String,
    /// Its storage.
    pub storage_mib: i64,
    /// What it wears.
    pub tags: Vec<String>,
    /// Who may come in; none: everybody.
    pub rules: Vec<Json>,
    /// Settings that were set.
    pub config: Map<String, Json>,
    /// Databases.
    pub databases: Vec<String>,
    /// Roles.
    pub users: Vec<User>,
    /// Pools.
    pub pools: Vec<Json>,
    /// Day and hour.
    pub maintenance: (String, String),
    /// How storage grows.
    pub autoscale: Option<Json>,
    /// The cluster it is a replica of.
    pub source: Option<String>,
    /// The cluster it was made of a backup of, and as of when.
    pub restored: Option<(String, Option<String>)>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was made.
    pub online_at: Timestamp,
    /// What happened to it.
    pub events: Vec<(Timestamp, &'static str)>,
    pub(super) visible_from: Timestamp,
    pub(super) listed_from: Timestamp,
    pub(super) gone_at: Option<Timestamp>,
    pub(super) phase: Option<Phase>,
}

/// A role.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name.
    pub name: String,
    /// `primary` or `normal`.
    pub role: &'static str,
    /// Its password.
    pub password: String,
}

/// Something that goes on.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) word: &'static str,
    pub(super) until: Timestamp,
    pub(super) then: Then,
}

/// What it ends in.
#[derive(Debug, Clone)]
pub(super) enum Then {
    Nothing,
    Size { size: String, nodes: i64, storage_mib: i64 },
    Region(String),
    Version(String),
}

impl Cluster {
    /// What it says it is doing.
    pub fn status(&self) -> &'static str {
        self.phase.as_ref().map_or("online", |phase| phase.word)
    }

    /// Whether it can be seen by whoever asks for it.
    pub fn is_seen(&self, now: Timestamp) -> bool {
        self.visible_from <= now && self.listed_from <= now
    }

    /// Ends what is over.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let Some(phase) = self.phase.take_if(|phase| phase.until <= now) else { return };
        match phase.then {
            Then::Nothing => {}
            Then::Size { size, nodes, storage_mib } => {
                (self.size, self.num_nodes, self.storage_mib) = (size, nodes, storage_mib);
            }
            Then::Region(region) => self.region = region,
            Then::Version(version) => self.version = version,
        }
    }

    /// Refuses what is not taken while something goes on.
    pub(super) fn at_rest(&self) -> Result<(), Refusal> {
        match &self.phase {
            None => Ok(()),
            // No words of it are promised, so these tell nothing.
            Some(_) => Err(Refusal::invalid("the operation is not possible")),
        }
    }

    /// When backups of it were made that are still kept.
    pub(super) fn backups(&self, now: Timestamp) -> Vec<Timestamp> {
        let Ok(first) = self.online_at.checked_add(jiff::SignedDuration::from_secs(FIRST_BACKUP_S)) else {
            return Vec::new();
        };
        let age = now.duration_since(first).as_secs();
        if age < 0 {
            return Vec::new();
        }
        let days = (age / DAY_S - KEPT_DAYS + 1).max(0)..=age / DAY_S;
        days.filter_map(|day| first.checked_add(jiff::SignedDuration::from_secs(day * DAY_S)).ok()).collect()
    }

    fn host(&self, is_private: bool) -> String {
        let private = if is_private { "private-" } else { "" };
        format!("{private}{}-do-user-1-0.db.ondigitalocean.com", self.name)
    }

    pub(super) fn connection(&self, is_private: bool, database: &str, port: u16) -> Json {
        if self.phase.as_ref().is_some_and(|phase| phase.word == "creating" || phase.word == "forking") {
            return json!({});
        }
        let (host, admin) = (self.host(is_private), &self.users[0]);
        json!({
            "uri": format!("postgresql://doadmin:{}@{host}:{port}/{database}?sslmode=require", admin.password),
            "database": database,
            "host": host,
            "port": port,
            "user": "doadmin",
            "password": admin.password,
            "ssl": true,
        })
    }

    pub(super) fn shown(&self) -> Json {
        let mut shown = json!({
            "id": self.id,
            "name": self.name,
            "engine": "pg",
            "version": self.version,
            "semantic_version": format!("{}.6", self.version),
            "num_nodes": self.num_nodes,
            "size": self.size,
            "region": self.region,
            "status": self.status(),
            "created_at": self.created_at.to_string(),
            "private_network_uuid": self.vpc,
            "tags": self.tags,
            "db_names": self.databases,
            "connection": self.connection(false, "defaultdb", 25060),
            "private_connection": self.connection(true, "defaultdb", 25060),
            "users": self.users.iter().map(User::shown).collect::<Vec<_>>(),
            "maintenance_window": {
                "day": self.maintenance.0,
                "hour": format!("{}:00", self.maintenance.1),
                "pending": false,
                "description": [],
            },
            "project_id": "22222222-2222-4222-8222-222222222222",
            "storage_size_mib": self.storage_mib,
            "metrics_endpoints": [{ "host": self.host(false), "port": 9273 }],
        });
        if self.num_nodes > 1 {
            shown["standby_connection"] = self.connection(false, "defaultdb", 25060);
        }
        shown
    }

    pub(super) fn shown_as_replica(&self) -> Json {
        json!({
            "id": self.id,
            "name": self.name,
            "region": self.region,
            "size": self.size,
            "status": self.status(),
            "tags": if self.tags.is_empty() { Json::Null } else { json!(self.tags) },
            "created_at": self.created_at.to_string(),
            "private_network_uuid": self.vpc,
            "connection": self.connection(false, "defaultdb", 25060),
            "private_connection": self.connection(true, "defaultdb", 25060),
            "storage_size_mib": self.storage_mib,
        })
    }
}

impl User {
    pub(super) fn shown(&self) -> Json {
        json!({ "name": self.name, "role": self.role, "password": self.password })
    }
}

/// `POST /v2/databases`.
pub(super) fn create(ocean: &mut Ocean, call: &Call<'_>) -> Said {
    let body = call.body;
    check::only(
        body,
        &[
            "name",
            "engine",
            "version",
            "num_nodes",
            "size",
            "region",
            "private_network_uuid",
            "tags",
            "project_id",
            "rules",
            "storage_size_mib",
            "autoscale",
            "backup_restore",
            "do_settings",
        ],
    )?;
    let name = name(check::text(body, "name")?)?;
    if check::text(body, "engine")? != "pg" {
        return Err(Refusal::invalid("the emulator has no engine but pg"));
    }
    let version = body["version"].as_str().unwrap_or(check::VERSION).to_owned();
    // 14 is made no more since 2026-05-12, but a restored one goes on.
    let is_offered = check::VERSIONS[1..].contains(&version.as_str());
    if !is_offered && body["backup_restore"].is_null() {
        return Err(Refusal::invalid(format!("invalid cluster engine version: {version}")));
    }
    let (slug, nodes, region) =
        (check::text(body, "size")?, check::int(body, "num_nodes")?, check::text(body, "region")?);
    let size = check::size(slug, nodes)?;
    check::region(region)?;
    let asked_mib = check::maybe_int(body, "storage_size_mib")?;
    let restored = origin(ocean, call)?;
    let source = restored.as_ref().and_then(|(source, _)| ocean.named(source));
    let has = source.map_or(0, |source| source.storage_mib);
    if source.is_some_and(|source| source.version != version) {
        return Err(Refusal::invalid("a backup is restored by the version that made it"));
    }
    let storage_mib = check::storage(&size, asked_mib, 0)?;
    if storage_mib < has {
        return Err(Refusal::invalid("storage_size_mib is less than the backup needs"));
    }
    // Nothing says that a name is given once, and so it may be given again.
    let tags = check::texts(body, "tags")?;
    tags.iter().try_for_each(|tag| check::tag(tag))?;
    let rules = if body["rules"].is_null() { Vec::new() } else { check::rules(&body["rules"])? };
    let id = ocean.id();
    let vpc = body["private_network_uuid"].as_str().filter(|vpc| !vpc.is_empty()).unwrap_or(NETWORK).to_owned();
    ocean.tags.extend(tags.iter().cloned());
    let rules = ocean.numbered(&id, rules, call.now);
    let cluster = This {
        visible_from: call.after(ocean.hidden_s),
        listed_from: call.after(ocean.hidden_s),
        phase: Some(Phase { word: "creating", until: call.after(CREATE_S), then: Then::Nothing }),
        online_at: call.after(CREATE_S),
        rules,
        restored: restored.clone(),
        ..blank(id.clone(), name, version, slug, nodes, region, vpc, storage_mib, tags, call)
    };
    let cluster = match restored.and_then(|(source, _)| ocean.named(&source).cloned()) {
        // Roles, their passwords and databases are what they were.
        Some(source) => This { users: source.users, databases: source.databases, config: source.config, ..cluster },
        None => cluster,
    };
    let said = json!({ "database": cluster.shown() });
    ocean.clusters.insert(id, cluster);
    Ok((201, said))
}

/// What a cluster is to be made of.
fn origin(ocean: &Ocean, call: &Call<'_>) -> Result<Option<(String, Option<String>)>, Refusal> {
    let asked = &call.body["backup_restore"];
    if asked.is_null() {
        return Ok(None);
    }
    check::only(asked, &["database_name", "backup_created_at"])?;
    let name = check::text(asked, "database_name")?;
    let source = ocean.named(name).ok_or_else(|| Refusal::invalid(format!("no cluster {name} to restore")))?;
    let backups = source.backups(call.now);
    let first = *backups.first().ok_or_else(|| Refusal::new(412, "there is no backup yet"))?;
    let moment = asked["backup_created_at"].as_str();
    if let Some(text) = moment {
        let at: Timestamp = text.parse().map_err(|_| Refusal::invalid("backup_created_at is no time"))?;
        if at < first || at > call.now {
            return Err(Refusal::invalid("backup_created_at is not within the time that is kept"));
        }
    }
    Ok(Some((name.to_owned(), moment.map(str::to_owned))))
}

#[expect(clippy::too_many_arguments, reason = "everything a cluster and a replica are asked for with")]
pub(super) fn blank(
    id: String,
    name: String,
    version: String,
    size: &str,
    num_nodes: i64,
    region: &str,
    vpc: String,
    storage_mib: i64,
    tags: Vec<String>,
    call: &Call<'_>,
) -> This {
    let password = format!("AVNS_{}", id.replace('-', ""));
    This {
        name,
        version,
        size: size.to_owned(),
        num_nodes,
        region: region.to_owned(),
        vpc,
        storage_mib,
        tags,
        rules: Vec::new(),
        config: Map::new(),
        databases: vec!["defaultdb".to_owned()],
        users: vec![User { name: "doadmin".to_owned(), role: "primary", password }],
        pools: Vec::new(),
        maintenance: ("monday".to_owned(), "13:00".to_owned()),
        autoscale: None,
        source: None,
        restored: None,
        created_at: call.now,
        online_at: call.now,
        events: vec![(call.now, "cluster_create")],
        visible_from: call.now,
        listed_from: call.now,
        gone_at: None,
        phase: None,
        id,
    }
}

fn name(name: &str) -> Result<String, Refusal> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match (3..=63).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(name.to_owned()),
        false => Err(Refusal::invalid("name must be 3 to 63 lower-case letters, digits and dashes")),
    }
}

/// `PUT …/resize`.
pub(super) fn resize(cluster: &mut This, call: &Call<'_>) -> Said {
    check::only(call.body, &["size", "num_nodes", "storage_size_mib"])?;
    cluster.at_rest()?;
    let (slug, nodes) = (check::text(call.body, "size")?, check::int(call.body, "num_nodes")?);
    let size = check::size(slug, nodes)?;
    let asked = check::maybe_int(call.body, "storage_size_mib")?;
    let storage_mib = check::storage(&size, asked, cluster.storage_mib)?;
    if (slug, nodes, storage_mib) == (cluster.size.as_str(), cluster.num_nodes, cluster.storage_mib) {
        return Err(Refusal::invalid("the cluster has that size already"));
    }
    let then = Then::Size { size: slug.to_owned(), nodes, storage_mib };
    cluster.events.push((call.now, "cluster_update"));
    cluster.phase = Some(Phase { word: "resizing", until: call.after(RESIZE_S), then });
    Ok((202, Json::Null))
}

/// `PUT …/migrate`.
pub(super) fn migrate(cluster: &mut This, call: &Call<'_>) -> Said {
    check::only(call.body, &["region"])?;
    cluster.at_rest()?;
    let region = check::text(call.body, "region")?;
    check::region(region)?;
    let then = Then::Region(region.to_owned());
    cluster.phase = Some(Phase { word: "migrating", until: call.after(MIGRATE_S), then });
    Ok((202, Json::Null))
}

/// `PUT …/upgrade`.
pub(super) fn upgrade(cluster: &mut This, call: &Call<'_>) -> Said {
    check::only(call.body, &["version"])?;
    cluster.at_rest()?;
    let version = check::text(call.body, "version")?;
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    if !check::VERSIONS.contains(&version) || number(version) <= number(&cluster.version) {
        return Err(Refusal::invalid(format!("cannot upgrade from {} to {version}", cluster.version)));
    }
    let then = Then::Version(version.to_owned());
    cluster.phase = Some(Phase { word: "migrating", until: call.after(UPGRADE_S), then });
    Ok((204, Json::Null))
}

/// `DELETE /v2/databases/{id}`.
pub(super) fn delete(cluster: &mut This, call: &Call<'_>) -> Said {
    if cluster.gone_at.is_none() {
        cluster.gone_at = Some(call.after(DELETE_S));
    }
    Ok((204, Json::Null))
}

/// `POST …/replicas`.
pub(super) fn replicate(ocean: &mut Ocean, source: &This, call: &Call<'_>) -> Said {
    let body = call.body;
    check::only(body, &["name", "size", "region", "private_network_uuid", "tags", "storage_size_mib", "do_settings"])?;
    source.at_rest()?;
    if source.backups(call.now).is_empty() {
        return Err(Refusal::new(412, "cluster has no backup yet"));
    }
    let name = name(check::text(body, "name")?)?;
    if ocean.named(&name).is_some() {
        return Err(Refusal::invalid("name is already in use"));
    }
    if ocean.clusters.values().filter(|one| one.source.as_ref() == Some(&source.id)).count() >= 5 {
        return Err(Refusal::invalid("there are too many replicas"));
    }
    let slug = check::text(body, "size")?;
    let size = check::size(slug, 1)?;
    let least = check::size(&source.size, 1)?;
    if size.memory_mib < least.memory_mib {
        return Err(Refusal::invalid("the size of a replica must be at least that of its cluster"));
    }
    let region = body["region"].as_str().unwrap_or(&source.region).to_owned();
    check::region(&region)?;
    let storage_mib = check::storage(&size, check::maybe_int(body, "storage_size_mib")?, 0)?;
    if storage_mib < source.storage_mib {
        return Err(Refusal::invalid("a replica needs the storage of its cluster"));
    }
    let tags = check::texts(body, "tags")?;
    tags.iter().try_for_each(|tag| check::tag(tag))?;
    ocean.tags.extend(tags.iter().cloned());
    let id = ocean.id();
    let vpc = body["private_network_uuid"].as_str().filter(|vpc| !vpc.is_empty()).unwrap_or(NETWORK).to_owned();
    let replica = This {
        source: Some(source.id.clone()),
        users: source.users.clone(),
        databases: source.databases.clone(),
        phase: Some(Phase { word: "forking", until: call.after(CREATE_S), then: Then::Nothing }),
        online_at: call.after(CREATE_S),
        ..blank(id.clone(), name, source.version.clone(), slug, 1, &region, vpc, storage_mib, tags, call)
    };
    let said = json!({ "replica": replica.shown_as_replica() });
    ocean.clusters.insert(id, replica);
    Ok((201, said))
}

/// `PUT …/replicas/{name}/promote`.
pub(super) fn promote(replica: &mut This, hidden_s: i64, call: &Call<'_>) -> Said {
    replica.at_rest()?;
    replica.listed_from = call.after(RESIZE_S + hidden_s);
    replica.source = None;
    replica.events.push((call.now, "cluster_master_promotion"));
    replica.phase = Some(Phase { word: "migrating", until: call.after(RESIZE_S), then: Then::Nothing });
    Ok((204, Json::Null))
}
