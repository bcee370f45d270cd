//! Provisioned IOPS and throughput are what the storage can have.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "storage-performance",
    words: "On RDS, gp3 takes IOPS and throughput from 400 GiB on: 12000 to 64000 IOPS, at most 500 a GiB, and 500 to 4000 MiB/s, at most a \
            quarter of the IOPS. io1 and io2 need IOPS: io1 from 1000, at most 50 a GiB, io2 at most 1000 a GiB, both up to 256000. gp2 takes \
            none. On Azure only PremiumV2_LRS takes IOPS.",
    fine: &[
        "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 12000\nstorage_throughput = 3000",
        "allocated_storage = 400\nstorage_type = \"gp3\"\nstorage_throughput = 500",
        "allocated_storage = 100\nstorage_type = \"io1\"\nstorage_iops = 5000",
        "cloud_provider = \"local\"\nstorage_iops = 12",
    ],
    wrong: &[
        Wrong {
            block: "allocated_storage = 100\nstorage_type = \"gp3\"\nstorage_iops = 12000",
            says: &[
                "error storage_iops: gp3 below 400 GiB has 3000 IOPS and 125 MiB/s, and RDS refuses storage_iops for it [leave storage_iops out, or write allocated_storage = 400 or more]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 11999",
            says: &[
                "error storage_iops: 11999 IOPS is outside of what gp3 has at 500 GiB, 12000 to 64000 [write 12000]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 64001",
            says: &[
                "error storage_iops: 64001 IOPS is outside of what gp3 has at 500 GiB, 12000 to 64000 [write 64000]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 12000\nstorage_throughput = 3001",
            says: &[
                "error storage_throughput: 3001 MiB/s is more than a quarter of 12000 IOPS, the most gp3 gives [write storage_throughput = 3000, or storage_iops = 12004]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp3\"\nstorage_iops = 20000\nstorage_throughput = 4001",
            says: &["error storage_throughput: 4001 MiB/s is outside of what gp3 has, 500 to 4000 [write 4000]"],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"gp2\"\nstorage_iops = 3000",
            says: &[
                "error storage_iops: the performance of gp2 follows its size, and storage_iops cannot be set [leave storage_iops out, or write storage_type = \"gp3\"]",
            ],
        },
        Wrong {
            block: "allocated_storage = 500\nstorage_type = \"io2\"\nstorage_throughput = 1000",
            says: &[
                "error storage_type: io2 needs to be told its IOPS [write storage_iops = 1000 or more, at most 256000]",
                "error storage_throughput: io2 has no throughput of its own to set; it follows the IOPS [leave storage_throughput out]",
            ],
        },
        Wrong {
            block: "allocated_storage = 100\nstorage_type = \"io1\"\nstorage_iops = 6000",
            says: &["error storage_iops: 6000 IOPS is outside of what io1 has at 100 GiB, 1000 to 5000 [write 5000]"],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"GP_Standard_D2ds_v5\"\nstorage_iops = 3000",
            says: &[
                "error storage_iops: the performance of Premium_LRS follows its size, and storage_iops cannot be set [leave storage_iops out, or write storage_type = \"PremiumV2_LRS\"]",
            ],
        },
    ],
    rule,
};

/// From here on RDS stripes gp3 over four volumes and lets their performance be chosen (RDS user guide, "gp3 storage").
const GP3_FROM_GIB: u64 = 400;
const GP3_IOPS: std::ops::RangeInclusive<u64> = 12_000..=64_000;
const GP3_THROUGHPUT_MIBPS: std::ops::RangeInclusive<u64> = 500..=4_000;
const GP3_IOPS_PER_GIB: u64 = 500;
const GP3_IOPS_PER_MIBPS: u64 = 4;
const IO_MOST_IOPS: u64 = 256_000;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let storage = &block.spec.storage;
    match (block.target(), storage.kind.as_deref()) {
        (Cloud::Aws, Some("gp3")) => gp3(block),
        (Cloud::Aws, Some(kind @ ("io1" | "io2"))) => provisioned(block, kind),
        (Cloud::Aws, Some("gp2")) => fixed(block, "gp2", "gp3"),
        (Cloud::Azure, Some("Premium_LRS")) => fixed(block, "Premium_LRS", "PremiumV2_LRS"),
        (Cloud::Aws | Cloud::Azure | Cloud::Gcp | Cloud::DigitalOcean | Cloud::Local, _) => Vec::new(),
    }
}

fn gp3(block: &Block) -> Vec<Diagnostic> {
    let storage = &block.spec.storage;
    if storage.allocated_gib < GP3_FROM_GIB {
        let below = |(at, written): (&str, Option<u64>)| {
            written.map(|_| {
                let message =
                    format!("gp3 below {GP3_FROM_GIB} GiB has 3000 IOPS and 125 MiB/s, and RDS refuses {at} for it");
                block.error(at, message, format!("leave {at} out, or write allocated_storage = {GP3_FROM_GIB} or more"))
            })
        };
        return [("storage_iops", storage.iops), ("storage_throughput", storage.throughput_mibps)]
            .into_iter()
            .filter_map(below)
            .collect();
    }
    let mut out = Vec::new();
    let most_iops = (storage.allocated_gib * GP3_IOPS_PER_GIB).min(*GP3_IOPS.end());
    if let Some(iops) = storage.iops.filter(|iops| !(*GP3_IOPS.start()..=most_iops).contains(iops)) {
        let message = format!(
            "{iops} IOPS is outside of what gp3 has at {} GiB, {} to {most_iops}",
            storage.allocated_gib,
            GP3_IOPS.start()
        );
        out.push(block.error("storage_iops", message, format!("write {}", iops.clamp(*GP3_IOPS.start(), most_iops))));
    }
    let Some(throughput) = storage.throughput_mibps else { return out };
    let iops = storage.iops.unwrap_or(*GP3_IOPS.start());
    if !GP3_THROUGHPUT_MIBPS.contains(&throughput) {
        let (least, most) = (GP3_THROUGHPUT_MIBPS.start(), GP3_THROUGHPUT_MIBPS.end());
        let message = format!("{throughput} MiB/s is outside of what gp3 has, {least} to {most}");
        out.push(block.error("storage_throughput", message, format!("write {}", throughput.clamp(*least, *most))));
    } else if throughput * GP3_IOPS_PER_MIBPS > iops {
        let message = format!("{throughput} MiB/s is more than a quarter of {iops} IOPS, the most gp3 gives");
        let help = format!(
            "write storage_throughput = {}, or storage_iops = {}",
            iops / GP3_IOPS_PER_MIBPS,
            throughput * GP3_IOPS_PER_MIBPS
        );
        out.push(block.error("storage_throughput", message, help));
    }
    out
}

fn provisioned(block: &Block, kind: &str) -> Vec<Diagnostic> {
    let storage = &block.spec.storage;
    let (least, per_gib) = if kind == "io1" { (1000, 50) } else { (1000, 1000) };
    let most = (storage.allocated_gib * per_gib).min(IO_MOST_IOPS);
    let mut out = Vec::new();
    match storage.iops {
        None => out.push(block.error(
            "storage_type",
            format!("{kind} needs to be told its IOPS"),
            format!("write storage_iops = {least} or more, at most {most}"),
        )),
        Some(iops) if !(least..=most).contains(&iops) => {
            let message = format!(
                "{iops} IOPS is outside of what {kind} has at {} GiB, {least} to {most}",
                storage.allocated_gib
            );
            out.push(block.error("storage_iops", message, format!("write {}", iops.clamp(least, most.max(least)))));
        }
        Some(_) => {}
    }
    if storage.throughput_mibps.is_some() {
        let message = format!("{kind} has no throughput of its own to set; it follows the IOPS");
        out.push(block.error("storage_throughput", message, "leave storage_throughput out"));
    }
    out
}

fn fixed(block: &Block, kind: &str, other: &str) -> Vec<Diagnostic> {
    let storage = &block.spec.storage;
    let one = |(at, written): (&str, Option<u64>)| {
        written.map(|_| {
            let message = format!("the performance of {kind} follows its size, and {at} cannot be set");
            block.error(at, message, format!("leave {at} out, or write storage_type = \"{other}\""))
        })
    };
    [("storage_iops", storage.iops), ("storage_throughput", storage.throughput_mibps)]
        .into_iter()
        .filter_map(one)
        .collect()
}
