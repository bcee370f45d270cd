//! Encryption that the target always does is not switched off.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "encryption",
    words: "Cloud SQL, Azure and DigitalOcean always encrypt storage, and every cloud encrypts the backups of encrypted storage; `false` there is \
            an error. Storage left unencrypted on RDS is warned about, because it cannot be encrypted later.",
    fine: &[
        "storage_encrypted = true",
        "enable_backup_encryption = true",
        "cloud_provider = \"local\"\nstorage_encrypted = false",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\nstorage_encrypted = false",
            says: &[
                "error storage_encrypted: Cloud SQL always encrypts storage [write storage_encrypted = true, or leave it out]",
            ],
        },
        Wrong {
            block: "enable_encryption = false",
            says: &[
                "warning enable_encryption: the storage is not encrypted, and RDS cannot encrypt it later except by copying a snapshot [write enable_encryption = true, or leave it out]",
            ],
        },
        Wrong {
            block: "enable_backup_encryption = false",
            says: &[
                "error enable_backup_encryption: RDS encrypts the backups of encrypted storage, always [write true, or leave it out]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let cloud = block.target();
    let storage = block.spec.encryption.storage;
    let mut out = Vec::new();
    match cloud {
        Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean if !storage => {
            let message = format!("{} always encrypts storage", service(cloud));
            let help = format!("write {} = true, or leave it out", block.called("storage_encrypted"));
            out.push(block.error("storage_encrypted", message, help));
        }
        Cloud::Aws if !storage => {
            let message = "the storage is not encrypted, and RDS cannot encrypt it later except by copying a snapshot";
            let help = format!("write {} = true, or leave it out", block.called("storage_encrypted"));
            out.push(block.warning("storage_encrypted", message, help));
        }
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => {}
    }
    if cloud != Cloud::Local && storage && !block.spec.backup.encrypted {
        let message = format!("{} encrypts the backups of encrypted storage, always", service(cloud));
        out.push(block.error("enable_backup_encryption", message, "write true, or leave it out"));
    }
    out
}
