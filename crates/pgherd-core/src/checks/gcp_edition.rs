//! Cloud SQL's edition is one, and the tier belongs to it.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "gcp-edition",
    words: "`gcp_edition` is ENTERPRISE or ENTERPRISE_PLUS, and the tier is one of that edition: shared-core and custom tiers are ENTERPRISE, \
            db-perf-optimized-N and db-c4a tiers are ENTERPRISE_PLUS.",
    fine: &[
        "cloud_provider = \"gcp\"\ntier = \"db-f1-micro\"\ngcp_edition = \"ENTERPRISE\"",
        "cloud_provider = \"gcp\"\ntier = \"db-perf-optimized-N-2\"",
        "cloud_provider = \"gcp\"\ninstance_class = \"db.r5.large\"\ngcp_edition = \"ENTERPRISE_PLUS\"",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-f1-micro\"\ngcp_edition = \"ENTERPRISE_PLUS\"",
            says: &[
                "error gcp_edition: tier db-f1-micro is of edition ENTERPRISE, not ENTERPRISE_PLUS [write gcp_edition = \"ENTERPRISE\", or tier = \"db-perf-optimized-N-2\" or larger]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ngcp_edition = \"PLUS\"",
            says: &[
                "error gcp_edition: \"PLUS\" is no edition of Cloud SQL [write \"ENTERPRISE\" or \"ENTERPRISE_PLUS\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some(edition) = block.spec.place.gcp_edition.as_deref().filter(|_| block.target() == Cloud::Gcp) else {
        return Vec::new();
    };
    if !["ENTERPRISE", "ENTERPRISE_PLUS"].contains(&edition) {
        let message = format!("\"{edition}\" is no edition of Cloud SQL");
        return vec![block.error("gcp_edition", message, "write \"ENTERPRISE\" or \"ENTERPRISE_PLUS\"")];
    }
    let size = block.size().filter(|size| size.edition.as_deref().is_some_and(|of_size| of_size != edition));
    let Some((size, of_size)) = size.and_then(|size| Some((size.name, size.edition?))) else { return Vec::new() };
    let message = format!("tier {size} is of edition {of_size}, not {edition}");
    let help = match edition {
        "ENTERPRISE" => format!("write gcp_edition = \"{of_size}\", or a db-custom tier"),
        _ => format!("write gcp_edition = \"{of_size}\", or tier = \"db-perf-optimized-N-2\" or larger"),
    };
    vec![block.error("gcp_edition", message, help)]
}
