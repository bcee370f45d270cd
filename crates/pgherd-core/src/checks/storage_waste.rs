//! Storage is not paid for that the machine in front of it cannot use.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "storage-wasted",
    words: "On RDS, provisioned IOPS and throughput above what the instance class moves to and from its storage are paid for in vain. Smaller \
            classes reach their most for a while only.",
    fine: &[
        "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 12000\nstorage_throughput = 500\ninstance_class = \"db.r5.4xlarge\"",
        "cloud_provider = \"local\"\nstorage_throughput = 3000",
    ],
    wrong: &[
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 12000\nstorage_throughput = 3000\ninstance_class = \"db.r5.large\"",
            says: &[
                "warning storage_throughput: db.r5.large moves 594 MB/s at most, and 3000 MiB/s would be paid for [write 566 or less; 500 come at no cost]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 16000\ninstance_class = \"db.r5.large\"",
            says: &[
                "note storage_iops: db.r5.large keeps up 3600 IOPS, and 16000 for a while only [a larger class keeps them up for good]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 40000\ninstance_class = \"db.r5.large\"",
            says: &[
                "warning storage_iops: db.r5.large moves 18750 IOPS at most, and 40000 would be paid for [write 18750 or fewer, or a larger class]",
            ],
        },
    ],
    rule,
};

/// What gp3 has from 400 GiB on without being paid for (Amazon RDS User Guide, "gp3 storage"), MiB/s.
const INCLUDED_MIB_S: u64 = 500;
/// The same of IOPS, which is also the least that RDS takes there.
const INCLUDED_IOPS: u64 = 12_000;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let volume = block.size().filter(|_| block.target() == Cloud::Aws).and_then(|size| size.volume);
    let Some(volume) = volume else { return Vec::new() };
    let (class, storage) = (&block.spec.size.name, &block.spec.storage);
    let mut out = Vec::new();
    let moved = |throughput: &u64| *throughput as f64 * 1.048_576 > volume.most_mb_s && *throughput > INCLUDED_MIB_S;
    if let Some(throughput) = storage.throughput_mibps.filter(moved) {
        let most = volume.most_mb_s;
        let message = format!("{class} moves {most:.0} MB/s at most, and {throughput} MiB/s would be paid for");
        let useful = (most / 1.048_576) as u64;
        let help = match useful > INCLUDED_MIB_S {
            true => format!("write {useful} or less; {INCLUDED_MIB_S} come at no cost"),
            false => format!("write {INCLUDED_MIB_S}, which gp3 has at no cost from 400 GiB on"),
        };
        out.push(block.warning("storage_throughput", message, help));
    }
    let most = u64::from(volume.most_iops);
    match storage.iops.filter(|iops| *iops > INCLUDED_IOPS || storage.kind.as_deref() != Some("gp3")) {
        Some(iops) if iops > most => {
            let message = format!("{class} moves {most} IOPS at most, and {iops} would be paid for");
            out.push(block.warning("storage_iops", message, format!("write {most} or fewer, or a larger class")));
        }
        Some(iops) if iops > u64::from(volume.lasting_iops) => {
            let lasting = volume.lasting_iops;
            let message = format!("{class} keeps up {lasting} IOPS, and {iops} for a while only");
            out.push(block.note("storage_iops", message, "a larger class keeps them up for good"));
        }
        Some(_) | None => {}
    }
    out
}
