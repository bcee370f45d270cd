//! Query and EC2 forms: names, flat or wrapped lists, never an empty list by accident.
//!
//! `.` joins the parts of a name and members are counted from 1: `Tags.Tag.1.Key=team`. The name of a member is the shape's own
//! (`member` unless the service model says otherwise).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use pgherd_core::secret::Secret;
use zeroize::Zeroizing;

/// Everything but the unreserved characters of RFC 3986 is encoded, as in a signature's canonical form.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The fields of a request, in order.
#[derive(Clone, Default)]
pub struct Form {
    action: String,
    fields: Vec<(String, Text)>,
}

/// A value of a field.
#[derive(Clone)]
pub enum Field {
    /// Left out.
    Absent,
    /// A text, number, truth or time.
    Text(String),
    /// A text that is never shown.
    Secret(Zeroizing<String>),
    /// A structure.
    Part(Form),
}

#[derive(Clone)]
enum Text {
    Plain(String),
    Secret(Zeroizing<String>),
}

impl Form {
    /// A request for an action. The API's version is added by the call.
    pub fn new(action: impl Into<String>) -> Self {
        Self { action: action.into(), fields: Vec::new() }
    }

    /// A structure inside of a request.
    pub fn part() -> Self {
        Self::default()
    }

    /// The action; empty for a part.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// A field; nothing when it is absent.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Field>) -> Self {
        self.put(name, value.into());
        self
    }

    /// All fields of a structure as one's own.
    #[must_use]
    pub fn and(mut self, part: Self) -> Self {
        self.fields.extend(part.fields);
        self
    }

    /// A list, `name.member.1`, …; nothing when it is empty.
    #[must_use]
    pub fn list<I>(mut self, name: &str, member: &str, items: I) -> Self
    where
        I: IntoIterator<Item: Into<Field>>,
    {
        for (index, item) in items.into_iter().enumerate() {
            self.put(&format!("{name}.{member}.{}", index + 1), item.into());
        }
        self
    }

    /// A flat list, `name.1`, …, as all of EC2's are; nothing when it is empty.
    #[must_use]
    pub fn flat<I>(mut self, name: &str, items: I) -> Self
    where
        I: IntoIterator<Item: Into<Field>>,
    {
        for (index, item) in items.into_iter().enumerate() {
            self.put(&format!("{name}.{}", index + 1), item.into());
        }
        self
    }

    /// A list that is meant to be empty, which the query protocol writes as `name=`.
    #[must_use]
    pub fn emptied(self, name: &str) -> Self {
        self.set(name, "")
    }

    /// The body: `Action`, `Version`, then the fields.
    pub fn encode(&self, version: &str) -> String {
        let mut body = format!("Action={}&Version={version}", self.action);
        for (name, value) in &self.fields {
            body.push('&');
            body.extend(utf8_percent_encode(name, RESERVED));
            body.push('=');
            body.extend(utf8_percent_encode(value.reveal(), RESERVED));
        }
        body
    }

    /// Values that must not come back in an error: those given as secrets, and those of fields that are called so.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter_map(|(name, value)| match value {
            Text::Secret(text) => Some(text.as_str()),
            Text::Plain(text) => pgherd_http::redact::is_secret(name).then_some(text.as_str()),
        })
    }

    fn put(&mut self, name: &str, value: Field) {
        match value {
            Field::Absent => {}
            Field::Text(text) => self.fields.push((name.to_owned(), Text::Plain(text))),
            Field::Secret(text) => self.fields.push((name.to_owned(), Text::Secret(text))),
            Field::Part(part) => {
                self.fields.extend(part.fields.into_iter().map(|(inner, value)| (format!("{name}.{inner}"), value)));
            }
        }
    }
}

/// `text` as it stands in a form or a query.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

impl Text {
    fn reveal(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(text) => text,
        }
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        map.entry(&"Action", &self.action);
        for (name, value) in &self.fields {
            let hidden = matches!(value, Text::Secret(_)) || pgherd_http::redact::is_secret(name);
            map.entry(name, &if hidden { pgherd_http::redact::HIDDEN } else { value.reveal() });
        }
        map.finish()
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Field {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Field {
    fn from(truth: bool) -> Self {
        Self::Text(truth.to_string())
    }
}

impl From<i64> for Field {
    fn from(number: i64) -> Self {
        Self::Text(number.to_string())
    }
}

impl From<u32> for Field {
    fn from(number: u32) -> Self {
        Self::Text(number.to_string())
    }
}

impl From<f64> for Field {
    /// The special numbers are spelt as in XML Schema, which has `INF` where AWS says `Infinity`.
    fn from(number: f64) -> Self {
        Self::Text(match number {
            _ if number.is_nan() => "NaN".to_owned(),
            _ if number.is_infinite() => format!("{}Infinity", if number < 0.0 { "-" } else { "" }),
            _ => number.to_string(),
        })
    }
}

impl From<jiff::Timestamp> for Field {
    fn from(time: jiff::Timestamp) -> Self {
        Self::Text(time.to_string())
    }
}

impl From<&Secret> for Field {
    /// # Panics
    /// With a verifier: what is stored of a password is no password.
    fn from(secret: &Secret) -> Self {
        let text = secret.reveal().expect("only passwords that are known are sent");
        Self::Secret(Zeroizing::new(text.to_owned()))
    }
}

impl From<Form> for Field {
    fn from(part: Form) -> Self {
        Self::Part(part)
    }
}

impl<T: Into<Self>> From<Option<T>> for Field {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(form: &Form, expected: &str) {
        assert_eq!(form.encode("v"), format!("Action=A&Version=v{expected}"));
    }

    #[test]
    fn what_is_absent_or_empty_is_left_out() {
        let form = Form::new("A").set("B", None::<&str>).list("C", "member", Vec::<String>::new()).flat("D", [""; 0]);
        check(&form, "");
        check(&Form::new("A").emptied("C").set("E", ""), "&C=&E=");
    }

    #[test]
    fn lists_count_from_one_and_structures_nest() {
        let tag = |key: &str| Form::part().set("Key", key);
        let inner = Form::part().list("EnableLogTypes", "member", ["a", "b"]);
        let form = Form::new("A").list("Tags", "Tag", [tag("x"), tag("y")]).set("Logs", inner).flat("G", [tag("z")]);
        check(
            &form,
            "&Tags.Tag.1.Key=x&Tags.Tag.2.Key=y&Logs.EnableLogTypes.member.1=a&Logs.EnableLogTypes.member.2=b&G.1.Key=z",
        );
    }

    #[test]
    fn a_value_holds_whatever_it_likes() {
        check(&Form::new("A").set("B", "a b&c=d+e%/~ä\n"), "&B=a%20b%26c%3Dd%2Be%25%2F~%C3%A4%0A");
    }

    #[test]
    fn secrets_go_out_and_are_not_shown() {
        let form =
            Form::new("A").set("MasterUserPassword", "named so").set("B", &Secret::new("said so")).set("C", "seen");
        check(&form, "&MasterUserPassword=named%20so&B=said%20so&C=seen");
        assert_eq!(
            format!("{form:?}"),
            r#"{"Action": "A", "MasterUserPassword": "(secret)", "B": "(secret)", "C": "seen"}"#
        );
        assert_eq!(form.secrets().collect::<Vec<_>>(), ["named so", "said so"]);
    }
}
