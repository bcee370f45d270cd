//! RDS Proxy in front of the instance: many clients on few connections, a transaction at a time.

use pgherd_core::resource::{Equality, Field, Id, Impact, Kind, Resource};
use pgherd_core::spec::Spec;
use pgherd_core::value::Value;

use super::{
    UNREAD_TAGS, fixed, instance, listed, output, props, role, secret, security_group, set, subnet_group, tags,
};
use crate::{alarms, names};

/// Its name in an [`Id`].
pub const NAME: &str = "proxy";

/// The field that AWS assigns: where clients connect to.
pub const ENDPOINT: &str = "Endpoint";

/// A field that only ever is observed: what keeps it from its instance.
pub const REACH: &str = "Trouble";

const PLACE: &str = "a proxy stays in its subnets: take enable_proxy out, apply, and write it again";

/// Seconds a client may be idle; RDS's own default (botocore 1.43.11, CreateDBProxy).
const IDLE_TIMEOUT_S: i64 = 1800;

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        fixed("EngineFamily", PLACE),
        Field { equality: Equality::Unordered, ..fixed("VpcSubnetIds", PLACE) },
        listed("VpcSecurityGroupIds", Impact::NewConnections),
        set("RoleArn", Impact::None),
        listed("SecretArns", Impact::NewConnections),
        set("IAMAuth", Impact::NewConnections),
        set("ClientPasswordAuthType", Impact::NewConnections),
        set("RequireTLS", Impact::NewConnections),
        set("IdleClientTimeout", Impact::None),
        // It would write statements, and what is in them, to a log.
        set("DebugLogging", Impact::None),
        // Of max_connections, percent: a pool of all users together.
        set("MaxConnectionsPercent", Impact::None),
        set("MaxIdleConnectionsPercent", Impact::None),
        // No window of RDS's changes a proxy.
        listed("Targets", Impact::NewConnections),
        UNREAD_TAGS,
    ],
};

/// The proxy a spec wants. Without subnets in the block it is in those of the instance, which are looked up when it is made.
pub fn wanted(spec: &Spec, region: &str) -> Option<Resource> {
    let pool = spec.proxy.as_ref()?;
    let mut props = props([
        ("EngineFamily", "POSTGRESQL".into()),
        ("RoleArn", output(role::proxy_id(spec, region), role::ARN)),
        ("SecretArns", Value::List(vec![output(secret::id(spec), secret::ARN)])),
        ("IAMAuth", "DISABLED".into()),
        ("ClientPasswordAuthType", "POSTGRES_SCRAM_SHA_256".into()),
        ("RequireTLS", true.into()),
        ("IdleClientTimeout", Value::Int(IDLE_TIMEOUT_S)),
        ("DebugLogging", false.into()),
        ("Targets", Value::List(vec![spec.name.as_str().into()])),
        ("Tags", tags::wanted(spec)),
    ]);
    let most = percent(pool.default_pool_size, spec);
    let optional = [
        ("VpcSubnetIds", subnet_group::subnet_ids(spec)),
        ("VpcSecurityGroupIds", security_group::members(spec)),
        ("MaxConnectionsPercent", most.map(Value::Int)),
        // RDS's own default, half of it, which it would keep from an earlier and larger one.
        ("MaxIdleConnectionsPercent", most.map(|most| Value::Int(most / 2))),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Some(Resource { id: id(spec), props, needs: vec![instance::id(spec)] })
}

/// The id of a spec's proxy.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, names::proxy(&spec.name))
}

/// A pool's size as the share of `max_connections` that RDS Proxy takes: a whole percent, at least as many as asked for of those there will
/// be as far as one knows.
pub(crate) fn percent(size: u32, spec: &Spec) -> Option<i64> {
    let most = alarms::expected_connections(spec).filter(|most| *most > 0)?;
    let percent = (100 * u64::from(size)).div_ceil(most.into()).clamp(1, 100);
    i64::try_from(percent).ok()
}
