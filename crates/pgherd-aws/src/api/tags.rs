//! Tags as the services that speak in forms write and read them.

use std::collections::BTreeMap;

use crate::protocol::form::Form;
use crate::protocol::xml::Element;

/// Tags of a thing, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// Keys and values, each a structure.
pub(crate) fn sent(tags: &[(String, String)]) -> impl Iterator<Item = Form> {
    tags.iter().map(|(key, value)| Form::part().set("Key", key).set("Value", value))
}

/// The members of a list of tags.
pub(crate) fn read<'a>(members: impl Iterator<Item = &'a Element>) -> Tags {
    members.filter_map(|tag| Some((tag.text("Key")?.to_owned(), tag.text("Value")?.to_owned()))).collect()
}
