//! The windows are long enough and not at the same time.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::window::{DAY_MIN, Window};

pub(super) const CHECK: Check = Check {
    code: "windows",
    words: "`backup_window` and `maintenance_window` are at least 30 minutes long, maintenance at most a day, and they do not overlap; touching \
            is fine. Cloud SQL begins maintenance at a full hour.",
    fine: &[
        "backup_window = \"03:00-04:00\"\nmaintenance_window = \"sun:04:00-sun:05:00\"",
        "backup_window = \"23:30-00:30\"",
    ],
    wrong: &[
        Wrong {
            block: r#"backup_window = "03:00-03:29""#,
            says: &[
                "error backup_window: the window 03:00-03:29 is 29 minutes long; 30 is the least [write \"03:00-03:30\"]",
            ],
        },
        Wrong {
            block: r#"maintenance_window = "sun:04:00-sun:04:10""#,
            says: &[
                "error maintenance_window: the window sun:04:00-sun:04:10 is 10 minutes long; 30 is the least [write \"sun:04:00-sun:04:30\"]",
            ],
        },
        Wrong {
            block: r#"backup_window = "04:30-05:30""#,
            says: &[
                "error backup_window: the backup window 04:30-05:30 and the maintenance window sun:04:00-sun:05:00 overlap [write a backup window that ends by or begins after sun:04:00-sun:05:00, or another maintenance_window]",
            ],
        },
        Wrong {
            block: "backup_window = \"23:30-00:30\"\nmaintenance_window = \"sun:23:00-mon:00:10\"",
            says: &[
                "error maintenance_window: the backup window 23:30-00:30 and the maintenance window sun:23:00-mon:00:10 overlap [write maintenance_window = \"sun:00:30-sun:01:30\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\nmaintenance_window = \"sun:05:30-sun:06:30\"",
            says: &[
                "error maintenance_window: Cloud SQL begins maintenance at a full hour, and sun:05:30-sun:06:30 does not [write \"sun:05:00-sun:06:00\"]",
            ],
        },
        Wrong {
            block: "maintenance_window = \"mon:00:00-wed:00:00\"\nbackup_window = \"03:00-04:00\"",
            says: &[
                "error maintenance_window: the maintenance window mon:00:00-wed:00:00 is longer than a day [write a day or less, such as \"sun:04:00-sun:05:00\"]",
            ],
        },
    ],
    rule,
};

const LEAST_MIN: u32 = 30;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let (backup, maintenance) = (block.spec.backup.window, block.spec.maintenance_window);
    let mut out = Vec::new();
    out.extend(too_short(block, "backup_window", backup));
    out.extend(too_short(block, "maintenance_window", maintenance));
    if maintenance.length_min > DAY_MIN {
        let message = format!("the maintenance window {maintenance} is longer than a day");
        out.push(block.error("maintenance_window", message, "write a day or less, such as \"sun:04:00-sun:05:00\""));
    }
    if block.target() == Cloud::Gcp && maintenance.start_min % 60 != 0 {
        let message = format!("Cloud SQL begins maintenance at a full hour, and {maintenance} does not");
        let start_min = maintenance.start_min / 60 * 60;
        let help = format!("write \"{}\"", Window { start_min, length_min: 60, ..maintenance });
        out.push(block.error("maintenance_window", message, help));
    }
    if out.is_empty() && backup.overlaps(&maintenance) {
        let message = format!("the backup window {backup} and the maintenance window {maintenance} overlap");
        let at = if block.written("maintenance_window").is_some() { "maintenance_window" } else { "backup_window" };
        let help = match at {
            "maintenance_window" => {
                let (day, start_min) =
                    (maintenance.start_min / DAY_MIN, (backup.start_min + backup.length_min) % DAY_MIN);
                let free = Window { start_min: day * DAY_MIN + start_min, length_min: 60, ..maintenance };
                let fits = !backup.overlaps(&free);
                if fits {
                    format!("write maintenance_window = \"{free}\"")
                } else {
                    "write windows that do not overlap".to_owned()
                }
            }
            _ => format!(
                "write a backup window that ends by or begins after {maintenance}, or another maintenance_window"
            ),
        };
        out.push(block.error(at, message, help));
    }
    out
}

fn too_short(block: &Block, at: &str, window: Window) -> Option<Diagnostic> {
    (window.length_min < LEAST_MIN).then(|| {
        let message = format!("the window {window} is {} minutes long; {LEAST_MIN} is the least", window.length_min);
        block.error(at, message, format!("write \"{}\"", Window { length_min: LEAST_MIN, ..window }))
    })
}
