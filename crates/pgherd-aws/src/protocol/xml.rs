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
