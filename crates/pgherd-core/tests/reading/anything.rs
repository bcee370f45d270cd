//! Whatever the bytes: reading ends, never panics, and points only at text that is there.

use pgherd_core::cloud::Cloud;
use pgherd_core::diagnostic::At;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::spec::resolve;
use proptest::prelude::*;

/// Blocks of the kinds the requirements have, and everything else the language offers.
const EXAMPLES: &[&str] = &[
    include_str!("../../../../examples/dev.hcl"),
    include_str!("../../../../examples/staging.hcl"),
    include_str!("../../../../examples/production.hcl"),
    include_str!("../../../../examples/tuning.hcl"),
    include_str!("../../../../examples/azure.hcl"),
    include_str!("../../../../examples/database/variables.tf"),
    EVERYTHING,
];

const EVERYTHING: &str = r#"
locals {
  list  = [1, 2.5, "three", true, null, module.network.id]
  map   = { a = 1, "b" = "2", (local.key) = 3 }
  key   = "c${1 + 2 * 3 - -4 % 5}"
  split = { for k, v in local.map : upper(k) => v... if v != 1 }
  names = [for x in local.list : "${x}" if can(tonumber(x))]
  text  = <<-EOT
    %{ for i, x in ["a", "b"] ~}
    ${i}: ${x}%{ if x == "a" }!%{ else }?%{ endif }
    %{ endfor ~}
  EOT
  splat = data.things[*].id
  one   = local.list[0] >= 1 && !false || local.map["a"] == 1 ? "yes" : "no"
  more  = merge(local.map, { d = format("%05.2f|%-5s|%q", 1.5, "x", "y") })
}

variable "password" {
  type      = string
  sensitive = true
  default   = "hunter22"
}

variable "rules" {
  type    = list(object({ port = number, name = optional(string, "x") }))
  default = [{ port = "5432" }]
}

module "db" {
  source          = "./modules/database"
  name            = lower("DB-${length(local.list)}")
  master_password = "${var.password}!"
  port            = var.rules[0].port
  subnet_ids      = slice(sort(setunion(["b"], ["a", "c"])), 0, 2)
  tags            = { for k in ["x", "y"] : k => cidrsubnet("10.0.0.0/8", 8, 3) }
  proxy_config    = { pool_mode = "session" }
}

resource "other" "thing" {
  name = file("x")
}
"#;

/// Reads, resolves for this machine, and looks at every place.
fn check(bytes: Vec<u8>) {
    let mut given = Given::default();
    given.var("name", String::from_utf8_lossy(&bytes[..bytes.len().min(50)]));
    let mut sources = Sources::from_bytes("a.hcl", bytes.clone());
    sources.add("terraform.tfvars", bytes);
    let document = read(&sources, &given);
    let mut places: Vec<At> = document.diagnostics.iter().map(|diagnostic| diagnostic.at.clone()).collect();
    places.extend(document.foreign.iter().map(|foreign| At::Source { file: foreign.file, span: foreign.span.clone() }));
    for inputs in &document.blocks {
        let (_, diagnostics) = resolve(inputs, Some(Cloud::Local));
        places.extend(diagnostics.into_iter().map(|diagnostic| diagnostic.at));
        let block = inputs.block.clone();
        places.extend(inputs.values.keys().map(|path| At::Variable { block: block.clone(), path: path.clone() }));
    }
    for at in places.iter().filter(|at| **at != At::Nowhere) {
        let (file, span) = document.span(at).expect("what was written stands somewhere");
        assert!(
            sources.files[file].text.get(span.clone()).is_some(),
            "{at:?} is {span:?} of {}",
            sources.files[file].text.len()
        );
    }
}

/// Pieces of the language in any order.
fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "module",
        "\"db\"",
        "variable",
        "locals",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\n",
        " ",
        "=",
        "==",
        "?",
        ":",
        ",",
        ".",
        "...",
        "name",
        "tags",
        "parameters",
        "multi_az",
        "var",
        "local",
        "for",
        "in",
        "if",
        "x",
        "a",
        "=>",
        "\"",
        "${",
        "%{",
        "}",
        "~",
        "<<EOT\n",
        "<<-EOT\n",
        "\nEOT\n",
        "1",
        "2.5",
        "1e9",
        "-",
        "!",
        "+",
        "*",
        "/",
        "%",
        "&&",
        "||",
        "<",
        ">=",
        "true",
        "null",
        "upper(",
        "merge(",
        "format(",
        "range(",
        "try(",
        "can(",
        "jsondecode(",
        "\\",
        "\\n",
        "#",
        "//",
        "/*",
        "*/",
        "é",
        "\u{2028}",
        "\r\n",
        "'",
        ";",
        "*",
        "[*]",
        "%{ if x }",
        "%{ endif }",
        "%{ for a in x }",
        "%{ endfor }",
        "source = \"database\"\n",
    ]);
    prop::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

/// An example with a few bytes changed, cut out, or another example's put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0usize..30,
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        any::<u8>(),
        0u8..4,
    );
    (prop::sample::select(EXAMPLES), prop::collection::vec(change, 1..6)).prop_map(|(example, changes)| {
        let mut text = example.as_bytes().to_vec();
        for (at, length, other, from, byte, kind) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            match kind {
                0 => drop(text.splice(at..end, [])),
                1 => drop(text.splice(at..end.min(at + 1), [byte & 0x7f])),
                2 => text.truncate(at),
                _ => {
                    let other = EXAMPLES[other.index(EXAMPLES.len())].as_bytes();
                    let from = from.index(other.len());
                    drop(text.splice(at..end, other[from..(from + length).min(other.len())].iter().copied()));
                }
            }
        }
        text
    })
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(bytes);
    }

    #[test]
    fn any_characters(text in "\\PC{0,200}") {
        check(text.into_bytes());
    }

    #[test]
    fn any_tokens(text in tokens()) {
        check(text.into_bytes());
    }

    #[test]
    fn any_expression(text in tokens()) {
        check(format!("locals {{\n  y = [1, 2]\n  x = {text}\n}}\n").into_bytes());
    }

    #[test]
    fn examples_with_mistakes(bytes in mutated()) {
        check(bytes);
    }
}

#[test]
fn the_example_of_everything_is_right() {
    let sources = Sources::from_bytes("a.hcl", EVERYTHING.as_bytes().to_vec());
    assert_eq!(read(&sources, &Given::default()).diagnostics, []);
}
