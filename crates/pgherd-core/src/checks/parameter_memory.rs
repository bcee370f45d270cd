//! Shared buffers fit into the machine.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::text;

pub(super) const CHECK: Check = Check {
    code: "parameter-memory",
    words: "`shared_buffers` leaves memory for connections: at most three quarters of the size's. Azure also wants a tenth at least, \
            and DigitalOcean a fifth at least and three fifths at most.",
    fine: &[
        "instance_class = \"db.r5.2xlarge\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }]",
        "cloud_provider = \"azure\"\nsku_name = \"GP_Standard_D2ds_v5\"\nparameters = [{ name = \"shared_buffers\", value = \"2GB\" }]",
    ],
    wrong: &[
        Wrong {
            block: "instance_class = \"db.t3.micro\"\nparameters = [{ name = \"shared_buffers\", value = \"1GB\" }]",
            says: &[
                "error parameters[0].value: shared_buffers, 1 GiB, is more than three quarters of the 1 GiB of db.t3.micro [write \"768MB\" or less, or leave it out for a quarter]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\ninstance_class = \"db.t3.micro\"\nparameters = [{ name = \"shared_buffers\", value = \"1GB\" }]",
            says: &[
                "warning parameters[0].value: shared_buffers, 1 GiB, is more than three quarters of the 1 GiB of db.t3.micro [write \"768MB\" or less, or leave it out for a quarter]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"GP_Standard_D2ds_v5\"\nparameters = [{ name = \"shared_buffers\", value = \"256MB\" }]",
            says: &[
                "error parameters[0].value: shared_buffers, 256 MiB, is less than the tenth of the 8 GiB of GP_Standard_D2ds_v5 that Azure wants [write \"820MB\" or more, or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ninstance_class = \"db-s-2vcpu-4gb\"\nparameters = [{ name = \"shared_buffers\", value = \"819MB\" }]",
            says: &[
                "error parameters[0].value: shared_buffers, 819 MiB, is less than the fifth of the 4 GiB of db-s-2vcpu-4gb that DigitalOcean wants [write \"820MB\" or more, or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ninstance_class = \"db-s-2vcpu-4gb\"\nparameters = [{ name = \"shared_buffers\", value = \"2458MB\" }]",
            says: &[
                "error parameters[0].value: shared_buffers, 2.4 GiB, is more than three fifths of the 4 GiB of db-s-2vcpu-4gb [write \"2457MB\" or less, or leave it out for DigitalOcean's choice]",
            ],
        },
    ],
    rule,
};

/// `shared_buffers` counts pages of 8 kB.
const PAGES_PER_MIB: u64 = 128;

/// The share of the memory that may be shared buffers, as parts of sixty, with the words for its ends.
struct Share {
    least: Option<(u64, &'static str)>,
    most: (u64, &'static str),
    left_out: &'static str,
}

fn share(cloud: Cloud) -> Share {
    let quarters = Share { least: None, most: (45, "three quarters"), left_out: "a quarter" };
    match cloud {
        Cloud::Aws | Cloud::Gcp | Cloud::Local => quarters,
        Cloud::Azure => Share { least: Some((6, "tenth")), ..quarters },
        // `shared_buffers_percentage`, 20 to 60 (digitalocean/openapi 7c1300c, postgres_advanced_config.yml).
        Cloud::DigitalOcean => {
            Share { least: Some((12, "fifth")), most: (36, "three fifths"), left_out: "DigitalOcean's choice" }
        }
    }
}

fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some((entry, pages)) = block.parameter_int("shared_buffers").filter(|_| block.spec.size.is_known()) else {
        return Vec::new();
    };
    let Share { least, most: (most, most_words), left_out } = share(block.target());
    let (asked_mib, memory_mib) = (pages / PAGES_PER_MIB, block.spec.size.memory_mib);
    let described = format!("shared_buffers, {}, is", text::mebibytes(asked_mib));
    let size = format!("of the {} of {}", text::mebibytes(memory_mib), block.spec.size.name);
    let most_mib = memory_mib * most / 60;
    if asked_mib > most_mib {
        let message = format!("{described} more than {most_words} {size}");
        let help = format!("write \"{most_mib}MB\" or less, or leave it out for {left_out}");
        // The machine under `local` may have more than the size says.
        let is_local = block.target() == Cloud::Local;
        return vec![if is_local {
            block.warning(&entry.at_value(), message, help)
        } else {
            block.error(&entry.at_value(), message, help)
        }];
    }
    let Some((least, least_words)) = least else { return Vec::new() };
    let least_mib = (memory_mib * least).div_ceil(60);
    if asked_mib >= least_mib {
        return Vec::new();
    }
    let message = format!("{described} less than the {least_words} {size} that {} wants", service(block.target()));
    vec![block.error(&entry.at_value(), message, format!("write \"{least_mib}MB\" or more, or leave it out"))]
}
