//! A public instance is meant to be one, and can be reached.

use ipnet::IpNet;

use super::block::Block;
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;
use crate::value::Value;

pub(super) const CHECK: Check = Check {
    code: "public-access",
    words: "With `publicly_accessible`, somebody on the internet may reach the port: not only private ranges are allowed, and the subnets are not \
            private ones. On Azure a public server has no subnet. On Cloud SQL an instance that is not public has a network (`no-way-in`).",
    fine: &[
        "publicly_accessible = true\nallowed_cidr_blocks = [\"198.51.100.7/32\"]",
        "allowed_cidr_blocks = [\"10.0.0.0/8\"]",
        "publicly_accessible = true\nallowed_cidr_blocks = [var.offices]",
        "cloud_provider = \"gcp\"\nvpc_id = \"default\"",
    ],
    wrong: &[
        Wrong {
            block: "publicly_accessible = true\nallowed_cidr_blocks = [\"10.0.0.0/8\"]",
            says: &[
                "warning publicly_accessible: the instance is public, and every range that is known here is private and never comes from the internet [write the public addresses of those who need it, or publicly_accessible = false]",
            ],
        },
        Wrong {
            block: "publicly_accessible = true\nsubnet_ids = module.network.private_subnets\nallowed_cidr_blocks = [\"198.51.100.7/32\"]",
            says: &[
                "warning publicly_accessible: the instance is public and its subnets are module.network.private_subnets, which the internet does not reach [write public subnets, or publicly_accessible = false]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"gcp\"",
            says: &[
                "error vpc_id: Cloud SQL makes no instance that nobody can reach: it has neither a private network nor a public address [write vpc_id = \"projects/<project>/global/networks/<name>\", or publicly_accessible = true]",
            ],
        },
        Wrong {
            block: "cloud_provider = \"azure\"\npublicly_accessible = true\nsubnet_ids = [\"/subscriptions/s/subnets/db\"]",
            says: &[
                "error publicly_accessible: a server on Azure is either public or in a subnet, and cannot change later [leave subnet_ids out for a public server behind a firewall, or write publicly_accessible = false]",
            ],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let network = &block.spec.network;
    if !network.publicly_accessible {
        return no_way_in(block).into_iter().collect();
    }
    let has_subnets = match &network.subnet_ids {
        Setting::Unset => false,
        Setting::Known(subnets) => !subnets.is_empty(),
        Setting::Unknown(_) => true,
    };
    if block.target() == Cloud::Azure && has_subnets {
        let message = "a server on Azure is either public or in a subnet, and cannot change later";
        let help = "leave subnet_ids out for a public server behind a firewall, or write publicly_accessible = false";
        return vec![block.error("publicly_accessible", message, help)];
    }
    let mut out = Vec::new();
    if block.target() == Cloud::Aws
        && let Some(reference) = private_subnets(block)
    {
        let message =
            format!("the instance is public and its subnets are {reference}, which the internet does not reach");
        let help = "write public subnets, or publicly_accessible = false";
        out.push(block.warning("publicly_accessible", message, help));
    }
    if private_ranges_only(block) && block.target() != Cloud::Local {
        let message =
            "the instance is public, and every range that is known here is private and never comes from the internet";
        let help = "write the public addresses of those who need it, or publicly_accessible = false";
        out.push(block.warning("publicly_accessible", message, help));
    }
    out
}

/// An instance that nobody could reach.
fn no_way_in(block: &Block) -> Option<Diagnostic> {
    (block.target() == Cloud::Gcp && matches!(block.spec.network.vpc_id, Setting::Unset)).then(|| {
        let message =
            "Cloud SQL makes no instance that nobody can reach: it has neither a private network nor a public address";
        let help = "write vpc_id = \"projects/<project>/global/networks/<name>\", or publicly_accessible = true";
        Diagnostic { code: "no-way-in", ..block.error("vpc_id", message, help) }
    })
}

/// Whether there are ranges that are known, and all of them are private. What was written is asked, because a Spec has no list in
/// which a reference is not known.
fn private_ranges_only(block: &Block) -> bool {
    let written = block.inputs.get("allowed_cidr_blocks").and_then(Value::as_list).unwrap_or_default();
    let known: Vec<IpNet> = written.iter().filter_map(Value::as_text).filter_map(|range| range.parse().ok()).collect();
    !known.is_empty() && known.iter().all(is_private)
}

/// The reference to subnets that call themselves private.
fn private_subnets<'a>(block: &'a Block) -> Option<&'a str> {
    let reference = block.inputs.get("subnet_ids").and_then(Value::unknown)?;
    reference.to_ascii_lowercase().contains("private").then_some(reference)
}

/// Within RFC 1918, RFC 6598 or RFC 4193.
fn is_private(range: &IpNet) -> bool {
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "fc00::/7", "::1/128"]
        .iter()
        .filter_map(|private| private.parse::<IpNet>().ok())
        .any(|private| private.contains(range))
}
