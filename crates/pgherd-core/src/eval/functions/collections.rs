//! Functions of lists and maps.

use super::arguments::{count, float, int, list, map, text, texts, value};
use super::{Fault, Function, at_least, between, exactly};
use crate::eval::coerce::{self, from_float};
use crate::eval::operators::equal;
use crate::eval::what_it_is;
use crate::value::{Props, Value};

pub(super) const TABLE: &[Function] = &[
    Function::pure("compact", "compact(list)", exactly(1), "A list of strings without the empty ones.", |a, _| {
        Ok(Value::List(
            list(a, 0)?.iter().filter(|item| !item.is_null() && item.as_text() != Some("")).cloned().collect(),
        ))
    }),
    Function::pure("concat", "concat(list, …)", at_least(1), "Several lists as one.", concat).keeps_elements(),
    Function::pure("contains", "contains(list, value)", exactly(2), "Whether a list has an element.", |a, _| {
        Ok(Value::Bool(list(a, 0)?.iter().any(|item| equal(item, value(a, 1)))))
    }),
    Function::pure("distinct", "distinct(list)", exactly(1), "A list without repetitions.", |a, _| {
        Ok(Value::List(distinct(list(a, 0)?)))
    }),
    Function::pure(
        "element",
        "element(list, index)",
        exactly(2),
        "An element; the index starts over at the end.",
        element,
    )
    .keeps_elements(),
    Function::pure("flatten", "flatten(list)", exactly(1), "A list with the elements of the lists in it.", |a, _| {
        Ok(Value::List(flatten(list(a, 0)?)))
    }),
    Function::pure("index", "index(list, value)", exactly(2), "Where in a list a value stands, from 0.", index),
    Function::pure("keys", "keys(map)", exactly(1), "The keys of a map, sorted.", |a, _| {
        Ok(Value::List(map(a, 0)?.keys().map(|key| Value::text(key.as_str())).collect()))
    })
    .keeps_elements(),
    Function::pure("length", "length(list)", exactly(1), "How many elements or characters there are.", length)
        .keeps_elements(),
    Function::pure("lookup", "lookup(map, key, default)", between(2, 3), "The value of a key, or a default.", lookup)
        .keeps_elements(),
    Function::pure("merge", "merge(map, …)", at_least(0), "Several maps as one; later ones win.", merge)
        .keeps_elements(),
    Function::pure(
        "range",
        "range(start, limit, step)",
        between(1, 3),
        "The numbers from start up to, without, limit.",
        range,
    ),
    Function::pure("reverse", "reverse(list)", exactly(1), "A list backwards.", |a, _| {
        Ok(Value::List(list(a, 0)?.iter().rev().cloned().collect()))
    })
    .keeps_elements(),
    Function::pure(
        "slice",
        "slice(list, start, end)",
        exactly(3),
        "The elements from start up to, without, end.",
        slice,
    )
    .keeps_elements(),
    Function::pure("sort", "sort(list)", exactly(1), "A list of strings in order.", |a, _| {
        let mut texts = texts(a, 0)?;
        texts.sort();
        Ok(Value::List(texts.into_iter().map(Value::Text).collect()))
    }),
    Function::pure("sum", "sum(list)", exactly(1), "The sum of a list of numbers.", sum),
    Function::pure("values", "values(map)", exactly(1), "The values of a map, in the order of its keys.", |a, _| {
        Ok(Value::List(map(a, 0)?.values().cloned().collect()))
    })
    .keeps_elements(),
    Function::pure(
        "zipmap",
        "zipmap(keys, values)",
        exactly(2),
        "A map of a list of keys and a list of values.",
        zipmap,
    )
    .keeps_elements(),
];

fn concat(a: &[Value], _: usize) -> Result<Value, Fault> {
    let mut all = Vec::new();
    for index in 0..a.len() {
        all.extend_from_slice(list(a, index)?);
    }
    Ok(Value::List(all))
}

/// Without repetitions, each where it stands first.
pub(super) fn distinct(list: &[Value]) -> Vec<Value> {
    let mut seen = std::collections::BTreeSet::new();
    // The same spelling and kind is the same value; `Display` alone would take "1" for 1.
    list.iter().filter(|item| seen.insert(format!("{item:?}"))).cloned().collect()
}

fn element(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (list, index) = (list(a, 0)?, int(a, 1)?);
    let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
    if length == 0 {
        return Err(Fault::at(0, "the list is empty").help("try(list[0], default) gives a default"));
    }
    Ok(usize::try_from(index.rem_euclid(length)).ok().and_then(|index| list.get(index)).cloned().unwrap_or(Value::Null))
}

fn flatten(list: &[Value]) -> Vec<Value> {
    let mut flat = Vec::new();
    for item in list {
        match item {
            Value::List(inner) => flat.extend(flatten(inner)),
            other => flat.push(other.clone()),
        }
    }
    flat
}

fn index(a: &[Value], _: usize) -> Result<Value, Fault> {
    let found =
        list(a, 0)?.iter().position(|item| equal(item, value(a, 1))).and_then(|index| i64::try_from(index).ok());
    found.map(Value::Int).ok_or_else(|| {
        Fault::at(1, format!("{} is not in the list", what_it_is(value(a, 1))))
            .help("ask with contains(list, value) first")
    })
}

fn length(a: &[Value], _: usize) -> Result<Value, Fault> {
    let length = match value(a, 0) {
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        Value::Text(text) => text.chars().count(),
        other => {
            return Err(Fault::at(0, format!("a list, a map or a string is wanted here, not {}", what_it_is(other))));
        }
    };
    Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
}

fn lookup(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (map, key) = (map(a, 0)?, text(a, 1)?);
    map.get(&key).or(a.get(2)).cloned().ok_or_else(|| {
        Fault::at(1, format!("the map has no key \"{key}\"")).help("add a default: lookup(map, key, default)")
    })
}

fn merge(a: &[Value], _: usize) -> Result<Value, Fault> {
    let mut all = Props::new();
    for (index, argument) in a.iter().enumerate() {
        if !argument.is_null() {
            all.extend(map(a, index)?.clone());
        }
    }
    Ok(Value::Map(all))
}

fn range(a: &[Value], room: usize) -> Result<Value, Fault> {
    let (start, limit) = if a.len() == 1 { (0.0, float(a, 0)?) } else { (float(a, 0)?, float(a, 1)?) };
    let step = if a.len() == 3 {
        float(a, 2)?
    } else if limit < start {
        -1.0
    } else {
        1.0
    };
    if step == 0.0 || (limit - start) * step < 0.0 {
        return Err(Fault::at(2, "this step never reaches the limit"));
    }
    let mut numbers = Vec::new();
    let mut next = start;
    while if step > 0.0 { next < limit } else { next > limit } {
        if numbers.len() >= room {
            return Err(Fault::at(0, "the result is larger than pgherd allows").help("make the range smaller"));
        }
        numbers.push(from_float(next));
        next += step;
    }
    Ok(Value::List(numbers))
}

fn slice(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (list, start, end) = (list(a, 0)?, count(a, 1)?, count(a, 2)?);
    match list.get(start..end) {
        Some(part) => Ok(Value::List(part.to_vec())),
        None => {
            Err(Fault::at(2, format!("the list has {} elements, and {start} to {end} is no part of it", list.len())))
        }
    }
}

fn sum(a: &[Value], _: usize) -> Result<Value, Fault> {
    let numbers = list(a, 0)?;
    if numbers.is_empty() {
        return Err(Fault::at(0, "an empty list has no sum").help("write sum(concat([0], list))"));
    }
    let mut total = Value::Int(0);
    for number in numbers {
        let next = coerce::number(number)
            .ok_or_else(|| Fault::at(0, format!("{} in the list is not a number", what_it_is(number))))?;
        let exact =
            if let (Value::Int(total), Value::Int(next)) = (&total, &next) { total.checked_add(*next) } else { None };
        let float = |value: &Value| coerce::float(value).unwrap_or_default();
        total = exact.map_or_else(|| from_float(float(&total) + float(&next)), Value::Int);
    }
    Ok(total)
}

fn zipmap(a: &[Value], _: usize) -> Result<Value, Fault> {
    let (keys, values) = (texts(a, 0)?, list(a, 1)?);
    if keys.len() != values.len() {
        return Err(Fault::at(1, format!("there are {} keys and {} values", keys.len(), values.len())));
    }
    Ok(Value::Map(keys.into_iter().zip(values.iter().cloned()).collect()))
}
