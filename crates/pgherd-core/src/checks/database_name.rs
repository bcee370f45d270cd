//! The initial database has a name that the target creates.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "database-name",
    words: "`database_name` is 1 to 63 letters, digits and underscores and begins with a letter or underscore (on RDS a letter); it is not a \
            template and not a database the target keeps for itself.",
    fine: &[r#"database_name = "learning_assistant""#, r#"database_name = "postgres""#, ""],
    wrong: &[
        Wrong {
            block: r#"database_name = "learning-assistant""#,
            says: &[
                "error database_name: the database name \"learning-assistant\" holds '-'; letters, digits and underscores are allowed [write database_name = \"learning_assistant\"]",
            ],
        },
        Wrong {
            block: r#"database_name = "1st""#,
            says: &[
                "error database_name: the database name \"1st\" does not begin with a letter [write database_name = \"st\"]",
            ],
        },
        Wrong {
            block: r#"database_name = "_orders""#,
            says: &[
                "error database_name: the database name \"_orders\" does not begin with a letter [write database_name = \"orders\"]",
            ],
        },
        Wrong {
            block: r#"database_name = "template1""#,
            says: &[
                "error database_name: the database name \"template1\" is a template of every server [write another name, such as \"app\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ndatabase_name = \"cloudsqladmin\"",
            says: &[
                "error database_name: the database name \"cloudsqladmin\" is a database Cloud SQL keeps for itself [write another name, such as \"app\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let (name, cloud) = (&block.spec.database_name, block.target());
    let reserved: &[&str] = match cloud {
        Cloud::Aws => &["rdsadmin"],
        Cloud::Gcp => &["cloudsqladmin"],
        Cloud::Azure => &["azure_maintenance", "azure_sys"],
        Cloud::DigitalOcean => &["_dodb"],
        Cloud::Local => &[],
    };
    let problem = if ["template0", "template1"].contains(&name.as_str()) {
        Some("is a template of every server".to_owned())
    } else if reserved.contains(&name.as_str()) {
        Some(format!("is a database {} keeps for itself", service(cloud)))
    } else if name.len() > 63 {
        Some(format!("has {} characters; 63 is the most", name.len()))
    } else if let Some(stranger) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        Some(format!("holds '{stranger}'; letters, digits and underscores are allowed"))
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic() || (first == '_' && cloud != Cloud::Aws)) {
        Some("does not begin with a letter".to_owned())
    } else {
        None
    };
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let plain = plain.trim_matches(|c: char| !c.is_ascii_alphabetic());
    let help =
        if plain.is_empty() || plain == name.as_str() || reserved.contains(&plain) || plain.starts_with("template") {
            "write another name, such as \"app\"".to_owned()
        } else {
            format!("write database_name = \"{plain}\"")
        };
    problem
        .map(|problem| block.error("database_name", format!("the database name \"{name}\" {problem}"), help))
        .into_iter()
        .collect()
}
