//! What is not as it should be, in words, for `status` and alarms.

use super::draft::passed;
use super::memory::Memory;
use super::view::{Names, Process, SyncMode, View};

/// How long an old primary may be seen alive after it was told to end before somebody should know.
const FENCE_MS: u32 = 5_000;
/// So many failures in a row are worth an alarm.
const MANY_FAILURES: u32 = 3;

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name, stable.
    pub code: &'static str,
    /// What is the matter.
    pub message: String,
}

/// What is not as it should be.
pub fn alarms(view: &View, memory: &Memory) -> Vec<Alarm> {
    let mut found = Vec::new();
    let mut add = |code, message: String| found.push(Alarm { code, message });
    if let Some(why) = &memory.refused {
        add("ha-refused", why.clone());
    }
    if let Some(message) = view.wanted.serve.then(|| degraded(view, memory)).flatten() {
        add("ha-degraded", message);
    }
    if let Some(fence) = memory.fence.as_ref().filter(|fence| passed(fence.since, view.now, FENCE_MS)) {
        add(
            "ha-fence",
            format!("{} was told to end and is not seen to be dead; nothing is promoted before", fence.node),
        );
    }
    for (id, why) in &memory.quarantine {
        add("ha-quarantine", format!("{id} is left alone: {why}"));
    }
    for (id, member) in &memory.members {
        if member.retry.failures >= MANY_FAILURES {
            add("ha-failing", format!("{id} failed {} times in a row", member.retry.failures));
        }
        if let Some(node) = view.nodes.get(id).filter(|node| node.disk.is_in_trouble()) {
            add("ha-disk", format!("the disk of {id} is {}", format!("{:?}", node.disk).to_lowercase()));
        }
    }
    found
}

/// Without a promotable standby the loss of the primary's directory loses commits, or, in required mode, commits wait.
fn degraded(view: &View, memory: &Memory) -> Option<String> {
    let since = memory.degraded_since?;
    let primary = view.nodes.get(&memory.primary?)?;
    if !matches!(primary.process, Process::Running { .. }) {
        return None;
    }
    let seconds = (view.now.as_second() - since.as_second()).max(0);
    Some(match (view.wanted.sync, primary.names) {
        (SyncMode::Required, Names::Node(standby)) => {
            format!("no standby holds every commit for {seconds} s; commits wait for {standby}")
        }
        (SyncMode::Required | SyncMode::Preferred, _) => {
            format!("no standby holds every commit for {seconds} s; a lost primary would lose commits")
        }
    })
}
