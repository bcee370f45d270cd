//! `apply_method` is one of the two there are, and one that the parameter can have.

use super::block::{Block, Entry};
use super::{Check, Wrong};
use crate::catalogue::{nearest, parameters::Context};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "parameter-apply-method",
    words: "`apply_method` of a parameter is immediate or pending-reboot; RDS refuses immediate for one that changes only with a restart.",
    fine: &[
        r#"parameters = [{ name = "work_mem", value = "8MB", apply_method = "immediate" }]"#,
        r#"parameters = [{ name = "max_connections", value = "200", apply_method = "pending-reboot" }]"#,
        r#"parameters = [{ name = "max_connections", value = "200" }]"#,
        "cloud_provider = \"gcp\"\nparameters = [{ name = \"max_connections\", value = \"200\", apply_method = \"immediate\" }]",
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "work_mem", value = "8MB", apply_method = "pending_reboot" }]"#,
            says: &[
                "error parameters[0].apply_method: \"pending_reboot\" is no apply_method [did you mean \"pending-reboot\"?]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "work_mem", value = "8MB", apply_method = "now" }, { name = "jit", value = "on", apply_method = "" }]"#,
            says: &[
                "error parameters[0].apply_method: \"now\" is no apply_method [write \"immediate\" or \"pending-reboot\", or leave it out: pgherd knows which one it needs]",
                "error parameters[1].apply_method: \"\" is no apply_method [write \"immediate\" or \"pending-reboot\", or leave it out: pgherd knows which one it needs]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "max_connections", value = "200", apply_method = "immediate" }]"#,
            says: &[
                "error parameters[0].apply_method: max_connections changes only with a restart, and RDS refuses apply_method = \"immediate\" for it [write \"pending-reboot\", or leave it out]",
            ],
        },
    ],
    rule,
};

const METHODS: [&str; 2] = ["immediate", "pending-reboot"];

fn rule(block: &Block) -> Vec<Diagnostic> {
    block.parameters().iter().filter_map(|entry| one(block, entry)).collect()
}

fn one(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let written = block.inputs.get("parameters")?.as_list()?.get(entry.index)?.as_map()?.get("apply_method");
    let method = written.and_then(Value::as_text)?;
    let at = format!("parameters[{}].apply_method", entry.index);
    if !METHODS.contains(&method) {
        let help = match nearest(method, METHODS.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => {
                "write \"immediate\" or \"pending-reboot\", or leave it out: pgherd knows which one it needs".to_owned()
            }
        };
        return Some(block.error(&at, format!("\"{method}\" is no apply_method"), help));
    }
    let needs_restart = block.parameter(&entry.name).is_some_and(|known| known.context == Context::Postmaster);
    (method == "immediate" && needs_restart && block.target() == Cloud::Aws).then(|| {
        let name = &entry.name;
        let message =
            format!("{name} changes only with a restart, and RDS refuses apply_method = \"immediate\" for it");
        block.error(&at, message, "write \"pending-reboot\", or leave it out")
    })
}
