//! Memory that is paid for is used.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::text;

pub(super) const CHECK: Check = Check {
    code: "parameter-small",
    words: "On RDS and Cloud SQL, `shared_buffers` and `effective_cache_size` far below what the cloud sets by itself for the size, a quarter and half of \
            its memory on RDS, are warned about: figures of examples are often those of small machines.",
    fine: &[
        "instance_class = \"db.t3.micro\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }]",
        "instance_class = \"db.r5.large\"\nparameters = [{ name = \"shared_buffers\", value = \"1GB\" }]",
        "cloud_provider = \"local\"\ninstance_class = \"db.r5.2xlarge\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }]",
    ],
    wrong: &[
        Wrong {
            block: "instance_class = \"db.r5.2xlarge\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }, { name = \"effective_cache_size\", value = \"1GB\" }]",
            says: &[
                "warning parameters[0].value: shared_buffers, 256 MiB, is 1/256 of the 64 GiB of db.r5.2xlarge, and most of that would cache nothing [leave it out; RDS sets about 16 GiB]",
                "warning parameters[1].value: effective_cache_size, 1 GiB, is 1/64 of the 64 GiB of db.r5.2xlarge, and queries are planned as if little were cached [leave it out; RDS sets about 32 GiB]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntier = \"db-custom-8-32768\"\nparameters = [{ name = \"shared_buffers\", value = \"128MB\" }]",
            says: &[
                "warning parameters[0].value: shared_buffers, 128 MiB, is 1/256 of the 32 GiB of db-custom-8-32768, and most of that would cache nothing [leave it out; Cloud SQL sets one that fits]",
            ],
        },
    ],
    rule,
};

/// Below this part of its default it is small: a quarter may be somebody's choice.
const PART: u64 = 4;

/// Name, its part of the memory by default (RDS: `{DBInstanceClassMemory/32768}` pages of 8 KiB and `/16384`), what follows.
const SETTINGS: &[(&str, u64, &str)] = &[
    ("shared_buffers", 4, "most of that would cache nothing"),
    ("effective_cache_size", 2, "queries are planned as if little were cached"),
];

/// Both are counted in pages of 8 KiB.
const PAGES_A_MIB: u64 = 128;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let target = block.target();
    let Some(size) = block.size().filter(|_| matches!(target, Cloud::Aws | Cloud::Gcp)) else { return Vec::new() };
    let one = |(name, part, follows): &(&str, u64, &str)| {
        let (entry, pages) = block.parameter_int(name)?;
        let (mib, usual_mib) = ((pages / PAGES_A_MIB).max(1), size.memory_mib / part);
        if mib * PART >= usual_mib {
            return None;
        }
        let (asked, memory, rest) = (text::mebibytes(mib), text::mebibytes(size.memory_mib), size.memory_mib / mib);
        let message = format!("{name}, {asked}, is 1/{rest} of the {memory} of {}, and {follows}", size.name);
        let help = match target {
            Cloud::Aws => format!("leave it out; RDS sets about {}", text::mebibytes(usual_mib)),
            _ => "leave it out; Cloud SQL sets one that fits".to_owned(),
        };
        Some(block.warning(&entry.at_value(), message, help))
    };
    SETTINGS.iter().filter_map(one).collect()
}
