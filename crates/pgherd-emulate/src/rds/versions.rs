//! Which versions of PostgreSQL and which classes this RDS has.

use pgherd_core::catalogue::{sizes, versions};
use pgherd_core::cloud::Cloud;

use super::{Listing, paged};
use crate::wire::{Element, Form, Refusal};

/// The major of `16` or `16.9`; 0 for anything else.
pub fn major(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or_default()
}

/// The last day of standard support for a major; `None`: it was over before anybody wrote that down.
pub fn standard_until(major: u32) -> Option<jiff::civil::Date> {
    versions::find(major).map(|known| known.rds_standard_until)
}

/// Every version that can be created, oldest first.
pub fn offered() -> impl Iterator<Item = String> {
    versions::all().iter().flat_map(|major| {
        let minors = major.rds_oldest_minor.map(|oldest| oldest..=major.newest_minor);
        minors.into_iter().flatten().map(move |minor| format!("{}.{minor}", major.major))
    })
}

/// The version that is made of what was asked for: a bare major means its newest.
pub fn resolved(asked: &str) -> Result<String, Refusal> {
    let found = match asked.contains('.') {
        true => offered().find(|version| version == asked),
        false => offered().filter(|version| version.split('.').next() == Some(asked)).last(),
    };
    found.ok_or_else(|| Refusal::combination(format!("Cannot find version {asked} for postgres")))
}

/// The version of who names none.
pub fn newest() -> String {
    offered().last().unwrap_or_default()
}

/// Classes that RDS has and core's catalogue does not.
const UNLISTED: [&str; 3] = ["db.m5d.large", "db.r6gd.large", "db.r6gd.xlarge"];

/// Refuses a class that RDS does not have.
pub fn class(class: &str) -> Result<(), Refusal> {
    match sizes::find(class) {
        Some(size) if size.cloud == Cloud::Aws && size.name == class => Ok(()),
        None if UNLISTED.contains(&class) => Ok(()),
        _ => Err(Refusal::value(format!("Invalid DB Instance class: {class}"))),
    }
}

/// Refuses to upgrade where RDS does not: down, to what it does not have, and to another major without being told so.
pub fn upgrade(from: &str, to: &str, allow_major: bool) -> Result<(), Refusal> {
    let order = |version: &str| version.split('.').map(|part| part.parse().unwrap_or(0)).collect::<Vec<u32>>();
    if order(to) < order(from) {
        return Err(Refusal::combination(format!("Cannot upgrade postgres from {from} to {to}")));
    }
    if major(to) != major(from) && !allow_major {
        return Err(Refusal::combination(
            "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
        ));
    }
    Ok(())
}

/// `DescribeDBEngineVersions`.
pub fn describe(form: &Form) -> Result<Element, Refusal> {
    if form.text("Engine").is_some_and(|engine| engine != "postgres") {
        return Ok(Element::new("").list("DBEngineVersions", []));
    }
    let is_asked = |version: &String| match form.text("EngineVersion") {
        Some(asked) => version == asked || version.split('.').next() == Some(asked),
        None => true,
    };
    let family = |version: &String| format!("postgres{}", major(version));
    let is_family = |version: &String| form.text("DBParameterGroupFamily").is_none_or(|asked| asked == family(version));
    let found: Vec<_> = offered().filter(|version| is_asked(version) && is_family(version)).collect();
    let found = match form.bool("DefaultOnly")? {
        Some(true) => found.into_iter().last().into_iter().collect(),
        _ => found,
    };
    paged(form, Listing { name: "DBEngineVersions", items: found.iter().map(|version| shown(version)).collect() })
}

fn shown(version: &str) -> Element {
    let targets =
        offered().filter(|target| upgrade(version, target, true).is_ok() && target != version).map(|target| {
            Element::new("UpgradeTarget")
                .put("Engine", "postgres")
                .put("IsMajorVersionUpgrade", major(&target) != major(version))
                .put("AutoUpgrade", false)
                .put("EngineVersion", target)
        });
    Element::new("DBEngineVersion")
        .put("Engine", "postgres")
        .put("EngineVersion", version)
        .put("DBParameterGroupFamily", format_args!("postgres{}", major(version)))
        .put("Status", "available")
        .texts("ExportableLogTypes", "member", super::validate::LOGS)
        .list("ValidUpgradeTarget", targets)
}
