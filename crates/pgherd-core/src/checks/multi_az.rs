//! A standby is one the target can keep.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "multi-az",
    words: "`multi_az` needs a size the target keeps a standby for: not Azure's burstable ones, nor DigitalOcean's with 1 GiB. On Cloud SQL it \
            needs point-in-time recovery.",
    fine: &[
        "multi_az = true\ninstance_class = \"db.t3.small\"",
        "cloud_provider = \"azure\"\nsku_name = \"GP_Standard_D2ds_v5\"\nmulti_az = true",
        "cloud_provider = \"local\"\nmulti_az = true",
        "multi_az = false",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\nmulti_az = true",
            says: &[
                "error multi_az: Azure keeps no standby for B_Standard_B1ms [write sku_name = \"GP_Standard_D2ds_v5\" or larger, or multi_az = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ninstance_class = \"db-s-1vcpu-1gb\"\nmulti_az = true",
            says: &[
                "error multi_az: DigitalOcean keeps no standby for db-s-1vcpu-1gb [write instance_class = \"db-s-1vcpu-2gb\" or larger, or multi_az = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-custom-2-7680\"\nmulti_az = true\nenable_binary_log_backup = false",
            says: &[
                "error multi_az: Cloud SQL keeps a standby only with point-in-time recovery [write enable_binary_log_backup = true, or multi_az = false]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if !block.spec.multi_az {
        return Vec::new();
    }
    let mut out = Vec::new();
    // On `local` the size, whichever cloud's, only says how much memory there is.
    let alone = block.size().filter(|size| !size.standby && block.target() != Cloud::Local);
    if let Some(size) = alone {
        let message = format!("{} keeps no standby for {}", service(block.target()), size.name);
        out.push(block.error("multi_az", message, format!("write {} or larger, or multi_az = false", larger(block))));
    }
    if block.target() == Cloud::Gcp && block.spec.backup.retention_days > 0 && !block.spec.backup.point_in_time {
        let message = "Cloud SQL keeps a standby only with point-in-time recovery";
        out.push(block.error("multi_az", message, "write enable_binary_log_backup = true, or multi_az = false"));
    }
    out
}

/// The smallest size to write for a standby, a replica or a pooler.
pub(super) fn larger(block: &Block) -> String {
    let size = match block.target() {
        Cloud::Azure => "GP_Standard_D2ds_v5",
        Cloud::DigitalOcean => "db-s-1vcpu-2gb",
        Cloud::Gcp => "db-perf-optimized-N-2",
        Cloud::Aws | Cloud::Local => "db.t3.small",
    };
    format!("{} = \"{size}\"", block.called("instance_class"))
}
