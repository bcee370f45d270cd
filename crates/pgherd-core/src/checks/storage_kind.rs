//! The kind of storage is one of the target's.

use super::block::{Block, or, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "storage-kind",
    words: "`storage_type` is one of the target's: gp2, gp3, io1 or io2 on RDS, PD_SSD or PD_HDD on Cloud SQL (HYPERDISK_BALANCED with db-c4a \
            tiers), Premium_LRS or PremiumV2_LRS on Azure. Another cloud's word is taken as the nearest of the target's with a warning \
            (`storage-mapped`), where there is one. DigitalOcean and `local` take any and only record it.",
    fine: &[
        r#"storage_type = "gp3""#,
        "cloud_provider = \"gcp\"\ndisk_type = \"PD_HDD\"",
        "cloud_provider = \"local\"\nstorage_type = \"gp2\"",
        "cloud_provider = \"azure\"\nstorage_type = \"Premium_LRS\"",
        "cloud_provider = \"gcp\"\nstorage_type = \"gp3\"",
        "cloud_provider = \"azure\"\nstorage_type = \"gp2\"",
        "cloud_provider = \"gcp\"\ntier = \"db-c4a-highmem-2\"\ndisk_type = \"HYPERDISK_BALANCED\"",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\ndisk_type = \"PD_SDD\"",
            says: &[
                "error disk_type: \"PD_SDD\" is no kind of storage on Cloud SQL [write \"PD_SSD\"; Cloud SQL has PD_SSD or PD_HDD]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nstorage_type = \"io2\"",
            says: &[
                "error storage_type: \"io2\" is no kind of storage on Cloud SQL [write \"PD_SSD\", or take a tier such as \"db-c4a-highmem-2\", which has HYPERDISK_BALANCED; Cloud SQL has PD_SSD or PD_HDD]",
            ],
        },
        Wrong {
            block: r#"storage_type = "gp4""#,
            says: &[
                "error storage_type: \"gp4\" is no kind of storage on RDS [write \"gp3\"; RDS has gp2, gp3, io1 or io2]",
            ],
        },
        Wrong {
            block: r#"storage_type = "gp2""#,
            says: &[
                "note storage_type: gp2 has 3 IOPS a GiB, and gp3 has 3000 and more at any size for no more [write \"gp3\"]",
            ],
        },
        Wrong {
            block: r#"storage_type = "standard""#,
            says: &[
                "error storage_type: magnetic storage (\"standard\") is not offered for new instances [write \"gp3\"; RDS has gp2, gp3, io1 or io2]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\nstorage_type = \"PremiumV2_LRS\"\nstorage_iops = 3000",
            says: &[
                "error storage_type: Azure has no PremiumV2_LRS for the burstable size B_Standard_B1ms [write \"Premium_LRS\", or a General Purpose size such as \"GP_Standard_D2ds_v5\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let cloud = block.target();
    let Some(kind) = block.spec.storage.kind.as_deref() else { return Vec::new() };
    let is_c4a = block.spec.size.name.starts_with("db-c4a-");
    let kinds: &[&str] = match cloud {
        Cloud::Aws => &["gp2", "gp3", "io1", "io2"],
        Cloud::Gcp if is_c4a => &["HYPERDISK_BALANCED"],
        Cloud::Gcp => &["PD_SSD", "PD_HDD"],
        Cloud::Azure => &["Premium_LRS", "PremiumV2_LRS"],
        Cloud::DigitalOcean | Cloud::Local => return Vec::new(),
    };
    if kinds.contains(&kind) {
        return on_burstable(block, kind).into_iter().chain(older(block, kind)).collect();
    }
    let message = match (cloud, kind) {
        (Cloud::Aws, "standard") => "magnetic storage (\"standard\") is not offered for new instances".to_owned(),
        _ => format!("\"{kind}\" is no kind of storage on {}", service(cloud)),
    };
    let other = match (cloud, is_c4a, is_provisioned(kind)) {
        (Cloud::Gcp, false, true) => ", or take a tier such as \"db-c4a-highmem-2\", which has HYPERDISK_BALANCED",
        _ => "",
    };
    let near = if is_c4a && cloud == Cloud::Gcp { "HYPERDISK_BALANCED" } else { nearest(kind, cloud) };
    let help = format!("write \"{near}\"{other}; {} has {}", service(cloud), or(kinds));
    vec![block.error("storage_type", message, help)]
}

fn on_burstable(block: &Block, kind: &str) -> Option<Diagnostic> {
    (kind == "PremiumV2_LRS" && block.spec.size.burstable).then(|| {
        let message = format!("Azure has no PremiumV2_LRS for the burstable size {}", block.spec.size.name);
        block.error(
            "storage_type",
            message,
            "write \"Premium_LRS\", or a General Purpose size such as \"GP_Standard_D2ds_v5\"",
        )
    })
}

/// Of gp2 nobody asks because it is better (Amazon RDS User Guide, "General Purpose SSD storage").
fn older(block: &Block, kind: &str) -> Option<Diagnostic> {
    let message = "gp2 has 3 IOPS a GiB, and gp3 has 3000 and more at any size for no more";
    // From 1000 GiB on gp2 has more than those.
    let slower = block.spec.storage.allocated_gib < 1000;
    (kind == "gp2" && slower && block.written("storage_type").is_some())
        .then(|| block.note("storage_type", message, "write \"gp3\""))
}

fn is_provisioned(kind: &str) -> bool {
    ["io1", "io2"].contains(&kind) || kind.eq_ignore_ascii_case("PremiumV2_LRS") || kind.starts_with("HYPERDISK")
}

/// The kind that stands for another cloud's, or for a mistyped one.
fn nearest(kind: &str, cloud: Cloud) -> &'static str {
    let provisioned = is_provisioned(kind);
    let slow = kind.eq_ignore_ascii_case("standard") || kind.eq_ignore_ascii_case("PD_HDD");
    match cloud {
        Cloud::Gcp if slow => "PD_HDD",
        Cloud::Gcp => "PD_SSD",
        Cloud::Azure if provisioned => "PremiumV2_LRS",
        Cloud::Azure => "Premium_LRS",
        Cloud::Aws | Cloud::DigitalOcean | Cloud::Local if provisioned => "io2",
        Cloud::Aws | Cloud::DigitalOcean | Cloud::Local => "gp3",
    }
}
