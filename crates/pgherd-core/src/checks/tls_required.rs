//! Nobody is let in without TLS by a setting of the cloud's own.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "tls-required",
    words: "Clients have to use TLS; on RDS `rds.force_ssl = 0` lets them in without it. `--accept tls-required` gives that up.",
    fine: &[
        r#"parameters = [{ name = "rds.force_ssl", value = "1" }]"#,
        r#"parameters = [{ name = "ssl", value = "on" }]"#,
    ],
    wrong: &[Wrong {
        block: r#"parameters = [{ name = "rds.force_ssl", value = "0" }]"#,
        says: &[
            "error parameters[0].value: rds.force_ssl = \"0\" lets clients in that do not use TLS [leave it out; it is 1]",
        ],
    }],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let written = block.parameter_written("rds.force_ssl").filter(|_| block.target() == Cloud::Aws);
    let Some((entry, value)) = written else { return Vec::new() };
    if !["0", "off", "false", "no"].contains(&value.to_ascii_lowercase().as_str()) {
        return Vec::new();
    }
    let message = format!("rds.force_ssl = \"{value}\" lets clients in that do not use TLS");
    vec![block.error(&entry.at_value(), message, "leave it out; it is 1")]
}
