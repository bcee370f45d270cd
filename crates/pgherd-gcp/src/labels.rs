//! Labels: keys and values in small letters on Google Cloud, and some of pgherd's own that say whose a thing is. Pure.

use std::collections::BTreeMap;

use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};

/// Labels as a thing wears them.
pub type Labels = BTreeMap<String, String>;

/// Key of the label that says which database a thing belongs to, and so that it is pgherd's.
pub const BLOCK: &str = "pgherd_block";
/// Beginning of the keys of the labels that list the keys of the block's tags, so that one taken out of the block is removed and a
/// foreign one is left alone. There are as many of them as it takes.
pub const KEYS: &str = "pgherd_keys";
/// Key of the label that says what an instance was restored from, so that the same command goes on rather than begins anew.
pub const RESTORED: &str = "pgherd_restored";
/// Key of the label that says what an alarm is about.
pub const ALARM: &str = "pgherd_alarm";

/// Longest key and longest value (Google Cloud documentation, "Labels overview").
const LONGEST: usize = 63;
/// Between two keys in the list of keys: no key that is folded holds it, for two signs that fit none become one each.
const BETWEEN: &str = "__";

/// The labels a spec wants, by key. The value of one may be unknown: it is not compared, and not sent.
pub fn wanted(spec: &Spec) -> Value {
    let mut labels = Props::from([(BLOCK.to_owned(), Value::text(&spec.name))]);
    for (index, list) in lists(spec.tags.keys().map(|key| folded_key(key))).into_iter().enumerate() {
        labels.insert(format!("{KEYS}_{index}"), Value::Text(list));
    }
    for (key, tag) in &spec.tags {
        match tag {
            Setting::Known(value) => drop(labels.insert(folded_key(key), Value::Text(folded(value)))),
            Setting::Unknown(reference) => drop(labels.insert(folded_key(key), Value::Unknown(reference.clone()))),
            Setting::Unset => {}
        }
    }
    Value::Map(labels)
}

/// Keys as values of labels, as many to one as there is room for.
fn lists(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for key in keys {
        match lists.last_mut().filter(|list| list.len() + BETWEEN.len() + key.len() <= LONGEST) {
            Some(list) => *list += &format!("{BETWEEN}{key}"),
            None => lists.push(key),
        }
    }
    lists
}

/// Whether what wears these labels is pgherd's for the database of a name.
pub fn are_ours(worn: &Labels, name: &str) -> bool {
    worn.get(BLOCK).is_some_and(|block| block == name)
}

/// The labels worn as far as they are compared: those wanted, pgherd's own and those that were the block's once.
pub fn compared(worn: &Labels, wanted: &Props) -> Value {
    let once: Vec<&str> =
        worn.iter().filter(|(key, _)| key.starts_with(KEYS)).flat_map(|(_, list)| list.split(BETWEEN)).collect();
    let is_compared = |key: &str| {
        let is_own = key == BLOCK || key.starts_with(KEYS);
        wanted.contains_key(key) || is_own || once.contains(&key)
    };
    let compared = worn.iter().filter(|(key, _)| is_compared(key));
    Value::Map(compared.map(|(key, value)| (key.clone(), Value::text(value))).collect())
}

/// The labels among props, as far as they are known.
pub fn sent(props: &Props) -> Labels {
    let labels = props.get(crate::fields::LABELS).and_then(Value::as_map);
    labels.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_text()?.to_owned()))).collect()
}

/// A key as a label has it: `cost-center`, and a letter first.
pub fn folded_key(key: &str) -> String {
    let folded = folded(key);
    match folded.starts_with(|c: char| c.is_ascii_lowercase()) {
        true => folded,
        false => format!("x{folded}").chars().take(LONGEST).collect(),
    }
}

/// A value as a label has it.
pub fn folded(text: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    text.to_lowercase().chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_label_takes_becomes_what_one_takes() {
        assert_eq!(folded_key("Cost Center"), "cost_center");
        assert_eq!(folded_key("2nd"), "x2nd");
        assert_eq!(folded("Müller & Söhne"), "m_ller___s_hne");
        assert_eq!(folded(&"a".repeat(80)).len(), 63);
    }

    #[test]
    fn a_foreign_label_is_left_alone_and_one_that_was_ours_is_not() {
        let worn =
            [(BLOCK, "orders"), ("pgherd_keys_0", "owner__team"), ("team", "shop"), ("by", "hand"), (RESTORED, "x")];
        let worn: Labels = worn.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let wanted = Props::from([("owner".to_owned(), Value::text("ann"))]);
        insta::assert_snapshot!(compared(&worn, &wanted), @"{pgherd_block = orders, pgherd_keys_0 = owner__team, team = shop}");
    }

    #[test]
    fn keys_take_as_many_labels_as_they_need() {
        let keys = ["a".repeat(40), "b".repeat(30), "c".to_owned()];
        let lists = lists(keys.into_iter());
        assert_eq!(lists.iter().map(String::len).collect::<Vec<_>>(), [40, 33]);
    }
}
