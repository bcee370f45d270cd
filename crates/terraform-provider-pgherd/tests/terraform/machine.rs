//! A database of this machine, from plan to destroy.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::world::{World, pgherd, plain, wait};

/// Whoever finds it in a plan, in a state or in a log has found a leak.
const PASSWORD: &str = "Never-to-be-found-1";

fn module(arguments: &str) -> String {
    format!(
        r#"
variable "password" {{
  type      = string
  sensitive = true
  ephemeral = true
}}

module "orders" {{
  source            = "./modules/database_postgres"
  cloud_provider    = "local"
  name              = "orders"
  preset            = "dev"
  storage_encrypted = false
  master_password   = var.password
{arguments}
}}

output "connection" {{
  value     = module.orders.connection_string
  sensitive = true
}}

output "endpoint" {{
  value = module.orders.db_instance_endpoint
}}
"#
    )
}

#[test]
fn a_database_from_plan_to_destroy() {
    let Some(mut world) = World::new("machine") else { return };
    world.set("TF_VAR_password", PASSWORD);
    world.set("TF_LOG", "TRACE");
    world.set("TF_LOG_PROVIDER", "TRACE");
    world.set("TF_LOG_PATH", "terraform.log");
    world.write("main.tf", &module("  parameters = [{ name = \"work_mem\", value = \"8MB\" }]"));
    world.run("init").fine();
    let place = world.state().strip_prefix("/").expect("an absolute folder").to_owned();
    let note = world.work().join(".terraform/pgherd/default").join(place).join("local_orders.begun");
    fs::create_dir_all(note.parent().expect("a folder")).expect("a folder");
    fs::write(&note, "").expect("a note");
    world.run("plan -out=saved").fine().says("\"multi_az\" = \"false\"").says("1 to add");
    assert!(!note.exists(), "a create that came to nothing is no reason to take over what is there later");
    world.run("apply saved").fine().says("endpoint = \"localhost\"");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    assert!(!note.exists(), "the state knows of it");
    another_target_is_another_database(&mut world);
    // The command line sees the same database as Terraform.
    let seen = world.pgherd(&format!("plan --file main.tf --var password={PASSWORD}"));
    assert!(seen.contains("No changes."), "{seen}");
    another_name_is_no_change(&world);
    it_is_never_replaced(&world);
    a_replica_is_told_of(&world);
    a_password_is_exchanged(&mut world);
    what_is_protected_stays(&world);
    another_name_is_another_database(&world);
    it_is_imported(&world);
    it_is_looked_up_by_others(&world);
    what_was_deleted_by_others_is_made_anew_only_when_that_is_known(&world);
    what_becomes_of_the_data_is_said(&world);
    world.run("destroy -auto-approve").fine().says("Destroy complete!");
    let log = fs::read_to_string(world.work().join("terraform.log")).expect("a log");
    // On a machine that stands still for two seconds terraform kills one that was told to end; what is broken is so each time.
    let (gracefully, killed) = (log.matches("plugin exited").count(), log.matches("failed to exit gracefully").count());
    assert!(gracefully > killed, "it ends when it is told to: {gracefully} did, {killed} did not");
    assert!(!log.contains("was promised otherwise"));
    for told in ["instance orders: create begins", "instance orders: done in "] {
        assert!(log.contains(told), "the log does not say {told:?}");
    }
    assert_eq!(world.files_with(PASSWORD), [] as [std::path::PathBuf; 0], "the password is written nowhere");
    two_blocks_are_two_databases(&world);
    what_the_command_line_made_is_imported(&world);
}

/// One run without the usual environment, say, must neither forget the database nor take another one for it.
fn another_target_is_another_database(world: &mut World) {
    world.set("PGHERD_TARGET", "aws");
    for verb in ["plan", "plan -destroy", "plan -refresh=false", "plan -destroy -refresh=false"] {
        world.run(verb).with_code(1).says("local/orders");
    }
    world.set("PGHERD_TARGET", "locl");
    world.run("plan").with_code(1).says("There is no target \"locl\".");
    world.set("PGHERD_TARGET", "");
    // Nor one with another folder, in which there is no such database.
    let nowhere = world.work().join("nowhere").display().to_string();
    for verb in ["plan", "plan -destroy", "plan -refresh=false", "plan -destroy -refresh=false"] {
        let refused = world.run_with(verb, &[("PGHERD_STATE_DIR", &nowhere)]).with_code(1);
        refused.says("The state is about the database whose password is in ").says(&format!("one below {nowhere}"));
    }
    // Nor one of the name in a folder of another machine, which cannot be seen here.
    let file = world.work().join("terraform.tfstate");
    let state = fs::read_to_string(&file).expect("a state");
    let here = world.state().display().to_string();
    fs::write(&file, state.replace(&here, "/srv/of-another-machine")).expect("written");
    world.run("plan -destroy").with_code(1).says("is in /srv/of-another-machine/").says(&format!("one below {here}"));
    fs::write(&file, state).expect("written");
}

fn another_name_is_no_change(world: &World) {
    world.write(
        "main.tf",
        &module("  parameters = [{ name = \"work_mem\", value = \"8MB\" }]\n  enable_encryption = false")
            .replace("  storage_encrypted = false\n", ""),
    );
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// A new one in its place would be an empty one.
fn it_is_never_replaced(world: &World) {
    let address = "module.orders.pgherd_postgres.this";
    let refused = "There is a database local/orders already, the state knows it, and it is not replaced.";
    world.run(&format!("plan -replace={address}")).with_code(1).says(refused).says("Leave -replace out");
    world.run(&format!("taint {address}")).fine();
    world.run("plan").with_code(1).says(refused).says("terraform untaint ADDRESS");
    world.run("apply -auto-approve").with_code(1).says(refused);
    world.run("plan -refresh=false").with_code(1).says("There is a database local/orders already");
    world.run(&format!("untaint {address}")).fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// Whoever only reads finds it, and finds nothing where there is none.
fn a_replica_is_told_of(world: &World) {
    let reading = "\noutput \"reading\" {\n  value = \"${coalesce(module.orders.read_replica_endpoint, \"nowhere\")} \
        ${length(module.orders.read_replica_endpoints)} ${join(\",\", module.orders.read_replica_ids)}\"\n}\n";
    world.write("reading.tf", reading);
    world.write("main.tf", &module("  create_read_replica = true"));
    let applied = world.run("apply -auto-approve").fine().says("reading = \"localhost:").says(" 1 n2\"");
    assert!(
        !plain(&applied.said).contains("db_instance_"),
        "who uses the primary sees nothing of it\n{}",
        applied.said
    );
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.write("main.tf", &module(""));
    world.run("apply -auto-approve").fine().says("reading = \"nowhere 0 \"");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    std::fs::remove_file(world.work().join("reading.tf")).expect("it is there");
}

/// Where that stands nowhere in the block, too.
fn what_becomes_of_the_data_is_said(world: &World) {
    let said = "local/orders is destroyed with its data: no last backup is taken (skip_final_snapshot)";
    world
        .run("plan -destroy")
        .fine()
        .says(said)
        .says("skip_final_snapshot = false has one taken, once it is applied")
        .says("- instance orders");
}

fn a_password_is_exchanged(world: &mut World) {
    world.set("TF_VAR_password", "Never-to-be-found-12");
    world.run("plan").fine().says("master_password_revision = 1 -> 2");
    world.run("apply -auto-approve").fine();
    world.run("plan -detailed-exitcode").fine();
}

fn what_is_protected_stays(world: &World) {
    let text = module("  enable_deletion_protection = true");
    world.write("main.tf", &text);
    world.run("apply -auto-approve").fine();
    let refused = world.run("plan -destroy").with_code(1);
    assert!(plain(&refused.said).contains("enable_deletion_protection = false"), "{}", refused.said);
    world.write("main.tf", &module(""));
    world.run("apply -auto-approve").fine();
}

fn another_name_is_another_database(world: &World) {
    world.write("main.tf", &module("").replace("\"orders\"\n  preset", "\"others\"\n  preset"));
    world.run("plan").with_code(1).says("cannot become others");
    world.write("main.tf", &module(""));
}

/// Without names both are `database`: the end of one would be the end of the other's data.
fn two_blocks_are_two_databases(world: &World) {
    let one = |label: &str| {
        format!(
            "module \"{label}\" {{\n  source = \"./modules/database\"\n  cloud_provider = \"local\"\n  preset = \"dev\"\n}}\n"
        )
    };
    world.write("main.tf", &[module(""), one("one"), one("two")].concat());
    world.run("init").fine();
    world.run("plan").with_code(1).says("Two blocks mean local/database.").says("with module.");
    // One block for several, each with a name of its own.
    let each = one("each").replace("\n}", "\n  for_each = toset([\"first\", \"second\"])\n  name     = each.key\n}");
    world.write("main.tf", &each);
    world.run("init").fine();
    world.run("plan").fine().says("2 to add");
    world.write("main.tf", &each.replace("each.key", "\"first\""));
    world.run("plan").with_code(1).says("Two blocks mean local/first.");
}

fn it_is_imported(world: &World) {
    world.run("state rm module.orders.pgherd_postgres.this").fine();
    world
        .run("plan")
        .with_code(1)
        .says("There is a database local/orders already.")
        .says("terraform import ADDRESS local/orders");
    world.run("import module.orders.pgherd_postgres.this local/orders").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
}

/// A data source tells of it, and its password gets from one database to another without being kept.
fn it_is_looked_up_by_others(world: &World) {
    let beside = r#"
terraform {
  required_providers {
    pgherd = { source = "local/pgherd/pgherd" }
  }
}

data "pgherd_postgres" "orders" {
  name           = "orders"
  cloud_provider = "local"
  depends_on     = [module.orders]
}

ephemeral "pgherd_credentials" "orders" {
  name           = "orders"
  cloud_provider = "local"
}

resource "pgherd_postgres" "copy" {
  name               = "copy"
  cloud_provider     = "local"
  preset             = "dev"
  storage_encrypted  = false
  master_password_wo = ephemeral.pgherd_credentials.orders.password
}

output "told" {
  value = "${data.pgherd_postgres.orders.db_instance_endpoint} ${data.pgherd_postgres.orders.db_instance_name}"
}
"#;
    world.write("beside.tf", beside);
    world.run("apply -auto-approve").fine().says("told = \"localhost orders\"");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.write("beside.tf", &beside.replace("\"orders\"\n  cloud", "\"Orders\"\n  cloud"));
    world.run("validate").with_code(1).says("on beside.tf line 9").says("lower-case letters");
    world.write("beside.tf", &beside.replace("\"orders\"\n  cloud", "\"absent\"\n  cloud"));
    world.run("plan").with_code(1).says("There is no database absent on local.");
    world.write("beside.tf", "");
    world.run("apply -auto-approve").fine().says("1 destroyed");
}

fn what_was_deleted_by_others_is_made_anew_only_when_that_is_known(world: &World) {
    world.pgherd(&format!("destroy --file main.tf --var password={PASSWORD} --yes --confirm orders"));
    world.run("plan -refresh=false").with_code(1).says("local/orders is not there any more.");
    world.run("plan -out=saved").fine().says("1 to add, 0 to change, 0 to destroy");
    world.run("apply saved").fine();
}

/// A block of few words and one of many, made by the command line and taken over without a change; a block can be written off it.
fn what_the_command_line_made_is_imported(world: &World) {
    let resource = |arguments: &str| {
        format!(
            "terraform {{\n  required_providers {{\n    pgherd = {{ source = \"local/pgherd/pgherd\" }}\n  }}\n}}\n\
             import {{\n  to = pgherd_postgres.made\n  id = \"local/made\"\n}}\n{arguments}"
        )
    };
    let few = "  cloud_provider = \"local\"\n  name           = \"made\"\n  preset         = \"dev\"\n  storage_encrypted = false\n";
    let many = "  vpc_id = \"vpc-1\"\n  subnet_ids = [\"subnet-1\"]\n  environment = \"test\"\n  tags = { Team = \"shop\" }\n  \
        allowed_cidr_blocks = [\"192.0.2.0/24\", \"10.0.0.0/8\"]\n  parameters = [{ name = \"work_mem\", value = \"8MB\" }]\n  \
        backup_retention_period = 3\n  apply_immediately = true\n  alarms = { cpu_percent = 90 }\n  \
        proxy_config = { default_pool_size = 5 }\n  enable_proxy = false\n";
    for (written, more) in [(few.to_owned(), ""), ([few, many].concat(), "  skip_final_snapshot = true\n")] {
        world.write("made.hcl", &format!("module \"made\" {{\n  source = \"./modules/database\"\n{written}{more}}}\n"));
        world.pgherd("apply --file made.hcl --yes");
        world.write("main.tf", &resource(&format!("resource \"pgherd_postgres\" \"made\" {{\n{written}{more}}}\n")));
        world.run("init").fine();
        world.run("apply -auto-approve").fine().says("1 imported, 0 added, 0 changed, 0 destroyed");
        world.run("plan -detailed-exitcode").fine().says("No changes.");
        world.run("state rm pgherd_postgres.made").fine();
    }
    world.write("main.tf", &resource(""));
    world.run("plan -generate-config-out=generated.tf").fine().says("1 to import, 0 to add, 0 to change, 0 to destroy");
    world.run("apply -auto-approve").fine();
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    // The other way round, and what others change is told of what was read.
    assert!(world.pgherd("plan --file made.hcl").contains("No changes."));
    world.run("destroy -auto-approve").fine();
}

/// The agent goes on alone, and the next apply finds what it made, be it done or not. A pair takes seconds, so that there is a create to be cut short. Where databases are and who keeps them stands in the provider's block.
#[test]
fn a_create_that_is_cut_short_is_gone_on_with() {
    let Some(mut world) = World::new("cut short on this machine") else { return };
    world.set("PGHERD_PROGRAM", "");
    let file = |name: &str| {
        format!(
            "terraform {{\n  required_providers {{\n    pgherd = {{ source = \"local/pgherd/pgherd\" }}\n  }}\n}}\n\
             provider \"pgherd\" {{\n  target = \"local\"\n  state_dir = \"{}\"\n  program = \"{}\"\n}}\n\
             resource \"pgherd_postgres\" \"this\" {{\n  name = \"{name}\"\n  preset = \"dev\"\n  multi_az = true\n}}\n",
            world.state().join("own").display(),
            pgherd().display()
        )
    };
    let is_begun = |name: &str| world.state().join("own/instances").join(name).is_dir();
    let line = "apply -auto-approve";
    world.write("main.tf", &file("killed"));
    world.run("init").fine();
    let mut applying = world.spawn(line);
    wait("the creation", || is_begun("killed"));
    // Held in the middle, so that it is seen there.
    let primary = world.state().join("own/instances/killed/n1/data/postmaster.pid");
    let pid = || fs::read_to_string(&primary).ok()?.lines().next()?.parse().ok().and_then(Pid::from_raw);
    let mut server = None;
    wait("its primary", || {
        server = pid();
        server.is_some()
    });
    let server = server.expect("it was seen");
    // One that has just ended is started again by the agent.
    let tell = |signal| {
        let told = kill_process(server, signal);
        assert!(matches!(told, Ok(()) | Err(rustix::io::Errno::SRCH)), "it is ours: {told:?}");
    };
    tell(Signal::STOP);
    // One that was ready already would be ended for hanging, and what was at work on it would have failed.
    if fs::read_to_string(&primary).is_ok_and(|text| text.contains("ready")) {
        tell(Signal::CONT);
    }
    world.signal_providers(Signal::KILL);
    assert_eq!(applying.wait().expect("it is ours").code(), Some(1), "{}", world.said());
    world.run("plan -out=saved").fine().says("already, and this goes on with it").says("1 to add");
    // One that hangs for long is ended by the agent, and started again.
    tell(Signal::CONT);
    // The agent has brought it to its end alone: what is left to do is less than was planned, which Terraform must not mind.
    // A server that is just being started again is one that is broken, for a moment.
    wait("the agent", || plain(&world.run("plan").said).contains("steps = []"));
    world.run("apply saved").fine().says("1 added");
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("destroy -auto-approve").fine();
    // As a terminal does: everybody in the foreground hears it, and what runs is brought to its end.
    world.write("main.tf", &file("interrupted"));
    let mut applying = world.spawn(line);
    wait("the creation", || is_begun("interrupted"));
    world.signal_group(&applying, Signal::INT);
    wait("terraform's word", || world.said().contains("Interrupt received"));
    assert_eq!(applying.wait().expect("it is ours").code(), Some(1), "{}", world.said());
    let said = plain(&world.said());
    assert!(!said.contains("plugin exited"), "{said}");
    // It came to its end and is saved, or it was stopped, and the next apply makes it.
    let is_saved = world.run("state list").said.contains("pgherd_postgres.this");
    assert!(is_saved || said.contains("asked to stop"), "{said}");
    world.run(line).fine().says(if is_saved { "0 added, 0 changed" } else { "1 added, 0 changed" });
    world.run("plan -detailed-exitcode").fine().says("No changes.");
    world.run("destroy -auto-approve").fine().says("1 destroyed");
}

/// The block of the provider decides by what its databases are judged, and what validations cannot know of it is said.
#[test]
fn what_the_providers_block_says_counts() {
    let Some(world) = World::beside("the provider's block") else { return };
    let file = |block: &str, cloud: &str| {
        format!(
            r#"
terraform {{
  required_providers {{
    pgherd = {{ source = "local/pgherd/pgherd" }}
  }}
}}

variable "target" {{ default = "local" }}

provider "pgherd" {{
{block}
}}

resource "pgherd_postgres" "orders" {{
  name              = "orders"
  cloud_provider    = "{cloud}"
  preset            = "dev"
  allocated_storage = 10
}}
"#
        )
    };
    let small = "10 GiB is less than gp3 on RDS has at least, 20 GiB.";
    let unseen = "The validations of the module do not see this target.";
    world.write("main.tf", &file("", "aws"));
    world.run("init").fine();
    world.run("validate").with_code(1).says(small);
    world.write("main.tf", &file("  target = \"local\"", "aws"));
    world.run("validate").fine().says(unseen).says("Set PGHERD_TARGET=local as well");
    world.run("plan").fine().says("1 to add");
    let alike = world.run_with("plan", &[("PGHERD_TARGET", "local")]).fine();
    assert!(!plain(&alike.said).contains(unseen), "{}", alike.said);
    // What is not known yet may be any of them.
    world.write("main.tf", &file("  target = var.target", "aws"));
    world.run("validate").fine();
    world.run("plan").fine().says("1 to add");
    world.write("main.tf", &file("  target = \"aws\"", "local"));
    world.run("validate").with_code(1).says(small);
    world.write("main.tf", &file("  accept = [\"unencryptd-storage\"]", "local"));
    world.run("validate").with_code(1).says("has the code \"unencryptd-storage\"").says("unencrypted-storage");
}
