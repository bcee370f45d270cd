//! Nobody opens a server to the whole internet by accident where only a firewall stands before it.

use ipnet::{IpNet, Ipv4Net};

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "open-to-internet",
    words: "A server on DigitalOcean has a public address whatever `publicly_accessible` says, and only the firewall stands before it: ranges \
            that hold the whole internet, one or several together, are an error. `--accept open-to-internet` gives that up.",
    fine: &[
        "cloud_provider = \"digitalocean\"\nallowed_cidr_blocks = [\"10.0.0.0/8\", \"198.51.100.7/32\"]",
        "cloud_provider = \"digitalocean\"\nallowed_cidr_blocks = [\"0.0.0.0/1\"]",
        "allowed_cidr_blocks = [\"0.0.0.0/0\"]",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nallowed_cidr_blocks = [\"10.0.0.0/8\", \"0.0.0.0/0\"]",
            says: &[
                "error allowed_cidr_blocks[1]: 0.0.0.0/0 lets the whole internet in: a server on DigitalOcean is always public, and only its firewall keeps anybody out [write the ranges of those who need it, such as \"198.51.100.7/32\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nallowed_cidr_blocks = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
            says: &[
                "error allowed_cidr_blocks: these ranges together let the whole internet in: a server on DigitalOcean is always public, and only its firewall keeps anybody out [write the ranges of those who need it, such as \"198.51.100.7/32\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nsecurity_group_rules = [{ type = \"ingress\", from_port = 0, to_port = 0, protocol = \"-1\", cidr_blocks = [\"0.0.0.0/0\"] }]",
            says: &[
                "error security_group_rules[0].cidr_blocks[0]: 0.0.0.0/0 lets the whole internet in: a server on DigitalOcean is always public, and only its firewall keeps anybody out [write the ranges of those who need it, such as \"198.51.100.7/32\"]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    if block.target() != Cloud::DigitalOcean {
        return Vec::new();
    }
    let network = &block.spec.network;
    let mut all = listed("allowed_cidr_blocks", &network.allowed_cidr_blocks);
    for (index, rule) in network.rules.iter().enumerate().filter(|(_, rule)| rule.ingress) {
        all.extend(listed(&format!("security_group_rules[{index}].cidr_blocks"), &rule.cidr_blocks));
    }
    let error = |at: &str, what: &str| {
        let message = format!(
            "{what} the whole internet in: a server on DigitalOcean is always public, and only its firewall keeps anybody out"
        );
        block.error(at, message, "write the ranges of those who need it, such as \"198.51.100.7/32\"")
    };
    let whole: Vec<Diagnostic> = all
        .iter()
        .filter(|(_, range)| range.prefix_len() == 0)
        .map(|(at, range)| error(at, &format!("{range} lets")))
        .collect();
    if !whole.is_empty() {
        return whole;
    }
    let ranges: Vec<Ipv4Net> = all.iter().map(|(_, range)| *range).collect();
    let is_all = Ipv4Net::aggregate(&ranges).iter().any(|range| range.prefix_len() == 0);
    is_all.then(|| error("allowed_cidr_blocks", "these ranges together let")).into_iter().collect()
}

/// The ranges of a list that are known, with where they stand. IPv6 is refused there anyway.
fn listed(list: &str, written: &[Setting<String>]) -> Vec<(String, Ipv4Net)> {
    let known = |(index, text): (usize, &Setting<String>)| match text.known()?.parse().ok()? {
        IpNet::V4(range) => Some((format!("{list}[{index}]"), range.trunc())),
        IpNet::V6(_) => None,
    };
    written.iter().enumerate().filter_map(known).collect()
}
