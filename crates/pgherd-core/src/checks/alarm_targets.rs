//! Alarms reach somebody.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "alarm-target",
    words: "On aws an element of `alarm_targets` is the ARN of an SNS topic or an e-mail address, for which a topic is made. On gcp it is an e-mail address or \
            a notification channel, on digitalocean an e-mail address.",
    fine: &[
        r#"alarm_targets = ["arn:aws:sns:us-east-1:123456789012:ops", "ops@example.com"]"#,
        "cloud_provider = \"local\"\nalarm_targets = [\"https://example.com/hook\"]",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\nalarm_targets = [\"ops@example.com\", \"https://example.com/hook\"]",
            says: &[
                "error alarm_targets[1]: \"https://example.com/hook\" is neither an address of mail nor a notification channel of Google Cloud [write an address, or projects/<project>/notificationChannels/<number>]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nalarm_targets = [\"ops@example.com\", \"arn:aws:sns:us-east-1:123456789012:ops\"]",
            says: &[
                "error alarm_targets[1]: \"arn:aws:sns:us-east-1:123456789012:ops\" is no address of mail, and DigitalOcean's alerts tell people by mail [write an address that DigitalOcean has verified]",
            ],
        },
        Wrong {
            block: r#"alarm_targets = ["https://example.com/hook"]"#,
            says: &[
                "error alarm_targets[0]: \"https://example.com/hook\" is neither the ARN of an SNS topic nor an e-mail address [subscribe it to a topic of your own, and write the ARN of that]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let is_mail = |target: &str| target.contains('@') && !target.contains("://") && !target.starts_with("projects/");
    let is_topic = |target: &str| target.starts_with("arn:") && target.contains(":sns:");
    let is_channel = |target: &str| target.starts_with("projects/") && target.contains("/notificationChannels/");
    let wrong = |target: &str| match block.target() {
        Cloud::Aws if !is_topic(target) && !is_mail(target) => Some((
            "is neither the ARN of an SNS topic nor an e-mail address",
            "subscribe it to a topic of your own, and write the ARN of that",
        )),
        Cloud::Gcp if !is_channel(target) && !is_mail(target) => Some((
            "is neither an address of mail nor a notification channel of Google Cloud",
            "write an address, or projects/<project>/notificationChannels/<number>",
        )),
        Cloud::DigitalOcean if !is_mail(target) => Some((
            "is no address of mail, and DigitalOcean's alerts tell people by mail",
            "write an address that DigitalOcean has verified",
        )),
        Cloud::Aws | Cloud::Gcp | Cloud::DigitalOcean | Cloud::Azure | Cloud::Local => None,
    };
    let targets = block.spec.monitoring.alarm_targets.iter().enumerate();
    let said = |(index, target): (usize, &Setting<String>)| {
        let target = target.known()?;
        let (words, help) = wrong(target)?;
        Some(block.error(&format!("alarm_targets[{index}]"), format!("\"{target}\" {words}"), help))
    };
    targets.filter_map(said).collect()
}
