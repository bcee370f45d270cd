//! Shared buffers fit into the machine.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::text;

pub(super) const CHECK: Check = Check {
    code: "parameter-memory",
    words: "`shared_buffers` leaves memory for connections: at most three quarters of the size's. Azure also wants a tenth at least.",
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
    ],
    rule,
};

/// `shared_buffers` counts pages of 8 kB.
const PAGES_PER_MIB: u64 = 128;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let Some((entry, pages)) = block.parameter_int("shared_buffers") else { return Vec::new() };
    let (asked_mib, memory_mib) = (pages / PAGES_PER_MIB, block.spec.size.memory_mib);
    let (least_mib, most_mib) = (memory_mib.div_ceil(10), memory_mib * 3 / 4);
    let described = format!("shared_buffers, {}, is", text::mebibytes(asked_mib));
    let size = format!("of the {} of {}", text::mebibytes(memory_mib), block.spec.size.name);
    if asked_mib > most_mib {
        let message = format!("{described} more than three quarters {size}");
        let help = format!("write \"{most_mib}MB\" or less, or leave it out for a quarter");
        // The machine under `local` may have more than the size says.
        let is_local = block.target() == Cloud::Local;
        return vec![if is_local {
            block.warning(&entry.at_value(), message, help)
        } else {
            block.error(&entry.at_value(), message, help)
        }];
    }
    if block.target() == Cloud::Azure && asked_mib < least_mib {
        let message = format!("{described} less than the tenth {size} that {} wants", service(Cloud::Azure));
        return vec![block.error(
            &entry.at_value(),
            message,
            format!("write \"{least_mib}MB\" or more, or leave it out"),
        )];
    }
    Vec::new()
}
