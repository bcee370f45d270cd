//! What evaluation may cost, so that no configuration keeps pgherd busy for long or fills the memory.

use std::cell::Cell;

use crate::value::Value;

/// Steps allowed for one configuration. A block takes about a hundred, so a thousand blocks use a tenth of it.
const STEPS: usize = 1_000_000;
/// Bytes of text that cost one step.
pub(super) const BYTES_PER_STEP: usize = 64;
/// Lists and maps inside each other in one value. Dropping and printing a value recurses.
const MAX_VALUE_DEPTH: usize = 100;

/// Steps left.
#[derive(Debug)]
pub(crate) struct Fuel {
    left: Cell<usize>,
    said: Cell<bool>,
}

impl Fuel {
    pub(crate) fn new() -> Self {
        Self { left: Cell::new(STEPS), said: Cell::new(false) }
    }

    /// Whether there was enough for this many steps.
    pub(crate) fn pay(&self, steps: usize) -> bool {
        let enough = self.left.get() >= steps;
        self.left.set(self.left.get().saturating_sub(steps));
        enough
    }

    /// Whether there was enough for this value.
    pub(crate) fn pay_for(&self, value: &Value) -> bool {
        self.pay(steps(value))
    }

    /// Steps still there: the largest thing that can be made.
    pub(crate) fn left(&self) -> usize {
        self.left.get()
    }

    /// `true` the first time.
    pub(crate) fn say_once(&self) -> bool {
        !self.said.replace(true)
    }
}

fn steps(value: &Value) -> usize {
    match value {
        Value::List(list) => 1 + list.iter().map(steps).sum::<usize>(),
        Value::Map(map) => 1 + map.iter().map(|(key, value)| key.len() / BYTES_PER_STEP + steps(value)).sum::<usize>(),
        Value::Text(text) | Value::Unknown(text) => 1 + text.len() / BYTES_PER_STEP,
        Value::Secret(secret) => 1 + secret.reveal().map_or(0, str::len) / BYTES_PER_STEP,
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Output(..) => 1,
    }
}

/// Whether a value that is to be kept under a name nests too deeply to be put into others.
pub(crate) fn is_too_deep(value: &Value) -> bool {
    depth(value) > MAX_VALUE_DEPTH
}

fn depth(value: &Value) -> usize {
    match value {
        Value::List(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Map(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Secret(_)
        | Value::Unknown(_)
        | Value::Output(..) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_can_be_spent_and_no_more() {
        let fuel = Fuel::new();
        assert!(fuel.pay(STEPS - 2));
        assert!(fuel.pay_for(&Value::List(vec![Value::Null])), "a list and what is in it");
        assert_eq!(fuel.left(), 0);
        assert!(fuel.pay(0) && !fuel.pay(1));
        assert!(fuel.say_once() && !fuel.say_once());
    }

    /// Each costs one step, and a text more by its length.
    #[test]
    fn a_value_costs_what_is_in_it() {
        let text = |length: usize| Value::text("x".repeat(length));
        assert_eq!([steps(&Value::Null), steps(&text(0)), steps(&text(BYTES_PER_STEP))], [1, 1, 2]);
        assert_eq!(steps(&text(BYTES_PER_STEP * 3).concealed()), 4);
        assert_eq!(steps(&Value::Map([("k".repeat(BYTES_PER_STEP), Value::List(vec![text(0), text(0)]))].into())), 5);
    }

    #[test]
    fn a_value_nests_as_deeply_as_it_may() {
        let nested = |depth: usize| (0..depth).fold(Value::Null, |inner, _| Value::List(vec![Value::Null, inner]));
        assert!(!is_too_deep(&nested(MAX_VALUE_DEPTH)));
        assert!(is_too_deep(&nested(MAX_VALUE_DEPTH + 1)));
        let within = |value: Value| Value::Map([("a".to_owned(), value)].into());
        assert!(!is_too_deep(&within(nested(MAX_VALUE_DEPTH - 1))) && is_too_deep(&within(nested(MAX_VALUE_DEPTH))));
    }
}
