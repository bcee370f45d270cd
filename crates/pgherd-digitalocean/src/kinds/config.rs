//! The settings of a cluster. DigitalOcean sets what is named and never takes anything back: what is taken out of a block stays.

use pgherd_core::resource::{Field, Id, Impact, ImpactRule, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::{Props, Value};

use super::{cluster, int, set};
use crate::parameters;

/// Its name in an [`Id`].
pub const NAME: &str = "config";

/// DigitalOcean restarts a node at a time by itself when a setting needs that; the figure is ours.
const RESTART: Impact = Impact::Restart { about_s: 30 };

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        set("config.backup_hour", Impact::None),
        set("config.backup_minute", Impact::None),
        set("config.shared_buffers_percentage", RESTART),
        Field { impact: ImpactRule::ParameterAtOnce(RESTART), ..set("config.*", Impact::None) },
    ],
};

/// The id of the settings of a database.
pub fn id(database: &str) -> Id {
    Id::new(NAME, database)
}

/// The settings a spec wants.
pub fn wanted(spec: &Spec) -> Resource {
    let start_min = spec.backup.window.start_min % (24 * 60);
    let mut config = parameters::of(spec);
    config.insert("backup_hour".to_owned(), int(start_min / 60));
    config.insert("backup_minute".to_owned(), int(start_min % 60));
    let props = Props::from([("config".to_owned(), Value::Map(config))]);
    Resource { id: id(&spec.name), props, needs: vec![cluster::id(spec)] }
}
