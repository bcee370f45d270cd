//! Tags of everything pgherd makes: the block's, and two of pgherd's own that say whose it is and which tags are the block's.

use std::collections::BTreeMap;

use pgherd_core::resource::Resource;
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};

/// Tag that says which database a thing belongs to, and so that it is pgherd's.
pub const BLOCK: &str = "pgherd:block";
/// Tag that lists the keys of the block's tags, so that one taken out of the block is removed and a foreign one is left alone.
pub const KEYS: &str = "pgherd:tags";
/// Tag of an instance that says that a proxy was made for it, see `live/marks.rs`.
pub const PROXY: &str = "pgherd:proxy";
/// Tag of an instance that lets go of something, until that is deleted.
pub const LEAVES: &str = "pgherd:leaves";
/// Beginning of a tag of an instance that says that something of it is in a second region, which is its end.
pub const REGION: &str = "pgherd:region:";
/// Tag of an instance that says what it is being restored from, until it is done.
pub const RESTORING: &str = "pgherd:restoring";
/// Tag of an instance that says which one it replaces: the `db-…` id of that, and the name it is to be put aside under.
pub const REPLACES: &str = "pgherd:replaces";
/// Tag of an instance that says what a replica becomes, until it is done.
pub const BECOMES: &str = "pgherd:becomes";
/// Tag of an instance that says what it was put back from in its own place, so that nobody does the same again by repeating a command.
pub const RESTORED: &str = "pgherd:restored";
/// Tags of what is half done. They are compared, so that an apply which does the rest takes them off.
const STAGES: [&str; 3] = [RESTORING, REPLACES, BECOMES];
/// Longest value of a tag (Tagging AWS Resources User Guide, "Tag naming limits and requirements").
const MAX_VALUE: usize = 256;

/// The tags of everything of a database, by key. The value of one may be unknown: it is not compared, and not sent.
pub fn wanted(spec: &Spec) -> Value {
    let mut tags = Props::from([(BLOCK.to_owned(), Value::text(&spec.name))]);
    // Keys are separated by a space, so one that holds a space is never removed.
    let keys: Vec<&str> = spec.tags.keys().map(String::as_str).filter(|key| !key.contains(' ')).collect();
    let keys = keys.join(" ");
    if !keys.is_empty() && keys.chars().count() <= MAX_VALUE {
        tags.insert(KEYS.to_owned(), Value::Text(keys));
    }
    for (key, tag) in &spec.tags {
        match tag {
            Setting::Known(value) => drop(tags.insert(key.clone(), Value::text(value))),
            Setting::Unknown(reference) => drop(tags.insert(key.clone(), Value::Unknown(reference.clone()))),
            Setting::Unset => {}
        }
    }
    Value::Map(tags)
}

/// Whether what wears these tags is pgherd's for the database of a name.
pub fn are_ours(live: &BTreeMap<String, String>, name: &str) -> bool {
    live.get(BLOCK).is_some_and(|block| block == name)
}

/// The tags that a thing wears as far as they are compared: those wanted, pgherd's own but for marks, and those that were the block's once.
pub fn compared(live: &BTreeMap<String, String>, wanted: &Props) -> Value {
    let once: Vec<&str> = live.get(KEYS).map(|keys| keys.split(' ').collect()).unwrap_or_default();
    let is_own = |key: &str| matches!(key, BLOCK | KEYS) || STAGES.contains(&key);
    let is_ours = |key: &str| wanted.contains_key(key) || is_own(key) || once.contains(&key);
    Value::Map(
        live.iter().filter(|(key, _)| is_ours(key)).map(|(key, value)| (key.clone(), Value::text(value))).collect(),
    )
}

/// The tags of a snapshot that is asked for. RDS copies those of the instance only where none are given (Amazon RDS User Guide, "Copying tags
/// to DB instance snapshots"), and without ours nobody would know whose it is. What says how far a verb is stays with the instance.
pub fn of_snapshot(worn: &BTreeMap<String, String>, copies: bool) -> Vec<(String, String)> {
    let is_mark = |key: &str| key.starts_with("pgherd:") && !matches!(key, BLOCK | KEYS);
    let is_copied = |key: &str| key == BLOCK || copies && !is_mark(key) && !key.starts_with("aws:");
    worn.iter().filter(|(key, _)| is_copied(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Has a resource wear one tag more.
pub fn wear(resource: &mut Resource, key: &str, value: &str) {
    if let Some(Value::Map(tags)) = resource.props.get_mut("Tags") {
        tags.insert(key.to_owned(), value.into());
    }
}

/// The tags of a resource as they are sent: key and value, without what nobody knows.
pub fn sent(props: &Props) -> Vec<(String, String)> {
    let tags = props.get("Tags").and_then(Value::as_map);
    tags.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_text()?.to_owned()))).collect()
}

/// The same for what stands around a resource: what says how far a verb is stays with the instance.
pub fn sent_around(props: &Props) -> Vec<(String, String)> {
    let mut tags = sent(props);
    tags.retain(|(key, _)| !STAGES.contains(&key.as_str()));
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
        tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_foreign_tag_is_left_alone_and_one_that_was_ours_is_not() {
        let live = live(&[
            ("pgherd:block", "orders"),
            ("pgherd:tags", "Owner Team"),
            ("Owner", "ann"),
            ("Team", "shop"),
            ("CostCenter", "7"),
        ]);
        let wanted = Props::from([("Owner".to_owned(), Value::text("bob"))]);
        insta::assert_snapshot!(compared(&live, &wanted), @"{Owner = ann, Team = shop, pgherd:block = orders, pgherd:tags = Owner Team}");
        assert!(are_ours(&live, "orders") && !are_ours(&live, "others"));
    }

    /// An apply that does the rest of a restore ends it: the same restore would begin with a database in use otherwise.
    #[test]
    fn what_says_that_something_is_half_done_is_compared_and_marks_are_not() {
        let live = live(
            &["pgherd:restoring", "pgherd:replaces", "pgherd:becomes", "pgherd:proxy", "pgherd:restored"]
                .map(|key| (key, "x")),
        );
        insta::assert_snapshot!(compared(&live, &Props::new()), @"{pgherd:becomes = x, pgherd:replaces = x, pgherd:restoring = x}");
    }

    #[test]
    fn what_nobody_knows_is_not_sent() {
        let tags = Props::from([
            ("Owner".to_owned(), Value::text("ann")),
            ("Team".to_owned(), Value::Unknown("var.team".to_owned())),
        ]);
        let props = Props::from([("Tags".to_owned(), Value::Map(tags))]);
        assert_eq!(sent(&props), [("Owner".to_owned(), "ann".to_owned())]);
    }
}
