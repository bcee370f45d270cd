//! The version is still looked after.

use jiff::civil::Date;

use super::block::{Block, service};
use super::version_offered::{self, advised};
use super::{Check, Wrong};
use crate::catalogue::versions::{self, Major};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "version-end-of-life",
    words: "The community still supports the major; if not, until when the target does and what it bills after that. Half a year before the end \
            there is a note.",
    fine: &[r#"engine_version = "16""#, ""],
    wrong: &[
        Wrong {
            block: r#"engine_version = "14.18""#,
            says: &[
                "warning engine_version: community support for PostgreSQL 14 ended 2026-11-12; RDS has it in standard support until 2027-02-28 [write engine_version = \"17\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ndatabase_version = \"POSTGRES_14\"",
            says: &[
                "warning database_version: community support for PostgreSQL 14 ended 2026-11-12; Cloud SQL bills extended support for it after 2027-01-31 [write database_version = \"POSTGRES_17\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ndatabase_version = \"POSTGRES_13\"",
            says: &[
                "warning database_version: community support for PostgreSQL 13 ended 2025-11-13, and Cloud SQL bills extended support for it [write database_version = \"POSTGRES_17\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nengine_version = \"14.9\"",
            says: &[
                "warning engine_version: community support for PostgreSQL 14 ended 2026-11-12 [write engine_version = \"17\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nserver_version = \"14\"",
            says: &[
                "warning server_version: community support for PostgreSQL 14 ended 2026-11-12; Azure has it in standard support until 2026-12-11 [write server_version = \"17\"]",
            ],
        },
    ],
    rule,
};

const NOTICE_DAYS: i32 = 180;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let known = block.spec.engine_version.and_then(|version| versions::find(version.major));
    let Some(known) = known else { return Vec::new() };
    // What the target does not create has been said, with what to write.
    if !version_offered::rule(block).is_empty() {
        return Vec::new();
    }
    let at = if block.written("engine_version").is_some() { "engine_version" } else { "parameter_group_family" };
    let help = format!("write {}", advised(block));
    if known.community_eol < block.today {
        return vec![block.warning(at, ended(known, block.target(), block.today), help)];
    }
    let until = known.supported_until(block.target()).min(known.community_eol);
    let days = block.today.until(until).map_or(i32::MAX, |span| span.get_days());
    if days > NOTICE_DAYS {
        return Vec::new();
    }
    let message = format!("support for PostgreSQL {} ends {until}, in {days} days", known.major);
    vec![block.note(at, message, help)]
}

fn ended(known: &Major, cloud: Cloud, today: Date) -> String {
    let community = format!("community support for PostgreSQL {} ended {}", known.major, known.community_eol);
    let until = known.supported_until(cloud);
    match cloud {
        Cloud::Local | Cloud::DigitalOcean => community,
        Cloud::Gcp if until < today => format!("{community}, and Cloud SQL bills extended support for it"),
        Cloud::Gcp => format!("{community}; Cloud SQL bills extended support for it after {until}"),
        Cloud::Aws | Cloud::Azure if until < today => {
            format!("{community}, and {} bills extended support for it", service(cloud))
        }
        Cloud::Aws | Cloud::Azure => {
            format!("{community}; {} has it in standard support until {until}", service(cloud))
        }
    }
}
