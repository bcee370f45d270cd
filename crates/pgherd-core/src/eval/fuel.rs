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
