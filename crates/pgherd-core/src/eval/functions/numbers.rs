//! Functions of numbers.

use super::arguments::{float, int, number, text};
use super::{Fault, Function, at_least, exactly};
use crate::eval::coerce::{TWO_TO_63, from_float};
use crate::value::Value;

pub(super) const TABLE: &[Function] = &[
    Function::pure("abs", "abs(number)", exactly(1), "The number without its sign.", abs),
    Function::pure("ceil", "ceil(number)", exactly(1), "The next whole number up.", |a, _| {
        Ok(from_float(float(a, 0)?.ceil()))
    }),
    Function::pure("floor", "floor(number)", exactly(1), "The next whole number down.", |a, _| {
        Ok(from_float(float(a, 0)?.floor()))
    }),
    Function::pure("log", "log(number, base)", exactly(2), "The logarithm of a number.", log),
    Function::pure("max", "max(number, …)", at_least(1), "The largest of the numbers.", |a, _| {
        extreme(a, |new, best| new > best)
    }),
    Function::pure("min", "min(number, …)", at_least(1), "The smallest of the numbers.", |a, _| {
        extreme(a, |new, best| new < best)
    }),
    Function::pure(
        "parseint",
        "parseint(string, base)",
        exactly(2),
        "The whole number a text spells in a base of 2 to 36.",
        parseint,
    ),
    Function::pure("pow", "pow(number, exponent)", exactly(2), "A number to the power of another.", |a, _| {
        finite(float(a, 0)?.powf(float(a, 1)?))
    }),
    Function::pure("signum", "signum(number)", exactly(1), "-1, 0 or 1: the sign of a number.", signum),
];

fn abs(a: &[Value], _: usize) -> Result<Value, Fault> {
    Ok(match number(a, 0)? {
        Value::Int(int) => int.checked_abs().map_or(Value::Float(TWO_TO_63), Value::Int),
        other => from_float(float(&[other], 0)?.abs()),
    })
}

fn log(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (number, base) = (float(a, 0)?, float(a, 1)?);
    if number <= 0.0 {
        return Err(Fault::at(0, "only numbers above 0 have a logarithm"));
    }
    finite(number.log(base))
}

fn finite(result: f64) -> Result<Value, Fault> {
    if result.is_finite() {
        Ok(from_float(result))
    } else {
        Err(Fault::at(0, "the result is no number that can be written"))
    }
}

fn extreme(a: &[Value], better: fn(f64, f64) -> bool) -> Result<Value, Fault> {
    let mut best = number(a, 0)?;
    for index in 1..a.len() {
        if better(float(a, index)?, float(&[best.clone()], 0)?) {
            best = number(a, index)?;
        }
    }
    Ok(best)
}

fn parseint(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (digits, base) = (text(a, 0)?, int(a, 1)?);
    let base = u32::try_from(base)
        .ok()
        .filter(|base| (2..=36).contains(base))
        .ok_or_else(|| Fault::at(1, "a base is from 2 to 36"))?;
    match i64::from_str_radix(&digits, base) {
        Ok(int) => Ok(Value::Int(int)),
        Err(_) => Err(Fault::at(0, format!("\"{digits}\" is not a whole number in base {base}"))),
    }
}

fn signum(a: &[Value], _: usize) -> Result<Value, Fault> {
    let number = float(a, 0)?;
    Ok(Value::Int(i64::from(number > 0.0) - i64::from(number < 0.0)))
}
