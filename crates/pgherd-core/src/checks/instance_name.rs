//! The instance's name is one that every cloud takes.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "instance-name",
    words: "`name` is 1 to 63 lower-case letters, digits and single hyphens, begins with a letter and does not end in a hyphen; Azure and \
            DigitalOcean want at least 3.",
    fine: &[r#"name = "learning-assistant-db""#, r#"name = "d""#, ""],
    wrong: &[
        Wrong {
            block: r#"name = "Learning_DB""#,
            says: &[
                "error name: the name \"Learning_DB\" holds 'L'; lower-case letters, digits and hyphens are allowed [write name = \"learning-db\"]",
            ],
        },
        Wrong {
            block: r#"name = "2fast""#,
            says: &["error name: the name \"2fast\" does not begin with a letter [write name = \"fast\"]"],
        },
        Wrong {
            block: r#"name = "a--b""#,
            says: &["error name: the name \"a--b\" holds two hyphens in a row [write name = \"a-b\"]"],
        },
        Wrong {
            block: r#"name = "orders-""#,
            says: &["error name: the name \"orders-\" ends in a hyphen [write name = \"orders\"]"],
        },
        Wrong {
            block: "name = \"orders-of-the-northern-warehouses-and-of-their-customers-in-it\"\ncreate_read_replica = true",
            says: &[
                "error name: the name \"orders-of-the-northern-warehouses-and-of-their-customers-in-it\" has 62 characters; 60 is the most, because its replicas are called <name>-r1 and so on [write name = \"orders-of-the-northern-warehouses-and-of-their-customers-in\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nname = \"db\"",
            says: &[
                "error name: the name \"db\" is shorter than the 3 characters DigitalOcean wants [write a name of lower-case letters, digits and single hyphens, such as \"orders-db\"]",
            ],
        },
    ],
    rule,
};

const LONGEST: usize = 63;

fn rule(block: &Block) -> Vec<Diagnostic> {
    let name = &block.spec.name;
    let (longest, why) = longest(block);
    let problem = if name.len() > longest {
        Some(format!("has {} characters; {longest} is the most{why}", name.len()))
    } else if let Some(stranger) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        Some(format!("holds '{stranger}'; lower-case letters, digits and hyphens are allowed"))
    } else if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        Some("does not begin with a letter".to_owned())
    } else if name.ends_with('-') {
        Some("ends in a hyphen".to_owned())
    } else if name.contains("--") {
        Some("holds two hyphens in a row".to_owned())
    } else if name.len() < 3 && matches!(block.target(), Cloud::Azure | Cloud::DigitalOcean) {
        Some(format!("is shorter than the 3 characters {} wants", service(block.target())))
    } else {
        None
    };
    let help = match plain(name, longest) {
        better if better.len() >= 3 => format!("write name = \"{better}\""),
        _ => "write a name of lower-case letters, digits and single hyphens, such as \"orders-db\"".to_owned(),
    };
    problem.map(|problem| block.error("name", format!("the name \"{name}\" {problem}"), help)).into_iter().collect()
}

/// How long a name may be, and what is appended to it where that is why.
fn longest(block: &Block) -> (usize, &'static str) {
    let spec = block.spec;
    let suffixes = [
        (spec.proxy.is_some(), "-proxy", ", because its proxy is called <name>-proxy"),
        (spec.replicas > 0, "-r1", ", because its replicas are called <name>-r1 and so on"),
        (
            spec.dr.as_ref().is_some_and(|dr| dr.read_replica),
            "-dr",
            ", because its replica in the second region is called <name>-dr",
        ),
    ];
    let used = suffixes.into_iter().find(|(is_made, ..)| *is_made && block.target() == Cloud::Aws);
    used.map_or((LONGEST, ""), |(_, suffix, why)| (LONGEST - suffix.len(), why))
}

/// The nearest name that would do.
fn plain(name: &str, longest: usize) -> String {
    let words = name.to_ascii_lowercase();
    let words: Vec<&str> = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let joined = words.join("-");
    let from_letter = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    from_letter.chars().take(longest).collect::<String>().trim_end_matches('-').to_owned()
}
