//! PostgreSQL's settings, and those of what Azure puts beside it, of a primary or a replica: "configurations", of which each is changed
//! by itself, and some wait for a restart.

use pgherd_core::resource::{Field, Id, Impact, ImpactRule, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{props, server, set};
use crate::parameters;

/// Its name in an [`Id`].
pub const NAME: &str = "settings";

/// The field with the values.
pub const VALUES: &str = "values";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[Field { impact: ImpactRule::ParameterUntilRestart(server::RESTART), ..set("values.*", Impact::None) }],
};

/// The settings of a server.
pub fn of(spec: &Spec, of: &Id) -> Resource {
    let values = Value::Map(parameters::of(spec));
    Resource { id: Id::new(NAME, &of.name), props: props([(VALUES, values)]), needs: vec![of.clone()] }
}
