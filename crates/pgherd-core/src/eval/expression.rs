//! One expression to its value.

use hcl_edit::expr::{Conditional, Expression, FuncArgs, FuncCall, Object, ObjectKey};
use hcl_edit::{Ident, Number, Span};

use super::functions::{self, Fault, Run, Unknowns};
use super::{Evaluated, Evaluator, Failed, coerce, short, what_it_is};
use crate::diagnostic::Diagnostic;
use crate::value::{Props, Value};

/// How deep expressions may call each other; texts are held to less by the look before parsing.
const MAX_DEPTH: usize = 300;

impl Evaluator<'_> {
    /// The value of an expression. Every error inside is recorded, not only the first.
    pub(crate) fn evaluate(&mut self, expression: &Expression) -> Evaluated {
        if self.depth >= MAX_DEPTH || !self.fuel.pay(1) {
            return Err(self.out_of_fuel(expression));
        }
        self.depth += 1;
        let value = self.evaluate_inner(expression);
        self.depth -= 1;
        value
    }

    fn evaluate_inner(&mut self, expression: &Expression) -> Evaluated {
        match expression {
            Expression::Null(_) => Ok(Value::Null),
            Expression::Bool(bool) => Ok(Value::Bool(*bool.value())),
            Expression::Number(number) => Ok(from_number(number.value())),
            Expression::String(string) => Ok(Value::text(string.value().as_str())),
            Expression::Array(array) => {
                let items: Vec<Evaluated> = array.iter().map(|item| self.evaluate(item)).collect();
                items.into_iter().collect::<Result<_, _>>().map(Value::List)
            }
            Expression::Object(object) => self.object(object),
            Expression::StringTemplate(template) => self.template(template.iter(), expression),
            Expression::HeredocTemplate(heredoc) => self.template(heredoc.template.iter(), expression),
            Expression::Parenthesis(inner) => self.evaluate(inner.inner()),
            Expression::Variable(name) => self.variable(name.value(), expression),
            Expression::Conditional(conditional) => self.conditional(conditional),
            Expression::FuncCall(call) => self.call(call, expression),
            Expression::Traversal(traversal) => self.traversal(traversal, expression),
            Expression::UnaryOp(operation) => self.unary(operation, expression),
            Expression::BinaryOp(operation) => self.binary(operation, expression),
            Expression::ForExpr(for_expr) => self.for_expression(for_expr, expression),
        }
    }

    /// A name alone: only `for` binds such names.
    fn variable(&mut self, name: &Ident, at: &Expression) -> Evaluated {
        if let Some(value) = self.bound_value(name.as_str()) {
            return self.pay(at, value);
        }
        let name = short(name.as_str());
        let help = match name.as_str() {
            "yes" | "on" | "True" | "TRUE" => "write true".to_owned(),
            "no" | "off" | "False" | "FALSE" => "write false".to_owned(),
            "nil" | "none" | "None" | "NULL" | "undefined" => "write null, or leave the argument out".to_owned(),
            name => format!("write \"{name}\" for text, var.{name} for a variable, local.{name} for a local"),
        };
        Err(self
            .fail(at, Diagnostic::error("unknown-name", format!("the name `{name}` means nothing here")).help(help)))
    }

    /// The innermost value bound to a name by `for`.
    pub(super) fn bound_value(&self, name: &str) -> Option<Value> {
        self.bound.iter().rev().find(|(bound, _)| bound == name).map(|(_, value)| value.clone())
    }

    fn object(&mut self, object: &Object) -> Evaluated {
        let mut map = Props::new();
        let mut failed = false;
        for (key, value) in object {
            let key = self.object_key(key);
            match (key, self.evaluate(value.expr())) {
                (Ok(Value::Text(key)), Ok(value)) => {
                    map.insert(key, value);
                }
                // A key nobody knows makes the whole map unknown.
                (Ok(unknown), Ok(_)) => return Ok(unknown),
                (Err(Failed), _) | (_, Err(Failed)) => failed = true,
            }
        }
        if failed { Err(Failed) } else { Ok(Value::Map(map)) }
    }

    /// The key as text, or an unknown.
    fn object_key(&mut self, key: &ObjectKey) -> Evaluated {
        match key {
            ObjectKey::Ident(name) => Ok(Value::text(name.as_str())),
            ObjectKey::Expression(expression) => {
                let value = self.evaluate(expression)?;
                self.key(value, expression)
            }
        }
    }

    /// A value as the key of a map: text, or an unknown.
    pub(super) fn key(&mut self, value: Value, at: &impl Span) -> Evaluated {
        match value {
            Value::Unknown(_) => Ok(value),
            Value::Secret(_) => {
                let diagnostic =
                    Diagnostic::error("secret-key", "a secret cannot be a key, which is shown").help("use another key");
                Err(self.fail(at, diagnostic))
            }
            value => match coerce::text(&value) {
                Some(text) => Ok(Value::Text(text)),
                None => {
                    let message = format!("a key is a string, not {}", what_it_is(&value));
                    Err(self.fail(at, Diagnostic::error("wrong-type", message).help("write a string as the key")))
                }
            },
        }
    }

    fn conditional(&mut self, conditional: &Conditional) -> Evaluated {
        let condition = self.evaluate(&conditional.cond_expr)?;
        if let Value::Unknown(_) = condition {
            // Still evaluated, so that their errors are told now and not on the day the condition becomes known.
            self.evaluate(&conditional.true_expr)?;
            self.evaluate(&conditional.false_expr)?;
            return Ok(condition);
        }
        let secret = condition.has_secret();
        let chosen = if self.truth(condition, &conditional.cond_expr)? {
            &conditional.true_expr
        } else {
            &conditional.false_expr
        };
        let value = self.evaluate(chosen)?;
        Ok(if secret { value.concealed() } else { value })
    }

    /// A condition's truth. The caller has looked for unknowns.
    pub(super) fn truth(&mut self, value: Value, at: &impl Span) -> Result<bool, Failed> {
        let secret = value.has_secret();
        let value = value.revealed();
        coerce::truth(&value).ok_or_else(|| {
            let what = if secret { "a secret that is neither".to_owned() } else { what_it_is(&value) };
            let message = format!("true or false is wanted here, not {what}");
            self.fail(at, Diagnostic::error("wrong-type", message).help("write a comparison such as x == \"prod\""))
        })
    }

    fn call(&mut self, call: &FuncCall, at: &Expression) -> Evaluated {
        let name = call.name.name.as_str();
        let function = match functions::find(name, call.name.is_namespaced()) {
            Ok(function) => function,
            Err(unavailable) => {
                let failed = self.fail(
                    &call.name.name,
                    Diagnostic::error("unknown-function", unavailable.message).help(unavailable.help),
                );
                // Their errors are told too.
                for argument in call.args.iter() {
                    let _ = self.evaluate(argument);
                }
                return Err(failed);
            }
        };
        if let Run::Lazy(lazy) = function.run {
            return match lazy {
                functions::Lazy::Try => self.first_that_works(&call.args, at),
                functions::Lazy::Can => self.works(&call.args, at),
            };
        }
        let arguments = self.arguments(&call.args)?;
        if let Value::Unknown(_) = arguments {
            return Ok(arguments);
        }
        let Value::List(arguments) = arguments else { return Ok(arguments) };
        if !function.takes(arguments.len()) {
            let message = format!("`{name}` takes {}, not {}", function.arity_in_words(), arguments.len());
            return Err(
                self.fail(at, Diagnostic::error("wrong-arguments", message).help(format!("write {}", function.usage)))
            );
        }
        self.apply(function, arguments, call, at)
    }

    /// The arguments as a list, the last one spread where it ends in `...`; unknown when that one is.
    fn arguments(&mut self, written: &FuncArgs) -> Evaluated {
        let values: Vec<Evaluated> = written.iter().map(|argument| self.evaluate(argument)).collect();
        let mut values: Vec<Value> = values.into_iter().collect::<Result<_, _>>()?;
        if written.expand_final() {
            match values.pop() {
                Some(Value::List(list)) => values.extend(list),
                Some(unknown @ Value::Unknown(_)) => return Ok(unknown),
                Some(other) => {
                    let message = format!("`...` spreads a list, not {}", what_it_is(&other));
                    return Err(self.fail(
                        written.iter().last().map_or(&Expression::null(), |last| last),
                        Diagnostic::error("wrong-type", message).help("put brackets around it, or remove `...`"),
                    ));
                }
                None => {}
            }
        }
        Ok(Value::List(values))
    }

    fn apply(
        &mut self,
        function: &functions::Function,
        arguments: Vec<Value>,
        call: &FuncCall,
        at: &Expression,
    ) -> Evaluated {
        let unknown = match function.unknowns {
            Unknowns::Anywhere => arguments.iter().find_map(Value::unknown),
            Unknowns::Whole => arguments
                .iter()
                .find_map(|value| if let Value::Unknown(name) = value { Some(name.as_str()) } else { None }),
            Unknowns::Pass => None,
        };
        if let Some(reference) = unknown {
            return Ok(Value::Unknown(reference.to_owned()));
        }
        let secret = match function.unknowns {
            Unknowns::Anywhere => arguments.iter().any(Value::has_secret),
            Unknowns::Whole => arguments.iter().any(|value| matches!(value, Value::Secret(_))),
            Unknowns::Pass => false,
        };
        let arguments = if secret { arguments.into_iter().map(Value::revealed).collect() } else { arguments };
        let Run::Pure(run) = function.run else { return Ok(Value::Null) };
        match run(&arguments, self.fuel.left()) {
            Ok(value) => {
                let value = if secret { value.concealed() } else { value };
                self.pay(at, value)
            }
            Err(fault) => Err(self.fault(function, fault, secret, call, at)),
        }
    }

    fn fault(
        &mut self,
        function: &functions::Function,
        fault: Fault,
        secret: bool,
        call: &FuncCall,
        at: &Expression,
    ) -> Failed {
        // A message may quote a value; what was revealed for calculating must not be shown.
        let message = if secret { format!("`{}` cannot take this secret", function.name) } else { fault.message };
        let help = if fault.help.is_empty() { format!("write {}", function.usage) } else { fault.help };
        let diagnostic = Diagnostic::error("wrong-arguments", message).help(help);
        let argument = fault.argument.and_then(|index| call.args.get(index.min(call.args.len().saturating_sub(1))));
        self.fail(argument.unwrap_or(at), diagnostic)
    }

    /// `try(a, b, …)`: the first that evaluates without an error.
    fn first_that_works(&mut self, written: &FuncArgs, at: &Expression) -> Evaluated {
        for argument in written.iter() {
            if let Some(value) = self.attempt(argument) {
                return Ok(value);
            }
        }
        let diagnostic = Diagnostic::error("wrong-arguments", "none of the arguments of `try` can be evaluated")
            .help("make the last argument a plain value, such as null");
        Err(self.fail(at, diagnostic))
    }

    /// `can(a)`: whether it evaluates without an error.
    fn works(&mut self, written: &FuncArgs, at: &Expression) -> Evaluated {
        let Some(argument) = written.iter().next().filter(|_| written.len() == 1) else {
            return Err(self.fail(
                at,
                Diagnostic::error("wrong-arguments", "`can` takes one argument").help("write can(expression)"),
            ));
        };
        Ok(match self.attempt(argument) {
            Some(unknown @ Value::Unknown(_)) => unknown,
            value => Value::Bool(value.is_some()),
        })
    }

    /// The value of an expression whose errors are nobody's business.
    fn attempt(&mut self, expression: &Expression) -> Option<Value> {
        let told = self.problems.len();
        let value = self.evaluate(expression);
        self.problems.truncate(told);
        value.ok()
    }
}

/// A literal number: whole where it fits, otherwise with a fraction.
fn from_number(number: &Number) -> Value {
    number.as_i64().map_or_else(|| number.as_f64().map_or(Value::Null, coerce::from_float), Value::Int)
}
