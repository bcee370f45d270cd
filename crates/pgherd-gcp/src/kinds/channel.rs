//! Notification channels: one for each address that is to be told by mail. A channel that somebody made is used by its name.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{props, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "channel";

/// The field with the name that Monitoring assigns.
pub const ASSIGNED: &str = "name";

/// The kind.
pub const KIND: Kind = Kind { name: NAME, holds_data: false, outlives: false, fields: &[set("enabled", Impact::None)] };

/// The channels a spec wants.
pub fn wanted(spec: &Spec) -> Vec<Resource> {
    let addresses = spec.monitoring.alarm_targets.iter().filter_map(Setting::known).filter(|target| is_mail(target));
    let mut all: Vec<Resource> = addresses
        .map(|address| Resource { id: id(spec, address), props: props([("enabled", true.into())]), needs: Vec::new() })
        .collect();
    all.dedup_by(|one, other| one.id == other.id);
    all
}

/// Who is told, as an alarm names them.
pub fn told(spec: &Spec) -> Vec<Value> {
    let one = |target: &Setting<String>| match target {
        Setting::Known(address) if is_mail(address) => Some(Value::output(id(spec, address), ASSIGNED.to_owned())),
        Setting::Known(name) if is_channel(name) => Some(Value::text(name)),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        // Said by the preflight.
        Setting::Known(_) | Setting::Unset => None,
    };
    spec.monitoring.alarm_targets.iter().filter_map(one).collect()
}

/// Whether it is an address of mail.
pub fn is_mail(target: &str) -> bool {
    target.contains('@') && !target.contains("://") && !target.starts_with("projects/")
}

/// Whether it is the name of a channel.
pub fn is_channel(target: &str) -> bool {
    target.starts_with("projects/") && target.contains("/notificationChannels/")
}

fn id(spec: &Spec, address: &str) -> Id {
    Id::new(NAME, names::within(&spec.name, address))
}
