//! `[for x in list : …]` and `{for k, v in map : …}`.

use hcl_edit::expr::{Expression, ForExpr};
use hcl_edit::{Ident, Span};

use super::{Evaluated, Evaluator, Failed, what_it_is};
use crate::diagnostic::Diagnostic;
use crate::value::{Props, Value};

/// Keys and values to walk over, or what makes that impossible.
pub(super) enum Items {
    /// In order; the keys of a list are numbers.
    Known(Vec<(Value, Value)>),
    /// The collection is unknown.
    Unknown(Value),
}

impl Evaluator<'_> {
    pub(super) fn for_expression(&mut self, written: &ForExpr, at: &Expression) -> Evaluated {
        let collection = self.evaluate(&written.intro.collection_expr)?;
        let items = match self.items(collection, &written.intro.collection_expr)? {
            Items::Known(items) => items,
            Items::Unknown(unknown) => return Ok(unknown),
        };
        let names = (written.intro.key_var.as_ref().map(|name| name.value()), written.intro.value_var.value());
        let mut out = Collected::new(written);
        for item in items {
            let step = self.with_bound(names, item, |this| this.for_step(written));
            match step? {
                Step::Skip => {}
                Step::Unknown(unknown) => return Ok(unknown),
                Step::Value(key, value) => {
                    if let Err(key) = out.insert(key, value, written.grouping) {
                        let message = format!("two elements have the key \"{key}\"");
                        let diagnostic = Diagnostic::error("duplicate-key", message)
                            .help("add `...` after the value to collect them in lists");
                        return Err(self.fail(written.key_expr.as_ref().unwrap_or(at), diagnostic));
                    }
                }
            }
        }
        self.pay(at, out.value())
    }

    /// What to walk over.
    pub(super) fn items(&mut self, collection: Value, at: &impl Span) -> Result<Items, Failed> {
        let index = |index: usize| Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
        Ok(Items::Known(match collection {
            Value::List(list) => list.into_iter().enumerate().map(|(at, value)| (index(at), value)).collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| (Value::Text(key), value)).collect(),
            Value::Unknown(_) => return Ok(Items::Unknown(collection)),
            other => {
                let message = format!("a list or a map is wanted here, not {}", what_it_is(&other));
                return Err(
                    self.fail(at, Diagnostic::error("wrong-type", message).help("put brackets around a single value"))
                );
            }
        }))
    }

    /// Runs something with the names of a `for` bound to one item.
    pub(super) fn with_bound<T>(
        &mut self,
        (key_name, value_name): (Option<&Ident>, &Ident),
        (key, value): (Value, Value),
        run: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let outer = self.bound.len();
        if let Some(name) = key_name {
            self.bound.push((name.as_str().to_owned(), key));
        }
        self.bound.push((value_name.as_str().to_owned(), value));
        let result = run(self);
        self.bound.truncate(outer);
        result
    }

    fn for_step(&mut self, written: &ForExpr) -> Result<Step, Failed> {
        let mut secret = false;
        if let Some(condition) = &written.cond {
            let value = self.evaluate(&condition.expr)?;
            if let Value::Unknown(_) = value {
                return Ok(Step::Unknown(value));
            }
            secret = matches!(value, Value::Secret(_));
            if !self.truth(value, &condition.expr)? {
                return Ok(Step::Skip);
            }
        }
        let key = match &written.key_expr {
            None => String::new(),
            Some(expression) => {
                let key = self.evaluate(expression)?;
                match self.key(key, expression)? {
                    Value::Text(key) => key,
                    unknown => return Ok(Step::Unknown(unknown)),
                }
            }
        };
        let value = self.evaluate(&written.value_expr)?;
        Ok(Step::Value(key, if secret { value.concealed() } else { value }))
    }
}

/// What one turn gives.
enum Step {
    Skip,
    Unknown(Value),
    Value(String, Value),
}

/// What the turns have given so far.
enum Collected {
    List(Vec<Value>),
    Map(Props),
}

impl Collected {
    fn new(written: &ForExpr) -> Self {
        if written.key_expr.is_some() { Self::Map(Props::new()) } else { Self::List(Vec::new()) }
    }

    /// Fails with the key when it is there already and elements are not to be grouped.
    fn insert(&mut self, key: String, value: Value, grouping: bool) -> Result<(), String> {
        match self {
            Self::List(list) => list.push(value),
            Self::Map(map) if grouping => match map.entry(key).or_insert_with(|| Value::List(Vec::new())) {
                Value::List(list) => list.push(value),
                other => *other = value,
            },
            Self::Map(map) if map.contains_key(&key) => return Err(key),
            Self::Map(map) => {
                map.insert(key, value);
            }
        }
        Ok(())
    }

    fn value(self) -> Value {
        match self {
            Self::List(list) => Value::List(list),
            Self::Map(map) => Value::Map(map),
        }
    }
}
