//! The administrator has a name that the target creates.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "master-username",
    words: "`master_username` is 1 to 63 letters, digits and underscores and begins with a letter; it is not a role that PostgreSQL (pg_*, \
            public) or the target (rdsadmin, cloudsql*, azure_*) keeps for itself.",
    fine: &[r#"master_username = "postgres""#, r#"master_username = "app_owner""#, ""],
    wrong: &[
        Wrong {
            block: r#"master_username = "pg_admin""#,
            says: &[
                "error master_username: the role name \"pg_admin\" begins with \"pg_\", which PostgreSQL keeps for itself [write another name, such as \"postgres\" or \"app_owner\"]",
            ],
        },
        Wrong {
            block: r#"master_username = "rdsadmin""#,
            says: &[
                "error master_username: the role name \"rdsadmin\" is a role RDS keeps for itself [write another name, such as \"postgres\" or \"app_owner\"]",
            ],
        },
        Wrong {
            block: r#"master_username = "app-owner""#,
            says: &[
                "error master_username: the role name \"app-owner\" holds '-'; letters, digits and underscores are allowed [write another name, such as \"postgres\" or \"app_owner\"]",
            ],
        },
        Wrong {
            block: r#"master_username = "_app""#,
            says: &[
                "error master_username: the role name \"_app\" does not begin with a letter [write another name, such as \"postgres\" or \"app_owner\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nmaster_username = \"admin\"",
            says: &[
                "error master_username: the role name \"admin\" is a role Azure keeps for itself [write another name, such as \"postgres\" or \"app_owner\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let (name, cloud) = (&block.spec.master_username, block.target());
    let problem = if name.starts_with("pg_") {
        Some("begins with \"pg_\", which PostgreSQL keeps for itself".to_owned())
    } else if ["public", "none"].contains(&name.as_str()) {
        Some("is a word that PostgreSQL keeps for itself".to_owned())
    } else if is_reserved(name, cloud) {
        Some(format!("is a role {} keeps for itself", service(cloud)))
    } else if name.len() > 63 {
        Some(format!("has {} characters; 63 is the most", name.len()))
    } else if let Some(stranger) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_')) {
        Some(format!("holds '{stranger}'; letters, digits and underscores are allowed"))
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        Some("does not begin with a letter".to_owned())
    } else {
        None
    };
    let help = "write another name, such as \"postgres\" or \"app_owner\"";
    problem
        .map(|problem| block.error("master_username", format!("the role name \"{name}\" {problem}"), help))
        .into_iter()
        .collect()
}

fn is_reserved(name: &str, cloud: Cloud) -> bool {
    match cloud {
        Cloud::Aws => ["rdsadmin", "admin"].contains(&name) || name.starts_with("rds_"),
        Cloud::Gcp => name.starts_with("cloudsql"),
        Cloud::Azure => {
            ["azure_superuser", "azure_pg_admin", "azuresu", "admin", "administrator", "root", "guest"].contains(&name)
        }
        Cloud::DigitalOcean => name.starts_with("_do"),
        Cloud::Local => false,
    }
}
