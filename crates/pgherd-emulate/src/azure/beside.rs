//! What stands beside servers: locks, diagnostic settings, private zones and their links.

use serde_json::{Value as Json, json};

use super::operations::{Begin, Then};
use super::schema::{self, When};
use super::{Azure, Call, GROUP, Refusal, Said, Told};

const ZONE_S: i64 = 20;

impl Azure {
    pub(super) fn list_locks(&mut self, server: &str) -> Said {
        let all: Vec<Json> = self.server(server)?.locks.values().cloned().collect();
        Ok(Told::new(200, json!({ "value": all })))
    }

    pub(super) fn put_lock(&mut self, server: &str, name: &str, call: &Call<'_>) -> Said {
        schema::check("Lock", call.body, When::Create)?;
        let of = self.server(server)?;
        let id = format!("{}/providers/Microsoft.Authorization/locks/{name}", of.text("/id"));
        let lock = json!({ "id": id, "name": name, "type": "Microsoft.Authorization/locks", "properties": call.body["properties"] });
        of.locks.insert(name.to_owned(), lock.clone());
        Ok(Told::new(201, lock))
    }

    pub(super) fn delete_lock(&mut self, server: &str, name: &str) -> Said {
        let gone = self.server(server)?.locks.remove(name);
        Ok(Told::new(if gone.is_some() { 200 } else { 204 }, Json::Null))
    }

    pub(super) fn logs(&mut self, server: &str, name: &str, method: &str, call: &Call<'_>) -> Said {
        let of = self.server(server)?;
        let absent = || Refusal::absent(format!("The diagnostic setting '{name}' doesn't exist."));
        match method {
            "GET" => of.logs.get(name).cloned().map(|one| Told::new(200, one)).ok_or_else(absent),
            "DELETE" => Ok(Told::new(if of.logs.remove(name).is_some() { 200 } else { 204 }, Json::Null)),
            _ => {
                schema::check("DiagnosticSetting", call.body, When::Create)?;
                let known = ["PostgreSQLLogs", "PostgreSQLFlexPGBouncer", "PostgreSQLFlexSessions"];
                let properties = &call.body["properties"];
                let mut all = properties["logs"].as_array().into_iter().flatten();
                let is_known = all.all(|log| log["category"].as_str().is_some_and(|it| known.contains(&it)));
                if !is_known || !properties["workspaceId"].is_string() {
                    return Err(Refusal::invalid("The diagnostic setting is invalid."));
                }
                let one = json!({ "id": format!("{}/providers/microsoft.insights/diagnosticSettings/{name}", of.text("/id")),
                    "name": name, "properties": properties });
                of.logs.insert(name.to_owned(), one.clone());
                Ok(Told::new(200, one))
            }
        }
    }

    pub(super) fn zone(&mut self, name: &str, method: &str, call: &Call<'_>) -> Said {
        let absent = || Refusal::absent(format!("The private DNS zone '{name}' was not found."));
        match method {
            "GET" => self.zones.get(name).cloned().map(|one| Told::new(200, one)).ok_or_else(absent),
            "DELETE" if !self.zones.contains_key(name) => Ok(Told::new(204, Json::Null)),
            "DELETE" if self.links.keys().any(|link| link.starts_with(&format!("{name}/"))) => {
                Err(Refusal::new(409, "CannotDeleteResource", "The zone has nested resources: virtual network links."))
            }
            "DELETE" => {
                self.zones.remove(name);
                self.going(call)
            }
            _ => {
                schema::check("PrivateZone", call.body, When::Create)?;
                let id = format!(
                    "/subscriptions/s/resourceGroups/{GROUP}/providers/Microsoft.Network/privateDnsZones/{name}"
                );
                let tags = &call.body["tags"];
                self.zones
                    .insert(name.to_owned(), json!({ "id": id, "name": name, "location": "global", "tags": tags }));
                self.going(call)
            }
        }
    }

    pub(super) fn link(&mut self, zone: &str, name: &str, method: &str, call: &Call<'_>) -> Said {
        let key = format!("{zone}/{name}");
        let absent = || Refusal::absent(format!("The link '{key}' was not found."));
        match method {
            "GET" => self.links.get(&key).cloned().map(|one| Told::new(200, one)).ok_or_else(absent),
            "DELETE" => match self.links.remove(&key) {
                Some(_) => self.going(call),
                None => Ok(Told::new(204, Json::Null)),
            },
            _ => {
                schema::check("VirtualNetworkLink", call.body, When::Create)?;
                if !self.zones.contains_key(zone) {
                    return Err(Refusal::absent(format!("The private DNS zone '{zone}' was not found.")));
                }
                let properties = &call.body["properties"];
                let before = self.links.get(&key).map(|one| one["properties"]["virtualNetwork"].clone());
                if before.is_some_and(|before| before != properties["virtualNetwork"]) {
                    return Err(Refusal::invalid("The virtual network of a link cannot be changed."));
                }
                self.links.insert(key, json!({ "name": name, "location": "global", "properties": properties }));
                self.going(call)
            }
        }
    }

    /// It takes a while, and keeps no server busy.
    fn going(&mut self, call: &Call<'_>) -> Said {
        let begin = Begin { target: "", kind: "Zone", state: "", seconds: ZONE_S, then: Then::Nothing, error: None };
        // Several of them go on at a time.
        self.operations.iter_mut().filter(|one| one.target.is_empty()).for_each(|one| one.is_done = true);
        self.begin(call, begin)
    }
}
