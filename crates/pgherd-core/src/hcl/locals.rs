//! `locals`: evaluated in the order of what refers to what.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::structure::Attribute;
use hcl_edit::visit::{Visit, visit_traversal};

use super::Sources;
use super::layout::Layout;
use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluator, Fuel, Scope, is_too_deep};
use crate::value::Value;

/// How many names of a circle are shown.
const SHOWN: usize = 8;

/// Puts every local into the scope. One that cannot be evaluated is unknown there, so that it is told once.
pub(super) fn evaluate(
    layout: &Layout<'_>,
    sources: &Sources,
    fuel: &Fuel,
    scope: &mut Scope,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut locals: BTreeMap<&str, (usize, &Attribute)> = BTreeMap::new();
    for (file, attribute) in &layout.locals {
        let name = attribute.key.as_str();
        if locals.contains_key(name) {
            let diagnostic = Diagnostic::error("duplicate-argument", format!("`local.{name}` is written twice"));
            diagnostics.push(
                diagnostic.at_source(*file, attribute.key.span().unwrap_or_default()).help("keep one of the two"),
            );
        } else {
            locals.insert(name, (*file, attribute));
        }
    }
    for name in locals.keys() {
        scope.locals.insert((*name).to_owned(), Value::Unknown(format!("local.{name}")));
    }
    let mut needs: BTreeMap<&str, BTreeSet<String>> =
        locals.iter().map(|(name, (_, a))| (*name, references(&a.value, "local"))).collect();
    for wanted in needs.values_mut() {
        wanted.retain(|name| locals.contains_key(name.as_str()));
    }
    for name in in_order(&mut needs) {
        if let Some((file, attribute)) = locals.get(name) {
            let mut evaluator = Evaluator::new(scope, *file, &sources.files[*file].text, fuel);
            let value = evaluator.evaluate(&attribute.value);
            diagnostics.append(&mut evaluator.problems);
            match value {
                Ok(value) if is_too_deep(&value) => {
                    let diagnostic = Diagnostic::error(
                        "too-complex",
                        format!("`local.{name}` has too many lists inside each other"),
                    );
                    diagnostics.push(
                        diagnostic.at_source(*file, attribute.key.span().unwrap_or_default()).help("make it flatter"),
                    );
                }
                Ok(value) => {
                    scope.locals.insert(name.to_owned(), value);
                }
                Err(_) => {}
            }
        }
    }
    // What is left needs itself, or something that does.
    for circle in circles(&needs) {
        let (file, attribute) = locals[circle[0]];
        let mut way: Vec<String> = circle.iter().chain([&circle[0]]).map(|name| format!("local.{name}")).collect();
        if way.len() > SHOWN {
            way.splice(SHOWN / 2..way.len() - SHOWN / 2, ["…".to_owned()]);
        }
        let diagnostic =
            Diagnostic::error("cyclic-locals", format!("`local.{}` refers to itself: {}", circle[0], way.join(" -> ")));
        diagnostics.push(
            diagnostic
                .at_source(file, attribute.key.span().unwrap_or_default())
                .help("give one of them a value that refers to none of the others"),
        );
    }
}

/// Names after what they need. What cannot be ordered stays in `needs`.
fn in_order<'a>(needs: &mut BTreeMap<&'a str, BTreeSet<String>>) -> Vec<&'a str> {
    let mut wanted_by: BTreeMap<String, Vec<&'a str>> = BTreeMap::new();
    let mut open: BTreeMap<&'a str, usize> = BTreeMap::new();
    for (name, wanted) in needs.iter() {
        open.insert(name, wanted.len());
        for other in wanted {
            wanted_by.entry(other.clone()).or_default().push(name);
        }
    }
    let mut order: Vec<&'a str> = open.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut next = 0;
    while let Some(name) = order.get(next).copied() {
        next += 1;
        for waiting in wanted_by.get(name).into_iter().flatten() {
            if let Some(count) = open.get_mut(waiting) {
                *count -= 1;
                if *count == 0 {
                    order.push(waiting);
                }
            }
        }
    }
    for name in &order {
        needs.remove(name);
    }
    order
}

/// Each circle among what could not be ordered, once, from its first name.
fn circles<'a>(needs: &BTreeMap<&'a str, BTreeSet<String>>) -> Vec<Vec<&'a str>> {
    let mut circles: Vec<Vec<&'a str>> = Vec::new();
    let mut visited: BTreeSet<&str> = BTreeSet::new();
    for start in needs.keys() {
        let mut way: Vec<&'a str> = Vec::new();
        let mut name = *start;
        while visited.insert(name) {
            way.push(name);
            // Something left needs something left.
            let Some(next) = needs[name].iter().find_map(|wanted| needs.get_key_value(wanted.as_str())) else { break };
            name = next.0;
        }
        if let Some(first) = way.iter().position(|seen| *seen == name)
            && way.len() > first
            && needs[way[way.len() - 1]].contains(name)
        {
            circles.push(way.split_off(first));
        }
    }
    circles
}

/// The names after `kind.` anywhere in an expression.
pub(super) fn references(expression: &Expression, kind: &'static str) -> BTreeSet<String> {
    let mut collector = Collector { kind, names: BTreeSet::new() };
    collector.visit_expr(expression);
    collector.names
}

pub(super) struct Collector {
    kind: &'static str,
    names: BTreeSet<String>,
}

impl Visit for Collector {
    fn visit_traversal(&mut self, traversal: &Traversal) {
        if let (Expression::Variable(root), Some(TraversalOperator::GetAttr(name))) =
            (&traversal.expr, traversal.operators.first().map(|step| step.value()))
            && root.as_str() == self.kind
        {
            self.names.insert(name.as_str().to_owned());
        }
        visit_traversal(self, traversal);
    }
}
