//! `Filter.1.Name` and its values, which EC2's describing actions share; and pages.

use crate::around::{Tags, most, page};
use crate::wire::{Element, Form, Refusal};

/// The filters of a request; all must hold, each for any of its values.
pub struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// The filters sent, each one of `known` or of tags.
    pub fn read(form: &Form, known: &[&str]) -> Result<Self, Refusal> {
        let filter = |sent: Form| {
            let name = sent.required("Name")?.to_owned();
            if !known.contains(&name.as_str()) && !name.starts_with("tag:") && name != "tag-key" {
                return Err(Refusal::value(format!("The filter '{name}' is invalid")));
            }
            let values: Vec<_> = sent.flat("Value").into_iter().map(str::to_owned).collect();
            match values.is_empty() {
                true => Err(Refusal::value(format!("The filter '{name}' has no values"))),
                false => Ok((name, values)),
            }
        };
        form.flat_structures("Filter").into_iter().map(filter).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all hold of something with these tags, whose other values `of` tells by a filter's name.
    pub fn hold(&self, tags: &Tags, of: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, patterns)| {
            let found = match (name.strip_prefix("tag:"), name.as_str()) {
                (Some(key), _) => tags.get(key).cloned().into_iter().collect(),
                (None, "tag-key") => tags.keys().cloned().collect(),
                (None, name) => of(name),
            };
            found.iter().any(|found| patterns.iter().any(|pattern| fits(pattern, found)))
        })
    }
}

/// Whether a text fits a pattern, in which `*` is anything and `?` any one character.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| fits(rest, &text[at..]))
        }
        Some(first) => {
            let mut left = text.chars();
            left.next().is_some_and(|it| it == first || first == '?')
                && fits(&pattern[first.len_utf8()..], left.as_str())
        }
    }
}

/// The ids a request names, all of which must exist among `there`.
pub fn named<'a>(
    form: &'a Form,
    list: &str,
    is_there: impl Fn(&str) -> bool,
    missing: &'static str,
    what: &str,
) -> Result<Vec<&'a str>, Refusal> {
    let ids = form.flat(list);
    match ids.iter().find(|id| !is_there(id)) {
        Some(id) => Err(Refusal::of(missing, format!("The {what} '{id}' does not exist"))),
        None => Ok(ids),
    }
}

/// A page of a list, which answers call `name`.
pub fn listed(form: &Form, name: &'static str, items: Vec<Element>) -> Result<Element, Refusal> {
    let most = most(form.int("MaxResults")?, 1000, 1000, "InvalidParameterValue")?;
    let (page, next) = page(items, most, form.text("NextToken"), "InvalidParameterValue")?;
    Ok(Element::new("").list(name, page).maybe("nextToken", next))
}

/// Tags as answers show them.
pub fn tagged(element: Element, tags: &Tags) -> Element {
    let items = tags.iter().map(|(key, value)| Element::new("item").put("key", key).put("value", value));
    element.list("tagSet", items)
}

/// The tags a request gives what it makes.
pub fn specified(form: &Form, kind: &str) -> Result<Tags, Refusal> {
    let mut pairs = Vec::new();
    for specification in form.flat_structures("TagSpecification") {
        if specification.required("ResourceType")? != kind {
            return Err(Refusal::value(format!("A tag specification here is for the resource type {kind}")));
        }
        for tag in specification.flat_structures("Tag") {
            pairs.push((tag.required("Key")?.to_owned(), tag.text("Value").unwrap_or_default().to_owned()));
        }
    }
    crate::around::checked(pairs, "InvalidParameterValue")
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_is_anything() {
        assert!(fits("orders*", "orders-db") && fits("*-db", "orders-db") && fits("*", "") && fits("a?c", "abc"));
        assert!(!fits("orders", "orders-db") && !fits("a?c", "ac") && !fits("*x", "orders-db"));
    }
}
