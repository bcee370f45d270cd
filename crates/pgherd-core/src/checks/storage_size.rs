//! The initial storage is one the target sells.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "storage-size",
    words: "`allocated_storage` is at least 5 GiB and at least what the target sells: 20 on RDS (100 with io1 and io2), 10 on Cloud SQL, 32 on \
            Azure; and at most 64 TiB (3 TiB on Cloud SQL's shared-core tiers).",
    fine: &[
        "allocated_storage = 20",
        "cloud_provider = \"local\"\nallocated_storage = 5",
        "cloud_provider = \"azure\"\nstorage_mb = 32768",
        "cloud_provider = \"gcp\"\ndisk_size = 10",
        "cloud_provider = \"azure\"",
    ],
    wrong: &[
        Wrong {
            block: "allocated_storage = 10",
            says: &[
                "error allocated_storage: 10 GiB is less than gp3 on RDS has at least, 20 GiB [write allocated_storage = 20]",
            ],
        },
        Wrong {
            block: "allocated_storage = 50\nstorage_type = \"io1\"\nstorage_iops = 1000",
            says: &[
                "error allocated_storage: 50 GiB is less than io1 on RDS has at least, 100 GiB [write allocated_storage = 100]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nallocated_storage = 4",
            says: &[
                "error allocated_storage: 4 GiB is less than a database has at least, 5 GiB [write allocated_storage = 5]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nstorage_mb = 5120",
            says: &[
                "error storage_mb: 5 GiB is less than Premium_LRS on Azure has at least, 32 GiB [write storage_mb = 32768]",
            ],
        },
        Wrong {
            block: "allocated_storage = 70000",
            says: &[
                "error allocated_storage: 70000 GiB is more than gp3 on RDS has at most, 65536 GiB [write allocated_storage = 65536]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    // What the target's own default is, is the target's affair.
    if block.written("allocated_storage").is_none() {
        return Vec::new();
    }
    let asked_gib = block.spec.storage.allocated_gib;
    let (least_gib, most_gib) = (least_gib(block), most_gib(block));
    let of = what_of(block);
    if asked_gib < least_gib {
        let message = format!("{asked_gib} GiB is less than {of} has at least, {least_gib} GiB");
        return vec![block.error("allocated_storage", message, written(block, least_gib))];
    }
    if asked_gib > most_gib {
        let message = format!("{asked_gib} GiB is more than {of} has at most, {most_gib} GiB");
        return vec![block.error("allocated_storage", message, written(block, most_gib))];
    }
    Vec::new()
}

fn least_gib(block: &Block) -> u64 {
    match (block.target(), block.spec.storage.kind.as_deref()) {
        (Cloud::Aws, Some("io1" | "io2")) => 100,
        (Cloud::Aws, _) => 20,
        (Cloud::Gcp, _) => 10,
        (Cloud::Azure, _) => 32,
        (Cloud::DigitalOcean | Cloud::Local, _) => 5,
    }
}

fn most_gib(block: &Block) -> u64 {
    match (block.target(), block.spec.storage.kind.as_deref()) {
        (Cloud::Gcp, _) if block.spec.size.burstable => 3072,
        (Cloud::Azure, Some("Premium_LRS") | None) => 32_767,
        _ => 65_536,
    }
}

fn what_of(block: &Block) -> String {
    match (block.target(), block.spec.storage.kind.as_deref()) {
        (Cloud::Local, _) => "a database".to_owned(),
        (Cloud::Gcp, _) if block.spec.size.burstable => "a shared-core tier of Cloud SQL".to_owned(),
        (cloud, Some(kind)) => format!("{kind} on {}", service(cloud)),
        (cloud, None) => service(cloud).to_owned(),
    }
}

fn written(block: &Block, gib: u64) -> String {
    match block.called("allocated_storage") {
        "storage_mb" => format!("write storage_mb = {}", gib * 1024),
        name => format!("write {name} = {gib}"),
    }
}
