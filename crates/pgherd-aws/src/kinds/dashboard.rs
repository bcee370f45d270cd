//! The dashboard of a database in CloudWatch.

use pgherd_core::resource::{Equality, Field, Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;

use super::{instance, props, replica, set};
use crate::{dashboard, names};

/// Its name in an [`Id`].
pub const NAME: &str = "dashboard";

/// The kind. Dashboards take no tags.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[Field { equality: Equality::Json, ..set("DashboardBody", Impact::None) }],
};

/// The dashboard a spec wants.
pub fn wanted(spec: &Spec, region: &str) -> Option<Resource> {
    spec.monitoring.dashboard.then(|| Resource {
        id: Id::new(NAME, names::dashboard(&spec.name, region)),
        props: props([("DashboardBody", dashboard::body(spec, region).into())]),
        needs: std::iter::once(instance::id(spec))
            .chain((1..=spec.replicas).map(|number| replica::id(spec, number)))
            .collect(),
    })
}
