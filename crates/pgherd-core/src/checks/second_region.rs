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
            chooses none by itself. The other `dr_` variables say how things are there. `--accept dr-region-missing` does without the \
            second region. On gcp this version makes no replica in a second region, so that `dr_read_replica` has to be done without in the same words.",
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
            block: "dr_subnet_ids = [\"subnet-1\", \"subnet-2\"]",
            says: &[
                "warning dr_subnet_ids: nothing is kept in a second region, as none is named [write dr_region = \"<region>\", another one than the database's]",
            ],
        },
        Wrong {
            block: "aws_region = \"eu-west-1\"\ndr_region = \"eu-west-1\"\ngeo_redundant_backup = true",
            says: &[
                "error dr_region: \"eu-west-1\" is the region of the database itself [write another region, or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ngcp_region = \"us-central1\"\ndr_read_replica = true",
            says: &[
                "error dr_read_replica: this version makes no replica in a second region on Google Cloud [leave it out: backups are in several regions near the instance anyway]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    match block.target() {
        Cloud::Aws => {}
        Cloud::Gcp if block.inputs.get("dr_read_replica").and_then(Value::as_bool) == Some(true) => {
            let message = "this version makes no replica in a second region on Google Cloud";
            let help = "leave it out: backups are in several regions near the instance anyway";
            return vec![block.error("dr_read_replica", message, help)];
        }
        Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => return Vec::new(),
    }
    match &block.spec.dr {
        Some(recovery) => match (recovery.region.known(), block.spec.place.region.known()) {
            (Some(there), Some(here)) if there == here => {
                let message = format!("\"{there}\" is the region of the database itself");
                // Nothing that could be done without: it would be made in the same region.
                vec![Diagnostic {
                    code: "dr-region",
                    ..block.error("dr_region", message, "write another region, or leave it out")
                }]
            }
            _ => Vec::new(),
        },
        None => unnamed(block),
    }
}

/// What is asked of a second region that nobody named.
fn unnamed(block: &Block) -> Vec<Diagnostic> {
    let is_on = |name: &str| block.inputs.get(name).and_then(Value::as_bool) == Some(true);
    let wanted = [("geo_redundant_backup", "copies"), ("dr_read_replica", "replica")].into_iter();
    let missing = wanted
        .filter(|(name, _)| is_on(name))
        .map(|(name, what)| block.error(name, format!("no second region is named to keep the {what} in"), HELP));
    let placed = ["dr_vpc_id", "dr_subnet_ids", "dr_security_group_ids", "dr_kms_key_id"].into_iter();
    let in_vain = placed
        .filter(|name| block.written(name).is_some())
        .map(|name| block.warning(name, "nothing is kept in a second region, as none is named", HELP));
    missing.chain(in_vain).collect()
}
