//! `!`, `-`, and the operators between two values.

use hcl_edit::expr::{BinaryOp, BinaryOperator, Expression, UnaryOp, UnaryOperator};

use super::{Evaluated, Evaluator, Failed, coerce, what_it_is};
use crate::diagnostic::Diagnostic;
use crate::value::Value;

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operation: &UnaryOp, at: &Expression) -> Evaluated {
        let value = self.evaluate(&operation.expr)?;
        if let Value::Unknown(_) = value {
            return Ok(value);
        }
        let secret = value.has_secret();
        let result = match operation.operator.value() {
            UnaryOperator::Not => Value::Bool(!self.truth(value, &operation.expr)?),
            UnaryOperator::Neg => match coerce::number(&value.clone().revealed()) {
                Some(Value::Int(int)) => int.checked_neg().map_or(Value::Float(coerce::TWO_TO_63), Value::Int),
                Some(Value::Float(float)) => Value::Float(-float),
                _ => return Err(self.not_a_number(&value, secret, at)),
            },
        };
        Ok(if secret { result.concealed() } else { result })
    }

    pub(super) fn binary(&mut self, operation: &BinaryOp, at: &Expression) -> Evaluated {
        let operator = *operation.operator.value();
        let left = self.evaluate(&operation.lhs_expr);
        if let (BinaryOperator::And | BinaryOperator::Or, Ok(left)) = (operator, &left) {
            return self.logical(operator, left.clone(), operation);
        }
        let right = self.evaluate(&operation.rhs_expr);
        let (left, right) = (left?, right?);
        if let Some(reference) = left.unknown().or_else(|| right.unknown()) {
            return Ok(Value::Unknown(reference.to_owned()));
        }
        let secret = left.has_secret() || right.has_secret();
        let (left, right) = (left.revealed(), right.revealed());
        let result = match operator {
            BinaryOperator::Eq => Value::Bool(equal(&left, &right)),
            BinaryOperator::NotEq => Value::Bool(!equal(&left, &right)),
            BinaryOperator::And | BinaryOperator::Or => Value::Null,
            _ => {
                let (Some(a), Some(b)) = (coerce::number(&left), coerce::number(&right)) else {
                    let (value, at) = if coerce::number(&left).is_none() {
                        (left, &operation.lhs_expr)
                    } else {
                        (right, &operation.rhs_expr)
                    };
                    return Err(self.not_a_number(&value, secret, at));
                };
                self.calculate(operator, &a, &b, at)?
            }
        };
        Ok(if secret { result.concealed() } else { result })
    }

    /// `&&` and `||`: the right side is only looked at where it decides.
    fn logical(&mut self, operator: BinaryOperator, left: Value, operation: &BinaryOp) -> Evaluated {
        let secret = left.has_secret();
        let decisive = operator == BinaryOperator::Or;
        let left = match left {
            Value::Unknown(_) => Err(left),
            value => Ok(self.truth(value, &operation.lhs_expr)?),
        };
        let keep = |value: bool, secret: bool| if secret { Value::Bool(value).concealed() } else { Value::Bool(value) };
        if left.as_ref().is_ok_and(|left| *left == decisive) {
            return Ok(keep(decisive, secret));
        }
        let right = self.evaluate(&operation.rhs_expr)?;
        let secret = secret || right.has_secret();
        let right = match right {
            Value::Unknown(_) => return Ok(left.err().unwrap_or(right)),
            value => self.truth(value, &operation.rhs_expr)?,
        };
        match left {
            Err(unknown) if right != decisive => Ok(unknown),
            Err(_) | Ok(_) => Ok(keep(right, secret)),
        }
    }

    fn calculate(&mut self, operator: BinaryOperator, a: &Value, b: &Value, at: &Expression) -> Evaluated {
        let (x, y) = (coerce::float(a).unwrap_or_default(), coerce::float(b).unwrap_or_default());
        let exact = match (a, b) {
            (Value::Int(a), Value::Int(b)) => whole(operator, *a, *b),
            _ => None,
        };
        let float = |result: f64| exact.clone().unwrap_or_else(|| coerce::from_float(result));
        let result = match operator {
            BinaryOperator::Plus => float(x + y),
            BinaryOperator::Minus => float(x - y),
            BinaryOperator::Mul => float(x * y),
            BinaryOperator::Div | BinaryOperator::Mod if y == 0.0 => {
                return Err(self.fail(
                    at,
                    Diagnostic::error("wrong-arguments", "this divides by zero").help("make sure the divisor is not 0"),
                ));
            }
            BinaryOperator::Div => float(x / y),
            BinaryOperator::Mod => float(x % y),
            BinaryOperator::Less => Value::Bool(x < y),
            BinaryOperator::LessEq => Value::Bool(x <= y),
            BinaryOperator::Greater => Value::Bool(x > y),
            BinaryOperator::GreaterEq => Value::Bool(x >= y),
            BinaryOperator::Eq | BinaryOperator::NotEq | BinaryOperator::And | BinaryOperator::Or => Value::Null,
        };
        if let Value::Float(float) = result
            && !float.is_finite()
        {
            return Err(self.fail(
                at,
                Diagnostic::error("wrong-arguments", "the result is too large to be a number")
                    .help("use smaller numbers"),
            ));
        }
        Ok(result)
    }

    fn not_a_number(&mut self, value: &Value, secret: bool, at: &Expression) -> Failed {
        let value = if secret { "a secret that is none".to_owned() } else { what_it_is(value) };
        self.fail(
            at,
            Diagnostic::error("wrong-type", format!("a number is wanted here, not {value}"))
                .help("use a number; text is put together with \"${a}${b}\""),
        )
    }
}

/// Whole-number arithmetic, where it stays whole and in range.
fn whole(operator: BinaryOperator, a: i64, b: i64) -> Option<Value> {
    Some(Value::Int(match operator {
        BinaryOperator::Plus => a.checked_add(b)?,
        BinaryOperator::Minus => a.checked_sub(b)?,
        BinaryOperator::Mul => a.checked_mul(b)?,
        BinaryOperator::Div => a.checked_rem(b).filter(|rest| *rest == 0).and_then(|_| a.checked_div(b))?,
        BinaryOperator::Mod => a.checked_rem(b)?,
        _ => return None,
    }))
}

/// As Terraform compares: numbers by value, everything else by type and value (`"1" == 1` is false).
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
            a == b || matches!((coerce::float(a), coerce::float(b)), (Some(a), Some(b)) if a.total_cmp(&b).is_eq())
        }
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && equal(a, b))
        }
        _ => a == b,
    }
}
