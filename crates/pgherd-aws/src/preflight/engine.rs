//! The version and the class: whether RDS offers them here, and whether it goes from the one version to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pgherd_core::catalogue::{sizes, versions};
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::resource::Resource;
use pgherd_core::value::Value;
use pgherd_core::version::Version;

use super::{About, Answer, Doubt, VERSION_NOT_OFFERED, VERSION_UNAVAILABLE, either};
use crate::api::network::Subnet;
use crate::api::rds::{self, EngineVersion, Offer};
use crate::kinds::{instance, replica};
use crate::names;
use crate::parameters::FORCE_SSL;
use crate::provider::Aws;

/// What comes of versions that nobody tells.
pub(super) const VERSION: &str = "the version was not checked";

/// That clients use TLS.
const TLS: &str = "tls-required";

/// What RDS offers.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The versions of the major that is made, or that runs and is left.
    pub(super) versions: Answer<Arc<[EngineVersion]>>,
    /// How each class is offered.
    pub(super) offers: Vec<(String, Answer<Arc<[Offer]>>)>,
    /// The family of a group of settings that is somebody else's; `None` where there is no such group.
    pub(super) family: Answer<Option<String>>,
    /// What somebody has set in that group.
    pub(super) settings: Answer<Option<BTreeMap<String, String>>>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let offers = self.offers.iter().filter_map(|(_, answer)| answer.doubt());
        self.versions
            .doubt()
            .into_iter()
            .chain(offers)
            .chain(self.family.doubt())
            .chain(self.settings.doubt())
            .collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let (session, region) = (aws.session(), about.region);
    let given = async {
        match given_group(about) {
            Some(group) => {
                let found = rds::parameter_group(session, region, group);
                let (found, set) = tokio::join!(found, rds::parameters(session, region, group));
                let family = found.map(|found| found.map(|group| group.family));
                (
                    Answer::to("the parameter group was not checked", family),
                    Answer::to("whether the parameter group asks for TLS was not checked", set),
                )
            }
            None => (Answer::Unasked, Answer::Unasked),
        }
    };
    let offered = async {
        let versions = match family_in_question(about) {
            Some(family) => Answer::to(VERSION, rds::engine_versions(session, region, &family).await),
            None => Answer::Unasked,
        };
        let version = version_in_full(about, versions.known().map_or(&[][..], AsRef::as_ref));
        let classes = classes(about);
        let asked = classes.iter().map(|class| rds::offers(session, region, class, version.as_deref()));
        let told = futures_util::future::join_all(asked).await;
        let told = told.into_iter().map(|told| Answer::to("the class was not checked", told));
        (versions, classes.iter().map(|class| (*class).to_owned()).zip(told).collect())
    };
    let ((family, settings), (versions, offers)) = tokio::join!(given, offered);
    Facts { versions, offers, family, settings }
}

pub(super) fn say(about: &About<'_>, facts: &Facts, subnets: Option<&Vec<Subnet>>) -> Vec<Diagnostic> {
    let mut said = Vec::new();
    if let Some(versions) = facts.versions.known() {
        said.extend(made(about).and_then(|wanted| version(about, wanted, versions)));
        said.extend(upgrade(about, versions));
    }
    for (class, offers) in &facts.offers {
        said.extend(offers.known().and_then(|offers| offered(about, class, offers, subnets)));
    }
    said.extend(facts.family.known().and_then(|family| group(about, family.as_deref())));
    if let (Some(Some(family)), Some(Some(settings))) = (facts.family.known(), facts.settings.known()) {
        said.extend(open_group(about, family, settings));
    }
    said
}

/// What an instance is made with: the version that is wanted or, where the user lets it be replaced and RDS has it no more, the newest
/// of its major.
pub(crate) async fn chosen(aws: &Aws, resource: &Resource) -> Resource {
    let mut resource = resource.clone();
    let wanted = resource.props.get("EngineVersion").and_then(Value::as_text).map(str::to_owned);
    if let Some((wanted, major)) = wanted.and_then(|wanted| Some((wanted.clone(), major(&wanted)?))) {
        let region = names::place(&resource.id.kind, &resource.id.name).0.unwrap_or_else(|| aws.region().to_owned());
        let known = rds::engine_versions(aws.session(), &region, &family(major)).await;
        // Whoever may not ask gets the newest: that the written one is gone is what the catalogue says.
        if !known.is_ok_and(|known| known.iter().any(|one| is(&one.version, &wanted))) {
            resource.props.insert("EngineVersion".to_owned(), Value::Text(major.to_string()));
        }
    }
    resource
}

/// The version an instance is made with.
fn made<'a>(about: &About<'a>) -> Option<&'a str> {
    let resource = about.begun_anew(instance::NAME).next()?;
    ["EngineVersion", "NewestEngineVersion"].iter().find_map(|field| resource.props.get(*field)?.as_text())
}

/// The family whose versions matter: of what is made, or of what runs and is to be another.
fn family_in_question(about: &About<'_>) -> Option<String> {
    let runs = || about.change("EngineVersion").and_then(|change| change.from.as_text());
    made(about).or_else(runs).and_then(major).map(family)
}

fn family(major: u32) -> String {
    format!("postgres{major}")
}

fn major(version: &str) -> Option<u32> {
    Version::parse(version).map(|version| version.major)
}

/// Whether a version is the one that is asked for: itself, or one of the major that is.
fn is(version: &str, asked: &str) -> bool {
    version == asked || version.split_once('.').is_some_and(|(major, _)| major == asked)
}

/// The version in full with which a class has to go together.
fn version_in_full(about: &About<'_>, versions: &[EngineVersion]) -> Option<String> {
    let runs = about.live("engine_version_actual").and_then(Value::as_text);
    let found = |asked: &str| versions.iter().rev().find(|one| is(&one.version, asked)).or(versions.last());
    match made(about) {
        // Of a version that nobody knows no class is offered, whatever it is.
        Some(asked) => found(asked).map(|found| found.version.clone()),
        None => runs.map(str::to_owned),
    }
}

/// The classes that are made, or that something becomes.
fn classes<'a>(about: &About<'a>) -> BTreeSet<&'a str> {
    let made = [instance::NAME, replica::NAME].into_iter().flat_map(|kind| about.begun_anew(kind));
    let made = made.filter_map(|resource| resource.props.get("DBInstanceClass"));
    let changed = [instance::NAME, replica::NAME].into_iter().flat_map(|kind| about.changes(kind));
    let changed = changed.filter(|(_, change)| change.field == "DBInstanceClass" && !change.is_waiting());
    made.chain(changed.map(|(_, change)| &change.to)).filter_map(Value::as_text).collect()
}

/// The group of settings that a block names, where something begins to use it.
fn given_group<'a>(about: &About<'a>) -> Option<&'a str> {
    let begins = about.begun_anew(instance::NAME).next().is_some()
        || ["DBParameterGroupName", "EngineVersion"].iter().any(|field| about.change(field).is_some());
    about.spec.parameter_group_name.as_deref().filter(|_| begins)
}

fn version(about: &About<'_>, wanted: &str, versions: &[EngineVersion]) -> Option<Diagnostic> {
    let major = major(wanted)?;
    let is_over = versions::find(major).is_some_and(|known| !known.offered_by(Cloud::Aws, about.today));
    let Some(newest) = versions.last().filter(|_| !is_over) else {
        let why = if is_over { "without paid extended support, which pgherd does not buy" } else { "in this region" };
        let message = format!("RDS creates no PostgreSQL {major} {why}");
        let help = format!("write engine_version = \"{}\"", versions::newest(Cloud::Aws));
        return Some(about.error(VERSION_NOT_OFFERED, "engine_version", message).help(help));
    };
    if versions.iter().any(|one| is(&one.version, wanted)) {
        return None;
    }
    let newest = &newest.version;
    if about.has_accepted(VERSION_UNAVAILABLE) {
        let message = format!("RDS creates no PostgreSQL {wanted}; {} is made with {newest}", about.spec.name);
        return Some(about.warning(VERSION_UNAVAILABLE, "engine_version", message));
    }
    let message = format!("RDS creates no PostgreSQL {wanted} in {}", about.region);
    let help = format!(
        "write engine_version = \"{major}\" for the newest {major}, which is {newest}; or take that with --accept {VERSION_UNAVAILABLE}"
    );
    Some(about.error(VERSION_NOT_OFFERED, "engine_version", message).help(help))
}

fn upgrade(about: &About<'_>, versions: &[EngineVersion]) -> Option<Diagnostic> {
    let change = about.change("EngineVersion").filter(|change| !change.is_waiting())?;
    let (from, to) = (change.from.as_text()?, change.to.as_text()?);
    let runs = versions.iter().find(|one| one.version == from)?;
    if runs.targets.iter().any(|target| is(target, to)) {
        return None;
    }
    let message = format!("RDS does not go from PostgreSQL {from} to {to}");
    let newest: Vec<&str> = newest_of_each_major(&runs.targets);
    let help = match newest.as_slice() {
        [] => "there is no version it goes to".to_owned(),
        newest => format!("from {from} it goes to {}, and on from there", either(newest)),
    };
    Some(about.error("upgrade-path", "engine_version", message).help(help))
}

/// The newest of each major, oldest major first.
fn newest_of_each_major(versions: &[String]) -> Vec<&str> {
    let mut newest: std::collections::BTreeMap<u32, (u32, &str)> = std::collections::BTreeMap::new();
    for text in versions {
        let Some(version) = Version::parse(text) else { continue };
        let minor = text.split_once('.').and_then(|(_, minor)| minor.parse().ok()).unwrap_or_default();
        let best = newest.entry(version.major).or_insert((minor, text));
        if minor > best.0 {
            *best = (minor, text);
        }
    }
    newest.into_values().map(|(_, text)| text).collect()
}

fn offered(about: &About<'_>, class: &str, offers: &[Offer], subnets: Option<&Vec<Subnet>>) -> Option<Diagnostic> {
    let error =
        |message: String, help: String| Some(about.error("class-not-offered", "instance_class", message).help(help));
    if offers.is_empty() {
        let near = sizes::near(class, Cloud::Aws, 3);
        let near = near.iter().map(|size| size.name.as_str()).collect::<Vec<_>>();
        let help = if near.is_empty() { String::new() } else { format!("nearest to it are {}", either(&near)) };
        return error(format!("RDS does not offer {class} with this version in {}", about.region), help);
    }
    let kind = about.wanted("StorageType").and_then(Value::as_text);
    let offers: Vec<&Offer> = offers.iter().filter(|offer| kind.is_none_or(|kind| offer.storage == kind)).collect();
    let Some(first) = offers.first() else {
        return error(
            format!("{class} takes no {} storage", kind.unwrap_or_default()),
            "write storage_type = \"gp3\"".to_owned(),
        );
    };
    let size = about.wanted("AllocatedStorage").and_then(Value::as_int);
    if let (Some((least, most)), Some(size)) = (first.sizes_gib, size)
        && !(least..=most).contains(&size)
    {
        let message = format!("{class} takes {least} to {most} GiB of {} storage", first.storage);
        return error(message, format!("write allocated_storage between {least} and {most}"));
    }
    let here: BTreeSet<&str> = offers.iter().flat_map(|offer| offer.zones.iter().map(String::as_str)).collect();
    let there: BTreeSet<&str> = subnets?.iter().map(|subnet| subnet.zone.as_str()).collect();
    let both: Vec<&str> = there.intersection(&here).copied().collect();
    let written = about.wanted("AvailabilityZone").and_then(Value::as_text).filter(|_| made(about).is_some());
    if let Some(zone) = written.filter(|zone| !here.is_empty() && !here.contains(zone)) {
        let help = format!("it is offered in {}", either(&here.iter().copied().collect::<Vec<_>>()));
        return error(format!("RDS does not offer {class} in {zone}"), help);
    }
    let enough = if about.spec.multi_az { 2 } else { 1 };
    if both.len() >= enough {
        return None;
    }
    let among = match both.as_slice() {
        [] => "none of the zones of the subnets".to_owned(),
        zones => format!("{} only, of the zones of the subnets", zones.join(", ")),
    };
    let help = format!(
        "it is offered in {}; add subnets there, or write another class",
        either(&here.into_iter().collect::<Vec<_>>())
    );
    error(format!("RDS offers {class} in {among}"), help)
}

fn group(about: &About<'_>, family: Option<&str>) -> Option<Diagnostic> {
    let group = about.spec.parameter_group_name.as_deref()?;
    let Some(family) = family else {
        let message = format!("there is no parameter group {group} in {}", about.region);
        let help = "leave parameter_group_name out, and pgherd makes one";
        return Some(about.error("parameter-group-missing", "parameter_group_name", message).help(help));
    };
    let wanted = crate::parameters::major(about.spec).map(self::family)?;
    if family != wanted {
        let message = format!("the parameter group {group} is of {family}, and the database of {wanted}");
        return Some(
            about
                .error("parameter-group-family", "parameter_group_name", message)
                .help(format!("name one of {wanted}, or leave parameter_group_name out")),
        );
    }
    group.starts_with("default.").then(|| {
        let message = format!("nothing of the parameter group {group} can be changed");
        about
            .warning("default-parameter-group", "parameter_group_name", message)
            .help("leave parameter_group_name out, and pgherd makes one that asks for TLS")
    })
}

/// Whether the group that is given is new to the instance, or what is unset in it means something else from now on.
fn begins_to_hold(about: &About<'_>) -> bool {
    let of = |value: &Value| value.as_text().and_then(major);
    made(about).is_some()
        || about.change("DBParameterGroupName").is_some()
        || about.change("EngineVersion").is_some_and(|change| of(&change.from) != of(&change.to))
}

/// The promise that clients use TLS holds with somebody else's group of settings, too: nothing begins with one that lets them in without,
/// and of one that goes on it is said. `rds.force_ssl` is 0 by default up to 14, and 1 from 15 on.
fn open_group(about: &About<'_>, family: &str, settings: &BTreeMap<String, String>) -> Option<Diagnostic> {
    let group = about.spec.parameter_group_name.as_deref()?;
    let major: u32 = family.strip_prefix("postgres")?.parse().ok()?;
    let set = settings.get(FORCE_SSL).map(String::as_str);
    (set.unwrap_or(if major <= 14 { "0" } else { "1" }) != "1").then(|| {
        let message = format!("the parameter group {group} lets clients in that do not use TLS");
        let leave = "leave parameter_group_name out, and pgherd makes one";
        let help = match group.starts_with("default.") {
            true => leave.to_owned(),
            false => format!("set {FORCE_SSL} to 1 in it, or {leave}"),
        };
        let said = match begins_to_hold(about) {
            true => about.error(TLS, "parameter_group_name", message),
            false => about.warning(TLS, "parameter_group_name", message),
        };
        said.help(help)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    fn versions(all: &[&str]) -> Answer<Arc<[EngineVersion]>> {
        let texts = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let read = |version: &&str| EngineVersion {
            version: (*version).to_owned(),
            targets: texts(&["16.14", "16.15", "17.9", "17.11"]),
        };
        Answer::Told(all.iter().map(read).collect())
    }

    fn offer(storage: &str, most_gib: i64, zones: &[&str]) -> Offer {
        let zones = zones.iter().map(|zone| format!("eu-central-1{zone}")).collect();
        Offer { storage: storage.to_owned(), sizes_gib: Some((20, most_gib)), zones }
    }

    fn facts(versions: Answer<Arc<[EngineVersion]>>, offers: Vec<Offer>) -> Facts {
        let offers = vec![("db.t3.micro".to_owned(), Answer::Told(offers.into()))];
        Facts { versions, offers, family: Answer::Unasked, settings: Answer::Unasked }
    }

    fn subnets() -> Vec<Subnet> {
        let subnet = |zone: &str| Subnet {
            id: format!("s-{zone}"),
            vpc: "vpc-1".to_owned(),
            zone: format!("eu-central-1{zone}"),
        };
        vec![subnet("a"), subnet("b")]
    }

    #[track_caller]
    fn check(case: &Case, facts: &Facts, expected: &[&str]) {
        case.check(|about| say(about, facts, Some(&subnets())), expected);
    }

    fn every() -> Vec<Offer> {
        vec![offer("gp2", 6144, &["a", "b", "c"]), offer("gp3", 6144, &["a", "b", "c"])]
    }

    #[test]
    fn a_version_that_rds_has() {
        let facts = facts(versions(&["16.9", "16.13"]), every());
        check(&Case::made(""), &facts, &[]);
        check(&Case::made("engine_version = \"16\""), &facts, &[]);
    }

    #[test]
    fn a_version_that_it_has_not() {
        let facts = facts(versions(&["16.9", "16.15"]), every());
        check(
            &Case::made(""),
            &facts,
            &[
                "error engine_version: RDS creates no PostgreSQL 16.13 in eu-central-1 [write engine_version = \"16\" for the newest 16, which is 16.15; or take that with --accept version-unavailable]",
            ],
        );
        check(
            &Case::made("").accepting(VERSION_UNAVAILABLE),
            &facts,
            &["warning engine_version: RDS creates no PostgreSQL 16.13; orders is made with 16.15"],
        );
    }

    #[test]
    fn a_major_that_it_has_not() {
        let none = facts(versions(&[]), every());
        check(
            &Case::made("").accepting(VERSION_UNAVAILABLE),
            &none,
            &["error engine_version: RDS creates no PostgreSQL 16 in this region [write engine_version = \"18\"]"],
        );
        check(
            &Case::made("engine_version = \"13\""),
            &facts(versions(&["13.20"]), every()),
            &[
                "error engine_version: RDS creates no PostgreSQL 13 without paid extended support, which pgherd does not buy [write engine_version = \"18\"]",
            ],
        );
    }

    #[test]
    fn an_upgrade_that_rds_does() {
        let facts = facts(versions(&["16.9", "16.13"]), Vec::new());
        let facts = Facts { offers: Vec::new(), ..facts };
        for to in ["16.15", "17", "17.9"] {
            check(&Case::changed("", &format!("engine_version = \"{to}\"")), &facts, &[]);
        }
        check(
            &Case::changed("", "engine_version = \"18.1\""),
            &facts,
            &[
                "error engine_version: RDS does not go from PostgreSQL 16.13 to 18.1 [from 16.13 it goes to 16.15 or 17.11, and on from there]",
            ],
        );
    }

    #[test]
    fn a_class_that_is_offered_here() {
        let with = |offers| facts(versions(&["16.13"]), offers);
        check(&Case::made(""), &with(vec![offer("gp3", 6144, &["b"])]), &[]);
        check(&Case::made("multi_az = true"), &with(every()), &[]);
    }

    #[test]
    fn a_class_that_is_not() {
        let with = |offers| facts(versions(&["16.13"]), offers);
        check(
            &Case::made(""),
            &with(Vec::new()),
            &[
                "error instance_class: RDS does not offer db.t3.micro with this version in eu-central-1 [nearest to it are db.t4g.micro, db.t3.small or db.t4g.small]",
            ],
        );
        check(
            &Case::made("multi_az = true"),
            &with(vec![offer("gp3", 6144, &["b", "c"])]),
            &[
                "error instance_class: RDS offers db.t3.micro in eu-central-1b only, of the zones of the subnets [it is offered in eu-central-1b or eu-central-1c; add subnets there, or write another class]",
            ],
        );
        check(
            &Case::made(""),
            &with(vec![offer("gp3", 6144, &["c"])]),
            &[
                "error instance_class: RDS offers db.t3.micro in none of the zones of the subnets [it is offered in eu-central-1c; add subnets there, or write another class]",
            ],
        );
        check(
            &Case::made(""),
            &with(vec![offer("gp2", 6144, &["a", "b"])]),
            &["error instance_class: db.t3.micro takes no gp3 storage [write storage_type = \"gp3\"]"],
        );
        check(
            &Case::made("allocated_storage = 7000"),
            &with(every()),
            &[
                "error instance_class: db.t3.micro takes 20 to 6144 GiB of gp3 storage [write allocated_storage between 20 and 6144]",
            ],
        );
    }

    #[test]
    fn a_group_of_settings_that_is_given() {
        let of = |family: Option<&str>| Facts {
            family: Answer::Told(family.map(str::to_owned)),
            ..facts(versions(&["16.13"]), every())
        };
        let given = |group: &str| Case::made(&format!("parameter_group_name = \"{group}\""));
        check(&given("shared"), &of(Some("postgres16")), &[]);
        check(
            &given("shared"),
            &of(None),
            &[
                "error parameter_group_name: there is no parameter group shared in eu-central-1 [leave parameter_group_name out, and pgherd makes one]",
            ],
        );
        check(
            &given("shared"),
            &of(Some("postgres15")),
            &[
                "error parameter_group_name: the parameter group shared is of postgres15, and the database of postgres16 [name one of postgres16, or leave parameter_group_name out]",
            ],
        );
        check(
            &given("default.postgres16"),
            &of(Some("postgres16")),
            &[
                "warning parameter_group_name: nothing of the parameter group default.postgres16 can be changed [leave parameter_group_name out, and pgherd makes one that asks for TLS]",
            ],
        );
    }

    #[test]
    fn a_group_of_somebody_else_lets_nobody_in_without_tls() {
        let of = |family: &str, set: Option<&str>| {
            let settings = set.map(|value| (FORCE_SSL.to_owned(), value.to_owned())).into_iter().collect();
            Facts {
                family: Answer::Told(Some(family.to_owned())),
                settings: Answer::Told(Some(settings)),
                ..facts(versions(&["14.20", "16.13"]), every())
            }
        };
        let said = "error parameter_group_name: the parameter group shared lets clients in that do not use TLS [set rds.force_ssl to 1 in it, or leave parameter_group_name out, and pgherd makes one]";
        let sixteen = Case::made("parameter_group_name = \"shared\"");
        check(&sixteen, &of("postgres16", None), &[]);
        check(&sixteen, &of("postgres16", Some("0")), &[said]);
        let fourteen = Case::made("parameter_group_name = \"shared\"\nengine_version = \"14.20\"");
        check(&fourteen, &of("postgres14", None), &[said]);
        check(&fourteen, &of("postgres14", Some("1")), &[]);
        let shared = "parameter_group_name = \"shared\"";
        let of_sixteen = Facts { offers: Vec::new(), ..of("postgres16", Some("0")) };
        let minor = Case::changed(shared, &format!("{shared}\nengine_version = \"16.15\""));
        check(&minor, &of_sixteen, &[&said.replacen("error", "warning", 1)]);
        check(&Case::changed("", shared), &of_sixteen, &[said]);
        let default = Case::made("parameter_group_name = \"default.postgres14\"\nengine_version = \"14.20\"");
        let leave = "[leave parameter_group_name out, and pgherd makes one";
        check(
            &default,
            &of("postgres14", None),
            &[
                &format!(
                    "warning parameter_group_name: nothing of the parameter group default.postgres14 can be changed {leave} that asks for TLS]"
                ),
                &format!(
                    "error parameter_group_name: the parameter group default.postgres14 lets clients in that do not use TLS {leave}]"
                ),
            ],
        );
    }
}
