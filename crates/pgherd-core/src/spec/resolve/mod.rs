//! Inputs to Spec: other spellings folded, pairs of switches settled, presets and defaults filled in, every origin kept.
//!
//! The order is that of rule A8: what is written, under its own name or another; then the preset; then the target's default;
//! then the general one. Reported here are values that contradict each other, cannot be understood, or are not known though
//! the target needs them. Everything else that can be wrong with a value is a check's business ([`crate::checks`]).

mod aliases;
mod assemble;
mod defaults;
mod draft;
mod effective;
mod gather;
mod normal;
mod pairs;
mod size;
mod storage;

use crate::cloud::Cloud;
use crate::diagnostic::Diagnostic;
use crate::inputs::Inputs;
use crate::value::Value;

use super::Spec;
use draft::Draft;

/// What a block means on `target`, or on its own `cloud_provider` when that is `None`, and everything to say about it.
///
/// The Spec is there beside errors too, with defaults in the place of what could not be understood, so that the checks can
/// add what they find in the same run. Nothing may be done with it while there is an error. It is missing only when the
/// target itself is not known.
pub fn resolve(inputs: &Inputs, target: Option<Cloud>) -> (Option<Spec>, Vec<Diagnostic>) {
    let written = match own_target(inputs) {
        Ok(written) => written,
        Err(trouble) if target.is_none() => return (None, vec![trouble]),
        Err(_) => None,
    };
    let mut draft = Draft::new(&inputs.block, target.or(written).unwrap_or(Cloud::Aws));
    let found = gather::gather(inputs, &mut draft);
    aliases::fold(&found, &mut draft);
    defaults::fill(&mut draft, written);
    pairs::settle(&mut draft);
    let size = size::settle(&mut draft);
    storage::settle(&mut draft, &size);
    defaults::fill_by_size(&mut draft, &size);
    let spec = assemble::assemble(&draft, size);
    inputs.without_secrets(&mut draft.diagnostics);
    (Some(spec), draft.diagnostics)
}

/// The target the block itself names, if it names one.
fn own_target(inputs: &Inputs) -> Result<Option<Cloud>, Diagnostic> {
    const VARIABLE: &str = "cloud_provider";
    let text = match inputs.get(VARIABLE) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) => text,
        Some(Value::Unknown(reference)) => return Err(gather::not_known(&inputs.block, VARIABLE, VARIABLE, reference)),
        Some(other) => {
            let message = format!("`{VARIABLE}` is the name of a target, not {other}");
            return Err(Diagnostic::error("wrong-type", message).at(&inputs.block, VARIABLE).help(targets()));
        }
    };
    Cloud::from_name(text).map(Some).ok_or_else(|| {
        let message = format!("there is no target \"{text}\"");
        Diagnostic::error("unknown-target", message).at(&inputs.block, VARIABLE).help(targets())
    })
}

fn targets() -> String {
    let names: Vec<_> = Cloud::ALL.iter().map(|cloud| cloud.name()).collect();
    format!("write one of {}", names.join(", "))
}

#[cfg(test)]
mod tests;
