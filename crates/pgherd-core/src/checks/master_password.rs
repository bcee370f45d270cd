//! The administrator's password is one every client can be given.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "master-password",
    words: "`master_password` has 8 to 128 printable ASCII characters and none of / @ \" and space (on RDS nor '), because RDS refuses them and \
            connection strings break on them. Left out, one is generated and kept.",
    fine: &[r#"master_password = "correct-horse-9""#, ""],
    wrong: &[
        Wrong {
            block: r#"master_password = "short""#,
            says: &[
                "error master_password: the password has 5 characters; 8 to 128 are allowed [write another, or leave master_password out and one is generated and kept]",
            ],
        },
        Wrong {
            block: r#"master_password = "p@ssword-with-at""#,
            says: &[
                "error master_password: the password holds one of / @ \" ' and space [write another, or leave master_password out and one is generated and kept]",
            ],
        },
        Wrong {
            block: r#"master_password = "pässwörter""#,
            says: &[
                "error master_password: the password holds a character that is not printable ASCII [write another, or leave master_password out and one is generated and kept]",
            ],
        },
        Wrong {
            block: r#"master_password = "it's-a-secret""#,
            says: &[
                "error master_password: the password holds one of / @ \" ' and space [write another, or leave master_password out and one is generated and kept]",
            ],
        },
    ],
    rule,
};

/// Never quotes the password, nor a character of it beyond those that are not allowed.
fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some(password) = block.spec.master_password.known().and_then(|secret| secret.reveal()) else {
        return Vec::new();
    };
    let length = password.chars().count();
    let forbidden = |c: char| matches!(c, '/' | '@' | '"' | ' ') || (c == '\'' && block.target() == Cloud::Aws);
    let problem = if !(8..=128).contains(&length) {
        format!("has {length} characters; 8 to 128 are allowed")
    } else if password.chars().any(|c| !c.is_ascii() || c.is_ascii_control()) {
        "holds a character that is not printable ASCII".to_owned()
    } else if password.contains(forbidden) {
        match block.target() {
            Cloud::Aws => "holds one of / @ \" ' and space".to_owned(),
            Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => {
                "holds one of / @ \" and space".to_owned()
            }
        }
    } else {
        return Vec::new();
    };
    let help = "write another, or leave master_password out and one is generated and kept";
    vec![block.error("master_password", format!("the password {problem}"), help)]
}
