//! Labels: keys and values in small letters on Google Cloud, and some of pgherd's own that say whose a thing is. Pure.

use std::collections::BTreeMap;

use pgherd_core::labels::{BETWEEN, lists};
pub use pgherd_core::labels::{key as folded_key, value as folded};
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

/// The labels a spec wants, by key. The value of one may be unknown: it is not compared, and not sent.
pub fn wanted(spec: &Spec) -> Value {
    let mut labels = Props::new();
    for (key, tag) in &spec.tags {
        match tag {
            Setting::Known(value) => drop(labels.insert(folded_key(key), Value::Text(folded(value)))),
            Setting::Unknown(reference) => drop(labels.insert(folded_key(key), Value::Unknown(reference.clone()))),
            Setting::Unset => {}
        }
    }
    // Last, so that no tag is taken for what says whose it is.
    labels.insert(BLOCK.to_owned(), Value::text(&spec.name));
    for (index, list) in lists(spec.tags.keys().map(|key| folded_key(key))).into_iter().enumerate() {
        labels.insert(format!("{KEYS}_{index}"), Value::Text(list));
    }
    Value::Map(labels)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_label_is_left_alone_and_one_that_was_ours_is_not() {
        let worn =
            [(BLOCK, "orders"), ("pgherd_keys_0", "owner__team"), ("team", "shop"), ("by", "hand"), (RESTORED, "x")];
        let worn: Labels = worn.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let wanted = Props::from([("owner".to_owned(), Value::text("ann"))]);
        insta::assert_snapshot!(compared(&worn, &wanted), @"{pgherd_block = orders, pgherd_keys_0 = owner__team, team = shop}");
    }
}
