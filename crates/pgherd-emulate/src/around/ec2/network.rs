//! What EC2 holds of a region: networks, their subnets and ways out, and who may come in.

use std::collections::BTreeMap;

use crate::around::Tags;

/// The VPC that every region has.
pub const DEFAULT_VPC: &str = "vpc-default";
/// The security group of that VPC, which RDS takes when none is named.
pub const DEFAULT_SECURITY_GROUP: &str = "sg-default";

/// Everything of EC2 in a region.
#[derive(Debug, Clone)]
pub struct Network {
    /// Networks by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// Subnets by id. Those of the default VPC make RDS's subnet group `default`.
    pub subnets: BTreeMap<String, Subnet>,
    /// Internet gateways by id: the VPC each is attached to.
    pub gateways: BTreeMap<String, Gateway>,
    /// Route tables by id.
    pub routes: BTreeMap<String, RouteTable>,
    /// Security groups by id.
    pub security_groups: BTreeMap<String, Group>,
    /// How many things were ever made here.
    made: u64,
}

/// A network.
#[derive(Debug, Clone)]
pub struct Vpc {
    /// `172.31.0.0/16`.
    pub cidr: String,
    /// Names are looked up.
    pub dns_support: bool,
    /// Public addresses have names.
    pub dns_hostnames: bool,
    /// Its tags.
    pub tags: Tags,
}

/// A subnet.
#[derive(Debug, Clone)]
pub struct Subnet {
    /// `us-east-1a`.
    pub zone: String,
    /// `vpc-default`.
    pub vpc: String,
    /// `172.31.0.0/20`.
    pub cidr: String,
    /// Its tags.
    pub tags: Tags,
}

/// A way to the internet.
#[derive(Debug, Clone, Default)]
pub struct Gateway {
    /// The VPC it is attached to.
    pub vpc: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// A route table.
#[derive(Debug, Clone)]
pub struct RouteTable {
    /// Its VPC.
    pub vpc: String,
    /// It holds for the subnets that have no other.
    pub is_main: bool,
    /// The subnets it holds for.
    pub subnets: Vec<String>,
    /// The gateway of each destination; `local` is the VPC itself.
    pub routes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: Tags,
}

/// A security group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name, one of a kind in its VPC.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its VPC.
    pub vpc: String,
    /// Who may come in and go out.
    pub rules: Vec<Rule>,
    /// Its tags.
    pub tags: Tags,
}

/// A rule of a security group.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `sgr-…`.
    pub id: String,
    /// What it lets through.
    pub opens: Opens,
    /// What it is for, which is no part of what makes it different from another.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// What a rule lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opens {
    /// Out of the group, rather than into it.
    pub is_egress: bool,
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for all.
    pub protocol: String,
    /// The first and the last port, where the protocol has ports.
    pub ports: Option<(i64, i64)>,
    /// The other side.
    pub peer: Peer,
}

/// The other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// `10.0.0.0/8`.
    V4(String),
    /// `fd00::/8`.
    V6(String),
    /// The members of a security group.
    Group(String),
}

impl Network {
    /// A default VPC with a subnet in each of three zones, open to the internet.
    pub fn of(region: &str) -> Self {
        let vpc = Vpc { cidr: "172.31.0.0/16".to_owned(), dns_support: true, dns_hostnames: true, tags: Tags::new() };
        let gateway = Gateway { vpc: Some(DEFAULT_VPC.to_owned()), tags: Tags::new() };
        let mut network = Self {
            vpcs: [(DEFAULT_VPC.to_owned(), vpc)].into(),
            subnets: BTreeMap::new(),
            gateways: [("igw-default".to_owned(), gateway)].into(),
            routes: BTreeMap::new(),
            security_groups: BTreeMap::new(),
            made: 0,
        };
        network.furnish(DEFAULT_VPC, "rtb-default", DEFAULT_SECURITY_GROUP);
        for (n, zone) in ["a", "b", "c"].into_iter().enumerate() {
            let cidr = format!("172.31.{}.0/20", n * 16);
            network.add_subnet(&format!("subnet-{zone}"), &format!("{region}{zone}"), DEFAULT_VPC, cidr);
        }
        if let Some(table) = network.routes.get_mut("rtb-default") {
            table.routes.insert("0.0.0.0/0".to_owned(), "igw-default".to_owned());
        }
        network
    }

    /// Adds a subnet, and its VPC if it is not there: a test's quick way.
    pub fn add_subnet(&mut self, id: &str, zone: &str, vpc: &str, cidr: String) {
        self.add_vpc(vpc);
        let subnet = Subnet { zone: zone.to_owned(), vpc: vpc.to_owned(), cidr, tags: Tags::new() };
        self.subnets.insert(id.to_owned(), subnet);
    }

    /// Adds a security group, and its VPC if it is not there: a test's quick way.
    pub fn add_group(&mut self, id: &str, vpc: &str) {
        self.add_vpc(vpc);
        let rules = vec![self.everything_out()];
        let group =
            Group { name: id.to_owned(), description: id.to_owned(), vpc: vpc.to_owned(), rules, tags: Tags::new() };
        self.security_groups.insert(id.to_owned(), group);
    }

    fn add_vpc(&mut self, id: &str) {
        if self.vpcs.contains_key(id) {
            return;
        }
        let vpc = Vpc { cidr: "10.0.0.0/16".to_owned(), dns_support: true, dns_hostnames: false, tags: Tags::new() };
        self.vpcs.insert(id.to_owned(), vpc);
        let (table, group) = (self.id("rtb"), self.id("sg"));
        self.furnish(id, &table, &group);
    }

    /// Gives a VPC what each has from the beginning: a route table and a security group.
    pub fn furnish(&mut self, vpc: &str, table: &str, group: &str) {
        let cidr = self.vpcs.get(vpc).map(|vpc| vpc.cidr.clone()).unwrap_or_default();
        let main = RouteTable {
            vpc: vpc.to_owned(),
            is_main: true,
            subnets: Vec::new(),
            routes: [(cidr, "local".to_owned())].into(),
            tags: Tags::new(),
        };
        self.routes.insert(table.to_owned(), main);
        let among =
            Opens { is_egress: false, protocol: "-1".to_owned(), ports: None, peer: Peer::Group(group.to_owned()) };
        let rules = vec![self.rule(among, None), self.everything_out()];
        let description = "default VPC security group".to_owned();
        let default = Group { name: "default".to_owned(), description, vpc: vpc.to_owned(), rules, tags: Tags::new() };
        self.security_groups.insert(group.to_owned(), default);
    }

    /// The rule every new group has.
    pub fn everything_out(&mut self) -> Rule {
        let peer = Peer::V4("0.0.0.0/0".to_owned());
        self.rule(Opens { is_egress: true, protocol: "-1".to_owned(), ports: None, peer }, None)
    }

    /// A rule with an id of its own.
    pub fn rule(&mut self, opens: Opens, description: Option<String>) -> Rule {
        Rule { id: self.id("sgr"), opens, description, tags: Tags::new() }
    }

    /// The main route table of a VPC, or the one a subnet was given.
    pub fn table_of(&self, subnet: &str) -> Option<&RouteTable> {
        let own = self.routes.values().find(|table| table.subnets.iter().any(|id| id == subnet));
        own.or_else(|| {
            let vpc = &self.subnets.get(subnet)?.vpc;
            self.routes.values().find(|table| table.is_main && table.vpc == *vpc)
        })
    }

    /// An id nobody has.
    pub fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{:017x}", self.made)
    }

    /// The tags of something, by its id.
    pub fn tags(&mut self, id: &str) -> Option<&mut Tags> {
        let Self { vpcs, subnets, gateways, routes, security_groups, made: _ } = self;
        if id.starts_with("sgr-") {
            let mut rules = security_groups.values_mut().flat_map(|group| &mut group.rules);
            return rules.find(|rule| rule.id == id).map(|rule| &mut rule.tags);
        }
        None.or_else(|| vpcs.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| subnets.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| gateways.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| routes.get_mut(id).map(|it| &mut it.tags))
            .or_else(|| security_groups.get_mut(id).map(|it| &mut it.tags))
    }
}
