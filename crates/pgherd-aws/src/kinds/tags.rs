//! Tags of everything pgherd makes: the block's, and two of pgherd's own that say whose it is and which tags are the block's.

use std::collections::BTreeMap;

use pgherd_core::cloud::Cloud;
use pgherd_core::resource::Resource;
use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};
use pgherd_core::variables::{self, Variable};

use crate::live::{GP3_IOPS, GP3_THROUGHPUT};

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
/// Tag of an instance with what its block says and nothing that exists tells: how things are done, and what has no effect here. Only what
/// decides about its end is compared: that is read off it by whoever takes the database over.
pub const WRITTEN: &str = "pgherd:written";
/// What stands between two settings in it: a value may hold a space.
const BETWEEN: &str = "  ";
/// What decides about the end.
const ENDING: [&str; 2] = ["final_snapshot_identifier", "skip_final_snapshot"];
/// Tags of what is half done. They are compared, so that an apply which does the rest takes them off.
pub(crate) const STAGES: [&str; 3] = [RESTORING, REPLACES, BECOMES];
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
    let is_ours = |key: &str| key != WRITTEN && (wanted.contains_key(key) || is_own(key) || once.contains(&key));
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

/// What an instance wears of what its block says: `preset=prod  skip_final_snapshot=true`, two spaces between. What no tag can hold is
/// left out.
pub fn written(spec: &Spec) -> Option<(String, String)> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_.:/+-@ ".contains(letter);
    let is_one = |text: &str| !text.is_empty() && text.trim() == text && !text.contains(BETWEEN);
    let mut untold = spec.untold(super::IGNORES);
    untold.extend(as_given(spec));
    let words = untold.iter().filter_map(|(name, value)| {
        let value = match value {
            Value::Text(text) => text.clone(),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => value.to_string(),
            _ => return None,
        };
        (is_one(&value) && value.chars().all(is_plain)).then(|| (name, format!("{name}={value}")))
    });
    let (first, rest): (Vec<_>, Vec<_>) = words.partition(|(name, _)| ENDING.contains(&name.as_str()));
    let mut text = String::new();
    for (_, word) in first.into_iter().chain(rest) {
        let space = if text.is_empty() { "" } else { BETWEEN };
        if text.len() + space.len() + word.len() <= MAX_VALUE {
            text += &format!("{space}{word}");
        }
    }
    (!text.is_empty()).then(|| (WRITTEN.to_owned(), text))
}

/// What is written of a storage and is what RDS gives without a word, so that nobody can tell.
fn as_given(spec: &Spec) -> impl Iterator<Item = (String, Value)> {
    let storage = &spec.storage;
    let figures =
        [("storage_iops", storage.iops, GP3_IOPS), ("storage_throughput", storage.throughput_mibps, GP3_THROUGHPUT)];
    let is_gp3 = storage.kind.as_deref() == Some("gp3");
    figures.into_iter().filter_map(move |(name, figure, given)| {
        let figure = i64::try_from(figure?).ok().filter(|figure| is_gp3 && given.contains(figure))?;
        Some((name.to_owned(), Value::Int(figure)))
    })
}

/// The same read back, by variable. Only what [`written`] may say counts: whoever may tag an instance decides nothing else by it.
pub fn said(text: &str) -> Props {
    let is_untold = |one: &Variable| {
        let is_identity = ["name", "cloud_provider"].contains(&one.name);
        !one.sensitive
            && !is_identity
            && (!one.acts_on(Cloud::Aws) || super::IGNORES.iter().any(|(ignored, _)| *ignored == one.name))
    };
    let is_one_of_ours = |name: &str| {
        ["preset", "storage_iops", "storage_throughput"].contains(&name)
            || variables::variable(name).is_some_and(is_untold)
    };
    let words = text.split(BETWEEN).filter_map(|word| word.split_once('='));
    let words = words.filter(|(name, _)| is_one_of_ours(name));
    words.map(|(name, value)| (name.to_owned(), Value::text(value))).collect()
}

/// The tag of an instance with what its block says, as far as it is compared: one that says the same about its end is as it is wanted.
pub fn written_compared(live: &BTreeMap<String, String>, wanted: &Props) -> Option<(String, Value)> {
    let ending = |text: Option<&str>| -> Props {
        let said = said(text.unwrap_or_default()).into_iter();
        // What is off is as it is without a word.
        said.filter(|(name, value)| ENDING.contains(&name.as_str()) && value.as_text() != Some("false")).collect()
    };
    let (live, wanted) = (live.get(WRITTEN), wanted.get(WRITTEN));
    let is_same = ending(live.map(String::as_str)) == ending(wanted.and_then(Value::as_text));
    let told = if is_same { wanted.cloned() } else { live.map(Value::text) };
    told.map(|told| (WRITTEN.to_owned(), told))
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

/// The same for what stands around a resource: what says how far a verb is stays with the instance, and so does what its block says.
pub fn sent_around(props: &Props) -> Vec<(String, String)> {
    let mut tags = sent(props);
    tags.retain(|(key, _)| !STAGES.contains(&key.as_str()) && key != WRITTEN);
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
    fn of_what_a_block_says_only_its_end_is_compared() {
        let worn = |text: &str| live(&[("pgherd:written", text)]);
        let wanted = |text: &str| Props::from([("pgherd:written".to_owned(), Value::text(text))]);
        let told =
            |live: &str, text: &str| written_compared(&worn(live), &wanted(text)).map(|(_, told)| told.to_string());
        assert_eq!(told("preset=dev", "preset=prod").as_deref(), Some("preset=prod"));
        assert_eq!(told("preset=dev", "skip_final_snapshot=true").as_deref(), Some("preset=dev"));
        assert_eq!(told("preset=dev", "skip_final_snapshot=false").as_deref(), Some("skip_final_snapshot=false"));
        assert_eq!(written_compared(&worn("preset=dev"), &Props::new()), None);
        assert!(written_compared(&worn("skip_final_snapshot=true"), &Props::new()).is_some());
        assert_eq!(compared(&worn("preset=dev"), &wanted("preset=dev")), Value::Map(Props::new()));
    }

    #[test]
    fn a_tag_says_only_what_pgherd_would_write_there() {
        let said = said(
            "preset=prod  local_sync=required  storage_iops=3000  allowed_cidr_blocks=0.0.0.0/0  name=x  master_password=x",
        );
        assert_eq!(said.keys().collect::<Vec<_>>(), ["local_sync", "preset", "storage_iops"]);
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
