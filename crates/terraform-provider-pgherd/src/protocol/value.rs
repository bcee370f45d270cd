//! A value of Terraform's: what a configuration, a plan or a state says, with what is not known yet.

use std::collections::BTreeMap;
use std::fmt;

/// A value.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing: not written.
    Null,
    /// Something that will be known later.
    Unknown,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    Text(String),
    /// A list, a set or a tuple.
    List(Vec<Value>),
    /// A map or an object.
    Map(BTreeMap<String, Value>),
}

/// A number, as exactly as it came.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// One that is neither, in decimal digits.
    Digits(String),
}

/// Anybody's value may be a secret: what a value holds is shown by nobody who only wanted to see its shape.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Unknown => f.write_str("(unknown)"),
            Self::Bool(_) => f.write_str("(bool)"),
            Self::Number(_) => f.write_str("(number)"),
            Self::Text(_) => f.write_str("(text)"),
            Self::List(items) => f.debug_list().entries(items).finish(),
            Self::Map(entries) => f.debug_map().entries(entries).finish(),
        }
    }
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A whole number.
    pub fn int(int: i64) -> Self {
        Self::Number(Number::Int(int))
    }

    /// An object of these attributes.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Self)>) -> Self {
        Self::Map(attributes.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// Whether it is nothing.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether all of it is known.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::List(items) => items.iter().all(Self::is_known),
            Self::Map(entries) => entries.values().all(Self::is_known),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => true,
        }
    }

    /// The text, when this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, when this is one.
    pub fn as_int(&self) -> Option<i64> {
        if let Self::Number(Number::Int(int)) = self { Some(*int) } else { None }
    }

    /// The truth value, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The elements, when this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(items) = self { Some(items) } else { None }
    }

    /// The attributes, when this is an object.
    pub fn as_map(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Map(entries) = self { Some(entries) } else { None }
    }

    /// An attribute of an object; null where there is none.
    pub fn get(&self, name: &str) -> &Self {
        self.as_map().and_then(|entries| entries.get(name)).unwrap_or(&Self::Null)
    }

    /// Puts an attribute into an object; nothing when it is none.
    pub fn set(&mut self, name: &str, value: Self) {
        if let Self::Map(entries) = self {
            entries.insert(name.to_owned(), value);
        }
    }

    /// Where this promises something and `came` is something else. Names only, since a value may be a secret.
    pub fn differing(&self, came: &Self) -> Vec<String> {
        let below = |name: &str, paths: Vec<String>| {
            paths.into_iter().map(|path| format!("{name}.{path}").trim_end_matches('.').to_owned()).collect::<Vec<_>>()
        };
        match (self, came) {
            (Self::Unknown, _) => Vec::new(),
            (Self::Map(entries), Self::Map(_)) => {
                entries.iter().flat_map(|(name, value)| below(name, value.differing(came.get(name)))).collect()
            }
            (Self::List(items), Self::List(others)) if items.len() == others.len() => {
                let items = items.iter().zip(others).enumerate();
                items.flat_map(|(at, (item, other))| below(&at.to_string(), item.differing(other))).collect()
            }
            (promised, came) if promised == came => Vec::new(),
            _ => vec![String::new()],
        }
    }

    /// The same value with what is not known taken from `known`, which has the same shape.
    ///
    /// What a plan promised must come back exactly as it was promised, whatever has become of it.
    #[must_use]
    pub fn filled_from(&self, known: &Self) -> Self {
        match (self, known) {
            (Self::Unknown, known) => known.clone(),
            (Self::Map(entries), Self::Map(_)) => {
                let filled = entries.iter().map(|(name, value)| (name.clone(), value.filled_from(known.get(name))));
                Self::Map(filled.collect())
            }
            (Self::List(items), Self::List(others)) if items.len() == others.len() => {
                Self::List(items.iter().zip(others).map(|(item, other)| item.filled_from(other)).collect())
            }
            (value, _) => value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_value_holds_is_not_shown() {
        let value = Value::object([("password", Value::text("hunter2")), ("port", Value::int(5432))]);
        assert_eq!(format!("{value:?}"), r#"{"password": (text), "port": (number)}"#);
    }

    #[test]
    fn only_what_is_not_known_is_filled() {
        let planned = Value::object([
            ("a", Value::text("promised")),
            ("b", Value::Unknown),
            ("c", Value::List(vec![Value::int(1), Value::Unknown])),
            ("d", Value::Null),
        ]);
        let came = Value::object([
            ("a", Value::text("another")),
            ("b", Value::text("b")),
            ("c", Value::List(vec![Value::int(9), Value::int(2)])),
            ("d", Value::text("d")),
        ]);
        let expected = Value::object([
            ("a", Value::text("promised")),
            ("b", Value::text("b")),
            ("c", Value::List(vec![Value::int(1), Value::int(2)])),
            ("d", Value::Null),
        ]);
        assert!(planned.filled_from(&came) == expected);
        assert_eq!(planned.differing(&came), ["a", "c.0", "d"]);
        assert!(expected.differing(&expected).is_empty());
        assert!(!planned.is_known() && expected.is_known());
    }
}
