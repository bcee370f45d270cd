//! Firewall rules are ones a firewall can hold.

use super::block::{Block, or};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::SecurityRule;

pub(super) const CHECK: Check = Check {
    code: "security-group-rule",
    words: "Each of `security_group_rules` has a known protocol, its ports in order and somebody it is for. DigitalOcean's firewall knows only \
            who may come in, on the port of the database.",
    fine: &[
        "cloud_provider = \"digitalocean\"\nsecurity_group_rules = [{ type = \"ingress\", from_port = 0, to_port = 0, protocol = \"-1\", cidr_blocks = [\"10.0.0.0/16\"] }]",
        "security_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/16\"] }]",
        "security_group_rules = [{ type = \"egress\", from_port = 0, to_port = 0, protocol = \"-1\", cidr_blocks = [\"0.0.0.0/0\"] }]",
    ],
    wrong: &[
        Wrong {
            block: "security_group_rules = [{ type = \"ingress\", from_port = 5433, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/16\"] }]",
            says: &[
                "error security_group_rules[0].from_port: the rule goes from port 5433 to port 5432, which is below it [write the lower port first]",
            ],
        },
        Wrong {
            block: "security_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tpc\", cidr_blocks = [\"10.0.0.0/16\"] }]",
            says: &[
                "error security_group_rules[0].protocol: \"tpc\" is no protocol of a firewall rule [write tcp, udp, icmp or -1; -1 is every protocol]",
            ],
        },
        Wrong {
            block: "security_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\" }]",
            says: &[
                "warning security_group_rules[0]: the rule is for nobody: it has no cidr_blocks [write cidr_blocks, or leave the rule out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"aws\"\nsecurity_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/16\"], description = \"Bob's office\" }]",
            says: &[
                "error security_group_rules[0].description: EC2 takes no '\\'' in the description of a rule [write letters, digits, blanks and ._-:/()#,@[]+=&;{}!$*]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nsecurity_group_rules = [{ type = \"ingress\", from_port = 80, to_port = 443, protocol = \"tcp\", cidr_blocks = [\"10.0.0.0/16\"] }]",
            says: &[
                "error security_group_rules[0]: DigitalOcean's firewall opens the port of the database only, and this rule is for tcp 80 to 443 [write tcp from 5432 to 5432, or leave the rule out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nsecurity_group_rules = [{ type = \"ingress\", from_port = 80, to_port = 443, protocol = \"-1\", cidr_blocks = [\"10.0.0.0/16\"] }]",
            says: &[
                "error security_group_rules[0]: DigitalOcean's firewall opens the port of the database only, and this rule is for every protocol, 80 to 443 [write tcp from 5432 to 5432, or leave the rule out]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"digitalocean\"\nsecurity_group_rules = [{ type = \"egress\", from_port = 0, to_port = 0, protocol = \"-1\", cidr_blocks = [\"10.0.0.0/16\"] }]",
            says: &[
                "error security_group_rules[0]: DigitalOcean's firewall only says who may come in, and this rule is about what goes out [leave the rule out]",
            ],
        },
    ],
    rule,
};

/// The port a block speaks of, and the one DigitalOcean listens on.
const DIGITALOCEAN_PORTS: [u16; 2] = [5432, 25060];

const PROTOCOLS: &[&str] = &["tcp", "udp", "icmp", "-1"];

fn rule(block: &Block) -> Vec<Diagnostic> {
    let rules = block.spec.network.rules.iter().enumerate();
    rules.flat_map(|(index, rule)| one(block, &format!("security_group_rules[{index}]"), rule)).collect()
}

/// botocore 1.43.11, `IpRange.Description`.
fn is_of_description(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(letter)
}

fn one(block: &Block, at: &str, rule: &SecurityRule) -> Vec<Diagnostic> {
    let SecurityRule { ingress, from_port, to_port, protocol, cidr_blocks, description } = rule;
    let mut out = Vec::new();
    if !PROTOCOLS.contains(&protocol.as_str()) {
        let message = format!("\"{protocol}\" is no protocol of a firewall rule");
        out.push(block.error(
            &format!("{at}.protocol"),
            message,
            format!("write {}; -1 is every protocol", or(PROTOCOLS)),
        ));
    }
    if from_port > to_port {
        let message = format!("the rule goes from port {from_port} to port {to_port}, which is below it");
        out.push(block.error(&format!("{at}.from_port"), message, "write the lower port first"));
    }
    if block.target() == Cloud::Aws
        && let Some(wrong) = description.iter().flat_map(|text| text.chars()).find(|letter| !is_of_description(*letter))
    {
        let message = format!("EC2 takes no {wrong:?} in the description of a rule");
        let help = "write letters, digits, blanks and ._-:/()#,@[]+=&;{}!$*";
        out.push(block.error(&format!("{at}.description"), message, help));
    }
    if cidr_blocks.is_empty() {
        let message = "the rule is for nobody: it has no cidr_blocks";
        out.push(block.warning(at, message, "write cidr_blocks, or leave the rule out"));
    }
    if block.target() == Cloud::DigitalOcean && !ingress {
        let message = "DigitalOcean's firewall only says who may come in, and this rule is about what goes out";
        out.push(block.error(at, message, "leave the rule out"));
    } else if block.target() == Cloud::DigitalOcean {
        let opens = DIGITALOCEAN_PORTS.iter().any(|port| (*from_port..=*to_port).contains(port));
        // Every protocol is every port, which is written as 0 to 0. With other ports nobody can tell what was meant.
        let is_everything = protocol == "-1" && (*from_port, *to_port) == (0, 0);
        let opens_it = is_everything || (["tcp", "-1"].contains(&protocol.as_str()) && opens);
        if !opens_it {
            let what = if protocol == "-1" { "every protocol," } else { protocol };
            let message = format!(
                "DigitalOcean's firewall opens the port of the database only, and this rule is for {what} {from_port} to {to_port}"
            );
            out.push(block.error(at, message, "write tcp from 5432 to 5432, or leave the rule out"));
        }
    }
    out
}
