//! Option groups are asked for where there are any.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "option-group",
    words: "`option_group_name` has no effect outside of AWS, and RDS has only the default option groups for PostgreSQL.",
    fine: &[r#"option_group_name = "default:postgres-16""#, ""],
    wrong: &[
        Wrong {
            block: r#"option_group_name = "ours""#,
            says: &[
                "warning option_group_name: PostgreSQL has no options on RDS, and \"ours\" is not its default option group [leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\noption_group_name = \"default:postgres-16\"",
            says: &["warning option_group_name: option groups have no effect on local [leave it out]"],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some(name) = block.inputs.get("option_group_name").and_then(Value::as_text) else {
        return Vec::new();
    };
    let at = "option_group_name";
    // What was written is asked, because a Spec leaves out what has no effect.
    match block.target() {
        Cloud::Aws if name.starts_with("default:postgres-") => Vec::new(),
        Cloud::Aws => {
            let message = format!("PostgreSQL has no options on RDS, and \"{name}\" is not its default option group");
            vec![block.warning(at, message, "leave it out")]
        }
        Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => {
            vec![block.warning(at, format!("option groups have no effect on {}", block.target()), "leave it out")]
        }
    }
}
