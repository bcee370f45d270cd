//! What is wrong between the blocks of one configuration.

use std::collections::BTreeMap;

use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::spec::{Setting, Spec};

/// What is wrong between the blocks of one configuration: one identity twice, one port twice.
pub fn check_across(specs: &[Spec]) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let mut identities: BTreeMap<String, &Spec> = BTreeMap::new();
    let mut ports: BTreeMap<u16, &Spec> = BTreeMap::new();
    // Of a name that is a secret is said where it is written; what stands in its place is nobody's name.
    for spec in specs.iter().filter(|spec| !spec.is_hidden("name")) {
        if let Some(first) = identities.insert(identity(spec), spec) {
            diagnostics.push(same_identity(first, spec));
            continue;
        }
        let port = spec.network.port.filter(|_| spec.target == Cloud::Local);
        if let Some((port, first)) = port.and_then(|port| Some((port, ports.insert(port, spec)?))) {
            diagnostics.push(
                Diagnostic::error("port-taken", format!("port {port} is also that of block \"{}\"", first.block))
                    .at(&spec.block, "port")
                    .help("write another port, or leave port out and a free one is taken and kept"),
            );
        }
    }
    diagnostics
}

fn same_identity(first: &Spec, second: &Spec) -> Diagnostic {
    let place = match place(second) {
        place if place.is_empty() => String::new(),
        place => format!(" in {place}"),
    };
    let message = format!(
        "blocks \"{}\" and \"{}\" are the same instance: \"{}\" on {}{place}",
        first.block, second.block, second.name, second.target
    );
    Diagnostic::error("same-instance", message)
        .at(&second.block, "name")
        .help(format!("write another name in block \"{}\"", second.block))
}

/// What tells instances apart (variables.md 3.5). A region nobody wrote and one nobody can follow are told apart by their words.
fn identity(spec: &Spec) -> String {
    format!("{} {} {}", spec.target, place(spec), spec.name)
}

fn place(spec: &Spec) -> String {
    let place = &spec.place;
    let parts = match spec.target {
        Cloud::Aws | Cloud::DigitalOcean => vec![&place.region],
        Cloud::Gcp => vec![&place.gcp_project],
        Cloud::Azure => vec![&place.azure_subscription_id, &place.resource_group],
        Cloud::Local => Vec::new(),
    };
    let words = parts.into_iter().filter_map(|part| match part {
        Setting::Known(text) | Setting::Unknown(text) => Some(text.as_str()),
        Setting::Unset => None,
    });
    words.collect::<Vec<_>>().join("/")
}
