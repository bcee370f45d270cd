//! `type = …` of a `variable` block, and values made to fit it.

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, ObjectKey};

use crate::diagnostic::Diagnostic;
use crate::eval::what_it_is;
use crate::value::{Props, Value};
use crate::variables::{Type, TypeError, convert, keep};

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

    /// A value made to fit, or everything that is wrong with it.
    pub(super) fn fit(&self, value: Value) -> Result<Value, Vec<TypeError>> {
        match (self, value) {
            (Self::Any, value) | (_, value @ (Value::Null | Value::Unknown(_) | Value::Secret(_))) => Ok(value),
            (Self::String, value) => convert(value, &Type::String),
            (Self::Number, value) => convert(value, &Type::Number),
            (Self::Bool, value) => convert(value, &Type::Bool),
            (Self::List(item), Value::List(list)) => each(list, std::iter::repeat(&**item)),
            (Self::Tuple(items), Value::List(list)) if items.len() == list.len() => each(list, items),
            (Self::Map(item), Value::Map(map)) => {
                let mut errors = Vec::new();
                let fitted = map.into_iter().filter_map(|(key, value)| {
                    let value = keep(item.fit(value), || format!(".{key}"), &mut errors)?;
                    Some((key, value))
                });
                let fitted = Value::Map(fitted.collect());
                if errors.is_empty() { Ok(fitted) } else { Err(errors) }
            }
            (Self::Object(fields), Value::Map(map)) => object(fields, map),
            (Self::List(_) | Self::Tuple(_), value) => Err(another("a list", &value)),
            (Self::Map(_) | Self::Object(_), value) => Err(another("a map", &value)),
        }
    }
}

fn another(wanted: &str, value: &Value) -> Vec<TypeError> {
    vec![TypeError::new(format!("{wanted} is wanted here, not {}", what_it_is(value)))]
}

fn each<'t>(list: Vec<Value>, types: impl IntoIterator<Item = &'t Constraint>) -> Result<Value, Vec<TypeError>> {
    let mut errors = Vec::new();
    let items = list.into_iter().zip(types).enumerate();
    let fitted = items.filter_map(|(index, (value, ty))| keep(ty.fit(value), || format!("[{index}]"), &mut errors));
    let fitted = Value::List(fitted.collect());
    if errors.is_empty() { Ok(fitted) } else { Err(errors) }
}

/// The attributes of the type; others are dropped, as in Terraform.
fn object(fields: &[Field], mut map: Props) -> Result<Value, Vec<TypeError>> {
    let mut errors = Vec::new();
    let mut fitted = Props::new();
    for Field { name, ty, optional, default } in fields {
        let value = match map.remove(name).filter(|value| !value.is_null()) {
            Some(value) => keep(ty.fit(value), || format!(".{name}"), &mut errors),
            None if *optional => Some(default.clone()),
            None => {
                errors.push(TypeError::new(format!("the attribute `{name}` is missing")));
                None
            }
        };
        fitted.extend(value.map(|value| (name.clone(), value)));
    }
    if errors.is_empty() { Ok(Value::Map(fitted)) } else { Err(errors) }
}
