//! Backups are kept as long as the target keeps them, and there are some where replicas need them.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "backup-retention",
    words: "Backups are kept 0 to 35 days, on Azure 7 to 35, on DigitalOcean always 7, which cannot be turned off. A standby and replicas need backups. Cloud SQL restores \
            to any second of the last 7 days only, except on ENTERPRISE_PLUS, which is noted.",
    fine: &[
        "backup_retention_period = 35",
        "backup_retention_period = 0",
        "cloud_provider = \"azure\"\nbackup_retention_days = 7",
        "cloud_provider = \"digitalocean\"",
    ],
    wrong: &[
        Wrong {
            block: "backup_retention_period = 36",
            says: &[
                "error backup_retention_period: backups can be kept for at most 35 days, not 36 [write 35 or fewer]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nbackup_retention_days = 1",
            says: &["error backup_retention_days: Azure keeps backups for at least 7 days, not 1 [write 7 or more]"],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nbackup_retention_period = 35",
            says: &[
                "error backup_retention_period: DigitalOcean keeps backups for 7 days, not 35 [write 7, and keep dumps for longer]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nbackup_retention_period = 1",
            says: &[
                "note backup_retention_period: DigitalOcean keeps backups for 7 days, more than the 1 asked for [write 7]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nbackup_retention_days = 0",
            says: &[
                "warning backup_retention_days: DigitalOcean always keeps backups for 7 days, and they cannot be turned off [leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nenable_backup = false",
            says: &[
                "warning enable_backup: DigitalOcean always keeps backups for 7 days, and they cannot be turned off [leave it out]",
            ],
        },
        Wrong {
            block: "backup_retention_period = 0\nmulti_az = true",
            says: &[
                "error backup_retention_period: a standby on RDS is made from backups, and there are none [write 1 or more days]",
            ],
        },
        Wrong {
            block: "backup_retention_period = 0\ncreate_read_replica = true",
            says: &[
                "error backup_retention_period: a replica on RDS is made from backups, and there are none [write 1 or more days]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nbackup_retention_period = 30",
            says: &[
                "note backup_retention_period: 30 daily backups are kept, and Cloud SQL restores to any second of the last 7 days only [write gcp_edition = \"ENTERPRISE_PLUS\" for 35 days]",
            ],
        },
    ],
    rule,
};

const MOST_DAYS: u32 = 35;
const AZURE_LEAST_DAYS: u32 = 7;
const DIGITALOCEAN_DAYS: u32 = 7;
const CLOUD_SQL_LOG_DAYS: u32 = 7;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let (days, cloud) = (block.spec.backup.retention_days, block.target());
    let at = "backup_retention_period";
    let mut out = Vec::new();
    if days > MOST_DAYS {
        let message = format!("backups can be kept for at most {MOST_DAYS} days, not {days}");
        out.push(block.error(at, message, format!("write {MOST_DAYS} or fewer")));
    } else if cloud == Cloud::Azure && days < AZURE_LEAST_DAYS {
        let message = format!("Azure keeps backups for at least {AZURE_LEAST_DAYS} days, not {days}");
        out.push(block.error(at, message, format!("write {AZURE_LEAST_DAYS} or more")));
    } else if cloud == Cloud::DigitalOcean && days > DIGITALOCEAN_DAYS {
        let message = format!("DigitalOcean keeps backups for {DIGITALOCEAN_DAYS} days, not {days}");
        out.push(block.error(at, message, format!("write {DIGITALOCEAN_DAYS}, and keep dumps for longer")));
    } else if cloud == Cloud::DigitalOcean && days == 0 {
        let message =
            format!("DigitalOcean always keeps backups for {DIGITALOCEAN_DAYS} days, and they cannot be turned off");
        let switch = block.written("enable_backup").filter(|_| block.written(at).is_none());
        out.push(block.warning(switch.unwrap_or(at), message, "leave it out"));
    } else if cloud == Cloud::DigitalOcean && days < DIGITALOCEAN_DAYS {
        let message =
            format!("DigitalOcean keeps backups for {DIGITALOCEAN_DAYS} days, more than the {days} asked for");
        out.push(block.note(at, message, format!("write {DIGITALOCEAN_DAYS}")));
    } else if cloud == Cloud::Gcp
        && days > CLOUD_SQL_LOG_DAYS
        && block.spec.place.gcp_edition.as_deref() != Some("ENTERPRISE_PLUS")
    {
        let message = format!(
            "{days} daily backups are kept, and Cloud SQL restores to any second of the last {CLOUD_SQL_LOG_DAYS} days only"
        );
        out.push(block.note(at, message, "write gcp_edition = \"ENTERPRISE_PLUS\" for 35 days"));
    }
    if days == 0 && cloud != Cloud::DigitalOcean {
        let elsewhere = block.spec.dr.as_ref().is_some_and(|recovery| recovery.read_replica);
        let needy = [
            (block.spec.multi_az, "a standby"),
            (block.spec.replicas > 0, "a replica"),
            (elsewhere, "a replica in a second region"),
            (block.spec.backup.geo_redundant, "a copy in a second region"),
        ];
        out.extend(needy.into_iter().find(|(wanted, _)| *wanted).map(|(_, what)| {
            let message = format!("{what} on {} is made from backups, and there are none", service(cloud));
            block.error(at, message, "write 1 or more days")
        }));
    }
    out
}
