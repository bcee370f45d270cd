//! Pairs about watching: OS-level samples, logs, query analysis.

use crate::diagnostic::Severity;
use crate::spec::Origin;
use crate::value::Value;

use super::super::draft::Draft;

/// The interval turns sampling on, the switch gives it an interval.
pub(super) fn monitoring(draft: &mut Draft) {
    const INTERVAL: &str = "monitoring_interval";
    const SWITCH: &str = "enable_enhanced_monitoring";
    let (switch, written) = (draft.written_bool(SWITCH), draft.written_whole(INTERVAL));
    if let (Some(false), Some(seconds @ 1..)) = (switch, written) {
        let message = format!("`{INTERVAL}` is {seconds}, but `{SWITCH}` is false");
        draft.say(Severity::Error, "interval-without-monitoring", INTERVAL, message, "leave one of the two out");
        return;
    }
    if draft.settled[INTERVAL].origin == Origin::NoEffect {
        return;
    }
    let interval = draft.whole(INTERVAL).unwrap_or(0);
    match switch {
        Some(true) if interval == 0 => draft.settle(INTERVAL, Value::Int(60), Origin::Follows(SWITCH)),
        Some(false) if interval > 0 => draft.settle(INTERVAL, Value::Int(0), Origin::Follows(SWITCH)),
        Some(_) => {}
        None => draft.settle(SWITCH, interval > 0, Origin::Follows(INTERVAL)),
    }
}

/// A list of logs turns logging on, the switch gives it the usual two.
pub(super) fn logging(draft: &mut Draft) {
    const LOGS: &str = "enabled_cloudwatch_logs_exports";
    const SWITCH: &str = "enable_logging";
    let some_listed = !draft.written_list(LOGS).is_empty();
    match draft.written_bool(SWITCH) {
        Some(false) if some_listed => {
            let message = format!("`{LOGS}` lists logs, but `{SWITCH}` is false");
            draft.say(Severity::Error, "logs-without-logging", LOGS, message, "leave one of the two out");
        }
        None if some_listed => draft.settle(SWITCH, true, Origin::Follows(LOGS)),
        Some(_) | None => {}
    }
    let acts = draft.settled[LOGS].origin != Origin::NoEffect;
    if acts && draft.is_on(SWITCH) && draft.written(LOGS).is_none() {
        let both = Value::List(vec!["postgresql".into(), "upgrade".into()]);
        draft.settle(LOGS, both, Origin::Follows(SWITCH));
    }
}

/// Settings of a feature that is off.
pub(super) fn insights(draft: &mut Draft) {
    const SWITCH: &str = "enable_performance_insights";
    if draft.is_on(SWITCH) {
        return;
    }
    for name in ["performance_insights_retention_period", "performance_insights_kms_key_id"] {
        if draft.written.contains_key(name) {
            let message = format!("`{name}` waits for `{SWITCH}`, which is not true");
            draft.say(Severity::Note, "insights-off", name, message, "");
        }
    }
}
