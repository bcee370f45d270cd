//! A server, and everything that is asked of one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::operations::{Begin, Then};
use super::schema::{self, When};
use super::{Azure, Call, GROUP, Refusal, Said, Told, configurations, rules};

const CREATE_S: i64 = 300;
const UPDATE_S: i64 = 60;
const RESTART_S: i64 = 40;
const DELETE_S: i64 = 60;
const DAY_S: i64 = 24 * 3600;

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    /// As it is told.
    pub json: Json,
    /// The password of its administrator.
    pub password: Option<String>,
    /// Databases.
    pub databases: BTreeSet<String>,
    /// Firewall rules by name.
    pub rules: BTreeMap<String, Json>,
    /// Settings that somebody set.
    pub settings: BTreeMap<String, String>,
    /// Settings that wait for a restart.
    pub pending: BTreeSet<String>,
    /// Backups that were asked for, and when each was done.
    pub backups: BTreeMap<String, Timestamp>,
    /// Locks by name.
    pub locks: BTreeMap<String, Json>,
    /// Diagnostic settings by name.
    pub logs: BTreeMap<String, Json>,
    /// When it could be used first.
    pub made_at: Option<Timestamp>,
    /// What it was made of: a server and a moment.
    pub origin: Option<(String, String)>,
    /// Until when it is busy, though nothing goes on.
    pub busy_until: Timestamp,
    pub(super) is_stopped: bool,
}

impl Server {
    pub(super) fn text(&self, path: &str) -> &str {
        self.json.pointer(path).and_then(Json::as_str).unwrap_or_default()
    }

    /// The name of the server that it follows.
    pub fn source(&self) -> Option<&str> {
        let follows = self.text("/properties/replicationRole").ends_with("AsyncReplica");
        let source = self.text("/properties/sourceServerResourceId");
        follows.then(|| source.rsplit('/').next().unwrap_or(source))
    }

    pub(super) fn is_burstable(&self) -> bool {
        self.text("/sku/tier") == "Burstable"
    }

    /// It can be used.
    pub(super) fn made(&mut self, now: Timestamp) {
        self.made_at = Some(now);
        self.told_backup(now);
    }

    fn told_backup(&mut self, now: Timestamp) {
        let days = self.json["properties"]["backup"]["backupRetentionDays"].as_i64().unwrap_or(7);
        let oldest = now.checked_sub(SignedDuration::from_secs(days * DAY_S)).unwrap_or(now);
        let first = self.made_at.unwrap_or(now).max(oldest);
        // Seven digits, and an offset instead of a Z.
        let told = format!("{}.0000000+00:00", first.strftime("%Y-%m-%dT%H:%M:%S"));
        self.json["properties"]["backup"]["earliestRestoreDate"] = told.into();
    }

    /// What an operation ends in.
    pub(super) fn ends(&mut self, then: Then, now: Timestamp) {
        match then {
            Then::Nothing | Then::Made(_) | Then::Deleted => {}
            Then::Patched(body) => {
                rules::merge(&mut self.json, &body);
                rules::told(&mut self.json);
                self.told_backup(now);
            }
            Then::Set(name, value, is_set) => {
                if !configurations::is_dynamic(&name) {
                    self.pending.insert(name.clone());
                }
                match is_set {
                    true => drop(self.settings.insert(name, value)),
                    false => drop(self.settings.remove(&name)),
                }
            }
            Then::Rule(name, rule) => drop(self.rules.insert(name, rule)),
            Then::RuleGone(name) => drop(self.rules.remove(&name)),
            Then::Database(name) => drop(self.databases.insert(name)),
            Then::DatabaseGone(name) => drop(self.databases.remove(&name)),
            Then::Backup(name) => drop(self.backups.insert(name, now)),
            Then::Restarted => self.pending.clear(),
            Then::FailedOver => {
                let (zone, other) =
                    ("/properties/availabilityZone", "/properties/highAvailability/standbyAvailabilityZone");
                let zones = (self.text(zone).to_owned(), self.text(other).to_owned());
                self.json["properties"]["availabilityZone"] = zones.1.into();
                self.json["properties"]["highAvailability"]["standbyAvailabilityZone"] = zones.0.into();
            }
            Then::Turned(on) => {
                self.is_stopped = !on;
                self.json["properties"]["state"] = if on { "Ready" } else { "Stopped" }.into();
            }
        }
    }
}

impl Azure {
    pub(super) fn server(&mut self, name: &str) -> Result<&mut Server, Refusal> {
        let message = format!(
            "The Resource 'Microsoft.DBforPostgreSQL/flexibleServers/{name}' under resource group '{GROUP}' was not found."
        );
        self.servers.get_mut(name).ok_or_else(|| Refusal::absent(message))
    }

    pub(super) fn get_server(&mut self, name: &str) -> Said {
        Ok(Told::new(200, self.server(name)?.json.clone()))
    }

    pub(super) fn list_servers(&self) -> Said {
        let all: Vec<Json> = self.servers.values().map(|one| one.json.clone()).collect();
        Ok(Told::new(200, json!({ "value": all })))
    }

    pub(super) fn list_replicas(&mut self, name: &str) -> Said {
        self.server(name)?;
        let all = self.servers.values().filter(|one| one.source() == Some(name));
        let all: Vec<Json> = all.map(|one| one.json.clone()).collect();
        Ok(Told::new(200, json!({ "value": all })))
    }

    /// `Servers.create_or_update`.
    pub(super) fn put_server(&mut self, name: &str, call: &Call<'_>) -> Said {
        schema::check("Server", call.body, When::Create)?;
        let mode = call.body["properties"]["createMode"].as_str().unwrap_or("Default").to_owned();
        if mode == "Update" || (mode == "Default" && self.servers.contains_key(name)) {
            return Err(Refusal::invalid("The emulator changes servers by PATCH only."));
        }
        if self.servers.contains_key(name) || self.taken.iter().any(|taken| taken == name) {
            let message = format!("The name '{name}' is already in use.");
            return Err(Refusal::new(409, "ServerNameAlreadyExists", message));
        }
        rules::name(name)?;
        let mut json = call.body.clone();
        let source = match mode.as_str() {
            "Create" | "Default" => None,
            _ => Some(self.inherited(&mode, &mut json, call)?),
        };
        rules::completed(&mut json, name)?;
        rules::check(&json)?;
        rules::network(self, &json)?;
        if source.is_none() {
            rules::administrator(&json)?;
        }
        let password = json["properties"]["administratorLoginPassword"].as_str().map(str::to_owned);
        let moment = json["properties"]["pointInTimeUTC"].as_str().unwrap_or_default().to_owned();
        rules::told(&mut json);
        json["properties"]["state"] = "Provisioning".into();
        let mut server = empty(json, password);
        let mut target = name.to_owned();
        if let Some(source) = source {
            let of = self.server(&source)?;
            (server.databases, server.password) = (of.databases.clone(), of.password.clone());
            if mode == "Replica" {
                (server.rules, server.settings) = (of.rules.clone(), of.settings.clone());
                target = source;
            } else {
                server.origin = Some((source, moment));
            }
        }
        self.at_rest(&target, call.now)?;
        self.servers.insert(name.to_owned(), server);
        let (then, kind) = (Then::Made(name.to_owned()), "CreateServer");
        let state = if target == name { "Provisioning" } else { "Updating" };
        self.begin(call, Begin { target: &target, kind, state, seconds: CREATE_S, then, error: None })
    }

    /// What a server that is made of another has of it; the name of that one.
    fn inherited(&mut self, mode: &str, json: &mut Json, call: &Call<'_>) -> Result<String, Refusal> {
        let source = json["properties"]["sourceServerResourceId"].as_str().unwrap_or_default();
        let source = source.rsplit('/').next().unwrap_or_default().to_owned();
        let followers = self.servers.values().filter(|one| one.source() == Some(source.as_str())).count();
        let of = self.server(&source)?.clone();
        if mode == "Replica" {
            self.at_rest(&source, call.now)?;
            if of.is_burstable() || of.source().is_some() || followers >= 5 {
                return Err(Refusal::invalid("The source server does not support read replicas."));
            }
            json["properties"]["replicationRole"] = if rules::location(of.text("/location"))
                == rules::location(json["location"].as_str().unwrap_or_default())
            {
                "AsyncReplica"
            } else {
                "GeoAsyncReplica"
            }
            .into();
        } else {
            let first = of.text("/properties/backup/earliestRestoreDate").parse::<Timestamp>();
            let asked = json["properties"]["pointInTimeUTC"].as_str().unwrap_or_default().parse::<Timestamp>();
            match (first, asked) {
                (Ok(first), Ok(asked)) if asked >= first => {}
                _ => return Err(Refusal::invalid("The point in time is before the first backup.")),
            }
        }
        let is_asked = |path: &str| json.pointer(path).is_some();
        let taken = [
            "/sku",
            "/properties/storage",
            "/properties/version",
            "/properties/administratorLogin",
            "/properties/backup",
        ];
        let taken: Vec<&str> = taken.into_iter().filter(|path| !is_asked(path)).collect();
        for path in taken {
            rules::put(json, path, of.json.pointer(path).cloned().unwrap_or_default());
        }
        let (own, theirs) = ("/properties/network/delegatedSubnetResourceId", "/properties/network");
        if json.pointer(own).is_some() != of.json.pointer(own).is_some() {
            return Err(Refusal::invalid("A server stays in a subnet, or out of one."));
        }
        if json.pointer(theirs).is_none() {
            rules::put(json, theirs, of.json.pointer(theirs).cloned().unwrap_or_default());
        }
        Ok(source)
    }

    /// `Servers.update`.
    pub(super) fn patch_server(&mut self, name: &str, call: &Call<'_>) -> Said {
        schema::check("ServerForPatch", call.body, When::Update)?;
        let there = self.server(name)?.clone();
        self.at_rest(name, call.now)?;
        let mut after = there.json.clone();
        rules::merge(&mut after, call.body);
        let followers = self.servers.values().filter(|one| one.source() == Some(name)).count();
        rules::changes(&there, call.body, &after, followers)?;
        rules::check(&after)?;
        let mut body = call.body.clone();
        let sent = &call.body["properties"];
        if sent["replica"]["role"] == "None" {
            if there.source().is_none() {
                return Err(Refusal::invalid("The server is no read replica."));
            }
            body["properties"]["replicationRole"] = "Primary".into();
        }
        if let Some(password) = sent["administratorLoginPassword"].as_str() {
            rules::password(password)?;
            self.server(name)?.password = Some(password.to_owned());
        }
        let then = Then::Patched(body);
        self.begin(
            call,
            Begin { target: name, kind: "Update", state: "Updating", seconds: UPDATE_S, then, error: None },
        )
    }

    /// `Servers.delete`.
    pub(super) fn delete_server(&mut self, name: &str, call: &Call<'_>) -> Said {
        if !self.servers.contains_key(name) {
            return Ok(Told::new(204, Json::Null));
        }
        self.unlocked(name)?;
        if self.servers.values().any(|one| one.source() == Some(name)) {
            return Err(Refusal::new(409, "ServerHasReplicas", "The server has read replicas."));
        }
        let then = Then::Deleted;
        self.begin(
            call,
            Begin { target: name, kind: "Delete", state: "Dropping", seconds: DELETE_S, then, error: None },
        )
    }

    /// `Servers.restart`, `.start`, `.stop`.
    pub(super) fn act(&mut self, name: &str, verb: &str, call: &Call<'_>) -> Said {
        let there = self.server(name)?;
        let is_failover = call.body["restartWithFailover"] == true;
        let has_standby = there.text("/properties/highAvailability/mode") == "ZoneRedundant";
        let (state, then) = match verb {
            "restart" if is_failover && !has_standby => {
                return Err(Refusal::invalid("The server has no standby to fail over to."));
            }
            "restart" if there.is_stopped => return Err(Refusal::invalid("The server is stopped.")),
            "restart" if is_failover => ("Restarting", Then::FailedOver),
            "restart" => ("Restarting", Then::Restarted),
            "start" => ("Starting", Then::Turned(true)),
            _ => ("Stopping", Then::Turned(false)),
        };
        if verb == "restart" && !call.body.is_null() {
            schema::check("RestartParameter", call.body, When::Create)?;
        }
        self.begin(call, Begin { target: name, kind: "Act", state, seconds: RESTART_S, then, error: None })
    }

    /// Refuses what a lock keeps.
    pub(super) fn unlocked(&mut self, name: &str) -> Result<(), Refusal> {
        let is_locked = !self.server(name)?.locks.is_empty();
        let message = "The scope cannot perform delete operation because following scope(s) are locked.";
        if is_locked { Err(Refusal::new(409, "ScopeLocked", message)) } else { Ok(()) }
    }
}

fn empty(json: Json, password: Option<String>) -> Server {
    Server {
        json,
        password,
        databases: BTreeSet::from(["postgres".to_owned(), "azure_maintenance".to_owned(), "azure_sys".to_owned()]),
        rules: BTreeMap::new(),
        settings: BTreeMap::new(),
        pending: BTreeSet::new(),
        backups: BTreeMap::new(),
        locks: BTreeMap::new(),
        logs: BTreeMap::new(),
        made_at: None,
        origin: None,
        busy_until: Timestamp::MIN,
        is_stopped: false,
    }
}
