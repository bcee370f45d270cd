//! Statement logging does not expose secrets unnoticed.

use super::block::{Block, Entry};
use super::{Check, Wrong};
use crate::catalogue::parameters::same;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "statements-logged",
    words: "`log_statement` other than none, and `log_min_duration_statement = 0`, write statements to the log as they are sent: the literals in \
            them, and the passwords of CREATE ROLE and ALTER ROLE.",
    fine: &[
        r#"parameters = [{ name = "log_statement", value = "none" }]"#,
        r#"parameters = [{ name = "log_min_duration_statement", value = "1000" }]"#,
    ],
    wrong: &[
        Wrong {
            block: r#"parameters = [{ name = "log_statement", value = "all" }]"#,
            says: &[
                "warning parameters[0].value: log_statement = \"all\" writes to the log: every statement with its literals, personal data among them, and the passwords of CREATE ROLE and ALTER ROLE [write log_min_duration_statement = \"1000\" instead to log slow statements only, and set passwords with \\password]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "log_statement", value = "DDL" }]"#,
            says: &[
                "warning parameters[0].value: log_statement = \"DDL\" writes to the log: the passwords of CREATE ROLE and ALTER ROLE [write log_min_duration_statement = \"1000\" instead to log slow statements only, and set passwords with \\password]",
            ],
        },
        Wrong {
            block: r#"parameters = [{ name = "log_min_duration_statement", value = "0" }]"#,
            says: &[
                "warning parameters[0].value: log_min_duration_statement = \"0\" writes to the log: every statement with its literals, personal data among them, and the passwords of CREATE ROLE and ALTER ROLE [write log_min_duration_statement = \"1000\" instead to log slow statements only, and set passwords with \\password]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    block.parameters().into_iter().filter_map(|entry| one(block, &entry)).collect()
}

fn one(block: &Block, entry: &Entry) -> Option<Diagnostic> {
    let value = entry.value.as_deref()?;
    let is = |name: &str, values: &[&str]| entry.is(name) && values.iter().any(|other| same(name, None, other, value));
    let logged = if is("log_statement", &["all"]) || is("log_min_duration_statement", &["0"]) {
        "every statement with its literals, personal data among them, and the passwords of CREATE ROLE and ALTER ROLE"
    } else if is("log_statement", &["mod"]) {
        "every change with its literals, personal data among them, and the passwords of CREATE ROLE and ALTER ROLE"
    } else if is("log_statement", &["ddl"]) {
        "the passwords of CREATE ROLE and ALTER ROLE"
    } else {
        return None;
    };
    let message = format!("{} = \"{value}\" writes to the log: {logged}", entry.name.to_ascii_lowercase());
    let help = "write log_min_duration_statement = \"1000\" instead to log slow statements only, and set passwords with \\password";
    Some(block.warning(&entry.at_value(), message, help))
}
