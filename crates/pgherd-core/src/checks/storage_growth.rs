//! The limit of storage growth is above what there is to begin with.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "storage-growth",
    words: "`max_allocated_storage` is larger than `allocated_storage`, on RDS by a tenth at least. DigitalOcean grows storage without a limit, \
            and RDS not at all without one, which is said.",
    fine: &["allocated_storage = 20\nmax_allocated_storage = 100", "allocated_storage = 20"],
    wrong: &[
        Wrong {
            block: "allocated_storage = 100\nmax_allocated_storage = 100",
            says: &[
                "error max_allocated_storage: the limit of growth, 100 GiB, is not above the 100 GiB there are to begin with [write 110 or more, or leave it out for no growth]",
            ],
        },
        Wrong {
            block: "allocated_storage = 100\nmax_allocated_storage = 105",
            says: &[
                "error max_allocated_storage: RDS wants the limit of growth a tenth above the 100 GiB there are to begin with [write 110 or more]",
            ],
        },
        Wrong {
            block: "auto_grow_enabled = true",
            says: &[
                "warning auto_grow_enabled: RDS grows storage up to a limit only, and none is written: it does not grow [write max_allocated_storage, as far as it may grow]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nmax_allocated_storage = 100",
            says: &[
                "warning max_allocated_storage: DigitalOcean grows storage without a limit, so that 100 GiB is not held [watch the bill, or leave it out for no growth]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let storage = &block.spec.storage;
    // The switch means nothing to RDS, so nothing of it is resolved there.
    let is_asked_to_grow = block.inputs.get("auto_grow_enabled").and_then(Value::as_bool) == Some(true);
    if block.target() == Cloud::Aws && is_asked_to_grow && storage.max_gib.is_none() {
        let message = "RDS grows storage up to a limit only, and none is written: it does not grow".to_owned();
        let help = "write max_allocated_storage, as far as it may grow";
        return vec![block.warning("auto_grow_enabled", message, help)];
    }
    let Some(max_gib) = storage.max_gib.filter(|_| block.written("max_allocated_storage").is_some()) else {
        return Vec::new();
    };
    let least_gib = match block.target() {
        // "at least 10 % more", DB instance storage autoscaling in the RDS user guide.
        Cloud::Aws => (storage.allocated_gib * 11).div_ceil(10),
        Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => storage.allocated_gib + 1,
    };
    let at = "max_allocated_storage";
    if max_gib <= storage.allocated_gib {
        let message = format!(
            "the limit of growth, {max_gib} GiB, is not above the {} GiB there are to begin with",
            storage.allocated_gib
        );
        return vec![block.error(at, message, format!("write {least_gib} or more, or leave it out for no growth"))];
    }
    if max_gib < least_gib {
        let message = format!(
            "RDS wants the limit of growth a tenth above the {} GiB there are to begin with",
            storage.allocated_gib
        );
        return vec![block.error(at, message, format!("write {least_gib} or more"))];
    }
    if block.target() == Cloud::DigitalOcean {
        let message = format!("DigitalOcean grows storage without a limit, so that {max_gib} GiB is not held");
        return vec![block.warning(at, message, "watch the bill, or leave it out for no growth")];
    }
    Vec::new()
}
