//! Tags: whose a thing is, and which tags a block gave it. Pure.

use std::collections::BTreeMap;

use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};
use serde_json::Value as Json;

/// Tags as a thing wears them.
pub type Tags = BTreeMap<String, String>;

/// The field with the tags.
pub const TAGS: &str = "tags";
/// Name of the tag that says which database a thing belongs to, and so that it is pgherd's.
pub const BLOCK: &str = "pgherd_block";
/// Beginning of the names of the tags that list the names of the block's own, so that one taken out of the block is removed and a
/// foreign one is left alone. There are as many of them as it takes.
pub const KEYS: &str = "pgherd_keys";
/// Name of the tag that says what a server was restored from, so that the same command goes on rather than begins anew.
pub const RESTORED: &str = "pgherd_restored";

/// Longest value (Azure documentation, "Use tags to organize your Azure resources").
const LONGEST: usize = 256;
/// Between two names in the list of names: no name of a tag holds it.
const BETWEEN: char = '/';

/// The tags a spec wants, by name. The value of one may be unknown: it is not compared, and not sent.
pub fn wanted(spec: &Spec) -> Value {
    let mut tags = Props::from([(BLOCK.to_owned(), Value::text(&spec.name))]);
    for (index, list) in lists(spec.tags.keys()).into_iter().enumerate() {
        tags.insert(format!("{KEYS}_{index}"), Value::Text(list));
    }
    for (name, tag) in &spec.tags {
        match tag {
            Setting::Known(value) => drop(tags.insert(name.clone(), Value::text(value))),
            Setting::Unknown(reference) => drop(tags.insert(name.clone(), Value::Unknown(reference.clone()))),
            Setting::Unset => {}
        }
    }
    Value::Map(tags)
}

/// The tag that alone says whose a thing is.
pub fn own(database: &str) -> Tags {
    Tags::from([(BLOCK.to_owned(), database.to_owned())])
}

/// Names as values of tags, as many to one as there is room for.
fn lists<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for name in names {
        match lists.last_mut().filter(|list| list.len() + 1 + name.len() <= LONGEST) {
            Some(list) => {
                list.push(BETWEEN);
                list.push_str(name);
            }
            None => lists.push(name.clone()),
        }
    }
    lists
}

/// Whether what wears these tags is pgherd's for the database of a name.
pub fn are_ours(worn: &Tags, name: &str) -> bool {
    worn.get(BLOCK).is_some_and(|block| block == name)
}

/// The tags worn as far as they are compared: those wanted, pgherd's own and those that were the block's once.
pub fn compared(worn: &Tags, wanted: &Props) -> Value {
    let lists = worn.iter().filter(|(name, _)| name.starts_with(KEYS));
    let once: Vec<&str> = lists.flat_map(|(_, list)| list.split(BETWEEN)).collect();
    let is_compared =
        |name: &str| wanted.contains_key(name) || name == BLOCK || name.starts_with(KEYS) || once.contains(&name);
    let compared = worn.iter().filter(|(name, _)| is_compared(name));
    Value::Map(compared.map(|(name, value)| (name.clone(), Value::text(value))).collect())
}

/// The tags among props, as far as they are known.
pub fn sent(props: &Props) -> Tags {
    let tags = props.get(TAGS).and_then(Value::as_map);
    tags.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_text()?.to_owned()))).collect()
}

/// Tags as an API tells them.
pub fn read(told: &Json) -> Tags {
    let all = told.as_object().into_iter().flatten();
    all.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_tag_is_left_alone_and_one_that_was_ours_is_not() {
        let worn = [
            (BLOCK, "orders"),
            ("pgherd_keys_0", "Owner/Cost center"),
            ("Cost center", "7"),
            ("by", "hand"),
            (RESTORED, "x"),
        ];
        let worn: Tags = worn.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let wanted = Props::from([("Owner".to_owned(), Value::text("ann"))]);
        let expected = "{Cost center = 7, pgherd_block = orders, pgherd_keys_0 = Owner/Cost center}";
        assert_eq!(compared(&worn, &wanted).to_string(), expected);
    }

    #[test]
    fn names_take_as_many_tags_as_they_need() {
        let names = ["a".repeat(200), "b".repeat(55), "c".to_owned()];
        assert_eq!(lists(names.iter()).iter().map(String::len).collect::<Vec<_>>(), [256, 1]);
    }
}
