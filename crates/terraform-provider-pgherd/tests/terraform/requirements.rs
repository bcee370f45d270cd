//! Every HCL block of both requirement documents, as it stands there, under the real terraform.

use std::fs;

use crate::world::{World, repository, skipped};

/// What the blocks refer to and do not hold, and an AWS provider whose resources nobody has here.
const AROUND: &str = r#"
variable "environment" { default = "test" }
variable "database_password" { default = "Only-for-a-test-1" }
variable "dev_database_password" { default = "Only-for-a-test-1" }
variable "staging_database_password" { default = "Only-for-a-test-1" }
variable "production_database_password" { default = "Only-for-a-test-1" }
variable "gcp_project" { default = "a-project" }
variable "azure_resource_group" { default = "a-group" }

locals {
  common_tags = { Project = "test" }
}

module "network" {
  source = "./network"
}

module "test_network" {
  source = "./network"
}

provider "pgherd" {
  accept = ["automatic-backups-unavailable", "geo-redundant-backup-unavailable", "pooler-missing", "unencrypted-storage"]
}

terraform {
  required_providers {
    pgherd = { source = "local/pgherd/pgherd" }
  }
}
"#;

const NETWORK: &str = r#"
output "vpc_id" { value = "vpc-1" }
output "vpc_cidr" { value = "10.0.0.0/16" }
output "database_subnets" { value = ["subnet-1", "subnet-2"] }
output "private_subnets" { value = ["subnet-1", "subnet-2"] }
"#;

/// The fences marked `hcl` that hold a block for this module, each with its line.
fn fences() -> Vec<(usize, String)> {
    let path = repository().join("../shared/requirements/database-module-documentation.md");
    let text = fs::read_to_string(path).unwrap_or_default();
    let (mut fences, mut open) = (Vec::new(), None);
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line) {
            (None, "```hcl") => open = Some((index + 1, String::new())),
            (Some(_), "```") => fences.extend(open.take()),
            (Some((_, fence)), line) => *fence += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    fences.retain(|(_, fence)| fence.contains("database_postgres"));
    fences
}

/// Without resources of other providers, which are not here: their attributes are what they would be.
fn without_others(fence: &str) -> String {
    let mut inside = false;
    let ours = |line: &&str| {
        inside |= line.starts_with("resource \"aws_");
        let is_ours = !inside;
        inside &= *line != "}";
        is_ours
    };
    let kept: String = fence.split('\n').filter(ours).flat_map(|line| [line, "\n"]).collect();
    kept.replace("aws_kms_key.database.arn", "\"arn:aws:kms:us-west-2:123456789012:key/1\"")
        .replace("aws_iam_role.rds_monitoring.arn", "\"arn:aws:iam::123456789012:role/monitoring\"")
}

/// All of them in one folder, each under a label of its own: one terraform for all is a minute less than one each.
#[test]
fn every_block_is_valid_and_planned() {
    let fences = fences();
    if fences.is_empty() {
        return skipped("requirements", "../shared is absent");
    }
    let Some(mut world) = World::new("requirements") else { return };
    world.set("PGHERD_TARGET", "local");
    fs::create_dir(world.work().join("network")).expect("a folder");
    world.write("network/main.tf", NETWORK).write("around.tf", AROUND);
    let mut blocks = 0;
    for (line, fence) in &fences {
        let text = without_others(fence).replace("module \"database\"", &format!("module \"line_{line}\""));
        blocks += text.matches("database_postgres").count();
        world.write(&format!("line_{line}.tf"), &text);
    }
    assert_eq!(blocks, 18, "module blocks");
    world.run("init").fine();
    world.run("validate").fine();
    world.run("plan").fine().says("18 to add, 0 to change, 0 to destroy");
}
