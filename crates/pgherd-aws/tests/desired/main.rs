//! What blocks want of AWS, whole.

mod blocks;
mod permissions;
mod planned;
mod table;
mod traps;
mod variables;
mod watched;

use std::fmt::Write as _;

use pgherd_aws::desired;
use pgherd_core::cloud::Cloud;
use pgherd_core::hcl::{Given, Sources, read};
use pgherd_core::resource::Resource;
use pgherd_core::spec::{Spec, resolve};
use pgherd_core::value::Value;

const REGION: &str = "eu-central-1";

/// The spec of the arguments of one block.
fn spec(arguments: &str) -> Spec {
    let text = format!("module \"database\" {{\n{arguments}\n}}\n");
    let sources = Sources::from_bytes("db.hcl", text.into_bytes());
    let document = read(&sources, &Given::default());
    let inputs = document.blocks.first().expect("a block");
    resolve(inputs, Some(Cloud::Aws)).0.expect("the target is given")
}

fn resources(arguments: &str) -> Vec<Resource> {
    desired(&spec(arguments), REGION)
}

/// Resources as a person reads them: a field a line, a key of a map a line.
fn shown(resources: &[Resource]) -> String {
    let mut out = String::new();
    for resource in resources {
        let needs: Vec<_> = resource.needs.iter().map(ToString::to_string).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
        writeln!(out, "{}{needs}", resource.id).expect("a text takes all");
        for (name, value) in &resource.props {
            match value {
                Value::Map(entries) => {
                    for (key, value) in entries {
                        writeln!(out, "    {name}.{key} = {value}").expect("a text takes all");
                    }
                }
                _ => writeln!(out, "    {name} = {value}").expect("a text takes all"),
            }
        }
    }
    out
}

/// The lines of one resource's field.
fn field(arguments: &str, kind: &str, name: &str) -> String {
    let resources = resources(arguments);
    let resource = resources.iter().find(|resource| resource.id.kind == kind).expect("it is wanted");
    resource.props.get(name).map_or_else(|| "(left out)".to_owned(), ToString::to_string)
}
