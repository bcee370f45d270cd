//! The cluster: a primary, its standbys and their storage.
//!
//! Seconds are ours: DigitalOcean names none. A resize makes new nodes and has one of them take over.

use pgherd_core::resource::{Differs, Equality, Field, Id, Impact, ImpactRule, Kind, Owner, Resource};
use pgherd_core::spec::{Origin, Spec};
use pgherd_core::value::Value;
use pgherd_core::window::Window;

use super::{fixed, int, props, set, setting, theirs};
use crate::tags;

/// Its name in an [`Id`].
pub const NAME: &str = "cluster";

/// The field with the id that DigitalOcean assigns.
pub const ID: &str = "id";

/// How full storage may get before it grows, percent (clouds' table of what is sent).
const GROW_AT_PERCENT: i64 = 80;
/// By how much it grows then, GiB: the least that is taken.
const GROW_BY_GIB: i64 = 10;

/// What a size brings along, GiB, where it is known: third-party figures (majesticlabs-dev/majestic-marketplace, digitalocean-sizes.md),
/// as DigitalOcean's API tells none. Asking for less than this is refused there, so nothing is asked then.
const BASE_DISK_GIB: [(&str, u64); 4] =
    [("db-s-1vcpu-1gb", 10), ("db-s-1vcpu-2gb", 25), ("db-s-2vcpu-4gb", 38), ("db-s-4vcpu-8gb", 115)];

const NETWORK: &str = "a cluster stays in its network: restore a backup into a new one under a new name";

/// The kind.
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: true,
    outlives: false,
    fields: &[
        fixed("engine", "make a new database under a new name"),
        Field {
            name: "version",
            owner: Owner::Floor,
            equality: Equality::Version,
            impact: ImpactRule::AtOnce(Impact::Unknown),
        },
        // Where the block names no version: what it was made with, which is never drift afterwards.
        theirs("newest_version"),
        Field { impact: ImpactRule::ByAtOnce(another_node), ..set("size", Impact::None) },
        Field { impact: ImpactRule::ByAtOnce(nodes_come_and_go), ..set("num_nodes", Impact::None) },
        Field { owner: Owner::Floor, ..set("storage_size_mib", Impact::None) },
        set("region", Impact::Unknown),
        fixed("private_network_uuid", NETWORK),
        set("autoscale", Impact::None),
        set("maintenance_window", Impact::None),
        Field { equality: Equality::IgnoreCase, ..set("tags.*", Impact::None) },
        // Given with the creation, so that there is no moment at which everybody may come in; kept by a kind of its own.
        theirs("rules"),
    ],
};

/// What other nodes cost: a standby takes over where there is one, else the only node is exchanged.
pub(crate) fn another_node(differs: &Differs<'_>) -> Impact {
    let nodes = differs.seen.get("num_nodes").and_then(Value::as_int).unwrap_or(1);
    if nodes > 1 { Impact::Failover { about_s: 60 } } else { Impact::Restart { about_s: 120 } }
}

/// A standby comes while the primary serves. Which node goes nobody promises: it may be the one that serves.
fn nodes_come_and_go(differs: &Differs<'_>) -> Impact {
    if differs.to.as_int() < differs.from.as_int() { Impact::Failover { about_s: 60 } } else { Impact::None }
}

/// The id of a spec's cluster.
pub fn id(spec: &Spec) -> Id {
    Id::new(NAME, &spec.name)
}

/// The cluster a spec wants.
pub fn wanted(spec: &Spec) -> Resource {
    let mut props = props([
        ("engine", "pg".into()),
        ("size", spec.size.name.as_str().into()),
        ("num_nodes", Value::Int(nodes(spec))),
        ("autoscale", grows(spec).into()),
        ("maintenance_window", window(&spec.maintenance_window).into()),
        ("tags", tags::wanted(spec)),
        ("rules", Value::List(super::firewall::rules(spec))),
    ]);
    let optional = [
        ("version", spec.engine_version.map(|version| version.major.to_string().into())),
        (
            "newest_version",
            spec.newest_major.filter(|_| spec.engine_version.is_none()).map(|major| major.to_string().into()),
        ),
        ("storage_size_mib", storage(spec)),
        ("region", setting(&spec.place.region)),
        ("private_network_uuid", setting(&spec.network.vpc_id)),
    ];
    props.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Resource { id: id(spec), props, needs: Vec::new() }
}

/// A primary, and a standby where there shall be one.
pub fn nodes(spec: &Spec) -> i64 {
    if spec.multi_az { 2 } else { 1 }
}

/// The storage that is asked for: none where nobody wrote any or the size brings as much along.
pub fn storage(spec: &Spec) -> Option<Value> {
    let asked_gib = spec.storage.allocated_gib;
    let brings = base_gib(spec).unwrap_or(0);
    (is_written(spec, "allocated_storage") && asked_gib > brings).then(|| int(asked_gib * 1024))
}

/// The storage that a spec's size brings along, GiB, where it is known.
pub fn base_gib(spec: &Spec) -> Option<u64> {
    BASE_DISK_GIB.iter().find(|(size, _)| *size == spec.size.name).map(|(_, gib)| *gib)
}

/// Whether storage shall grow by itself, in the words of the plan. A preset's limit is no wish to grow without one.
pub fn grows(spec: &Spec) -> String {
    match spec.storage.max_gib.is_some() && is_written(spec, "max_allocated_storage") {
        true => growth(Some((GROW_AT_PERCENT, GROW_BY_GIB))),
        false => growth(None),
    }
}

/// Growth in words: `by 10 GiB at 80 %`.
pub fn growth(on: Option<(i64, i64)>) -> String {
    on.map_or_else(|| "off".to_owned(), |(percent, gib)| format!("by {gib} GiB at {percent} %"))
}

/// The growth that a word of ours means.
pub fn growth_of(words: &str) -> Option<(i64, i64)> {
    let (gib, percent) = words.strip_prefix("by ")?.split_once(" GiB at ")?;
    Some((percent.trim_end_matches(" %").parse().ok()?, gib.parse().ok()?))
}

/// Whether the user decided it, rather than a default or a preset.
fn is_written(spec: &Spec, variable: &str) -> bool {
    spec.effective.get(variable).is_some_and(|effective| {
        matches!(effective.origin, Origin::Written | Origin::Alias(_) | Origin::CommandLine | Origin::Follows(_))
    })
}

/// The start of a window as DigitalOcean takes it: `sunday 04:00`. It knows no end.
pub fn window(window: &Window) -> String {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let (day, minute) = (window.start_min / (24 * 60), window.start_min % (24 * 60));
    let day = DAYS.get(day as usize).unwrap_or(&"sunday");
    format!("{day} {:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_begins_at_its_start() {
        let at = |text: &str| window(&Window::parse_weekly(text).expect("a window"));
        assert_eq!(at("sun:04:00-sun:05:00"), "sunday 04:00");
        assert_eq!(at("mon:23:30-tue:00:30"), "monday 23:30");
    }

    /// The one that serves may be the one that goes.
    #[test]
    fn fewer_nodes_may_be_noticed() {
        let seen = pgherd_core::value::Props::new();
        let impact =
            |from, to| nodes_come_and_go(&Differs { from: &Value::Int(from), to: &Value::Int(to), seen: &seen });
        assert_eq!(impact(2, 1), Impact::Failover { about_s: 60 });
        assert_eq!(impact(1, 2), Impact::None);
    }

    #[test]
    fn growth_is_read_as_it_is_written() {
        for on in [None, Some((80, 10)), Some((95, 500))] {
            assert_eq!(growth_of(&growth(on)), on);
        }
    }
}
