//! What is in a cluster.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::cluster::{Cluster, User};
use super::{Call, Ocean, Refusal, Said, check};

impl Ocean {
    /// Rules with ids of their own, those that have one keep it.
    pub(super) fn numbered(&mut self, cluster: &str, rules: Vec<Json>, now: Timestamp) -> Vec<Json> {
        let number = |mut rule: Json| {
            if rule["uuid"].is_null() {
                rule["uuid"] = self.id().into();
            }
            rule["cluster_uuid"] = cluster.into();
            rule["created_at"] = now.to_string().into();
            rule
        };
        rules.into_iter().map(number).collect()
    }
}

pub(super) fn patch_config(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["config"])?;
    cluster.at_rest()?;
    check::config(&call.body["config"])?;
    let entries = call.body["config"].as_object().into_iter().flatten();
    cluster.config.extend(entries.map(|(name, value)| (name.clone(), value.clone())));
    Ok((200, Json::Null))
}

pub(super) fn maintenance(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["day", "hour"])?;
    cluster.at_rest()?;
    let (day, hour) = (check::text(call.body, "day")?, check::text(call.body, "hour")?);
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let is_hour = hour.len() == 5
        && hour.split_once(':').is_some_and(|(hour, minute)| {
            hour.parse::<u8>().is_ok_and(|hour| hour < 24) && minute.parse::<u8>().is_ok_and(|minute| minute < 60)
        });
    if !days.contains(&day) || !is_hour {
        return Err(Refusal::invalid("day or hour is invalid"));
    }
    cluster.maintenance = (day.to_owned(), hour.to_owned());
    Ok((204, Json::Null))
}

pub(super) fn autoscale(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["storage"])?;
    let storage = &call.body["storage"];
    check::only(storage, &["enabled", "threshold_percent", "increment_gib"])?;
    let enabled = storage["enabled"].as_bool().ok_or_else(|| Refusal::invalid("enabled is required"))?;
    let ranges = [("threshold_percent", 15..=95), ("increment_gib", 10..=500)];
    for (name, range) in ranges {
        let value = check::maybe_int(storage, name)?;
        if value.is_some_and(|value| !range.contains(&value)) || (enabled && value.is_none()) {
            return Err(Refusal::invalid(format!("{name} is out of range")));
        }
    }
    cluster.autoscale = Some(call.body.clone());
    Ok((204, Json::Null))
}

pub(super) fn add_user(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["name", "settings", "mysql_settings", "readonly"])?;
    cluster.at_rest()?;
    let name = check::text(call.body, "name")?;
    if cluster.users.iter().any(|user| user.name == name) {
        return Err(Refusal::invalid("user already exists"));
    }
    let password = format!("AVNS_{}_{}", cluster.id.replace('-', ""), cluster.users.len());
    let user = User { name: name.to_owned(), role: "normal", password };
    let said = json!({ "user": user.shown() });
    cluster.users.push(user);
    Ok((201, said))
}

pub(super) fn reset_auth(cluster: &mut Cluster, name: &str) -> Said {
    cluster.at_rest()?;
    let user = cluster.users.iter_mut().find(|user| user.name == name).ok_or_else(Refusal::absent)?;
    user.password.push('x');
    Ok((200, json!({ "user": user.shown() })))
}

pub(super) fn delete_user(cluster: &mut Cluster, name: &str) -> Said {
    let before = cluster.users.len();
    cluster.users.retain(|user| user.name != name || user.role == "primary");
    if cluster.users.len() == before { Err(Refusal::absent()) } else { Ok((204, Json::Null)) }
}

pub(super) fn add_database(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["name"])?;
    cluster.at_rest()?;
    let name = check::text(call.body, "name")?;
    if cluster.databases.iter().any(|database| database == name) {
        return Err(Refusal::invalid("database already exists"));
    }
    cluster.databases.push(name.to_owned());
    Ok((201, json!({ "db": { "name": name } })))
}

pub(super) fn delete_database(cluster: &mut Cluster, name: &str) -> Said {
    let before = cluster.databases.len();
    cluster.databases.retain(|database| database != name);
    if cluster.databases.len() == before { Err(Refusal::absent()) } else { Ok((204, Json::Null)) }
}

pub(super) fn add_pool(cluster: &mut Cluster, call: &Call<'_>) -> Said {
    check::only(call.body, &["name", "mode", "size", "db", "user"])?;
    cluster.at_rest()?;
    let name = check::text(call.body, "name")?;
    if !(3..=60).contains(&name.len()) {
        return Err(Refusal::invalid("name must be 3 to 60 characters"));
    }
    if cluster.pools.iter().any(|pool| pool["name"] == name) {
        return Err(Refusal::invalid("pool already exists"));
    }
    checked_pool(cluster, call, name)?;
    cluster.pools.push(call.body.clone());
    let said = json!({ "pool": shown_pool(cluster, call.body) });
    Ok((201, said))
}

pub(super) fn update_pool(cluster: &mut Cluster, name: &str, call: &Call<'_>) -> Said {
    check::only(call.body, &["mode", "size", "db", "user"])?;
    cluster.at_rest()?;
    checked_pool(cluster, call, name)?;
    let pool = cluster.pools.iter_mut().find(|pool| pool["name"] == name).ok_or_else(Refusal::absent)?;
    *pool = call.body.clone();
    pool["name"] = name.into();
    Ok((204, Json::Null))
}

pub(super) fn delete_pool(cluster: &mut Cluster, name: &str) -> Said {
    let before = cluster.pools.len();
    cluster.pools.retain(|pool| pool["name"] != name);
    if cluster.pools.len() == before { Err(Refusal::absent()) } else { Ok((204, Json::Null)) }
}

/// All pools together have at most what the nodes take.
fn checked_pool(cluster: &Cluster, call: &Call<'_>, name: &str) -> Result<(), Refusal> {
    let (mode, database) = (check::text(call.body, "mode")?, check::text(call.body, "db")?);
    if !["session", "transaction", "statement"].contains(&mode) {
        return Err(Refusal::invalid(format!("invalid mode: {mode}")));
    }
    if !cluster.databases.iter().any(|there| there == database) {
        return Err(Refusal::invalid(format!("database {database} does not exist")));
    }
    if let Some(user) = call.body["user"].as_str()
        && !cluster.users.iter().any(|there| there.name == user)
    {
        return Err(Refusal::invalid(format!("user {user} does not exist")));
    }
    let others = cluster.pools.iter().filter(|pool| pool["name"] != name);
    let size = check::int(call.body, "size")?;
    let all: i64 = others.filter_map(|pool| pool["size"].as_i64()).sum::<i64>() + size;
    let most = check::size(&cluster.size, 1)?.max_connections.map_or(i64::MAX, i64::from);
    if size < 1 || all > most {
        return Err(Refusal::invalid(format!("the pools of this cluster have at most {most} connections together")));
    }
    Ok(())
}

pub(super) fn shown_pool(cluster: &Cluster, pool: &Json) -> Json {
    let mut shown = pool.clone();
    let name = pool["name"].as_str().unwrap_or_default();
    shown["connection"] = cluster.connection(false, name, 25061);
    shown["private_connection"] = cluster.connection(true, name, 25061);
    shown
}
