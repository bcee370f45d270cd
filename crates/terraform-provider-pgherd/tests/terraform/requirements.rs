//! Every HCL fence of the requirements' documentation that has to do with the module, as it stands there, under the real terraform.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use pgherd_emulate::Speed;
use pgherd_emulate::emulation::Emulation;
use pgherd_emulate::wire::{Body, Fields};

use crate::cloud::Cloud;
use crate::world::{World, repository, skipped};

/// What the blocks refer to and do not hold.
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

resource "aws_sns_topic" "alerts" {
  name = "alerts"
}

resource "aws_kms_key" "database" {
  description = "of the database"
}

resource "aws_iam_role" "rds_monitoring" {
  name = "monitoring"
}

provider "pgherd" {
  accept = ["geo-redundant-backup-unavailable", "unencrypted-storage", "version-unavailable", "dr-region-missing"]
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

/// The fences marked `hcl` that hold the module or stand beside it, by their lines.
fn fences() -> BTreeMap<usize, String> {
    let path = repository().join("../shared/requirements/database-module-documentation.md");
    let text = fs::read_to_string(path).unwrap_or_default();
    let (mut fences, mut open) = (BTreeMap::new(), None);
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line) {
            (None, "```hcl") => open = Some((index + 1, String::new())),
            (Some(_), "```") => fences.extend(open.take()),
            (Some((_, fence)), line) => *fence += &format!("{line}\n"),
            (None, _) => {}
        }
    }
    fences
}

/// The two fragments of the summary, each as the arguments of a module.
fn fragments() -> BTreeMap<usize, String> {
    let path = repository().join("../shared/requirements/database-module-summary.md");
    let text = fs::read_to_string(path).unwrap_or_default();
    let parts = text.split("\n```hcl\n").skip(1).filter_map(|part| part.split("\n```").next());
    let arguments = parts.filter(|part| part.contains("db_instance_class"));
    // Beyond the lines of the documentation.
    arguments
        .enumerate()
        .map(|(index, arguments)| {
            let source = "  source = \"./modules/database_postgres\"\n";
            (10_000 + index, format!("module \"database\" {{\n{source}{arguments}\n}}\n"))
        })
        .collect()
}

/// Writes them into one folder, each under a label of its own: one terraform for all is a minute less than one each. What stands beside
/// a module means the one with this line.
fn write(world: &World, fences: &BTreeMap<usize, String>, beside: usize) {
    if !world.work().join("network").is_dir() {
        fs::create_dir(world.work().join("network")).expect("a folder");
    }
    world.install_other("aws");
    world.write("network/main.tf", NETWORK).write("around.tf", AROUND);
    for (line, fence) in fences {
        let of = if fence.contains("database_postgres") { *line } else { beside };
        let text = fence
            .replace("module \"database\"", &format!("module \"line_{line}\""))
            .replace("module.database.", &format!("module.line_{of}."));
        world.write(&format!("line_{line}.tf"), &text);
    }
}

/// Without a name all of them would be one database.
fn named(line: usize, fence: &str) -> String {
    let is_named = fence.lines().any(|line| line.starts_with("  name "));
    let source = "source = \"./modules/database_postgres\"\n";
    if is_named { fence.to_owned() } else { fence.replace(source, &format!("{source}  name = \"line-{line}\"\n")) }
}

#[test]
fn every_block_is_valid_and_planned() {
    let fences = fences();
    if fences.is_empty() {
        return skipped("requirements", "../shared is absent");
    }
    let Some(mut world) = World::beside("requirements") else { return };
    world.set("PGHERD_TARGET", "local");
    let blocks: usize = fences.values().map(|fence| fence.matches("database_postgres").count()).sum();
    assert_eq!((blocks, fences.len(), fragments().len()), (18, 21, 2), "module blocks, fences and fragments");
    let fences: BTreeMap<usize, String> =
        fences.into_iter().chain(fragments()).map(|(line, fence)| (line, named(line, &fence))).collect();
    write(&world, &fences, 834);
    world.run("init").fine();
    world.run("validate").fine();
    // And six resources of another provider in the fences, three around.
    world.run("plan").fine().says("29 to add, 0 to change, 0 to destroy");
}

/// All of them are read back as their blocks have them, so nothing is to be changed.
fn all_are_imported(world: &World, count: usize) {
    world.write("imports.tf", &world.forget_all());
    let expected = format!("{count} to import, 0 to add, 0 to change, 0 to destroy");
    world.run("plan -out=saved").fine().says(&expected);
    world.run("apply saved").fine();
    world.write("imports.tf", "");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// A small one, one with a pooler, one of a test, and what stands beside them.
#[test]
fn some_are_made_on_this_machine() {
    let mut fences = fences();
    if fences.is_empty() {
        return skipped("requirements on this machine", "../shared is absent");
    }
    let Some(mut world) = World::new("requirements on this machine") else { return };
    world.set("PGHERD_TARGET", "local");
    fences.retain(|line, fence| [82, 361, 834, 911].contains(line) || !fence.contains("database_postgres"));
    write(&world, &fences, 834);
    world.run("init").fine();
    world.run("plan -out=saved").fine().says("11 to add");
    world.run("apply saved").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    all_are_imported(&world, 4);
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
}

/// The network of the blocks, into which one may come from outside.
fn surround(cloud: &Cloud) {
    cloud.tamper_in("us-west-2", "ec2", "CreateInternetGateway", &[]);
    // The key that the stand-in of the other provider tells of.
    let key = Body::Fields(Fields::of(serde_json::json!({})).expect("a structure"));
    let made = |emulation: &mut Emulation| emulation.tamper("kms", "us-west-2", "CreateKey", &key, Instant::now());
    drop(cloud.emulator.with(made).expect("it is made"));
    cloud.emulator.with(|emulation| {
        // And the role.
        emulation.role("monitoring", "monitoring.rds.amazonaws.com");
        let around = &mut emulation.region("us-west-2").around;
        around.add_subnet("subnet-1", "us-west-2a", "vpc-1", "10.0.1.0/24".to_owned());
        around.add_subnet("subnet-2", "us-west-2b", "vpc-1", "10.0.2.0/24".to_owned());
        around.vpcs.get_mut("vpc-1").expect("it is there").dns_hostnames = true;
        let new = around.gateways.iter_mut().find(|(_, gateway)| gateway.vpc.is_none());
        let (id, gateway) = new.expect("it was made");
        gateway.vpc = Some("vpc-1".to_owned());
        for table in around.routes.values_mut().filter(|table| table.vpc == "vpc-1") {
            table.routes.insert("0.0.0.0/0".to_owned(), id.clone());
        }
    });
}

#[test]
fn the_rest_is_made_on_aws() {
    let mut fences = fences();
    if fences.is_empty() {
        return skipped("requirements on aws", "../shared is absent");
    }
    let Some(mut cloud) = Cloud::new("requirements on aws", Speed::PerCall { seconds: 30 }) else { return };
    for (name, value) in [("PGHERD_TARGET", "aws"), ("AWS_REGION", "us-west-2")] {
        cloud.world.set(name, value);
    }
    surround(&cloud);
    fences.extend(fragments());
    // A version of Azure's that RDS does not have.
    let there = |fence: &str| fence.replace("server_version = \"11\"", "server_version = \"14\"");
    let fences: BTreeMap<usize, String> =
        fences.into_iter().map(|(line, fence)| (line, named(line, &there(&fence)))).collect();
    let world = &cloud.world;
    write(world, &fences, 787);
    world.run("init").fine();
    // What is accepted is told all the same.
    let planned = world.run("plan -out=saved").fine();
    planned.says("29 to add").says("Warning: No second region is named to keep the copies in.");
    world.run("apply saved").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    all_are_imported(world, 20);
    let free: BTreeMap<usize, String> = fences
        .into_iter()
        .map(|(line, fence)| {
            let fence = fence.replace("enable_deletion_protection = true", "enable_deletion_protection = false");
            // Two blocks give their last snapshot one name.
            (line, fence.replace("\"learning-assistant-final-snapshot\"", &format!("\"final-{line}\"")))
        })
        .collect();
    write(world, &free, 787);
    world.run("apply -auto-approve").fine();
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
}
