//! The arguments of one of our blocks: evaluated, converted to their types, their places remembered.

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Attribute, Block, Structure};

use super::document::Spans;
use super::layout::OurBlock;
use super::{Document, Sources};
use crate::diagnostic::{Diagnostic, MAX_OF_A_KIND};
use crate::eval::{Evaluator, Fuel, Scope, short};
use crate::inputs::Inputs;
use crate::value::Value;
use crate::variables::{self, Nearest, Type, TypeError, Variable, convert};

/// Arguments of Terraform itself that mean nothing to pgherd and harm nothing.
const ACCEPTED: &[&str] = &["source", "version", "providers", "depends_on"];

/// Reads one block into the document.
pub(super) fn read_block(block: &OurBlock<'_>, sources: &Sources, fuel: &Fuel, scope: &Scope, document: &mut Document) {
    let mut inputs = Inputs { block: block.label.to_owned(), ..Inputs::default() };
    document.spans.insert(block.label, "", block.file, block.header.clone());
    let text = &sources.files[block.file].text;
    let mut evaluator = Evaluator::new(scope, block.file, text, fuel);
    let mut strangers = 0;
    for structure in &block.content {
        match structure {
            Structure::Attribute(attribute) if is_stranger(attribute.key.as_str()) => {
                strangers += 1;
                let told = unknown(attribute.key.as_str(), strangers <= MAX_OF_A_KIND + 1);
                document.diagnostics.push(told.at_source(block.file, attribute.key.span().unwrap_or_default()));
                // Its value is looked at for errors all the same.
                let _ = evaluator.evaluate(&attribute.value);
            }
            Structure::Attribute(attribute) => {
                let read = argument(attribute, block, &mut evaluator, &mut document.spans);
                match read {
                    Ok(Some(value)) => {
                        inputs.values.insert(attribute.key.as_str().to_owned(), value);
                    }
                    Ok(None) => {}
                    Err(diagnostics) => document.diagnostics.extend(diagnostics),
                }
            }
            Structure::Block(inner) => document.diagnostics.push(inner_block(inner, block.file)),
        }
    }
    document.diagnostics.append(&mut evaluator.problems);
    document.blocks.push(inputs);
}

/// Whether a name stands neither in the table nor among Terraform's own.
fn is_stranger(name: &str) -> bool {
    variables::variable(name).is_none() && !ACCEPTED.contains(&name)
}

/// The value of an argument; `None` where it is null, Terraform's own, or could not be evaluated.
fn argument(
    attribute: &Attribute,
    block: &OurBlock<'_>,
    evaluator: &mut Evaluator<'_>,
    spans: &mut Spans,
) -> Result<Option<Value>, Vec<Diagnostic>> {
    let name = attribute.key.as_str();
    let Some(variable) = variables::variable(name) else { return Ok(None) };
    remember(name, &attribute.value, &variable.ty, block, spans);
    if variable.sensitive && matches!(attribute.value, Expression::String(_)) {
        evaluator.problems.push(in_plain_text(variable).at(block.label, name));
    }
    let Ok(value) = evaluator.evaluate(&attribute.value) else { return Ok(None) };
    if value.is_null() {
        return Ok(None);
    }
    typed(variable, value).map(Some).map_err(|diagnostics| {
        diagnostics.into_iter().map(|(path, diagnostic)| diagnostic.at(block.label, format!("{name}{path}"))).collect()
    })
}

/// A value in the type of its variable, secret where it has to be; or what is wrong, by path below the variable.
///
/// A secret in a variable that is shown passes: resolving says what that means.
fn typed(variable: &Variable, value: Value) -> Result<Value, Vec<(String, Diagnostic)>> {
    let name = variable.name;
    if variable.sensitive {
        // The message of a conversion quotes the value.
        let message = format!("the value of `{name}` is not a {}", variable.ty);
        let told = Diagnostic::error("wrong-type", message)
            .help("write a string, or leave it out: pgherd makes one and keeps it");
        return convert(value, &variable.ty).map(Value::concealed).map_err(|_| vec![(String::new(), told)]);
    }
    convert(value, &variable.ty).map_err(|errors| {
        let told =
            |error: TypeError| (error.path, Diagnostic::error("wrong-type", error.message).help(example(variable)));
        errors.into_iter().map(told).collect()
    })
}

/// What to write instead, with the dots for the user to fill.
fn example(variable: &Variable) -> String {
    let unit = if variable.ty == Type::Number { ", without a unit" } else { "" };
    format!("write {} = {}{unit}", variable.name, sample(&variable.ty))
}

fn sample(ty: &Type) -> String {
    match ty {
        Type::String => "\"…\"".to_owned(),
        Type::Number => "20".to_owned(),
        Type::Bool => "true".to_owned(),
        Type::List(item) => format!("[{}]", sample(item)),
        Type::Map(item) => format!("{{ key = {} }}", sample(item)),
        Type::Object(attributes) => {
            let required = attributes.iter().filter(|attribute| attribute.default.is_none());
            let shown: Vec<_> =
                if required.clone().next().is_some() { required.collect() } else { attributes.iter().collect() };
            let written: Vec<_> =
                shown.iter().map(|attribute| format!("{} = {}", attribute.name, sample(&attribute.ty))).collect();
            format!("{{ {} }}", written.join(", "))
        }
    }
}

/// A secret that is in every copy of the file.
fn in_plain_text(variable: &Variable) -> Diagnostic {
    let name = variable.name;
    Diagnostic::warning("secret-in-file", format!("`{name}` stands in the file in plain text")).help(format!(
        "write {name} = var.<name> with sensitive = true in the variable, or leave it out: pgherd makes one and keeps it"
    ))
}

/// An argument that is in no table. Looking for a name like it takes its time, which is not spent on thousands.
fn unknown(name: &str, look_for_near: bool) -> Diagnostic {
    if name == "count" || name == "for_each" {
        return Diagnostic::error(
            "unsupported-argument",
            format!("pgherd reads every block once and knows no `{name}`"),
        )
        .help("write one block for each database, each with a label and a `name` of its own");
    }
    let diagnostic = Diagnostic::error("unknown-argument", format!("there is no argument `{}`", short(name)));
    match look_for_near.then(|| variables::nearest(name)).flatten() {
        Some(Nearest::Variable(near)) => diagnostic.help(format!("did you mean `{near}`?")),
        Some(Nearest::Output(output)) => Diagnostic::error(
            "output-as-argument",
            format!("`{output}` is an output: something to read from a database, not to write"),
        )
        .help("remove it; `pgherd output` prints the outputs"),
        None => diagnostic.help("`pgherd explain` lists the arguments; remove this one"),
    }
}

/// A block inside of our block.
fn inner_block(block: &Block, file: usize) -> Diagnostic {
    let name = block.ident.as_str();
    let span = block.ident.span().unwrap_or_default();
    let diagnostic = match variables::variable(name).map(|variable| variable.ty) {
        Some(Type::List(_)) => Diagnostic::error("block-as-argument", format!("`{name}` is an argument, not a block"))
            .help(format!("write {name} = [{{ … }}]")),
        Some(_) => Diagnostic::error("block-as-argument", format!("`{name}` is an argument, not a block"))
            .help(format!("write {name} = {{ … }}")),
        None => {
            let near = match variables::nearest(name) {
                Some(Nearest::Variable(near)) => format!("did you mean `{near} = …`?"),
                Some(Nearest::Output(_)) | None => "remove it; a database block has only arguments".to_owned(),
            };
            Diagnostic::error("unknown-block", format!("there are no `{name}` blocks inside of a database block"))
                .help(near)
        }
    };
    diagnostic.at_source(file, span)
}

/// Remembers where a value and everything written inside of it stands; of an attribute its type does not have, the name.
fn remember(path: &str, expression: &Expression, ty: &Type, block: &OurBlock<'_>, spans: &mut Spans) {
    if let Some(span) = expression.span() {
        spans.insert(block.label, path, block.file, span);
    }
    match expression {
        Expression::Parenthesis(inner) => remember(path, inner.inner(), ty, block, spans),
        Expression::Array(array) => {
            let item_type = if let Type::List(item) = ty { item } else { ty };
            for (index, item) in array.iter().enumerate() {
                remember(&format!("{path}[{index}]"), item, item_type, block, spans);
            }
        }
        Expression::Object(object) => {
            for (key, value) in object {
                let (name, span) = match key {
                    ObjectKey::Ident(name) => (name.as_str(), name.span()),
                    ObjectKey::Expression(Expression::String(name)) => (name.as_str(), name.span()),
                    ObjectKey::Expression(_) => continue,
                };
                let path = format!("{path}.{name}");
                match (attribute_type(ty, name), span) {
                    (Some(ty), _) => remember(&path, value.expr(), ty, block, spans),
                    (None, span) => spans.insert(block.label, &path, block.file, span.unwrap_or_default()),
                }
            }
        }
        _ => {}
    }
}

/// The type of an attribute; `None` where there is no such attribute.
fn attribute_type<'t>(ty: &'t Type, name: &str) -> Option<&'t Type> {
    match ty {
        Type::Object(attributes) => {
            attributes.iter().find(|attribute| attribute.name == name).map(|attribute| &attribute.ty)
        }
        Type::Map(item) => Some(item),
        Type::String | Type::Number | Type::Bool | Type::List(_) => Some(ty),
    }
}
