//! A spec to everything it wants of Azure. Pure.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::Spec;

use crate::around::Around;
use crate::kinds::{
    KINDS, action_group, alert, database, firewall, lock, logs, replica, secret, server, settings, zone,
};

/// What should exist for a spec, in the order of making.
pub fn desired(spec: &Spec, around: &Around) -> Vec<Resource> {
    let around = &around.clone().of_block(spec);
    let mut resources: Vec<Resource> = zone::wanted(spec).into_iter().collect();
    resources.push(server::wanted(spec, around));
    let replicas = replica::wanted(spec, around);
    let servers: Vec<Id> = std::iter::once(server::id(spec)).chain(replicas.iter().map(|one| one.id.clone())).collect();
    resources.extend(servers.iter().map(|id| settings::of(spec, id)));
    resources.extend(servers.iter().filter_map(|id| firewall::of(spec, id)));
    resources.push(database::wanted(spec));
    resources.push(secret::wanted(spec));
    resources.extend(replicas);
    resources.extend(logs::wanted(spec, around));
    resources.extend(action_group::wanted(spec));
    resources.extend(alert::wanted(spec, around));
    resources.extend(lock::wanted(spec));
    resources.sort_by_key(|resource| KINDS.iter().position(|kind| kind.name == resource.id.kind));
    resources
}
