//! What DigitalOcean does in its own way, whatever the block asks for.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "digitalocean",
    words: "DigitalOcean chooses passwords, minors and the kind of storage itself, has one superuser, and keeps backups in their own region: what is \
            asked for otherwise is said, and a promise of safety it cannot keep is an error.",
    fine: &[
        "cloud_provider = \"digitalocean\"\nengine_version = \"16\"\nmaster_username = \"doadmin\"",
        "storage_type = \"gp3\"\nmaster_username = \"app\"\nmaster_password = \"correct-horse\"",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nmaster_username = \"app\"\nmaster_password = \"correct-horse\"",
            says: &[
                "warning master_username: the superuser on DigitalOcean is doadmin, and \"app\" is made as a further role without its rights [write \"doadmin\", or leave it out]",
                "warning master_password: DigitalOcean chooses passwords itself, and this one is not used [leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ngeo_redundant_backup = true",
            says: &[
                "error geo_redundant_backup: DigitalOcean keeps backups in the region of the database only [leave it out, and keep dumps elsewhere, or a replica: dr_region = \"<region>\" and dr_read_replica = true]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nserver_version = \"16\"\nengine_version = \"16.9\"\ndisk_type = \"gp3\"",
            says: &[
                "note engine_version: DigitalOcean chooses the minor itself: 16.9 is taken as 16 [write \"16\"]",
                "note disk_type: DigitalOcean has one kind of storage, and \"gp3\" chooses nothing [leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ninstance_class = \"db-s-1vcpu-2gb\"\nmulti_az = true\nenable_deletion_protection = true",
            says: &[
                "note multi_az: DigitalOcean keeps the standby on another host, and promises no other zone [write create_read_replica = true too for a further copy]",
                "note enable_deletion_protection: DigitalOcean has no deletion protection: pgherd refuses to destroy the database, its console does not [restrict who may use the console]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nenable_logging = true\nenable_performance_insights = true",
            says: &[
                "note enable_logging: DigitalOcean sends logs to a sink of its own settings only [set a log sink up in its console]",
                "note enable_performance_insights: DigitalOcean has no query analysis [use pg_stat_statements and its metrics endpoint]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::DigitalOcean {
        return Vec::new();
    }
    let mut out = Vec::new();
    out.extend(engine(block));
    out.extend(administrator(block));
    out.extend(geo_redundant(block));
    out.extend(conveniences(block));
    out
}

fn engine(block: &Block) -> Option<Diagnostic> {
    let version = block.spec.engine_version.filter(|version| version.minor.is_some())?;
    let major = version.major;
    let message = format!("DigitalOcean chooses the minor itself: {version} is taken as {major}");
    Some(block.note("engine_version", message, format!("write \"{major}\"")))
}

fn administrator(block: &Block) -> Vec<Diagnostic> {
    let name = &block.spec.master_username;
    let mut out = Vec::new();
    if name != "doadmin" {
        let message = format!(
            "the superuser on DigitalOcean is doadmin, and \"{name}\" is made as a further role without its rights"
        );
        out.push(block.warning("master_username", message, "write \"doadmin\", or leave it out"));
    }
    if block.written("master_password").is_some() {
        let message = "DigitalOcean chooses passwords itself, and this one is not used";
        out.push(block.warning("master_password", message, "leave it out"));
    }
    out
}

/// What was written is asked, because a Spec leaves out what has no effect.
fn geo_redundant(block: &Block) -> Option<Diagnostic> {
    let name = "geo_redundant_backup";
    block.inputs.get(name).and_then(Value::as_bool).filter(|wanted| *wanted)?;
    let message = "DigitalOcean keeps backups in the region of the database only";
    let help =
        "leave it out, and keep dumps elsewhere, or a replica: dr_region = \"<region>\" and dr_read_replica = true";
    Some(block.error(name, message, help))
}

fn conveniences(block: &Block) -> Vec<Diagnostic> {
    let spec = block.spec;
    let mut out = Vec::new();
    if let Some(kind) = &spec.storage.kind {
        let message = format!("DigitalOcean has one kind of storage, and \"{kind}\" chooses nothing");
        out.push(block.note("storage_type", message, "leave it out"));
    }
    let said = [
        (
            spec.multi_az,
            "multi_az",
            "DigitalOcean keeps the standby on another host, and promises no other zone",
            "write create_read_replica = true too for a further copy",
        ),
        (
            spec.deletion_protection,
            "enable_deletion_protection",
            "DigitalOcean has no deletion protection: pgherd refuses to destroy the database, its console does not",
            "restrict who may use the console",
        ),
        (
            spec.monitoring.logging,
            "enable_logging",
            "DigitalOcean sends logs to a sink of its own settings only",
            "set a log sink up in its console",
        ),
        (
            spec.monitoring.insights,
            "enable_performance_insights",
            "DigitalOcean has no query analysis",
            "use pg_stat_statements and its metrics endpoint",
        ),
    ];
    out.extend(
        said.into_iter().filter(|(wanted, ..)| *wanted).map(|(_, at, message, help)| block.note(at, message, help)),
    );
    out
}
