//! A spec to everything it wants of Google Cloud. Pure.

use pgherd_core::resource::Resource;
use pgherd_core::spec::Spec;

use crate::kinds::{KINDS, alert, channel, database, instance, replica, secret, user};

/// What should exist for a spec in a project, in the order of making.
pub fn desired(spec: &Spec, project: &str) -> Vec<Resource> {
    let mut resources = vec![instance::wanted(spec, project)];
    resources.push(database::wanted(spec));
    resources.extend(user::wanted(spec));
    resources.push(secret::wanted(spec));
    resources.extend(replica::wanted(spec, project));
    resources.extend(channel::wanted(spec));
    resources.extend(alert::wanted(spec, project));
    resources.sort_by_key(|resource| KINDS.iter().position(|kind| kind.name == resource.id.kind));
    resources
}
