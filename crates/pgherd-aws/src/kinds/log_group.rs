//! Log groups, made before the instance that writes to them: one that RDS makes keeps its logs for ever.

use pgherd_core::resource::{Field, Id, Impact, Kind, Owner, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{UNREAD_TAGS, props, set, tags};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "log_group";

/// Days that logs are kept at least; the figure is ours.
const RETENTION_DAYS: i64 = 30;

/// The kind. What was logged may be wanted after the database is gone.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: true,
    // Somebody who keeps them for longer has a reason.
    fields: &[Field { owner: Owner::Floor, ..set("retentionInDays", Impact::None) }, UNREAD_TAGS],
};

/// The log groups of an instance.
pub fn of(spec: &Spec, instance: &str) -> Vec<Resource> {
    let group = |log: &String| Resource {
        id: Id::new(NAME, names::log_group(instance, log)),
        props: props([("retentionInDays", Value::Int(RETENTION_DAYS)), ("Tags", tags::wanted(spec))]),
        needs: Vec::new(),
    };
    exports(spec).iter().map(group).collect()
}

/// Which logs are exported.
pub fn exports(spec: &Spec) -> &[String] {
    if spec.monitoring.logging { &spec.monitoring.log_exports } else { &[] }
}
