//! The subnets: whether they are where they should be, in zones enough, and open to the internet where the instance shall be.

use std::collections::BTreeSet;

use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::spec::Setting;
use pgherd_core::value::Value;

use super::{About, Answer, Doubt};
use crate::api::ec2;
use crate::api::network::{self, RouteTable, Subnet};
use crate::kinds::{instance, replica, subnet_group};
use crate::protocol::error::AwsError;
use crate::provider::Aws;

/// What EC2 tells of the network.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) subnets: Answer<Vec<Subnet>>,
    /// Of a public instance: its VPC and how that is open.
    pub(super) opening: Answer<Option<Opening>>,
}

/// How a VPC is open to the internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) vpc: String,
    pub(super) has_gateway: bool,
    /// Whether names are looked up, and whether public addresses have names.
    pub(super) dns: (bool, bool),
    pub(super) tables: Vec<RouteTable>,
}

impl Facts {
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        // That a subnet is not there is no doubt, but an answer.
        let subnets = self.subnets.doubt().filter(|doubt| !is_missing(&doubt.error));
        subnets.into_iter().chain(self.opening.doubt()).collect()
    }
}

pub(super) async fn ask(aws: &Aws, about: &About<'_>) -> Facts {
    let ids = subnets(about);
    let answer = match placed(about) || is_opened(about) {
        true if !ids.is_empty() => network::subnets(aws.session(), about.region, &ids).await,
        _ => return Facts { subnets: Answer::Unasked, opening: opening(aws, about, None).await },
    };
    let vpc = answer.as_ref().ok().and_then(|subnets| subnets.first()).map(|subnet| subnet.vpc.clone());
    let opening = opening(aws, about, vpc).await;
    Facts { subnets: Answer::to("the network was not checked", answer), opening }
}

pub(super) fn say(about: &About<'_>, facts: &Facts) -> Vec<Diagnostic> {
    let subnets = match &facts.subnets {
        Answer::Told(subnets) => subnets.as_slice(),
        Answer::Untold(doubt) if is_missing(&doubt.error) => {
            let help = format!("write subnets of {}", about.region);
            return vec![about.error("subnets-missing", "subnet_ids", doubt.error.message.clone()).help(help)];
        }
        Answer::Unasked | Answer::Untold(_) => &[],
    };
    let mut said = Vec::new();
    if placed(about) {
        said.extend(zones(about, subnets));
        said.extend(vpcs(about, subnets));
        said.extend(own_zone(about, subnets));
    }
    let opening = facts.opening.known().and_then(Option::as_ref);
    said.extend(opening.map(|opening| reached(about, opening, subnets)).into_iter().flatten());
    said
}

/// Whether EC2 says that a subnet is not there.
pub(super) fn is_missing(error: &AwsError) -> bool {
    error.is("InvalidSubnetID.NotFound") || error.is("InvalidSubnetID.Malformed")
}

/// The subnets that are written.
fn subnets<'a>(about: &About<'a>) -> Vec<&'a str> {
    let Setting::Known(ids) = &about.spec.network.subnet_ids else { return Vec::new() };
    ids.iter().filter_map(|id| id.known().map(String::as_str)).collect()
}

/// Whether something is put into the subnets: their group is made or changed, or a server of another class comes there.
fn placed(about: &About<'_>) -> bool {
    let servers = [instance::NAME, replica::NAME];
    about.made(subnet_group::NAME).next().is_some()
        || about.changes(subnet_group::NAME).any(|(_, change)| change.field == "SubnetIds")
        || servers.iter().any(|kind| about.begun_anew(kind).next().is_some())
        || servers.iter().any(|kind| about.changes(kind).any(|(_, change)| change.field == "DBInstanceClass"))
}

/// Whether a server becomes public.
fn is_opened(about: &About<'_>) -> bool {
    let is_made = || about.begun_anew(instance::NAME).next().is_some();
    about.spec.network.publicly_accessible && (is_made() || about.change("PubliclyAccessible").is_some())
}

async fn opening(aws: &Aws, about: &About<'_>, vpc: Option<String>) -> Answer<Option<Opening>> {
    if !is_opened(about) {
        return Answer::Unasked;
    }
    let (session, region) = (aws.session(), about.region);
    let found = async {
        let vpc = match vpc.or_else(|| about.spec.network.vpc_id.known().cloned()) {
            Some(vpc) => vpc,
            None => match ec2::default_vpc(session, region).await? {
                Some(vpc) => vpc,
                None => return Ok(None),
            },
        };
        let (has_gateway, support, names, tables) = tokio::try_join!(
            network::has_internet_gateway(session, region, &vpc),
            network::is_on(session, region, &vpc, "enableDnsSupport"),
            network::is_on(session, region, &vpc, "enableDnsHostnames"),
            network::route_tables(session, region, &vpc),
        )?;
        Ok(Some(Opening { vpc, has_gateway, dns: (support, names), tables }))
    };
    Answer::to("the way from the internet was not checked", found.await)
}

/// RDS wants two zones even where an instance is in one only (CreateDBSubnetGroup, `DBSubnetGroupDoesNotCoverEnoughAZs`).
fn zones(about: &About<'_>, subnets: &[Subnet]) -> Option<Diagnostic> {
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    let [only] = zones.into_iter().collect::<Vec<_>>()[..] else { return None };
    let message = format!("the subnets are all in {only}, and RDS wants them in two zones at least");
    let help = "add a subnet of another zone; an instance without multi_az is in one of them all the same";
    Some(about.error("subnets-one-zone", "subnet_ids", message).help(help))
}

fn vpcs(about: &About<'_>, subnets: &[Subnet]) -> Option<Diagnostic> {
    let first = subnets.first()?;
    if let Some(other) = subnets.iter().find(|subnet| subnet.vpc != first.vpc) {
        let message = format!("{} is in {}, and {} in {}", first.id, first.vpc, other.id, other.vpc);
        return Some(about.error("subnets-vpc", "subnet_ids", message).help("write subnets of one VPC"));
    }
    let written = about.spec.network.vpc_id.known().filter(|written| **written != first.vpc)?;
    let message = format!("the subnets are in {}, and the block is of {written}", first.vpc);
    Some(
        about
            .error("subnets-vpc", "subnet_ids", message)
            .help(format!("write vpc_id = \"{}\", or its subnets", first.vpc)),
    )
}

/// The zone that is written is one of the subnets', for an instance that is made.
fn own_zone(about: &About<'_>, subnets: &[Subnet]) -> Option<Diagnostic> {
    let made = about.begun_anew(instance::NAME).next()?;
    let zone = made.props.get("AvailabilityZone").and_then(Value::as_text)?;
    let is_there = subnets.is_empty() || subnets.iter().any(|subnet| subnet.zone == zone);
    (!is_there).then(|| {
        let message = format!("none of the subnets is in {zone}");
        about
            .error("zone-without-subnet", "availability_zone", message)
            .help("add a subnet of that zone, or leave it out")
    })
}

/// Amazon RDS User Guide, "Hiding a DB instance in a VPC from the internet": a gateway, names, and routes.
fn reached(about: &About<'_>, opening: &Opening, subnets: &[Subnet]) -> Vec<Diagnostic> {
    const AT: &str = "publicly_accessible";
    let vpc = &opening.vpc;
    let mut said = Vec::new();
    if !opening.has_gateway {
        let message = format!("the VPC {vpc} has no internet gateway, so a public instance is refused");
        let help = "leave publicly_accessible out, or attach an internet gateway";
        said.push(about.error("no-internet-gateway", AT, message).help(help));
    }
    let off = [("resolution", opening.dns.0), ("hostnames", opening.dns.1)];
    for (what, _) in off.into_iter().filter(|(_, is_on)| !is_on) {
        let message = format!("DNS {what} are off in {vpc}, so a public instance is refused");
        let message = message.replace("resolution are", "resolution is");
        said.push(about.error("vpc-dns", AT, message).help(format!("turn DNS {what} on in {vpc}")));
    }
    let is_private = |subnet: &&Subnet| {
        let own = opening.tables.iter().find(|table| table.subnets.contains(&subnet.id));
        own.or_else(|| opening.tables.iter().find(|table| table.is_main)).is_some_and(|table| !table.leads_out)
    };
    for subnet in subnets.iter().filter(is_private).filter(|_| opening.has_gateway) {
        let message =
            format!("{} has no route to the internet, so an instance in it is not reached from there", subnet.id);
        said.push(
            about
                .warning("private-subnet", AT, message)
                .help("write public subnets only, or leave publicly_accessible out"),
        );
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preflight::case::Case;

    const BLOCK: &str = "vpc_id = \"vpc-1\"\nsubnet_ids = [\"s-a\", \"s-b\"]";

    fn subnet(id: &str, vpc: &str, zone: &str) -> Subnet {
        Subnet { id: id.to_owned(), vpc: vpc.to_owned(), zone: format!("eu-central-1{zone}") }
    }

    fn two() -> Vec<Subnet> {
        vec![subnet("s-a", "vpc-1", "a"), subnet("s-b", "vpc-1", "b")]
    }

    #[track_caller]
    fn check(more: &str, subnets: Vec<Subnet>, opening: Option<Opening>, expected: &[&str]) {
        let case = Case::made(&format!("{BLOCK}\n{more}"));
        let opening = opening.map_or(Answer::Unasked, |opening| Answer::Told(Some(opening)));
        let facts = Facts { subnets: Answer::Told(subnets), opening };
        case.check(|about| say(about, &facts), expected);
    }

    #[test]
    fn subnets_of_one_vpc_and_two_zones_are_fine() {
        check("", two(), None, &[]);
        check("availability_zone = \"eu-central-1b\"", two(), None, &[]);
    }

    #[test]
    fn one_zone_is_not_enough() {
        let both = vec![subnet("s-a", "vpc-1", "a"), subnet("s-b", "vpc-1", "a")];
        check(
            "",
            both,
            None,
            &[
                "error subnet_ids: the subnets are all in eu-central-1a, and RDS wants them in two zones at least [add a subnet of another zone; an instance without multi_az is in one of them all the same]",
            ],
        );
    }

    #[test]
    fn another_vpc() {
        check(
            "",
            vec![subnet("s-a", "vpc-1", "a"), subnet("s-b", "vpc-2", "b")],
            None,
            &["error subnet_ids: s-a is in vpc-1, and s-b in vpc-2 [write subnets of one VPC]"],
        );
        check(
            "",
            vec![subnet("s-a", "vpc-2", "a"), subnet("s-b", "vpc-2", "b")],
            None,
            &[
                "error subnet_ids: the subnets are in vpc-2, and the block is of vpc-1 [write vpc_id = \"vpc-2\", or its subnets]",
            ],
        );
    }

    #[test]
    fn a_zone_that_no_subnet_is_in() {
        check(
            "availability_zone = \"eu-central-1c\"",
            two(),
            None,
            &[
                "error availability_zone: none of the subnets is in eu-central-1c [add a subnet of that zone, or leave it out]",
            ],
        );
    }

    fn opening(has_gateway: bool, dns: (bool, bool), leads_out: bool) -> Option<Opening> {
        let main = RouteTable { is_main: true, subnets: Vec::new(), leads_out };
        let own = RouteTable { is_main: false, subnets: vec!["s-b".to_owned()], leads_out: true };
        Some(Opening { vpc: "vpc-1".to_owned(), has_gateway, dns, tables: vec![main, own] })
    }

    const PUBLIC: &str = "publicly_accessible = true\nallowed_cidr_blocks = [\"203.0.113.0/24\"]";

    #[test]
    fn a_public_instance_where_the_internet_reaches_it() {
        check(PUBLIC, two(), opening(true, (true, true), true), &[]);
    }

    #[test]
    fn a_public_instance_where_it_does_not() {
        check(
            PUBLIC,
            two(),
            opening(false, (true, true), false),
            &[
                "error publicly_accessible: the VPC vpc-1 has no internet gateway, so a public instance is refused [leave publicly_accessible out, or attach an internet gateway]",
            ],
        );
        check(
            PUBLIC,
            two(),
            opening(true, (false, false), true),
            &[
                "error publicly_accessible: DNS resolution is off in vpc-1, so a public instance is refused [turn DNS resolution on in vpc-1]",
                "error publicly_accessible: DNS hostnames are off in vpc-1, so a public instance is refused [turn DNS hostnames on in vpc-1]",
            ],
        );
        check(
            PUBLIC,
            two(),
            opening(true, (true, true), false),
            &[
                "warning publicly_accessible: s-a has no route to the internet, so an instance in it is not reached from there [write public subnets only, or leave publicly_accessible out]",
            ],
        );
    }
}
