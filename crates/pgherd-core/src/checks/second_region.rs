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
            chooses none by itself. On digitalocean `dr_read_replica` is. The other `dr_` variables say how things are there. On gcp and azure \
            this version makes no replica in a second region, and on gcp it names none for backups, so that these are errors. \
            `--accept dr-region-missing` does without the second region.",
    fine: &[
        "dr_region = \"eu-west-1\"\ngeo_redundant_backup = true",
        "aws_region = \"eu-central-1\"\ndr_region = \"eu-west-1\"\ndr_read_replica = true",
        "cloud_provider = \"digitalocean\"\ndo_region = \"fra1\"\ndr_region = \"ams3\"\ndr_read_replica = true",
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
            block: "cloud_provider = \"gcp\"\ngcp_region = \"us-central1\"\ndr_read_replica = true\ngeo_redundant_backup = true",
            says: &[
                "error dr_read_replica: this version makes no replica in a second region on Google Cloud [leave it out]",
                "error geo_redundant_backup: this version names no second region for backups on Google Cloud, which keeps them where the project says [leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\ndr_read_replica = true",
            says: &[
                "error dr_read_replica: this version makes no replica in a second region on Azure [leave it out; geo_redundant_backup = true keeps backups in the paired region]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ndr_read_replica = true",
            says: &[
                "error dr_read_replica: no second region is named to keep the replica in [write dr_region = \"<region>\", another one than the database's]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ndo_region = \"fra1\"\ndr_region = \"fra1\"\ndr_read_replica = true",
            says: &[
                "error dr_region: \"fra1\" is the region of the database itself [write another region, or leave it out]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    match block.target() {
        Cloud::Aws | Cloud::DigitalOcean => {}
        Cloud::Gcp | Cloud::Azure => return without(block),
        Cloud::Local => return Vec::new(),
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

/// Whether a switch is written. A Spec leaves out what has no effect.
fn is_on(block: &Block, name: &str) -> bool {
    block.inputs.get(name).and_then(Value::as_bool) == Some(true)
}

/// What is asked of a second region where this version keeps nothing.
fn without(block: &Block) -> Vec<Diagnostic> {
    const HELP: &str = "leave it out";
    let mut out = Vec::new();
    let is_google = block.target() == Cloud::Gcp;
    if is_on(block, "dr_read_replica") {
        let (cloud, help) = match is_google {
            true => ("Google Cloud", HELP.to_owned()),
            false => ("Azure", format!("{HELP}; geo_redundant_backup = true keeps backups in the paired region")),
        };
        let message = format!("this version makes no replica in a second region on {cloud}");
        out.push(block.error("dr_read_replica", message, help));
    }
    if is_google && is_on(block, "geo_redundant_backup") {
        let message =
            "this version names no second region for backups on Google Cloud, which keeps them where the project says";
        out.push(block.error("geo_redundant_backup", message, HELP));
    }
    out
}

/// What is asked of a second region that nobody named.
fn unnamed(block: &Block) -> Vec<Diagnostic> {
    let is_aws = block.target() == Cloud::Aws;
    // DigitalOcean copies no backups, which is said elsewhere.
    let wanted = [("geo_redundant_backup", "copies"), ("dr_read_replica", "replica")].into_iter();
    let missing = wanted
        .filter(|(name, _)| (is_aws || *name == "dr_read_replica") && is_on(block, name))
        .map(|(name, what)| block.error(name, format!("no second region is named to keep the {what} in"), HELP));
    let placed = ["dr_vpc_id", "dr_subnet_ids", "dr_security_group_ids", "dr_kms_key_id"].into_iter();
    let in_vain = placed
        .filter(|name| (is_aws || *name == "dr_vpc_id") && block.written(name).is_some())
        .map(|name| block.warning(name, "nothing is kept in a second region, as none is named", HELP));
    missing.chain(in_vain).collect()
}
