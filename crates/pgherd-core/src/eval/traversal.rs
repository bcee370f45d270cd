//! References, attributes, indexes and splats: `var.x`, `module.network.vpc_id`, `list[0].name`, `list[*].name`.

use hcl_edit::Decorated;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};

use super::{Evaluated, Evaluator, Failed, coerce, short, what_it_is};
use crate::diagnostic::Diagnostic;
use crate::value::Value;
use crate::variables::closest;

type Steps<'a> = &'a [Decorated<TraversalOperator>];

impl Evaluator<'_> {
    pub(super) fn traversal(&mut self, traversal: &Traversal, at: &Expression) -> Evaluated {
        let steps = traversal.operators.as_slice();
        let Expression::Variable(root) = &traversal.expr else {
            let value = self.evaluate(&traversal.expr)?;
            if let (Value::Int(_) | Value::Float(_), Expression::Number(_)) = (&value, &traversal.expr) {
                let written = short(self.written(at));
                let diagnostic = Diagnostic::error("syntax", format!("`{written}` is not a number"))
                    .help("write an address or a version as text: \"10.0.0.0/8\", \"15.4\"");
                return Err(self.fail(at, diagnostic));
            }
            return self.follow(value, steps);
        };
        let name = root.value().as_str();
        if let Some(value) = self.bound_value(name) {
            let value = self.pay(at, value)?;
            return self.follow(value, steps);
        }
        match name {
            "var" => self.named("var", steps, at),
            "local" => self.named("local", steps, at),
            "vars" | "variable" | "variables" | "locals" => {
                let right = if name == "locals" { "local" } else { "var" };
                let message = format!("`{name}` is not how variables and locals are referred to");
                Err(self.fail(
                    &traversal.expr,
                    Diagnostic::error("unknown-name", message).help(format!("write `{right}.`")),
                ))
            }
            // Indexes inside are looked at for their errors; what the reference is stays unknown.
            _ => {
                self.indexes(steps)?;
                Ok(Value::Unknown(short(self.written(at))))
            }
        }
    }

    /// `var.x…` and `local.x…`.
    fn named(&mut self, kind: &'static str, steps: Steps<'_>, at: &Expression) -> Evaluated {
        let Some((TraversalOperator::GetAttr(name), rest)) =
            steps.split_first().map(|(first, rest)| (first.value(), rest))
        else {
            let diagnostic = Diagnostic::error("unknown-name", format!("`{kind}` needs a name after a dot"))
                .help(format!("write {kind}.name"));
            return Err(self.fail(at, diagnostic));
        };
        let known = if kind == "var" { &self.scope.variables } else { &self.scope.locals };
        match known.get(name.as_str()) {
            Some(Value::Unknown(_)) => {
                self.indexes(rest)?;
                Ok(Value::Unknown(short(self.written(at))))
            }
            Some(value) => {
                let value = self.pay(at, value.clone())?;
                self.follow(value, rest)
            }
            None => match closest(name.as_str(), known.keys().map(String::as_str)) {
                Some(near) => {
                    let message = format!("`{kind}.{name}` is declared nowhere");
                    let diagnostic =
                        Diagnostic::error("unknown-name", message).help(format!("did you mean `{kind}.{near}`?"));
                    Err(self.fail(at, diagnostic))
                }
                None => {
                    self.indexes(rest)?;
                    Ok(Value::Unknown(short(self.written(at))))
                }
            },
        }
    }

    fn indexes(&mut self, steps: Steps<'_>) -> Result<(), Failed> {
        for step in steps {
            if let TraversalOperator::Index(index) = step.value() {
                self.evaluate(index)?;
            }
        }
        Ok(())
    }

    /// Goes along the steps from a known value.
    fn follow(&mut self, value: Value, steps: Steps<'_>) -> Evaluated {
        let mut value = value;
        let mut steps = steps;
        while let Some((step, rest)) = steps.split_first() {
            if let Value::Unknown(_) = value {
                self.indexes(steps)?;
                return Ok(value);
            }
            (value, steps) = match step.value() {
                TraversalOperator::GetAttr(name) => (self.attribute(value, name.as_str(), step)?, rest),
                TraversalOperator::LegacyIndex(index) => {
                    let index = i64::try_from(*index.value()).unwrap_or(i64::MAX);
                    (self.element(value, &Value::Int(index), step)?, rest)
                }
                TraversalOperator::Index(index) => {
                    let key = self.evaluate(index)?;
                    (self.element(value, &key, index)?, rest)
                }
                TraversalOperator::FullSplat(_) => return self.splat(value, rest, &[]),
                TraversalOperator::AttrSplat(_) => {
                    let is_attribute =
                        |step: &&Decorated<TraversalOperator>| matches!(step.value(), TraversalOperator::GetAttr(_));
                    let (inner, outer) = rest.split_at(rest.iter().take_while(is_attribute).count());
                    return self.splat(value, inner, outer);
                }
            };
        }
        Ok(value)
    }

    /// `list[*].a`: the steps taken from each element; a single value is a list of one, null an empty one.
    fn splat(&mut self, value: Value, inner: Steps<'_>, outer: Steps<'_>) -> Evaluated {
        let items = match value {
            Value::List(list) => list,
            Value::Null => Vec::new(),
            single => vec![single],
        };
        let items: Vec<Evaluated> = items.into_iter().map(|item| self.follow(item, inner)).collect();
        let list = items.into_iter().collect::<Result<_, _>>().map(Value::List)?;
        self.follow(list, outer)
    }

    fn attribute(&mut self, value: Value, name: &str, at: &Decorated<TraversalOperator>) -> Evaluated {
        let Value::Map(mut map) = value else {
            let message = format!("only a map has attributes, and this is {}", what_it_is(&value));
            return Err(self.fail(
                at,
                Diagnostic::error("wrong-type", message).help("remove the attribute, or index a list with [0]"),
            ));
        };
        if let Some(value) = map.remove(name) {
            return Ok(value);
        }
        let help = closest(name, map.keys().map(String::as_str)).map_or_else(
            || "write one of its keys, or lookup(map, key, default)".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        Err(self
            .fail(at, Diagnostic::error("unknown-attribute", format!("the map has no attribute `{name}`")).help(help)))
    }

    fn element(&mut self, value: Value, key: &Value, at: &impl hcl_edit::Span) -> Evaluated {
        match (value, key) {
            (_, Value::Unknown(_)) => Ok(key.clone()),
            (Value::List(list), _) => {
                let length = list.len();
                let index = coerce::int(key).and_then(|index| usize::try_from(index).ok());
                match index.and_then(|index| list.into_iter().nth(index)) {
                    Some(value) => Ok(value),
                    None => {
                        let message =
                            format!("the list has {length} elements, and {} is not the index of one", what_it_is(key));
                        Err(self.fail(
                            at,
                            Diagnostic::error("wrong-index", message)
                                .help("indexes count from 0; try(list[0], default) gives a default"),
                        ))
                    }
                }
            }
            (Value::Map(mut map), _) => match coerce::text(key).and_then(|key| map.remove(&key)) {
                Some(value) => Ok(value),
                None => {
                    let message = format!("the map has no key for {}", what_it_is(key));
                    Err(self.fail(
                        at,
                        Diagnostic::error("wrong-index", message)
                            .help("write one of its keys, or lookup(map, key, default)"),
                    ))
                }
            },
            (other, _) => {
                let message = format!("only lists and maps have elements, and this is {}", what_it_is(&other));
                Err(self.fail(at, Diagnostic::error("wrong-type", message).help("remove the index")))
            }
        }
    }
}
