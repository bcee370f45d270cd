//! The second region, before a replica is made there: the rest of the block stands by the time RDS would refuse it.

use std::collections::BTreeSet;
use std::sync::Arc;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::plan::Action;
use pgherd_core::resource::Resource;
use pgherd_core::value::Value;

use super::network::is_missing;
use super::{About, Answer, Doubt};
use crate::api::network::{self, Subnet};
use crate::api::rds::{self, Offer};
use crate::kinds::{replica, subnet_group};
use crate::names;
use crate::provider::Aws;

/// What is known of the region in which a replica is made.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    region: String,
    class: String,
    offers: Answer<Arc<[Offer]>>,
    subnets: Answer<Vec<Subnet>>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let subnets = self.subnets.doubt().filter(|doubt| !is_missing(&doubt.error));
        self.offers.doubt().into_iter().chain(subnets).collect()
    }
}

/// Asks nothing where no replica is made in a second region.
pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Option<Facts> {
    let (region, server) = made(about, replica::NAME)?;
    let class = server.props.get("DBInstanceClass").and_then(Value::as_text)?.to_owned();
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
    let offers = rds::offers(aws.session(), &region, &class, None);
    let (offers, subnets) = tokio::join!(offers, subnets);
    let offers = Answer::to("the class was not checked in the second region", offers);
    Some(Facts { region, class, offers, subnets })
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
    let Facts { region, class, offers, subnets } = facts;
    let mut said = Vec::new();
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
    if let Some(offers) = offers.known() {
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
            class: "db.t3.micro".to_owned(),
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
    fn the_subnets_there_are_in_two_zones() {
        check(
            &facts(&["a"], &["a", "a"]),
            &[
                "error dr_subnet_ids: the subnets of the second region are all in a, and RDS wants them in two zones at least [write one of another zone, too]",
            ],
        );
    }
}
