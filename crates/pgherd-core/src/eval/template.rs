//! Text with values in it: `"${…}"`, `%{ if }`, `%{ for }`, heredocs.

use hcl_edit::expr::Expression;
use hcl_edit::template::{Directive, Element, ForDirective, IfDirective, Strip, Template};

use super::for_expr::Items;
use super::fuel::BYTES_PER_STEP;
use super::{Evaluated, Evaluator, Failed, coerce, what_it_is};
use crate::diagnostic::Diagnostic;
use crate::value::Value;

/// A template's text so far.
#[derive(Default)]
struct Text {
    text: String,
    /// The first unknown in it: the whole is unknown then.
    unknown: Option<String>,
    secret: bool,
}

impl Evaluator<'_> {
    /// The value of a string or heredoc template. `"${x}"` alone keeps the type of `x`.
    pub(super) fn template<'e>(&mut self, elements: impl Iterator<Item = &'e Element>, at: &Expression) -> Evaluated {
        let elements: Vec<&Element> = elements.collect();
        if let ([Element::Interpolation(only)], Expression::StringTemplate(_)) = (elements.as_slice(), at) {
            return self.evaluate(&only.expr);
        }
        let mut text = Text::default();
        self.elements(&elements, (false, false), &mut text)?;
        if let Some(reference) = text.unknown {
            return Ok(Value::Unknown(reference));
        }
        let value = Value::Text(text.text);
        self.pay(at, if text.secret { value.concealed() } else { value })
    }

    /// Appends the elements. `trim` says whether what stands before and after them strips white space (`~`).
    fn elements(&mut self, elements: &[&Element], trim: (bool, bool), text: &mut Text) -> Result<(), Failed> {
        let mut failed = false;
        for (index, element) in elements.iter().enumerate() {
            match element {
                Element::Literal(literal) => {
                    let after = if index == 0 { trim.0 } else { strips(elements[index - 1]).1 };
                    let before = elements.get(index + 1).map_or(trim.1, |next| strips(next).0);
                    let mut literal = literal.value().as_str();
                    if after {
                        literal = literal.trim_start();
                    }
                    if before {
                        literal = literal.trim_end();
                    }
                    if !self.fuel.pay(literal.len() / BYTES_PER_STEP) {
                        return Err(self.out_of_fuel(*element));
                    }
                    text.text.push_str(literal);
                }
                Element::Interpolation(interpolation) => {
                    failed |= self.interpolate(&interpolation.expr, text).is_err();
                }
                Element::Directive(directive) => {
                    let done = match directive.as_ref() {
                        Directive::If(directive) => self.if_directive(directive, text),
                        Directive::For(directive) => self.for_directive(directive, text),
                    };
                    failed |= done.is_err();
                }
            }
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    fn interpolate(&mut self, expression: &Expression, text: &mut Text) -> Result<(), Failed> {
        let value = match self.evaluate(expression)? {
            Value::Unknown(reference) => {
                text.unknown.get_or_insert(reference);
                return Ok(());
            }
            Value::Secret(secret) => {
                text.secret = true;
                Value::Secret(secret).revealed()
            }
            value => value,
        };
        match coerce::text(&value) {
            Some(piece) => {
                text.text.push_str(&piece);
                Ok(())
            }
            None => {
                let message =
                    format!("only a string, a number or true and false can stand in text, not {}", what_it_is(&value));
                let help = if value.is_null() {
                    "give it a value, or coalesce(x, \"default\")"
                } else {
                    "use join(\", \", list) or jsonencode(value)"
                };
                Err(self.fail(expression, Diagnostic::error("wrong-type", message).help(help)))
            }
        }
    }

    fn if_directive(&mut self, directive: &IfDirective, text: &mut Text) -> Result<(), Failed> {
        let (start, end) = (&directive.if_expr, directive.endif_expr.strip);
        let condition = self.evaluate(&start.cond_expr)?;
        if let Value::Unknown(reference) = condition {
            text.unknown.get_or_insert(reference);
            return Ok(());
        }
        text.secret |= matches!(condition, Value::Secret(_));
        let holds = self.truth(condition, &start.cond_expr)?;
        match (&directive.else_expr, holds) {
            (Some(other), true) => self.body(&start.template, start.strip, other.strip, text),
            (None, true) => self.body(&start.template, start.strip, end, text),
            (Some(other), false) => self.body(&other.template, other.strip, end, text),
            (None, false) => Ok(()),
        }
    }

    fn for_directive(&mut self, directive: &ForDirective, text: &mut Text) -> Result<(), Failed> {
        let start = &directive.for_expr;
        let collection = self.evaluate(&start.collection_expr)?;
        let items = match self.items(collection, &start.collection_expr)? {
            Items::Known(items) => items,
            Items::Unknown(unknown) => {
                text.unknown = text.unknown.take().or_else(|| unknown.unknown().map(str::to_owned));
                return Ok(());
            }
        };
        let names = (start.key_var.as_ref().map(|name| name.value()), start.value_var.value());
        for item in items {
            self.with_bound(names, item, |this| {
                this.body(&start.template, start.strip, directive.endfor_expr.strip, text)
            })?;
        }
        Ok(())
    }

    fn body(&mut self, template: &Template, before: Strip, after: Strip, text: &mut Text) -> Result<(), Failed> {
        if !self.fuel.pay(1) {
            return Err(self.out_of_fuel(template));
        }
        let elements: Vec<&Element> = template.iter().collect();
        self.elements(&elements, (before.strip_end(), after.strip_start()), text)
    }
}

/// Whether an element strips the white space before and after itself.
fn strips(element: &Element) -> (bool, bool) {
    match element {
        Element::Literal(_) => (false, false),
        Element::Interpolation(interpolation) => (interpolation.strip.strip_start(), interpolation.strip.strip_end()),
        Element::Directive(directive) => match directive.as_ref() {
            Directive::If(directive) => (directive.if_expr.strip.strip_start(), directive.endif_expr.strip.strip_end()),
            Directive::For(directive) => {
                (directive.for_expr.strip.strip_start(), directive.endfor_expr.strip.strip_end())
            }
        },
    }
}
