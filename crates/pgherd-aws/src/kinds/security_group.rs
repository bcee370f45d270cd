//! The security group: who may reach the port, and where the instance may go.

use std::fmt;

use pgherd_core::resource::{Id, Impact, Kind, Resource};
use pgherd_core::spec::{SecurityRule, Setting, Spec};
use pgherd_core::value::{Props, Value};

use super::{TAGS, fixed, output, props, set, setting, subnet_group, tags, theirs};
use crate::names;

/// Its name in an [`Id`].
pub const NAME: &str = "security_group";

/// The field that AWS assigns: what others refer to it by.
pub const GROUP_ID: &str = "GroupId";

/// The field with the subnets of the database, which say the network where no other field does.
pub const SUBNET_IDS: &str = "SubnetIds";

/// PostgreSQL's port, and RDS's default (botocore 1.43.11, CreateDBInstance).
pub const DEFAULT_PORT: u16 = 5432;

/// The kind. A rule that goes ends nobody's session: security groups follow connections that are tracked (Amazon EC2 User Guide,
/// "Security group connection tracking").
pub const KIND: Kind = Kind {
    name: NAME,
    holds_data: false,
    outlives: false,
    fields: &[
        fixed(
            "VpcId",
            "a security group and its instance stay in their network: make a database under a new name there and restore \
             a backup into it",
        ),
        theirs(SUBNET_IDS),
        theirs("GroupDescription"),
        // One key a rule, as `Rule` spells it; the value is its description, and empty where it has none.
        set("Rules.*", Impact::NewConnections),
        TAGS,
    ],
};

/// One rule of a security group: whoever is on the other side, and which ports. Its text is the key of a prop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Whether it lets in; otherwise it lets out.
    pub ingress: bool,
    /// `tcp`, `udp`, `icmp`, or `-1` for all, which knows no ports.
    pub protocol: String,
    /// First and last port.
    pub ports: (u16, u16),
    /// Who is on the other side.
    pub peer: Peer,
}

/// Who is on the other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Addresses, in normal form: `10.0.0.0/8`, `2001:db8::/32`.
    Cidr(String),
    /// Members of a security group.
    Group(String),
    /// Members of the group the rule is in.
    Itself,
}

impl Rule {
    /// Reads a key back.
    pub fn parse(key: &str) -> Option<Self> {
        let words: Vec<&str> = key.split(' ').collect();
        let [direction, protocol, ports, peer] = words[..] else { return None };
        let ingress = match direction {
            "ingress" => true,
            "egress" => false,
            _ => return None,
        };
        let ports = match ports {
            "all" => (0, 0),
            _ => {
                let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
                (first.parse().ok()?, last.parse().ok()?)
            }
        };
        let peer = match peer {
            "itself" => Peer::Itself,
            _ if peer.contains('/') => Peer::Cidr(peer.to_owned()),
            _ => Peer::Group(peer.to_owned()),
        };
        Some(Self { ingress, protocol: protocol.to_owned(), ports, peer })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.ingress { "ingress" } else { "egress" };
        write!(f, "{direction} {} ", self.protocol)?;
        match self.ports {
            _ if self.protocol == "-1" => f.write_str("all")?,
            (first, last) if first == last => write!(f, "{first}")?,
            (first, last) => write!(f, "{first}-{last}")?,
        }
        match &self.peer {
            Peer::Cidr(peer) | Peer::Group(peer) => write!(f, " {peer}"),
            Peer::Itself => f.write_str(" itself"),
        }
    }
}

/// The security group a spec wants: none where it is told to make none.
pub fn wanted(spec: &Spec) -> Option<Resource> {
    spec.network.create_security_group.then(|| {
        of(
            spec,
            names::security_group(&spec.name),
            (setting(&spec.network.vpc_id), subnet_group::subnet_ids(spec)),
            rules(spec),
        )
    })
}

/// The groups the instance is in: its own, and those that exist already. None: the network's own default group, which RDS chooses.
pub fn members(spec: &Spec) -> Option<Value> {
    let own =
        spec.network.create_security_group.then(|| output(Id::new(NAME, names::security_group(&spec.name)), GROUP_ID));
    let groups: Vec<Value> =
        own.into_iter().chain(spec.network.security_group_ids.iter().filter_map(setting)).collect();
    (!groups.is_empty()).then_some(Value::List(groups))
}

/// The port that is asked for, or PostgreSQL's.
pub fn port(spec: &Spec) -> u16 {
    spec.network.port.unwrap_or(DEFAULT_PORT)
}

pub(crate) fn of(
    spec: &Spec,
    name: String,
    (vpc_id, subnet_ids): (Option<Value>, Option<Value>),
    rules: Props,
) -> Resource {
    let mut props = props([
        ("GroupDescription", format!("Who may reach {}, kept by pgherd", spec.name).into()),
        ("Rules", Value::Map(rules)),
        ("Tags", tags::wanted(spec)),
    ]);
    let place = match vpc_id {
        Some(id) => Some(("VpcId".to_owned(), id)),
        None => subnet_ids.map(|ids| (SUBNET_IDS.to_owned(), ids)),
    };
    props.extend(place);
    Resource { id: Id::new(NAME, name), props, needs: Vec::new() }
}

/// The rules that mean something in another region too, where no group of this one is known.
pub(crate) fn rules_by_address(spec: &Spec) -> Props {
    let by_address = |key: &str| Rule::parse(key).is_some_and(|rule| matches!(rule.peer, Peer::Cidr(_)));
    rules(spec).into_iter().filter(|(key, _)| by_address(key)).collect()
}

/// Every rule, once. The description that is written wins over none.
fn rules(spec: &Spec) -> Props {
    let port = port(spec);
    let network = &spec.network;
    let to_port = |peer| Rule { ingress: true, protocol: "tcp".to_owned(), ports: (port, port), peer };
    let mut rules: Vec<(Rule, &str)> = Vec::new();
    rules.extend(known(&network.allowed_cidr_blocks).map(|cidr| (to_port(Peer::Cidr(canonical(cidr))), "")));
    rules.extend(known(&network.allowed_security_group_ids).map(|id| (to_port(Peer::Group(id.clone())), "")));
    if spec.proxy.is_some() {
        rules.push((to_port(Peer::Itself), "The proxy, which is in this group"));
    }
    rules.extend(network.rules.iter().flat_map(written));
    let mut props = Props::new();
    for (rule, description) in rules {
        let text = props.entry(rule.to_string()).or_insert_with(|| Value::text(""));
        if !description.is_empty() {
            *text = Value::text(description);
        }
    }
    props
}

fn written(rule: &SecurityRule) -> impl Iterator<Item = (Rule, &str)> {
    known(&rule.cidr_blocks).map(|cidr| {
        let ports = if rule.protocol == "-1" { (0, 0) } else { (rule.from_port, rule.to_port) };
        let peer = Peer::Cidr(canonical(cidr));
        (
            Rule { ingress: rule.ingress, protocol: rule.protocol.clone(), ports, peer },
            rule.description.as_deref().unwrap_or(""),
        )
    })
}

fn known(settings: &[Setting<String>]) -> impl Iterator<Item = &String> {
    settings.iter().filter_map(Setting::known)
}

/// As EC2 tells it: 10.0.3.7/16 means, and is, 10.0.0.0/16. What cannot be read is refused by a check.
pub fn canonical(cidr: &str) -> String {
    cidr.parse::<ipnet::IpNet>().map_or_else(|_| cidr.to_owned(), |network| network.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_and_its_key_are_one() {
        for key in [
            "ingress tcp 5432 10.0.0.0/8",
            "ingress tcp 5432-5440 2001:db8::/32",
            "egress -1 all 0.0.0.0/0",
            "ingress tcp 5432 sg-0123",
            "ingress tcp 5432 itself",
        ] {
            assert_eq!(Rule::parse(key).map(|rule| rule.to_string()).as_deref(), Some(key));
        }
        assert_eq!(Rule::parse("ingress tcp 5432"), None);
        assert_eq!(Rule::parse("inside tcp 5432 10.0.0.0/8"), None);
    }

    #[test]
    fn addresses_are_written_as_ec2_does() {
        assert_eq!(canonical("10.0.3.7/16"), "10.0.0.0/16");
        assert_eq!(canonical("2001:0db8::1/32"), "2001:db8::/32");
    }
}
