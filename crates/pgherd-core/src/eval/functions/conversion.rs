//! Functions that change the type of a value, or whether it is shown.

use super::arguments::{list, map, value};
use super::{Fault, Function, exactly};
use crate::eval::{coerce, what_it_is};
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure("tostring", "tostring(value)", exactly(1), "A value as a string.", |a, _| {
        one(a, "a string", |v| coerce::text(v).map(Value::Text))
    }),
    Function::pure("tonumber", "tonumber(value)", exactly(1), "A value as a number.", |a, _| {
        one(a, "a number", coerce::number)
    }),
    Function::pure("tobool", "tobool(value)", exactly(1), "A value as true or false.", |a, _| {
        one(a, "true or false", |v| coerce::truth(v).map(Value::Bool))
    }),
    Function::pure("tolist", "tolist(value)", exactly(1), "A set or tuple as a list.", |a, _| {
        Ok(Value::List(list(a, 0)?.to_vec()))
    })
    .keeps_elements(),
    Function::pure("tomap", "tomap(value)", exactly(1), "An object as a map.", |a, _| {
        Ok(Value::Map(map(a, 0)?.clone()))
    })
    .keeps_elements(),
    Function::pure("sensitive", "sensitive(value)", exactly(1), "A value that must never be shown.", |a, _| {
        Ok(value(a, 0).clone().concealed())
    })
    .looks_itself(),
    Function::pure(
        "nonsensitive",
        "nonsensitive(value)",
        exactly(1),
        "A secret value as one that may be shown.",
        |a, _| Ok(value(a, 0).clone().revealed()),
    )
    .looks_itself(),
];

fn one(a: &[Value], what: &str, convert: impl Fn(&Value) -> Option<Value>) -> Result<Value, Fault> {
    let value = value(a, 0);
    if value.is_null() {
        return Ok(Value::Null);
    }
    convert(value).ok_or_else(|| Fault::at(0, format!("{} cannot be made {what}", what_it_is(value))))
}
