//! Tags: flat words on DigitalOcean, `key:value` for us, and some of pgherd's own that say whose a thing is. Pure.
//!
//! A tag is an object of the account that others may wear too, in the letters of whoever made it first; so keys and values are compared
//! without case.

use std::collections::BTreeMap;

use pgherd_core::spec::{Setting, Spec};
use pgherd_core::value::{Props, Value};

/// Key of the tag that says which database a thing belongs to, and so that it is pgherd's.
pub const BLOCK: &str = "pgherd:block";
/// Key of the tag that lists the keys of the block's tags, so that one taken out of the block is removed and a foreign one is left alone.
pub const KEYS: &str = "pgherd:tags";
/// Key of the tag of a database that must not be deleted: DigitalOcean has no such switch.
pub const PROTECTED: &str = "pgherd:protected";
/// Key of the tag that says what a cluster was restored from, so that the same command goes on rather than begins anew.
pub const RESTORED: &str = "pgherd:restored";

const OWN: [&str; 4] = [BLOCK, KEYS, PROTECTED, RESTORED];

/// Longest tag (digitalocean/openapi 7c1300c, models/tags.yml).
const LONGEST: usize = 255;

/// The tags a spec wants, by key. The value of one may be unknown: it is not compared, and not sent.
pub fn wanted(spec: &Spec) -> Value {
    let mut tags = Props::from([(BLOCK.to_owned(), Value::text(&spec.name))]);
    let keys: Vec<String> = spec.tags.keys().map(|key| clean_key(key)).collect();
    let keys = keys.join(":");
    if !keys.is_empty() && KEYS.len() + 1 + keys.len() <= LONGEST {
        tags.insert(KEYS.to_owned(), Value::Text(keys));
    }
    if spec.deletion_protection {
        tags.insert(PROTECTED.to_owned(), "yes".into());
    }
    for (key, tag) in &spec.tags {
        let key = clean_key(key);
        match tag {
            Setting::Known(value) => drop(tags.insert(key.clone(), Value::Text(clean_value(&key, value)))),
            Setting::Unknown(reference) => drop(tags.insert(key, Value::Unknown(reference.clone()))),
            Setting::Unset => {}
        }
    }
    Value::Map(tags)
}

/// A tag as it is worn: `Owner:ann`.
pub fn flat(key: &str, value: &str) -> String {
    if value.is_empty() { key.to_owned() } else { format!("{key}:{value}") }
}

/// All tags of props as they are sent.
pub fn sent(props: &Props) -> Vec<String> {
    let tags = props.get("tags").and_then(Value::as_map);
    tags.into_iter().flatten().filter_map(|(key, value)| Some(flat(key, value.as_text()?))).collect()
}

/// The value of the first tag of a key among those worn.
pub fn value_of<'a>(worn: &'a [String], key: &str) -> Option<&'a str> {
    worn.iter().map(|tag| parted(tag)).find(|(own, _)| own.eq_ignore_ascii_case(key)).map(|(_, value)| value)
}

/// Whether what wears these tags is pgherd's for the database of a name.
pub fn are_ours(worn: &[String], name: &str) -> bool {
    let mut blocks = worn.iter().map(|tag| parted(tag)).filter(|(key, _)| key.eq_ignore_ascii_case(BLOCK));
    blocks.any(|(_, block)| block.eq_ignore_ascii_case(name))
}

/// The tags worn as far as they are compared: those wanted, pgherd's own and those that were the block's once; in the wanted ones' letters.
pub fn compared(worn: &[String], wanted: &Props) -> Value {
    let once: Vec<&str> = value_of(worn, KEYS).map(|keys| keys.split(':').collect()).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (key, value) in worn.iter().map(|tag| parted(tag)) {
        let spelled = wanted.keys().find(|wanted| wanted.eq_ignore_ascii_case(key));
        // What a restore left is nothing that a block could want.
        let is_own = OWN.iter().any(|own| own.eq_ignore_ascii_case(key) && *own != RESTORED);
        let was_ours = once.iter().any(|once| once.eq_ignore_ascii_case(key));
        if spelled.is_some() || is_own || was_ours {
            found.entry(spelled.map_or_else(|| key.to_owned(), Clone::clone)).or_default().push(value);
        }
    }
    // Two of one key are a difference, whatever they say.
    Value::Map(found.into_iter().map(|(key, values)| (key, Value::Text(values.join(", ")))).collect())
}

/// The worn tags that a change of a key takes off.
pub fn of_key<'a>(worn: &'a [String], key: &str) -> Vec<&'a str> {
    worn.iter().map(String::as_str).filter(|tag| parted(tag).0.eq_ignore_ascii_case(key)).collect()
}

/// Key and value. pgherd's own keys have a colon in them.
fn parted(tag: &str) -> (&str, &str) {
    let own = OWN.iter().find(|own| {
        let rest = tag.get(own.len()..);
        tag.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own))
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    });
    match own {
        Some(own) => (&tag[..own.len()], tag.get(own.len() + 1..).unwrap_or_default()),
        None => tag.split_once(':').unwrap_or((tag, "")),
    }
}

/// A key in the letters that a tag takes, and without the sign that ends it.
pub fn clean_key(key: &str) -> String {
    clean(key).replace(':', "_")
}

fn clean_value(key: &str, value: &str) -> String {
    let room = LONGEST.saturating_sub(key.len() + 1);
    clean(value).chars().take(room).collect()
}

fn clean(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
    text.chars().map(|c| if fits(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worn(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn a_foreign_tag_is_left_alone_and_one_that_was_ours_is_not() {
        let worn = worn(&[
            "pgherd:block:orders",
            "pgherd:tags:Owner:Team",
            "owner:ann",
            "Team:shop",
            "production",
            "pgherd:restored:x",
        ]);
        let wanted = Props::from([("Owner".to_owned(), Value::text("bob"))]);
        insta::assert_snapshot!(compared(&worn, &wanted), @"{Owner = ann, Team = shop, pgherd:block = orders, pgherd:tags = Owner:Team}");
        assert!(are_ours(&worn, "orders") && !are_ours(&worn, "order"));
        assert_eq!(of_key(&worn, "OWNER"), ["owner:ann"]);
        assert_eq!(value_of(&worn, RESTORED), Some("x"));
    }

    #[test]
    fn what_no_tag_takes_becomes_what_one_takes() {
        assert_eq!(flat(&clean_key("cost:center"), &clean_value("k", "Müller & Söhne")), "cost_center:M_ller___S_hne");
        assert_eq!(clean_value("k", &"a".repeat(300)).len(), 253);
    }

    /// `pgherd:blocks` is nobody's tag of ours, and `pgherd` alone neither.
    #[test]
    fn own_keys_end_where_they_end() {
        assert_eq!(parted("pgherd:blocks:x"), ("pgherd", "blocks:x"));
        assert_eq!(parted("pgherd:protected"), ("pgherd:protected", ""));
    }
}
