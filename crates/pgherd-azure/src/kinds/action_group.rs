//! The action group of a block: the addresses that are told by mail. A group that somebody made is used by its path.

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::Value;

use super::{listed, props, set};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "action_group";

/// The field with its path.
pub const PATH: &str = "id";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[listed("addresses", Impact::None), set("enabled", Impact::None)],
};

/// The group a spec wants.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    let targets = spec.monitoring.alarm_targets.iter().filter_map(Setting::known).filter(|target| is_mail(target));
    let mut addresses: Vec<&String> = targets.collect();
    addresses.sort();
    addresses.dedup();
    (!addresses.is_empty()).then(|| Resource {
        id: id(spec),
        props: props([
            ("addresses", Value::List(addresses.into_iter().map(Value::text).collect())),
            ("enabled", true.into()),
        ]),
        needs: Vec::new(),
    })
}

/// Who is told, as an alarm names them.
pub fn told(spec: &Spec) -> Vec<Value> {
    let own = wanted(spec).map(|group| Value::output(group.id, PATH.to_owned()));
    let others = spec.monitoring.alarm_targets.iter().filter_map(|target| match target {
        Setting::Known(path) if is_group(path) => Some(Value::text(path)),
        Setting::Unknown(reference) => Some(Value::Unknown(reference.clone())),
        // Said by the preflight.
        Setting::Known(_) | Setting::Unset => None,
    });
    own.into_iter().chain(others).collect()
}

/// Whether it is an address of mail.
pub fn is_mail(target: &str) -> bool {
    target.contains('@') && !target.contains("://") && !target.starts_with('/')
}

/// Whether it is the path of a group.
pub fn is_group(target: &str) -> bool {
    target.starts_with("/subscriptions/") && target.to_ascii_lowercase().contains("/actiongroups/")
}

fn id(spec: &Spec) -> Id {
    Id::new(NAME, names::group(&spec.name))
}
