//! Alarms can ring.

use super::block::Block;
use super::{Check, Wrong};
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "alarms",
    words: "The thresholds of `alarms` are ones that can be passed: percents between 0 and 100, connections and latency above 0, and no more \
            connections than the size has.",
    fine: &["alarms = { cpu_percent = 80, free_storage_percent = 10, read_latency_seconds = 0.2 }"],
    wrong: &[
        Wrong {
            block: "alarms = { cpu_percent = 120 }",
            says: &[
                "error alarms.cpu_percent: an alarm at 120 percent never rings or never stops [write a number between 0 and 100]",
            ],
        },
        Wrong {
            block: "alarms = { free_storage_percent = 0 }",
            says: &[
                "error alarms.free_storage_percent: an alarm at 0 percent never rings or never stops [write a number between 0 and 100]",
            ],
        },
        Wrong {
            block: "alarms = { read_latency_seconds = 0 }",
            says: &["error alarms.read_latency_seconds: an alarm at 0 never stops [write a number above 0]"],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nsku_name = \"B_Standard_B1ms\"\nalarms = { connections = 80 }",
            says: &[
                "warning alarms.connections: an alarm at 80 connections never rings: there are 50 at most [write 40 or fewer, or leave it out for 80 percent of them]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    // The defaults are ours to get right.
    if block.written("alarms").is_none() {
        return Vec::new();
    }
    let monitoring = &block.spec.monitoring;
    let mut out = Vec::new();
    for (name, threshold) in
        [("cpu_percent", monitoring.alarm_cpu_percent), ("free_storage_percent", monitoring.alarm_free_storage_percent)]
    {
        if let Some(percent) = threshold.filter(|percent| !(*percent > 0.0 && *percent < 100.0)) {
            let message = format!("an alarm at {percent} percent never rings or never stops");
            out.push(block.error(&format!("alarms.{name}"), message, "write a number between 0 and 100"));
        }
    }
    for (name, threshold) in
        [("connections", monitoring.alarm_connections), ("read_latency_seconds", monitoring.alarm_read_latency_s)]
    {
        if let Some(threshold) = threshold.filter(|threshold| threshold.is_nan() || *threshold <= 0.0) {
            let message = format!("an alarm at {threshold} never stops");
            out.push(block.error(&format!("alarms.{name}"), message, "write a number above 0"));
        }
    }
    out.extend(never_reached(block));
    out
}

/// More connections than there can be.
fn never_reached(block: &Block) -> Option<Diagnostic> {
    let threshold = block.spec.monitoring.alarm_connections?;
    let written = block.parameter_int("max_connections").and_then(|(_, most)| u32::try_from(most).ok());
    let most = written.or_else(|| block.size()?.connections_at_most())?;
    (threshold >= f64::from(most)).then(|| {
        let message = format!("an alarm at {threshold} connections never rings: there are {most} at most");
        let help = format!("write {} or fewer, or leave it out for 80 percent of them", most * 4 / 5);
        block.warning("alarms.connections", message, help)
    })
}
