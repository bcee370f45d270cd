//! Databases on an emulated AWS: from plan to destroy with the same module, and whatever else may happen to them on the way.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::Instant;

use pgherd_emulate::emulation::Emulation;
use pgherd_emulate::faults::{Fault, Planned};
use pgherd_emulate::wire::form::Form;
use pgherd_emulate::wire::{Body, Fields, Said};
use pgherd_emulate::{Emulator, Options, Running, Speed};
use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::world::{World, installed, plain, skipped, wait};

pub const REGION: &str = "eu-central-1";

const FILE: &str = r#"
module "orders" {
  source                     = "./modules/database_postgres"
  cloud_provider             = "aws"
  aws_region                 = "eu-central-1"
  name                       = "orders"
  engine_version             = "17"
  skip_final_snapshot        = true
  enable_deletion_protection = false
}

output "secret" {
  value = module.orders.db_credentials_secret_arn
}
"#;

/// A world with an account of its own.
pub struct Cloud {
    pub world: World,
    pub emulator: Running,
    _beside: Runtime,
}

impl Cloud {
    pub fn new(test: &str, speed: Speed) -> Option<Self> {
        let mut world = World::beside(test)?;
        let beside = Runtime::new().expect("a runtime");
        let options = Options { speed, ..Options::default() };
        let emulator = beside.block_on(Emulator::start(options)).expect("it listens");
        for (name, value) in [
            ("AWS_ENDPOINT_URL", emulator.url().as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "a-secret-that-is-nobodys"),
            // What RDS still offers goes by the day.
            ("PGHERD_NOW", "2026-11-25T12:00:00Z"),
        ] {
            world.set(name, value);
        }
        Some(Self { world, emulator, _beside: beside })
    }

    /// Time goes on with every call.
    fn quick(test: &str) -> Option<Self> {
        Self::new(test, Speed::PerCall { seconds: 30 })
    }

    /// How many calls changed something.
    fn writes(&self) -> usize {
        let reads = ["Describe", "Get", "List"];
        self.emulator.asked().iter().filter(|asked| !reads.iter().any(|read| asked.action.starts_with(read))).count()
    }

    /// How often this was asked.
    fn times(&self, action: &str) -> usize {
        self.emulator.asked().iter().filter(|asked| asked.action == action).count()
    }

    /// What came of this when it was asked last.
    fn last(&self, action: &str) -> Option<String> {
        let asked = self.emulator.asked();
        asked.iter().rev().find(|asked| asked.action == action).map(|asked| asked.outcome.clone())
    }

    /// Does something as somebody else would.
    fn tamper(&self, action: &str, parameters: &[(&str, &str)]) {
        self.tamper_in(REGION, "rds", action, parameters);
    }

    /// The same anywhere.
    pub fn tamper_in(&self, region: &str, service: &str, action: &str, parameters: &[(&str, &str)]) {
        let pairs = std::iter::once(("Action", action)).chain(parameters.iter().copied());
        let body = Body::Form(Form::of(pairs));
        self.emulator
            .with(|emulation| emulation.tamper(service, region, action, &body, Instant::now()).map(drop))
            .unwrap_or_else(|refusal| panic!("{action}: {refusal:?}"));
    }

    /// The password that a database's secret holds.
    fn password(&self, name: &str) -> String {
        let asked = serde_json::json!({ "SecretId": format!("pgherd/{name}/master") });
        let asked = Body::Fields(Fields::of(asked).expect("a structure"));
        let read = |emulation: &mut Emulation| {
            emulation.tamper("secretsmanager", REGION, "GetSecretValue", &asked, Instant::now())
        };
        let Ok(Said::Fields(told)) = self.emulator.with(read) else { panic!("the secret of {name} is read") };
        let document: serde_json::Value =
            serde_json::from_str(told["SecretString"].as_str().expect("text")).expect("JSON");
        document["password"].as_str().expect("text").to_owned()
    }

    /// Lets the emulator's time go on until the run has ended; its exit code.
    fn let_end(&self, child: &mut Child) -> Option<i32> {
        let mut code = None;
        wait("the end of terraform", || {
            self.emulator.advance(jiff::SignedDuration::from_secs(30));
            code = child.try_wait().expect("it is ours");
            code.is_some()
        });
        code.and_then(|status| status.code())
    }
}

#[test]
fn a_database_from_plan_to_destroy() {
    let Some(cloud) = Cloud::quick("cloud") else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    world.run("plan -out=saved").fine().says("1 to add").says("+ instance orders created now");
    assert_eq!(cloud.writes(), 0, "a plan writes nothing");
    world.run("apply saved").fine().says("secret = \"arn:aws:secretsmanager:eu-central-1");
    let made = cloud.writes();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("apply -auto-approve").fine();
    // The command line sees the same database, as one of its own.
    assert!(world.pgherd("plan --file main.tf").contains("No changes."));
    assert_eq!(cloud.writes(), made, "an empty plan writes nothing");
    world.pgherd("adopt --file main.tf --yes");
    what_others_change_is_put_right(&cloud);
    what_is_anothers_is_not_forgotten(&cloud);
    another_label_is_no_change(&cloud);
    let said = "no last backup is taken (skip_final_snapshot), and its automated backups go with it.";
    world.run("plan -destroy").fine().says(said).says("- instance orders destroyed, with its data");
    // Terraform plans an update before it plans the end, and that one may be refused.
    let file = fs::read_to_string(world.work().join("main.tf")).expect("a file");
    world.write("main.tf", &file.replace("\"17\"", "\"16\""));
    world
        .run("destroy -auto-approve")
        .with_code(1)
        .says("cannot go back to 16")
        .says("terraform destroy -refresh=false");
    world.run("destroy -refresh=false -auto-approve").fine().says("Destroy complete!");
}

/// A key that is taken out of the block stays with the database, and that is said.
#[test]
fn what_stays_although_it_was_taken_out_is_said() {
    let Some(cloud) = Cloud::quick("stays") else { return };
    let world = &cloud.world;
    let key = Body::Fields(Fields::of(serde_json::json!({})).expect("a structure"));
    let made = cloud.emulator.with(|emulation| emulation.tamper("kms", REGION, "CreateKey", &key, Instant::now()));
    let Ok(Said::Fields(made)) = made else { panic!("a key is made") };
    let key = made["KeyMetadata"]["Arn"].as_str().expect("its name").to_owned();
    world.write("main.tf", &FILE.replace("\n}\n\noutput", &format!("\n  kms_key_id = \"{key}\"\n}}\n\noutput")));
    world.run("init").fine();
    world.run("apply -auto-approve").fine();
    world.write("main.tf", FILE);
    let planned = world.run("plan").fine().says(&format!("orders stays encrypted with {key}"));
    planned.says(&format!("Write kms_key_id = \"{key}\""));
}

/// The same file, module and provider under the other program that speaks this protocol.
#[test]
fn opentofu_does_the_same() {
    let Some(tofu) = installed("tofu") else { return skipped("opentofu", "no tofu is installed") };
    let Some(mut cloud) = Cloud::quick("opentofu") else { return };
    cloud.world.run_by(tofu);
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    world.run("validate").fine();
    world.run("plan -out=saved").fine().says("1 to add").says("+ instance orders created now");
    world.run("apply saved").fine().says("secret = \"arn:aws:secretsmanager:eu-central-1");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.write("main.tf", &FILE.replace("\n}\n\noutput", "\n  backup_retention_period = 36\n}\n\noutput"));
    world.run("plan").with_code(1).says("Backups can be kept for at most 35 days, not 36.").says("on main.tf line");
    world.write("main.tf", FILE);
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
}

fn another_label_is_no_change(cloud: &Cloud) {
    let world = &cloud.world;
    let moved = "moved {\n  from = module.orders\n  to   = module.sales\n}\n";
    world.write(
        "main.tf",
        &(FILE.replace("module \"orders\"", "module \"sales\"").replace("module.orders.", "module.sales.") + moved),
    );
    world.run("init").fine();
    world.run("apply -auto-approve").fine().says("0 added, 0 changed, 0 destroyed");
}

const DAYS: &str = "BackupRetentionPeriod";

/// Kept by others at this many days.
fn kept(cloud: &Cloud, days: &str) {
    cloud.tamper("ModifyDBInstance", &[("DBInstanceIdentifier", "orders"), (DAYS, days), ("ApplyImmediately", "true")]);
    // Until it is so; a look alone takes less time than that.
    cloud.emulator.advance(jiff::SignedDuration::from_mins(10));
}

fn what_others_change_is_put_right(cloud: &Cloud) {
    let world = &cloud.world;
    kept(cloud, "3");
    world.run("plan -refresh-only").fine().says("\"instance orders: BackupRetentionPeriod\" = \"3\"");
    world.run("plan -out=saved").fine().says("~ BackupRetentionPeriod 3 -> 7 now no impact");
    // What has changed since is not what was looked at.
    let before = cloud.writes();
    kept(cloud, "4");
    let refused = world.run("apply saved").with_code(1);
    assert!(
        plain(&refused.said).contains(".steps[0]: was cty.StringVal(\"~ BackupRetentionPeriod"),
        "{}",
        refused.said
    );
    assert_eq!(cloud.writes(), before, "nothing was sent");
    world.run("apply -auto-approve").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

fn what_is_anothers_is_not_forgotten(cloud: &Cloud) {
    let world = &cloud.world;
    let arn = "arn:aws:rds:eu-central-1:123456789012:db:orders";
    cloud.tamper("RemoveTagsFromResource", &[("ResourceName", arn), ("TagKeys.member.1", "pgherd:block")]);
    let before = cloud.writes();
    for line in ["plan", "apply -refresh-only -auto-approve", "plan -destroy -refresh=false", "destroy -auto-approve"] {
        world.run(line).with_code(1).says("aws/eu-central-1/orders is there and is not pgherd's");
    }
    assert_eq!(cloud.writes(), before, "nothing was sent");
    let tag = [("Tags.Tag.1.Key", "pgherd:block"), ("Tags.Tag.1.Value", "orders")];
    cloud.tamper("AddTagsToResource", &[&[("ResourceName", arn)], &tag[..]].concat());
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    // Somebody with the credentials of an account in which there is no such database, or another one of the name.
    let file = world.work().join("terraform.tfstate");
    let state = fs::read_to_string(&file).expect("a state");
    fs::write(&file, state.replace(":123456789012:", ":999999999999:")).expect("written");
    world.run("plan").with_code(1).says("what is meant now is arn:aws:rds:eu-central-1:123456789012:db:orders");
    let empty = cloud._beside.block_on(Emulator::start(Options::default())).expect("it listens");
    let run = |line: &str| world.run_with(line, &[("AWS_ENDPOINT_URL", &empty.url())]);
    for line in ["plan", "plan -destroy", "plan -destroy -refresh=false"] {
        run(line)
            .with_code(1)
            .says("is about a database of account 999999999999, and what is meant now is one of account 123456789012");
    }
    fs::write(&file, state).expect("written");
    run("plan -detailed-exitcode").with_code(2).says("1 to add");
    world.run("plan -detailed-exitcode").fine();
}

/// Made by the command line, taken over by terraform: nothing is sent, neither before nor after the state knows what is written.
#[test]
fn what_the_command_line_made_is_imported() {
    let Some(cloud) = Cloud::quick("imported") else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.pgherd("apply --file main.tf --yes");
    let made = cloud.writes();
    world.run("init").fine();
    world.run("plan").with_code(1).says("There is a database aws/eu-central-1/orders already.");
    for (id, why) in [
        ("aws/eu-central-1/Orders", "lower-case"),
        ("aws/eu-central1/orders", "region"),
        ("a/b/c/d", "target/region/name"),
    ] {
        world.run(&format!("import module.orders.pgherd_postgres.this {id}")).with_code(1).says(why);
    }
    let import = "import module.orders.pgherd_postgres.this aws/eu-central-1/orders";
    world
        .run_with(import, &[("PGHERD_TARGET", "local")])
        .with_code(1)
        .says("the provider runs every database on local");
    world.run(import).fine();
    let state = world.run("state show module.orders.pgherd_postgres.this").fine();
    state.says("drift = {}").says("skip_final_snapshot = true").says("backup_retention_period = 7");
    world.run("plan -refresh-only").fine().says("No changes.");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("apply -auto-approve").fine().says("0 added, 0 changed, 0 destroyed");
    assert_eq!(cloud.writes(), made, "nothing was sent");
    one_database_has_one_address(world);
    what_differs_from_what_was_imported_is_told(&cloud);
}

/// What was read is what there is, and what a block wants otherwise is a change.
fn what_differs_from_what_was_imported_is_told(cloud: &Cloud) {
    let world = &cloud.world;
    kept(cloud, "3");
    let planned = world.run("plan -out=saved").fine().says("~ BackupRetentionPeriod 3 -> 7 now no impact");
    let planned = planned.says("backup_retention_period = 3 -> null").says("0 to add, 1 to change, 0 to destroy");
    assert!(!plain(&planned.said).contains("- backup_window"), "what is as it was stays so\n{}", planned.said);
    // Outputs are the same on every machine, whatever files it has.
    world.run_with("apply saved", &[("PGHERD_RDS_CA", "/etc/ssl/rds.pem")]).fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    // What only decides how things are done is told, and there is nothing to be sent for it.
    let made = cloud.writes();
    world.write("main.tf", &FILE.replace("\n}\n\noutput", "\n  apply_immediately = true\n}\n\noutput"));
    world.run("apply -auto-approve").fine().says("+ apply_immediately").says("0 added, 1 changed");
    world.write("main.tf", FILE);
    world.run("apply -auto-approve").fine().says("- apply_immediately").says("0 added, 1 changed");
    assert_eq!(cloud.writes(), made, "nothing was sent");
    // What decides about the end of the database is kept with it.
    world.write("main.tf", &FILE.replace("skip_final_snapshot        = true", "skip_final_snapshot        = false"));
    world.run("plan").fine().says("Tags.pgherd:written");
}

/// The end of one would be the end of the other's data.
fn one_database_has_one_address(world: &World) {
    let twin = FILE.split("\n\noutput").next().expect("a module").replace("\"orders\" {", "\"twin\" {");
    world.write("twin.tf", &twin);
    world.run("init").fine();
    world.run("import module.twin.pgherd_postgres.this aws/eu-central-1/orders").fine();
    let refused = "Two blocks mean aws/eu-central-1/orders.";
    world.run("plan").with_code(1).says(refused);
    world.write("twin.tf", "");
    world.run("plan").with_code(1).says(refused).says("terraform state rm");
    world.run("state rm module.twin.pgherd_postgres.this").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// The instance is gone, what belongs to it is not: it is billed until somebody ends it.
#[test]
fn a_destroy_that_is_cut_short_is_gone_on_with() {
    let Some(cloud) = Cloud::quick("cut destroy") else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    world.run("apply -auto-approve").fine();
    let denied =
        Planned { action: "DeleteSecurityGroup".to_owned(), nth: 1, times: 100, region: None, fault: Fault::Denied };
    cloud.emulator.with(|emulation| emulation.faults.push(denied));
    world.run("destroy -auto-approve").with_code(1).says("the next apply does the rest");
    assert_eq!((cloud.times("DeleteDBInstance"), cloud.last("DeleteDBInstance").as_deref()), (1, Some("ok")));
    cloud.emulator.with(|emulation| emulation.faults.clear());
    // Another one is an empty one, and not made by an update.
    let refused = "aws/eu-central-1/orders is not there any more, but some of what belongs to it is: ";
    world.run("plan").fine().says(refused).says("security_group orders-db");
    world.run("apply -auto-approve").with_code(1).says(refused);
    world.run("apply -refresh-only -auto-approve").fine();
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
    assert_eq!(cloud.last("DeleteSecurityGroup").as_deref(), Some("ok"));
    world.run("plan -detailed-exitcode").with_code(2).says("1 to add");
}

const LATE: &str = r#"
variable "turn" {}

resource "terraform_data" "late" {
  triggers_replace = var.turn
  input            = { vpc = null }
}

resource "terraform_data" "dependent" {
  triggers_replace = [
    module.orders.db_instance_endpoint, module.orders.db_instance_port, module.orders.connection_string,
    module.orders.db_instance_arn, module.orders.db_parameter_group_id, module.orders.db_credentials_secret_arn,
  ]
}
"#;

/// What is not known yet is planned around, on the way to a database and at one that exists, and whoever hangs on the database stays.
#[test]
fn what_is_known_late_opens_no_more_than_hangs_on_it() {
    let Some(mut cloud) = Cloud::quick("late") else { return };
    let written = |more: &str| {
        let late = "\n  environment = terraform_data.late.id\n  vpc_id = terraform_data.late.output.vpc\n  \
            tags = { Late = terraform_data.late.id }\n";
        FILE.replace("\n}\n\noutput", &format!("{late}{more}}}\n\noutput")) + LATE
    };
    cloud.world.write("main.tf", &written(""));
    cloud.world.set("TF_VAR_turn", "1");
    cloud.world.run("init").fine();
    cloud.world.run("apply -auto-approve").fine();
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
    cloud.world.set("TF_VAR_turn", "2");
    let planned = cloud.world.run("plan -out=saved").fine();
    let planned = planned
        .says("What will be done to aws/eu-central-1/orders is not wholly known yet")
        .says("environment, tags, vpc_id")
        .says("\"tags\" = \"{ Environment")
        .says("1 to add, 1 to change, 1 to destroy");
    assert!(!plain(&planned.said).contains("db_instance_"), "{}", planned.said);
    cloud.world.run("apply saved").fine();
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
    cloud.world.write("main.tf", &written("  backup_retention_period = 9\n  master_password = \"A-new-one-1\"\n"));
    let planned = cloud.world.run("plan -out=saved").fine().says("0 to add, 1 to change, 0 to destroy");
    assert!(!plain(&planned.said).contains("db_instance_"), "{}", planned.said);
    cloud.world.run("apply saved").fine();
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
    // Nor does it keep from being seen that there is one of the name.
    cloud.world.run("state rm module.orders.pgherd_postgres.this").fine();
    cloud.world.set("TF_VAR_turn", "3");
    cloud.world.run("plan").with_code(1).says("There is a database aws/eu-central-1/orders already.");
}

const HANGS_ON_IT: &str = r#"
resource "terraform_data" "dependent" {
  triggers_replace = [
    module.orders.db_instance_id, module.orders.db_instance_arn, module.orders.db_instance_resource_id,
    module.orders.db_instance_endpoint, module.orders.db_instance_port, module.orders.connection_string,
    module.orders.db_parameter_group_id, module.orders.db_security_group_id, module.orders.db_subnet_group_id,
    module.orders.db_credentials_secret_arn, module.orders.enhanced_monitoring_arn,
  ]
}

output "pooler" {
  value = coalesce(module.orders.proxy_endpoint, "none")
}
"#;

/// Its address is an output of its own, and whoever hangs on the database stays.
#[test]
fn a_proxy_comes_and_goes_and_opens_nothing_else() {
    let Some(cloud) = Cloud::quick("proxy") else { return };
    let world = &cloud.world;
    let with = FILE.replace("\n}\n\noutput", "\n  enable_proxy = true\n}\n\noutput");
    world.write("main.tf", FILE).write("dependent.tf", HANGS_ON_IT);
    world.run("init").fine();
    world.run("apply -auto-approve").fine().says("pooler = \"none\"");
    world.write("main.tf", &with);
    let planned = world.run("plan -out=saved").fine().says("+ proxy orders-proxy created");
    planned.says("0 to add, 1 to change, 0 to destroy").says("+ proxy_endpoint = (known after apply)");
    world.run("apply saved").fine().says("pooler = \"orders-proxy.");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.write("main.tf", FILE);
    world.run("apply -auto-approve").fine().says("0 added, 1 changed, 0 destroyed").says("pooler = \"none\"");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// One that is wanted in another region is a replica as well: a plan that promised that there is none would be wrong.
#[test]
fn a_replica_in_another_region_is_no_empty_promise() {
    let Some(cloud) = Cloud::quick("elsewhere") else { return };
    let world = &cloud.world;
    let elsewhere = "\n  dr_region = \"eu-west-1\"\n  dr_read_replica = true\n}\n\noutput";
    world.write("main.tf", &FILE.replace("\n}\n\noutput", elsewhere));
    world.run("init").fine();
    world.run("apply -auto-approve").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("state show module.orders.pgherd_postgres.this").fine().says("\"orders-dr\"");
}

const LOOKED_UP: &str = r#"
terraform {
  required_providers {
    pgherd = { source = "local/pgherd/pgherd" }
  }
}

data "pgherd_postgres" "orders" {
  name           = "orders"
  cloud_provider = "aws"
  aws_region     = "eu-central-1"
}

output "insights" {
  value = data.pgherd_postgres.orders.effective_performance_insights_enabled
}
"#;

/// What waits for its window is no difference, so words tell of it; and what is looked up is what is there.
#[test]
fn what_waits_is_told_and_what_is_looked_up_is_what_there_is() {
    let Some(cloud) = Cloud::quick("waiting") else { return };
    let world = &cloud.world;
    // Days away from the provider's now, a Wednesday, and from the emulator's, a Thursday.
    let day = "sat";
    let file = |class: &str| {
        let more = format!(
            "\n  maintenance_window = \"{day}:04:00-{day}:05:00\"\n  instance_class = \"{class}\"\n  enable_performance_insights = true\n}}\n\noutput"
        );
        FILE.replace("\n}\n\noutput", &more)
            .replace("skip_final_snapshot        = true", "skip_final_snapshot        = false")
    };
    world.write("main.tf", &file("db.t3.medium"));
    world.run("init").fine();
    world.run("apply -auto-approve").fine();
    world.write("main.tf", &file("db.m5.large"));
    let waits = "instance orders: DBInstanceClass waits for the maintenance window, which opens ";
    let told = "What was accepted for aws/eu-central-1/orders has not taken effect yet.";
    world.run("apply -auto-approve").fine().says("0 added, 1 changed").says(told).says(waits);
    world.run("plan -detailed-exitcode").fine().says("No changes.").says(told).says(waits);
    world.write("looked_up.tf", LOOKED_UP);
    world.run("apply -auto-approve").fine().says("insights = true");
    let taken = "aws/eu-central-1/orders is destroyed, and a last backup is taken before.";
    world.run("plan -destroy").fine().says(taken);
    let arn = "arn:aws:rds:eu-central-1:123456789012:db:orders";
    cloud.tamper("RemoveTagsFromResource", &[("ResourceName", arn), ("TagKeys.member.1", "pgherd:block")]);
    world
        .run("plan -refresh=false -target=data.pgherd_postgres.orders")
        .with_code(1)
        .says("is there and is not pgherd's")
        .says("with data.pgherd_postgres.orders");
    cloud.tamper(
        "AddTagsToResource",
        &[("ResourceName", arn), ("Tags.Tag.1.Key", "pgherd:block"), ("Tags.Tag.1.Value", "orders")],
    );
    fs::remove_file(world.work().join("looked_up.tf")).expect("it is there");
    world.run("destroy -auto-approve").fine().says("The last backup of aws/eu-central-1/orders is orders-final-");
}

const PASSWORDS: &str = r#"
variable "password" {
  type      = string
  sensitive = true
  ephemeral = true
}

module "given" {
  source              = "./modules/database_postgres"
  cloud_provider      = "aws"
  aws_region          = "eu-central-1"
  name                = "given"
  skip_final_snapshot = true
  master_password     = var.password
}

ephemeral "pgherd_credentials" "orders" {
  name           = module.orders.db_instance_id
  cloud_provider = "aws"
  aws_region     = "eu-central-1"
}

resource "pgherd_postgres" "copy" {
  name                = "copy"
  cloud_provider      = "aws"
  aws_region          = "eu-central-1"
  skip_final_snapshot = true
  master_password_wo  = ephemeral.pgherd_credentials.orders.password
}
"#;

/// One that is generated, opened and given to another database, and one that somebody chose: in no plan, no state and no log, however much
/// is logged.
#[test]
fn no_password_is_written_anywhere() {
    let Some(mut cloud) = Cloud::quick("passwords") else { return };
    let given = "Never-to-be-found-3";
    for (name, value) in [("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "TRACE"), ("TF_LOG_PATH", "terraform.log")] {
        cloud.world.set(name, value);
    }
    cloud.world.set("TF_VAR_password", given);
    let world = &cloud.world;
    world.write("main.tf", FILE).write("passwords.tf", PASSWORDS);
    let looked_up = LOOKED_UP.replace("name           = \"orders\"", "name           = module.orders.db_instance_id");
    world.write("looked_up.tf", &looked_up);
    world.run("init").fine();
    world.run("plan -out=saved").fine().says("3 to add");
    world.run("apply saved").fine().says("insights = ");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    let generated = cloud.password("orders");
    assert!(generated.len() > 8, "one was generated");
    assert_eq!((cloud.password("copy"), cloud.password("given").as_str()), (generated.clone(), given));
    for password in [given, &generated] {
        assert_eq!(world.files_with(password), [] as [std::path::PathBuf; 0], "a password is written nowhere");
    }
    let log = fs::read_to_string(world.work().join("terraform.log")).expect("a log");
    for told in ["instance orders: create begins", "instance orders: done in "] {
        assert!(log.contains(told), "the log does not say {told:?}");
    }
}

/// The usual way of Terraform: a configuration of the provider for each account, by an alias. Only the account tells the two databases apart.
#[test]
fn two_accounts_are_served_side_by_side() {
    let Some(world) = World::beside("accounts") else { return };
    let beside = Runtime::new().expect("a runtime");
    let [shop, archive] = ["111111111111", "222222222222"].map(|account| {
        let speed = Speed::PerCall { seconds: 30 };
        let options = Options { speed, account: account.to_owned(), ..Options::default() };
        beside.block_on(Emulator::start(options)).expect("it listens")
    });
    // Where an account is, is part of its profile; of keys and endpoints the environment has none.
    let key = |key: &str| format!("aws_access_key_id = {key}\naws_secret_access_key = nobodys\n");
    let profile = |name: &str, url: &str| format!("[profile {name}]\nendpoint_url = {url}\n");
    fs::create_dir(world.home().join(".aws")).expect("a folder");
    let (of_shop, of_archive) = (key("AKIDSHOP"), key("AKIDARCHIVE"));
    let keys = format!("[shop]\n{of_shop}[archive]\n{of_archive}[lost]\n{of_archive}");
    fs::write(world.home().join(".aws/credentials"), keys).expect("written");
    let profiles = [("shop", shop.url()), ("archive", archive.url()), ("lost", "http://127.0.0.1:1".to_owned())];
    let profiles = profiles.map(|(name, url)| profile(name, &url)).concat();
    fs::write(world.home().join(".aws/config"), profiles).expect("written");
    let file = |first: &str, second: &str, more: &str| {
        let block = |alias: &str, profile: &str, more: &str| {
            format!(
                "provider \"pgherd\" {{\n{alias}  aws_profile = \"{profile}\"\n  aws_region = \"{REGION}\"\n{more}}}\n"
            )
        };
        let module = |label: &str, more: &str| {
            format!(
                "module \"{label}\" {{\n  source = \"./modules/database_postgres\"\n  cloud_provider = \"aws\"\n  name = \"orders\"\n  \
                 skip_final_snapshot = true\n{more}}}\n"
            )
        };
        let required =
            "terraform {\n  required_providers {\n    pgherd = { source = \"local/pgherd/pgherd\" }\n  }\n}\n";
        [
            required.to_owned(),
            block("", first, ""),
            block("  alias = \"archive\"\n", second, more),
            module("shop", ""),
            module("archive", "  providers = {\n    pgherd = pgherd.archive\n  }\n"),
        ]
        .concat()
    };
    world.write("main.tf", &file("shop", "nobody", ""));
    world.run("init").fine();
    world.run("plan").with_code(1).says("the profile is \"nobody\"");
    // What the block says of the place wins over the profile.
    let endpoint = format!("  aws_endpoint = \"{}\"\n", archive.url());
    world.write("main.tf", &file("shop", "lost", &endpoint));
    world.run("apply -auto-approve").fine().says("2 added");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    for (emulator, key) in [(&shop, "AKIDSHOP"), (&archive, "AKIDARCHIVE")] {
        let asked = emulator.asked();
        let keys: BTreeSet<&str> = asked.iter().map(|asked| asked.key.as_str()).collect();
        assert_eq!(keys, BTreeSet::from([key]));
        assert_eq!(asked.iter().filter(|asked| asked.action == "CreateDBInstance").count(), 1);
    }
    // With the profiles exchanged each state is about the other's database, which has the same name in the same region.
    world.write("main.tf", &file("archive", "shop", ""));
    let arn = |account: &str| format!("arn:aws:rds:{REGION}:{account}:db:orders");
    let (shop, archive) = (arn("111111111111"), arn("222222222222"));
    let refused = world.run("plan").with_code(1);
    for (state, meant) in [(&shop, &archive), (&archive, &shop)] {
        let whose = format!("The state is about {state}, and what is meant now is {meant}.");
        assert!(plain(&refused.said).contains(&whose), "{whose}\n{}", refused.said);
    }
}

const TWIN: &str = r#"
terraform {
  required_providers {
    pgherd = { source = "local/pgherd/pgherd" }
  }
}

provider "pgherd" {}

provider "pgherd" {
  alias = "again"
}

module "twin" {
  providers = {
    pgherd = pgherd.again
  }
"#;

/// Each configuration of the provider is a process of its own, and no plan sees that two of them mean one account.
#[test]
fn a_database_that_two_configurations_mean_has_one_owner() {
    let (_, arguments) = FILE.split_once("{\n").expect("a block");
    let arguments = arguments.split("\n\noutput").next().expect("arguments");
    // They begin at once, or one after the other.
    for line in ["apply saved", "apply -parallelism=1 saved"] {
        let Some(cloud) = Cloud::quick("owner") else { return };
        let world = &cloud.world;
        world.write("main.tf", FILE).write("twin.tf", &format!("{TWIN}{arguments}\n"));
        world.run("init").fine();
        world.run("plan -out=saved").fine().says("2 to add");
        let has_one_owner = || {
            let owners = world.run("state list").fine().said.matches("pgherd_postgres.this").count();
            assert_eq!((owners, cloud.times("CreateDBInstance")), (1, 1));
        };
        world.run(line).with_code(1).says("Two blocks mean aws/eu-central-1/orders.");
        has_one_owner();
        world.run("apply -auto-approve").with_code(1).says("There is a database aws/eu-central-1/orders already");
        has_one_owner();
    }
}

/// Before it is known it may be another one than the one in force, and once it is known it is compared.
#[test]
fn a_password_that_is_known_late_is_exchanged() {
    let Some(mut cloud) = Cloud::quick("late password") else { return };
    let late = "variable \"turn\" {}\nresource \"terraform_data\" \"password\" {\n  triggers_replace = var.turn\n}\n";
    let given = "\n  master_password = \"Late-${terraform_data.password.id}\"\n}\n\noutput";
    cloud.world.write("main.tf", &(FILE.replace("\n}\n\noutput", given) + late));
    cloud.world.set("TF_VAR_turn", "1");
    cloud.world.run("init").fine();
    cloud.world.run("apply -auto-approve").fine();
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
    cloud.world.set("TF_VAR_turn", "2");
    cloud.world.run("plan -out=saved").fine().says("master_password_revision = 1 -> (known after apply)");
    cloud.world.run("apply saved").fine();
    let state = cloud.world.run("state show module.orders.pgherd_postgres.this").fine();
    state.says("master_password_revision = 2");
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// Core says that the provider is gone; what there is, is found again in the same folder.
#[test]
fn a_provider_that_is_killed_in_a_create_is_gone_on_with() {
    let Some(cloud) = Cloud::new("killed", Speed::Still) else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    let mut applying = world.spawn("apply -auto-approve");
    wait("the instance's creation", || cloud.times("CreateDBInstance") == 1);
    // Nobody else may reach its socket.
    let modes = world.plugin_folders();
    assert!(!modes.is_empty() && modes.iter().all(|mode| mode & 0o777 == 0o700), "{modes:?}");
    world.signal_providers(Signal::KILL);
    assert_eq!(cloud.let_end(&mut applying), Some(1));
    assert!(world.said().contains("plugin"), "{}", world.said());
    let mut applying = world.spawn("apply -auto-approve");
    assert_eq!(cloud.let_end(&mut applying), Some(0), "{}", world.said());
    assert!(plain(&world.said()).contains("already, and this goes on with it"), "{}", world.said());
    assert_eq!(cloud.times("CreateDBInstance"), 1, "nothing is made twice");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// It ends what it has begun, and then itself. What came of it no state knows, so the next create of this folder finds it.
#[test]
fn a_terraform_that_is_killed_leaves_no_provider() {
    let Some(cloud) = Cloud::new("left", Speed::Still) else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    let mut applying = world.spawn("apply -auto-approve -lock=false");
    wait("the instance's creation", || cloud.times("CreateDBInstance") == 1);
    applying.kill().expect("it is ours");
    applying.wait().expect("it is ours");
    assert!(world.has_provider(), "an apply is under way");
    wait("the end of the provider", || {
        cloud.emulator.advance(jiff::SignedDuration::from_secs(30));
        !world.has_provider()
    });
    assert_eq!(world.plugin_folders(), [] as [u32; 0], "its socket is gone");
    let made = cloud.writes();
    world.run("apply -auto-approve -lock=false").fine().says("already, and this goes on with it");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    assert_eq!(cloud.writes(), made, "it was brought to its end");
}

/// What runs is brought to its end, nothing more is begun, and the next apply does the rest.
#[test]
fn an_interrupted_apply_ends_in_good_order() {
    let Some(cloud) = Cloud::new("interrupted", Speed::Still) else { return };
    let world = &cloud.world;
    world.write("main.tf", FILE);
    world.run("init").fine();
    let mut applying = world.spawn("apply -auto-approve");
    wait("the instance's creation", || cloud.times("CreateDBInstance") == 1);
    // As a terminal does: everybody in the foreground hears it.
    world.signal_group(&applying, Signal::INT);
    wait("terraform's word", || world.said().contains("Interrupt received"));
    let code = cloud.let_end(&mut applying);
    assert_eq!(code, Some(1), "{}", world.said());
    let said = plain(&world.said());
    assert!(!said.contains("plugin exited") && !said.contains("bug"), "{said}");
    let mut applying = world.spawn("apply -auto-approve");
    assert_eq!(cloud.let_end(&mut applying), Some(0), "{}", world.said());
    assert_eq!(cloud.times("CreateDBInstance"), 1, "nothing is made twice");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    // A look that is refused again and again is given up at once, long before its own patience ends.
    cloud.emulator.with(|emulation| {
        let (action, fault) = ("*".to_owned(), Fault::Throttle);
        emulation.faults.push(Planned { action, region: None, nth: 1, times: u64::MAX, fault });
    });
    let refused = || cloud.emulator.asked().iter().filter(|asked| asked.outcome != "ok").count();
    let before = refused();
    let mut planning = world.spawn("plan");
    wait("a refusal", || refused() > before);
    world.signal_group(&planning, Signal::INT);
    assert_eq!(cloud.let_end(&mut planning), Some(1), "{}", world.said());
    assert!(plain(&world.said()).contains("The run was stopped"), "{}", world.said());
}

#[test]
fn a_time_that_is_too_short_is_named_and_what_was_begun_goes_on() {
    let Some(cloud) = Cloud::new("timeouts", Speed::Still) else { return };
    let world = &cloud.world;
    let file = |time: &str| {
        format!(
            r#"
terraform {{
  required_providers {{
    pgherd = {{ source = "local/pgherd/pgherd" }}
  }}
}}

resource "pgherd_postgres" "orders" {{
  name                = "orders"
  cloud_provider      = "aws"
  aws_region          = "{REGION}"
  engine_version      = "17"
  skip_final_snapshot = true
  master_password     = "Kept-on-purpose-1"

  timeouts {{
    create = "{time}"
  }}
}}
"#
        )
    };
    world.write("main.tf", &file("soon"));
    world.run("init").fine();
    world.run("validate").with_code(1).says("timeouts.create is no time.");
    world.write("main.tf", &file("1s"));
    world
        .run("apply -auto-approve")
        .with_code(1)
        .says("The create took longer than timeouts.create allows.")
        .says("on main.tf line")
        .says(&format!("Something of aws/{REGION}/orders is there and not in the state."));
    world.write("main.tf", &file("5m"));
    let mut applying = world.spawn("apply -auto-approve");
    assert_eq!(cloud.let_end(&mut applying), Some(0), "{}", world.said());
    assert_eq!(cloud.times("CreateDBInstance"), 1, "nothing is made twice");
    // The other way to give a password, for Terraforms that know none that is kept nowhere: the state holds it, as its description says.
    assert_eq!(cloud.password("orders"), "Kept-on-purpose-1");
    let state = fs::read_to_string(world.work().join("terraform.tfstate")).expect("a state");
    assert!(state.contains("Kept-on-purpose-1"));
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    what_terraform_ignores_is_not_done(&cloud, &file("5m"));
}

/// It hides that from the plan, and hands it to the apply.
fn what_terraform_ignores_is_not_done(cloud: &Cloud, file: &str) {
    let ignored = "instance_class = \"db.t3.large\"\n  backup_retention_period = 9\n  lifecycle {\n    \
        ignore_changes = [instance_class, master_password, timeouts]\n  }\n\n  timeouts";
    let file =
        file.replace("timeouts", ignored).replace("5m", "1s").replace("Kept-on-purpose-1", "Ignored-on-purpose-1");
    cloud.world.write("main.tf", &file.replace("create =", "update ="));
    let before = cloud.times("ModifyDBInstance");
    let mut applying = cloud.world.spawn("apply -auto-approve");
    assert_eq!(cloud.let_end(&mut applying), Some(0), "{}", cloud.world.said());
    assert!(plain(&cloud.world.said()).contains("~ BackupRetentionPeriod 7 -> 9 now"), "{}", cloud.world.said());
    cloud.world.run("plan -detailed-exitcode").fine().says("No changes.");
    let sent = cloud.times("ModifyDBInstance") - before;
    assert_eq!((sent, cloud.password("orders").as_str()), (1, "Kept-on-purpose-1"));
}
