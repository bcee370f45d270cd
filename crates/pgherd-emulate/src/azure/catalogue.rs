//! What can be made: regions, sizes and versions, names, and the resource group.

use pgherd_core::catalogue::sizes;
use pgherd_core::cloud::Cloud;
use serde_json::{Value as Json, json};

use super::schema::{self, When};
use super::{Azure, Call, GROUP, Refusal, Said, Told, rules};

/// Regions, a few of many, and how they are told.
pub(super) const LOCATIONS: [(&str, &str); 4] = [
    ("canadacentral", "Canada Central"),
    ("eastus", "East US"),
    ("northeurope", "North Europe"),
    ("westeurope", "West Europe"),
];

/// Burstable sizes are all it has.
const SMALL: &str = "northeurope";

impl Azure {
    pub(super) fn capabilities(&self, location: &str) -> Said {
        let is_known = LOCATIONS.iter().any(|(id, _)| *id == location);
        if !is_known {
            return Err(Refusal::new(400, "NoRegisteredProviderFound", format!("'{location}' is no location.")));
        }
        let editions = [("Burstable", "B_"), ("GeneralPurpose", "GP_"), ("MemoryOptimized", "MO_")];
        let edition = |(name, short): &(&str, &str)| {
            let all = sizes::of(Cloud::Azure).filter_map(|size| size.name.strip_prefix(short));
            let skus: Vec<Json> = all
                .filter(|_| location != SMALL || *name == "Burstable")
                .map(|sku| json!({ "name": sku, "status": "Available", "supportedZones": ["1", "2", "3"] }))
                .collect();
            json!({ "name": name, "status": "Available", "supportedServerSkus": skus })
        };
        let version = |name: &&str| json!({ "name": name, "status": "Available" });
        let capability = json!({
            "name": "FlexibleServerCapabilities",
            "supportedServerEditions": editions.iter().map(edition).collect::<Vec<_>>(),
            "supportedServerVersions": rules::VERSIONS.iter().map(version).collect::<Vec<_>>(),
            "geoBackupSupported": if location == SMALL { "Disabled" } else { "Enabled" },
            "zoneRedundantHaSupported": if location == SMALL { "Disabled" } else { "Enabled" },
            "restricted": "Disabled",
        });
        Ok(Told::new(200, json!({ "value": [capability] })))
    }

    pub(super) fn is_free(&self, call: &Call<'_>) -> Said {
        schema::check("CheckNameAvailabilityRequest", call.body, When::Create)?;
        let name = call.body["name"].as_str().unwrap_or_default();
        let is_taken = self.servers.contains_key(name) || self.taken.iter().any(|taken| taken == name);
        let mut body = json!({ "name": name, "nameAvailable": !is_taken, "message": "" });
        if is_taken {
            (body["reason"], body["message"]) =
                ("AlreadyExists".into(), "Specified server name is already used.".into());
        }
        Ok(Told::new(200, body))
    }

    pub(super) fn group(&self) -> Said {
        let id = format!("/subscriptions/s/resourceGroups/{GROUP}");
        Ok(Told::new(200, json!({ "id": id, "name": GROUP, "location": "canadacentral" })))
    }
}
