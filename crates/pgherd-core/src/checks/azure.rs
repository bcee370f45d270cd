//! What Azure refuses for sure and what it does in its own way, whatever the block asks for.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "azure",
    words: "A server on Azure is reached in a subnet or by a public address (an apply is refused without, unless `--accept no-way-in` leaves it to \
            a private endpoint of your own), alarms tell addresses of mail and action groups, and backups in a second region have no key of yours. Azure chooses minors \
            and the time of backups itself: what is asked for otherwise is said.",
    fine: &[
        "cloud_provider = \"azure\"\nengine_version = \"16\"\npublicly_accessible = true\nalarm_targets = [\"ops@example.com\"]",
        "cloud_provider = \"azure\"\nsubnet_ids = [\"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/db\"]",
        "engine_version = \"16.9\"\nalarm_targets = [\"https://example.com\"]",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"azure\"",
            says: &[
                "warning publicly_accessible: nobody could reach the server: it is in no subnet, and has no public address, so that an apply is refused [write subnet_ids = [\"<id of a subnet that is delegated to it>\"], or publicly_accessible = true; this version makes no private endpoint]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsubnet_ids = [\"subnet-1\"]",
            says: &[
                "error subnet_ids[0]: \"subnet-1\" is no id of a subnet on Azure [az network vnet subnet show --query id tells it: /subscriptions/<id>/resourceGroups/<group>/…/subnets/<name>]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\npublicly_accessible = true\nkms_key_id = \"https://v.vault.azure.net/keys/k\"\ngeo_redundant_backup = true",
            says: &[
                "error geo_redundant_backup: backups in a second region need a key there, which this version has no way to name [leave kms_key_id out, or write geo_redundant_backup = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\npublicly_accessible = true\nalarm_targets = [\"arn:aws:sns:us-east-1:1:ops\"]",
            says: &[
                "error alarm_targets[0]: \"arn:aws:sns:us-east-1:1:ops\" is neither an address of mail nor the id of an action group [write an address, or /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Insights/actionGroups/<name>]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\npublicly_accessible = true\nserver_version = \"16\"\nengine_version = \"16.9\"\nbackup_window = \"03:00-04:00\"",
            says: &[
                "note engine_version: Azure chooses the minor itself: 16.9 is taken as 16 [write \"16\"]",
                "note backup_window: Azure chooses the time of backups itself [leave it out]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::Azure {
        return Vec::new();
    }
    let refused = [way_in(block), second_key(block)].into_iter().flatten();
    let said = [minor(block), backup_window(block)].into_iter().flatten();
    refused.chain(alarm_targets(block)).chain(said).collect()
}

/// A way in, and one that Azure understands.
fn way_in(block: &Block) -> Option<Diagnostic> {
    let network = &block.spec.network;
    match &network.subnet_ids {
        Setting::Unknown(_) => None,
        Setting::Known(subnets) if !subnets.is_empty() => {
            let id = subnets.first()?.known().filter(|id| !id.to_ascii_lowercase().contains("/subnets/"))?;
            let message = format!("\"{id}\" is no id of a subnet on Azure");
            let help = "az network vnet subnet show --query id tells it: /subscriptions/<id>/resourceGroups/<group>/…/subnets/<name>";
            Some(Diagnostic { code: "subnet-id", ..block.error("subnet_ids[0]", message, help) })
        }
        Setting::Known(_) | Setting::Unset if network.publicly_accessible => None,
        Setting::Known(_) | Setting::Unset => {
            let message = "nobody could reach the server: it is in no subnet, and has no public address, so that an apply is refused";
            let help = "write subnet_ids = [\"<id of a subnet that is delegated to it>\"], or publicly_accessible = true; \
                        this version makes no private endpoint";
            Some(Diagnostic { code: "no-way-in", ..block.warning("publicly_accessible", message, help) })
        }
    }
}

fn second_key(block: &Block) -> Option<Diagnostic> {
    let has_key = !matches!(block.spec.encryption.kms_key_id, Setting::Unset);
    (has_key && block.spec.backup.geo_redundant).then(|| {
        let message = "backups in a second region need a key there, which this version has no way to name";
        let help = "leave kms_key_id out, or write geo_redundant_backup = false";
        Diagnostic { code: "no-second-key", ..block.error("geo_redundant_backup", message, help) }
    })
}

fn alarm_targets<'a>(block: &'a Block<'a>) -> impl Iterator<Item = Diagnostic> + 'a {
    let is_mail = |target: &str| target.contains('@') && !target.contains("://") && !target.starts_with('/');
    let is_group =
        |target: &str| target.starts_with("/subscriptions/") && target.to_ascii_lowercase().contains("/actiongroups/");
    let targets = block.spec.monitoring.alarm_targets.iter().enumerate();
    let known = targets.filter_map(|(index, target)| Some((index, target.known()?)));
    known.filter(move |(_, target)| !is_mail(target) && !is_group(target)).map(|(index, target)| {
        let message = format!("\"{target}\" is neither an address of mail nor the id of an action group");
        let help = "write an address, or /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.Insights/actionGroups/<name>";
        Diagnostic { code: "alarm-target", ..block.error(&format!("alarm_targets[{index}]"), message, help) }
    })
}

fn minor(block: &Block) -> Option<Diagnostic> {
    let version = block.spec.engine_version.filter(|version| version.minor.is_some())?;
    let major = version.major;
    let message = format!("Azure chooses the minor itself: {version} is taken as {major}");
    Some(block.note("engine_version", message, format!("write \"{major}\"")))
}

fn backup_window(block: &Block) -> Option<Diagnostic> {
    block.written("backup_window")?;
    Some(block.note("backup_window", "Azure chooses the time of backups itself", "leave it out"))
}
