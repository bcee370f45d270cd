//! What the user wrote in one block, before anything is interpreted.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::hcl::without;
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

    /// Takes every secret of the block out of the words of diagnostics about it.
    ///
    /// Messages quote what is written, and a sensitive value may be written where nobody expects one.
    pub(crate) fn without_secrets(&self, diagnostics: &mut [Diagnostic]) {
        let mut secrets = Vec::new();
        self.values.values().for_each(|value| collect_secrets(value, &mut secrets));
        diagnostics.iter_mut().for_each(|diagnostic| without(diagnostic, &mut secrets));
    }
}

/// Below this a text is a number or a switch, which hides nothing, and stands in half of all words.
const SHORTEST_SECRET: usize = 4;

fn collect_secrets<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::Secret(secret) => into.extend(secret.reveal().filter(|text| text.len() >= SHORTEST_SECRET)),
        Value::List(list) => list.iter().for_each(|item| collect_secrets(item, into)),
        Value::Map(map) => map.values().for_each(|item| collect_secrets(item, into)),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Text(_)
        | Value::Unknown(_)
        | Value::Output(..) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    /// Wherever in a value a secret is; one of three letters stands in half of all words.
    #[test]
    fn secrets_are_taken_out_of_words() {
        let secret = |text: &str| Value::Secret(Secret::new(text));
        let map = Value::Map([("a".to_owned(), Value::List(vec!["seen".into(), secret("hunter2")]))].into());
        let values = [("tags", map), ("name", secret("abc"))].map(|(name, value)| (name.to_owned(), value));
        let inputs = Inputs { block: "db".to_owned(), values: values.into() };
        let mut said = [Diagnostic::error("x", "hunter2, seen and abc").help("write no hunter2")];
        inputs.without_secrets(&mut said);
        assert_eq!((said[0].message.as_str(), said[0].help.as_str()), ("(secret), seen and abc", "write no (secret)"));
    }
}
