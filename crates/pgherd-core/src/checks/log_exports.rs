//! Only logs that exist are exported.

use super::block::Block;
use super::{Check, Wrong};
use crate::catalogue;
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "log-exports",
    words: "`enabled_cloudwatch_logs_exports` holds postgresql, upgrade or iam-db-auth-error, each once.",
    fine: &[r#"enabled_cloudwatch_logs_exports = ["postgresql", "upgrade"]"#, "enable_logging = true"],
    wrong: &[
        Wrong {
            block: r#"enabled_cloudwatch_logs_exports = ["postgres"]"#,
            says: &[
                "error enabled_cloudwatch_logs_exports[0]: RDS for PostgreSQL has no log \"postgres\" [did you mean \"postgresql\"?]",
            ],
        },
        Wrong {
            block: r#"enabled_cloudwatch_logs_exports = ["slowquery", "upgrade", "upgrade"]"#,
            says: &[
                "error enabled_cloudwatch_logs_exports[0]: RDS for PostgreSQL has no log \"slowquery\" [write postgresql, upgrade or iam-db-auth-error]",
                "warning enabled_cloudwatch_logs_exports[2]: the log \"upgrade\" is there twice [leave one of them out]",
            ],
        },
    ],
    rule,
};

const LOGS: &[&str] = &["postgresql", "upgrade", "iam-db-auth-error"];

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::Aws {
        return Vec::new();
    }
    let written = &block.spec.monitoring.log_exports;
    let one = |(index, log): (usize, &String)| {
        let at = format!("enabled_cloudwatch_logs_exports[{index}]");
        if !LOGS.contains(&log.as_str()) {
            let help = match catalogue::nearest(log, LOGS.iter().copied()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => format!("write {}", super::block::or(LOGS)),
            };
            return Some(block.error(&at, format!("RDS for PostgreSQL has no log \"{log}\""), help));
        }
        written[..index]
            .contains(log)
            .then(|| block.warning(&at, format!("the log \"{log}\" is there twice"), "leave one of them out"))
    };
    written.iter().enumerate().filter_map(one).collect()
}
