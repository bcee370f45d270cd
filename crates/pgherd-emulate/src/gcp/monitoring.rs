//! Cloud Monitoring, as far as alert policies and notification channels go.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Call, Google, Refusal, Said, schema};

/// What can be watched of an instance here.
const METRICS: [&str; 6] = [
    "database/cpu/utilization",
    "database/disk/utilization",
    "database/memory/utilization",
    "database/postgresql/num_backends",
    "database/replication/replica_lag",
    "database/disk/read_ops_count",
];

impl Google {
    fn kept(&mut self, what: &str) -> &mut BTreeMap<u64, Json> {
        if what == "alertPolicies" { &mut self.policies } else { &mut self.channels }
    }

    pub(super) fn list_watched(&mut self, what: &str, call: &Call<'_>) -> Said {
        let filter = call.asked("filter").unwrap_or_default();
        let label = match filter.strip_prefix("user_labels.").and_then(|rest| rest.split_once('=')) {
            Some((key, value)) => Some((key.to_owned(), value.trim_matches('"').to_owned())),
            None if filter.is_empty() => None,
            None => return Err(Refusal::invalid("The emulator has no filters but by one label.")),
        };
        let all = self.kept(what).values();
        let found =
            all.filter(|one| label.as_ref().is_none_or(|(key, value)| one["userLabels"][key] == value.as_str()));
        let found: Vec<Json> = found.cloned().collect();
        Ok((200, json!({ what: found, "totalSize": found.len() })))
    }

    pub(super) fn create_watched(&mut self, project: &str, what: &str, call: &Call<'_>) -> Said {
        let mut one = call.body.clone();
        self.checked(what, &one)?;
        let number = self.number();
        one["name"] = format!("projects/{project}/{what}/{number}").into();
        if what == "alertPolicies" {
            one["conditions"][0]["name"] = format!("projects/{project}/{what}/{number}/conditions/1").into();
        }
        self.kept(what).insert(number, one.clone());
        Ok((200, one))
    }

    pub(super) fn patch_watched(&mut self, what: &str, number: &str, call: &Call<'_>) -> Said {
        let number = self.numbered(what, number)?;
        let mut one = self.kept(what)[&number].clone();
        let mask = call.asked("updateMask").unwrap_or_default();
        for field in mask.split(',').filter(|field| !field.is_empty()) {
            one[field] = call.body[field].clone();
        }
        let name = one.as_object_mut().and_then(|one| one.remove("name")).unwrap_or_default();
        self.checked(what, &one)?;
        one["name"] = name;
        self.kept(what).insert(number, one.clone());
        Ok((200, one))
    }

    pub(super) fn get_watched(&mut self, what: &str, number: &str) -> Said {
        let number = self.numbered(what, number)?;
        Ok((200, self.kept(what)[&number].clone()))
    }

    pub(super) fn delete_watched(&mut self, what: &str, number: &str) -> Said {
        let number = self.numbered(what, number)?;
        let name = self.kept(what)[&number]["name"].clone();
        let uses = |one: &Json| one["notificationChannels"].as_array().is_some_and(|names| names.contains(&name));
        if what != "alertPolicies" && self.policies.values().any(uses) {
            return Err(Refusal::new(400, "failedPrecondition", "The channel is used by an alert policy."));
        }
        self.kept(what).remove(&number);
        Ok((200, json!({})))
    }

    fn numbered(&mut self, what: &str, number: &str) -> Result<u64, Refusal> {
        let number = number.parse().unwrap_or_default();
        match self.kept(what).contains_key(&number) {
            true => Ok(number),
            false => Err(Refusal::absent(format!("There is no {what}/{number}."))),
        }
    }

    fn checked(&self, what: &str, one: &Json) -> Result<(), Refusal> {
        let refused = |message: &str| Err(Refusal::invalid(message));
        if what != "alertPolicies" {
            schema::check("NotificationChannel", one)?;
            return match one["type"].as_str() {
                Some("email") if one["labels"]["email_address"].as_str().is_some_and(|to| to.contains('@')) => Ok(()),
                _ => refused("The emulator has no channels but of mail."),
            };
        }
        schema::check("AlertPolicy", one)?;
        let conditions = one["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        if conditions.is_empty() || conditions.len() > 6 || one["combiner"].is_null() || one["displayName"].is_null() {
            return refused("A policy has a name, a combiner and 1 to 6 conditions.");
        }
        for condition in conditions {
            let threshold = &condition["conditionThreshold"];
            let filter = threshold["filter"].as_str().unwrap_or_default();
            let is_known = METRICS
                .iter()
                .any(|metric| filter.contains(&format!("metric.type=\"cloudsql.googleapis.com/{metric}\"")));
            if !is_known || !filter.contains("resource.type=\"cloudsql_database\"") {
                return refused("The filter names no metric of Cloud SQL.");
            }
            let seconds = threshold["duration"].as_str().and_then(|text| text.strip_suffix('s')?.parse::<u64>().ok());
            if seconds.is_none_or(|seconds| seconds % 60 != 0) {
                return refused("The duration is a multiple of a minute.");
            }
            let share = threshold["thresholdValue"].as_f64().unwrap_or_default();
            if filter.contains("/utilization") && !(0.0..=1.0).contains(&share) {
                return refused("A utilization is between 0 and 1.");
            }
        }
        let known = |name: &Json| self.channels.values().any(|channel| channel["name"] == *name);
        let mut channels = one["notificationChannels"].as_array().into_iter().flatten();
        match channels.all(known) {
            true => Ok(()),
            false => refused("There is no such notification channel."),
        }
    }
}
