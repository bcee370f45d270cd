//! Alarms reach somebody.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "alarm-target",
    words: "On aws an element of `alarm_targets` is the ARN of an SNS topic or an e-mail address, for which a topic is made.",
    fine: &[
        r#"alarm_targets = ["arn:aws:sns:us-east-1:123456789012:ops", "ops@example.com"]"#,
        "cloud_provider = \"local\"\nalarm_targets = [\"https://example.com/hook\"]",
    ],
    wrong: &[Wrong {
        block: r#"alarm_targets = ["https://example.com/hook"]"#,
        says: &[
            "error alarm_targets[0]: \"https://example.com/hook\" is neither the ARN of an SNS topic nor an e-mail address [subscribe it to a topic of your own, and write the ARN of that]",
        ],
    }],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::Aws {
        return Vec::new();
    }
    let targets = block.spec.monitoring.alarm_targets.iter().enumerate();
    let is_topic = |target: &str| target.starts_with("arn:") && target.contains(":sns:");
    let unknown = |target: &str| !is_topic(target) && (!target.contains('@') || target.contains("://"));
    let one = |(index, target): (usize, &String)| {
        let message = format!("\"{target}\" is neither the ARN of an SNS topic nor an e-mail address");
        let help = "subscribe it to a topic of your own, and write the ARN of that";
        block.error(&format!("alarm_targets[{index}]"), message, help)
    };
    targets
        .filter_map(|(index, target)| Some((index, target.known()?)))
        .filter(|(_, it)| unknown(it))
        .map(one)
        .collect()
}
