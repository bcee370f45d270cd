//! What is in an instance: roles and databases.

use serde_json::{Value as Json, json};

use super::operations::Then;
use super::{Call, Google, Refusal, Said, schema};

const QUICK_S: i64 = 15;

impl Google {
    pub(super) fn listed_within(&mut self, project: &str, name: &str, what: &str) -> Said {
        let there = self.instance(name)?;
        if there.text("/state") != "RUNNABLE" || there.text("/settings/activationPolicy") == "NEVER" {
            return Err(Refusal::invalid("Invalid request since instance is not running."));
        }
        let one =
            |kind: &str, within: &String| json!({ "kind": kind, "name": within, "instance": name, "project": project });
        let (kind, items): (&str, Vec<Json>) = match what {
            "users" => ("sql#usersList", there.users.keys().map(|within| one("sql#user", within)).collect()),
            _ => ("sql#databasesList", there.databases.iter().map(|within| one("sql#database", within)).collect()),
        };
        Ok((200, json!({ "kind": kind, "items": items })))
    }

    pub(super) fn found_within(&mut self, project: &str, name: &str, what: &str, within: &str) -> Said {
        let (_, all) = self.listed_within(project, name, what)?;
        let mut items = all["items"].as_array().into_iter().flatten();
        let found = items.find(|one| one["name"] == within).cloned();
        found.map(|one| (200, one)).ok_or_else(|| Refusal::absent("The database or user does not exist."))
    }

    /// `users.insert`, and `users.update`, which makes none (the description: "Updates an existing user").
    pub(super) fn set_user(&mut self, project: &str, name: &str, call: &Call<'_>, is_new: bool) -> Said {
        schema::check("User", call.body)?;
        self.at_rest(name)?;
        let there = self.instance(name)?;
        let user = call.asked("name").or_else(|| call.body["name"].as_str().map(str::to_owned)).unwrap_or_default();
        let password = call.body["password"].as_str().unwrap_or_default().to_owned();
        if user.is_empty() || user.starts_with("cloudsql") || password.is_empty() {
            return Err(Refusal::invalid("Invalid user or password."));
        }
        if is_new && there.users.contains_key(&user) {
            return Err(Refusal::invalid("The user already exists."));
        }
        if !is_new && !there.users.contains_key(&user) {
            return Err(Refusal::absent("The user does not exist."));
        }
        let kind = if is_new { "CREATE_USER" } else { "UPDATE_USER" };
        self.begin(call, project, name, kind, QUICK_S, Then::User(user, password))
    }

    pub(super) fn delete_user(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        self.at_rest(name)?;
        let user = call.asked("name").unwrap_or_default();
        self.instance(name)?.users.remove(&user).ok_or_else(|| Refusal::absent("The user does not exist."))?;
        self.begin(call, project, name, "DELETE_USER", QUICK_S, Then::Nothing)
    }

    /// `databases.insert`.
    pub(super) fn add_database(&mut self, project: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("Database", call.body)?;
        self.at_rest(name)?;
        let there = self.instance(name)?;
        let database = call.body["name"].as_str().unwrap_or_default().to_owned();
        if database.is_empty() || database.len() > 63 {
            return Err(Refusal::invalid("Invalid database name."));
        }
        if there.databases.contains(&database) {
            return Err(Refusal::new(409, "databaseAlreadyExists", "The database already exists."));
        }
        self.begin(call, project, name, "CREATE_DATABASE", QUICK_S, Then::Database(database))
    }
}
