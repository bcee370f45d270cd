//! What is within a server: firewall rules, databases, backups.

use std::net::Ipv4Addr;

use jiff::SignedDuration;
use serde_json::{Value as Json, json};

use super::operations::{Begin, Then};
use super::schema::{self, When};
use super::server::Server;
use super::{Azure, Call, Refusal, Said, Told};

const QUICK_S: i64 = 10;
const BACKUP_S: i64 = 60;
const DAY_S: i64 = 24 * 3600;

fn shown(of: &Server, kind: &str, name: &str, properties: &Json) -> Json {
    json!({
        "id": format!("{}/{kind}/{name}", of.text("/id")),
        "name": name,
        "type": format!("Microsoft.DBforPostgreSQL/flexibleServers/{kind}"),
        "properties": properties,
    })
}

impl Azure {
    pub(super) fn list_within(&mut self, name: &str, kind: &str, call: &Call<'_>) -> Said {
        let of = self.server(name)?;
        if of.is_stopped && kind == "databases" {
            return Err(Refusal::invalid("The server is stopped."));
        }
        let all: Vec<Json> = match kind {
            "firewallRules" => of.rules.iter().map(|(rule, it)| shown(of, kind, rule, it)).collect(),
            "databases" => {
                let of_each =
                    |name: &String| shown(of, kind, name, &json!({ "charset": "UTF8", "collation": "en_US.utf8" }));
                of.databases.iter().map(of_each).collect()
            }
            _ => kept(of, call.now),
        };
        Ok(Told::new(200, json!({ "value": all })))
    }

    pub(super) fn get_within(&mut self, server: &str, kind: &str, name: &str, call: &Call<'_>) -> Said {
        let all = self.list_within(server, kind, call)?;
        let found = all.body["value"].as_array().and_then(|all| all.iter().find(|one| one["name"] == name));
        let absent = || Refusal::absent(format!("The {kind} '{name}' of the server was not found."));
        found.cloned().map(|one| Told::new(200, one)).ok_or_else(absent)
    }

    pub(super) fn put_rule(&mut self, server: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("FirewallRule", call.body, When::Create)?;
        let of = self.server(server)?;
        if of.json["properties"]["network"]["delegatedSubnetResourceId"].is_string() {
            return Err(Refusal::invalid("Firewall rules do not apply to a server in a virtual network."));
        }
        let address = |field: &str| call.body["properties"][field].as_str().and_then(|it| it.parse::<Ipv4Addr>().ok());
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        match (address("startIpAddress"), address("endIpAddress")) {
            (Some(first), Some(last)) if first <= last && name.len() <= 128 && name.chars().all(fits) => {}
            _ => return Err(Refusal::invalid("The firewall rule is invalid.")),
        }
        let then = Then::Rule(name.to_owned(), call.body["properties"].clone());
        self.quick(server, "PutRule", then, call)
    }

    pub(super) fn delete_within(&mut self, server: &str, kind: &str, name: &str, call: &Call<'_>) -> Said {
        self.unlocked(server)?;
        let of = self.server(server)?;
        let (is_there, then) = match kind {
            "firewallRules" => (of.rules.contains_key(name), Then::RuleGone(name.to_owned())),
            _ => (of.databases.contains(name), Then::DatabaseGone(name.to_owned())),
        };
        if is_there { self.quick(server, "DeleteWithin", then, call) } else { Ok(Told::new(204, Json::Null)) }
    }

    pub(super) fn put_database(&mut self, server: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("Database", call.body, When::Create)?;
        if self.server(server)?.databases.contains(name) {
            return Err(Refusal::new(409, "DatabaseAlreadyExists", format!("The database '{name}' already exists.")));
        }
        self.quick(server, "PutDatabase", Then::Database(name.to_owned()), call)
    }

    pub(super) fn put_backup(&mut self, server: &str, name: &str, call: &Call<'_>) -> Said {
        let of = self.server(server)?;
        if of.is_burstable() || of.backups.contains_key(name) || of.backups.len() >= 7 {
            return Err(Refusal::invalid("The server takes no such backup."));
        }
        let then = Then::Backup(name.to_owned());
        self.begin(
            call,
            Begin { target: server, kind: "PutBackup", state: "Updating", seconds: BACKUP_S, then, error: None },
        )
    }

    fn quick(&mut self, server: &str, kind: &'static str, then: Then, call: &Call<'_>) -> Said {
        self.begin(call, Begin { target: server, kind, state: "Updating", seconds: QUICK_S, then, error: None })
    }
}

/// Backups by now: one a day, and those that were asked for.
fn kept(of: &Server, now: jiff::Timestamp) -> Vec<Json> {
    let backup = |name: &str, kind: &str, at: jiff::Timestamp| {
        let told = format!("{}.0000000+00:00", at.strftime("%Y-%m-%dT%H:%M:%S"));
        shown(of, "backups", name, &json!({ "backupType": kind, "completedTime": told, "source": "Automatic" }))
    };
    let days = of.json["properties"]["backup"]["backupRetentionDays"].as_i64().unwrap_or(7);
    let made = of.made_at.unwrap_or(now);
    let passed = now.duration_since(made).as_secs().div_euclid(DAY_S);
    let at = |day: i64| made.checked_add(SignedDuration::from_secs(day * DAY_S)).unwrap_or(now);
    let automatic = (0..=passed).rev().take(usize::try_from(days).unwrap_or(7));
    let automatic = automatic.map(|day| backup(&format!("backup_{}", at(day).as_millisecond()), "Full", at(day)));
    let asked = of.backups.iter().map(|(name, at)| backup(name, "Customer On-Demand", *at));
    automatic.chain(asked).collect()
}
