//! Address ranges are ranges, written as networks, each once, and not the whole world by accident.

use std::net::IpAddr;

use ipnet::IpNet;

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "cidr",
    words: "Every range in `allowed_cidr_blocks` and `security_group_rules` is IPv4 or IPv6 in CIDR notation (IPv4 only on Azure and \
            DigitalOcean). Bits beyond the prefix, repetitions and the whole internet in front of a public instance are warned about; \
            ranges within others are noted.",
    fine: &[
        r#"allowed_cidr_blocks = ["10.0.0.0/16", "172.16.0.0/12", "fd00::/8"]"#,
        "allowed_cidr_blocks = [module.network.vpc_cidr, \"10.0.0.0/8\"]",
        "publicly_accessible = true\nallowed_cidr_blocks = [\"198.51.100.7/32\"]",
    ],
    wrong: &[
        Wrong {
            block: r#"allowed_cidr_blocks = ["10.0.0.0"]"#,
            says: &[
                "error allowed_cidr_blocks[0]: \"10.0.0.0\" is no range of addresses [write \"10.0.0.0/32\" for this one address]",
            ],
        },
        Wrong {
            block: r#"allowed_cidr_blocks = ["10.0.0.0/33", "ten/8"]"#,
            says: &[
                "error allowed_cidr_blocks[0]: \"10.0.0.0/33\" is no range of addresses [write a prefix of 0 to 32 after the slash]",
                "error allowed_cidr_blocks[1]: \"ten/8\" is no range of addresses [write an address, a slash and a prefix, such as \"10.0.0.0/16\"]",
            ],
        },
        Wrong {
            block: r#"allowed_cidr_blocks = ["10.0.0.7/8"]"#,
            says: &[
                "warning allowed_cidr_blocks[0]: 10.0.0.7/8 has bits beyond its prefix, and means 10.0.0.0/8 [write \"10.0.0.0/8\", or \"10.0.0.7/32\" for the one address]",
            ],
        },
        Wrong {
            block: r#"allowed_cidr_blocks = ["10.0.0.0/8", "10.0.0.0/8"]"#,
            says: &["warning allowed_cidr_blocks[1]: 10.0.0.0/8 is there twice [leave one of them out]"],
        },
        Wrong {
            block: r#"allowed_cidr_blocks = ["10.1.0.0/16", "10.0.0.0/8"]"#,
            says: &[
                "note allowed_cidr_blocks[1]: 10.0.0.0/8 holds 10.1.0.0/16, which is there too [leave one of them out]",
            ],
        },
        Wrong {
            block: "publicly_accessible = true\nallowed_cidr_blocks = [\"0.0.0.0/0\"]",
            says: &[
                "warning allowed_cidr_blocks[0]: 0.0.0.0/0 lets the whole internet reach the port of a public instance [write the ranges of those who need it, such as \"198.51.100.7/32\"]",
            ],
        },
        Wrong {
            block: r#"allowed_cidr_blocks = ["::/0"]"#,
            says: &[
                "note allowed_cidr_blocks[0]: ::/0 lets everybody in the network reach the port [write the ranges of those who need it, such as \"198.51.100.7/32\"]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\nallowed_cidr_blocks = [\"fd00::/8\"]",
            says: &[
                "error allowed_cidr_blocks[0]: firewall rules of Azure take IPv4 only, and fd00::/8 is IPv6 [leave it out]",
            ],
        },
        Wrong {
            block: "security_group_rules = [{ type = \"ingress\", from_port = 5432, to_port = 5432, protocol = \"tcp\", cidr_blocks = [\"10.0.0.1/8\"] }]",
            says: &[
                "warning security_group_rules[0].cidr_blocks[0]: 10.0.0.1/8 has bits beyond its prefix, and means 10.0.0.0/8 [write \"10.0.0.0/8\", or \"10.0.0.1/32\" for the one address]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let network = &block.spec.network;
    let mut out = ranges(block, "allowed_cidr_blocks", &network.allowed_cidr_blocks, true);
    for (index, rule) in network.rules.iter().enumerate() {
        out.extend(ranges(
            block,
            &format!("security_group_rules[{index}].cidr_blocks"),
            &rule.cidr_blocks,
            rule.ingress,
        ));
    }
    out
}

fn ranges(block: &Block, list: &str, written: &[Setting<String>], ingress: bool) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let mut seen: Vec<(usize, IpNet)> = Vec::new();
    for (index, text) in written.iter().enumerate() {
        let Some(text) = text.known() else { continue };
        let at = format!("{list}[{index}]");
        let range: IpNet = match text.parse() {
            Ok(range) => range,
            Err(_) => {
                out.push(not_a_range(block, &at, text));
                continue;
            }
        };
        out.extend(one(block, &at, range, ingress));
        out.extend(seen.iter().find_map(|(_, other)| among_others(block, &at, range, *other)));
        seen.push((index, range.trunc()));
    }
    out
}

fn not_a_range(block: &Block, at: &str, text: &str) -> Diagnostic {
    let message = format!("\"{text}\" is no range of addresses");
    let help = match (text.parse::<IpAddr>(), text.split_once('/').map(|(address, _)| address.parse::<IpAddr>())) {
        (Ok(IpAddr::V4(_)), _) => format!("write \"{text}/32\" for this one address"),
        (Ok(IpAddr::V6(_)), _) => format!("write \"{text}/128\" for this one address"),
        (Err(_), Some(Ok(IpAddr::V4(_)))) => "write a prefix of 0 to 32 after the slash".to_owned(),
        (Err(_), Some(Ok(IpAddr::V6(_)))) => "write a prefix of 0 to 128 after the slash".to_owned(),
        (Err(_), Some(Err(_)) | None) => "write an address, a slash and a prefix, such as \"10.0.0.0/16\"".to_owned(),
    };
    block.error(at, message, help)
}

fn one(block: &Block, at: &str, range: IpNet, ingress: bool) -> Option<Diagnostic> {
    let cloud = block.target();
    if matches!(range, IpNet::V6(_)) && matches!(cloud, Cloud::Azure | Cloud::DigitalOcean) {
        let message = format!("firewall rules of {} take IPv4 only, and {range} is IPv6", service(cloud));
        return Some(block.error(at, message, "leave it out"));
    }
    if range.trunc() != range {
        let message = format!("{range} has bits beyond its prefix, and means {}", range.trunc());
        let single = IpNet::from(range.addr());
        return Some(block.warning(
            at,
            message,
            format!("write \"{}\", or \"{single}\" for the one address", range.trunc()),
        ));
    }
    // What that means on DigitalOcean has a code of its own (`open_to_internet`).
    if range.prefix_len() == 0 && ingress && cloud != Cloud::DigitalOcean {
        let help = "write the ranges of those who need it, such as \"198.51.100.7/32\"";
        return Some(if block.spec.network.publicly_accessible {
            block.warning(at, format!("{range} lets the whole internet reach the port of a public instance"), help)
        } else {
            block.note(at, format!("{range} lets everybody in the network reach the port"), help)
        });
    }
    None
}

fn among_others(block: &Block, at: &str, range: IpNet, other: IpNet) -> Option<Diagnostic> {
    let range = range.trunc();
    let help = "leave one of them out";
    if range == other {
        Some(block.warning(at, format!("{range} is there twice"), help))
    } else if other.contains(&range) {
        Some(block.note(at, format!("{range} is within {other}, which is there already"), help))
    } else if range.contains(&other) {
        Some(block.note(at, format!("{range} holds {other}, which is there too"), help))
    } else {
        None
    }
}
