//! An instance, and everything that is asked of one.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::operations::Then;
use super::{Call, Google, NETWORK, Refusal, Said, schema, settings};

const CREATE_S: i64 = 300;
const UPDATE_S: i64 = 60;
const DELETE_S: i64 = 60;
const BACKUP_S: i64 = 60;
const DAY_S: i64 = 24 * 3600;

/// An instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// As it is told.
    pub json: Json,
    /// Roles with their passwords.
    pub users: BTreeMap<String, Option<String>>,
    /// Databases.
    pub databases: BTreeSet<String>,
    /// Backups that were asked for.
    pub backups: Vec<Json>,
    /// When it could be used first.
    pub made_at: Option<Timestamp>,
    /// What it was made of: an instance, and a moment or a backup.
    pub origin: Option<(String, Option<String>)>,
}

impl Instance {
    pub(super) fn text(&self, path: &str) -> &str {
        self.json.pointer(path).and_then(Json::as_str).unwrap_or_default()
    }

    /// The instance that it follows.
    pub fn source(&self) -> Option<&str> {
        self.json["masterInstanceName"].as_str()?.rsplit_once(':').map(|(_, name)| name)
    }

    /// It can be used.
    pub(super) fn made(&mut self, now: Timestamp) {
        self.made_at = Some(now);
        let mut addresses = Vec::new();
        let settings = &self.json["settings"]["ipConfiguration"];
        let last = self.text("/name").len();
        if settings["ipv4Enabled"] == true {
            addresses.push(json!({ "type": "PRIMARY", "ipAddress": format!("203.0.113.{last}") }));
        }
        if settings["privateNetwork"].is_string() {
            addresses.push(json!({ "type": "PRIVATE", "ipAddress": format!("10.20.0.{last}") }));
        }
        self.json["ipAddresses"] = addresses.into();
    }

    /// What an operation ends in.
    pub(super) fn ends(&mut self, then: Then, now: Timestamp) {
        match then {
            Then::Nothing | Then::Made(_) | Then::Deleted => {}
            Then::Patched(body) => {
                settings::merge(&mut self.json, &body);
                let version = self.text("/settings/settingsVersion").parse::<u64>().unwrap_or_default();
                self.json["settings"]["settingsVersion"] = (version + 8).to_string().into();
                self.json["databaseInstalledVersion"] = format!("{}_4", self.text("/databaseVersion")).into();
                let made_at = self.made_at;
                self.made(now);
                self.made_at = made_at;
            }
            Then::User(name, password) => drop(self.users.insert(name, Some(password))),
            Then::Database(name) => drop(self.databases.insert(name)),
            Then::Promoted => {
                self.json["instanceType"] = "CLOUD_SQL_INSTANCE".into();
                if let Some(entries) = self.json.as_object_mut() {
                    entries.remove("masterInstanceName");
                }
            }
            Then::FailedOver => {
                let zones = (self.json["gceZone"].clone(), self.json["secondaryGceZone"].clone());
                (self.json["secondaryGceZone"], self.json["gceZone"]) = zones;
            }
            Then::Backup(id) => {
                for one in self.backups.iter_mut().filter(|one| one["id"] == id.as_str()) {
                    one["status"] = "SUCCESSFUL".into();
                    one["endTime"] = now.to_string().into();
                }
            }
            Then::Restored(source) => {
                (self.users, self.databases, self.origin) = (source.users, source.databases, source.origin);
            }
        }
    }

    /// Its backups by now, newest first: one a day, and those that were asked for.
    pub(super) fn kept(&self, now: Timestamp) -> Vec<Json> {
        let mut all = self.backups.clone();
        let backups = &self.json["settings"]["backupConfiguration"];
        if let (Some(made), true) = (self.made_at, backups["enabled"] == true) {
            let most = backups["backupRetentionSettings"]["retainedBackups"].as_i64().unwrap_or(7);
            let days = (now.duration_since(made).as_secs() - 3600).div_euclid(DAY_S);
            let at = |day: i64| made.checked_add(SignedDuration::from_secs(3600 + day * DAY_S)).ok();
            let automatic = (0..=days).rev().take(usize::try_from(most).unwrap_or(7)).filter_map(at);
            all.extend(
                automatic.map(|at| self.run(&at.as_millisecond().to_string(), at, "AUTOMATED", "SUCCESSFUL", "")),
            );
        }
        all.sort_by_key(|one| std::cmp::Reverse(one["id"].as_str().and_then(|id| id.parse::<i64>().ok())));
        all
    }

    fn run(&self, id: &str, at: Timestamp, kind: &str, status: &str, words: &str) -> Json {
        let mut run = json!({
            "kind": "sql#backupRun",
            "id": id,
            "instance": self.json["name"],
            "status": status,
            "type": kind,
            "backupKind": "SNAPSHOT",
            "location": "us",
            "enqueuedTime": at.to_string(),
            "startTime": at.to_string(),
        });
        if status == "SUCCESSFUL" {
            run["endTime"] = at.to_string().into();
        }
        if !words.is_empty() {
            run["description"] = words.into();
        }
        run
    }
}

impl Google {
    pub(super) fn instance(&mut self, name: &str) -> Result<&mut Instance, Refusal> {
        let absent = || Refusal::new(404, "instanceDoesNotExist", "The Cloud SQL instance does not exist.");
        self.instances.get_mut(name).ok_or_else(absent)
    }

    pub(super) fn deleted(&mut self, name: &str) {
        let Some(gone) = self.instances.remove(name) else { return };
        if let Some(source) = gone.source().and_then(|source| self.instances.get_mut(source))
            && let Some(names) = source.json["replicaNames"].as_array_mut()
        {
            names.retain(|one| one != name);
        }
        if self.keeps_names {
            self.reserved.insert(name.to_owned());
        }
    }

    /// `instances.insert`.
    pub(super) fn insert(&mut self, project: &str, call: &Call<'_>) -> Said {
        schema::check("DatabaseInstance", call.body)?;
        let name = settings::name(call.body)?;
        if self.instances.contains_key(&name) || self.reserved.contains(&name) {
            return Err(taken());
        }
        let mut json = settings::completed(call.body)?;
        let source = match json["masterInstanceName"].as_str() {
            None => None,
            Some(source) => {
                let source = source.rsplit(':').next().unwrap_or(source).to_owned();
                self.at_rest(&source)?;
                settings::follows(&json, &self.instance(&source)?.json)?;
                Some(source)
            }
        };
        settings::check(&json)?;
        let network = json["settings"]["ipConfiguration"]["privateNetwork"].as_str().map(str::to_owned);
        let is_connected =
            network.is_none_or(|network| self.networks.iter().any(|known| network.ends_with(known.as_str())));
        let unconnected = || {
            (
                "NETWORK_NOT_PEERED",
                "Failed to create subnetwork. Please create Service Networking connection.".to_owned(),
            )
        };
        let error = (!is_connected).then(unconnected);
        json = settings::told(json, project, call.now);
        let mut one = Instance {
            users: BTreeMap::from([("postgres".to_owned(), call.body["rootPassword"].as_str().map(str::to_owned))]),
            databases: BTreeSet::from(["postgres".to_owned()]),
            json,
            backups: Vec::new(),
            made_at: None,
            origin: None,
        };
        let mut kind = "CREATE";
        if let Some(source) = &source {
            let primary = self.instance(source)?;
            let mut names = primary.json["replicaNames"].as_array().cloned().unwrap_or_default();
            names.push(name.as_str().into());
            primary.json["replicaNames"] = names.into();
            (one.users, one.databases) = (primary.users.clone(), primary.databases.clone());
            one.json["masterInstanceName"] = format!("{project}:{source}").into();
            kind = "CREATE_REPLICA";
        }
        let target = source.unwrap_or_else(|| name.clone());
        self.instances.insert(name.clone(), one);
        self.begin_badly(call, project, &target, kind, CREATE_S, Then::Made(name), error)
    }

    /// `instances.patch`.
    pub(super) fn patch(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("DatabaseInstance", call.body)?;
        self.instance(name)?;
        self.at_rest(name)?;
        let there = self.instance(name)?;
        let sent = &call.body["settings"]["settingsVersion"];
        if !sent.is_null() && *sent != there.json["settings"]["settingsVersion"] {
            return Err(Refusal::new(412, "staleData", "The settings version is not the current one."));
        }
        let mut after = there.json.clone();
        settings::merge(&mut after, call.body);
        let has_replicas = there.json["replicaNames"].as_array().is_some_and(|names| !names.is_empty());
        settings::changes(&there.json, call.body, &after, has_replicas)?;
        settings::check(&after)?;
        let source = there.source().map(str::to_owned);
        let followers: Vec<String> = there.json["replicaNames"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect();
        for one in followers {
            settings::holds(&self.instance(&one)?.json, &after)?;
        }
        if let Some(source) = source {
            settings::holds(&after, &self.instance(&source)?.json)?;
        }
        self.begin(call, project, name, "UPDATE", UPDATE_S, Then::Patched(call.body.clone()))
    }

    /// `instances.delete`.
    pub(super) fn delete(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        let there = self.instance(name)?.clone();
        if there.json["settings"]["deletionProtectionEnabled"] == true {
            let message = "The instance is protected. Please disable the deletion protection and try again.";
            return Err(Refusal::invalid(message));
        }
        if there.json["replicaNames"].as_array().is_some_and(|names| !names.is_empty()) {
            return Err(Refusal::invalid("The requested operation is not allowed: the instance has read replicas."));
        }
        let said = self.begin(call, project, name, "DELETE", DELETE_S, Then::Deleted)?;
        if call.asked("enableFinalBackup").as_deref() == Some("true") {
            let days = call.asked("finalBackupTtlDays").unwrap_or_default();
            if !(1..=365).contains(&days.parse::<i64>().unwrap_or_default()) {
                return Err(Refusal::invalid("finalBackupTtlDays is out of range"));
            }
            let days = days.parse::<i64>().unwrap_or(1);
            let of = format!("projects/{project}/backups/00000000-0000-4000-9000-{:012x}", self.number());
            self.last_backups.push(json!({
                "kind": "sql#backup",
                "name": of,
                "selfLink": format!("https://sqladmin.googleapis.com/v1/{of}"),
                "instance": name,
                "type": "FINAL",
                "state": "SUCCESSFUL",
                "description": call.asked("finalBackupDescription").unwrap_or_default(),
                "location": "us",
                "databaseVersion": there.json["databaseVersion"],
                "backupInterval": { "startTime": call.now.to_string(), "endTime": call.now.to_string() },
                "expiryTime": call.after(days * DAY_S).to_string(),
                "instanceSettings": there.json,
            }));
            self.held.insert(of, there);
        }
        Ok(said)
    }

    /// Restart, failover, promotion.
    pub(super) fn act(&mut self, project: &str, name: &str, what: &str, call: &Call<'_>) -> Said {
        let there = self.instance(name)?.clone();
        self.at_rest(name)?;
        match what {
            "restart" => self.begin(call, project, name, "RESTART", UPDATE_S, Then::Nothing),
            "failover" => {
                schema::check("InstancesFailoverRequest", call.body)?;
                if there.text("/settings/availabilityType") != "REGIONAL" {
                    return Err(Refusal::invalid("The instance is not configured for high availability."));
                }
                if call.body["failoverContext"]["settingsVersion"] != there.json["settings"]["settingsVersion"] {
                    return Err(Refusal::new(412, "staleData", "The settings version is not the current one."));
                }
                self.begin(call, project, name, "FAILOVER", UPDATE_S, Then::FailedOver)
            }
            _ => {
                let source = there.source().ok_or_else(|| Refusal::invalid("The instance is not a read replica."))?;
                if let Some(names) = self.instance(source)?.json["replicaNames"].as_array_mut() {
                    names.retain(|one| one != name);
                }
                self.begin(call, project, name, "PROMOTE_REPLICA", UPDATE_S, Then::Promoted)
            }
        }
    }

    /// `instances.clone`.
    pub(super) fn cloned(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("InstancesCloneRequest", call.body)?;
        let context = &call.body["cloneContext"];
        let to = settings::name(&json!({ "name": context["destinationInstanceName"] }))?;
        let source = self.instance(name)?.clone();
        self.at_rest(name)?;
        if self.instances.contains_key(&to) || self.reserved.contains(&to) {
            return Err(taken());
        }
        let moment = context["pointInTime"].as_str();
        if let Some(moment) = moment {
            let (first, last) = recovery(&source, call.now)?;
            let at: Timestamp = moment.parse().map_err(|_| Refusal::invalid("pointInTime is no time"))?;
            if at < first || at > last {
                return Err(Refusal::invalid("The point in time is not within the recovery window."));
            }
        }
        let mut json = settings::told(source.json.clone(), project, call.now);
        json["name"] = to.as_str().into();
        json["selfLink"] = format!("https://sqladmin.googleapis.com/v1/projects/{project}/instances/{to}").into();
        json["connectionName"] = format!("{project}:{}:{to}", source.text("/region")).into();
        json["replicaNames"] = json!([]);
        let origin = Some((name.to_owned(), moment.map(str::to_owned)));
        let one = Instance { json, backups: Vec::new(), made_at: None, origin, ..source };
        self.instances.insert(to.clone(), one);
        self.begin(call, project, name, "CLONE", CREATE_S, Then::Made(to))
    }

    /// `backupRuns.insert`.
    pub(super) fn backup(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("BackupRun", call.body)?;
        self.at_rest(name)?;
        let there = self.instance(name)?;
        let id = call.now.as_millisecond().to_string();
        let words = call.body["description"].as_str().unwrap_or_default();
        let run = there.run(&id, call.now, "ON_DEMAND", "RUNNING", words);
        there.backups.push(run);
        self.begin(call, project, name, "BACKUP_VOLUME", BACKUP_S, Then::Backup(id))
    }

    /// `instances.restoreBackup`.
    pub(super) fn restored(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("InstancesRestoreBackupRequest", call.body)?;
        let absent = || Refusal::new(404, "backupRunDoesNotExist", "The backup run does not exist.");
        let context = &call.body["restoreBackupContext"];
        let run = context["backupRunId"].as_str().unwrap_or_default();
        let (mut source, of, id) = match call.body["backup"].as_str() {
            Some(backup) => {
                let held = self.held.get(backup).ok_or_else(absent)?.clone();
                let of = held.text("/name").to_owned();
                (held, of, backup)
            }
            None => {
                let of = context["instanceId"].as_str().unwrap_or(name);
                let source = self.instance(of)?.clone();
                if !source.kept(call.now).iter().any(|one| one["id"] == run && one["status"] == "SUCCESSFUL") {
                    return Err(absent());
                }
                (source, of.to_owned(), run)
            }
        };
        let there = self.instance(name)?;
        if there.text("/databaseVersion") != source.text("/databaseVersion") {
            return Err(Refusal::invalid("The backup is of another version of PostgreSQL."));
        }
        let disk = |one: &Instance| one.text("/settings/dataDiskSizeGb").parse::<u64>().unwrap_or_default();
        if disk(there) < disk(&source) {
            return Err(Refusal::invalid("The disk of the target instance is smaller than that of the backup."));
        }
        if there.json["replicaNames"].as_array().is_some_and(|names| !names.is_empty()) {
            return Err(Refusal::invalid("The target instance has read replicas."));
        }
        source.origin = Some((of, Some(id.to_owned())));
        self.begin(call, project, name, "RESTORE_VOLUME", CREATE_S, Then::Restored(Box::new(source)))
    }
}

fn taken() -> Refusal {
    let message = "The Cloud SQL instance already exists. When you delete an instance, you can't reuse the name of the deleted \
                   instance until one week from the deletion date.";
    Refusal::new(409, "instanceAlreadyExists", message)
}

/// From when to when an instance can be restored to any second.
pub(super) fn recovery(there: &Instance, now: Timestamp) -> Result<(Timestamp, Timestamp), Refusal> {
    let backups = &there.json["settings"]["backupConfiguration"];
    let made = there.made_at.filter(|_| backups["pointInTimeRecoveryEnabled"] == true);
    let made = made.ok_or_else(|| Refusal::invalid("Point-in-time recovery is not enabled."))?;
    let days = backups["transactionLogRetentionDays"].as_i64().unwrap_or(7);
    let kept = now.checked_sub(SignedDuration::from_secs(days * DAY_S)).unwrap_or(made);
    Ok((made.max(kept), now))
}

/// The network in the words of another API, as Cloud SQL tells it.
pub(super) fn network_told(name: &str) -> String {
    let short = if name.contains('/') { name.to_owned() } else { NETWORK.replace("default", name) };
    match short.find("projects/") {
        Some(at) => format!("https://www.googleapis.com/compute/v1/{}", &short[at..]),
        None => short,
    }
}
