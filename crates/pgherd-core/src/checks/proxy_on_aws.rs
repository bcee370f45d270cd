//! What RDS Proxy does not do as PgBouncer does.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Proxy;

pub(super) const CHECK: Check = Check {
    code: "proxy-on-aws",
    words: "`enable_proxy` on RDS is RDS Proxy: it exchanges connections between transactions only, knows no limit of clients, and leads to the \
            primary. A session that uses what belongs to a session keeps its connection.",
    fine: &[
        "enable_proxy = true",
        "enable_proxy = true\nproxy_config = { pool_mode = \"transaction\" }",
        "cloud_provider = \"local\"\nenable_proxy = true\nproxy_config = { pool_mode = \"session\" }",
        "enable_proxy = false\nproxy_config = { pool_mode = \"session\" }",
    ],
    wrong: &[
        Wrong {
            block: "enable_proxy = true\nproxy_config = { pool_mode = \"session\" }",
            says: &[
                "error proxy_config.pool_mode: RDS Proxy exchanges connections between transactions, and pool_mode = \"session\" is nothing it has [write pool_mode = \"transaction\", or enable_proxy = false]",
            ],
        },
        Wrong {
            block: "enable_proxy = true\ncreate_read_replica = true\nproxy_config = { max_client_conn = 500, default_pool_size = 50 }",
            says: &[
                "note proxy_config.max_client_conn: RDS Proxy has no limit of clients, so 500 is not set there [nothing is to be done]",
                "note proxy_config.default_pool_size: RDS Proxy counts the connections of all users together, as a part of max_connections [nothing is to be done]",
                "note enable_proxy: RDS Proxy leads to the primary only [connect to read_replica_endpoints for reading]",
            ],
        },
    ],
    rule,
};

/// The defaults of `proxy_config` (variables.md).
const DEFAULT_POOL_SIZE: u32 = 20;
const MAX_CLIENT_CONN: u32 = 100;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some(proxy) = block.spec.proxy.as_ref().filter(|_| block.target() == Cloud::Aws) else { return Vec::new() };
    mode(block, proxy).into_iter().chain(differences(block, proxy)).collect()
}

fn mode(block: &Block, proxy: &Proxy) -> Option<Diagnostic> {
    // Words that are no mode at all are said elsewhere.
    let mode = proxy.pool_mode.as_str();
    matches!(mode, "session" | "statement").then(|| {
        let message = format!(
            "RDS Proxy exchanges connections between transactions, and pool_mode = \"{mode}\" is nothing it has"
        );
        block.error("proxy_config.pool_mode", message, "write pool_mode = \"transaction\", or enable_proxy = false")
    })
}

fn differences(block: &Block, proxy: &Proxy) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    // Nobody asked for the defaults.
    if proxy.max_client_conn != MAX_CLIENT_CONN {
        let message = format!("RDS Proxy has no limit of clients, so {} is not set there", proxy.max_client_conn);
        out.push(block.note("proxy_config.max_client_conn", message, "nothing is to be done"));
    }
    if proxy.default_pool_size != DEFAULT_POOL_SIZE {
        let message = "RDS Proxy counts the connections of all users together, as a part of max_connections";
        out.push(block.note("proxy_config.default_pool_size", message, "nothing is to be done"));
    }
    if block.spec.replicas > 0 {
        let help = "connect to read_replica_endpoints for reading";
        out.push(block.note("enable_proxy", "RDS Proxy leads to the primary only", help));
    }
    out
}
