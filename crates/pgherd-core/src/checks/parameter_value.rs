//! Values of parameters are ones the server takes.

use super::block::{Block, Entry};
use super::{Check, Wrong};
use crate::catalogue::parameters::{self, owned};
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-value",
    words: "Every value in `parameters` is read as the server would: units (B kB MB GB TB, us ms s min h d, upper and lower case as here), ranges, \
            the words of an enum, every spelling of on and off.",
    fine: &[
        r#"parameters = [{ name = "shared_buffers", value = "256MB" }, { name = "log_connections", value = "on" }]"#,
        r#"parameters = [{ name = "max_connections", value = 200 }, { name = "jit", value = false }]"#,
        r#"parameters = [{ name = "checkpoint_completion_target", value = "0.9" }]"#,
        r#"parameters = [{ name = "max_connections", value = "{DBInstanceClassMemory/9531392}" }]"#,
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "shared_buffers", value = "256mb" }]"#,
            says: &[
                "error parameters[0].value: \"mb\" in \"256mb\" is no unit of shared_buffers [its units are TB, GB, MB, kB, B, upper and lower case as here]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "max_connections", value = "0" }]"#,
            says: &["error parameters[0].value: max_connections = \"0\" is outside of 1 to 262143 [write 1 to 262143]"],
        },
        Wrong {
            block: r#"parameters = [{ name = "log_statement", value = "everything" }]"#,
            says: &[
                "error parameters[0].value: log_statement takes none, ddl, mod or all, not \"everything\" [write \"none\", \"ddl\", \"mod\" or \"all\"]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "jit", value = "maybe" }]"#,
            says: &["error parameters[0].value: jit takes on or off, not \"maybe\" [write \"on\" or \"off\"]"],
        },
        Wrong {
            block: r#"parameters = [{ name = "work_mem", value = "lots" }]"#,
            says: &["error parameters[0].value: work_mem takes a number, not \"lots\" [write 64kB to 2TB]"],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nparameters = [{ name = \"max_connections\", value = \"{DBInstanceClassMemory/9531392}\" }]",
            says: &[
                "error parameters[0].value: max_connections takes a number, not \"{DBInstanceClassMemory/9531392}\" [write 1 to 262143]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    block.parameters().into_iter().filter_map(|entry| one(block, &entry)).collect()
}

fn one(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let (known, value) = (block.parameter(&entry.name)?, entry.value.as_deref()?);
    if owned::find(&entry.name).is_some() || known.context == parameters::Context::Internal || is_formula(block, value)
    {
        return None;
    }
    let refused = parameters::parse(known, value).err()?;
    Some(block.error(&entry.at_value(), refused.message, refused.help))
}

/// RDS computes formulas such as `{DBInstanceClassMemory/9531392}` or `LEAST(...)` itself.
fn is_formula(block: &Block, value: &str) -> bool {
    let functions = ["LEAST(", "GREATEST(", "SUM("];
    block.target() == crate::cloud::Cloud::Aws
        && (value.starts_with('{') && value.ends_with('}')
            || functions.iter().any(|function| value.to_ascii_uppercase().starts_with(function)))
}
