//! A customer's key is one of the target's.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "customer-key",
    words: "`kms_key_id` names a key of the target: an AWS ARN, a Cloud KMS resource name, a Key Vault URL. DigitalOcean has no customer keys, and \
            a key that would protect nothing is refused.",
    fine: &[
        r#"kms_key_id = "arn:aws:kms:us-east-1:111122223333:key/1234abcd""#,
        "cloud_provider = \"gcp\"\nkms_key_id = \"projects/p/locations/us/keyRings/r/cryptoKeys/k\"",
        "kms_key_id = aws_kms_key.database.arn",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\nkms_key_id = \"arn:aws:kms:us-east-1:111122223333:key/1234abcd\"",
            says: &[
                "error kms_key_id: \"arn:aws:kms:us-east-1:111122223333:key/1234abcd\" is an AWS ARN, which Cloud SQL cannot use [write projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nkms_key_id = \"arn:aws:kms:us-east-1:111122223333:key/1234abcd\"",
            says: &[
                "error kms_key_id: \"arn:aws:kms:us-east-1:111122223333:key/1234abcd\" is an AWS ARN, which Azure cannot use [write https://<vault>.vault.azure.net/keys/<key>]",
            ],
        },
        Wrong {
            block: r#"kms_key_id = "https://vault.vault.azure.net/keys/k""#,
            says: &[
                "error kms_key_id: \"https://vault.vault.azure.net/keys/k\" is an Azure Key Vault URL, which RDS cannot use [write arn:aws:kms:<region>:<account>:key/<id>]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nkms_key_id = \"k\"",
            says: &[
                "error kms_key_id: DigitalOcean has no customer keys, and this one would protect nothing [leave kms_key_id out; DigitalOcean encrypts with a key of its own]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nkms_key_id = module.keys.id\nperformance_insights_kms_key_id = \"k\"",
            says: &[
                "error kms_key_id: DigitalOcean has no customer keys, and this one would protect nothing [leave kms_key_id out; DigitalOcean encrypts with a key of its own]",
                "error performance_insights_kms_key_id: DigitalOcean has no customer keys, and this one would protect nothing [leave performance_insights_kms_key_id out; DigitalOcean encrypts with a key of its own]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    // What was written is asked, because a Spec leaves out what has no effect.
    if block.target() == Cloud::DigitalOcean {
        let keys = ["kms_key_id", "performance_insights_kms_key_id"].into_iter();
        return keys.filter(|key| block.inputs.get(key).is_some()).map(|key| no_customer_keys(block, key)).collect();
    }
    let Some(key) = block.inputs.get("kms_key_id").and_then(Value::as_text) else { return Vec::new() };
    let cloud = block.target();
    let is_arn = key.starts_with("arn:");
    let is_url = key.starts_with("https://");
    let is_path = key.starts_with("projects/");
    let (fits, form) = match cloud {
        Cloud::Aws => (!is_url && !is_path, "arn:aws:kms:<region>:<account>:key/<id>"),
        Cloud::Gcp => (is_path, "projects/<project>/locations/<region>/keyRings/<ring>/cryptoKeys/<key>"),
        Cloud::Azure => (is_url, "https://<vault>.vault.azure.net/keys/<key>"),
        Cloud::DigitalOcean | Cloud::Local => (true, ""),
    };
    if fits {
        return Vec::new();
    }
    let kind = if is_arn {
        "an AWS ARN"
    } else if is_url {
        "an Azure Key Vault URL"
    } else if is_path {
        "a Cloud KMS name"
    } else {
        "no key"
    };
    let message = format!("\"{key}\" is {kind}, which {} cannot use", service(cloud));
    vec![block.error("kms_key_id", message, format!("write {form}"))]
}

fn no_customer_keys(block: &Block, at: &str) -> Diagnostic {
    let message = "DigitalOcean has no customer keys, and this one would protect nothing";
    block.error(at, message, format!("leave {at} out; DigitalOcean encrypts with a key of its own"))
}
