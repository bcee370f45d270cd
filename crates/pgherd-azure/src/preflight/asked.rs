//! What Azure is asked about: whether there is the place, whether it has what is wanted, and whether settings take their values.

use futures_util::future::join;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::spec::Setting;

use super::About;
use crate::api::{self, Configuration, Offer};
use crate::kinds::settings::{self, VALUES};
use crate::kinds::{replica, server};
use crate::names::location;
use crate::parameters::{LIBRARIES, POOLER};
use crate::provider::Azure;

impl About<'_> {
    /// Whether there is the resource group, and nobody in the world has the name.
    pub(super) async fn place(&self, azure: &Azure) -> Vec<Diagnostic> {
        if !self.is_made(server::NAME) || self.seen(server::NAME).is_some() {
            return Vec::new();
        }
        let (group, name) = (azure.at().group, self.spec.name.as_str());
        let (has_group, taken) = join(api::has_group(azure.at()), api::is_free(azure.at(), name)).await;
        let group = match has_group {
            Ok(true) => None,
            Ok(false) => Some(
                self.error("no-resource-group", "resource_group_name", format!("there is no resource group {group}"))
                    .help(format!("az group create --name {group} --location <location> makes it")),
            ),
            Err(error) => Some(self.unchecked("whether there is the resource group", &error)),
        };
        let taken = match taken {
            Ok(None) => None,
            Ok(Some(why)) => Some(
                self.error("name-taken", "name", format!("the name {name} is not to be had on Azure: {why}"))
                    .help("names of servers are the whole world's: add something to it"),
            ),
            Err(error) => Some(self.unchecked("whether the name is free", &error)),
        };
        group.into_iter().chain(taken).collect()
    }

    /// Whether the region has what is wanted.
    pub(super) async fn offered(&self, azure: &Azure) -> Vec<Diagnostic> {
        let fields = ["sku", "version", "highAvailability"];
        let is_asked = self.is_made(server::NAME)
            || self.is_made(replica::NAME)
            || fields.iter().any(|field| self.change(field).is_some());
        if !is_asked {
            return Vec::new();
        }
        let region = match (&self.spec.place.region, &self.around.location) {
            (Setting::Known(region), _) | (Setting::Unset, Some(region)) => location(region),
            (Setting::Unset, None) => match api::location_of_group(azure.at()).await {
                Ok(Some(region)) => region,
                // That there is no group is told.
                Ok(None) => return Vec::new(),
                Err(error) => return vec![self.unchecked("what the region offers", &error)],
            },
            (Setting::Unknown(_), _) => return Vec::new(),
        };
        match api::offer(azure.at(), &region).await {
            Ok(offer) => self.judged(&region, &offer),
            Err(error) => vec![self.unchecked("what the region offers", &error)],
        }
    }

    fn judged(&self, region: &str, offer: &Offer) -> Vec<Diagnostic> {
        let spec = self.spec;
        let mut out = Vec::new();
        if let Some(why) = &offer.restricted {
            let message = format!("the subscription makes no servers in {region}: {why}");
            out.push(self.error("region-restricted", "location", message).help("write another location"));
        }
        let (sku, _) = server::sku(&spec.size.name);
        if !offer.sizes.is_empty() && !offer.sizes.contains(sku) {
            let near = offer.sizes.iter().filter(|name| name.get(..10) == sku.get(..10)).take(6);
            let near: Vec<&str> = near.map(String::as_str).collect();
            let help = if near.is_empty() {
                "choose another size".to_owned()
            } else {
                format!("it offers {}", near.join(", "))
            };
            let message = format!("Azure does not offer {sku} in {region}");
            out.push(self.error("class-not-offered", "instance_class", message).help(help));
        }
        let major = spec.engine_version.map(|version| version.major).or(spec.newest_major);
        let is_missing = |major: &u32| !offer.versions.is_empty() && !offer.versions.contains(&major.to_string());
        let is_new = self.is_made(server::NAME) || self.change("version").is_some();
        if let Some(major) = major.filter(|major| is_new && is_missing(major)) {
            let all: Vec<&str> = offer.versions.iter().map(String::as_str).collect();
            let message = format!("Azure makes no server of PostgreSQL {major} in {region}");
            let help = format!("it offers {}", all.join(", "));
            out.push(self.error("version-not-offered", "engine_version", message).help(help));
        }
        if spec.multi_az && offer.standby == Some(false) {
            let message = format!("{region} has no standbys in other zones");
            out.push(self.error("no-standby", "multi_az", message).help("write another location, or multi_az = false"));
        }
        if spec.backup.geo_redundant && offer.geo_backup == Some(false) && self.is_made(server::NAME) {
            let message = format!("{region} keeps no backups in a second region");
            let help = "write another location, or geo_redundant_backup = false";
            out.push(self.error("no-geo-backup", "geo_redundant_backup", message).help(help));
        }
        out
    }

    /// Whether there are the settings, and take the values. A server that is not there yet tells none.
    pub(super) async fn settings(&self, azure: &Azure) -> Vec<Diagnostic> {
        let key = |field: &str| field.strip_prefix(VALUES).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned);
        let changed = self
            .changes(settings::NAME)
            .filter_map(|change| Some((key(&change.field)?, change.to.as_text()?.to_owned())));
        let wanted: Vec<(String, String)> = changed.collect();
        if wanted.is_empty() || self.seen(server::NAME).is_none() {
            return Vec::new();
        }
        match api::configurations(azure.at(), &self.spec.name).await {
            Ok(known) if known.is_empty() => Vec::new(),
            Ok(known) => wanted.iter().filter_map(|(name, value)| self.refused(&known, name, value)).collect(),
            Err(error) => vec![self.unchecked("what settings there are", &error)],
        }
    }

    fn refused(&self, known: &[Configuration], name: &str, value: &str) -> Option<Diagnostic> {
        let why = match known.iter().find(|one| one.name == name) {
            // They are hidden before the pooler is there.
            None if name.starts_with("pgbouncer.") && name != POOLER => None,
            None => Some(format!("Azure has no setting {name}")),
            Some(one) if one.is_read_only => Some(format!("Azure lets nobody set {name}")),
            Some(one) => wrong(one, value).map(|words| format!("Azure does not take {name} = {value}: {words}")),
        };
        let help = "leave it out, or accept that it is refused with --accept setting-refused";
        Some(self.error("setting-refused", "parameters", why?).help(help))
    }
}

/// Why a setting does not take a value.
fn wrong(one: &Configuration, value: &str) -> Option<String> {
    match one.kind.as_str() {
        "Integer" => match (value.parse::<i64>(), range(&one.allowed)) {
            (Err(_), _) => Some("it is no whole number".to_owned()),
            (Ok(number), Some((least, most))) if !(least..=most).contains(&number) => {
                Some(format!("it takes {least} to {most}"))
            }
            (Ok(_), _) => None,
        },
        "Numeric" => value.parse::<f64>().is_err().then(|| "it is no number".to_owned()),
        "Boolean" | "Enumeration" => {
            let is_known = one.allowed.split(',').any(|known| known.trim().eq_ignore_ascii_case(value));
            (!is_known && !one.allowed.is_empty()).then(|| format!("it takes {}", one.allowed))
        }
        "Set" if one.name == LIBRARIES => {
            let known: Vec<&str> = one.allowed.split(',').map(str::trim).collect();
            let strange = value.split(',').map(str::trim).find(|name| !known.contains(name))?;
            Some(format!("it has no {strange}"))
        }
        _ => None,
    }
}

/// `25-5000`, and `-1-2147483647`.
fn range(allowed: &str) -> Option<(i64, i64)> {
    let middle = allowed.get(1..)?.find('-')? + 1;
    Some((allowed[..middle].parse().ok()?, allowed[middle + 1..].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_may_begin_below_nought() {
        assert_eq!(range("25-5000"), Some((25, 5000)));
        assert_eq!(range("-1-2147483647"), Some((-1, 2_147_483_647)));
        assert_eq!(range("on,off"), None);
    }
}
