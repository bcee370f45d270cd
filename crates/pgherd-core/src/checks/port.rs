//! The port is one the target listens on.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "port",
    words: "`port` is 1150 to 65535, the ports of RDS; the same holds on `local`, where a server that is not root cannot have the lowest ones.",
    fine: &["port = 5433", "cloud_provider = \"local\"\nport = 1150", ""],
    wrong: &[
        Wrong {
            block: "port = 80",
            says: &[
                "error port: port 80 is below 1150, the least RDS takes [write 5432, or another from there to 65535]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nport = 1149",
            says: &[
                "error port: port 1149 is below 1150, the least the local provider takes [write 5432, or another from there to 65535]",
            ],
        },
    ],
    rule,
};

/// `CreateDBInstance`, "Port": 1150-65535.
const LEAST: u16 = 1150;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let port = block.spec.network.port.filter(|_| matches!(block.target(), Cloud::Aws | Cloud::Local));
    let Some(port) = port.filter(|port| *port < LEAST) else { return Vec::new() };
    let message = format!("port {port} is below {LEAST}, the least {} takes", service(block.target()));
    vec![block.error("port", message, "write 5432, or another from there to 65535")]
}
