//! `variable` blocks, and the values variables have.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::Block;

use super::Sources;
use super::constraint::{self, Constraint};
use super::given::{self, Given, Raw};
use super::layout::Layout;
use super::locals::references;
use super::sensitive::is_telling;
use super::{guard, syntax};
use crate::diagnostic::{At, Diagnostic};
use crate::eval::{Evaluator, Fuel, Scope};
use crate::value::Value;
use crate::variables::{TypeError, closest};

/// What a `variable` block says.
struct Declared<'a> {
    file: usize,
    block: &'a Block,
    ty: Option<Constraint>,
    sensitive: bool,
    nullable: bool,
}

const ARGUMENTS: &[&str] = &["type", "default", "description", "sensitive", "nullable", "ephemeral", "deprecated"];

/// Gives every variable its value in the scope: the one from outside, its default, or unknown.
pub(super) fn give(
    layout: &Layout<'_>,
    sources: &Sources,
    given: &Given,
    fuel: &Fuel,
    scope: &mut Scope,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut raw = given::collect(sources, given, diagnostics);
    let declared = declarations(layout, sources, fuel, diagnostics);
    for (name, variable) in &declared {
        let value = match raw.remove(*name) {
            Some(raw) => from_outside(name, raw, Some(variable), sources, fuel, diagnostics),
            None => default(variable, sources, fuel, diagnostics),
        };
        let value = value.and_then(|value| fitted(name, value, variable, diagnostics));
        let value = value.unwrap_or_else(|| Value::Unknown(format!("var.{name}")));
        scope.variables.insert((*name).to_owned(), if variable.sensitive { value.concealed() } else { value });
    }
    let used = used(layout);
    for (name, raw) in raw {
        let from_environment = matches!(&raw, Raw::Text { from, .. } if *from == "the environment");
        if !used.contains(&name) && !from_environment {
            diagnostics.push(unused(&name, declared.keys().copied()));
        }
        if let Some(value) = from_outside(&name, raw, None, sources, fuel, diagnostics) {
            scope.variables.insert(name, value);
        }
    }
}

fn declarations<'a>(
    layout: &Layout<'a>,
    sources: &Sources,
    fuel: &Fuel,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<&'a str, Declared<'a>> {
    let empty = Scope::default();
    let mut declared = BTreeMap::new();
    for (file, name, block) in &layout.variables {
        let mut evaluator = Evaluator::new(&empty, *file, &sources.files[*file].text, fuel);
        let ty = block.body.get_attribute("type").map(|attribute| {
            constraint::parse(*file, &attribute.value, &mut |default| {
                evaluator.evaluate(default).unwrap_or(Value::Null)
            })
        });
        let mut flag = |argument: &str, otherwise: bool| {
            let attribute = block.body.get_attribute(argument);
            attribute.and_then(|attribute| evaluator.evaluate(&attribute.value).ok()?.as_bool()).unwrap_or(otherwise)
        };
        let (sensitive, nullable) = (flag("sensitive", false), flag("nullable", true));
        diagnostics.append(&mut evaluator.problems);
        let ty = match ty.transpose() {
            Ok(ty) => ty,
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                None
            }
        };
        diagnostics.extend(strangers(*file, block));
        declared.insert(*name, Declared { file: *file, block, ty, sensitive, nullable });
    }
    declared
}

/// Arguments a `variable` block does not have.
fn strangers(file: usize, block: &Block) -> Vec<Diagnostic> {
    let unknown = block.body.attributes().filter(|attribute| !ARGUMENTS.contains(&attribute.key.as_str()));
    let told = unknown.map(|attribute| {
        let name = attribute.key.as_str();
        let help = closest(name, ARGUMENTS.iter().copied()).map_or_else(
            || format!("the arguments are {}", ARGUMENTS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let diagnostic = Diagnostic::error("unknown-argument", format!("a variable has no `{name}`"));
        diagnostic.at_source(file, attribute.key.span().unwrap_or_default()).help(help)
    });
    told.collect()
}

/// A value from outside; nothing when it cannot be read, which has been told.
fn from_outside(
    name: &str,
    raw: Raw,
    variable: Option<&Declared<'_>>,
    sources: &Sources,
    fuel: &Fuel,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let empty = Scope::default();
    match raw {
        Raw::Ready(value) => Some(value),
        Raw::Written { file, expression } => {
            let mut evaluator = Evaluator::new(&empty, file, &sources.files[file].text, fuel);
            let value = evaluator.evaluate(&expression);
            diagnostics.append(&mut evaluator.problems);
            value.ok()
        }
        Raw::Text { text, .. } if is_literal(&text, variable) => Some(Value::Text(text)),
        Raw::Text { text, from } => match expression(&text, fuel) {
            Ok(value) => Some(value),
            Err(problems) => {
                let is_secret = is_telling(name) || variable.is_some_and(|variable| variable.sensitive);
                let told = problems.into_iter().map(|problem| Diagnostic {
                    at: At::Nowhere,
                    message: match is_secret {
                        // What is wrong with it quotes it.
                        true => format!("the value of `{name}` from {from} cannot be read"),
                        false => format!("the value of `{name}` from {from} cannot be read: {}", problem.message),
                    },
                    help: format!("write it as in a file, such as -var '{name}=[\"a\", \"b\"]'"),
                    ..problem
                });
                diagnostics.extend(told);
                None
            }
        },
    }
}

/// Whether text from outside is the value itself. Terraform: where the type is a string, number or bool, or not written.
/// Of a variable that is declared nowhere, only a list or map in brackets is read as HCL.
fn is_literal(text: &str, variable: Option<&Declared<'_>>) -> bool {
    match variable {
        Some(variable) => variable.ty.as_ref().is_none_or(Constraint::is_literal),
        None => !text.trim_start().starts_with(['[', '{']),
    }
}

fn expression(text: &str, fuel: &Fuel) -> Result<Value, Vec<Diagnostic>> {
    guard::check(0, text).map_err(|problem| vec![problem])?;
    let expression = syntax::parse_value(text).map_err(|problem| vec![problem])?;
    let empty = Scope::default();
    let mut evaluator = Evaluator::new(&empty, 0, text, fuel);
    evaluator.evaluate(&expression).map_err(|_| evaluator.problems)
}

/// The default; `None` where there is none.
fn default(
    variable: &Declared<'_>,
    sources: &Sources,
    fuel: &Fuel,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let attribute = variable.block.body.get_attribute("default")?;
    let empty = Scope::default();
    let mut evaluator = Evaluator::new(&empty, variable.file, &sources.files[variable.file].text, fuel);
    let value = evaluator.evaluate(&attribute.value);
    diagnostics.append(&mut evaluator.problems);
    value.ok()
}

/// The value in the variable's type.
fn fitted(name: &str, value: Value, variable: &Declared<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Value> {
    let span = variable.block.ident.span().unwrap_or_default();
    if value.is_null() && !variable.nullable {
        let diagnostic =
            Diagnostic::error("wrong-type", format!("variable `{name}` cannot be null")).at_source(variable.file, span);
        diagnostics.push(diagnostic.help("give it a value, or remove `nullable = false`"));
        return None;
    }
    let Some(ty) = &variable.ty else { return Some(value) };
    match ty.fit(value) {
        Ok(value) => Some(value),
        Err(errors) => {
            diagnostics.extend(errors.into_iter().map(|TypeError { path, message }| {
                let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
                // The message quotes the value.
                let why = if variable.sensitive { "its type is another".to_owned() } else { message };
                Diagnostic::error("wrong-type", format!("the value of variable `{name}` does not fit{at}: {why}"))
                    .at_source(variable.file, span.clone())
                    .help("change the value or the `type`")
            }));
            None
        }
    }
}

fn unused<'a>(name: &str, declared: impl Iterator<Item = &'a str>) -> Diagnostic {
    let help = closest(name, declared)
        .map_or_else(|| "remove it, or refer to it as var.name".to_owned(), |near| format!("did you mean `{near}`?"));
    Diagnostic::warning(
        "unused-value",
        format!("a value is given for the variable `{name}`, which nothing declares or uses"),
    )
    .help(help)
}

/// Every `x` of a `var.x` in our blocks and in locals.
fn used(layout: &Layout<'_>) -> BTreeSet<String> {
    let ours =
        layout.blocks.iter().flat_map(|block| block.content.iter()).filter_map(|structure| structure.as_attribute());
    let all = ours.chain(layout.locals.iter().map(|(_, attribute)| *attribute));
    all.flat_map(|attribute| references(&attribute.value, "var")).collect()
}

/// The `validation` blocks: a condition that is false is an error in the words of the block.
pub(super) fn validate(
    layout: &Layout<'_>,
    sources: &Sources,
    fuel: &Fuel,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for (file, name, block) in &layout.variables {
        for validation in block.body.get_blocks("validation") {
            let Some(condition) = validation.body.get_attribute("condition") else { continue };
            let mut evaluator = Evaluator::new(scope, *file, &sources.files[*file].text, fuel);
            let holds = evaluator.evaluate(&condition.value);
            if holds.is_ok_and(|holds| is_false(&holds)) {
                let written = validation.body.get_attribute("error_message").map(|attribute| &attribute.value);
                let words = words(written, &mut evaluator).unwrap_or_else(|| "change its value".to_owned());
                let diagnostic =
                    Diagnostic::error("invalid-variable", format!("the value of variable `{name}` is not valid"));
                let span = condition.value.span().unwrap_or_default();
                evaluator.problems.push(diagnostic.at_source(*file, span).help(words));
            }
            diagnostics.append(&mut evaluator.problems);
        }
    }
}

/// Whether a condition does not hold. One about a sensitive variable is a secret itself.
fn is_false(condition: &Value) -> bool {
    match condition {
        Value::Secret(secret) => secret.reveal() == Some("false"),
        other => *other == Value::Bool(false),
    }
}

fn words(written: Option<&Expression>, evaluator: &mut Evaluator<'_>) -> Option<String> {
    match evaluator.evaluate(written?).ok()? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
