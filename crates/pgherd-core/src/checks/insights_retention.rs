//! Query analysis is kept for as long as the target can.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "insights-retention",
    words: "`performance_insights_retention_period` is 7, 731 or a multiple of 31 up to 713 on RDS, 1 to 731 on `local`, and at most 30 on Azure, where more becomes 30; elsewhere it has no effect.",
    fine: &[
        "enable_performance_insights = true\nperformance_insights_retention_period = 7",
        "enable_performance_insights = true\nperformance_insights_retention_period = 62",
        "cloud_provider = \"local\"\nenable_performance_insights = true\nperformance_insights_retention_period = 8",
        "cloud_provider = \"azure\"\nenable_performance_insights = true\nperformance_insights_retention_period = 30",
        "enable_performance_insights = false\nperformance_insights_retention_period = 8",
    ],
    wrong: &[
        Wrong {
            block: "enable_performance_insights = true\nperformance_insights_retention_period = 8",
            says: &[
                "error performance_insights_retention_period: RDS keeps query analysis for 7 days, 731 days or months of 31, not 8 [write 7 or 31]",
            ],
        },
        Wrong {
            block: "enable_performance_insights = true\nperformance_insights_retention_period = 1000",
            says: &[
                "error performance_insights_retention_period: RDS keeps query analysis for 7 days, 731 days or months of 31, not 1000 [write 731]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"local\"\nenable_performance_insights = true\nperformance_insights_retention_period = 0",
            says: &[
                "error performance_insights_retention_period: query analysis is kept for 1 to 731 days, not 0 [write 1]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"GP_Standard_D2ds_v5\"\nenable_performance_insights = true\nperformance_insights_retention_period = 31",
            says: &[
                "warning performance_insights_retention_period: Query Store keeps 1 to 30 days, and 31 are taken as 30 [write 30]",
            ],
        },
    ],
    rule,
};

const LONGEST_DAYS: u32 = 731;
const AZURE_LONGEST_DAYS: u32 = 30;
const MONTH_DAYS: u32 = 31;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let days = block.spec.monitoring.insights_retention_days;
    if !block.spec.monitoring.insights || block.written("performance_insights_retention_period").is_none() {
        return Vec::new();
    }
    let at = "performance_insights_retention_period";
    match block.target() {
        Cloud::Aws
            if days != 7
                && days != LONGEST_DAYS
                && (days == 0 || !days.is_multiple_of(MONTH_DAYS) || days > LONGEST_DAYS) =>
        {
            let (below, above) = neighbours(days);
            let message = format!(
                "RDS keeps query analysis for 7 days, {LONGEST_DAYS} days or months of {MONTH_DAYS}, not {days}"
            );
            let help = if below == above { format!("write {below}") } else { format!("write {below} or {above}") };
            vec![block.error(at, message, help)]
        }
        Cloud::Local if !(1..=LONGEST_DAYS).contains(&days) => {
            let message = format!("query analysis is kept for 1 to {LONGEST_DAYS} days, not {days}");
            vec![block.error(at, message, format!("write {}", days.clamp(1, LONGEST_DAYS)))]
        }
        Cloud::Azure if !(1..=AZURE_LONGEST_DAYS).contains(&days) => {
            let taken = days.clamp(1, AZURE_LONGEST_DAYS);
            let message = format!("Query Store keeps 1 to {AZURE_LONGEST_DAYS} days, and {days} are taken as {taken}");
            vec![block.warning(at, message, format!("write {taken}"))]
        }
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => Vec::new(),
    }
}

/// The nearest periods RDS has, below and above.
fn neighbours(days: u32) -> (u32, u32) {
    let months = (1..=23).map(|months| months * MONTH_DAYS);
    let all: Vec<u32> = std::iter::once(7).chain(months).chain([LONGEST_DAYS]).collect();
    let below = all.iter().copied().rfind(|period| *period < days).unwrap_or(all[0]);
    (below, all.iter().copied().find(|period| *period > days).unwrap_or(below))
}
