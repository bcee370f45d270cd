//! The one value type: what a user wrote, what a resource should have, what was seen.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::resource::Id;
use crate::secret::Secret;

/// A map of names to values, kept in order so that every output is reproducible.
pub type Props = BTreeMap<String, Value>;

/// A value as it travels from the block to a plan.
///
/// `Unknown` is a reference nobody could follow (it names what was written, such as `module.network.vpc_id`); it is never
/// equal to anything, itself included. `Output` is a value another resource will have once it exists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Written as `null`, or read back as absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string.
    Text(String),
    /// A list or tuple.
    List(Vec<Value>),
    /// A map or object.
    Map(Props),
    /// A value that must never be shown. Serialises as `"(secret)"` and is read back as an empty one.
    Secret(Secret),
    /// A reference that could not be followed, as written.
    Unknown(String),
    /// A field of another resource, known once that resource exists. Boxed, since every value would else be as large as this rare one.
    Output(Box<Id>, Box<str>),
}

impl Value {
    /// A text value.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A field of another resource.
    pub fn output(of: Id, field: impl Into<Box<str>>) -> Self {
        Self::Output(Box::new(of), field.into())
    }

    /// The text, when this is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, when this is one (a float without a fraction counts).
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
            Self::Float(float) if float.fract() == 0.0 && float.abs() < 9.0e15 => Some(*float as i64),
            _ => None,
        }
    }

    /// The truth value, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }

    /// The elements, when this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    /// The entries, when this is a map.
    pub fn as_map(&self) -> Option<&Props> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether everything inside is known: no [`Value::Unknown`], no [`Value::Output`].
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown(_) | Self::Output(..) => false,
            Self::List(list) => list.iter().all(Self::is_known),
            Self::Map(map) => map.values().all(Self::is_known),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) | Self::Secret(_) => true,
        }
    }

    /// The first unknown reference anywhere inside.
    pub fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(reference) => Some(reference),
            Self::List(list) => list.iter().find_map(Self::unknown),
            Self::Map(map) => map.values().find_map(Self::unknown),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Secret(_)
            | Self::Output(..) => None,
        }
    }

    /// The outputs of other resources anywhere inside: whose, and which field.
    pub fn outputs(&self) -> Vec<(&Id, &str)> {
        match self {
            Self::Output(id, field) => vec![(&**id, &**field)],
            Self::List(list) => list.iter().flat_map(Self::outputs).collect(),
            Self::Map(map) => map.values().flat_map(Self::outputs).collect(),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Secret(_)
            | Self::Unknown(_) => Vec::new(),
        }
    }

    /// The same value with every output inside that is known in its place.
    #[must_use]
    pub fn with_outputs(&self, known: &dyn Fn(&Id, &str) -> Option<Value>) -> Self {
        match self {
            Self::Output(id, field) => known(id, field).unwrap_or_else(|| self.clone()),
            Self::List(list) => Self::List(list.iter().map(|value| value.with_outputs(known)).collect()),
            Self::Map(map) => {
                Self::Map(map.iter().map(|(key, value)| (key.clone(), value.with_outputs(known))).collect())
            }
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Secret(_)
            | Self::Unknown(_) => self.clone(),
        }
    }

    /// Whether there is a secret anywhere inside.
    pub fn has_secret(&self) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::List(list) => list.iter().any(Self::has_secret),
            Self::Map(map) => map.values().any(Self::has_secret),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Unknown(_)
            | Self::Output(..) => false,
        }
    }

    /// The same value with every text, number and truth value inside made a secret.
    #[must_use]
    pub fn concealed(self) -> Self {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => Self::Secret(Secret::new(self.to_string())),
            Self::Text(text) => Self::Secret(Secret::new(text)),
            Self::List(list) => Self::List(list.into_iter().map(Self::concealed).collect()),
            Self::Map(map) => Self::Map(map.into_iter().map(|(key, value)| (key, value.concealed())).collect()),
            Self::Null | Self::Secret(_) | Self::Unknown(_) | Self::Output(..) => self,
        }
    }

    /// The same value with every secret inside as its text, to compute with. What comes of it must be concealed again.
    #[must_use]
    pub fn revealed(self) -> Self {
        match self {
            Self::Secret(secret) => {
                secret.reveal().map_or_else(|| Self::Unknown("a password's verifier".to_owned()), Self::text)
            }
            Self::List(list) => Self::List(list.into_iter().map(Self::revealed).collect()),
            Self::Map(map) => Self::Map(map.into_iter().map(|(key, value)| (key, value.revealed())).collect()),
            Self::Null
            | Self::Bool(_)
            | Self::Int(_)
            | Self::Float(_)
            | Self::Text(_)
            | Self::Unknown(_)
            | Self::Output(..) => self,
        }
    }
}

/// As a plan shows it: text bare, lists and maps compact, secrets hidden.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("(none)"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) => {
                f.write_str("[")?;
                for (index, item) in list.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => {
                f.write_str("{")?;
                for (index, (key, item)) in map.iter().enumerate() {
                    write!(f, "{}{key} = {item}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Secret(_) => f.write_str("(secret)"),
            Self::Unknown(reference) => write!(f, "(unknown: {reference})"),
            Self::Output(id, field) => write!(f, "(known after apply: {id}.{field})"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<i32> for Value {
    fn from(int: i32) -> Self {
        Self::Int(int.into())
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}
