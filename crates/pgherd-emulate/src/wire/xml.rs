//! An answer as a tree of elements, written as XML.

use std::borrow::Cow;
use std::fmt::{Display, Write};

use jiff::{Timestamp, Unit};

/// An element with its text or with what is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    name: Cow<'static, str>,
    text: String,
    inside: Vec<Element>,
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), text: String::new(), inside: Vec::new() }
    }

    /// An element that holds text.
    pub fn text(name: impl Into<Cow<'static, str>>, text: impl Display) -> Self {
        Self { text: text.to_string(), ..Self::new(name) }
    }

    /// The same under another name.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With an element inside.
    pub fn with(mut self, inside: Self) -> Self {
        self.inside.push(inside);
        self
    }

    /// With a text inside.
    pub fn put(self, name: &'static str, text: impl Display) -> Self {
        self.with(Self::text(name, text))
    }

    /// With a text inside, if there is one. RDS leaves out what has no value.
    pub fn maybe(self, name: &'static str, text: Option<impl Display>) -> Self {
        match text {
            Some(text) => self.put(name, text),
            None => self,
        }
    }

    /// With a time inside, in the spelling of RDS.
    pub fn time(self, name: &'static str, at: Timestamp) -> Self {
        let at = at.round(Unit::Millisecond).unwrap_or(at);
        self.put(name, format_args!("{at:.3}"))
    }

    /// With a list inside, which stands there even when nothing is in it.
    pub fn list(self, name: &'static str, items: impl IntoIterator<Item = Self>) -> Self {
        self.with(Self { inside: items.into_iter().collect(), ..Self::new(name) })
    }

    /// With a list of texts inside.
    pub fn texts(
        self,
        name: &'static str,
        member: &'static str,
        items: impl IntoIterator<Item = impl Display>,
    ) -> Self {
        self.list(name, items.into_iter().map(|item| Self::text(member, item)))
    }

    /// What is inside.
    pub fn into_inside(self) -> Vec<Self> {
        self.inside
    }

    /// A whole document; an empty namespace is none.
    pub fn document(&self, namespace: &str) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let attributes = if namespace.is_empty() { String::new() } else { format!(" xmlns=\"{namespace}\"") };
        self.write(&mut out, &attributes);
        out
    }

    /// One line an element, for people who read tests.
    pub fn outline(&self) -> String {
        let mut out = String::new();
        self.outlined(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, attributes: &str) {
        let name = &self.name;
        if self.text.is_empty() && self.inside.is_empty() {
            let _ = write!(out, "<{name}{attributes}/>");
            return;
        }
        let _ = write!(out, "<{name}{attributes}>{}", escaped(&self.text));
        self.inside.iter().for_each(|element| element.write(out, ""));
        let _ = write!(out, "</{name}>");
    }

    fn outlined(&self, out: &mut String, depth: usize) {
        let _ = writeln!(out, "{}{} {}", "  ".repeat(depth), self.name, self.text);
        self.inside.iter().for_each(|element| element.outlined(out, depth + 1));
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_document() {
        let answer = Element::new("A").put("B", "x < y & z").list("Cs", []).maybe("D", None::<u8>);
        insta::assert_snapshot!(answer.document("urn:a"), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <A xmlns="urn:a"><B>x &lt; y &amp; z</B><Cs/></A>
        "#);
    }

    #[test]
    fn times_have_milliseconds() {
        let answer = Element::new("A").time("T", Timestamp::constant(1_767_225_600, 0));
        assert_eq!(answer.outline(), "A \n  T 2026-01-01T00:00:00.000Z\n");
    }
}
