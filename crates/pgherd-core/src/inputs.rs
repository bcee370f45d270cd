//! What the user wrote in one block, before anything is interpreted.

use std::collections::BTreeMap;

use crate::value::Value;

/// The arguments of one `module` block, evaluated. Every name here stands in the variables table.
///
/// A `null` argument is left out: null means not written (rule A1). A sensitive variable's value is a
/// [`Value::Secret`]. Where each was written is the front end's knowledge, asked for by block and path.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inputs {
    /// Label of the block.
    pub block: String,
    /// Arguments by variable name.
    pub values: BTreeMap<String, Value>,
}

impl Inputs {
    /// The value written for a variable.
    pub fn get(&self, variable: &str) -> Option<&Value> {
        self.values.get(variable)
    }
}
