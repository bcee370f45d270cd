//! Which request is what: methods and paths to handlers, with the names the official descriptions have for them.

use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

use super::{Call, Google, Refusal, Said, catalogue, instance};

impl Call<'_> {
    /// What a query asks for.
    pub(super) fn asked(&self, name: &str) -> Option<String> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(key, _)| *key == name).map(|(_, value)| value.replace('+', " "))?;
        Some(percent_decode_str(&found).decode_utf8_lossy().into_owned())
    }
}

/// A path as it is meant: Cloud SQL is at an older place, too, where gcloud and Terraform look for it.
pub(super) fn meant(path: &str) -> String {
    path.strip_prefix("/sql/v1beta4/").map_or_else(|| path.to_owned(), |rest| format!("/v1/{rest}"))
}

/// The description's name for a request.
pub(super) fn action(method: &str, path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let action = match (method, parts.as_slice()) {
        ("GET", ["v1", "flags"]) => "sql.flags.list",
        ("GET", ["v1", "projects", _, "tiers"]) => "sql.tiers.list",
        ("GET", ["v1", "projects", _, "backups"]) => "sql.Backups.ListBackups",
        ("GET", ["v1", "projects", _, "operations"]) => "sql.operations.list",
        ("GET", ["v1", "projects", _, "operations", _]) => "sql.operations.get",
        ("GET", ["v1", "projects", _, "instances"]) => "sql.instances.list",
        ("POST", ["v1", "projects", _, "instances"]) => "sql.instances.insert",
        ("GET", ["v1", "projects", _, "instances", _]) => "sql.instances.get",
        ("PATCH", ["v1", "projects", _, "instances", _]) => "sql.instances.patch",
        ("DELETE", ["v1", "projects", _, "instances", _]) => "sql.instances.delete",
        ("POST", ["v1", "projects", _, "instances", _, "restart"]) => "sql.instances.restart",
        ("POST", ["v1", "projects", _, "instances", _, "failover"]) => "sql.instances.failover",
        ("POST", ["v1", "projects", _, "instances", _, "promoteReplica"]) => "sql.instances.promoteReplica",
        ("POST", ["v1", "projects", _, "instances", _, "clone"]) => "sql.instances.clone",
        ("POST", ["v1", "projects", _, "instances", _, "restoreBackup"]) => "sql.instances.restoreBackup",
        ("GET", ["v1", "projects", _, "instances", _, "getLatestRecoveryTime"]) => {
            "sql.projects.instances.getLatestRecoveryTime"
        }
        ("GET", ["v1", "projects", _, "instances", _, "backupRuns"]) => "sql.backupRuns.list",
        ("POST", ["v1", "projects", _, "instances", _, "backupRuns"]) => "sql.backupRuns.insert",
        ("GET", ["v1", "projects", _, "instances", _, "users"]) => "sql.users.list",
        ("POST", ["v1", "projects", _, "instances", _, "users"]) => "sql.users.insert",
        ("PUT", ["v1", "projects", _, "instances", _, "users"]) => "sql.users.update",
        ("DELETE", ["v1", "projects", _, "instances", _, "users"]) => "sql.users.delete",
        ("GET", ["v1", "projects", _, "instances", _, "databases"]) => "sql.databases.list",
        ("POST", ["v1", "projects", _, "instances", _, "databases"]) => "sql.databases.insert",
        ("GET", ["v1", "projects", _, "instances", _, "databases", _]) => "sql.databases.get",
        ("POST", ["v1", "projects", _, "secrets"]) => "secretmanager.projects.secrets.create",
        ("GET", ["v1", "projects", _, "secrets", _]) => "secretmanager.projects.secrets.get",
        ("PATCH", ["v1", "projects", _, "secrets", _]) => "secretmanager.projects.secrets.patch",
        ("DELETE", ["v1", "projects", _, "secrets", _]) => "secretmanager.projects.secrets.delete",
        ("POST", ["v1", "projects", _, "secrets", one]) if one.ends_with(":addVersion") => {
            "secretmanager.projects.secrets.addVersion"
        }
        ("GET", ["v1", "projects", _, "secrets", _, "versions", one]) if one.ends_with(":access") => {
            "secretmanager.projects.secrets.versions.access"
        }
        (method, ["v3", "projects", _, what @ ("alertPolicies" | "notificationChannels"), rest @ ..]) => {
            let verb = match (method, rest) {
                ("GET", []) => "list",
                ("POST", []) => "create",
                ("GET", [_]) => "get",
                ("PATCH", [_]) => "patch",
                ("DELETE", [_]) => "delete",
                _ => return String::new(),
            };
            return format!("monitoring.projects.{what}.{verb}");
        }
        _ => "",
    };
    action.to_owned()
}

/// What is answered to a request.
pub(super) fn route(google: &mut Google, method: &str, path: &str, call: &Call<'_>) -> Said {
    let action = action(method, path);
    let read = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.trim_matches('/').split('/').map(read).collect();
    let part = |index: usize| parts.get(index).map(String::as_str).unwrap_or_default();
    let (project, name, within) = (part(2), part(4), part(6));
    match action.as_str() {
        "sql.flags.list" => Ok((200, catalogue::flags(&call.asked("databaseVersion").unwrap_or_default()))),
        "sql.tiers.list" => Ok((200, catalogue::tiers())),
        "sql.Backups.ListBackups" => {
            let filter = call.asked("filter").unwrap_or_default();
            let of = filter.split(' ').find_map(|word| word.strip_prefix("instance:"));
            let is_of = |one: &&Json| of.is_none_or(|of| one["instance"].as_str().is_some_and(|it| it.starts_with(of)));
            let backups: Vec<Json> = google.last_backups.iter().filter(is_of).cloned().collect();
            Ok((200, json!({ "backups": backups })))
        }
        "sql.operations.list" => {
            let target = call.asked("instance");
            let all = google.operations.iter().rev();
            let all = all.filter(|one| target.as_ref().is_none_or(|target| one.target == *target));
            let items: Vec<Json> = all.take(50).map(|one| one.shown(project)).collect();
            Ok((200, json!({ "kind": "sql#operationsList", "items": items })))
        }
        "sql.operations.get" => {
            let found = google.operations.iter().find(|one| one.name == name);
            found.map(|one| (200, one.shown(project))).ok_or_else(|| Refusal::absent("The operation does not exist."))
        }
        "sql.instances.list" => {
            let items: Vec<Json> = google.instances.values().map(|one| one.json.clone()).collect();
            Ok((200, json!({ "kind": "sql#instancesList", "items": items })))
        }
        "sql.instances.insert" => google.insert(project, call),
        "sql.instances.get" => Ok((200, google.instance(name)?.json.clone())),
        "sql.instances.patch" => google.patch(project, name, call),
        "sql.instances.delete" => google.delete(project, name, call),
        "sql.instances.restart" => google.act(project, name, "restart", call),
        "sql.instances.failover" => google.act(project, name, "failover", call),
        "sql.instances.promoteReplica" => google.act(project, name, "promote", call),
        "sql.instances.clone" => google.cloned(project, name, call),
        "sql.instances.restoreBackup" => google.restored(project, name, call),
        "sql.projects.instances.getLatestRecoveryTime" => {
            let (first, last) = instance::recovery(google.instance(name)?, call.now)?;
            let kind = "sql#getLatestRecoveryTime";
            Ok((
                200,
                json!({ "kind": kind, "earliestRecoveryTime": first.to_string(), "latestRecoveryTime": last.to_string() }),
            ))
        }
        "sql.backupRuns.list" => {
            let items = google.instance(name)?.kept(call.now);
            Ok((200, json!({ "kind": "sql#backupRunsList", "items": items })))
        }
        "sql.backupRuns.insert" => google.backup(project, name, call),
        "sql.users.list" => google.listed_within(project, name, "users"),
        "sql.users.insert" => google.set_user(project, name, call, true),
        "sql.users.update" => google.set_user(project, name, call, false),
        "sql.users.delete" => google.delete_user(project, name, call),
        "sql.databases.list" => google.listed_within(project, name, "databases"),
        "sql.databases.get" => google.found_within(project, name, "databases", within),
        "sql.databases.insert" => google.add_database(project, name, call),
        "secretmanager.projects.secrets.create" => google.create_secret(project, call),
        "secretmanager.projects.secrets.get" => google.get_secret(project, name),
        "secretmanager.projects.secrets.patch" => google.patch_secret(project, name, call),
        "secretmanager.projects.secrets.delete" => google.delete_secret(project, name),
        "secretmanager.projects.secrets.addVersion" => {
            google.add_version(project, name.trim_end_matches(":addVersion"), call)
        }
        "secretmanager.projects.secrets.versions.access" => {
            google.access(project, name, within.trim_end_matches(":access"))
        }
        "" => Err(Refusal::absent(format!("There is no {method} {path} in the emulator."))),
        watched => {
            let what = part(3);
            match watched.rsplit('.').next().unwrap_or_default() {
                "list" => google.list_watched(what, call),
                "create" => google.create_watched(project, what, call),
                "get" => google.get_watched(what, name),
                "patch" => google.patch_watched(what, name, call),
                _ => google.delete_watched(what, name),
            }
        }
    }
}
