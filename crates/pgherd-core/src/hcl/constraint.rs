//! `type = …` of a `variable` block, and values made to fit it.

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};

use crate::diagnostic::Diagnostic;
use crate::eval::what_it_is;
use crate::value::{Props, Value};
use crate::variables::{self, Type};

/// A type as Terraform writes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Constraint {
    Any,
    String,
    Number,
    Bool,
    /// `list(…)` and `set(…)`.
    List(Box<Constraint>),
    Map(Box<Constraint>),
    Object(Vec<Field>),
    Tuple(Vec<Constraint>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    name: String,
    ty: Constraint,
    optional: bool,
    /// What holds where an optional one is not written; literals only, as in Terraform.
    default: Value,
}

/// Where and what is wrong with a type.
fn wrong(file: usize, at: &Expression) -> Diagnostic {
    Diagnostic::error("wrong-type", "this is not a type")
        .at_source(file, at.span().unwrap_or_default())
        .help("the types are string, number, bool, any, list(…), set(…), map(…), object({…}) and tuple([…])")
}

/// Reads a type. `literal` evaluates the default of an optional attribute.
pub(super) fn parse(
    file: usize,
    written: &Expression,
    literal: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Constraint, Diagnostic> {
    let plain = match written {
        Expression::Variable(name) => name.as_str(),
        // Terraform 0.11 wrote type = "string".
        Expression::String(name) => name.as_str(),
        Expression::Parenthesis(inner) => return parse(file, inner.inner(), literal),
        Expression::FuncCall(call) => {
            let arguments: Vec<&Expression> = call.args.iter().collect();
            return match (call.name.name.as_str(), arguments.as_slice()) {
                ("list" | "set", [item]) => parse(file, item, literal).map(|item| Constraint::List(Box::new(item))),
                ("map", [item]) => parse(file, item, literal).map(|item| Constraint::Map(Box::new(item))),
                ("tuple", [Expression::Array(items)]) => {
                    items.iter().map(|item| parse(file, item, literal)).collect::<Result<_, _>>().map(Constraint::Tuple)
                }
                ("object", [Expression::Object(fields)]) => {
                    let fields = fields.iter().map(|(key, value)| field(file, key, value.expr(), literal));
                    fields.collect::<Result<_, _>>().map(Constraint::Object)
                }
                _ => Err(wrong(file, written)),
            };
        }
        _ => return Err(wrong(file, written)),
    };
    match plain {
        "any" => Ok(Constraint::Any),
        "string" => Ok(Constraint::String),
        "number" => Ok(Constraint::Number),
        "bool" => Ok(Constraint::Bool),
        "list" | "set" => Ok(Constraint::List(Box::new(Constraint::Any))),
        "map" => Ok(Constraint::Map(Box::new(Constraint::Any))),
        _ => Err(wrong(file, written)),
    }
}

fn field(
    file: usize,
    key: &ObjectKey,
    written: &Expression,
    literal: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Field, Diagnostic> {
    let name = match key {
        ObjectKey::Ident(name) => name.as_str().to_owned(),
        ObjectKey::Expression(Expression::String(name)) => name.as_str().to_owned(),
        ObjectKey::Expression(other) => return Err(wrong(file, other)),
    };
    if let Expression::FuncCall(call) = written
        && call.name.name.as_str() == "optional"
    {
        let arguments: Vec<&Expression> = call.args.iter().collect();
        let Some((ty, rest)) = arguments.split_first() else { return Err(wrong(file, written)) };
        let ty = parse(file, ty, literal)?;
        let default = rest.first().map_or(Value::Null, |default| literal(default));
        return Ok(Field { name, ty, optional: true, default });
    }
    Ok(Field { name, ty: parse(file, written, literal)?, optional: false, default: Value::Null })
}

impl Constraint {
    /// Whether text from outside is taken literally. Other types are HCL expressions there, as in Terraform.
    pub(super) fn is_literal(&self) -> bool {
        matches!(self, Self::String | Self::Number | Self::Bool)
    }

    /// A value made to fit, or what is wrong with it.
    pub(super) fn fit(&self, value: Value) -> Result<Value, String> {
        match (self, value) {
            (Self::Any, value) | (_, value @ (Value::Null | Value::Unknown(_) | Value::Secret(_))) => Ok(value),
            (Self::String, value) => simple(value, &Type::String),
            (Self::Number, value) => simple(value, &Type::Number),
            (Self::Bool, value) => simple(value, &Type::Bool),
            (Self::List(item), Value::List(list)) => {
                list.into_iter().map(|value| item.fit(value)).collect::<Result<_, _>>().map(Value::List)
            }
            (Self::Map(item), Value::Map(map)) => map
                .into_iter()
                .map(|(key, value)| Ok((key, item.fit(value)?)))
                .collect::<Result<_, String>>()
                .map(Value::Map),
            (Self::Tuple(items), Value::List(list)) if items.len() == list.len() => {
                items.iter().zip(list).map(|(item, value)| item.fit(value)).collect::<Result<_, _>>().map(Value::List)
            }
            (Self::Object(fields), Value::Map(map)) => object(fields, map),
            (Self::List(_) | Self::Tuple(_), value) => {
                Err(format!("a list is wanted here, not {}", what_it_is(&value)))
            }
            (Self::Map(_) | Self::Object(_), value) => Err(format!("a map is wanted here, not {}", what_it_is(&value))),
        }
    }
}

fn simple(value: Value, ty: &Type) -> Result<Value, String> {
    variables::convert(value, ty).map_err(|error| error.message)
}

/// The attributes of the type; others are dropped, as in Terraform.
fn object(fields: &[Field], mut map: Props) -> Result<Value, String> {
    let mut fitted = Props::new();
    for field in fields {
        let value = match map.remove(&field.name).filter(|value| !value.is_null()) {
            Some(value) => field.ty.fit(value)?,
            None if field.optional => field.default.clone(),
            None => return Err(format!("the attribute `{}` is missing", field.name)),
        };
        fitted.insert(field.name.clone(), value);
    }
    Ok(Value::Map(fitted))
}
