//! Functions of sets: lists without repetitions, in order.

use super::arguments::list;
use super::collections::distinct;
use super::{Fault, Function, at_least, exactly};
use crate::eval::coerce;
use crate::eval::operators::equal;
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure("toset", "toset(list)", exactly(1), "A list without repetitions, in order.", |a, _| {
        Ok(Value::List(set(list(a, 0)?)))
    }),
    Function::pure("setunion", "setunion(set, …)", at_least(1), "What is in any of the sets.", |a, _| {
        let mut all = Vec::new();
        for index in 0..a.len() {
            all.extend_from_slice(list(a, index)?);
        }
        Ok(Value::List(set(&all)))
    }),
    Function::pure(
        "setintersection",
        "setintersection(set, …)",
        at_least(1),
        "What is in all of the sets.",
        |a, room| fold(a, room, |item, other| other.iter().any(|candidate| equal(candidate, item))),
    ),
    Function::pure(
        "setsubtract",
        "setsubtract(set, other)",
        exactly(2),
        "What is in one set and not in the other.",
        |a, room| fold(a, room, |item, other| !other.iter().any(|candidate| equal(candidate, item))),
    ),
];

/// Without repetitions; texts in order, as Terraform walks over a set.
fn set(list: &[Value]) -> Vec<Value> {
    let mut set = distinct(list);
    if set.iter().all(|item| coerce::text(item).is_some()) {
        set.sort_by_key(coerce::text);
    }
    set
}

/// The first set, with only those elements that pass against every other.
fn fold(a: &[Value], room: usize, keep: fn(&Value, &[Value]) -> bool) -> Result<Value, Fault> {
    let mut left = set(list(a, 0)?);
    for index in 1..a.len() {
        let other = list(a, index)?;
        if left.len().saturating_mul(other.len()) > room {
            return Err(Fault::at(index, "these sets are larger than pgherd compares").help("make the lists smaller"));
        }
        left.retain(|item| keep(item, other));
    }
    Ok(Value::List(left))
}
