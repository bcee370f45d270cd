//! A request of the query protocol: a form of names and values, with lists spelt `Tags.Tag.1.Key`.
//!
//! Members of lists are found only under the name RDS's model gives them, because RDS finds no others.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::Refusal;

/// A form taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// The form in a body.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
        text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Result<_, _>>().map(Self)
    }

    /// A form of these, for tests and tampering.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// All names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A value, if it was sent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A value that must be sent.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.text(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| Refusal::of("MissingParameter", format!("The request must contain the parameter {name}.")))
    }

    /// A whole number, if it was sent.
    pub fn int(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.text(name)
            .map(|value| value.parse().map_err(|_| malformed(&format!("{name}: '{value}' is not an integer"))))
            .transpose()
    }

    /// `true` or `false`, if it was sent.
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.text(name)
            .map(|value| value.parse().map_err(|_| malformed(&format!("{name}: '{value}' is not a boolean"))))
            .transpose()
    }

    /// The texts of a list in their order; nothing when the list was not sent.
    pub fn list(&self, name: &str, member: &str) -> Option<Vec<&str>> {
        let found = self.flat(&format!("{name}.{member}"));
        // An empty list is sent as the bare name.
        (!found.is_empty() || self.0.contains_key(name)).then_some(found)
    }

    /// The texts of a list without a name for its members, as EC2 has them.
    pub fn flat(&self, name: &str) -> Vec<&str> {
        (1..).map_while(|n| self.text(&format!("{name}.{n}"))).collect()
    }

    /// The structures of a list in their order, each as a form of its own.
    pub fn structures(&self, name: &str, member: &str) -> Vec<Self> {
        self.flat_structures(&format!("{name}.{member}"))
    }

    /// The structures of a list without a name for its members, as EC2 has them.
    pub fn flat_structures(&self, name: &str) -> Vec<Self> {
        (1..).map(|n| self.inside(&format!("{name}.{n}."))).take_while(|inside| !inside.0.is_empty()).collect()
    }

    fn inside(&self, prefix: &str) -> Self {
        let held =
            self.0.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())));
        Self(held.collect())
    }
}

fn pair(pair: &str) -> Result<(String, String), Refusal> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    Ok((decoded(name)?, decoded(value)?))
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(|text| text.into_owned()).map_err(|_| malformed("a value is not UTF-8"))
}

fn malformed(why: &str) -> Refusal {
    Refusal::of("MalformedInput", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Form {
        Form::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(form("A=a%2Fb+c%C3%A9").text("A"), Some("a/b cé"));
    }

    #[test]
    fn a_list_is_in_the_order_of_its_numbers() {
        let ids: Vec<String> = (1..=11).map(|n| format!("Ids.Id.{n}=v{n}")).collect();
        assert_eq!(form(&ids.join("&")).list("Ids", "Id").unwrap().last(), Some(&"v11"));
    }

    #[test]
    fn a_member_of_another_name_is_not_seen() {
        assert_eq!(form("Ids.member.1=a").list("Ids", "Id"), None);
    }

    #[test]
    fn structures_are_forms() {
        let tags = form("Tags.Tag.1.Key=a&Tags.Tag.1.Value=1&Tags.Tag.2.Key=b").structures("Tags", "Tag");
        assert_eq!(tags, [Form::of([("Key", "a"), ("Value", "1")]), Form::of([("Key", "b")])]);
    }

    #[test]
    fn a_number_that_is_none_is_refused() {
        assert_eq!(form("Port=x").int("Port").unwrap_err().code, "MalformedInput");
    }
}
