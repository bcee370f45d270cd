//! Rules of security groups: opened and closed all together or not at all.

use ipnet::{Ipv4Net, Ipv6Net};

use super::filters::{Filters, listed, tagged};
use super::groups;
use super::network::{DEFAULT_VPC, Network, Opens, Peer, Rule};
use crate::rds::Region;
use crate::rds::state::ACCOUNT;
use crate::wire::{Element, Form, Refusal};

/// `AuthorizeSecurityGroupIngress` and `…Egress`.
pub fn authorize(region: &mut Region, form: &Form, is_egress: bool) -> Result<Element, Refusal> {
    let id = groups::asked(region, form)?;
    let sent = sent(&region.around, form, is_egress)?;
    if sent.is_empty() {
        return Err(Refusal::of("MissingParameter", "The request must contain the parameter ipPermissions"));
    }
    let held = &region.around.security_groups[&id].rules;
    for (n, (opens, _)) in sent.iter().enumerate() {
        let is_there = held.iter().any(|rule| rule.opens == *opens);
        if is_there || sent[..n].iter().any(|(other, _)| other == opens) {
            return Err(duplicate(opens));
        }
    }
    if held.iter().filter(|rule| rule.opens.is_egress == is_egress).count() + sent.len() > 60 {
        return Err(Refusal::of(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        ));
    }
    let new: Vec<_> = sent.into_iter().map(|(opens, words)| region.around.rule(opens, words)).collect();
    let items: Vec<_> = new.iter().map(|rule| shown(&id, rule)).collect();
    if let Some(group) = region.around.security_groups.get_mut(&id) {
        group.rules.extend(new);
    }
    Ok(Element::new("").put("return", true).list("securityGroupRuleSet", items))
}

/// `RevokeSecurityGroupIngress` and `…Egress`: by what they open, or by their ids.
pub fn revoke(network: &mut Network, form: &Form, is_egress: bool) -> Result<Element, Refusal> {
    let id = form.required("GroupId")?.to_owned();
    let sent = sent(network, form, is_egress)?;
    let ids = form.flat("SecurityGroupRuleId");
    let group = network
        .security_groups
        .get_mut(&id)
        .ok_or_else(|| Refusal::of("InvalidGroup.NotFound", format!("The security group '{id}' does not exist")))?;
    let own = |rule: &&Rule| rule.opens.is_egress == is_egress;
    if let Some(absent) = ids.iter().find(|id| !group.rules.iter().filter(own).any(|rule| rule.id == **id)) {
        let message = format!("The specified rule '{absent}' does not exist in this security group.");
        return Err(Refusal::of("InvalidSecurityGroupRuleId.NotFound", message));
    }
    // In the default VPC a rule that is not there is no error.
    let absent = sent.iter().find(|(opens, _)| group.rules.iter().all(|rule| rule.opens != *opens));
    if absent.is_some() && group.vpc != DEFAULT_VPC {
        return Err(Refusal::of(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ));
    }
    let goes = |rule: &Rule| sent.iter().any(|(opens, _)| rule.opens == *opens) || ids.contains(&rule.id.as_str());
    group.rules.retain(|rule| !goes(rule));
    Ok(Element::new("").put("return", true))
}

/// `UpdateSecurityGroupRuleDescriptionsIngress` and `…Egress`.
pub fn describe_anew(region: &mut Region, form: &Form, is_egress: bool) -> Result<Element, Refusal> {
    let id = groups::asked(region, form)?;
    let sent = sent(&region.around, form, is_egress)?;
    if let Some(group) = region.around.security_groups.get_mut(&id) {
        if sent.iter().any(|(opens, _)| group.rules.iter().all(|rule| rule.opens != *opens)) {
            return Err(Refusal::of(
                "InvalidPermission.NotFound",
                "The specified rule does not exist in this security group.",
            ));
        }
        for (opens, words) in sent {
            let rules = group.rules.iter_mut().filter(|rule| rule.opens == opens);
            rules.for_each(|rule| rule.description.clone_from(&words));
        }
    }
    Ok(Element::new("").put("return", true))
}

/// `DescribeSecurityGroupRules`.
pub fn describe(network: &Network, form: &Form) -> Result<Element, Refusal> {
    let filters = Filters::read(form, &["group-id", "security-group-rule-id"])?;
    let ids = form.flat("SecurityGroupRuleId");
    let all = network.security_groups.iter().flat_map(|(id, group)| group.rules.iter().map(move |rule| (id, rule)));
    let found = all.filter(|(group, rule)| {
        (ids.is_empty() || ids.contains(&rule.id.as_str()))
            && filters
                .hold(&rule.tags, |name| vec![if name == "group-id" { (*group).clone() } else { rule.id.clone() }])
    });
    listed(form, "securityGroupRuleSet", found.map(|(group, rule)| shown(group, rule)).collect())
}

/// What a request opens or closes, with a description each.
fn sent(network: &Network, form: &Form, is_egress: bool) -> Result<Vec<(Opens, Option<String>)>, Refusal> {
    let mut all = Vec::new();
    for permission in form.flat_structures("IpPermissions") {
        let (protocol, ports) = protocol(&permission)?;
        for (peer, words) in peers(network, &permission)? {
            all.push((Opens { is_egress, protocol: protocol.clone(), ports, peer }, words));
        }
    }
    // One rule can be said without a list.
    if let Some(cidr) = form.text("CidrIp") {
        let (protocol, ports) = protocol(form)?;
        all.push((Opens { is_egress, protocol, ports, peer: Peer::V4(v4(cidr)?) }, None));
    }
    Ok(all)
}

fn protocol(permission: &Form) -> Result<(String, Option<(i64, i64)>), Refusal> {
    let protocol = match permission.required("IpProtocol")?.to_lowercase().as_str() {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "all" => "-1".to_owned(),
        other => other.to_owned(),
    };
    let (from, to) = (permission.int("FromPort")?, permission.int("ToPort")?);
    match protocol.as_str() {
        "tcp" | "udp" => match (from, to) {
            (Some(from), Some(to)) if (0..=65_535).contains(&from) && (from..=65_535).contains(&to) => {
                Ok((protocol, Some((from, to))))
            }
            (Some(_), Some(_)) => {
                Err(Refusal::value("Invalid TCP/UDP port range: ports are 0 to 65535, the first not above the last."))
            }
            _ => Err(Refusal::value("Invalid value for portRange. Must specify both from and to ports with TCP/UDP.")),
        },
        "icmp" | "icmpv6" => Ok((protocol, Some((from.unwrap_or(-1), to.unwrap_or(-1))))),
        // All protocols have all ports, whatever is said of them.
        "-1" => Ok((protocol, None)),
        number if number.parse::<u8>().is_ok() => Ok((protocol, None)),
        other => Err(Refusal::value(format!("Invalid value '{other}' for IP protocol. Unknown protocol."))),
    }
}

fn peers(network: &Network, permission: &Form) -> Result<Vec<(Peer, Option<String>)>, Refusal> {
    let mut peers = Vec::new();
    for range in permission.flat_structures("IpRanges") {
        peers.push((Peer::V4(v4(range.required("CidrIp")?)?), words(&range)?));
    }
    for range in permission.flat_structures("Ipv6Ranges") {
        peers.push((Peer::V6(v6(range.required("CidrIpv6")?)?), words(&range)?));
    }
    for pair in permission.flat_structures("Groups") {
        let id = pair.required("GroupId")?;
        if !network.security_groups.contains_key(id) {
            return Err(Refusal::of("InvalidGroup.NotFound", format!("The security group '{id}' does not exist")));
        }
        peers.push((Peer::Group(id.to_owned()), words(&pair)?));
    }
    Ok(peers)
}

fn words(range: &Form) -> Result<Option<String>, Refusal> {
    let Some(words) = range.text("Description").filter(|words| !words.is_empty()) else { return Ok(None) };
    let fits =
        words.len() <= 255 && words.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c));
    fits.then(|| Some(words.to_owned()))
        .ok_or_else(|| Refusal::value(format!("Invalid rule description '{words}'. It may hold 255 plain characters.")))
}

/// Bits beyond the prefix are refused. Whether AWS clears them instead nobody of us has seen.
fn v4(text: &str) -> Result<String, Refusal> {
    let net = text.parse::<Ipv4Net>().ok().filter(|net| net.trunc() == *net);
    net.map(|net| net.to_string()).ok_or_else(|| malformed(text))
}

fn v6(text: &str) -> Result<String, Refusal> {
    let net = text.parse::<Ipv6Net>().ok().filter(|net| net.trunc() == *net);
    net.map(|net| net.to_string()).ok_or_else(|| malformed(text))
}

fn malformed(text: &str) -> Refusal {
    Refusal::value(format!("CIDR block {text} is malformed"))
}

fn duplicate(opens: &Opens) -> Refusal {
    let peer = match &opens.peer {
        Peer::V4(peer) | Peer::V6(peer) | Peer::Group(peer) => peer,
    };
    let ports = opens.ports.map(|(from, to)| format!(", from port: {from}, to port: {to}")).unwrap_or_default();
    let protocol = if opens.protocol == "-1" { "ALL".to_owned() } else { opens.protocol.to_uppercase() };
    Refusal::of(
        "InvalidPermission.Duplicate",
        format!("the specified rule \"peer: {peer}, {protocol}{ports}, ALLOW\" already exists"),
    )
}

fn shown(group: &str, rule: &Rule) -> Element {
    let Opens { is_egress, protocol, ports, peer } = &rule.opens;
    let element = Element::new("item")
        .put("securityGroupRuleId", &rule.id)
        .put("groupId", group)
        .put("groupOwnerId", ACCOUNT)
        .put("isEgress", is_egress)
        .put("ipProtocol", protocol)
        .put("fromPort", ports.map_or(-1, |(from, _)| from))
        .put("toPort", ports.map_or(-1, |(_, to)| to));
    let element = match peer {
        Peer::V4(cidr) => element.put("cidrIpv4", cidr),
        Peer::V6(cidr) => element.put("cidrIpv6", cidr),
        Peer::Group(id) => element.with(Element::new("referencedGroupInfo").put("groupId", id).put("userId", ACCOUNT)),
    };
    tagged(element.maybe("description", rule.description.as_ref()), &rule.tags)
}
