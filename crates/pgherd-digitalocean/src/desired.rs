//! A spec to everything it wants of DigitalOcean. Pure.

use pgherd_core::resource::{Id, Resource};
use pgherd_core::spec::Spec;

use crate::kinds::{KINDS, alert, cluster, config, database, firewall, pool, replica, secret, user};

/// What should exist for a spec, in the order of making.
pub fn desired(spec: &Spec) -> Vec<Resource> {
    let replicas = replica::wanted(spec);
    let servers: Vec<Id> =
        std::iter::once(cluster::id(spec)).chain(replicas.iter().map(|one| one.id.clone())).collect();
    let mut resources = vec![cluster::wanted(spec), config::wanted(spec)];
    resources.extend(database::wanted(spec));
    resources.extend(user::wanted(spec));
    resources.push(secret::wanted(spec));
    resources.extend(replicas);
    resources.extend(servers.iter().map(|server| firewall::wanted(spec, server)));
    resources.extend(pool::wanted(spec));
    resources.extend(alert::wanted(spec));
    resources.sort_by_key(|resource| KINDS.iter().position(|kind| kind.name == resource.id.kind));
    resources
}
