//! What the provider offers, as a page of the reference: printed from what Terraform itself is told.

use std::fmt::Write as _;

use crate::protocol::{Attribute, Given, Schema, Shape, Signature, Type};
use crate::provider::plugin;

/// The page.
pub fn reference() -> String {
    let plugin = plugin();
    let mut page = String::from(
        "# Terraform\n\nWhat the provider `local/pgherd/pgherd` offers, in the words that Terraform itself is told. The module's variables and \
         outputs stand in its README; every name a setting may have stands in [Variables](variables.md).\n\n## The provider's block\n\n",
    );
    page += &described(plugin.provider.schema());
    for (name, resource) in &plugin.resources {
        let _ = write!(page, "\n## Resource `{name}`\n\n{}", described(resource.schema()));
    }
    for (name, source) in &plugin.data_sources {
        let _ = write!(page, "\n## Data source `{name}`\n\n{}", described(source.schema()));
    }
    for (name, source) in &plugin.ephemerals {
        let _ = write!(page, "\n## Ephemeral resource `{name}`\n\n{}", described(source.schema()));
    }
    page += "\n## Functions\n";
    for (name, function) in &plugin.functions {
        page += &function_of(name, &function.signature());
    }
    page
}

fn described(schema: &Schema) -> String {
    let mut text = format!("{}\n", schema.description);
    let (written, told): (Vec<&Attribute>, Vec<&Attribute>) =
        schema.attributes.iter().partition(|attribute| attribute.given != Given::Computed);
    text += &table("may be written", &written);
    text += &table("is told", &told);
    for block in &schema.blocks {
        let _ = write!(text, "\nThe block `{}`. {}\n", block.name, block.description);
        text += &table("may be written in it", &block.attributes.iter().collect::<Vec<_>>());
    }
    text
}

fn table(what: &str, attributes: &[&Attribute]) -> String {
    if attributes.is_empty() {
        return String::new();
    }
    let mut text = format!("\n| {what} | type | meaning |\n|---|---|---|\n");
    for attribute in attributes {
        rows(&mut text, "", attribute);
    }
    text
}

/// An attribute, and below it those that are nested in it.
fn rows(text: &mut String, within: &str, attribute: &Attribute) {
    let Attribute { name, description, shape, given, sensitive, write_only } = attribute;
    let name = format!("{within}{name}");
    let marks = [
        (*given == Given::Required, "Required."),
        (*write_only, "Write-only."),
        (*sensitive && !*write_only, "Sensitive."),
    ];
    let marks: Vec<&str> = marks.into_iter().filter(|(is, _)| *is).map(|(_, words)| words).collect();
    let meaning = [&marks[..], &[description.as_str()]].concat().join(" ");
    let meaning = cell(&meaning);
    let (ty, nested, within): (_, &[Attribute], _) = match shape {
        Shape::Plain(ty) => (spelled(ty), &[], String::new()),
        Shape::One(nested) => ("object".to_owned(), nested, format!("{name}.")),
        Shape::Many(nested) => ("list of objects".to_owned(), nested, format!("{name}[].")),
    };
    let _ = writeln!(text, "| `{name}` | {ty} | {meaning} |");
    for attribute in nested {
        rows(text, &within, attribute);
    }
}

/// A text in a table: neither the end of a cell nor the beginning of a tag. Code is as it is.
fn cell(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(index, part)| if index % 2 == 0 { part.replace('<', "\\<") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`").replace('|', "\\|")
}

fn spelled(ty: &Type) -> String {
    match ty {
        Type::Text => "string".to_owned(),
        Type::Number => "number".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Dynamic => "any".to_owned(),
        Type::List(item) => format!("list({})", spelled(item)),
        Type::Set(item) => format!("set({})", spelled(item)),
        Type::Map(item) => format!("map({})", spelled(item)),
        Type::Object(_) => "object".to_owned(),
        Type::Tuple(_) => "tuple".to_owned(),
    }
}

fn function_of(name: &str, signature: &Signature) -> String {
    let parameters: Vec<String> =
        signature.parameters.iter().map(|(name, ty, _)| format!("{name}: {}", spelled(ty))).collect();
    let mut text = format!(
        "\n### `provider::pgherd::{name}({}) -> {}`\n\n{}. {}\n\n",
        parameters.join(", "),
        spelled(&signature.returns),
        signature.summary,
        signature.description
    );
    for (name, _, meaning) in &signature.parameters {
        let _ = writeln!(text, "* `{name}`: {meaning}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_terraform_is_told() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference/terraform.md");
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        assert!(kept == reference(), "docs/src/reference/terraform.md is stale: run cargo xtask generate");
    }

    #[test]
    fn what_is_nested_and_what_is_kept_nowhere_is_said() {
        let page = reference();
        for line in [
            "| `proxy_config.pool_mode` | string |",
            "| `parameters[].name` | string | Required. ",
            "| `create` | string |",
        ] {
            assert!(page.contains(line), "{line}");
        }
        assert_eq!(cell("of `a|b<c>`: <name>-final"), "of `a\\|b<c>`: \\<name>-final");
        assert!(page.contains("| `master_password_wo` | string | Write-only. "));
        assert!(page.contains("### `provider::pgherd::problem(variable: string, variables: any) -> string`"));
    }
}
