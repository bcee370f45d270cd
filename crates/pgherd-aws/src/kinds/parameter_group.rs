//! The parameter group: PostgreSQL's settings, and the promise that clients use TLS.

use pgherd_core::resource::{Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{UNREAD_TAGS, fixed, props, set, tags, theirs};
use crate::{names, parameters};

/// Its name in an [`Id`].
pub const NAME: &str = "parameter_group";

/// A restart of an instance, seconds: RDS says "a momentary outage" (botocore 1.43.11, RebootDBInstance); the figure is ours.
const RESTART: Impact = Impact::Restart { about_s: 60 };

/// The kind. Static parameters are never applied in a maintenance window (botocore 1.43.11, ModifyDBParameterGroup), only by a
/// restart that somebody asks for.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        fixed("DBParameterGroupFamily", "a family is of one major version: write the engine_version it should have"),
        // Of a block that names no version: what it was made with stays.
        theirs("NewestDBParameterGroupFamily"),
        theirs("Description"),
        restarts("Parameters.cron.database_name"),
        restarts("Parameters.cron.log_run"),
        restarts("Parameters.cron.log_statement"),
        restarts("Parameters.cron.max_running_jobs"),
        restarts("Parameters.cron.timezone"),
        restarts("Parameters.cron.use_background_workers"),
        restarts("Parameters.rds.logical_replication"),
        restarts("Parameters.rds.pg_stat_ramdisk_size"),
        restarts("Parameters.rds.rds_superuser_reserved_connections"),
        restarts("Parameters.rds.restrict_password_commands"),
        Field {
            name: "Parameters.*",
            owner: Owner::Set,
            equality: Equality::Parameter,
            impact: ImpactRule::ParameterUntilRestart(RESTART),
        },
        UNREAD_TAGS,
    ],
};

/// A parameter that PostgreSQL's catalogue does not know and only a restart brings.
const fn restarts(name: &'static str) -> Field {
    Field { equality: Equality::Parameter, impact: ImpactRule::UntilRestart(RESTART), ..set(name, Impact::None) }
}

/// The parameter group a spec wants: none where it names one that exists.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    spec.parameter_group_name.is_none().then(|| of(spec, own(spec, &spec.name)))
}

/// What the instance is to use: the group that is written, or the spec's own.
pub fn name(spec: &Spec) -> String {
    spec.parameter_group_name.clone().unwrap_or_else(|| own(spec, &spec.name))
}

/// The name of the group made for a spec, whose things are named after `name`.
pub(crate) fn own(spec: &Spec, name: &str) -> String {
    names::parameter_group(name, spec.engine_version.map(|version| version.major))
}

pub(crate) fn of(spec: &Spec, name: String) -> Resource {
    let settings = parameters::of(spec).into_iter().map(|(name, value)| (name, Value::Text(value))).collect();
    let field = if spec.engine_version.is_some() { "DBParameterGroupFamily" } else { "NewestDBParameterGroupFamily" };
    let mut props = props([
        ("Description", format!("Settings of {}, kept by pgherd", spec.name).into()),
        ("Parameters", Value::Map(settings)),
        ("Tags", tags::wanted(spec)),
    ]);
    let family = parameters::major(spec).map(|major| format!("postgres{major}"));
    let family = spec.parameter_group_family.clone().or(family);
    props.extend(family.map(|family| (field.to_owned(), Value::Text(family))));
    Resource { id: Id::new(NAME, name), props, needs: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map's own entry hides nothing: each static parameter the catalogue does not know stands before it.
    #[test]
    fn every_parameter_that_only_a_restart_brings_says_so() {
        for name in parameters::STATIC {
            let field = KIND.field(&format!("Parameters.{name}"));
            assert!(matches!(field.map(|field| field.impact), Some(ImpactRule::UntilRestart(_))), "{name}");
        }
    }
}
