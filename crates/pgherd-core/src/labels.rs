//! Labels of Google Cloud: what a tag is there. Keys and values in small letters, digits, `-` and `_`.

/// Longest key and longest value (Google Cloud documentation, "Labels overview").
pub const LONGEST: usize = 63;
/// Most of an instance: more, and backups may fail (Cloud SQL documentation, "Label instances").
pub const MOST: usize = 50;
/// What the keys of pgherd's own begin with.
pub const OWN: &str = "pgherd_";
/// Between two keys in a list of keys: none that is folded holds it.
pub const BETWEEN: &str = "__";

/// A key as a label has it: `cost-center`, and a letter first. Several signs that fit none become one `_`.
pub fn key(written: &str) -> String {
    let mut folded = String::new();
    let letters = value(written);
    if !letters.starts_with(|c: char| c.is_ascii_lowercase()) {
        folded.push('x');
    }
    for sign in letters.chars() {
        if sign != '_' || !folded.ends_with('_') {
            folded.push(sign);
        }
    }
    folded.truncate(LONGEST);
    folded
}

/// A value as a label has it.
pub fn value(written: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    written.to_lowercase().chars().map(|c| if fits(c) { c } else { '_' }).take(LONGEST).collect()
}

/// Folded keys as values of labels, as many to one as there is room for.
pub fn lists(keys: impl Iterator<Item = String>) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for key in keys {
        match lists.last_mut().filter(|list| list.len() + BETWEEN.len() + key.len() <= LONGEST) {
            Some(list) => *list += &format!("{BETWEEN}{key}"),
            None => lists.push(key),
        }
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_label_takes_becomes_what_one_takes() {
        assert_eq!(key("Cost Center"), "cost_center");
        assert_eq!(key("Cost / Center"), "cost_center");
        assert_eq!(key("2nd"), "x2nd");
        assert_eq!(key("_2nd"), "x_2nd");
        assert_eq!(value("Müller & Söhne"), "m_ller___s_hne");
        assert_eq!(value(&"a".repeat(80)).len(), LONGEST);
        assert_eq!(key(&"2".repeat(80)).len(), LONGEST);
    }

    #[test]
    fn keys_take_as_many_labels_as_they_need() {
        let keys = ["a".repeat(40), "b".repeat(30), "c".to_owned()];
        let lists = lists(keys.into_iter());
        assert_eq!(lists.iter().map(String::len).collect::<Vec<_>>(), [40, 33]);
    }
}
