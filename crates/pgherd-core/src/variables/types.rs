//! The types of variables and outputs, in Terraform's words.

use std::fmt;

use crate::value::Value;

/// A type a variable or an output has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Type {
    /// `string`
    String,
    /// `number`
    Number,
    /// `bool`
    Bool,
    /// `list(…)`
    List(&'static Type),
    /// `map(…)`
    Map(&'static Type),
    /// `object({…})`
    Object(&'static [Attribute]),
}

/// One attribute of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub ty: Type,
    /// `None`: it must be written. Otherwise what holds when it is not.
    pub default: Option<Literal>,
    /// What it is.
    pub meaning: &'static str,
}

/// The default of an optional attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Literal {
    /// `null`
    Null,
    /// A string.
    Text(&'static str),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// `[]`
    EmptyList,
}

impl Literal {
    /// It as a value.
    pub fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Text(text) => Value::text(text),
            Self::Int(int) => Value::Int(int),
            Self::Float(float) => Value::Float(float),
            Self::EmptyList => Value::List(Vec::new()),
        }
    }
}

/// As Terraform writes it.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String => f.write_str("string"),
            Self::Number => f.write_str("number"),
            Self::Bool => f.write_str("bool"),
            Self::List(item) => write!(f, "list({item})"),
            Self::Map(item) => write!(f, "map({item})"),
            Self::Object(attributes) => {
                f.write_str("object({ ")?;
                for (index, attribute) in attributes.iter().enumerate() {
                    write!(f, "{}{attribute}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(" })")
            }
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ty, default, meaning: _ } = self;
        match default {
            None => write!(f, "{name} = {ty}"),
            Some(Literal::Null) => write!(f, "{name} = optional({ty})"),
            Some(literal) => write!(f, "{name} = optional({ty}, {literal})"),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Text(text) => write!(f, "\"{text}\""),
            Self::Int(int) => write!(f, "{int}"),
            Self::Float(float) => write!(f, "{float}"),
            Self::EmptyList => f.write_str("[]"),
        }
    }
}
