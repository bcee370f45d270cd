//! Variables: where their values come from, what types do to them, and what stays secret.

use pgherd_core::hcl::{Document, Given, Sources, read};
use pgherd_core::value::Value;

use crate::support::told;

/// A variable `x` and a block whose name is made of it.
const NAMED: &str =
    "variable \"x\" {\n  type    = string\n  default = \"default\"\n}\nmodule \"db\" {\n  name = var.x\n}\n";

fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (name, text) in files {
        sources.add(*name, text.as_bytes().to_vec());
    }
    sources
}

fn environment(variables: &[(&str, &str)]) -> Given {
    Given::from_environment(variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

/// The value an argument of the only block has, nothing being wrong.
#[track_caller]
fn argument(files: &[(&str, &str)], given: &Given, name: &str) -> Value {
    let sources = sources(files);
    let document = read(&sources, given);
    assert_eq!(told(&sources, &document), "");
    document.blocks[0].values.get(name).cloned().unwrap_or(Value::Null)
}

#[track_caller]
fn check_name(files: &[(&str, &str)], given: &Given, expected: &str) {
    assert_eq!(argument(files, given, "name"), Value::text(expected));
}

/// What is said about one file.
fn said(text: &str, given: &Given) -> String {
    let sources = sources(&[("db.hcl", text)]);
    told(&sources, &read(&sources, given))
}

#[test]
fn later_sources_win() {
    let main = ("db.hcl", NAMED);
    let all = [
        main,
        ("z.auto.tfvars", "x = \"z-auto\""),
        ("a.auto.tfvars", "x = \"a-auto\""),
        ("terraform.tfvars", "x = \"tfvars\""),
        ("prod.tfvars", "x = \"file\""),
    ];
    let mut given = environment(&[("PGHERD_VAR_x", "pgherd"), ("TF_VAR_x", "tf"), ("HOME", "/root")]);
    check_name(&[main], &Given::default(), "default");
    check_name(&[main], &environment(&[("TF_VAR_x", "tf")]), "tf");
    check_name(&[main], &given, "pgherd");
    check_name(&[main, all[3]], &given, "tfvars");
    check_name(&[main, all[1], all[2], all[3]], &given, "z-auto");
    given.var_file(4);
    check_name(&all, &given, "file");
    given.var("x", "argument");
    check_name(&all, &given, "argument");
    given.var_file(4);
    check_name(&all, &given, "file");
}

#[test]
fn values_may_be_json() {
    check_name(&[("db.hcl", NAMED), ("terraform.tfvars.json", "{\"x\": \"json\"}")], &Given::default(), "json");
}

#[test]
fn text_from_outside_is_literal_for_strings_and_hcl_for_lists() {
    let mut given = Given::default();
    given.var("x", "[not, hcl]");
    check_name(&[("db.hcl", NAMED)], &given, "[not, hcl]");

    let list = "variable \"x\" {\n  type = list(string)\n}\nmodule \"db\" {\n  subnet_ids = var.x\n}\n";
    let mut given = Given::default();
    given.var("x", "[\"a\", \"b\"]");
    assert_eq!(argument(&[("db.hcl", list)], &given, "subnet_ids"), Value::List(vec!["a".into(), "b".into()]));

    let undeclared = "module \"db\" {\n  subnet_ids = var.x\n  port = var.y\n}\n";
    given.var("y", "6543");
    assert_eq!(argument(&[("db.hcl", undeclared)], &given, "subnet_ids"), Value::List(vec!["a".into(), "b".into()]));
    assert_eq!(argument(&[("db.hcl", undeclared)], &given, "port"), Value::Int(6543));
}

#[test]
fn a_variable_without_a_value_is_unknown() {
    let text = "variable \"x\" {}\nmodule \"db\" {\n  name = var.x\n  kms_key_id = var.never_declared\n}\n";
    let files = [("db.hcl", text)];
    assert_eq!(argument(&files, &Given::default(), "name"), Value::Unknown("var.x".to_owned()));
    assert_eq!(argument(&files, &Given::default(), "kms_key_id"), Value::Unknown("var.never_declared".to_owned()));
}

#[test]
fn the_types_of_variables_hold() {
    let text = "variable \"x\" {\n  type = object({ name = string, port = optional(number, 5432) })\n  default = { name = 1, other = 2 }\n}\n\
                module \"db\" {\n  name = \"n${var.x.name}\"\n  port = var.x.port\n}\n";
    assert_eq!(argument(&[("db.hcl", text)], &Given::default(), "port"), Value::Int(5432));
    insta::assert_snapshot!(
        [
            said("variable \"x\" {\n  type = number\n  default = \"many\"\n}\n", &Given::default()),
            said("variable \"x\" {\n  type = list(string)\n  default = \"one\"\n}\n", &Given::default()),
            said(
                "variable \"x\" {\n  type = map(list(object({ a = number, b = bool, c = tuple([string]) })))\n  default = { k = [{ a = \"one\", c = [[]] }, 1] }\n}\n",
                &Given::default()
            ),
            said("variable \"x\" {\n  nullable = false\n  default = null\n}\n", &Given::default()),
            said(
                "variable \"x\" {\n  type = number\n  sensitive = true\n  default = \"hunter2\"\n}\n",
                &Given::default()
            ),
        ]
        .concat()
    );
}

#[test]
fn what_is_wrong_with_values_from_outside_is_said() {
    let list = "variable \"x\" {\n  type = list(string)\n}\n";
    let mut broken = Given::default();
    broken.var("x", "[\"a\"");
    let mut unused = Given::default();
    unused.var("xx", "1");
    insta::assert_snapshot!([said(list, &broken), said(list, &unused)].concat());
}

#[test]
fn what_is_wrong_inside_of_a_value_is_said_where_it_stands() {
    let files = [("db.hcl", "variable \"x\" {\n}\n"), ("terraform.tfvars", "x = [upper(\"a\", \"b\")]\n")];
    let sources = sources(&files);
    let given = told(&sources, &read(&sources, &Given::default()));
    let default = said("variable \"x\" {\n  default = [upper(\"a\", \"b\")]\n}\n", &Given::default());
    insta::assert_snapshot!(given + &default, @r#"
    error[wrong-arguments] 1:6 `upper("a", "b")`: `upper` takes 1 argument, not 2 | write upper(string)
    error[wrong-arguments] 2:14 `upper("a", "b")`: `upper` takes 1 argument, not 2 | write upper(string)
    "#);
}

#[test]
fn conditions_are_held_to() {
    let text = "variable \"size\" {\n  default = \"huge\"\n  validation {\n    condition     = contains([\"small\", \"big\"], var.size)\n    error_message = \"say small or big, not ${var.size}\"\n  }\n}\n\
                variable \"secret\" {\n  sensitive = true\n  default   = \"abc\"\n  validation {\n    condition     = length(var.secret) > 8\n    error_message = \"it is too short\"\n  }\n}\n";
    insta::assert_snapshot!(said(text, &Given::default()));
}

#[test]
fn sensitive_values_are_secrets() {
    let text = "variable \"x\" {\n  sensitive = true\n  default = \"hunter2\"\n}\nmodule \"db\" {\n  tags = { a = \"${var.x}!\" }\n  master_password = \"open sesame\"\n}\n";
    let document = read(&sources(&[("db.hcl", text)]), &Given::default());
    let Document { blocks, .. } = &document;
    insta::assert_debug_snapshot!(blocks[0].values);
    assert!(!format!("{document:?}").contains("hunter2"));
    assert!(!format!("{document:?}").contains("sesame"));
}
