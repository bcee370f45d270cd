//! Which files are read, and where values of variables come from.

use crate::sandbox::Sandbox;

const NAMED: &str = "variable \"name\" {\n  default = \"by-default\"\n}\n\nmodule \"db\" {\n  source = \"./modules/database_postgres\"\n  name   = var.name\n}\n";

#[track_caller]
fn name(sandbox: &Sandbox, flags: &[&str]) -> String {
    let arguments = [&["explain", "--json"], flags].concat();
    let json = sandbox.run(&arguments).with_code(0).json();
    json["result"][0]["name"].as_str().expect("a name").to_owned()
}

#[test]
fn the_later_source_of_a_variable_wins() {
    let mut sandbox = Sandbox::new();
    sandbox.write("database.hcl", NAMED);
    assert_eq!(name(&sandbox, &[]), "by-default");
    sandbox.set("TF_VAR_name", "by-tf-var");
    assert_eq!(name(&sandbox, &[]), "by-tf-var");
    sandbox.set("PGHERD_VAR_name", "by-pgherd-var");
    assert_eq!(name(&sandbox, &[]), "by-pgherd-var");
    sandbox.write("terraform.tfvars", "name = \"by-tfvars\"\n");
    assert_eq!(name(&sandbox, &[]), "by-tfvars");
    sandbox.write("z.auto.tfvars", "name = \"by-auto\"\n");
    assert_eq!(name(&sandbox, &[]), "by-auto");
    sandbox.write("mine.tfvars", "name = \"by-file\"\n");
    assert_eq!(name(&sandbox, &["--var-file", "mine.tfvars"]), "by-file");
    assert_eq!(name(&sandbox, &["--var-file", "mine.tfvars", "-var", "name=by-flag"]), "by-flag");
    assert_eq!(name(&sandbox, &["-var", "name=by-flag", "-var-file", "mine.tfvars"]), "by-file");
}

#[test]
fn database_hcl_is_read_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("database.hcl", NAMED).write("other.hcl", "not hcl {{{");
    assert_eq!(name(&sandbox, &[]), "by-default");
}

#[test]
fn without_it_every_hcl_and_tf_file_is_read_as_one() {
    let sandbox = Sandbox::new();
    let (variable, block) = NAMED.split_once("\n\n").expect("two parts");
    sandbox.write("variables.tf", variable).write("main.hcl", block).write("notes.txt", "not hcl {{{");
    assert_eq!(name(&sandbox, &[]), "by-default");
}

#[test]
fn a_folder_can_be_named() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.work().join("there")).expect("a folder");
    sandbox.write("there/database.hcl", NAMED).write("there/terraform.tfvars", "name = \"beside-it\"\n");
    assert_eq!(name(&sandbox, &["-f", "there"]), "beside-it");
    assert_eq!(name(&sandbox, &["-f", "there/database.hcl"]), "beside-it");
}
