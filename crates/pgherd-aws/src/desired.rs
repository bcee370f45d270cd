//! A spec to everything it wants of AWS. Pure.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::Spec;

use crate::kinds::{
    KINDS, alarm, backup_replication, dashboard, instance, log_group, parameter_group, proxy, recovery, replica, role,
    secret, security_group, subnet_group, topic,
};
use crate::{alarms, names, parameters};

/// What should exist for a spec in a region, in the order of making.
pub fn desired(spec: &Spec, region: &str) -> Vec<Resource> {
    let servers = names::instances(&spec.name).into_iter().take(1 + spec.replicas as usize);
    let mut resources = Vec::from_iter(topic::wanted(spec));
    resources.extend(role::wanted(spec, region));
    resources.extend(security_group::wanted(spec));
    resources.extend(subnet_group::wanted(spec));
    resources.extend(parameter_group::wanted(spec));
    resources.extend(servers.flat_map(|server| log_group::of(spec, &server)));
    resources.push(instance::wanted(spec, region));
    resources.push(secret::wanted(spec));
    resources.extend(replica::wanted(spec, region));
    resources.extend(recovery::wanted(spec, region));
    resources.extend(backup_replication::wanted(spec));
    resources.extend(proxy::wanted(spec, region));
    resources.extend(alarm::wanted(spec, region));
    resources.extend(dashboard::wanted(spec, region));
    // What is in a second region stands beside its kind.
    resources.sort_by_key(|resource| KINDS.iter().position(|kind| kind.name == resource.id.kind));
    resources
}

/// What nobody wrote of it and everybody should see: what the parameter group holds beside what is written, and where the alarm on connections
/// rings.
pub fn derived(spec: &Spec) -> Vec<(Id, String)> {
    let group = parameter_group::wanted(spec).map(|group| group.id);
    let settings =
        group.into_iter().flat_map(|id| parameters::derived(spec).into_iter().map(move |words| (id.clone(), words)));
    let alarm =
        alarms::derived(spec).map(|words| (Id::new(alarm::NAME, names::alarm(&spec.name, "connections")), words));
    settings.chain(alarm).collect()
}
