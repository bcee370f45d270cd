//! A secret is in no word and no drawing, wherever it is written and whatever is wrong beside it.

use pgherd_core::checks::{check, check_across};
use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::Diagnostic;
use pgherd_core::hcl::{Document, Given, Sources, read};
use pgherd_core::outputs::{Facts, outputs};
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::text::explain;
use proptest::prelude::*;

use crate::support::{read_text, told as told_at};

/// What must be nowhere. Letters alone, so that it may stand without quotes; long ones are quoted shortened.
const MARKERS: [&str; 2] =
    ["hunterxsecond", "hunterxsecondabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"];

/// How a secret comes into a block, `@` in its place: the files beside `db.hcl`, its own text, the expression for it.
const WAYS: &[(&str, &str, &str)] = &[
    ("", "variable \"a\" {\n  sensitive = true\n  default = \"@\"\n}\n", "var.a"),
    (
        "",
        "variable \"a\" {\n  sensitive = true\n  type = list(string)\n  default = [\n    \"b\", \"@\",\n  ]\n}\n",
        "var.a[1]",
    ),
    ("", "variable \"a\" {\n  sensitive = true\n  type = number\n  default = \"@\"\n}\n", "var.a"),
    ("", "variable \"a\" {\n  default = @\n  sensitive = true\n}\n", "var.a"),
    ("", "variable \"a\" {\n  default = \"@\n  sensitive = true\n}\n", "var.a"),
    ("", "variable \"a\" {\n  sensitive = true\n  default = <<EOT\n@${\nEOT\n}\n", "var.a"),
    ("", "variable \"a_password\" {\n  default = \"@\" + 1\n}\n", "var.a_password"),
    ("a = \"@\"\n", "variable \"a\" {\n  sensitive = true\n}\n", "var.a"),
    ("a = @\n", "variable \"a\" {\n  sensitive = true\n}\n", "var.a"),
    ("a = \"@\n", "variable \"a\" {\n  sensitive = true\n}\n", "var.a"),
    ("a = tonumber(\"@\")\n", "variable \"a\" {\n  sensitive = true\n}\n", "var.a"),
    ("a = { b = \"@\" }\n", "variable \"a\" {\n  sensitive = true\n  type = map(number)\n}\n", "var.a[\"b\"]"),
    ("", "variable \"a\" {\n  sensitive = true\n  default = \"@\"\n}\nlocals {\n  b = \"x-${var.a}\"\n}\n", "local.b"),
    ("", "locals {\n  b = sensitive(\"@\")\n}\n", "local.b"),
    ("", "locals {\n  b = sensitive(@)\n}\n", "local.b"),
    ("", "variable \"a\" {\n  sensitive = true\n  default = \"@\"\n}\nlocals {\n  b = tonumber(var.a)\n}\n", "local.b"),
    ("", "", "sensitive(\"@\")"),
];

/// Where it is used: arguments, `@` for the expression.
const USES: &[&str] = &[
    "master_password = @",
    "master_password = \"${@}!\"",
    "master_password = [@]",
    "master_password = tonumber(@)",
    "name = @",
    "name = \"x-${@}\"",
    "name = lower(@)\n  database_name = @",
    "tags = { a = @, b = [@] }",
    "parameters = [{ name = \"work_mem\", value = @ }, { name = @, value = 1 }]",
    "instance_class = @\n  allocated_storage = @\n  engine_version = @",
    "allowed_cidr_blocks = [@]\n  port = @ + 1",
    "cloud_provider = @",
    "tags = { (@) = \"a\" }",
    "name = { a = 1 }[@]",
    "preset = @ ? \"dev\" : \"prod\"",
    "final_snapshot_identifier = format(\"%d\", @)",
    "nonsense = @",
];

/// Secrets written as they are, where a secret belongs.
const WRITTEN: &[&str] = &[
    "master_password = \"@\"",
    "master_password = \"@",
    "master_password = '@'",
    "master_password = @",
    "master_password = [\"@\"]",
    "master_password = tonumber(\"@\") # it is",
    "master_password = \"@\" + 1",
    "master_password = <<EOT\n@ ${nothing}\nEOT",
    "master_password = \"@\"\n  master_password = \"@\"",
    "master_password = \"a\\\"@\" / \"@\"",
    "database_password = \"@\"",
];

/// Everything that may be seen of a configuration.
fn seen(sources: &Sources, given: &Given) -> String {
    let document = read(sources, given);
    let mut seen = String::new();
    let mut specs: Vec<Spec> = Vec::new();
    seen += &told(&document, &document.diagnostics);
    for target in [None, Some(Cloud::Local), Some(Cloud::Azure)] {
        specs.clear();
        for inputs in &document.blocks {
            let (spec, diagnostics) = resolve(inputs, target);
            seen += &told(&document, &diagnostics);
            let Some(spec) = spec else { continue };
            seen += &told(&document, &check(inputs, &spec, jiff::civil::date(2026, 11, 21)));
            let outputs = outputs(&spec, &Facts::default());
            seen += &format!("{}\n{outputs:?}\n{spec:?}\n", explain(&spec));
            seen += &serde_json::to_string(&spec).expect("a spec is JSON");
            specs.push(spec);
        }
        seen += &told(&document, &check_across(&specs));
    }
    seen
}

/// Diagnostics with the lines that are drawn beside them.
fn told(document: &Document, diagnostics: &[Diagnostic]) -> String {
    let drawn = |one: &Diagnostic| {
        let (file, span) = document.span(&one.at)?;
        let shown = &document.shown[file];
        let start = shown[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        Some(shown[start..].lines().take(3).collect::<Vec<_>>().join("\n"))
    };
    diagnostics.iter().map(|one| format!("{one:?}\n{}\n", drawn(one).unwrap_or_default())).collect()
}

fn check_hidden(values: &str, text: &str, given: &Given) {
    for marker in MARKERS {
        let mut sources = Sources::from_bytes("db.hcl", text.replace('@', marker).into_bytes());
        sources.add("terraform.tfvars", values.replace('@', marker).into_bytes());
        let seen = seen(&sources, given);
        assert!(!seen.contains("hunterx"), "{text}\n{values}\n{seen}");
    }
}

/// Two blocks, so that there is something to say between them.
fn blocks(arguments: &str) -> String {
    ["one", "two"].map(|label| format!("module \"{label}\" {{\n  {arguments}\n}}\n")).concat()
}

#[test]
fn every_way_into_every_place() {
    for (values, before, expression) in WAYS {
        for used in USES {
            check_hidden(values, &(before.to_string() + &blocks(&used.replace('@', expression))), &Given::default());
        }
    }
}

#[test]
fn written_as_it_is() {
    for written in WRITTEN {
        check_hidden("", &blocks(written), &Given::default());
    }
}

#[test]
fn from_the_command_line() {
    for text in ["[@", "[@]", "@", "{ @ = 1 }", "[\"@\"]", "'@'"] {
        for ty in ["list(number)", "string", "object({ a = bool })"] {
            let mut given = Given::default();
            given.var("a", text.replace('@', MARKERS[0]));
            let before = format!("variable \"a\" {{\n  type = {ty}\n  sensitive = true\n}}\n");
            check_hidden("", &(before + &blocks("master_password = var.a\n  name = \"x${var.a}\"")), &given);
        }
    }
}

#[test]
fn a_value_for_no_variable_is_hidden_by_its_name() {
    check_hidden("my_token = [\"@\", @]\n", &blocks("master_password = var.my_token[0]"), &Given::default());
}

/// What stands in the file is in every copy of it; what comes from a variable, or from a template with one, is not.
#[test]
fn a_password_that_stands_in_the_file_is_warned_of() {
    let said = |password: &str| {
        let text = format!(
            "variable \"a\" {{\n  sensitive = true\n}}\nmodule \"db\" {{\n  source = \"./database\"\n  master_password = {password}\n}}\n"
        );
        let (sources, document) = read_text(&text);
        told_at(&sources, &document)
    };
    insta::assert_snapshot!(said("\"correct-horse\""), @r#"warning[secret-in-file] 6:21 `"correct-horse"`: `master_password` stands in the file in plain text | write master_password = var.<name> with sensitive = true in the variable, or leave it out: pgherd makes one and keeps it"#);
    assert_eq!(said("var.a"), "");
    assert_eq!(said("\"${var.a}!\""), "");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever is broken around it, what is wrong is drawn and told without it.
    #[test]
    fn in_a_text_that_is_broken(
        // The last is written where it is used, and what breaks the word `sensitive` makes it none.
        way in 0..WAYS.len() - 1,
        used in 0..USES.len(),
        at in 0.0..1.0_f64,
        broken in prop_oneof![Just("\""), Just("{"), Just("}"), Just("\n"), Just("= 1"), Just("${"), Just("]"), Just("#")],
    ) {
        let (values, before, expression) = WAYS[way];
        let text = before.to_owned() + &blocks(&USES[used].replace('@', expression));
        // Behind what makes it secret: before that, it is none.
        let place = before.len() + ((text.len() - before.len()) as f64 * at) as usize;
        let text = format!("{}{broken}{}", &text[..place], &text[place..]);
        check_hidden(values, &text, &Given::default());
    }
}
