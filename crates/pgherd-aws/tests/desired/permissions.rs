//! The permissions that the guide lists are those that the code asks for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What AWS asks of whoever calls beside the actions that are called: for passing on a role and using a key, and for RDS's own role.
const BESIDE: [&str; 6] =
    ["PassRole", "CreateServiceLinkedRole", "CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey"];

/// What an action's name begins with.
const VERBS: [&str; 27] = [
    "Add",
    "Attach",
    "Authorize",
    "Copy",
    "Create",
    "Delete",
    "Deregister",
    "Describe",
    "Detach",
    "Download",
    "Filter",
    "Get",
    "List",
    "Modify",
    "Promote",
    "Put",
    "Reboot",
    "Register",
    "Remove",
    "Reset",
    "Restore",
    "Revoke",
    "Start",
    "Stop",
    "Tag",
    "Untag",
    "Update",
];

/// What stands before the name of an action in the code.
const BEFORE: [&str; 5] = ["Form::new(", "of(", "region,", "session,", "=>"];

fn is_action(name: &str) -> bool {
    let is_verb = |verb: &&str| name.strip_prefix(*verb).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    name.chars().all(char::is_alphanumeric) && (VERBS.iter().any(is_verb) || is_subscribing(name))
}

fn is_subscribing(name: &str) -> bool {
    ["Subscribe", "Unsubscribe"].contains(&name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The actions that the code names.
fn called() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut found = BTreeSet::new();
    for path in files(&folder) {
        let text = fs::read_to_string(&path).expect("it is text");
        let parts: Vec<&str> = text.split('"').collect();
        let pairs = parts.windows(2).filter(|pair| BEFORE.iter().any(|before| pair[0].trim_end().ends_with(before)));
        found.extend(pairs.map(|pair| pair[1].to_owned()).filter(|name| is_action(name)));
    }
    found
}

/// The actions that the guide lists.
fn listed() -> BTreeSet<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/guides/aws.md");
    let guide = fs::read_to_string(guide).expect("the guide is there");
    let (_, permissions) = guide.split_once("\n## Permissions\n").expect("it has that part");
    permissions.split('`').filter(|name| is_action(name) || BESIDE.contains(name)).map(str::to_owned).collect()
}

#[test]
fn the_guide_lists_what_is_called_and_nothing_else() {
    let (called, listed) = (called(), listed());
    assert!(called.len() > 60, "{called:?}");
    let missing: Vec<_> = called.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/src/guides/aws.md lacks {missing:?}");
    let beside: BTreeSet<String> = BESIDE.iter().map(|name| (*name).to_owned()).collect();
    let stale: Vec<_> = listed.difference(&called).filter(|name| !beside.contains(*name)).collect();
    assert!(stale.is_empty(), "nothing calls {stale:?} of docs/src/guides/aws.md");
}
