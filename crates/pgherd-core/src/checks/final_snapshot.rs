//! The last backup can be taken more than once in the life of a name.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "final-snapshot",
    words: "A fixed `final_snapshot_identifier` makes the second destroy of that name fail, because the snapshot of the first is still there; left \
            out, a name with the time is made. It is 1 to 255 letters, digits and single hyphens and begins with a letter.",
    fine: &[
        "skip_final_snapshot = false",
        "skip_final_snapshot = true",
        "cloud_provider = \"digitalocean\"\nfinal_snapshot_identifier = \"orders-final\"",
    ],
    wrong: &[
        Wrong {
            block: r#"final_snapshot_identifier = "orders-final""#,
            says: &[
                "warning final_snapshot_identifier: destroying a second instance of this name fails, because the snapshot \"orders-final\" of the first is still there [leave it out and \"database-final-<time>\" is used]",
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
    let message = format!(
        "destroying a second instance of this name fails, because the snapshot \"{name}\" of the first is still there"
    );
    vec![block.warning(at, message, format!("leave it out and \"{}-final-<time>\" is used", block.spec.name))]
}
