//! The version is one the target still creates.

use super::block::{Block, or, service};
use super::{Check, Wrong};
use crate::catalogue::versions::{self, AS_OF};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::version::Version;

pub(super) const CHECK: Check = Check {
    code: "version-unavailable",
    words: "The major, and on RDS the minor, is one the target still creates, by a dated catalogue. On RDS `--accept version-unavailable` \
            makes the newest of that major instead, and leaves a database that runs already as it is. Azure's retired majors are accepted in a \
            plan with a warning, because an apply is where Azure refuses them.",
    fine: &[
        r#"engine_version = "16""#,
        r#"engine_version = "14.18""#,
        "cloud_provider = \"local\"\nengine_version = \"14.9\"",
        "cloud_provider = \"gcp\"\ndatabase_version = \"POSTGRES_13\"",
        "",
    ],
    wrong: &[
        Wrong {
            block: r#"engine_version = "14.9""#,
            says: &[
                "error engine_version: PostgreSQL 14.9 can no longer be created on RDS; the oldest 14 that it still creates is 14.18 (as of 2026-11) [write engine_version = \"17\", or engine_version = \"14\" for the newest 14; community support for 14 ended 2026-11-12]",
            ],
        },
        Wrong {
            block: r#"engine_version = "13""#,
            says: &[
                "error engine_version: RDS creates no PostgreSQL 13 without paid extended support since 2026-02-28 [write engine_version = \"17\"; RDS offers 14, 15, 16, 17 or 18 (as of 2026-11)]",
            ],
        },
        Wrong {
            block: r#"engine_version = "19""#,
            says: &[
                "error engine_version: PostgreSQL 19 is not a major that pgherd knows (as of 2026-11) [write engine_version = \"17\"; RDS offers 14, 15, 16, 17 or 18 (as of 2026-11)]",
            ],
        },
        Wrong {
            block: r#"engine_version = "10.4""#,
            says: &[
                "error engine_version: PostgreSQL 10 is not a major that pgherd knows (as of 2026-11) [write engine_version = \"17\"; RDS offers 14, 15, 16, 17 or 18 (as of 2026-11)]",
            ],
        },
        Wrong {
            block: r#"engine_version = "16.99""#,
            says: &[
                "warning engine_version: PostgreSQL 16.99 is newer than the newest 16 known here, 16.15 (as of 2026-11) [write engine_version = \"16\" for the newest 16, whatever it is]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nserver_version = \"11\"",
            says: &[
                "warning server_version: Azure no longer creates PostgreSQL 11, so that an apply there is refused [write server_version = \"17\"; Azure offers 14, 15, 16, 17 or 18 (as of 2026-11)]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nengine_version = \"14\"",
            says: &[
                "error engine_version: DigitalOcean creates no PostgreSQL 14 since 2026-05-12 [write engine_version = \"16\"; DigitalOcean offers 15, 16 or 17 (as of 2026-11)]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nengine_version = \"18\"",
            says: &[
                "error engine_version: DigitalOcean does not offer PostgreSQL 18 [write engine_version = \"16\"; DigitalOcean offers 15, 16 or 17 (as of 2026-11)]",
            ],
        },
    ],
    rule,
};

pub(super) fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some(version) = block.spec.engine_version else { return Vec::new() };
    major(block, version).or_else(|| minor(block, version)).into_iter().collect()
}

fn major(block: &Block, version: Version) -> Option<Diagnostic> {
    let cloud = block.target();
    let offered: Vec<String> = versions::offered(cloud, block.today).map(|major| major.to_string()).collect();
    let help = if offered.is_empty() {
        format!("get a newer pgherd; this one knows versions as of {AS_OF}")
    } else {
        format!("write {}; {} offers {} (as of {AS_OF})", advised(block), service(cloud), or(&offered))
    };
    let Some(known) = versions::find(version.major) else {
        let message = format!("PostgreSQL {} is not a major that pgherd knows (as of {AS_OF})", version.major);
        return Some(block.error("engine_version", message, help));
    };
    if known.offered_by(cloud, block.today) {
        return None;
    }
    match cloud {
        Cloud::Aws => {
            let ended = known.rds_standard_until;
            let message =
                format!("RDS creates no PostgreSQL {} without paid extended support since {ended}", known.major);
            Some(block.error("engine_version", message, help))
        }
        Cloud::DigitalOcean => {
            let message = match known.do_creates_until {
                Some(until) => format!("DigitalOcean creates no PostgreSQL {} since {until}", known.major),
                None => format!("DigitalOcean does not offer PostgreSQL {}", known.major),
            };
            Some(block.error("engine_version", message, help))
        }
        Cloud::Azure => {
            let message =
                format!("Azure no longer creates PostgreSQL {}, so that an apply there is refused", known.major);
            Some(block.warning("engine_version", message, help))
        }
        // Runs the nearest newer one that is there and says so when it does (rule L1).
        Cloud::Local | Cloud::Gcp => None,
    }
}

fn minor(block: &Block, version: Version) -> Option<Diagnostic> {
    let (minor, known) = (version.minor?, versions::find(version.major)?);
    let (major, newest) = (known.major, known.newest_minor);
    if minor > newest {
        let message = format!(
            "PostgreSQL {version} is newer than the newest {major} known here, {major}.{newest} (as of {AS_OF})"
        );
        let help = format!("write {} for the newest {major}, whatever it is", spelled(block, &major.to_string()));
        return Some(block.warning("engine_version", message, help));
    }
    let oldest = known.rds_oldest_minor.filter(|oldest| block.target() == Cloud::Aws && minor < *oldest)?;
    let message = format!(
        "PostgreSQL {version} can no longer be created on RDS; the oldest {major} that it still creates is {major}.{oldest} (as of {AS_OF})"
    );
    let help = if known.community_eol < block.today {
        let ended = known.community_eol;
        let newest = spelled(block, &major.to_string());
        format!(
            "write {}, or {newest} for the newest {major}; community support for {major} ended {ended}",
            advised(block)
        )
    } else {
        format!("write {} for the newest {major}", spelled(block, &major.to_string()))
    };
    Some(block.error("engine_version", message, help))
}

/// The version to write: the newest major but one, which has had its teething, or the newest where there is no other.
pub(super) fn advised(block: &Block) -> String {
    let mut newest = versions::offered(block.target(), block.today).rev();
    let major = match (newest.next(), newest.next()) {
        (Some(_), Some(but_one)) => but_one,
        (Some(only), None) => only,
        (None, _) => versions::newest(block.target()),
    };
    spelled(block, &major.to_string())
}

/// A version in the spelling the user chose.
pub(super) fn spelled(block: &Block, version: &str) -> String {
    match block.called("engine_version") {
        "database_version" => format!("database_version = \"POSTGRES_{version}\""),
        name => format!("{name} = \"{version}\""),
    }
}
