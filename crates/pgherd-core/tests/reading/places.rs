//! Where what is told points: at the value, or at what encloses it when it is not written.

use pgherd_core::diagnostic::At;

use crate::support::read_text;

const TEXT: &str = r#"module "db" {
  name = "dev"
  tags = { Owner = "dba", "Cost Center" = upper("x") }
  parameters = [
    { name = "a", value = 1 },
    { name = "b", value = "2" },
  ]
  subnet_ids = concat(["a"], ["b"])
}
"#;

#[track_caller]
fn check(path: &str, expected: &str) {
    let (sources, document) = read_text(TEXT);
    assert_eq!(document.diagnostics, []);
    let at = At::Variable { block: "db".to_owned(), path: path.to_owned() };
    let (file, span) = document.span(&at).expect("the block is written");
    assert_eq!(&sources.files[file].text[span], expected);
}

#[test]
fn at_the_argument() {
    check("name", "\"dev\"");
}

#[test]
fn at_the_element() {
    check("parameters[1]", "{ name = \"b\", value = \"2\" }");
    check("parameters[1].value", "\"2\"");
    check("tags.Owner", "\"dba\"");
    check("tags.Cost Center", "upper(\"x\")");
}

#[test]
fn at_what_encloses_it() {
    check("parameters[1].apply_method", "{ name = \"b\", value = \"2\" }");
    check("parameters[7].value", "[\n    { name = \"a\", value = 1 },\n    { name = \"b\", value = \"2\" },\n  ]");
    check("subnet_ids[1]", "concat([\"a\"], [\"b\"])");
    check("multi_az", "module \"db\"");
    check("", "module \"db\"");
}

#[test]
fn nowhere_for_a_block_that_is_not_there() {
    let (_, document) = read_text(TEXT);
    assert_eq!(document.span(&At::Variable { block: "other".to_owned(), path: String::new() }), None);
    assert_eq!(document.span(&At::Nowhere), None);
}
