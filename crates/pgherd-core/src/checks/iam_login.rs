//! Login with cloud identities is asked for where there is one.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "iam-login",
    words: "`iam_database_authentication_enabled` needs a cloud with identities that PostgreSQL accepts; DigitalOcean has none, and a login that is \
            asked for is not dropped silently. On RDS a role that is granted `rds_iam` logs in with it alone; on \
            Cloud SQL whoever may log in is made a user of the instance first.",
    fine: &[
        "iam_database_authentication_enabled = false",
        "cloud_provider = \"local\"\niam_database_authentication_enabled = true",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"digitalocean\"\niam_database_authentication_enabled = true",
            says: &[
                "error iam_database_authentication_enabled: DigitalOcean has no login with cloud identities [write false, or leave it out; roles log in with passwords]",
            ],
        },
        Wrong {
            block: "iam_database_authentication_enabled = true",
            says: &[
                "note iam_database_authentication_enabled: a role that is granted rds_iam cannot log in with its password any more [GRANT rds_iam TO a role of an application, once it is there, and never to the master]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\niam_database_authentication_enabled = true",
            says: &[
                "note iam_database_authentication_enabled: nobody of Google Cloud logs in before being a user of the instance [gcloud sql users create NAME --instance=database --type=cloud_iam_user, or cloud_iam_service_account]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    // What was written is asked, because a Spec leaves out what has no effect.
    let wanted = block.inputs.get("iam_database_authentication_enabled").and_then(Value::as_bool) == Some(true);
    let at = "iam_database_authentication_enabled";
    match block.target() {
        Cloud::DigitalOcean if wanted => {
            let message = "DigitalOcean has no login with cloud identities";
            vec![block.error(at, message, "write false, or leave it out; roles log in with passwords")]
        }
        Cloud::Aws if wanted => {
            let message = "a role that is granted rds_iam cannot log in with its password any more";
            vec![block.note(
                at,
                message,
                "GRANT rds_iam TO a role of an application, once it is there, and never to the master",
            )]
        }
        Cloud::Gcp if wanted => {
            let message = "nobody of Google Cloud logs in before being a user of the instance";
            let help = format!(
                "gcloud sql users create NAME --instance={} --type=cloud_iam_user, or cloud_iam_service_account",
                block.spec.name
            );
            vec![block.note(at, message, help)]
        }
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => Vec::new(),
    }
}
