//! The last backup can be taken more than once in the life of a name.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "final-snapshot",
    words: "A fixed `final_snapshot_identifier` is taken after the first destroy, because that snapshot is still there: on AWS the next one gets the \
            time behind that name, on Google Cloud the name is a description that several may have, on Azure and DigitalOcean there is no last backup; left out, a name with the time is made. It is 1 to 255 letters, digits and single hyphens and begins with a letter.",
    fine: &[
        "skip_final_snapshot = false",
        "skip_final_snapshot = true",
        "cloud_provider = \"digitalocean\"\nfinal_snapshot_identifier = \"orders-final\"",
    ],
    wrong: &[
        Wrong {
            block: r#"final_snapshot_identifier = "orders-final""#,
            says: &[
                "note final_snapshot_identifier: should a snapshot \"orders-final\" be there already, the last one is called \"orders-final-<time>\" [leave it out and \"database-final-<time>\" is used]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nfinal_snapshot_identifier = \"orders-final\"",
            says: &[
                "note final_snapshot_identifier: Cloud SQL names backups itself: \"orders-final\" is the description of the last one, which several may have [leave it out and \"database-final-<time>\" is used]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nfinal_snapshot_identifier = \"orders-final\"",
            says: &[
                "warning final_snapshot_identifier: Azure keeps no backup of a server that is deleted, so that nothing is called that [leave it out, and take a dump before a destroy]",
            ],
        },
        Wrong {
            block: r#"final_snapshot_identifier = "orders_final""#,
            says: &[
                "error final_snapshot_identifier: \"orders_final\" is no name of a snapshot: letters, digits and single hyphens, a letter first [leave it out and \"database-final-<time>\" is used]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    // DigitalOcean takes no last backup, which a destroy says.
    let takes_one = !block.spec.backup.skip_final && block.target() != Cloud::DigitalOcean;
    let Some(name) = block.spec.backup.final_name.as_deref().filter(|_| takes_one) else {
        return Vec::new();
    };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let at = "final_snapshot_identifier";
    if !name.split('-').all(is_word) || !name.starts_with(|first: char| first.is_ascii_alphabetic()) || name.len() > 255
    {
        let message =
            format!("\"{name}\" is no name of a snapshot: letters, digits and single hyphens, a letter first");
        return vec![block.error(
            at,
            message,
            format!("leave it out and \"{}-final-<time>\" is used", block.spec.name),
        )];
    }
    let help = format!("leave it out and \"{}-final-<time>\" is used", block.spec.name);
    match block.target() {
        // The repository of each life of a database is its own; DigitalOcean was taken care of above.
        Cloud::Local | Cloud::DigitalOcean => Vec::new(),
        Cloud::Aws => {
            let message =
                format!("should a snapshot \"{name}\" be there already, the last one is called \"{name}-<time>\"");
            vec![block.note(at, message, help)]
        }
        Cloud::Gcp => {
            let message = format!(
                "Cloud SQL names backups itself: \"{name}\" is the description of the last one, which several may have"
            );
            vec![block.note(at, message, help)]
        }
        Cloud::Azure => {
            let message = "Azure keeps no backup of a server that is deleted, so that nothing is called that";
            vec![block.warning(at, message, "leave it out, and take a dump before a destroy")]
        }
    }
}
