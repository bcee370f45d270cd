//! Functions that choose one of several values.

use super::arguments::list;
use super::{Fault, Function, Lazy, at_least, exactly};
use crate::eval::coerce;
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::lazy("try", "try(expression, …)", "The first expression that evaluates without an error.", Lazy::Try),
    Function::lazy("can", "can(expression)", "Whether an expression evaluates without an error.", Lazy::Can),
    Function::pure(
        "coalesce",
        "coalesce(value, …)",
        at_least(1),
        "The first value that is neither null nor \"\".",
        coalesce,
    )
    .looks_itself(),
    Function::pure(
        "coalescelist",
        "coalescelist(list, …)",
        at_least(1),
        "The first list that is not empty.",
        coalescelist,
    )
    .looks_itself(),
    Function::pure("one", "one(list)", exactly(1), "The only element of a list, null of an empty one.", one)
        .keeps_elements(),
    Function::pure("alltrue", "alltrue(list)", exactly(1), "Whether every element is true.", |a, _| {
        Ok(Value::Bool(truths(a)?.iter().all(|truth| *truth)))
    }),
    Function::pure("anytrue", "anytrue(list)", exactly(1), "Whether an element is true.", |a, _| {
        Ok(Value::Bool(truths(a)?.iter().any(|truth| *truth)))
    }),
];

fn coalesce(a: &[Value], _: usize) -> Result<Value, Fault> {
    a.iter()
        .find(|value| !value.is_null() && value.as_text() != Some(""))
        .cloned()
        .ok_or_else(|| Fault::at(0, "every argument is null or empty").help("add a last argument that has a value"))
}

fn coalescelist(a: &[Value], _: usize) -> Result<Value, Fault> {
    a.iter()
        .find(|value| match value {
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            other => !other.is_null(),
        })
        .cloned()
        .ok_or_else(|| Fault::at(0, "every list is empty").help("add a last list that has elements"))
}

fn one(a: &[Value], _: usize) -> Result<Value, Fault> {
    match list(a, 0)? {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        several => Err(Fault::at(0, format!("the list has {} elements, not one or none", several.len()))
            .help("take one with list[0]")),
    }
}

fn truths(a: &[Value]) -> Result<Vec<bool>, Fault> {
    let truth = |item: &Value| coerce::truth(item).ok_or_else(|| Fault::at(0, "an element is neither true nor false"));
    list(a, 0)?.iter().map(truth).collect()
}
