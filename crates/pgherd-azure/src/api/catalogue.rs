//! What can be made: what a region offers, whether a name is free in the world, and the resource group.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::{At, SERVERS, manager, text};
use crate::call::segment;
use crate::error::AzureError;
use crate::names::location;

/// What a region offers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Offer {
    /// Names of sizes.
    pub(crate) sizes: BTreeSet<String>,
    /// Majors that are made.
    pub(crate) versions: BTreeSet<String>,
    /// Whether it has standbys in other zones.
    pub(crate) standby: Option<bool>,
    /// Whether backups can be kept in its pair.
    pub(crate) geo_backup: Option<bool>,
    /// Why the subscription makes nothing there.
    pub(crate) restricted: Option<String>,
}

/// What a region offers.
pub(crate) async fn offer(at: At<'_>, region: &str) -> Result<Offer, AzureError> {
    let path = format!(
        "subscriptions/{}/providers/Microsoft.DBforPostgreSQL/locations/{}/capabilities?api-version={SERVERS}",
        segment(at.subscription),
        segment(region)
    );
    let all = at.session.list(&path).await?;
    Ok(all.first().map(read).unwrap_or_default())
}

fn read(told: &Json) -> Offer {
    let list = |of: &Json, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let is_offered = |one: &Json| one["status"] != "Disabled";
    let names = |all: Vec<Json>| all.iter().filter(|one| is_offered(one)).filter_map(|one| text(one, "name")).collect();
    let editions = list(told, "supportedServerEditions");
    let sizes: Vec<Json> = editions.iter().flat_map(|edition| list(edition, "supportedServerSkus")).collect();
    let word = |name: &str| text(told, name);
    Offer {
        sizes: names(sizes),
        versions: names(list(told, "supportedServerVersions")),
        standby: word("zoneRedundantHaSupported").map(|word| word == "Enabled"),
        geo_backup: word("geoBackupSupported").map(|word| word == "Enabled"),
        restricted: word("restricted")
            .filter(|word| word == "Enabled")
            .map(|_| word("reason").unwrap_or_else(|| "no reason is told".to_owned())),
    }
}

/// Whether nobody in the world has a server of that name; else why it is not free.
pub(crate) async fn is_free(at: At<'_>, name: &str) -> Result<Option<String>, AzureError> {
    let path = format!(
        "subscriptions/{}/providers/Microsoft.DBforPostgreSQL/checkNameAvailability?api-version={SERVERS}",
        segment(at.subscription)
    );
    let body = json!({ "name": name, "type": "Microsoft.DBforPostgreSQL/flexibleServers" });
    let told = at.session.post(manager(&path), Some(&body)).await?.body;
    let why = || text(&told, "message").or_else(|| text(&told, "reason")).unwrap_or_else(|| "it is taken".to_owned());
    Ok((told["nameAvailable"] == false).then(why))
}

async fn group(at: At<'_>) -> Result<Option<Json>, AzureError> {
    let path = format!("{}?api-version=2021-04-01", at.group_path());
    at.session.find(manager(&path)).await
}

/// Whether there is the resource group.
pub(crate) async fn has_group(at: At<'_>) -> Result<bool, AzureError> {
    Ok(group(at).await?.is_some())
}

/// The region of the resource group.
pub(crate) async fn location_of_group(at: At<'_>) -> Result<Option<String>, AzureError> {
    Ok(group(at).await?.and_then(|told| text(&told, "location")).map(|text| location(&text)))
}
