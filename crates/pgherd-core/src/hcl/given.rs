//! Values of variables that come from outside the configuration, in Terraform's order of precedence.
//!
//! Lowest first: environment (`TF_VAR_x`, then `PGHERD_VAR_x`), `terraform.tfvars`, `*.auto.tfvars` in alphabetical
//! order, then `-var` and `-var-file` in the order of the command line. Later wins. The `.tfvars` files are found among
//! [`crate::hcl::Sources`] by their names. (Source: Terraform, "Input Variables", "Variable Definition Precedence".)

use std::collections::BTreeMap;

use hcl_edit::expr::Expression;
use hcl_edit::structure::Body;

use super::{Source, Sources, syntax};
use crate::diagnostic::Diagnostic;
use crate::eval::json_value;
use crate::value::Value;

/// What the environment and the command line say about variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Variables from the environment, the prefix taken off; each name once.
    pub environment: Vec<(String, String)>,
    /// `-var` and `-var-file`, in the order given.
    pub arguments: Vec<Argument>,
}

/// One `-var` or `-var-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// `-var name=text`.
    Var {
        /// Name of the variable.
        name: String,
        /// Its value as typed.
        text: String,
    },
    /// `-var-file`, by its index in [`crate::hcl::Sources`].
    File(usize),
}

impl Given {
    /// Takes `PGHERD_VAR_x` and `TF_VAR_x` out of an environment; the former wins.
    pub fn from_environment(environment: impl IntoIterator<Item = (String, String)>) -> Self {
        let (mut terraform, mut ours) = (Vec::new(), Vec::new());
        for (name, text) in environment {
            if let Some(name) = name.strip_prefix("PGHERD_VAR_") {
                ours.push((name.to_owned(), text));
            } else if let Some(name) = name.strip_prefix("TF_VAR_") {
                terraform.push((name.to_owned(), text));
            }
        }
        terraform.retain(|(name, _)| !ours.iter().any(|(other, _)| other == name));
        terraform.append(&mut ours);
        terraform.sort();
        Self { environment: terraform, arguments: Vec::new() }
    }

    /// Adds `-var name=text`.
    pub fn var(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.arguments.push(Argument::Var { name: name.into(), text: text.into() });
    }

    /// Adds `-var-file`: the index of that file in [`crate::hcl::Sources`].
    pub fn var_file(&mut self, file: usize) {
        self.arguments.push(Argument::File(file));
    }
}

/// A value as it came in.
pub(super) enum Raw {
    /// Text from the environment or `-var`; whether it is HCL depends on the variable's type.
    Text { text: String, from: &'static str },
    /// Written in a `.tfvars` file.
    Written { file: usize, expression: Expression },
    /// Written in a `.tfvars.json` file.
    Ready(Value),
}

/// Whether a file holds values of variables, not configuration.
pub(super) fn holds_values(source: &Source, file: usize, given: &Given) -> bool {
    let named = |argument: &Argument| matches!(argument, Argument::File(index) if *index == file);
    is_values(&source.name) || given.arguments.iter().any(named)
}

fn is_values(name: &str) -> bool {
    name.ends_with(".tfvars") || name.ends_with(".tfvars.json")
}

/// Every variable's value from outside, the winning one.
pub(super) fn collect(sources: &Sources, given: &Given, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, Raw> {
    let mut values = BTreeMap::new();
    for (name, text) in &given.environment {
        values.insert(name.clone(), Raw::Text { text: text.clone(), from: "the environment" });
    }
    for file in automatic(sources) {
        read_values(file, sources, &mut values, diagnostics);
    }
    for argument in &given.arguments {
        match argument {
            Argument::Var { name, text } => {
                values.insert(name.clone(), Raw::Text { text: text.clone(), from: "-var" });
            }
            Argument::File(file) => read_values(*file, sources, &mut values, diagnostics),
        }
    }
    values
}

/// `terraform.tfvars`, `terraform.tfvars.json`, then `*.auto.tfvars` and `*.auto.tfvars.json` in alphabetical order.
fn automatic(sources: &Sources) -> Vec<usize> {
    let base = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let mut files: Vec<(bool, String, usize)> = Vec::new();
    for (file, source) in sources.files.iter().enumerate() {
        let name = base(&source.name);
        let first = name == "terraform.tfvars" || name == "terraform.tfvars.json";
        if first || name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json") {
            files.push((!first, name, file));
        }
    }
    files.sort();
    files.into_iter().map(|(_, _, file)| file).collect()
}

fn read_values(file: usize, sources: &Sources, values: &mut BTreeMap<String, Raw>, diagnostics: &mut Vec<Diagnostic>) {
    let Some(source) = sources.files.get(file).filter(|source| source.problem.is_none()) else { return };
    if source.name.ends_with(".json") {
        match serde_json::from_str(&source.text).map(json_value) {
            Ok(Value::Map(map)) => values.extend(map.into_iter().map(|(name, value)| (name, Raw::Ready(value)))),
            Ok(_) => diagnostics.push(not_values(file, "this file is JSON, but not an object")),
            Err(error) => diagnostics.push(not_values(file, &format!("this file is not JSON: {error}"))),
        }
        return;
    }
    match syntax::parse(file, &source.text) {
        Ok(body) => {
            diagnostics.extend(blocks(file, &body));
            for attribute in body.into_attributes() {
                values.insert(attribute.key.as_str().to_owned(), Raw::Written { file, expression: attribute.value });
            }
        }
        Err(diagnostic) => diagnostics.push(diagnostic),
    }
}

fn not_values(file: usize, message: &str) -> Diagnostic {
    Diagnostic::error("syntax", message).at_source(file, 0..0).help("write {\"name\": value, …}")
}

fn blocks(file: usize, body: &Body) -> Vec<Diagnostic> {
    use hcl_edit::Span as _;
    let told = |block: &hcl_edit::structure::Block| {
        Diagnostic::error("unknown-block", "a file of values has no blocks")
            .at_source(file, block.ident.span().unwrap_or_default())
            .help("write name = value, and blocks in an .hcl or .tf file")
    };
    body.blocks().map(told).collect()
}
