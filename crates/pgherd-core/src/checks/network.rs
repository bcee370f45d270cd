//! Networks and subnets are named in the target's own way.

use super::block::{Block, service};
use super::{Check, Wrong};
use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::Setting;

pub(super) const CHECK: Check = Check {
    code: "network-id",
    words: "`vpc_id`, `subnet_ids`, `security_group_ids` and `allowed_security_group_ids` are ids of the target: vpc-, subnet- and sg- are \
            AWS's. RDS wants subnets in two zones, so at least two of them; Azure takes one.",
    fine: &[
        r#"vpc_id = "vpc-0a1b2c3d""#,
        "vpc_id = \"vpc-0a1b2c3d\"\nsubnet_ids = [\"subnet-1\", \"subnet-2\"]",
        "cloud_provider = \"local\"\nvpc_id = \"vpc-0a1b2c3d\"\nsubnet_ids = [\"subnet-1\"]",
    ],
    wrong: &[
        Wrong {
            block: "cloud_provider = \"gcp\"\nvpc_id = \"vpc-0a1b2c3d\"",
            says: &[
                "error vpc_id: \"vpc-0a1b2c3d\" is the id of an AWS VPC, and the block runs on Cloud SQL [write projects/<project>/global/networks/<name>]",
            ],
        },
        Wrong {
            block: r#"vpc_id = "projects/p/global/networks/n""#,
            says: &[
                "error vpc_id: \"projects/p/global/networks/n\" is no id of a VPC, and the block runs on RDS [write one that begins with \"vpc-\"]",
            ],
        },
        Wrong {
            block: r#"subnet_ids = ["subnet-1"]"#,
            says: &[
                "error subnet_ids: RDS wants subnets in two zones at least, and there is one subnet [add a subnet of another zone, or leave subnet_ids out for the default network]",
            ],
        },
        Wrong {
            block: r#"subnet_ids = ["subnet-1", "subnet-1"]"#,
            says: &["error subnet_ids[1]: this subnet is there twice [leave it out here]"],
        },
        Wrong {
            block: r#"allowed_security_group_ids = ["10.0.0.0/8"]"#,
            says: &[
                "error allowed_security_group_ids[0]: \"10.0.0.0/8\" is no id of a security group [write one that begins with \"sg-\"]",
            ],
        },
        Wrong {
            block: "create_security_group = false\nsecurity_group_ids = [\"sg-1\"]\nallowed_security_group_ids = [\"sg-2\"]",
            says: &[
                "warning allowed_security_group_ids: nobody is let in by that, as no security group is made whose rules could say so [write create_security_group = true, or let them in by a rule of your own group]",
            ],
        },
        Wrong {
            block: r#"subnet_ids = ["vpc-1", "subnet-1"]"#,
            says: &["error subnet_ids[0]: \"vpc-1\" is no id of a subnet [write one that begins with \"subnet-\"]"],
        },
    ],
    rule,
};

fn rule(block: &Block) -> Vec<Diagnostic> {
    let network = &block.spec.network;
    let mut out = Vec::new();
    if let Setting::Known(id) = &network.vpc_id {
        out.extend(network_id(block, id));
    }
    out.extend(subnets(block));
    if block.target() == Cloud::Aws {
        out.extend(groups(block, "security_group_ids", &network.security_group_ids));
        out.extend(groups(block, "allowed_security_group_ids", &network.allowed_security_group_ids));
        if !network.create_security_group && !network.allowed_security_group_ids.is_empty() {
            let message = "nobody is let in by that, as no security group is made whose rules could say so";
            let help = "write create_security_group = true, or let them in by a rule of your own group";
            out.push(block.warning("allowed_security_group_ids", message, help));
        }
    }
    out
}

fn groups(block: &Block, variable: &str, ids: &[Setting<String>]) -> Vec<Diagnostic> {
    let wrong = |(index, id): (usize, &Setting<String>)| {
        let id = id.known().filter(|id| !id.starts_with("sg-"))?;
        let message = format!("\"{id}\" is no id of a security group");
        Some(block.error(&format!("{variable}[{index}]"), message, "write one that begins with \"sg-\""))
    };
    ids.iter().enumerate().filter_map(wrong).collect()
}

fn network_id(block: &Block, id: &str) -> Option<Diagnostic> {
    let is_aws = id.starts_with("vpc-");
    let (problem, help) = match block.target() {
        Cloud::Aws if !is_aws => ("no id of a VPC", "write one that begins with \"vpc-\""),
        Cloud::Gcp if is_aws => ("the id of an AWS VPC", "write projects/<project>/global/networks/<name>"),
        Cloud::Azure if is_aws => {
            ("the id of an AWS VPC", "write the id of a virtual network, /subscriptions/.../virtualNetworks/<name>")
        }
        Cloud::DigitalOcean if is_aws => {
            ("the id of an AWS VPC", "write the UUID of a VPC, or leave it out for the region's default")
        }
        Cloud::Aws | Cloud::Gcp | Cloud::Azure | Cloud::DigitalOcean | Cloud::Local => return None,
    };
    Some(block.error(
        "vpc_id",
        format!("\"{id}\" is {problem}, and the block runs on {}", service(block.target())),
        help,
    ))
}

fn subnets(block: &Block) -> Vec<Diagnostic> {
    let Setting::Known(subnets) = &block.spec.network.subnet_ids else { return Vec::new() };
    let mut out = Vec::new();
    match block.target() {
        Cloud::Aws => {
            for (index, id) in subnets.iter().enumerate() {
                let at = format!("subnet_ids[{index}]");
                if subnets[..index].contains(id) && id.known().is_some() {
                    out.push(block.error(&at, "this subnet is there twice", "leave it out here"));
                } else if let Some(id) = id.known().filter(|id| !id.starts_with("subnet-")) {
                    out.push(block.error(
                        &at,
                        format!("\"{id}\" is no id of a subnet"),
                        "write one that begins with \"subnet-\"",
                    ));
                }
            }
            if subnets.len() == 1 {
                let message = "RDS wants subnets in two zones at least, and there is one subnet";
                out.push(block.error(
                    "subnet_ids",
                    message,
                    "add a subnet of another zone, or leave subnet_ids out for the default network",
                ));
            }
        }
        Cloud::Azure if subnets.len() > 1 => {
            let message = format!("Azure takes one subnet delegated to PostgreSQL, and there are {}", subnets.len());
            out.push(block.error("subnet_ids", message, "write the delegated subnet alone"));
        }
        Cloud::Azure | Cloud::Gcp | Cloud::DigitalOcean | Cloud::Local => {}
    }
    out
}
