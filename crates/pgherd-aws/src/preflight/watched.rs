//! Alarms that nobody hears of. Pure.

use std::collections::BTreeSet;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Action;
use pgherd_core::value::Value;

use super::About;
use crate::kinds::alarm;
use crate::names;

/// A note for each region in which alarms are made that tell nobody. CloudWatch tells topics of an alarm's own region only.
pub(super) fn say(about: &About<'_>) -> Vec<Diagnostic> {
    let made = about.plan.steps.iter().filter_map(|step| match &step.action {
        Action::Create { resource } if resource.id.kind == alarm::NAME => Some(resource),
        Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => None,
    });
    let silent =
        made.filter(|alarm| alarm.props.get("AlarmActions").and_then(Value::as_list).is_none_or(<[Value]>::is_empty));
    let regions: BTreeSet<Option<String>> = silent.map(|alarm| names::place(alarm::NAME, &alarm.id.name).0).collect();
    let note = |elsewhere: Option<String>| {
        let (place, help) = match &elsewhere {
            None => (
                about.region,
                "write alarm_targets with e-mail addresses or topics; `pgherd status` shows what rings".to_owned(),
            ),
            Some(region) => (
                region.as_str(),
                format!("write a topic of {region} among alarm_targets: CloudWatch tells no other region's"),
            ),
        };
        let message = format!("the alarms in {place} tell nobody when they ring");
        about.note("alarms-tell-nobody", "alarm_targets", message).help(help)
    };
    regions.into_iter().map(note).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    #[track_caller]
    fn check(block: &str, expected: &[&str]) {
        Case::made(block).check(say, expected);
    }

    const NOBODY: &str = "note alarm_targets: the alarms in eu-central-1 tell nobody when they ring [write alarm_targets with e-mail addresses or topics; `pgherd status` shows what rings]";

    #[test]
    fn alarms_that_nobody_hears_of() {
        check("", &[NOBODY]);
        check("alarm_targets = [\"ann@example.org\"]", &[]);
        let there = "create_security_group = true\nbackup_retention_period = 7\ndr_region = \"eu-west-1\"\ndr_read_replica = true\nalarm_targets = ";
        let silent = "note alarm_targets: the alarms in eu-west-1 tell nobody when they ring [write a topic of eu-west-1 among alarm_targets: CloudWatch tells no other region's]";
        check(&format!("{there}[\"ann@example.org\"]"), &[silent]);
        check(&format!("{there}[\"ann@example.org\", \"arn:aws:sns:eu-west-1:123456789012:ops\"]"), &[]);
    }
}
