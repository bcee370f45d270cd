//! What somebody else changed is found, field by field, and put right.

use std::collections::BTreeSet;

use pgherd_core::resource::{Id, Owner};
use pgherd_core::value::Value;

use super::{World, applied, changes, planned};

/// Changes every field of everything that a block wants, one after another, as somebody else would: the plan shows it and an apply puts
/// it right. Only fields that are ours to set count. Returns those that the world has no hand for, as `kind Field`: a test names them,
/// so that there are never more of them unseen.
///
/// # Panics
/// When it does not hold.
pub async fn drift_is_found<W: World>(block: &str) -> Vec<String> {
    drift_is_found_of::<W>(block, |_| true).await
}

/// The same of some of what a block wants.
///
/// # Panics
/// When it does not hold.
pub async fn drift_is_found_of<W: World>(block: &str, is_meant: impl Fn(&Id) -> bool) -> Vec<String> {
    let world = W::new().await;
    applied(&world, block).await;
    let mut untouched = Vec::new();
    for (id, field, value) in fields(&world, block).await {
        if !is_meant(&id) {
            continue;
        }
        if !world.tamper(&id, &field, &value) {
            untouched.push(format!("{} {field}", id.kind));
            continue;
        }
        world.rest();
        let found = changes(&planned(&world, block).await);
        assert!(
            found.iter().any(|change| change.starts_with(&format!("update {id}: {field} "))),
            "{id} {field} was changed, and that is found: {found:?}"
        );
        world.rest();
        applied(&world, block).await;
        world.rest();
        assert_eq!(changes(&planned(&world, block).await), [""; 0], "{id} {field} was put right");
    }
    untouched.sort();
    untouched.dedup();
    untouched
}

/// The fields that a block wants and [`drift_is_found`] leaves alone, as `kind Field: why`, so that a test names them: those that are not
/// ours to set whatever they are, those of which there is to be none, and those that no look tells.
pub async fn left_out_of_drift<W: World>(block: &str) -> Vec<String> {
    let world = W::new().await;
    applied(&world, block).await;
    let provider = world.provider();
    let observed = planned(&world, block).await.observed;
    let mut left = BTreeSet::new();
    for resource in provider.desired(&W::spec(block)) {
        let seen = observed.iter().find(|seen| seen.id == resource.id);
        let kind = provider.kinds().iter().find(|kind| kind.name == resource.id.kind).expect("each has a kind");
        for (name, value) in &resource.props {
            let is_told = seen.is_some_and(|seen| seen.props.contains_key(name));
            let keys = match value {
                Value::Map(entries) if is_told => entries.keys().map(|key| format!("{name}.{key}")).collect(),
                _ => vec![name.clone()],
            };
            for field in keys {
                let known = kind.field(&field).or_else(|| kind.field(&format!("{field}.any")));
                let why = match (known.map(|field| field.owner), is_told) {
                    (Some(Owner::Set), true) => continue,
                    (Some(Owner::Set), false) if value.is_null() => "none is wanted",
                    (Some(Owner::Set | Owner::Theirs), false) => "not read",
                    (Some(Owner::Theirs), true) => "the target's",
                    (Some(Owner::Floor), _) => "only less of it is a difference",
                    (Some(Owner::Fixed { .. }), _) => "cannot change",
                    (None, _) => "unknown",
                };
                left.insert(format!("{} {field}: {why}", kind.name));
            }
        }
    }
    left.into_iter().collect()
}

/// The fields that are ours to set, with what they are; of a map each key.
async fn fields<W: World>(world: &W, block: &str) -> Vec<(Id, String, Value)> {
    let provider = world.provider();
    let observed = planned(world, block).await.observed;
    let desired = provider.desired(&W::spec(block));
    let mut fields = Vec::new();
    for resource in desired {
        let Some(seen) = observed.iter().find(|seen| seen.id == resource.id) else { continue };
        let kind = provider.kinds().iter().find(|kind| kind.name == resource.id.kind);
        let is_ours = |field: &str| {
            let field = kind.and_then(|kind| kind.field(field));
            field.is_some_and(|field| matches!(field.owner, Owner::Set))
        };
        for name in resource.props.keys() {
            match seen.props.get(name) {
                Some(Value::Map(entries)) => {
                    let keys = entries.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone()));
                    fields.extend(
                        keys.filter(|(field, _)| is_ours(field))
                            .map(|(field, value)| (resource.id.clone(), field, value)),
                    );
                }
                Some(value) if is_ours(name) => fields.push((resource.id.clone(), name.clone(), value.clone())),
                Some(_) | None => {}
            }
        }
    }
    fields
}
