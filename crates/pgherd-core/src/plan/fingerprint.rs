//! One short text for everything observed that can decide a plan.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::resource::{Equality, Id, Kind, Observed, Owner, Pending, Status};
use crate::value::Value;

/// What of an observed resource a plan can depend on.
#[derive(Serialize)]
struct Seen<'a> {
    id: &'a Id,
    status: &'a Status,
    protected: bool,
    pending: Vec<&'a Pending>,
    needs: Vec<&'a Id>,
    props: BTreeMap<&'a String, Value>,
}

/// SHA-256, in hex, of what was observed, whatever order it came in.
///
/// Fields that no plan compares (undeclared ones, and those the target owns) are left out, so that a counter or a failover
/// does not make a saved plan stale. Secrets serialise as `(secret)` and so are never part of it.
pub fn fingerprint(kinds: &[Kind], observed: &[Observed]) -> String {
    let mut seen: Vec<Seen<'_>> = observed.iter().map(|seen| essence(kinds, seen)).collect();
    seen.sort_by_key(|seen| seen.id);
    digest(&seen)
}

/// SHA-256, in hex, of a value's JSON.
pub(super) fn digest(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("maps of texts and plain values always serialise");
    Sha256::digest(json).iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}

fn essence<'a>(kinds: &[Kind], seen: &'a Observed) -> Seen<'a> {
    let kind = kinds.iter().find(|kind| kind.name == seen.id.kind);
    let mut pending: Vec<&Pending> = seen.pending.iter().collect();
    pending.sort_by(|a, b| (&a.field, &a.waits_for).cmp(&(&b.field, &b.waits_for)));
    let mut needs: Vec<&Id> = seen.needs.iter().collect();
    needs.sort();
    let props = seen.props.iter().filter_map(|(name, value)| {
        // A keyed map is declared by its keys: `tags.x` is found under `tags.*`.
        let field = kind?.field(name).or_else(|| kind?.field(&format!("{name}.x")))?;
        (field.owner != Owner::Theirs).then(|| (name, ordered(field.equality, value)))
    });
    Seen { id: &seen.id, status: &seen.status, protected: seen.protected, pending, needs, props: props.collect() }
}

fn ordered(equality: Equality, value: &Value) -> Value {
    match value {
        Value::List(list) if equality == Equality::Unordered => {
            let mut list = list.clone();
            list.sort_by_cached_key(digest);
            Value::List(list)
        }
        _ => value.clone(),
    }
}
