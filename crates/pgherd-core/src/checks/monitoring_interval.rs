//! The machine is sampled at an interval the target has.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "monitoring-interval",
    words: "`monitoring_interval` is 0 (off), 1, 5, 10, 15, 30 or 60 seconds.",
    fine: &["monitoring_interval = 60", "monitoring_interval = 0", "enable_enhanced_monitoring = true"],
    wrong: &[
        Wrong {
            block: "monitoring_interval = 45",
            says: &[
                "error monitoring_interval: the machine is sampled every 1, 5, 10, 15, 30 or 60 seconds, not every 45 [write 30, or 0 for no samples]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nmonitoring_interval = 120",
            says: &[
                "error monitoring_interval: the machine is sampled every 1, 5, 10, 15, 30 or 60 seconds, not every 120 [write 60, or 0 for no samples]",
            ],
        },
    ],
    rule,
};

const INTERVALS_S: &[u32] = &[0, 1, 5, 10, 15, 30, 60];

fn rule(block: &Block) -> Vec<Diagnostic> {
    let interval_s = block.spec.monitoring.interval_s;
    if !matches!(block.target(), Cloud::Aws | Cloud::Local) || INTERVALS_S.contains(&interval_s) {
        return Vec::new();
    }
    let nearest = INTERVALS_S.iter().copied().min_by_key(|other| other.abs_diff(interval_s)).unwrap_or(60);
    let message = format!("the machine is sampled every 1, 5, 10, 15, 30 or 60 seconds, not every {interval_s}");
    vec![block.error("monitoring_interval", message, format!("write {nearest}, or 0 for no samples"))]
}
