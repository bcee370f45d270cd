//! Tags fit what the target allows.

use std::collections::BTreeMap;

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::labels;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "tags",
    words: "At most 50 tags (42 on RDS, where pgherd's own are among the 50), keys of 1 to 128 and values of up to 256 characters. AWS keeps `aws:` for itself and \
            pgherd `pgherd:`; all keys together should have no more than 256 characters on AWS. Cloud SQL and DigitalOcean fold \
            case and other characters, so that two tags must not become one, and Cloud SQL cuts values at 63; there pgherd's own labels are \
            among the 50, and their keys begin with `pgherd_`. `pgherd` is no key on DigitalOcean.",
    fine: &[r#"tags = { Environment = "dev", Team = "search" }"#],
    wrong: &[
        Wrong {
            block: r#"tags = { "aws:cost" = "x" }"#,
            says: &[
                "error tags.aws:cost: the key \"aws:cost\" begins with \"aws:\", which AWS keeps for itself [write another key]",
            ],
        },
        Wrong {
            block: r#"tags = { "pgherd:block" = "x" }"#,
            says: &[
                "error tags.pgherd:block: the key \"pgherd:block\" begins with \"pgherd:\", by which pgherd knows what is its own [write another key]",
            ],
        },
        Wrong {
            block: r#"tags = { "" = "x" }"#,
            says: &["error tags: a tag has an empty key [give it a key, or leave it out]"],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ntags = { pgherd = \"block:shop\" }",
            says: &[
                "error tags.pgherd: a tag \"pgherd\" on DigitalOcean, where key and value are one word, would read as pgherd's own [write another key]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ntags = { \"cost center\" = \"a\", \"cost.center\" = \"b\" }",
            says: &[
                "error tags.cost.center: tags \"cost center\" and \"cost.center\" are the same label \"cost_center\" on DigitalOcean [leave one of them out, or rename it]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntags = { Team = \"a\", team = \"b\" }",
            says: &[
                "error tags.team: tags \"Team\" and \"team\" are the same label \"team\" on Cloud SQL [leave one of them out, or rename it]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntags = { \"Größe\" = \"a\", \"Grüße\" = \"b\" }",
            says: &[
                "error tags.Grüße: tags \"Größe\" and \"Grüße\" are the same label \"gr_e\" on Cloud SQL [leave one of them out, or rename it]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntags = { \"pgherd.block\" = \"a\" }",
            says: &[
                "error tags.pgherd.block: the key \"pgherd.block\" is the label \"pgherd_block\" on Cloud SQL, and by those that begin with \"pgherd_\" pgherd knows what is its own [write another key]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ntags = { note = \"a text of more than sixty-three signs, which is more than a label can hold\" }",
            says: &[
                "warning tags.note: the value of tag \"note\" has 74 characters, and a label on Cloud SQL has the first 63 of them [shorten the value]",
            ],
        },
    ],
    rule,
};

const MOST_TAGS: usize = 50;
/// The same without `pgherd:block`, `pgherd:tags` and the marks of what is going on.
const MOST_TAGS_ON_AWS: usize = 42;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 256;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let tags = &block.spec.tags;
    let mut out = Vec::new();
    let most = if block.target() == Cloud::Aws { MOST_TAGS_ON_AWS } else { MOST_TAGS };
    if tags.len() > most {
        let message = format!("there are {} tags; {most} is the most", tags.len());
        out.push(block.error("tags", message, format!("leave {} out", tags.len() - most)));
    }
    for (key, value) in tags {
        let at = format!("tags.{key}");
        let length = value.known().map_or(0, |value| value.chars().count());
        if key.is_empty() {
            out.push(block.error("tags", "a tag has an empty key", "give it a key, or leave it out"));
        } else if key.chars().count() > LONGEST_KEY {
            let message = format!("the key of a tag has {} characters; {LONGEST_KEY} is the most", key.chars().count());
            out.push(block.error(&at, message, "shorten the key"));
        } else if length > LONGEST_VALUE {
            let message = format!("the value of tag \"{key}\" has {length} characters; {LONGEST_VALUE} is the most");
            out.push(block.error(&at, message, "shorten the value"));
        } else if block.target() == Cloud::Aws && key.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("the key \"{key}\" begins with \"aws:\", which AWS keeps for itself");
            out.push(block.error(&at, message, "write another key"));
        } else if key.to_ascii_lowercase().starts_with("pgherd:") {
            let message = format!("the key \"{key}\" begins with \"pgherd:\", by which pgherd knows what is its own");
            out.push(block.error(&at, message, "write another key"));
        } else if block.target() == Cloud::DigitalOcean && key.eq_ignore_ascii_case("pgherd") {
            let message = format!(
                "a tag \"{key}\" on DigitalOcean, where key and value are one word, would read as pgherd's own"
            );
            out.push(block.error(&at, message, "write another key"));
        } else if block.target() == Cloud::Gcp {
            out.extend(label(block, key, length));
        }
    }
    out.extend(too_many_labels(block));
    out.extend(forgotten(block));
    out.extend(folded_together(block));
    out
}

/// A tag as a label of Cloud SQL.
fn label(block: &Block, key: &str, length: usize) -> Option<Diagnostic> {
    let (at, label) = (format!("tags.{key}"), labels::key(key));
    if label.starts_with(labels::OWN) {
        let message = format!(
            "the key \"{key}\" is the label \"{label}\" on Cloud SQL, and by those that begin with \"{}\" pgherd knows what is its own",
            labels::OWN
        );
        return Some(block.error(&at, message, "write another key"));
    }
    (length > labels::LONGEST).then(|| {
        let message = format!(
            "the value of tag \"{key}\" has {length} characters, and a label on Cloud SQL has the first {} of them",
            labels::LONGEST
        );
        block.warning(&at, message, "shorten the value")
    })
}

/// Cloud SQL's labels with pgherd's own: whose it is, what it was restored from, and what keys there are.
fn too_many_labels(block: &Block) -> Option<Diagnostic> {
    let tags = &block.spec.tags;
    let all = tags.len() + 2 + labels::lists(tags.keys().map(|key| labels::key(key))).len();
    let is_known = block.target() == Cloud::Gcp && tags.len() <= MOST_TAGS && all > labels::MOST;
    is_known.then(|| {
        let message = format!(
            "{} tags are {all} labels with those that pgherd needs; {} is the most of Cloud SQL",
            tags.len(),
            labels::MOST
        );
        block.error("tags", message, "leave some out, or shorten their keys")
    })
}

/// On AWS the keys of a block stand in a tag of their own, so that one which is taken out of the block is taken off.
fn forgotten(block: &Block) -> Option<Diagnostic> {
    let keys: Vec<&str> = block.spec.tags.keys().map(String::as_str).collect();
    let characters = keys.join(" ").chars().count();
    (block.target() == Cloud::Aws && characters > LONGEST_VALUE).then(|| {
        let message = format!(
            "the keys of the tags have {characters} characters in all; beyond {LONGEST_VALUE} a tag that is taken out of the block stays on AWS"
        );
        block.warning("tags", message, "shorten the keys, or take tags off with the AWS command line")
    })
}

/// Tags that become one label on a target that folds them.
fn folded_together(block: &Block) -> Vec<Diagnostic> {
    let fold: fn(&str) -> String = match block.target() {
        Cloud::Gcp => labels::key,
        Cloud::DigitalOcean => |key| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            key.to_lowercase().chars().map(|c| if fits(c) { c } else { '_' }).collect()
        },
        Cloud::Aws | Cloud::Azure | Cloud::Local => return Vec::new(),
    };
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let clash = |(key, _): (&String, &Setting<String>)| {
        let folded = fold(key);
        let first = *seen
            .entry(folded.clone())
            .or_insert_with(|| block.spec.tags.get_key_value(key).map_or("", |(key, _)| key));
        (first != key).then(|| {
            let message = format!(
                "tags \"{first}\" and \"{key}\" are the same label \"{folded}\" on {}",
                service(block.target())
            );
            block.error(&format!("tags.{key}"), message, "leave one of them out, or rename it")
        })
    };
    block.spec.tags.iter().filter_map(clash).collect()
}
