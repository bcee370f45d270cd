//! Arguments as what a function wants, or a fault at the argument.

use super::Fault;
use crate::eval::coerce;
use crate::eval::what_it_is;
use crate::value::{Props, Value};

/// The argument, `null` where it is not written.
pub(super) fn value(arguments: &[Value], index: usize) -> &Value {
    arguments.get(index).unwrap_or(&Value::Null)
}

fn wanted<T>(arguments: &[Value], index: usize, what: &str, got: Option<T>) -> Result<T, Fault> {
    got.ok_or_else(|| Fault::at(index, format!("{what} is wanted here, not {}", what_it_is(value(arguments, index)))))
}

pub(super) fn text(arguments: &[Value], index: usize) -> Result<String, Fault> {
    wanted(arguments, index, "a string", coerce::text(value(arguments, index)))
}

pub(super) fn number(arguments: &[Value], index: usize) -> Result<Value, Fault> {
    wanted(arguments, index, "a number", coerce::number(value(arguments, index)))
}

pub(super) fn float(arguments: &[Value], index: usize) -> Result<f64, Fault> {
    wanted(arguments, index, "a number", coerce::float(value(arguments, index)))
}

pub(super) fn int(arguments: &[Value], index: usize) -> Result<i64, Fault> {
    wanted(arguments, index, "a whole number", coerce::int(value(arguments, index)))
}

pub(super) fn count(arguments: &[Value], index: usize) -> Result<usize, Fault> {
    let count = coerce::int(value(arguments, index)).and_then(|int| usize::try_from(int).ok());
    wanted(arguments, index, "a whole number from 0 up", count)
}

pub(super) fn list(arguments: &[Value], index: usize) -> Result<&[Value], Fault> {
    wanted(arguments, index, "a list", value(arguments, index).as_list())
}

pub(super) fn map(arguments: &[Value], index: usize) -> Result<&Props, Fault> {
    wanted(arguments, index, "a map", value(arguments, index).as_map())
}

/// Every element of a list as text.
pub(super) fn texts(arguments: &[Value], index: usize) -> Result<Vec<String>, Fault> {
    let one = |item: &Value| {
        coerce::text(item).ok_or_else(|| {
            Fault::at(index, format!("a list of strings is wanted here, and {} is in it", what_it_is(item)))
        })
    };
    list(arguments, index)?.iter().map(one).collect()
}
