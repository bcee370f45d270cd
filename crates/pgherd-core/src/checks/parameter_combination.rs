//! Parameters that only make sense together do.

use super::block::Block;
use super::{Check, Wrong};
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "parameter-combination",
    words: "The connections kept back for superusers and reserved roles leave some of `max_connections`; `min_wal_size` is not above \
            `max_wal_size`. The server does not start otherwise, or does something else than asked.",
    fine: &[
        r#"parameters = [{ name = "max_connections", value = "100" }, { name = "superuser_reserved_connections", value = "3" }]"#,
        r#"parameters = [{ name = "min_wal_size", value = "1GB" }, { name = "max_wal_size", value = "4GB" }]"#,
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "max_connections", value = "10" }, { name = "superuser_reserved_connections", value = "10" }]"#,
            says: &[
                "error parameters[0].value: max_connections is 10, and 10 of them are kept back for superusers and reserved roles [write 11 or more]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "min_wal_size", value = "4GB" }, { name = "max_wal_size", value = "1GB" }]"#,
            says: &[
                "error parameters[0].value: min_wal_size, 4096 MB, is above max_wal_size, 1024 MB [write \"1024MB\" or less]",
            ],
        },
    ],
    rule,
};

/// Defaults of `superuser_reserved_connections` and `reserved_connections` together.
const RESERVED_BY_DEFAULT: u64 = 3;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    if let Some((entry, most)) = block.parameter_int("max_connections") {
        let reserved = ["superuser_reserved_connections", "reserved_connections"]
            .map(|name| block.parameter_int(name).map(|(_, value)| value));
        let reserved = reserved[0].unwrap_or(RESERVED_BY_DEFAULT) + reserved[1].unwrap_or(0);
        if reserved >= most {
            let message = format!(
                "max_connections is {most}, and {reserved} of them are kept back for superusers and reserved roles"
            );
            out.push(block.error(&entry.at_value(), message, format!("write {} or more", reserved + 1)));
        }
    }
    if let (Some((entry, least)), Some((_, most))) =
        (block.parameter_int("min_wal_size"), block.parameter_int("max_wal_size"))
        && least > most
    {
        let message = format!("min_wal_size, {least} MB, is above max_wal_size, {most} MB");
        out.push(block.error(&entry.at_value(), message, format!("write \"{most}MB\" or less")));
    }
    out
}
