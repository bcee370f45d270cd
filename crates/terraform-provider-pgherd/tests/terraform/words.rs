//! What is said, and where: everything that needs no database.

use crate::world::{World, repository};

fn module(arguments: &str) -> String {
    format!("module \"orders\" {{\n  source = \"./modules/database_postgres\"\n{arguments}\n}}\n")
}

/// The user's own line is named, and the words are those of the command line.
#[track_caller]
fn check(world: &World, arguments: &str, verb: &str, line: &str, words: &str) {
    world.write("main.tf", &module(arguments));
    world.run(verb).with_code(1).says(words).says(line);
}

#[test]
fn what_is_wrong_is_said_at_the_users_own_line() {
    let Some(world) = World::beside("words") else { return };
    world.write("main.tf", &module("  cloud_provider = \"local\""));
    world.run("init").fine();
    world.run("init -lockfile=readonly").fine();
    world.run("validate").fine().says("Success! The configuration is valid.");
    // What is compared with other variables Terraform evaluates when there is a plan.
    let at_local = "  cloud_provider = \"local\"\n";
    check(
        &world,
        &format!("{at_local}  backup_retention_period = 36"),
        "plan",
        "on main.tf line 4, in module \"orders\": 4: backup_retention_period = 36",
        "Backups can be kept for at most 35 days, not 36.",
    );
    check(
        &world,
        &format!("{at_local}  parameters = [{{ name = \"work_mem\", value = \"fast\" }}]"),
        "plan",
        "on main.tf line 4",
        "work_mem",
    );
    check(
        &world,
        &format!("{at_local}  instance_class = \"db.t3.small\"\n  tier = \"db-f1-micro\""),
        "plan",
        "on main.tf line 5",
        "instance_class",
    );
    // What is wrong whatever else is written needs no plan.
    check(
        &world,
        "  backup_retention_period = 36",
        "validate",
        "on main.tf line 3",
        "Backups can be kept for at most 35 days, not 36.",
    );
    let password = "  master_password = \"short\"";
    check(&world, password, "plan", "on main.tf line 3", "8 to 128 printable ASCII characters");
    // Two of them that contradict each other, at the later one.
    let pair = "  storage_encrypted = false\n  kms_key_id = \"alias/orders\"";
    check(&world, pair, "plan", "on main.tf line 4", "Encrypt the storage, or leave the key out.");
    check(&world, "  cloud_provider = \"asw\"", "plan", "on main.tf line 3", "asw");
    check(&world, "  cloud_provider = \"local\"\n  nmae = \"x\"", "validate", "on main.tf line 4", "nmae");
}

/// What stands further down is not known when a variable is judged, and no default is judged in its place.
#[test]
fn what_others_make_right_is_not_refused() {
    let Some(world) = World::beside("later") else { return };
    let quick = "  name = \"a\"\n  cloud_provider = \"local\"\n  storage_type = \"io1\"\n  storage_iops = 3000\n  \
        backup_window = \"04:00-05:00\"\n  maintenance_window = \"mon:10:00-mon:11:00\"";
    // What is marked hides itself and nothing beside it.
    let tags = "  tags = { Team = var.team }";
    let variable = "variable \"team\" {\n  default   = \"shop\"\n  sensitive = true\n}\n";
    world.write("main.tf", &(module(&format!("{quick}\n{tags}")) + variable));
    world.run("init").fine();
    world.run("plan").fine().says("+ name = \"a\"").says("+ storage_iops = 3000");
    // The provider's block decides where a resource of one's own is.
    let own = "provider \"pgherd\" {\n  target = \"local\"\n}\nresource \"pgherd_postgres\" \"a\" {\n  \
        name = \"a\"\n  allocated_storage = 10\n}\n";
    let required =
        "terraform {\n  required_providers {\n    pgherd = {\n      source = \"local/pgherd/pgherd\"\n    }\n  }\n}\n";
    world.write("main.tf", &format!("{own}{required}"));
    world.run("validate").fine().says("The validations of the module do not see this target.");
}

/// A saved plan holds a copy of the configuration, which is Terraform's: so a password belongs into a variable.
#[test]
fn a_password_that_is_written_out_stands_in_a_saved_plan_and_nowhere_else() {
    let Some(world) = World::beside("literal") else { return };
    let password = "Never-to-be-found-2";
    world.write("main.tf", &module(&format!("  cloud_provider = \"local\"\n  master_password = \"{password}\"")));
    world.run("init").fine();
    world.run("plan -out=saved").fine();
    let mut found = world.files_with(password);
    found.sort();
    assert_eq!(found, [world.work().join("main.tf"), world.work().join("saved")]);
}

/// What is generated is as Terraform itself would write it, and says from which version on.
#[test]
fn modules_and_examples_are_written_as_terraform_writes() {
    let Some(world) = World::beside("format") else { return };
    for folder in ["modules", "examples"] {
        world.run(&format!("fmt -check -recursive {}", repository().join(folder).display())).fine();
    }
    let main = std::fs::read_to_string(repository().join("modules/database/main.tf")).expect("the module");
    assert!(main.contains("required_version = \">= 1.11\""), "older ones keep what is write-only");
    let variables = std::fs::read_to_string(repository().join("modules/database/variables.tf")).expect("the module");
    let count = |text: &str| variables.lines().filter(|line| line.trim_start().starts_with(text)).count();
    assert_eq!(count("default     = null"), count("variable "), "a default would hide that nothing is written");
}

/// A block in one line may hold one argument and no other block, say, which no reader of ours need notice.
#[test]
fn what_documents_show_is_terraforms_language() {
    let Some(world) = World::beside("documents") else { return };
    let mut documents = vec![repository().join("README.md"), repository().join("modules/database/README.md")];
    for folder in ["docs/src/guides", "docs/src/tutorial", "docs/src/reference"] {
        let entries = std::fs::read_dir(repository().join(folder)).expect("a folder").flatten();
        documents.extend(entries.map(|entry| entry.path()));
    }
    let folder = world.work().join("shown");
    std::fs::create_dir(&folder).expect("a folder");
    let mut count = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("a document");
        for fence in text.split("\n```hcl").skip(1) {
            let shown = fence.split_once('\n').and_then(|(_, rest)| rest.split("\n```").next()).unwrap_or_default();
            count += 1;
            std::fs::write(folder.join(format!("{count}.tf")), format!("{shown}\n")).expect("written");
        }
    }
    assert!(count > 20, "{count}");
    world.run("fmt -list=false shown").fine();
}

/// What has not been made yet has no name, and nothing is asked for before it has.
#[test]
fn what_is_not_known_yet_is_planned_around() {
    let Some(world) = World::beside("unknown") else { return };
    let rest = "  cloud_provider = \"local\"\n  vpc_id = terraform_data.network.id\n  tags = { Network = terraform_data.network.id }";
    world.write("main.tf", &(module(rest) + "resource \"terraform_data\" \"network\" {}\n"));
    world.run("init").fine();
    let planned = world.run("plan").fine();
    planned
        .says("will be created")
        .says("\"backup_retention_period\" = \"7\"")
        .says("\"vpc_id\" = (known after apply)");
}
