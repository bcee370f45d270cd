//! The pooler can do what it is asked.

use super::block::{Block, or, service};
use super::multi_az::larger;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Proxy;

pub(super) const CHECK: Check = Check {
    code: "proxy",
    words: "`proxy_config.pool_mode` is session, transaction or statement; sizes are at least 1; a pool is no larger than the connections it can \
            have; no database behind a pooler is called `pgbouncer`, which is the name of its console. The values are looked at behind \
            `enable_proxy = false` too. Azure has no pooler in front of burstable sizes, and Cloud SQL one of ENTERPRISE_PLUS only.",
    fine: &[
        "proxy_config = { pool_mode = \"transaction\", default_pool_size = 20, max_client_conn = 100 }",
        "enable_proxy = true\nparameters = [{ name = \"max_connections\", value = \"100\" }]",
    ],
    wrong: &[
        Wrong {
            block: r#"proxy_config = { pool_mode = "transactional" }"#,
            says: &["error proxy_config.pool_mode: \"transactional\" is no pool mode [did you mean \"transaction\"?]"],
        },
        Wrong {
            block: "enable_proxy = false\nproxy_config = { pool_mode = \"transactional\", max_client_conn = 0 }",
            says: &[
                "error proxy_config.pool_mode: \"transactional\" is no pool mode [did you mean \"transaction\"?]",
                "error proxy_config.max_client_conn: max_client_conn is 0, and nobody could connect [write 1 or more]",
            ],
        },
        Wrong {
            block: "proxy_config = { default_pool_size = 0 }",
            says: &[
                "error proxy_config.default_pool_size: default_pool_size is 0, and nobody could connect [write 1 or more]",
            ],
        },
        Wrong {
            block: "enable_proxy = false\nproxy_config = { default_pool_size = 120, max_client_conn = 100 }",
            says: &[
                "warning proxy_config.default_pool_size: a pool of 120 connections is never filled by 100 clients [write a smaller default_pool_size, or a larger max_client_conn]",
            ],
        },
        Wrong {
            block: "proxy_config = { default_pool_size = 120, max_client_conn = 100 }",
            says: &[
                "warning proxy_config.default_pool_size: a pool of 120 connections is never filled by 100 clients [write a smaller default_pool_size, or a larger max_client_conn]",
                "error proxy_config.default_pool_size: a pool of 120 connections is more than the 109 that max_connections leaves it [write 109 or fewer, or raise max_connections]",
            ],
        },
        Wrong {
            block: "proxy_config = { default_pool_size = 98, max_client_conn = 500 }\nparameters = [{ name = \"max_connections\", value = \"100\" }]",
            says: &[
                "error proxy_config.default_pool_size: a pool of 98 connections is more than the 97 that max_connections leaves it [write 97 or fewer, or raise max_connections]",
            ],
        },
        Wrong {
            block: "enable_proxy = true\ndatabase_name = \"pgbouncer\"",
            says: &[
                "error database_name: a database called pgbouncer cannot be reached through the pooler, whose console has that name [write another name]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\nenable_proxy = true",
            says: &[
                "error enable_proxy: Azure has no pooler in front of B_Standard_B1ms [write sku_name = \"GP_Standard_D2ds_v5\" or larger, or enable_proxy = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-custom-2-7680\"\nenable_proxy = true",
            says: &[
                "error enable_proxy: Cloud SQL has no pooler in front of the edition ENTERPRISE [write gcp_edition = \"ENTERPRISE_PLUS\" and tier = \"db-perf-optimized-N-2\" or larger, or run PgBouncer beside the application]",
            ],
        },
    ],
    rule,
};

/// The database that PgBouncer answers for itself (its manual, "Admin console").
const CONSOLE: &str = "pgbouncer";
const MODES: &[&str] = &["session", "transaction", "statement"];

fn rule(block: &Block) -> Vec<Diagnostic> {
    let spec = block.spec;
    // What waits behind a switch that is off shall be right when it is switched on.
    let mut out: Vec<_> = spec.proxy.iter().chain(&spec.proxy_kept).flat_map(|proxy| values(block, proxy)).collect();
    if let Some(proxy) = &spec.proxy {
        out.extend(too_large(block, proxy.default_pool_size));
        out.extend(no_pooler(block));
        out.extend(console(block));
    }
    out
}

/// Values that no pooler takes, and two that do not go together.
fn values(block: &Block, proxy: &Proxy) -> Vec<Diagnostic> {
    let Proxy { pool_mode, default_pool_size, max_client_conn } = proxy;
    let mut out = Vec::new();
    if !MODES.contains(&pool_mode.as_str()) {
        let message = format!("\"{pool_mode}\" is no pool mode");
        let help = match crate::catalogue::nearest(pool_mode, MODES.iter().copied()) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None => format!("write {}", or(MODES)),
        };
        out.push(block.error("proxy_config.pool_mode", message, help));
    }
    for (name, size) in [("default_pool_size", default_pool_size), ("max_client_conn", max_client_conn)] {
        if *size == 0 {
            out.push(block.error(
                &format!("proxy_config.{name}"),
                format!("{name} is 0, and nobody could connect"),
                "write 1 or more",
            ));
        }
    }
    if out.is_empty() && default_pool_size > max_client_conn {
        let message = format!("a pool of {default_pool_size} connections is never filled by {max_client_conn} clients");
        let help = "write a smaller default_pool_size, or a larger max_client_conn";
        out.push(block.warning("proxy_config.default_pool_size", message, help));
    }
    out
}

fn console(block: &Block) -> Option<Diagnostic> {
    (block.spec.database_name == CONSOLE).then(|| {
        let message =
            format!("a database called {CONSOLE} cannot be reached through the pooler, whose console has that name");
        block.error("database_name", message, "write another name")
    })
}

fn no_pooler(block: &Block) -> Option<Diagnostic> {
    let edition = block.spec.place.gcp_edition.as_deref().unwrap_or("ENTERPRISE");
    if block.target() == Cloud::Gcp && edition != "ENTERPRISE_PLUS" {
        let message = format!("Cloud SQL has no pooler in front of the edition {edition}");
        let help = format!(
            "write gcp_edition = \"ENTERPRISE_PLUS\" and {} or larger, or run PgBouncer beside the application",
            larger(block)
        );
        return Some(block.error("enable_proxy", message, help));
    }
    let size = block.size().filter(|size| !size.pooler && block.target() == Cloud::Azure)?;
    let message = format!("{} has no pooler in front of {}", service(Cloud::Azure), size.name);
    Some(block.error("enable_proxy", message, format!("write {} or larger, or enable_proxy = false", larger(block))))
}

/// Connections a pool cannot have: the server keeps some back, the clouds know how many there are.
fn too_large(block: &Block, pool: u32) -> Option<Diagnostic> {
    let reserved = match block.target() {
        Cloud::Azure => 15,
        // Counted off already: 25 per GiB less 3.
        Cloud::DigitalOcean => 0,
        Cloud::Aws | Cloud::Gcp | Cloud::Local => 3,
    };
    let written = block.parameter_int("max_connections").and_then(|(_, most)| u32::try_from(most).ok());
    let by_size = || block.size().filter(|_| block.target() != Cloud::Local)?.connections_at_most();
    let most = written.or_else(by_size)?.saturating_sub(reserved);
    (pool > most).then(|| {
        let message = format!("a pool of {pool} connections is more than the {most} that max_connections leaves it");
        block.error(
            "proxy_config.default_pool_size",
            message,
            format!("write {most} or fewer, or raise max_connections"),
        )
    })
}
