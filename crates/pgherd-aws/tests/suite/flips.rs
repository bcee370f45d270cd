//! Flips: what a test writes otherwise and checks, told once, so that nobody can forget a variable, or only mention it.

use std::collections::BTreeSet;

use pgherd_core::variables;

use crate::around;
use crate::flipped;
use crate::world::{LARGE, REGION, WHOLE, spec, with};

/// An argument that is written otherwise, and behind it what has to be written with it.
pub type Flip = Vec<(String, String)>;

/// Tests of flips, and the list of these flips. Each runs `check`.
macro_rules! flips {
    ($($(#[$meta:meta])* $test:ident { $($flip:expr => $expected:expr;)+ })+) => {
        $(
            $(#[$meta])*
            #[tokio::test]
            async fn $test() {
                $(check(&$flip, $expected).await;)+
            }
        )+

        /// What is written otherwise here.
        pub fn flips() -> Vec<crate::flips::Flip> {
            let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            vec![$($($flip.iter().map(own).collect(),)+)+]
        }
    };
}

/// Whether the first argument of a flip is what makes a difference.
fn matters(block: &str, flip: &Flip) -> bool {
    let wanted = |more: &[(String, String)]| {
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let block = spec(&with(block, &more));
        pgherd_aws::desired(&block, REGION)
    };
    wanted(flip) != wanted(&flip[1..])
}

#[test]
fn no_variable_is_forgotten() {
    let mut flipped: BTreeSet<String> = flipped::OTHERWISE.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (block, flip) in [(LARGE, flipped::flips()), (WHOLE, around::flips())]
        .into_iter()
        .flat_map(|(block, flips)| flips.into_iter().map(move |flip| (block, flip)))
    {
        assert!(matters(block, &flip), "{flip:?} makes no difference");
        flipped.extend(flip.first().map(|(name, _)| name.clone()));
    }
    let ignored: BTreeSet<&str> = pgherd_aws::IGNORES.iter().map(|(name, _)| *name).collect();
    let elsewhere: BTreeSet<&str> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    let canonical = variables::all().filter(|variable| variable.canonical.is_none()).map(|variable| variable.name);
    let forgotten: Vec<&str> = canonical
        .filter(|name| !ignored.contains(name) && !elsewhere.contains(name) && !flipped.contains(*name))
        .collect();
    assert_eq!(forgotten, [""; 0]);
    for (name, why) in ELSEWHERE {
        assert!(variables::variable(name).is_some() && !why.is_empty(), "{name}");
        assert!(!flipped.contains(*name), "{name} is flipped here");
        let files = why.split([' ', ',']).filter(|word| word.ends_with(".rs"));
        for file in files {
            let path = format!("{}/tests/{file}", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(text.lines().any(|line| writes(line, name)), "{file} does not write {name}");
        }
    }
}

/// Whether a line of a test writes an argument, and does not only mention it: `name = value` of a block, or the name of what is written
/// otherwise.
fn writes(line: &str, name: &str) -> bool {
    let code = line.trim_start();
    let is_argument = || code.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    let assigned = format!("{name} = ");
    let mut within = code.match_indices(&assigned).map(|(at, _)| code[..at].chars().next_back());
    let is_whole = |before: Option<char>| before.is_none_or(|before| before != '_' && !before.is_alphanumeric());
    !code.starts_with("//") && (code.contains(&format!("\"{name}\"")) || is_argument() || within.any(is_whole))
}

/// What is flipped by other tests, or can only be refused.
const ELSEWHERE: &[(&str, &str)] = &[
    ("availability_zone", "RDS moves nothing to another zone, which preflight says"),
    ("aws_region", "another region is another database"),
    ("dr_kms_key_id", "fixed at creation: desired/variables.rs"),
    ("dr_read_replica", "rds/recovery.rs"),
    ("dr_region", "rds/recovery.rs"),
    ("dr_security_group_ids", "only what should be there is held: desired/variables.rs, desired/blocks.rs"),
    ("dr_subnet_ids", "rds/recovery.rs"),
    ("dr_vpc_id", "rds/recovery.rs"),
    ("enable_proxy", "rds/proxied.rs"),
    ("engine_version", "rds/waiting.rs, rds/guarded.rs"),
    ("geo_redundant_backup", "rds/recovery.rs"),
    ("kms_key_id", "fixed at creation: rds/made.rs, rds/whole.rs"),
    ("master_password", "rds/adopted.rs, moto/secrets.rs"),
    ("name", "another name is another database"),
    ("option_group_name", "PostgreSQL has none but the default one: desired/table.rs"),
    ("parameter_group_family", "fixed by the version: desired/variables.rs"),
    ("parameter_group_name", "suite/promises.rs, rds/guarded.rs"),
    ("performance_insights_kms_key_id", "fixed once it is on: desired/variables.rs"),
    ("proxy_config", "rds/proxied.rs"),
    ("vpc_id", "fixed at creation, and compared with that of the subnets: rds/preflight.rs"),
];
