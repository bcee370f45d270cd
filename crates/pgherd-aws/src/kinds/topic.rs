//! The topic that tells e-mail addresses of alarms; topics that exist are written as their ARN and used as they are.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{UNREAD_TAGS, listed, props, tags};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "topic";

/// The field that AWS assigns.
pub const ARN: &str = "TopicArn";

/// The kind. An address that has not confirmed yet counts as there.
pub const KIND: Kind =
    Kind { name: NAME, holds_data: false, outlives: false, fields: &[listed("Endpoints", Impact::None), UNREAD_TAGS] };

/// The topic a spec wants: none without addresses.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    Some(Resource {
        id: id(spec)?,
        props: props([
            ("Endpoints", Value::List(addresses(spec).map(Value::text).collect())),
            ("Tags", tags::wanted(spec)),
        ]),
        needs: Vec::new(),
    })
}

/// The id of a spec's topic, where it wants one.
pub fn id(spec: &Spec) -> Option<Id> {
    addresses(spec).next().map(|_| Id::new(NAME, names::topic(&spec.name)))
}

/// Whether a target of alarms is an e-mail address.
pub fn is_address(target: &str) -> bool {
    target.contains('@') && !target.contains([':', '/', ' '])
}

fn addresses(spec: &Spec) -> impl Iterator<Item = &String> {
    spec.monitoring.alarm_targets.iter().filter_map(Setting::known).filter(|target| is_address(target))
}
