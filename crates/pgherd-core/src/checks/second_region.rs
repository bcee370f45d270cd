//! What is to be kept in a second region has one.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

const HELP: &str = "write dr_region = \"<region>\", another one than the database's";

pub(super) const CHECK: Check = Check {
    code: "dr-region-missing",
    words: "On aws `geo_redundant_backup` and `dr_read_replica` are kept in `dr_region`, which is another region than the database's: AWS \
            chooses none by itself.",
    fine: &[
        "dr_region = \"eu-west-1\"\ngeo_redundant_backup = true",
        "aws_region = \"eu-central-1\"\ndr_region = \"eu-west-1\"\ndr_read_replica = true",
        "cloud_provider = \"azure\"\ngeo_redundant_backup = true",
    ],
    wrong: &[
        Wrong {
            block: "geo_redundant_backup = true",
            says: &[
                "error geo_redundant_backup: no second region is named to keep the copies in [write dr_region = \"<region>\", another one than the database's]",
            ],
        },
        Wrong {
            block: "dr_read_replica = true",
            says: &[
                "error dr_read_replica: no second region is named to keep the replica in [write dr_region = \"<region>\", another one than the database's]",
            ],
        },
        Wrong {
            block: "aws_region = \"eu-west-1\"\ndr_region = \"eu-west-1\"\ngeo_redundant_backup = true",
            says: &[
                "error dr_region: \"eu-west-1\" is the region of the database itself [write another region, or leave it out]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::Aws {
        return Vec::new();
    }
    match &block.spec.dr {
        Some(recovery) => match (recovery.region.known(), block.spec.place.region.known()) {
            (Some(there), Some(here)) if there == here => {
                let message = format!("\"{there}\" is the region of the database itself");
                vec![block.error("dr_region", message, "write another region, or leave it out")]
            }
            _ => Vec::new(),
        },
        None => {
            let wanted = [("geo_redundant_backup", "copies"), ("dr_read_replica", "replica")];
            let is_on = |name: &str| block.inputs.get(name).and_then(Value::as_bool) == Some(true);
            wanted
                .into_iter()
                .filter(|(name, _)| is_on(name))
                .map(|(name, what)| block.error(name, format!("no second region is named to keep the {what} in"), HELP))
                .collect()
        }
    }
}
