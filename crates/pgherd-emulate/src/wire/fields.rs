//! What was sent as JSON or CBOR, by name. A form can be read the same way, for the one service that speaks all three.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Form, Refusal};

/// The fields of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    held: Map<String, Value>,
    /// They came in a form, where a number is text.
    is_form: bool,
}

impl Fields {
    /// The fields of a JSON body; an empty one has none.
    pub fn json(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        Self::of(serde_json::from_slice(body).map_err(|error| malformed(&error.to_string()))?)
    }

    /// The fields of a structure.
    pub fn of(value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(held) => Ok(Self { held, is_form: false }),
            _ => Err(malformed("the body is no structure")),
        }
    }

    /// The fields of a form: `Dimensions.member.1.Name` is a field of the first of a list.
    pub fn of_form(form: &Form) -> Self {
        let mut top = Value::Object(Map::new());
        for (name, value) in form.pairs().filter(|(name, _)| !matches!(*name, "Action" | "Version")) {
            put(&mut top, &name.split('.').collect::<Vec<_>>(), value);
        }
        let Value::Object(held) = lists(top) else { return Self::default() };
        Self { held, is_form: true }
    }

    /// A text, if it was sent.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.held.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(malformed(&format!("{name} is no text"))),
        }
    }

    /// A text that must be sent. `code` is what the service calls it when it was not.
    pub fn required(&self, name: &str, code: &'static str) -> Result<&str, Refusal> {
        self.text(name)?
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Refusal::of(code, format!("The parameter {name} is required.")))
    }

    /// A whole number, if it was sent.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let number = match self.held.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if self.is_form => text.parse().ok(),
            Some(value) => value.as_i64(),
        };
        number.map(Some).ok_or_else(|| malformed(&format!("{name} is no whole number")))
    }

    /// A number, if it was sent.
    pub fn float(&self, name: &str) -> Result<Option<f64>, Refusal> {
        let number = match self.held.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if self.is_form => text.parse().ok(),
            Some(value) => value.as_f64(),
        };
        number.map(Some).ok_or_else(|| malformed(&format!("{name} is no number")))
    }

    /// True or false, if it was sent.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let is_so = match self.held.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) if self.is_form => text.parse().ok(),
            Some(value) => value.as_bool(),
        };
        is_so.map(Some).ok_or_else(|| malformed(&format!("{name} is neither true nor false")))
    }

    /// The texts of a list, if it was sent.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>, Refusal> {
        let Some(list) = self.values(name)? else { return Ok(None) };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let texts: Option<_> = list.iter().map(text).collect();
        texts.map(Some).ok_or_else(|| malformed(&format!("{name} is no list of texts")))
    }

    /// The structures of a list; none when it was not sent.
    pub fn structures(&self, name: &str) -> Result<Vec<Self>, Refusal> {
        let structure = |value: &Value| Ok(Self { is_form: self.is_form, ..Self::of(value.clone())? });
        self.values(name)?.into_iter().flatten().map(structure).collect()
    }

    /// A map of texts, if it was sent.
    pub fn map(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, Refusal> {
        let Some(value) = self.held.get(name) else { return Ok(None) };
        serde_json::from_value(value.clone()).map(Some).map_err(|_| malformed(&format!("{name} is no map of texts")))
    }

    /// A field as it was sent.
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.held.get(name)
    }

    /// Everything as text.
    pub fn shown(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.held.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    fn values(&self, name: &str) -> Result<Option<&Vec<Value>>, Refusal> {
        match self.held.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            // An empty list of a form is a bare name.
            Some(Value::String(text)) if self.is_form && text.is_empty() => Ok(None),
            Some(_) => Err(malformed(&format!("{name} is no list"))),
        }
    }
}

/// Puts a value where the steps lead.
fn put(at: &mut Value, steps: &[&str], value: &str) {
    let [first, rest @ ..] = steps else {
        *at = Value::String(value.to_owned());
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(held) = at {
        put(held.entry(*first).or_insert(Value::Null), rest, value);
    }
}

/// `{"member": {"1": a, "2": b}}` is the list of a and b.
fn lists(value: Value) -> Value {
    let Value::Object(mut held) = value else { return value };
    if let (1, Some(Value::Object(members))) = (held.len(), held.get_mut("member")) {
        let mut members: Vec<(usize, Value)> = std::mem::take(members)
            .into_iter()
            .filter_map(|(n, value)| Some((n.parse().ok()?, lists(value))))
            .collect();
        members.sort_by_key(|(n, _)| *n);
        return Value::Array(members.into_iter().map(|(_, value)| value).collect());
    }
    Value::Object(held.into_iter().map(|(name, value)| (name, lists(value))).collect())
}

fn malformed(why: &str) -> Refusal {
    Refusal::of("SerializationException", why)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_has_lists_of_structures() {
        let form = Form::parse(b"Action=A&Period=60&D.member.1.Name=a&D.member.2.Name=b&As.member.1=x").unwrap();
        let fields = Fields::of_form(&form);
        assert_eq!(
            Value::Object(fields.held.clone()),
            json!({"Period": "60", "D": [{"Name": "a"}, {"Name": "b"}], "As": ["x"]})
        );
        assert_eq!(fields.int("Period").unwrap(), Some(60));
    }

    #[test]
    fn a_number_as_text_is_refused_in_json() {
        let fields = Fields::json(br#"{"Period": "60"}"#).unwrap();
        assert_eq!(fields.int("Period").unwrap_err().code, "SerializationException");
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        assert!(Fields::json(br#"{"Tags": "x"}"#).unwrap().structures("Tags").is_err());
    }
}
