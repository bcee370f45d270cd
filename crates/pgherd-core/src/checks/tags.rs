//! Tags fit what the target allows.

use std::collections::BTreeMap;

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "tags",
    words: "At most 50 tags (42 on RDS, where pgherd's own are among the 50), keys of 1 to 128 and values of up to 256 characters. AWS keeps `aws:` for itself and \
            pgherd `pgherd:`; all keys together should have no more than 256 characters on AWS. Cloud SQL and DigitalOcean fold \
            case and other characters, so that two tags must not become one; `pgherd` is no key on DigitalOcean.",
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
        }
    }
    out.extend(forgotten(block));
    out.extend(folded_together(block));
    out
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
        Cloud::Gcp => {
            |key| key.to_lowercase().chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect()
        }
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
