//! What cannot be read is told at its place, in words that say what to write. A line for each case.

use insta::assert_snapshot;
use pgherd_core::hcl::{Given, MAX_SOURCE_BYTES, Sources, read};
use pgherd_core::value::Value;

use crate::support::{read_text, told};

/// What is told about a text.
fn check(text: &str) -> String {
    let (sources, document) = read_text(text);
    told(&sources, &document)
}

/// What is told about the arguments of a block.
fn in_block(arguments: &str) -> String {
    check(&format!("module \"db\" {{\n{arguments}\n}}\n"))
}

/// What is told about bytes.
fn bytes(bytes: &[u8]) -> String {
    let sources = Sources::from_bytes("db.hcl", bytes.to_vec());
    told(&sources, &read(&sources, &Given::default()))
}

#[test]
fn not_hcl() {
    assert_snapshot!(
        [
            check("{\"module\": {}}"),
            check("<?xml version=\"1.0\"?>"),
            check("name: dev\n"),
            check("just some words\n"),
            check("\0\0\0"),
            check("db_instance_endpoint   # Database host\n"),
            check("CREATE TABLE x (y int);\n"),
        ]
        .concat()
    );
}

#[test]
fn something_left_open() {
    assert_snapshot!(
        [
            check("module \"db\" {\n  name = \"dev\n}\n"),
            check("module \"db\" {\n  name = \"dev\"\n"),
            check("module \"db\" {\n  subnet_ids = [\"a\", \"b\"\n  name = \"dev\"\n}\n"),
            check("module \"db\" {\n  name = \"${var.x\"\n}\n"),
            check("module \"db\" {\n}\n}\n"),
            check("locals {\n  text = <<EOT\n  hello\n}\n"),
            check("/* a comment\n"),
        ]
        .concat()
    );
}

#[test]
fn small_slips() {
    assert_snapshot!(
        [
            in_block("name = 'dev'"),
            in_block("name == \"dev\""),
            in_block("name \"dev\""),
            in_block("name ="),
            in_block("multi_az = true, port = 5432"),
            in_block("multi_az = true;"),
            in_block("allocated_storage = 20GB"),
            in_block("allocated_storage = 1 +"),
            in_block("name = \"a\\qb\""),
            in_block("name = \"a\" \"b\""),
            in_block("allowed_cidr_blocks = [10.0.0.0/8]"),
            in_block("cloud_provider = aws"),
            in_block("multi_az = yes"),
            in_block("tags = { a = 1, a = 2 }"),
        ]
        .concat()
    );
}

#[test]
fn bytes_that_are_no_text() {
    assert_snapshot!(
        [bytes(b"name = \"caf\xe9\"\n"), bytes(b"\xef\xbb\xbfname = \"caf\xe9\"\n"), bytes(b"\xff\xfen\0a\0")].concat()
    );
}

#[test]
fn a_byte_order_mark_and_carriage_returns_are_no_trouble() {
    let with_both = b"\xef\xbb\xbfmodule \"db\" {\r\n  name = \"dev\"\r\n  prot = 1\r\n}\r\n";
    assert_snapshot!(bytes(with_both), @"error[unknown-argument] 3:3 `prot`: there is no argument `prot` | did you mean `port`?");
}

#[test]
fn what_stands_in_a_comment_opens_nothing() {
    let block = "module \"db\" {\n  name = \"dev\"\n}\n";
    for comment in ["/* { [ ( \" ${ <<EOT */", "/**/", "/*/ { */", "// { \"", "# { [ ("] {
        assert_eq!(check(&format!("{comment}\n{block}")), "", "{comment}");
    }
}

#[test]
fn a_file_that_is_too_large() {
    assert_snapshot!(
        bytes(&vec![b'['; 10_000_000]),
        @"error[file-too-large] 1:1 ``: `db.hcl` has 10000000 bytes; at most 4 MiB are read | split the configuration into several files in the same folder, or check that this is the right file"
    );
}

/// Each of these, as long as a file may be, is refused, with the stack a test has.
#[test]
fn depth_without_end() {
    let units = [
        "[",
        "(",
        "{",
        "!",
        "-",
        "${\"",
        "\"${",
        "1+",
        "a?b:",
        "a.",
        "a[",
        "f(",
        "{a=",
        "x {\n",
        "<<E\n${",
        "%{if a}",
        "[for x in ",
    ];
    for unit in units {
        for start in ["a = ", "a = \""] {
            let text = start.to_owned() + &unit.repeat((MAX_SOURCE_BYTES - start.len()) / unit.len());
            let (_, document) = read_text(&text);
            assert!(!document.diagnostics.is_empty(), "{start:?} {unit:?} is told");
        }
    }
}

#[test]
fn too_complex() {
    let nested = |unit: &str| check(&format!("locals {{\n  a = {}\n}}\n", unit.repeat(60)));
    assert_snapshot!(
        [nested("["), nested("f("), nested("1 + 1 + "), nested("a.b.c.d.")]
            .map(|told| told.lines().next().unwrap_or_default().to_owned())
            .join("\n")
    );
}

#[test]
fn names_that_grow_without_end() {
    let doubling: String = (1..60).map(|i| format!("  a{i} = [local.a{0}, local.a{0}]\n", i - 1)).collect();
    let texts: String = (1..60).map(|i| format!("  a{i} = \"${{local.a{0}}}${{local.a{0}}}\"\n", i - 1)).collect();
    assert_snapshot!(
        [
            check(&format!("locals {{\n  a0 = 1\n{doubling}}}\n")),
            check(&format!("locals {{\n  a0 = \"many words, said over and over, and then again\"\n{texts}}}\n")),
            check("locals {\n  a = range(1000000000)\n}\n"),
            check("locals {\n  a = [for x in range(100000) : [for y in range(100000) : y]]\n}\n"),
            check("locals {\n  a = format(\"%999999999d\", 1)\n}\n"),
            check("locals {\n  a = indent(999999999, \"a\\nb\")\n}\n"),
            check("locals {\n  a = pow(10, 1000)\n}\n"),
        ]
        .concat()
    );
}

/// The parser takes minutes over each of these.
#[test]
fn names_without_end() {
    let names: String = (0..50_000).map(|index| format!("  argumnet_{index} = 1\n")).collect();
    let expected = "more than 4000 names are given a value inside of one pair of braces";
    for text in [format!("module \"db\" {{\n{names}}}\n"), format!("locals {{\n  a = {{\n{names}}}\n}}\n")] {
        let told = check(&text);
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn written_twice() {
    assert_snapshot!(
        [
            check("module \"db\" {\n}\nmodule \"db\" {\n}\n"),
            in_block("name = \"a\"\nname = \"b\""),
            check("locals {\n  a = 1\n}\nlocals {\n  a = 2\n}\n"),
            check("variable \"a\" {}\nvariable \"a\" {}\n"),
        ]
        .concat()
    );
}

#[test]
fn locals_in_a_circle() {
    assert_snapshot!(
        [
            check("locals {\n  a = local.a\n}\n"),
            check("locals {\n  a = local.b\n  b = [local.c]\n  c = \"${local.a}\"\n  d = local.a\n}\n"),
            check("locals {\n  a = local.b\n  b = local.a\n  x = local.y\n  y = local.x\n}\n"),
        ]
        .concat()
    );
}

#[test]
fn wrong_types() {
    assert_snapshot!(
        [
            in_block("allocated_storage = \"big\""),
            in_block("multi_az = \"maybe\""),
            in_block("name = [\"a\"]"),
            in_block("subnet_ids = \"subnet-1\""),
            in_block("subnet_ids = [\"a\", [\"b\"], null]"),
            in_block("tags = \"a=b\""),
            in_block("tags = { a = [1] }"),
            in_block("parameters = { max_connections = 100 }"),
            in_block("parameters = [{ name = \"a\" }, { nam = \"a\", value = 1 }]"),
            in_block("proxy_config = { pool_mod = \"session\" }"),
            in_block("alarms = { cpu = 80 }"),
            in_block("master_password = [\"hunter2\"]"),
            in_block("tags = { a = [1], b = null, c = \"c\" }"),
            in_block("parameters = [\n  { nam = \"a\" },\n  { name = [1], value = {}, x = 1 },\n]"),
        ]
        .concat()
    );
}

#[test]
fn types_that_terraform_converts_are_converted() {
    let text = "allocated_storage = \"20\"\nengine_version = 15\nmulti_az = \"true\"\ntags = { a = 1, b = true }";
    let (_, document) = read_text(&format!("module \"db\" {{\n{text}\n}}\n"));
    assert_eq!(document.diagnostics, []);
    let tags = Value::Map([("a".to_owned(), "1".into()), ("b".to_owned(), "true".into())].into());
    let wanted = [
        ("allocated_storage", Value::Int(20)),
        ("engine_version", "15".into()),
        ("multi_az", true.into()),
        ("tags", tags),
    ];
    assert_eq!(document.blocks[0].values, wanted.map(|(name, value)| (name.to_owned(), value)).into());
}

#[test]
fn huge_numbers() {
    assert_snapshot!(
        [
            in_block("allocated_storage = 99999999999999999999999999"),
            in_block("allocated_storage = 1e999"),
            in_block("port = 9223372036854775807 + 1"),
            in_block("port = 1 / 0"),
        ]
        .concat()
    );
}

#[test]
fn names_that_do_not_exist() {
    assert_snapshot!(
        [
            in_block("alocated_storage = 20"),
            in_block("storage_size = 20"),
            in_block("backups = true"),
            in_block("db_instance_endpoint = \"x\""),
            in_block("count = 2"),
            in_block("for_each = toset([\"a\"])"),
            in_block("parameters {\n}"),
            in_block("proxy_config {\n}"),
            in_block("lifecycle {\n}"),
            in_block("name = uper(\"a\")"),
            in_block("name = file(\"x\")"),
            in_block("name = timestamp()"),
            in_block("name = regex(\"a\", \"b\")"),
            in_block("name = provider::x::y(1)"),
            in_block("name = upper()"),
            in_block("name = vars.x"),
            check("modul \"db\" {\n}\n"),
            check("module {\n}\n"),
            check("module \"db\" {\n}\nname = \"a\"\n"),
            check("locals {\n  tags = 1\n}\nmodule \"db\" {\n  tags = local.tag\n}\n"),
            check("variable \"password\" {}\nmodule \"db\" {\n  master_password = var.pasword\n}\n"),
            check("variable \"a\" {\n  typ = string\n}\n"),
            check("variable \"a\" {\n  type = strin\n}\n"),
        ]
        .concat()
    );
}

#[test]
fn what_terraform_needs_is_accepted() {
    let text = "source = \"./modules/database\"\nversion = \"1.0\"\nproviders = { aws = aws.west }\ndepends_on = [module.network]";
    assert_eq!(in_block(text), "");
}

#[test]
fn everything_is_told_in_one_run() {
    assert_snapshot!(check(
        "module \"a\" {\n  nam = \"a\"\n  multi_az = \"x\"\n  tags = { a = nope, b = lowr(\"x\") }\n}\nmodule \"b\" {\n  port = []\n}\n"
    ));
}
