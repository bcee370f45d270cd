//! Regions and zones are spelled in the target's way and belong together.

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;

pub(super) const CHECK: Check = Check {
    code: "place",
    words: "The region looks like one of the target's, and `availability_zone` is a zone of it: us-east-1a on AWS, us-central1-a on Google Cloud, \
            1, 2 or 3 on Azure.",
    fine: &[
        "aws_region = \"us-east-1\"\navailability_zone = \"us-east-1b\"",
        "cloud_provider = \"gcp\"\ngcp_region = \"us-central1\"\navailability_zone = \"us-central1-a\"",
        "cloud_provider = \"azure\"\nlocation = \"East US\"\navailability_zone = \"1\"",
        "aws_region = \"us-gov-west-1\"",
    ],
    wrong: &[
        Wrong {
            block: r#"aws_region = "us-east1""#,
            says: &[
                "error aws_region: \"us-east1\" is not spelled like a region of AWS [write one such as \"us-east-1\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"\ngcp_region = \"us-east-1\"",
            says: &[
                "error gcp_region: \"us-east-1\" is not spelled like a region of Google Cloud [write one such as \"us-central1\"]",
            ],
        },
        Wrong {
            block: "aws_region = \"us-east-1\"\navailability_zone = \"eu-west-1a\"",
            says: &[
                "error availability_zone: \"eu-west-1a\" is no zone of region us-east-1 [write \"us-east-1a\" or another zone of it, or leave it out; for a copy elsewhere write dr_region = \"eu-west-1\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\navailability_zone = \"us-east-1a\"",
            says: &[
                "error availability_zone: \"us-east-1a\" is no zone of Azure [write \"1\", \"2\" or \"3\", or leave it out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\ndo_region = \"us-east-1\"",
            says: &[
                "error do_region: \"us-east-1\" is not spelled like a region of DigitalOcean [write one such as \"nyc3\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let region = block.spec.place.region.known().map(String::as_str);
    let zone = block.spec.place.zone.known().map(String::as_str);
    match region.and_then(|region| wrong_region(block, region)) {
        Some(wrong) => vec![wrong],
        None => zone.and_then(|zone| wrong_zone(block, region, zone)).into_iter().collect(),
    }
}

fn wrong_region(block: &Block, region: &str) -> Option<Diagnostic> {
    let (variable, fits, example) = match block.target() {
        Cloud::Aws => ("aws_region", is_aws_region(region), "us-east-1"),
        Cloud::Gcp => ("gcp_region", is_gcp_region(region), "us-central1"),
        Cloud::Azure => ("location", region.chars().all(|c| c.is_ascii_alphanumeric() || c == ' '), "East US"),
        Cloud::DigitalOcean => ("do_region", is_do_region(region), "nyc3"),
        Cloud::Local => return None,
    };
    (!fits).then(|| {
        let message = format!("\"{region}\" is not spelled like a region of {}", cloud(block.target()));
        block.error(variable, message, format!("write one such as \"{example}\""))
    })
}

fn wrong_zone(block: &Block, region: Option<&str>, zone: &str) -> Option<Diagnostic> {
    let (fits, example) = match block.target() {
        Cloud::Aws => {
            let own = zone.strip_suffix(|last: char| last.is_ascii_lowercase());
            (own.is_some_and(|own| is_aws_region(own) && region.is_none_or(|region| region == own)), "a")
        }
        Cloud::Gcp => {
            let own = zone.rsplit_once('-').filter(|(_, letter)| letter.len() == 1).map(|(own, _)| own);
            (own.is_some_and(|own| is_gcp_region(own) && region.is_none_or(|region| region == own)), "-a")
        }
        Cloud::Azure => {
            let help = "write \"1\", \"2\" or \"3\", or leave it out";
            let message = format!("\"{zone}\" is no zone of Azure");
            return (!["1", "2", "3"].contains(&zone)).then(|| block.error("availability_zone", message, help));
        }
        Cloud::DigitalOcean | Cloud::Local => return None,
    };
    (!fits).then(|| {
        let of = region.map_or_else(|| cloud(block.target()).to_owned(), |region| format!("region {region}"));
        let help = region.map_or_else(
            || "write the name of a zone, or leave it out".to_owned(),
            |region| {
                let elsewhere = region_of(block, zone)
                    .map(|other| format!("; for a copy elsewhere write dr_region = \"{other}\""))
                    .unwrap_or_default();
                format!("write \"{region}{example}\" or another zone of it, or leave it out{elsewhere}")
            },
        );
        block.error("availability_zone", format!("\"{zone}\" is no zone of {of}"), help)
    })
}

/// The other region that a zone is in, where a copy can be kept in another one.
fn region_of<'z>(block: &Block, zone: &'z str) -> Option<&'z str> {
    let own = zone.strip_suffix(|last: char| last.is_ascii_lowercase())?;
    (block.target() == Cloud::Aws && is_aws_region(own)).then_some(own)
}

/// Who has the regions.
fn cloud(target: Cloud) -> &'static str {
    match target {
        Cloud::Aws => "AWS",
        Cloud::Gcp => "Google Cloud",
        Cloud::Azure => "Azure",
        Cloud::DigitalOcean => "DigitalOcean",
        Cloud::Local => "this machine",
    }
}

/// `us-east-1`, `us-gov-west-1`: words, then a number.
fn is_aws_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    matches!(parts.as_slice(), [words @ .., number] if words.len() >= 2 && words.iter().all(is_word)
        && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `us-central1`: a word, then a word that ends in a number.
fn is_gcp_region(text: &str) -> bool {
    let Some((area, place)) = text.split_once('-') else { return false };
    let name = place.trim_end_matches(|last: char| last.is_ascii_digit());
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    is_word(area) && is_word(name) && name.len() < place.len()
}

/// `nyc3`: three letters and a digit.
fn is_do_region(text: &str) -> bool {
    text.len() == 4
        && text.bytes().take(3).all(|byte| byte.is_ascii_lowercase())
        && text.bytes().skip(3).all(|byte| byte.is_ascii_digit())
}
