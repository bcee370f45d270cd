//! An XML answer as a tree of elements.
//!
//! Names are taken without their prefix, attributes are kept, comments and processing instructions are not. What nests deeper than
//! any answer of AWS is refused, so that no answer exhausts the stack.

use std::str::FromStr;

use jiff::Timestamp;
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};

/// AWS's deepest answers have about 10 levels.
const DEEPEST: usize = 64;

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name, without a prefix.
    pub name: String,
    /// Attributes, by their names with prefix.
    pub attributes: Vec<(String, String)>,
    /// The text that stands directly in it.
    pub text: String,
    /// The elements that stand directly in it.
    pub children: Vec<Element>,
}

/// The bytes are no answer in XML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Element {
    /// The root of a document.
    pub fn parse(document: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(document).map_err(|_| Malformed("it is not UTF-8".to_owned()))?;
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Self> = Vec::new();
        loop {
            match reader.read_event().map_err(malformed)? {
                Event::Start(_) if open.len() == DEEPEST => return Err(Malformed("it nests too deep".to_owned())),
                Event::Start(start) => open.push(Self::opened(&start)?),
                Event::End(_) => {
                    // The reader has checked that what ends was begun.
                    let Some(done) = open.pop() else { break };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => return Ok(done),
                    }
                }
                Event::Text(piece) => add(&mut open, &piece.decode().map_err(malformed)?),
                Event::CData(piece) => add(&mut open, &piece.decode().map_err(malformed)?),
                Event::GeneralRef(reference) => {
                    if let Some(letter) = reference.resolve_char_ref().map_err(malformed)? {
                        add(&mut open, letter.encode_utf8(&mut [0; 4]));
                        continue;
                    }
                    let name = reference.decode().map_err(malformed)?;
                    let text =
                        resolve_xml_entity(&name).ok_or_else(|| Malformed(format!("unknown entity &{name};")))?;
                    add(&mut open, text);
                }
                Event::Eof => break,
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        Err(Malformed("it ends early".to_owned()))
    }

    /// The results in an answer to `action`: what stands in `<ActionResult>`, or the root where there is no such wrapper. An answer
    /// without a body has none. Whatever is no `<ActionResponse>` is refused: a page of a proxy may be good XML, and that nothing is
    /// in it must not be taken for nothing being there.
    pub fn answer(body: &[u8], action: &str) -> Result<Self, Malformed> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let mut root = Self::parse(body)?;
        if root.name != format!("{action}Response") {
            return Err(Malformed(format!("it is no answer to {action}")));
        }
        let wrapper = format!("{action}Result");
        match root.children.iter().position(|child| child.name == wrapper) {
            Some(index) => Ok(root.children.swap_remove(index)),
            None => Ok(root),
        }
    }

    /// The first element at a path of names, as `Endpoint/Address`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |element, name| element.children.iter().find(|child| child.name == name))
    }

    /// Its text; `None` when it is absent. An empty element has an empty text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).map(|element| element.text.as_str())
    }

    /// `true` or `false`.
    pub fn bool(&self, path: &str) -> Option<bool> {
        self.parsed(path)
    }

    /// A whole number.
    pub fn int(&self, path: &str) -> Option<i64> {
        self.parsed(path)
    }

    /// A number.
    pub fn float(&self, path: &str) -> Option<f64> {
        self.parsed(path)
    }

    /// A point in time.
    pub fn time(&self, path: &str) -> Option<Timestamp> {
        time(self.text(path)?)
    }

    /// The members of a list, as `DBInstances` of `DBInstance`; none when it is absent.
    pub fn list<'a>(&'a self, path: &str, member: &'a str) -> impl Iterator<Item = &'a Self> {
        self.at(path).into_iter().flat_map(move |list| list.flat(member))
    }

    /// The elements of this name that stand directly in this one: a flat list.
    pub fn flat<'a>(&'a self, member: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == member)
    }

    /// An attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn parsed<T: FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.trim().parse().ok()
    }

    fn opened(start: &BytesStart<'_>) -> Result<Self, Malformed> {
        let name = text_of(start.local_name().as_ref())?;
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            let value = attribute.unescape_value().map_err(malformed)?.into_owned();
            attributes.push((text_of(attribute.key.as_ref())?, value));
        }
        Ok(Self { name, attributes, ..Self::default() })
    }
}

/// A time of AWS's: ISO 8601, with or without an offset from UTC, or seconds since 1970.
pub fn time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    if let Ok(date) = jiff::fmt::rfc2822::parse(text) {
        return Some(date.timestamp());
    }
    let seconds: f64 = text.parse().ok()?;
    Timestamp::from_millisecond(rounded(seconds * 1000.0)?).ok()
}

fn rounded(number: f64) -> Option<i64> {
    format!("{number:.0}").parse().ok()
}

fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn text_of(bytes: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Malformed {
    Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check_malformed(document: &str, reason: &str) {
        assert_eq!(Element::parse(document.as_bytes()).expect_err(document).to_string(), reason);
    }

    #[test]
    fn text_is_put_together_from_its_pieces() {
        let document = "\u{feff}<?xml version='1.0'?><!DOCTYPE a><a>one &amp; &#x41;&#66;<!-- no --><![CDATA[<two>]]><b/> three</a>";
        assert_eq!(Element::parse(document.as_bytes()).expect("XML").text, "one & AB<two> three");
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        check_malformed("", "it ends early");
        check_malformed("words", "it ends early");
        check_malformed("<a><b></b>", "it ends early");
        check_malformed("<a>&nbsp;</a>", "unknown entity &nbsp;");
        check_malformed(&"<a>".repeat(100), "it nests too deep");
        assert!(Element::parse(b"<a>\xff</a>").is_err());
        assert!(Element::parse(b"<a></b>").is_err());
    }

    /// A file of entities that are made of each other would fill the memory.
    #[test]
    fn entities_that_the_document_defines_are_not_known() {
        check_malformed("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "unknown entity &b;");
    }

    #[test]
    fn absent_is_told_from_empty() {
        let root = Element::parse(b"<a><b/><c><d>1</d></c><n>x</n></a>").expect("XML");
        assert_eq!(
            (root.text("b"), root.text("z"), root.text("c/d"), root.int("c/d")),
            (Some(""), None, Some("1"), Some(1))
        );
        assert_eq!((root.int("n"), root.bool("n"), root.time("n")), (None, None, None));
        assert_eq!((root.list("b", "x").count(), root.list("z", "x").count()), (0, 0));
    }

    #[test]
    fn only_the_answer_to_what_was_asked_is_one() {
        let of = |document: &str| Element::answer(document.as_bytes(), "GetRole").map(|root| root.name);
        assert_eq!(of("<GetRoleResponse><GetRoleResult/></GetRoleResponse>").expect("an answer"), "GetRoleResult");
        assert_eq!(of("<x:GetRoleResponse xmlns:x='y'/>").expect("an answer"), "GetRoleResponse");
        assert_eq!(of("<html><body/></html>").expect_err("a page").to_string(), "it is no answer to GetRole");
    }

    #[test]
    fn times_are_read_as_aws_writes_them() {
        let of = |text: &str| time(text).map(|time| time.to_string());
        for text in [
            "2015-01-25T08:00:00Z",
            "2015-01-25T09:00:00+01:00",
            "1422172800",
            "1422172800.0",
            "Sun, 25 Jan 2015 08:00:00 GMT",
        ] {
            assert_eq!(of(text).as_deref(), Some("2015-01-25T08:00:00Z"), "{text}");
        }
        assert_eq!(of("1422172800.123").as_deref(), Some("2015-01-25T08:00:00.123Z"));
        assert_eq!(["", "soon", "NaN", "1e300"].map(of), [None, None, None, None]);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(document in "[<>/a&;#x! \\[\\]\"'=?-]{0,60}") {
            drop(Element::parse(document.as_bytes()));
        }
    }
}
