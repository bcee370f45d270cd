//! Every HCL fence of the requirements' documentation that has to do with the module, as it stands there, under the real terraform.

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use pgherd_emulate::Speed;
use pgherd_emulate::emulation::Emulation;
use pgherd_emulate::wire::{Body, Fields};

use crate::cloud::Cloud;
use crate::world::{World, plain, repository, skipped};

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

/// Every fence, each with a name of its own: without one all of them would be one database.
fn all() -> BTreeMap<usize, String> {
    let (fences, fragments) = (fences(), fragments());
    let blocks: usize = fences.values().map(|fence| fence.matches("database_postgres").count()).sum();
    assert_eq!((blocks, fences.len(), fragments.len()), (18, 21, 2), "module blocks, fences and fragments");
    fences.into_iter().chain(fragments).map(|(line, fence)| (line, named(line, &fence))).collect()
}

fn named(line: usize, fence: &str) -> String {
    let is_named = fence.lines().any(|line| line.starts_with("  name "));
    let source = "source = \"./modules/database_postgres\"\n";
    if is_named { fence.to_owned() } else { fence.replace(source, &format!("{source}  name = \"line-{line}\"\n")) }
}

fn is_there() -> bool {
    repository().join("../shared/requirements").is_dir()
}

/// What surrounds the blocks, and the codes of the errors that have to be accepted.
fn surrounded(world: &World, accepted: &[&str]) {
    fs::create_dir(world.work().join("network")).expect("a folder");
    world.install_other("aws");
    let block = format!("provider \"pgherd\" {{\n  accept = {accepted:?}\n}}\n");
    world.write("network/main.tf", NETWORK).write("around.tf", &format!("{AROUND}{block}"));
}

/// Writes them into one folder, each under a label of its own: one terraform for all is a minute less than one each. What stands beside
/// a module means the one with this line.
fn write(world: &World, fences: &BTreeMap<usize, String>, beside: usize) {
    for (line, fence) in fences {
        let of = if fence.contains("database_postgres") { *line } else { beside };
        let text = fence
            .replace("module \"database\"", &format!("module \"line_{line}\""))
            .replace("module.database.", &format!("module.line_{of}."));
        world.write(&format!("line_{line}.tf"), &text);
    }
}

/// Everything that happens to a database, with all of them at once: 18 blocks and two fragments, six resources of another provider in the
/// fences beside a module, and three around.
fn lived_through(world: &World, fences: &BTreeMap<usize, String>, beside: usize, warned: &str) {
    write(world, fences, beside);
    world.run("init").fine();
    world.run("validate").fine();
    // What is accepted is told all the same.
    world.run("plan -out=saved").fine().says("29 to add, 0 to change, 0 to destroy").says(warned);
    world.run("apply saved").fine().says("29 added, 0 changed, 0 destroyed");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    // All of them are read back as their blocks have them, also where what is not to be had was accepted.
    world.write("imports.tf", &world.forget_all());
    world.run("plan").fine().says("20 to import, 0 to add, 0 to change, 0 to destroy");
    let free: BTreeMap<usize, String> = fences
        .iter()
        .map(|(line, fence)| {
            let fence = fence.replace("enable_deletion_protection = true", "enable_deletion_protection = false");
            // Two blocks give their last snapshot one name.
            (*line, fence.replace("\"learning-assistant-final-snapshot\"", &format!("\"final-{line}\"")))
        })
        .collect();
    let protected = fences.iter().filter(|(line, fence)| free[line] != **fence).count();
    write(world, &free, beside);
    let freed = format!("20 imported, 0 added, {protected} changed, 0 destroyed");
    world.run("apply -auto-approve").fine().says(&freed);
    world.run("destroy -auto-approve").fine().says("Destroy complete! Resources: 29 destroyed.");
}

/// As they stand, pairs, replicas and poolers among them. What this machine does not have (a second repository, a key of AWS's
/// own) is accepted by name; of a version that it does not have it runs the nearest newer one, and says so.
///
/// Twenty databases of some forty servers at once take 3.6 GB of disk and 0.4 GB of memory: the check's own /tmp has 6 GB.
#[test]
fn every_block_lives_on_this_machine() {
    if !is_there() {
        return skipped("requirements on this machine", "../shared is absent");
    }
    let Some(mut world) = World::new("requirements on this machine") else { return };
    world.set("PGHERD_TARGET", "local");
    surrounded(&world, &["customer-key-unavailable", "geo-redundant-backup-unavailable"]);
    let warned = "Warning: This machine has no second repository that would keep a copy of its backups.";
    lived_through(&world, &all(), 834, warned);
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

/// As they stand, but for one line: PostgreSQL 11, which one block asks for, nobody can make on RDS any more. It is refused with the line to
/// write instead, and that is what is put in its place.
#[test]
fn every_block_lives_on_aws() {
    if !is_there() {
        return skipped("requirements on aws", "../shared is absent");
    }
    let Some(mut cloud) = Cloud::new("requirements on aws", Speed::PerCall { seconds: 30 }) else { return };
    for (name, value) in [("PGHERD_TARGET", "aws"), ("AWS_REGION", "us-west-2")] {
        cloud.world.set(name, value);
    }
    surround(&cloud);
    let world = &cloud.world;
    surrounded(world, &["dr-region-missing", "version-unavailable"]);
    let mut fences = all();
    let old = "server_version = \"11\"";
    let (line, azure) = fences.iter().find(|(_, fence)| fence.contains(old)).expect("a block of Azure's");
    let (line, azure) = (*line, azure.clone());
    write(world, &BTreeMap::from([(line, azure.clone())]), 0);
    world.run("init").fine();
    let refused =
        world.run("plan").with_code(1).says("Error: RDS creates no PostgreSQL 11 without paid extended support");
    // What the target says stands in the module, at the variable's name: no validation may ask it.
    let refused = refused.says("engine_version = local.resolved.engine_version");
    let said = plain(&refused.said);
    let (_, advice) = said.split_once("Write engine_version = \"").expect("the line to write instead");
    let version = advice.split('"').next().unwrap_or_default();
    fences.insert(line, azure.replace(old, &format!("engine_version = \"{version}\"")));
    lived_through(world, &fences, 787, "Warning: No second region is named to keep the copies in.");
}
