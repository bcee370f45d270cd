//! The second region, before a replica is made there or backups are copied to it: the rest of the block stands by the time RDS would refuse it.

use std::collections::BTreeSet;
use std::sync::Arc;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Action;
use pgherd_core::resource::Resource;
use pgherd_core::value::Value;

use super::network::is_missing;
use super::{About, Answer, Doubt};
use crate::api::network::{self, Subnet};
use crate::api::rds::{self, Offer, SourceRegion};
use crate::kinds::{backup_replication, replica, subnet_group};
use crate::names;
use crate::provider::Aws;

/// What is known of the region in which a replica is made, or to which backups are copied.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    region: String,
    /// The regions it takes anything of, of which the first one should be one.
    sources: Answer<Vec<SourceRegion>>,
    copies: bool,
    /// Of the replica, where one is made.
    class: Option<String>,
    offers: Answer<Arc<[Offer]>>,
    subnets: Answer<Vec<Subnet>>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let subnets = self.subnets.doubt().filter(|doubt| !is_missing(&doubt.error));
        self.sources.doubt().into_iter().chain(self.offers.doubt()).chain(subnets).collect()
    }
}

/// Asks nothing where nothing is made in a second region.
pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Option<Facts> {
    let (replica, copies) = (made(about, replica::NAME), made(about, backup_replication::NAME));
    let region = replica.as_ref().or(copies.as_ref())?.0.clone();
    let class = replica.and_then(|(_, server)| Some(server.props.get("DBInstanceClass")?.as_text()?.to_owned()));
    let subnets = async {
        let group = made(about, subnet_group::NAME);
        let ids = group.as_ref().and_then(|(_, group)| group.props.get("SubnetIds")?.as_list()).unwrap_or_default();
        let ids: Vec<&str> = ids.iter().filter_map(Value::as_text).collect();
        match ids.is_empty() {
            true => Answer::Unasked,
            false => {
                let found = network::subnets(aws.session(), &region, &ids).await;
                Answer::to("the network of the second region was not checked", found)
            }
        }
    };
    let offers = async {
        match &class {
            Some(class) => {
                let found = rds::offers(aws.session(), &region, class, None).await;
                Answer::to("the class was not checked in the second region", found)
            }
            None => Answer::Unasked,
        }
    };
    let sources = rds::source_regions(aws.session(), &region, about.region);
    let (offers, subnets, sources) = tokio::join!(offers, subnets, sources);
    let sources = Answer::to("whether the second region takes anything of this one was not checked", sources);
    Some(Facts { copies: copies.is_some(), sources, region, class, offers, subnets })
}

/// What is made of a kind in a second region and is not begun yet.
fn made<'a>(about: &About<'a>, kind: &str) -> Option<(String, &'a Resource)> {
    about.plan.steps.iter().find_map(|step| match &step.action {
        Action::Create { resource } if resource.id.kind == kind && about.seen(&resource.id).is_none() => {
            Some((names::place(kind, &resource.id.name).0?, resource))
        }
        Action::Create { .. } | Action::Update { .. } | Action::Delete { .. } => None,
    })
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let Facts { region, sources, copies: _, class, offers, subnets } = facts;
    let mut said: Vec<Diagnostic> =
        sources.known().and_then(|sources| apart(about, facts, sources)).into_iter().collect();
    if let Answer::Untold(doubt) = subnets
        && is_missing(&doubt.error)
    {
        let help = format!("write subnets of {region}");
        said.push(about.error("subnets-missing", "dr_subnet_ids", doubt.error.message.clone()).help(help));
    }
    let zones: Option<BTreeSet<&str>> =
        subnets.known().map(|subnets| subnets.iter().map(|subnet| subnet.zone.as_str()).collect());
    if let Some(only) = zones.as_ref().filter(|zones| zones.len() == 1).and_then(|zones| zones.first()) {
        let message =
            format!("the subnets of the second region are all in {only}, and RDS wants them in two zones at least");
        said.push(about.error("subnets-one-zone", "dr_subnet_ids", message).help("write one of another zone, too"));
    }
    if let (Some(offers), Some(class)) = (offers.known(), class) {
        let here: BTreeSet<&str> = offers.iter().flat_map(|offer| offer.zones.iter().map(String::as_str)).collect();
        let is_in_reach = zones.is_none_or(|zones| !zones.is_disjoint(&here));
        let message = match (offers.is_empty(), is_in_reach) {
            (false, true) => return said,
            (true, _) => format!("RDS does not offer {class} in {region}, where the replica is to be"),
            (false, false) => format!("RDS offers {class} in none of the zones of the subnets in {region}"),
        };
        let help = "write a class that both regions have; or geo_redundant_backup alone, which needs no server there";
        said.push(about.error("class-not-offered", "dr_read_replica", message).help(help));
    }
    said
}

/// Two regions that have nothing to do with each other: of different partitions, or one that the account has not turned on.
fn apart(about: &About<'_>, facts: &Facts, sources: &[SourceRegion]) -> Option<Diagnostic> {
    let Facts { region, copies, class, .. } = facts;
    let home = about.region;
    let (what, variable) = match sources.iter().find(|source| source.name == home) {
        None => match class {
            Some(_) => ("read replica", "dr_read_replica"),
            None => ("copies of backups", "geo_redundant_backup"),
        },
        Some(source) if *copies && !source.copies_backups => ("copies of backups", "geo_redundant_backup"),
        Some(_) => return None,
    };
    let message = format!("RDS in {region} takes no {what} of {home}");
    let help =
        format!("`aws rds describe-source-regions --region {region}` lists what it takes; write another dr_region");
    Some(about.error("regions-apart", variable, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    fn facts(offered_in: &[&str], subnets_in: &[&str]) -> Facts {
        let offer = Offer {
            storage: "gp3".to_owned(),
            sizes_gib: None,
            zones: offered_in.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        let subnet = |zone: &&str| Subnet { id: String::new(), vpc: String::new(), zone: (*zone).to_owned() };
        Facts {
            region: "eu-west-1".to_owned(),
            sources: Answer::Unasked,
            copies: false,
            class: Some("db.t3.micro".to_owned()),
            offers: Answer::Told(if offered_in.is_empty() { Arc::default() } else { Arc::new([offer]) }),
            subnets: Answer::Told(subnets_in.iter().map(subnet).collect()),
        }
    }

    #[track_caller]
    fn check(facts: &Facts, expected: &[&str]) {
        Case::made("").check(|about| say(about, facts), expected);
    }

    #[test]
    fn a_class_must_be_offered_where_the_replica_is_to_be() {
        check(&facts(&["a", "b"], &["b", "c"]), &[]);
        let help = "[write a class that both regions have; or geo_redundant_backup alone, which needs no server there]";
        let not_there = format!(
            "error dr_read_replica: RDS does not offer db.t3.micro in eu-west-1, where the replica is to be {help}"
        );
        check(&facts(&[], &["a", "b"]), &[&not_there]);
        let not_in_reach = format!(
            "error dr_read_replica: RDS offers db.t3.micro in none of the zones of the subnets in eu-west-1 {help}"
        );
        check(&facts(&["a"], &["b", "c"]), &[&not_in_reach]);
    }

    #[test]
    fn the_second_region_must_take_something_of_the_first() {
        let of = |copies: bool, replica: bool, sources: &[(&str, bool)]| {
            let source = |(name, copies_backups): &(&str, bool)| SourceRegion {
                name: (*name).to_owned(),
                copies_backups: *copies_backups,
            };
            let sources = Answer::Told(sources.iter().map(source).collect());
            let class = replica.then(|| "db.t3.micro".to_owned());
            Facts { sources, copies, class, ..facts(&["a", "b"], &["a", "b"]) }
        };
        let help =
            "[`aws rds describe-source-regions --region eu-west-1` lists what it takes; write another dr_region]";
        let no = |what: &str, variable: &str| {
            format!("error {variable}: RDS in eu-west-1 takes no {what} of eu-central-1 {help}")
        };
        check(&of(true, true, &[("eu-central-1", true)]), &[]);
        check(&of(false, true, &[("eu-central-1", false)]), &[]);
        check(&of(true, true, &[("eu-central-1", false)]), &[&no("copies of backups", "geo_redundant_backup")]);
        check(&of(true, false, &[]), &[&no("copies of backups", "geo_redundant_backup")]);
        check(&of(true, true, &[]), &[&no("read replica", "dr_read_replica")]);
    }

    #[test]
    fn the_subnets_there_are_in_two_zones() {
        check(
            &facts(&["a"], &["a", "a"]),
            &[
                "error dr_subnet_ids: the subnets of the second region are all in a, and RDS wants them in two zones at least [write one of another zone, too]",
            ],
        );
    }
}
