//! As many connections as the size bears.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::text;

pub(super) const CHECK: Check = Check {
    code: "max-connections",
    words: "`max_connections` above what the cloud sets for the size itself is warned about: each connection takes memory, and a pooler bears more \
            clients.",
    fine: &[
        "instance_class = \"db.t3.micro\"\nparameters = [{ name = \"max_connections\", value = \"100\" }]",
        "cloud_provider = \"local\"\ninstance_class = \"db.t3.micro\"\nparameters = [{ name = \"max_connections\", value = \"500\" }]",
    ],
    wrong: &[
        Wrong {
            block: "instance_class = \"db.t3.micro\"\nparameters = [{ name = \"max_connections\", value = \"200\" }]",
            says: &[
                "warning parameters[0].value: max_connections = 200 is more than the 112 that db.t3.micro with its 1 GiB is made for [write 112 or fewer, a larger size, or enable_proxy = true to share connections]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\nparameters = [{ name = \"max_connections\", value = \"200\" }]",
            says: &[
                "warning parameters[0].value: max_connections = 200 is more than the 50 that B_Standard_B1ms with its 2 GiB is made for [write 50 or fewer, a larger size, or enable_proxy = true to share connections]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() == Cloud::Local {
        return Vec::new();
    }
    let Some((entry, asked)) = block.parameter_int("max_connections") else { return Vec::new() };
    let Some((size, usual)) =
        block.size().and_then(|size| Some((size.clone(), u64::from(size.connections_at_most()?))))
    else {
        return Vec::new();
    };
    if asked <= usual {
        return Vec::new();
    }
    let memory = text::mebibytes(size.memory_mib);
    let message =
        format!("max_connections = {asked} is more than the {usual} that {} with its {memory} is made for", size.name);
    let help = format!("write {usual} or fewer, a larger size, or enable_proxy = true to share connections");
    vec![block.warning(&entry.at_value(), message, help)]
}
