//! The types of Terraform's values, and how they are written in schemas and beside values whose type nobody declared.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::value::Value;

/// A type constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// Whatever it is: the type travels with the value.
    Dynamic,
    /// `string`
    Text,
    /// `number`
    Number,
    /// `bool`
    Bool,
    /// `list(…)`
    List(Box<Type>),
    /// `set(…)`
    Set(Box<Type>),
    /// `map(…)`
    Map(Box<Type>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
    /// `object({…})`
    Object(BTreeMap<String, Type>),
}

impl Type {
    /// A list of these.
    pub fn list(item: Self) -> Self {
        Self::List(Box::new(item))
    }

    /// A map of these.
    pub fn map(item: Self) -> Self {
        Self::Map(Box::new(item))
    }

    /// As schemas write it.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Dynamic => json!("dynamic"),
            Self::Text => json!("string"),
            Self::Number => json!("number"),
            Self::Bool => json!("bool"),
            Self::List(item) => json!(["list", item.to_json()]),
            Self::Set(item) => json!(["set", item.to_json()]),
            Self::Map(item) => json!(["map", item.to_json()]),
            Self::Tuple(items) => json!(["tuple", items.iter().map(Self::to_json).collect::<Vec<_>>()]),
            Self::Object(attributes) => {
                let each: serde_json::Map<String, Json> =
                    attributes.iter().map(|(name, ty)| (name.clone(), ty.to_json())).collect();
                json!(["object", each])
            }
        }
    }

    /// The bytes of that, as messages carry it.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// The type that these bytes write; `None` when they write none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::from_json(&serde_json::from_slice(bytes).ok()?)
    }

    fn from_json(json: &Json) -> Option<Self> {
        if let Some(name) = json.as_str() {
            return match name {
                "dynamic" => Some(Self::Dynamic),
                "string" => Some(Self::Text),
                "number" => Some(Self::Number),
                "bool" => Some(Self::Bool),
                _ => None,
            };
        }
        // Behind an object's attributes there may be the names of those that are optional, which say nothing of a value.
        let [Json::String(of), inner, ..] = json.as_array()?.as_slice() else { return None };
        let item = || Self::from_json(inner).map(Box::new);
        match of.as_str() {
            "list" => item().map(Self::List),
            "set" => item().map(Self::Set),
            "map" => item().map(Self::Map),
            "tuple" => inner.as_array()?.iter().map(Self::from_json).collect::<Option<_>>().map(Self::Tuple),
            "object" => {
                let attribute = |(name, ty): (&String, &Json)| Some((name.clone(), Self::from_json(ty)?));
                inner.as_object()?.iter().map(attribute).collect::<Option<_>>().map(Self::Object)
            }
            _ => None,
        }
    }

    /// The type of a value that nobody declared one for.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null | Value::Unknown => Self::Dynamic,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::Text(_) => Self::Text,
            Value::List(items) => Self::Tuple(items.iter().map(Self::of).collect()),
            Value::Map(entries) => {
                Self::Object(entries.iter().map(|(name, value)| (name.clone(), Self::of(value))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&Type>) {
        assert_eq!(Type::from_bytes(text.as_bytes()).as_ref(), expected, "{text}");
        if let Some(ty) = expected {
            assert_eq!(Type::from_bytes(&ty.to_bytes()).as_ref(), Some(ty), "{text}");
        }
    }

    #[test]
    fn every_type_is_read_and_written() {
        check("\"dynamic\"", Some(&Type::Dynamic));
        check("\"string\"", Some(&Type::Text));
        check("[\"list\",\"number\"]", Some(&Type::list(Type::Number)));
        check("[\"set\",\"bool\"]", Some(&Type::Set(Box::new(Type::Bool))));
        check("[\"map\",[\"list\",\"string\"]]", Some(&Type::map(Type::list(Type::Text))));
        check("[\"tuple\",[\"string\",\"bool\"]]", Some(&Type::Tuple(vec![Type::Text, Type::Bool])));
        let object = Type::Object([("a".to_owned(), Type::Text)].into());
        check("[\"object\",{\"a\":\"string\"}]", Some(&object));
        check("[\"object\",{\"a\":\"string\"},[\"a\"]]", Some(&object));
    }

    #[test]
    fn what_is_no_type_is_none() {
        for text in
            ["", "\"strings\"", "[\"list\"]", "[\"box\",\"string\"]", "[\"object\",[]]", "{}", "[\"tuple\",[1]]"]
        {
            check(text, None);
        }
    }
}
