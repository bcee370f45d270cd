//! Switches that come in pairs (variables.md 3.4), one function for each pair.
//!
//! A function looks at what is written and at what holds by itself, settles what holds together, and reports what
//! contradicts. Only written values contradict: a preset or default gives way.

mod backup;
mod engine;
mod network;
mod watch;

use super::draft::Draft;

/// Settles every pair. Later ones may look at what earlier ones settled.
pub(super) fn settle(draft: &mut Draft) {
    engine::family_and_version(draft);
    engine::group_and_parameters(draft);
    engine::limit_and_growth(draft);
    engine::proxy(draft);
    network::database_name(draft);
    network::replicas(draft);
    network::firewall(draft);
    network::environment_tag(draft);
    network::zone(draft);
    network::required_place(draft);
    backup::switch_and_retention(draft);
    backup::point_in_time(draft);
    backup::final_snapshot(draft);
    backup::key_and_encryption(draft);
    backup::backup_encryption(draft);
    watch::monitoring(draft);
    watch::logging(draft);
    watch::insights(draft);
}
